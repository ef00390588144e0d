-- Why: what a machine should be, as a chain of revisions. A revision is what somebody decided, with
-- their name and reason, and findings are judged by it: it is never changed. Undoing one is a new one.

-- +goose Up

CREATE TABLE baselines (
  id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE CHECK (name <> '' AND octet_length(name) <= 1000)
);

CREATE TABLE baseline_revisions (
  id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  baseline_id integer NOT NULL REFERENCES baselines,
  number      integer NOT NULL CHECK (number >= 1),
  author      text NOT NULL,
  reason      text NOT NULL,
  at          timestamptz NOT NULL,
  digest      bytea NOT NULL CHECK (octet_length(digest) = 32), -- of the content
  spec        jsonb NOT NULL,                                   -- without the items
  UNIQUE (baseline_id, number)
);

-- The golden items of a revision, a state per facet.
CREATE TABLE revision_states (
  revision_id integer NOT NULL REFERENCES baseline_revisions,
  state_id    integer NOT NULL REFERENCES states,
  facet_id    smallint NOT NULL REFERENCES facets,
  PRIMARY KEY (revision_id, facet_id)
);

CREATE TRIGGER revisions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON baseline_revisions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER revision_states_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON revision_states
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
