-- Why: the same change on a thousand machines is one thing to read and to decide on, and a thousand
-- lives. The text of a change stands once; a finding is a narrow row that points at it.

-- +goose Up

CREATE TABLE changes (
  id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  facet_id smallint NOT NULL REFERENCES facets,
  digest   bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32), -- of facet, key, op and fields; not of a severity
  op       text COLLATE "C" NOT NULL CHECK (op IN ('added', 'removed', 'changed')),
  key      text COLLATE "C" NOT NULL CHECK (key <> ''),
  fields   jsonb NOT NULL CHECK (jsonb_typeof(fields) = 'array') -- of {name, want, have}, sorted by name
);

CREATE TRIGGER changes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- While a finding is not resolved, nothing says when it was last seen: that is when its facet was last
-- observed, so that a night without news writes nothing here.
CREATE TABLE findings (
  first_seen  timestamptz NOT NULL,
  opened_at   timestamptz NOT NULL,
  machine_id  integer NOT NULL REFERENCES machines,
  change_id   integer NOT NULL REFERENCES changes,
  severity    smallint NOT NULL CHECK (severity BETWEEN 0 AND 4),
  reopened    smallint NOT NULL CHECK (reopened >= 0),
  state       text COLLATE "C" NOT NULL CHECK (state IN ('open', 'acknowledged', 'waived', 'resolved')),
  last_seen   timestamptz,
  resolved_at timestamptz,
  PRIMARY KEY (machine_id, change_id),
  CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
  CHECK ((state = 'resolved') = (last_seen IS NOT NULL))
);

CREATE INDEX findings_by_change ON findings (change_id);

-- What stands open, for the list that is read every morning.
CREATE INDEX findings_unresolved ON findings (machine_id) WHERE state <> 'resolved';
