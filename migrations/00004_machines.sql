-- Why: machines, what is known of each now, and what was known before. Nearly all machines are as they
-- were the night before, so what changes every night stands apart in a row so narrow that its new
-- version fits beside the old one in the same page, and touches no index.

-- +goose Up

CREATE TABLE machines (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  first_seen timestamptz NOT NULL,
  -- Identity. Never an address.
  source     text COLLATE "C" NOT NULL CHECK (octet_length(source) <= 1000),
  native_id  text COLLATE "C" NOT NULL CHECK (octet_length(native_id) <= 1000),
  name       text COLLATE "C" NOT NULL CONSTRAINT machines_name_key UNIQUE CHECK (name <> '' AND octet_length(name) <= 1000),
  address    text NOT NULL,
  labels     jsonb NOT NULL CHECK (jsonb_typeof(labels) = 'object'),
  CONSTRAINT machines_identity UNIQUE (source, native_id)
);

-- One row per machine, updated in place (HOT) by each run that tries it; locked to work on the machine.
-- All rows have one length from the beginning, so nothing is NULL, and a page is filled such that a new
-- version of every row in it fits beside the old one and its redirection (45 %, measured by a test).
-- run_id has no foreign key, which would be checked for every machine in every run; compared_id has none, since
-- it would have to be NULL for no revision.
CREATE TABLE machine_seen (
  tried_at    timestamptz NOT NULL DEFAULT '-infinity', -- start of the last run that tried it
  observed_at timestamptz NOT NULL DEFAULT '-infinity', -- start of the last run that observed anything
  machine_id  integer PRIMARY KEY REFERENCES machines,
  run_id      integer NOT NULL DEFAULT 0, -- the last that tried it; 0 if none has
  compared_id integer NOT NULL DEFAULT 0, -- the revision its findings were last compared with; 0 if none
  CHECK ((run_id = 0) = (tried_at = '-infinity')),
  CHECK (run_id <> 0 OR observed_at = '-infinity')
) WITH (fillfactor = 45);

-- Stretches of an outcome other than ok, as reported by the runs. At most one per machine has no end.
CREATE TABLE machine_problems (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  machine_id integer NOT NULL REFERENCES machines,
  since_run  integer NOT NULL REFERENCES runs,
  until_run  integer REFERENCES runs, -- the first that found it otherwise
  since      timestamptz NOT NULL,
  outcome    text COLLATE "C" NOT NULL CHECK (outcome NOT IN ('', 'ok')),
  reason     text NOT NULL
);

CREATE UNIQUE INDEX machine_problems_now ON machine_problems (machine_id) WHERE until_run IS NULL;

-- What is known now of one facet of one machine. Written only when it changes.
CREATE TABLE machine_facets (
  state_since    timestamptz, -- when the state was first observed in the present stretch
  status_since   timestamptz NOT NULL,
  machine_id     integer NOT NULL REFERENCES machines,
  state_id       integer REFERENCES states, -- observed last; kept while the facet can't be read
  facet_id       smallint NOT NULL REFERENCES facets,
  items_complete boolean NOT NULL,
  status         text COLLATE "C" NOT NULL CHECK (status IN ('complete', 'partial', 'denied', 'failed', 'unsupported')),
  reason         text CHECK (reason <> ''),
  missing        text[] CHECK (missing <> '{}'),
  -- When the state was observed last. Null while it is being observed: then that is machine_seen.observed_at.
  last_observed  timestamptz,
  PRIMARY KEY (machine_id, facet_id),
  CHECK ((state_id IS NULL) = (state_since IS NULL)),
  CHECK (status NOT IN ('complete', 'partial') OR state_id IS NOT NULL AND last_observed IS NULL),
  CHECK (status <> 'complete' OR items_complete AND missing IS NULL)
);

CREATE INDEX machine_facets_by_state ON machine_facets (state_id);

-- Stretches of equal state that are over, in the order in which they ended. The present one is in machine_facets.
CREATE TABLE state_history (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  from_at    timestamptz NOT NULL,
  until_at   timestamptz NOT NULL, -- when the next state was first observed
  machine_id integer NOT NULL REFERENCES machines,
  state_id   integer NOT NULL REFERENCES states,
  facet_id   smallint NOT NULL REFERENCES facets,
  CHECK (from_at <= until_at)
);

CREATE INDEX state_history_by_machine ON state_history (machine_id, facet_id);
CREATE INDEX state_history_by_state ON state_history (state_id);

CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON state_history
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
