-- name: clock
-- The database's time: deadlines know no other.
SELECT clock_timestamp()

-- name: hold_out_reports
-- Waits for the check-in batches under way and holds off new ones until the commit.
SELECT pg_advisory_xact_lock(41, current_operation())

-- name: hold_off_merges
-- A population is resolved while no two persons become one; merging takes this exclusively.
SELECT pg_advisory_xact_lock_shared(42, current_operation())

-- name: hold_off_resolving
-- Waits for populations being resolved and holds off new ones until the commit.
SELECT pg_advisory_xact_lock(42, current_operation())

-- name: unknown_areas
-- Which of these codes name no area, or none of the caller's own.
SELECT w.code FROM unnest($1::text[]) AS w (code)
WHERE NOT EXISTS (SELECT FROM area a WHERE a.code = w.code
                  AND ($2::int[] IS NULL OR a.area_id = ANY ($2)))

-- name: unknown_agencies
-- Which of these names belong to no agency.
SELECT w.name FROM unnest($1::text[]) AS w (name)
WHERE NOT EXISTS (SELECT FROM agency g WHERE g.name = w.name)

-- name: has_node
-- Whether the tree has such a node.
SELECT EXISTS (SELECT FROM tree_node WHERE node = $1)

-- name: insert_alert
-- Puts an alert on record, answers counting from now; nothing if the id is taken.
INSERT INTO alert (operation_id, alert_id, incident_id, kind, severity, mode, audience, title,
                   body, lock_screen, sms_text, escalation, exercise, state, body_sha256,
                   created_by, expires_at, corrects, opening, policy, counts_from)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'preparing',
        $13, $14, $15, $16, $17::text::jsonb, $18::text::jsonb, clock_timestamp())
ON CONFLICT DO NOTHING RETURNING alert_id

-- name: alert
-- One alert as it stands.
SELECT * FROM alert_face WHERE alert_id = $1

-- name: lock_alert
-- One alert, held until the commit; answers to it may still be written.
SELECT state, counts_from, expires_at, exercise, severity, kind, mode, incident_id, audience, population,
       created_by, clock_timestamp() >= expires_at AS overdue
FROM alert WHERE operation_id = current_operation() AND alert_id = $1 FOR NO KEY UPDATE

-- name: hold_live
-- Holds an alert's row if it has not ended: what may take long holds it too, so it is waited for
-- before reports are held off. To the row of an ended one reports themselves count late answers.
SELECT FROM alert
WHERE operation_id = current_operation() AND alert_id = $1 AND closed_at IS NULL
FOR NO KEY UPDATE

-- name: sees_alert
-- Whether an alert's population reaches into some areas, holds some of these people, or the
-- caller made it himself.
SELECT EXISTS (
  SELECT FROM alert a WHERE a.operation_id = current_operation() AND a.alert_id = $1
    AND (($2::int[] IS NULL AND $3::int[] IS NULL) OR a.created_by = $4
      OR EXISTS (SELECT FROM cell c WHERE c.operation_id = a.operation_id
           AND c.alert_id = a.alert_id AND c.count > 0 AND c.area_id = ANY ($2))
      OR EXISTS (SELECT FROM alert_person p WHERE p.operation_id = a.operation_id
           AND p.alert_id = a.alert_id AND p.person_id = ANY ($3))))

-- name: reaches_beyond
-- Whether an alert of somebody else's holds people outside these areas.
SELECT EXISTS (
  SELECT FROM alert a WHERE a.operation_id = current_operation() AND a.alert_id = $1
    AND a.created_by <> $3
    AND (a.population = 0 OR EXISTS (
      SELECT FROM cell c WHERE c.operation_id = a.operation_id AND c.alert_id = a.alert_id
        AND c.count > 0 AND c.area_id <> ALL ($2::int[]))))

-- name: alerts
-- The alerts a caller sees, newest first, a page at a time.
SELECT * FROM alert_face a
WHERE ($1::text IS NULL OR a.state = $1)
  AND (($2::int[] IS NULL AND $3::int[] IS NULL) OR a.created_by = $4
    OR EXISTS (SELECT FROM cell c WHERE c.operation_id = a.operation_id
         AND c.alert_id = a.alert_id AND c.count > 0 AND c.area_id = ANY ($2))
    OR EXISTS (SELECT FROM alert_person p WHERE p.operation_id = a.operation_id
         AND p.alert_id = a.alert_id AND p.person_id = ANY ($3)))
  AND ($5::timestamptz IS NULL OR a.created_at < $5
       OR (a.created_at = $5 AND a.alert_id > $6))
ORDER BY a.created_at DESC, a.alert_id LIMIT $7

-- name: fresh_positions
-- Where people were last known to be, not longer ago than a day.
SELECT person_id, lon, lat FROM position
WHERE operation_id = current_operation() AND event_at >= $1::timestamptz - interval '24 hours'

-- name: area_points
-- Where areas are, as far as it is known.
SELECT area_id, lon, lat FROM area
WHERE operation_id = current_operation() AND lon IS NOT NULL AND lat IS NOT NULL

-- name: insert_population
-- Freezes the population of an alert: the audience and its family, each with why.
WITH chosen AS MATERIALIZED (SELECT * FROM audience_people($2, $3, $4, $5, $6, $7, $8)),
line AS MATERIALIZED (
  SELECT * FROM node_of_people(ARRAY(SELECT c.person_id FROM chosen c)))
INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category,
                          parity, matched, added, node_id, expected)
SELECT current_operation(), $1, p.person_id, m.area_id, p.agency_id, p.category,
       parity_of(p.category, s.category), m.matched, nullif(p.kind, 'roster'), l.node_id, m.expected
FROM chosen m
JOIN person p ON p.operation_id = current_operation() AND p.person_id = m.person_id
LEFT JOIN line l ON l.person_id = m.person_id
LEFT JOIN person s ON s.operation_id = current_operation() AND s.person_id = p.sponsor_id
ORDER BY p.person_id

-- name: copy_population
-- The population of another alert, for the one that corrects it.
INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category,
                          parity, matched, added, node_id, expected)
SELECT operation_id, $1, person_id, area_id, agency_id, category, parity, matched, added, node_id,
       expected
FROM alert_person WHERE operation_id = current_operation() AND alert_id = $2
ORDER BY person_id

-- name: learn_population
-- Lets the planner know the new population at once: check-ins then find their rows by key.
ANALYZE alert_person

-- name: learn_shortly
-- An opening waits no longer than this for its statistics.
SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '10s', true)

-- name: insert_cells
-- The headcount of a fresh population: everybody unaccounted.
INSERT INTO cell (operation_id, alert_id, area_id, agency_id, category, status, count)
SELECT current_operation(), $1, g.area_id, g.agency_id, g.category, s.status,
       CASE WHEN s.status = 'unaccounted' THEN g.people ELSE 0 END
FROM (SELECT area_id, agency_id, category, count(*)::int AS people FROM alert_person
      WHERE operation_id = current_operation() AND alert_id = $1
      GROUP BY area_id, agency_id, category) g
CROSS JOIN (VALUES ('safe'), ('need_help'), ('away'), ('unaccounted')) AS s (status)
ORDER BY g.area_id, g.agency_id, g.category, s.status

-- name: set_population
-- Notes how many people an alert holds.
UPDATE alert SET population = population + $2
WHERE operation_id = current_operation() AND alert_id = $1

-- name: filled_cells
-- The cells of an alert that hold anybody.
SELECT area_id, agency_id, category, status, count FROM cell
WHERE operation_id = current_operation() AND alert_id = $1 AND count > 0

-- name: fold_meanwhile
-- Takes into a fresh population the answers given since it was called for; tells how many
-- moved from where to where. The order of answers is that of `answer_wins`. LATERAL with OFFSET
-- fixes the plan: one index look-up a person, whatever the statistics believe of a new alert.
WITH asked AS (
  SELECT * FROM alert WHERE operation_id = current_operation() AND alert_id = $1),
report AS (
  SELECT coalesce(p.merged_into, c.person_id) AS person_id, c.status,
         greatest(c.event_at, $2) AS event_at,  -- who names an alert cannot have said it before
         c.received_at, c.checkin_id
  FROM asked a
  JOIN checkin c ON c.operation_id = a.operation_id AND c.received_at >= $2
  JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
  WHERE c.alert_id = a.alert_id
     OR (c.event_at >= $2 AND a.kind = 'rollcall' AND c.exercise = a.exercise
         AND (c.alert_id IS NULL OR c.status = 'need_help'))),
standing AS (
  SELECT DISTINCT ON (r.person_id) r.*,
         min(r.event_at) OVER (PARTITION BY r.person_id) AS first_at
  FROM report r
  ORDER BY r.person_id, r.event_at DESC, (r.status = 'need_help') DESC, r.checkin_id DESC),
target AS MATERIALIZED (
  SELECT s.*, own.tid FROM standing s
  CROSS JOIN LATERAL (
    SELECT p.ctid AS tid FROM alert_person p
    WHERE p.operation_id = current_operation() AND p.alert_id = $1
      AND p.person_id = s.person_id OFFSET 0) own),
moved AS (
  UPDATE alert_person ap
  SET status = t.status, event_at = t.event_at, received_at = t.received_at,
      first_at = t.first_at, checkin_id = t.checkin_id
  FROM target t WHERE ap.ctid = t.tid
  RETURNING ap.area_id, ap.agency_id, ap.category, old.status AS was, new.status AS is_now)
SELECT area_id, agency_id, category, was, is_now, count(*)::int AS people
FROM moved WHERE was <> is_now GROUP BY area_id, agency_id, category, was, is_now

-- name: move_cells
-- Adds deltas to cells; returns their new absolute counts.
SELECT area_id, agency_id, category, status, count FROM move_cells($1, $2, $3, $4, $5, $6)

-- name: forgotten_openings
-- Alerts called for longer than $1 ago that no job will open, and what their job was told.
SELECT a.alert_id, a.severity, a.opening FROM alert a
WHERE a.operation_id = current_operation() AND a.state = 'preparing'
  AND a.created_at < clock_timestamp() - $1::interval
  AND NOT EXISTS (SELECT FROM job j WHERE j.operation_id = a.operation_id
        AND j.kind = 'alert.prepare' AND j.run_key = a.alert_id::text)
ORDER BY a.alert_id

-- name: forgotten_turns
-- Open alerts with a step to take, a leader who is asked, or a first turn to come, and no job for it.
SELECT a.alert_id, a.severity FROM alert a
WHERE a.operation_id = current_operation() AND a.state = 'open'
  AND NOT EXISTS (SELECT FROM job j WHERE j.operation_id = a.operation_id
        AND j.kind = 'alert.escalate' AND j.run_key = a.alert_id::text)
  AND (EXISTS (SELECT FROM escalation_step s WHERE s.operation_id = a.operation_id
         AND s.alert_id = a.alert_id AND s.state = 'due')
    OR (SELECT bool_or(n.state = 'asked') OR bool_and(n.state = 'waiting') FROM alert_node n
        WHERE n.operation_id = a.operation_id AND n.alert_id = a.alert_id))
ORDER BY a.alert_id

-- name: mark_open
-- Opens an alert: from this commit on its deliveries may be claimed.
UPDATE alert SET state = $2, opened_at = clock_timestamp()
WHERE operation_id = current_operation() AND alert_id = $1

-- name: mark_ended
-- Ends an alert and freezes its counts as they stand.
UPDATE alert SET state = $2, closed_at = clock_timestamp(), at_close = coalesce((
  SELECT jsonb_object_agg(s.status, coalesce(c.people, 0))
  FROM (VALUES ('safe'), ('need_help'), ('away'), ('unaccounted')) AS s (status)
  LEFT JOIN (SELECT status, sum(count) AS people FROM cell
             WHERE operation_id = current_operation() AND alert_id = $1 GROUP BY status) c
    USING (status)), '{}')
WHERE operation_id = current_operation() AND alert_id = $1

-- name: audience
-- The people an audience selects, and why.
SELECT person_id, matched FROM audience_people($1, $2, $3, $4, $5, $6, $7)

-- name: preview_groups
-- Some people counted by area, category and the best way to them.
SELECT a.code, a.name, p.category, w.reach, count(*)::int AS people
FROM reach_of($1::int[], $2::text[]) w
JOIN person p ON p.operation_id = current_operation() AND p.person_id = w.person_id
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
GROUP BY a.code, a.name, p.category, w.reach

-- name: unreachable
-- Some of the people nothing reaches, and what they lack.
SELECT p.ref, p.name, CASE
    WHEN EXISTS (SELECT FROM device d JOIN push_address a USING (operation_id, device_id)
                 WHERE d.operation_id = p.operation_id AND d.person_id = p.person_id
                   AND d.revoked_at IS NULL AND a.kind = 'webpush' AND a.dead_at IS NULL) THEN 'web'
    WHEN EXISTS (SELECT FROM device d WHERE d.operation_id = p.operation_id
                   AND d.person_id = p.person_id AND d.revoked_at IS NULL) THEN 'dead'
    WHEN EXISTS (SELECT FROM contact_point c WHERE c.operation_id = p.operation_id
                   AND c.person_id = p.person_id) THEN 'phone'
    ELSE 'nothing' END AS reason
FROM reach_of($1::int[], $3::text[]) w
JOIN person p ON p.operation_id = current_operation() AND p.person_id = w.person_id
WHERE w.reach = 'none' ORDER BY p.ref LIMIT $2

-- name: count_pushes
-- How many live push addresses some people have.
SELECT count(*)::int
FROM device d JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
WHERE d.operation_id = current_operation() AND d.person_id = ANY ($1::int[])
  AND d.revoked_at IS NULL AND a.dead_at IS NULL AND a.kind = ANY ($2::text[])

-- name: texts_planned
-- How many of some people would be texted, by language and number; with $3 also those whom a
-- push reaches.
SELECT p.language, c.phone, count(*)::int AS people
FROM unnest($1::int[]) AS w (person_id)
JOIN person p ON p.operation_id = current_operation() AND p.person_id = w.person_id
JOIN contact_point c ON c.operation_id = p.operation_id AND c.person_id = p.person_id
  AND c.rank = text_rank(p.person_id, $2::text[])
WHERE $3::boolean OR NOT EXISTS (
  SELECT FROM device d
  JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
  WHERE d.operation_id = p.operation_id AND d.person_id = p.person_id
    AND d.revoked_at IS NULL AND a.dead_at IS NULL)
GROUP BY p.language, c.phone

-- name: count_unplaced
-- How many of the roster no polygon can find: no fresh position, and an area without a point.
SELECT count(*)::int FROM person p
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
WHERE p.operation_id = current_operation() AND p.kind = 'roster' AND p.merged_into IS NULL
  AND (a.lat IS NULL OR a.lon IS NULL) AND p.person_id NOT IN (SELECT unnest($1::int[]))
  AND ($2::int IS NULL OR p.area_id IN (SELECT area_and_below($2)))
