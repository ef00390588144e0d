-- Why: a night's scan is worked on by many processes on many hosts, and any of them may die. So what is to
-- be scanned, and what became of it, stands here, and in no process's memory: a schedule knows when it is due
-- next, a run which machines it is for, and how each of them ended.

-- +goose Up

CREATE TABLE schedules (
  id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  next_at     timestamptz, -- when it is due next; NULL for never again
  from_config boolean NOT NULL, -- it stands in vmdrift.yaml, and goes when it does not any more
  paused      boolean NOT NULL DEFAULT false,
  name        text COLLATE "C" NOT NULL UNIQUE CHECK (name <> '' AND octet_length(name) <= 253),
  spec        jsonb NOT NULL
);

ALTER TABLE runs
  DROP CONSTRAINT runs_state_check,
  DROP CONSTRAINT runs_check,
  -- Worked on by the queue; the others live as long as the process that began them.
  ADD COLUMN queued boolean NOT NULL DEFAULT false,
  ADD COLUMN recorded integer NOT NULL DEFAULT 0, -- machines in run_results
  ADD COLUMN opened integer NOT NULL DEFAULT 0,   -- findings that it opened, or reopened
  ADD COLUMN resolved integer NOT NULL DEFAULT 0,
  ADD COLUMN schedule_id integer REFERENCES schedules ON DELETE SET NULL,
  ADD COLUMN due_at timestamptz,      -- when it was due, by its schedule
  ADD COLUMN not_before timestamptz,  -- due_at and the jitter
  ADD COLUMN deadline_at timestamptz,
  ADD COLUMN handed_at timestamptz,   -- when it was given to the queue
  ADD COLUMN machines integer[],      -- which are to be scanned, ascending
  ADD COLUMN scope jsonb,
  ADD COLUMN notes jsonb,             -- what went wrong that concerns no one machine
  ADD COLUMN facets jsonb,            -- how well each facet was seen, once it has ended
  ADD CONSTRAINT runs_state_check CHECK (state IN ('planned', 'running', 'finished', 'cancelled', 'overdue', 'interrupted')),
  ADD CONSTRAINT runs_check CHECK ((state IN ('planned', 'running')) = (finished_at IS NULL)),
  ADD CONSTRAINT runs_queued CHECK (queued OR state NOT IN ('planned', 'overdue')),
  -- However many processes plan: once.
  ADD CONSTRAINT runs_due UNIQUE (schedule_id, due_at);

DROP INDEX runs_running;
CREATE INDEX runs_unended ON runs (id) WHERE state IN ('planned', 'running');

-- How machines ended in runs, some hundred to a row, so that one takes ten bytes. at is the run's start.
-- Reasons stand in machine_problems.
CREATE TABLE run_results (
  at       timestamptz NOT NULL,
  run_id   integer NOT NULL,
  machines integer[] NOT NULL,
  outcomes smallint[] NOT NULL,
  took_ms  integer[] NOT NULL,
  CHECK (cardinality(machines) = cardinality(outcomes) AND cardinality(machines) = cardinality(took_ms))
) PARTITION BY RANGE (at);

CREATE INDEX run_results_by_run ON run_results (run_id);

-- What befell findings: what the list of findings says now, this says of each day.
CREATE TABLE finding_events (
  at         timestamptz NOT NULL,
  run_id     integer NOT NULL, -- in which it was found; 0 if a person or another baseline did it
  machine_id integer NOT NULL,
  change_id  integer NOT NULL,
  event      text COLLATE "C" NOT NULL CHECK (event IN ('opened', 'reopened', 'resolved', 'continued', 'acknowledged', 'released')),
  by         text,
  note       text
) PARTITION BY RANGE (at);

CREATE INDEX finding_events_by_change ON finding_events (change_id, machine_id);
CREATE INDEX finding_events_by_run ON finding_events (run_id) WHERE run_id <> 0;

-- History is dropped by age, a month at a time.
ALTER TABLE state_history RENAME TO state_history_whole;
ALTER INDEX state_history_by_machine RENAME TO state_history_whole_by_machine;
ALTER INDEX state_history_by_state RENAME TO state_history_whole_by_state;
CREATE TABLE state_history (
  id         bigint GENERATED ALWAYS AS IDENTITY,
  from_at    timestamptz NOT NULL,
  until_at   timestamptz NOT NULL, -- when the next state was first observed
  machine_id integer NOT NULL REFERENCES machines,
  state_id   integer NOT NULL REFERENCES states,
  facet_id   smallint NOT NULL REFERENCES facets,
  CHECK (from_at <= until_at)
) PARTITION BY RANGE (until_at);
CREATE INDEX state_history_by_machine ON state_history (machine_id, facet_id);
CREATE INDEX state_history_by_state ON state_history (state_id);

-- +goose StatementBegin
CREATE FUNCTION ensure_partitions(since timestamptz, until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  part text;
  month timestamp;
  bounds text;
  resting boolean;
  made integer := 0;
BEGIN
  -- One at a time: two that make the same table would fail each other.
  PERFORM pg_advisory_xact_lock(x'766d6470'::integer);
  FOREACH parent IN ARRAY ARRAY['run_results', 'finding_events', 'state_history'] LOOP
    month := date_trunc('month', since AT TIME ZONE 'UTC');
    WHILE month <= until AT TIME ZONE 'UTC' LOOP
      part := parent || to_char(month, '"_"YYYYMM');
      IF to_regclass(format('%I', part)) IS NULL THEN
        bounds := format('%L::timestamptz AND %L::timestamptz', month AT TIME ZONE 'UTC', (month + interval '1 month' - interval '1 microsecond') AT TIME ZONE 'UTC');
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I BETWEEN ' || bounds || ')', parent || '_rest',
          CASE parent WHEN 'state_history' THEN 'until_at' ELSE 'at' END) INTO resting;
        IF NOT resting THEN -- what came before its month was made stays where it is
          EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent);
          EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
            month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
          made := made + 1;
        END IF;
      END IF;
      month := month + interval '1 month';
    END LOOP;
  END LOOP;
  RETURN made;
END $$;
-- +goose StatementEnd

-- For what is older or newer than any month that was made.
CREATE TABLE run_results_rest PARTITION OF run_results DEFAULT;
CREATE TABLE finding_events_rest PARTITION OF finding_events DEFAULT;
CREATE TABLE state_history_rest PARTITION OF state_history DEFAULT;

SELECT ensure_partitions(coalesce(min(until_at), now()), now() + interval '1 month') FROM state_history_whole;
INSERT INTO state_history (from_at, until_at, machine_id, state_id, facet_id)
SELECT from_at, until_at, machine_id, state_id, facet_id FROM state_history_whole ORDER BY id;
DROP TABLE state_history_whole;
CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON state_history
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Who works on runs. beats grows while it lives: whoever watches it needs no clock but their own.
CREATE TABLE workers (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  beats      bigint NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now(),
  seen_at    timestamptz NOT NULL DEFAULT now(),
  name       text COLLATE "C" NOT NULL UNIQUE CHECK (name <> ''), -- as the queue knows it
  zones      text[] NOT NULL,
  version    text NOT NULL,
  slots      integer NOT NULL,
  draining   boolean NOT NULL DEFAULT false
);

-- Where machines were seen in a run and who answered there, to find at its end which of them are one. Lost in
-- a crash of the server, it is found a night later.
CREATE UNLOGGED TABLE run_sightings (
  run_id  integer NOT NULL,
  seen    jsonb NOT NULL
);
CREATE INDEX run_sightings_by_run ON run_sightings (run_id);

-- What is to be told to whom about a run. One row per channel, so that nothing is told twice.
CREATE TABLE notices (
  id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id   integer NOT NULL REFERENCES runs,
  tries    integer NOT NULL DEFAULT 0,
  made_at  timestamptz NOT NULL,
  sent_at  timestamptz,
  claimed_until timestamptz, -- while somebody is sending it
  given_up boolean NOT NULL DEFAULT false,
  channel  text COLLATE "C" NOT NULL,
  error    text, -- of the last try
  UNIQUE (run_id, channel)
);
