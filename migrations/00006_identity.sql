-- Why: one machine is listed in several places: by vCenter, by an inventory, by whoever types its address.
-- Each keeps its own row, which says who said what; same_as points at the row under which the machine is
-- observed. Taking the pointer away makes them two again, for an address may be given to another machine.
--
-- A machine that its source lists no more is gone: shown only where asked for, and never deleted.

-- +goose Up

ALTER TABLE machines
  ADD COLUMN gone_at timestamptz,
  ADD COLUMN same_as integer REFERENCES machines CHECK (same_as <> id);

CREATE INDEX machines_same ON machines (same_as) WHERE same_as IS NOT NULL;
