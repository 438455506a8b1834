-- When somebody was told that a vehicle is overdue.
-- Older code may still run: yes. It tells nobody, and clears nothing.

ALTER TABLE movement_vehicle ADD COLUMN overdue_at timestamptz;

-- When a vehicle is to be at the end of its leg: as long after it left as was planned for the leg, or
-- where that is not known, as planned for the leg. Null: nobody has said.
CREATE FUNCTION expected_at(departed_at timestamptz, departs_at timestamptz, arrives_at timestamptz)
  RETURNS timestamptz
  LANGUAGE sql IMMUTABLE
  AS $$ SELECT coalesce(departed_at + (arrives_at - departs_at), arrives_at) $$;
