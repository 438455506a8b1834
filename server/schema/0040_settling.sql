-- A batch of stage reports in fewer round trips, doing the same.
-- Older code may still run: yes. What it calls does as before.

-- Holds off freezing and closing while a batch is under way, and then tells the database's time with
-- the movements that the batch names. A statement of its own each: the second sees what the first
-- waited for.
CREATE FUNCTION begin_reports(movements uuid[])
  RETURNS TABLE (moment timestamptz, movement_id uuid, state text)
  LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(49, current_operation());
  RETURN QUERY SELECT clock_timestamp(), m.movement_id, m.state
    FROM (VALUES (true)) AS always (x)
    LEFT JOIN movement m ON m.operation_id = current_operation() AND m.movement_id = ANY (movements);
END $$;

-- Where some people of movements stand, their rows held until the commit, in key order. Who is in
-- none of them does not come back.
CREATE OR REPLACE FUNCTION hold_standings(movements uuid[], persons int[])
  RETURNS SETOF movement_person
  LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY
    SELECT held.* FROM (SELECT DISTINCT u.movement_id, u.person_id
                        FROM unnest(movements, persons) AS u (movement_id, person_id)
                        ORDER BY u.movement_id, u.person_id) k
    CROSS JOIN LATERAL (
      SELECT * FROM movement_person p
      WHERE p.operation_id = current_operation() AND p.movement_id = k.movement_id
        AND p.person_id = k.person_id
      FOR UPDATE) held;
END $$;

-- What a batch changes, in the order of the locks: where people stand, whose rows are held; their
-- cells; the counts of vehicles and points. Returns the new absolute counts: of a cell without
-- `thing_id`, of a vehicle or point with it; `seats` where somebody boarded.
CREATE FUNCTION settle(movements uuid[], persons int[], stages text[], vehicles uuid[],
                       points uuid[], sinces timestamptz[], reports uuid[], memories text[],
                       cell_movements uuid[], cell_areas int[], cell_agencies int[],
                       cell_categories text[], cell_stages text[], cell_deltas int[],
                       count_movements uuid[], things uuid[], whats text[], count_deltas int[])
  RETURNS TABLE (movement_id uuid, thing_id uuid, what text, seats int, area_id int, agency_id int,
                 category text, stage text, count int)
  LANGUAGE plpgsql AS $$
BEGIN
  PERFORM write_standings(movements, persons, stages, vehicles, points, sinces, reports, memories);
  RETURN QUERY
    SELECT m.movement_id, NULL::uuid, NULL::text, NULL::int, m.area_id, m.agency_id, m.category,
           m.stage, m.count
    FROM move_stages(cell_movements, cell_areas, cell_agencies, cell_categories, cell_stages,
                     cell_deltas) m;
  RETURN QUERY
    SELECT m.movement_id, m.thing_id, m.what, v.seats, NULL::int, NULL::int, NULL::text, NULL::text,
           m.count
    FROM move_counts(count_movements, things, whats, count_deltas) m
    LEFT JOIN movement_vehicle v ON m.what = 'boarded' AND v.operation_id = current_operation()
      AND v.movement_id = m.movement_id AND v.vehicle_id = m.thing_id;
END $$;
