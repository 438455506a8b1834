-- Panics follow a merge, colleagues near one are told, and positions expire.
-- Older code may still run: yes. It tells no colleagues, and leaves the panics of who is merged.

-- Whom a record is counted as: who it was merged into, or herself.
CREATE FUNCTION remaining(person int) RETURNS int
  LANGUAGE sql STABLE
  AS $$ SELECT coalesce(p.merged_into, p.person_id) FROM person p
        WHERE p.operation_id = current_operation() AND p.person_id = person $$;

-- Lets the presses of one person go one after another until the commit; whose they are by then. A
-- phone's identity is remembered for some seconds: it may press for who was merged meanwhile.
CREATE FUNCTION hold_presser(person int) RETURNS int
  LANGUAGE plpgsql AS $$
DECLARE
  now_is int;
BEGIN
  PERFORM pg_advisory_xact_lock(45, person);
  now_is := remaining(person);
  IF now_is <> person THEN
    PERFORM pg_advisory_xact_lock(45, now_is);
  END IF;
  RETURN now_is;
END $$;
