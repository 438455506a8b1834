-- name: begin_batch
-- Holds off freezing and closing while a batch is under way; tells the database's time.
WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(49, current_operation()))
SELECT clock_timestamp() FROM held

-- name: begin_reports
-- The same for a batch of reports; tells also the states of the movements they name.
SELECT moment, movement_id, state FROM begin_reports($1::uuid[])

-- name: hold_out_reports
-- Waits for the batches under way and holds off new ones until the commit.
SELECT pg_advisory_xact_lock(49, current_operation())

-- name: vehicles
-- What reports are read by of vehicles, by their id or number.
SELECT v.movement_id, v.vehicle_id, v.number, v.leg_id, l.start_id, l.end_id,
       e.kind = 'safe_haven' AS haven
FROM movement_vehicle v
JOIN movement_leg l ON l.operation_id = v.operation_id AND l.movement_id = v.movement_id
                   AND l.leg_id = v.leg_id
JOIN movement_point e ON e.operation_id = l.operation_id AND e.movement_id = l.movement_id
                     AND e.point_id = l.end_id
WHERE v.operation_id = current_operation() AND v.movement_id = ANY ($1::uuid[])
  AND (v.vehicle_id = ANY ($2::uuid[]) OR v.number = ANY ($3::int[]))

-- name: points
-- What reports are read by of points.
SELECT movement_id, point_id, kind = 'safe_haven' AS haven FROM movement_point
WHERE operation_id = current_operation() AND movement_id = ANY ($1::uuid[])
  AND point_id = ANY ($2::uuid[])

-- name: hold_standings
-- Where some people stand, their rows held; who is not in a movement does not come back.
SELECT movement_id, person_id, area_id, agency_id, category, stage, vehicle_id, point_id, since,
       report_id, memory
FROM hold_standings($1::text::uuid[], $2::text::int[])

-- name: remaining
-- Of some people, who was merged into whom.
SELECT person_id, merged_into FROM person
WHERE operation_id = current_operation() AND person_id = ANY ($1::int[])
  AND merged_into IS NOT NULL

-- name: add_reported
-- Who was reported by somebody who may add her joins the movement; she is held. Again does nothing.
INSERT INTO movement_person (operation_id, movement_id, person_id, area_id, agency_id, category,
                             parity, household_id, added)
SELECT p.operation_id, u.movement_id, p.person_id, p.area_id, p.agency_id, p.category,
       parity_of(p.category, s.category), coalesce(p.sponsor_id, p.person_id), $3
FROM unnest($1::text::uuid[], $2::text::int[]) AS u (movement_id, person_id)
JOIN person p ON p.operation_id = current_operation() AND p.person_id = u.person_id
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
ORDER BY u.movement_id, u.person_id
ON CONFLICT DO NOTHING
RETURNING movement_id, person_id, area_id, agency_id, category

-- name: insert_reports
-- Writes new reports; repeats of an id are left out of what it returns.
INSERT INTO stage_report (operation_id, received_at, report_id, movement_id, person_id, stage,
                          vehicle_id, point_id, reason, at, event_at, late, actor, how, body_hash)
SELECT current_operation(), $1, r.*
FROM unnest($2::text::uuid[], $3::text::uuid[], $4::text::int[], $5::text::text[],
            $6::text::uuid[], $7::text::uuid[], $8::text::text[], $9::text::timestamptz[],
            $10::text::timestamptz[], $11::text::boolean[], $12::text::text[], $13::text::text[],
            $14::text::bytea[])
     AS r (report_id, movement_id, person_id, stage, vehicle_id, point_id, reason, at, event_at,
           late, actor, how, body_hash)
ON CONFLICT DO NOTHING
RETURNING report_id

-- name: earlier_reports
-- What was first recorded under ids that came again.
SELECT r.report_id, r.stage, r.event_at, r.received_at, r.late, r.body_hash, v.number
FROM stage_report r
LEFT JOIN movement_vehicle v ON v.operation_id = r.operation_id
  AND v.movement_id = r.movement_id AND v.vehicle_id = r.vehicle_id
WHERE r.operation_id = current_operation() AND r.report_id = ANY ($1::uuid[])

-- name: all_of_theirs
-- Every report of some people in movements, as the fold reads it; those of whom was merged into them
-- with theirs.
SELECT u.movement_id, u.person_id, r.report_id, r.event_at, r.stage, r.how = 'resolution' AS decided,
       r.vehicle_id, v.leg_id, l.start_id, l.end_id, coalesce(e.kind = 'safe_haven', false) AS end_haven,
       r.point_id, coalesce(p.kind = 'safe_haven', false) AS haven
FROM unnest($1::uuid[], $2::int[]) AS u (movement_id, person_id)
CROSS JOIN LATERAL (
  SELECT u.person_id AS says
  UNION ALL
  SELECT x.person_id FROM person x
  WHERE x.operation_id = current_operation() AND x.merged_into = u.person_id) w
JOIN stage_report r ON r.operation_id = current_operation() AND r.movement_id = u.movement_id
                   AND r.person_id = w.says
LEFT JOIN movement_vehicle v ON v.operation_id = r.operation_id
  AND v.movement_id = r.movement_id AND v.vehicle_id = r.vehicle_id
LEFT JOIN movement_leg l ON l.operation_id = v.operation_id
  AND l.movement_id = v.movement_id AND l.leg_id = v.leg_id
LEFT JOIN movement_point e ON e.operation_id = l.operation_id
  AND e.movement_id = l.movement_id AND e.point_id = l.end_id
LEFT JOIN movement_point p ON p.operation_id = r.operation_id
  AND p.movement_id = r.movement_id AND p.point_id = r.point_id

-- name: move_stages
-- Adds deltas to cells; returns their new absolute counts.
SELECT * FROM move_stages($1::text::uuid[], $2::text::int[], $3::text::int[], $4::text::text[],
  $5::text::text[], $6::text::int[])

-- name: move_counts
-- Adds deltas to the counts of vehicles and points; returns their new absolute counts.
SELECT * FROM move_counts($1::text::uuid[], $2::text::uuid[], $3::text::text[], $4::text::int[])

-- name: settle
-- Writes where people stand, whose rows are held, and adds deltas to cells and to the counts of
-- vehicles and points; returns their new absolute counts.
SELECT movement_id, thing_id, what, seats, area_id, agency_id, category, stage, count
FROM settle($1::text::uuid[], $2::text::int[], $3::text::text[], $4::text::uuid[],
  $5::text::uuid[], $6::text::timestamptz[], $7::text::uuid[], $8::text::text[],
  $9::text::uuid[], $10::text::int[], $11::text::int[], $12::text::text[], $13::text::text[],
  $14::text::int[], $15::text::uuid[], $16::text::uuid[], $17::text::text[], $18::text::int[])

-- name: overfull
-- Of some vehicles: how many more boarded than there are seats, how often a human decided of that, and
-- of how many too many.
SELECT v.movement_id, v.vehicle_id, coalesce(c.count, 0) - v.seats AS excess,
       d.decisions, greatest(d.excess, 0) AS decided
FROM movement_vehicle v
LEFT JOIN movement_count c ON c.operation_id = v.operation_id AND c.movement_id = v.movement_id
  AND c.thing_id = v.vehicle_id AND c.what = 'boarded'
CROSS JOIN LATERAL (
  SELECT count(*)::int AS decisions, max(k.excess) AS excess FROM movement_conflict k
  WHERE k.operation_id = v.operation_id AND k.movement_id = v.movement_id
    AND k.vehicle_id = v.vehicle_id AND k.kind = 'over_capacity' AND k.state = 'resolved') d
WHERE v.operation_id = current_operation() AND v.movement_id = ANY ($1::uuid[])
  AND v.vehicle_id = ANY ($2::uuid[])

-- name: forget_excess
-- Vehicles fit again: what was decided of them is over.
UPDATE movement_conflict c SET excess = 0
FROM unnest($1::uuid[], $2::uuid[]) AS u (movement_id, vehicle_id)
WHERE c.operation_id = current_operation() AND c.movement_id = u.movement_id
  AND c.vehicle_id = u.vehicle_id AND c.kind = 'over_capacity' AND c.state = 'resolved'

-- name: find_conflicts
-- Puts contradictions on record. One that was found before stays; one that was explained is open again.
INSERT INTO movement_conflict AS c (operation_id, movement_id, conflict_id, kind, person_id,
                                    vehicle_id, first_id, second_id)
SELECT current_operation(), f.*
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::uuid[], $6::uuid[], $7::uuid[])
     AS f (movement_id, conflict_id, kind, person_id, vehicle_id, first_id, second_id)
ORDER BY f.movement_id, f.conflict_id
ON CONFLICT (operation_id, movement_id, conflict_id) DO UPDATE
SET state = 'open', explained_by = NULL, explained_at = NULL
WHERE c.state = 'explained'

-- name: explain_conflicts
-- Those of some people that are found no more: explained by the report that came.
UPDATE movement_conflict c SET state = 'explained', explained_by = u.report_id, explained_at = $5
FROM unnest($1::uuid[], $2::int[], $3::uuid[]) AS u (movement_id, person_id, report_id)
WHERE c.operation_id = current_operation() AND c.movement_id = u.movement_id
  AND c.person_id = u.person_id AND c.state = 'open' AND c.conflict_id <> ALL ($4::uuid[])
RETURNING c.movement_id

-- name: explain_vehicles
-- Vehicles that hold no more than their seats again.
UPDATE movement_conflict c SET state = 'explained', explained_at = $3
FROM unnest($1::uuid[], $2::uuid[]) AS u (movement_id, conflict_id)
WHERE c.operation_id = current_operation() AND c.movement_id = u.movement_id
  AND c.conflict_id = u.conflict_id AND c.state = 'open' 

-- name: head
-- The stream's number that a board contains, the database's time, and reports after the end of people
-- in sight.
SELECT h.seq, clock_timestamp() AS as_of, m.at_close,
       (SELECT count(*)::int FROM stage_report r
        JOIN person x ON x.operation_id = r.operation_id AND x.person_id = r.person_id
        JOIN movement_person p ON p.operation_id = r.operation_id
          AND p.movement_id = r.movement_id
          AND p.person_id = coalesce(x.merged_into, x.person_id)
        WHERE r.operation_id = m.operation_id AND r.movement_id = m.movement_id AND r.late
          AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
          AND ($3::int[] IS NULL OR p.person_id = ANY ($3))) AS late
FROM movement m CROSS JOIN stream_head h
WHERE m.operation_id = current_operation() AND m.movement_id = $1

-- name: cells_by_area
-- People by stage as kept, in all areas or in some.
SELECT area_id, agency_id, category, stage, count FROM movement_cell
WHERE operation_id = current_operation() AND movement_id = $1
  AND ($2::int[] IS NULL OR area_id = ANY ($2))

-- name: cells_by_people
-- People by stage of a warden's branch: counted, for a branch is no set of cells.
SELECT area_id, agency_id, category, stage, count(*)::int AS count FROM movement_person
WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = ANY ($2)
GROUP BY area_id, agency_id, category, stage

-- name: sides
-- People by side of the parity comparison, by stage, by where they were expected, and whether they
-- are counted where they visit.
SELECT m.parity, m.stage, m.expected, m.area_id <> p.area_id AS visiting, count(*)::int AS people
FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1
  AND ($2::int[] IS NULL OR m.area_id = ANY ($2))
  AND ($3::int[] IS NULL OR m.person_id = ANY ($3))
GROUP BY 1, 2, 3, 4

-- name: conflicts_open
-- Contradictions that wait for a human: of people in sight, and of vehicles.
SELECT count(*)::int FROM movement_conflict c
WHERE c.operation_id = current_operation() AND c.movement_id = $1 AND c.state = 'open'
  AND (c.person_id IS NULL AND $3::int[] IS NULL OR EXISTS (
    SELECT FROM movement_person p WHERE p.operation_id = c.operation_id
      AND p.movement_id = c.movement_id AND p.person_id = c.person_id
      AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
      AND ($3::int[] IS NULL OR p.person_id = ANY ($3))))

-- name: split_households
-- Sponsors whose households are in more than one place, in order; whoever was expected elsewhere
-- and was never heard of is left out. $4: all, or the next so many after one.
SELECT m.household_id, p.ref FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.household_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1
  AND ($2::int[] IS NULL OR m.area_id = ANY ($2))
  AND ($3::int[] IS NULL OR m.person_id = ANY ($3))
  AND NOT (m.expected = 'elsewhere' AND m.stage = 'listed')
GROUP BY m.household_id, p.ref
HAVING count(DISTINCT (
    CASE WHEN m.stage IN ('boarded', 'at_point', 'in_question') THEN m.stage
         WHEN m.stage IN ('arrived', 'accommodated') THEN 'there' ELSE 'not_moved' END,
    m.vehicle_id, m.point_id)) > 1
  AND ($4::text IS NULL OR p.ref > $4)
ORDER BY p.ref LIMIT $5

-- name: members
-- The members in sight of some households of a movement, the sponsor first, and where each is.
SELECT m.household_id, p.ref, p.name, m.stage, v.number AS vehicle_no, o.name AS point, m.since
FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
LEFT JOIN movement_vehicle v ON v.operation_id = m.operation_id
  AND v.movement_id = m.movement_id AND v.vehicle_id = m.vehicle_id
LEFT JOIN movement_point o ON o.operation_id = m.operation_id
  AND o.movement_id = m.movement_id AND o.point_id = m.point_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1
  AND m.household_id = ANY ($2::int[])
  AND ($3::int[] IS NULL OR m.area_id = ANY ($3))
  AND ($4::int[] IS NULL OR m.person_id = ANY ($4))
ORDER BY p.sponsor_id NULLS FIRST, p.ref

-- name: people
-- The people of a movement by name, a page at a time, with what is last known of each. `gap`: what
-- she is missed for, between one stage and the next. $16: whom a count of vehicle $6 is made of, by
-- the rides she is remembered by (rules.Ride).
WITH left_behind AS MATERIALIZED (
  SELECT l.start_id FROM movement_leg l
  JOIN movement_vehicle v ON v.operation_id = l.operation_id AND v.movement_id = l.movement_id
                         AND v.leg_id = l.leg_id
  WHERE l.operation_id = current_operation() AND l.movement_id = $1 AND v.state <> 'withdrawn'
  GROUP BY l.start_id HAVING bool_and(v.state <> 'planned')),
come AS MATERIALIZED (
  SELECT v.vehicle_id FROM movement_vehicle v
  WHERE v.operation_id = current_operation() AND v.movement_id = $1
    AND (v.state = 'arrived' OR EXISTS (
      SELECT FROM movement_count c WHERE c.operation_id = v.operation_id
        AND c.movement_id = v.movement_id AND c.thing_id = v.vehicle_id AND c.what = 'arrived'
        AND c.count > 0))),
found AS (
  SELECT m.*, CASE WHEN m.stage = 'in_question' THEN 'in_question'
                   WHEN m.stage = 'boarded' AND m.vehicle_id IN (SELECT vehicle_id FROM come)
                     THEN 'not_arrived'
                   WHEN m.stage = 'at_point' AND m.point_id IN (SELECT start_id FROM left_behind)
                     THEN 'left_behind' END AS gap
  FROM movement_person m
  WHERE m.operation_id = current_operation() AND m.movement_id = $1
    AND ($2::int[] IS NULL OR m.area_id = ANY ($2))
    AND ($3::int[] IS NULL OR m.person_id = ANY ($3))
    AND ($4::text IS NULL OR m.stage = $4)
    AND ($18::text IS NULL OR m.stage NOT IN ('arrived', 'accommodated', 'staying', 'hibernating'))
    AND ($14::text IS NULL OR m.parity = $14)
    AND ($15::text IS NULL OR m.expected = $15)
    AND ($16::text IS NULL OR m.person_id IN (
      SELECT coalesce(x.merged_into, x.person_id) FROM stage_report s
      JOIN person x ON x.operation_id = s.operation_id AND x.person_id = s.person_id
      JOIN movement_vehicle w ON w.operation_id = s.operation_id
        AND w.movement_id = s.movement_id AND w.vehicle_id = s.vehicle_id
      WHERE s.operation_id = current_operation() AND s.movement_id = $1 AND w.number = $6)))
SELECT f.person_id, p.ref, p.name, f.category, a.code AS area_code, a.name AS area_name,
       g.name AS agency, f.stage, v.number AS vehicle_no, o.name AS point, f.since, r.late, r.how,
       r.reason, actor_name(r.actor) AS reporter, f.added, f.expected, s.ref AS sponsor,
       f.unresolved, f.gap,
       (SELECT phone FROM contact_point c WHERE c.operation_id = p.operation_id
          AND c.person_id = p.person_id ORDER BY rank LIMIT 1) AS phone,
       (SELECT extract(epoch FROM clock_timestamp() - x.event_at)::float8 FROM position x
        WHERE x.operation_id = p.operation_id AND x.person_id = p.person_id) AS position_s,
       (SELECT extract(epoch FROM clock_timestamp() - max(k.last_seen_at))::float8
        FROM device d JOIN credential k USING (operation_id, device_id)
        WHERE d.operation_id = p.operation_id AND d.person_id = p.person_id
          AND d.revoked_at IS NULL) AS phone_s
FROM found f
JOIN person p ON p.operation_id = f.operation_id AND p.person_id = f.person_id
JOIN area a ON a.operation_id = f.operation_id AND a.area_id = f.area_id
JOIN agency g ON g.operation_id = f.operation_id AND g.agency_id = f.agency_id
LEFT JOIN movement_vehicle v ON v.operation_id = f.operation_id
  AND v.movement_id = f.movement_id AND v.vehicle_id = f.vehicle_id
LEFT JOIN movement_point o ON o.operation_id = f.operation_id
  AND o.movement_id = f.movement_id AND o.point_id = f.point_id
LEFT JOIN stage_report r ON r.operation_id = f.operation_id AND r.report_id = f.report_id
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
WHERE ($5::text IS NULL OR a.code = $5)
  AND ($6::int IS NULL OR $16::text IS NOT NULL OR v.number = $6)
  AND ($16::text IS NULL OR EXISTS (
    SELECT FROM jsonb_array_elements(f.memory -> 'rides') ride
    JOIN movement_vehicle w ON w.operation_id = f.operation_id AND w.movement_id = f.movement_id
      AND w.number = $6 AND w.vehicle_id::text = ride ->> 0
    WHERE CASE $16 WHEN 'boarded' THEN ride ->> 4 IS NOT NULL
                   WHEN 'arrived' THEN ride ->> 5 IS NOT NULL
                   ELSE ride ->> 5 IS NULL END))
  AND ($12::text IS NULL OR g.name = $12)
  AND ($13::text IS NULL OR f.category = $13)
  AND ($17::uuid IS NULL OR f.point_id = $17
       AND f.stage IN ('at_point', 'arrived', 'accommodated'))
  AND ($19::text IS NULL OR f.area_id <> p.area_id)
  AND ($20::text IS NULL OR r.late)
  AND ($21::text IS NULL OR p.ref = $21)
  AND ($7::text IS NULL OR f.gap IS NOT NULL)
  AND ($8::text IS NULL OR p.name ILIKE '%' || $8 || '%' OR p.ref ILIKE '%' || $8 || '%')
  AND ($9::text IS NULL OR (p.name, p.person_id) > ($9, $10::int))
ORDER BY p.name, p.person_id LIMIT $11

-- name: reports_of
-- Every report of one person in a movement, and of whom was merged into her, by the time it tells of,
-- the newest first.
SELECT r.report_id, r.stage, v.number AS vehicle_no, o.name AS point, r.reason, r.at, r.event_at,
       r.received_at, r.late, r.how, actor_name(r.actor) AS reporter, r.point_id
FROM stage_report r
LEFT JOIN movement_vehicle v ON v.operation_id = r.operation_id
  AND v.movement_id = r.movement_id AND v.vehicle_id = r.vehicle_id
LEFT JOIN movement_point o ON o.operation_id = r.operation_id
  AND o.movement_id = r.movement_id AND o.point_id = r.point_id
WHERE r.operation_id = current_operation() AND r.movement_id = $1
  AND (r.person_id = $2 OR r.person_id IN (
    SELECT x.person_id FROM person x
    WHERE x.operation_id = current_operation() AND x.merged_into = $2))
ORDER BY r.event_at DESC, r.report_id DESC
