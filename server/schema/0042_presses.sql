-- A press begins in one round trip: while a server is busy, each one of them waits its turn.
-- Older code may still run: yes. It asks the same in three.

-- Lets the presses of one person go one after another until the commit; whose they are by then, the
-- database's time, what was answered to those that came before, and, where one is new, her live
-- panic, held. Each is read once the one before is held.
CREATE FUNCTION begin_presses(person int, ids uuid[], silent boolean, OUT whose int,
                              OUT moment timestamptz, OUT known jsonb, OUT live jsonb)
  LANGUAGE plpgsql AS $$
DECLARE
  own int;
BEGIN
  whose := hold_presser(person);
  moment := clock_timestamp();
  SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]'), count(*) FILTER (WHERE p.person_id = whose)
  INTO known, own
  FROM (SELECT press_id, panic_id, person_id, merged, state, ignored FROM panic_press
        WHERE operation_id = current_operation() AND press_id = ANY (ids)) p;
  IF own < cardinality(ids) THEN
    SELECT to_jsonb(c) INTO live
    FROM (SELECT panic_id, state, covert, duress, verified, told_at FROM panic
          WHERE operation_id = current_operation() AND person_id = whose AND duress = silent
            AND state IN ('open', 'acknowledged') FOR UPDATE) c;
  END IF;
END $$;
