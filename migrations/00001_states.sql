-- Why: what machines are made of is nearly the same on all of them, so it is kept once. An item (one
-- line of a facet's canonical text) stands once in a dictionary. A state is a set of items, and is mostly
-- a near state with a few items more and a few less. 10,000 machines share a few hundred states.
--
-- Facets, items and states are never changed and never deleted: their ids are their names everywhere
-- else, in the caches of running processes too.

-- +goose Up

CREATE TABLE facets (
  id   smallint PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE CHECK (name <> '')
);

INSERT INTO facets (id, name) VALUES
  (1, 'groups'), (2, 'os'), (3, 'packages'), (4, 'ports'), (5, 'services'), (6, 'users');

CREATE TABLE items (
  id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  facet_id smallint NOT NULL REFERENCES facets,
  -- The first 16 bytes of SHA-256(facet, NUL, line). Lines may have 64 kB and more, and a row of an
  -- index at most 2.7 kB. Two lines with one digest would take 2^64 tries to make, and would be found
  -- out, since a state is checked against its own, whole digest whenever it is read.
  digest   bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 16),
  key      text COLLATE "C" NOT NULL CHECK (key <> ''),
  fields   text COLLATE "C" NOT NULL -- name=value, separated by tabs, sorted by name
);

-- For "which items begin with": the key's beginning, since a whole key may be too long for an index.
CREATE INDEX items_by_key ON items (facet_id, left(key, 200));

CREATE TABLE states (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  base_id    integer REFERENCES states CHECK (base_id < id),
  item_count integer NOT NULL CHECK (item_count >= 0),
  facet_id   smallint NOT NULL REFERENCES facets,
  version    smallint NOT NULL CHECK (version > 0), -- of the canonical form
  digest     bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
  -- Ids of items, ascending. With base_id: what is more and what is less than there. A base has
  -- no base itself, so that any state is read in one step.
  added      integer[] NOT NULL,
  removed    integer[] CHECK ((removed IS NULL) = (base_id IS NULL)),
  CHECK (base_id IS NOT NULL OR item_count = cardinality(added))
);

CREATE INDEX states_by_base ON states (base_id) WHERE base_id IS NOT NULL;

-- For "which states hold this item". Without a pending list, which every search would have to go through.
CREATE INDEX states_by_item ON states USING gin (added) WITH (fastupdate = off);

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is never changed: rows of table % may not be updated or deleted', TG_TABLE_NAME, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd

CREATE TRIGGER items_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON items
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER states_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON states
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
