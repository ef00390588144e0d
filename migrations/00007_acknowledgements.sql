-- Why: a finding that somebody is at work on must say who, or two people work on it. Few findings have it,
-- and a column that is NULL takes no room in the row. It stays when the finding is resolved, and when it comes back: who
-- looked at it last time is whom to ask.

-- +goose Up

ALTER TABLE findings
  ADD COLUMN acknowledged_at timestamptz,
  ADD COLUMN acknowledged_by text CHECK (acknowledged_by <> ''),
  ADD COLUMN note text CHECK (note <> ''),
  ADD CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
  ADD CHECK (note IS NULL OR acknowledged_by IS NOT NULL);
