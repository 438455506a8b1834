-- name: begin_batch
-- Holds off openings and closings while a batch is under way; tells the database's time.
WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(41, current_operation()))
SELECT clock_timestamp() FROM held

-- name: questions
-- The alerts a batch can answer: open ones, ended ones that some report may still reach,
-- and those named by a report, whatever their state.
SELECT alert_id, kind, exercise, state, counts_from, closed_at FROM alert
WHERE operation_id = current_operation()
  AND ((counts_from IS NOT NULL AND (closed_at IS NULL OR closed_at >= $2))
       OR alert_id = ANY ($1::uuid[]))

-- name: insert_checkins
-- Writes new reports; repeats of an id are left out of what it returns.
INSERT INTO checkin (operation_id, received_at, checkin_id, person_id, status, at, event_at,
                     alert_id, exercise, reporter, actor, lat, lon, accuracy_m, note, battery,
                     body_hash)
SELECT current_operation(), $1, r.*
FROM unnest($2::text::uuid[], $3::text::int[], $4::text::text[], $5::text::timestamptz[], $6::text::timestamptz[],
            $7::text::uuid[], $8::text::boolean[], $9::text::text[], $10::text::text[], $11::text::float8[], $12::text::float8[],
            $13::text::real[], $14::text::text[], $15::text::smallint[], $16::text::bytea[])
     AS r (checkin_id, person_id, status, at, event_at, alert_id, exercise, reporter, actor,
           lat, lon, accuracy_m, note, battery, body_hash)
ON CONFLICT DO NOTHING
RETURNING checkin_id

-- name: earlier_checkins
-- What was first recorded under ids that came again.
SELECT checkin_id, status, event_at, received_at, body_hash FROM checkin
WHERE operation_id = current_operation() AND checkin_id = ANY ($1::uuid[])

-- name: take_answers
-- Moves latest answers; returns each row's cell before and after.
SELECT * FROM take_answers($1::text::uuid[], $2::text::int[], $3::text::text[],
  $4::text::timestamptz[], $5::text::timestamptz[], $6::text::uuid[], $7::text::boolean[], $8)

-- name: move_cells
-- Adds deltas to cells; returns their new absolute counts.
SELECT * FROM move_cells($1::text::uuid[], $2::text::int[], $3::text::int[], $4::text::text[],
  $5::text::text[], $6::text::int[])

-- name: add_late
-- Counts answers that came after the close.
UPDATE alert SET late = late + l.count
FROM (SELECT * FROM unnest($1::uuid[], $2::int[]) AS u (alert_id, count) ORDER BY 1) l
WHERE alert.operation_id = current_operation() AND alert.alert_id = l.alert_id

-- name: keep_positions
-- Keeps each person's last known place, by event time.
INSERT INTO position (operation_id, person_id, lat, lon, accuracy_m, event_at, purpose)
SELECT DISTINCT ON (p.person_id) current_operation(), p.person_id, p.lat, p.lon, p.accuracy_m,
       p.event_at, 'checkin'
FROM unnest($1::int[], $2::float8[], $3::float8[], $4::real[], $5::timestamptz[])
     AS p (person_id, lat, lon, accuracy_m, event_at)
ORDER BY p.person_id, p.event_at DESC
ON CONFLICT (operation_id, person_id) DO UPDATE
SET lat = excluded.lat, lon = excluded.lon, accuracy_m = excluded.accuracy_m,
    event_at = excluded.event_at, purpose = excluded.purpose
WHERE position.event_at < excluded.event_at

-- name: alert_head
-- What the board says of the alert itself; nothing for one that does not exist.
SELECT a.alert_id, a.exercise, a.state, a.late, a.at_close, a.counts_from, now() AS as_of, h.seq
FROM alert a CROSS JOIN stream_head h
WHERE a.operation_id = current_operation() AND a.alert_id = $1

-- name: in_sight
-- Whether an alert holds anybody in some areas, or of some people.
SELECT EXISTS (
  SELECT FROM alert_person WHERE operation_id = current_operation() AND alert_id = $1
    AND ($2::int[] IS NULL OR area_id = ANY ($2))
    AND ($3::int[] IS NULL OR person_id = ANY ($3)))

-- name: cells_by_area
-- The headcount of an alert as kept, in all areas or in some.
SELECT area_id, agency_id, category, status, count FROM cell
WHERE operation_id = current_operation() AND alert_id = $1
  AND ($2::int[] IS NULL OR area_id = ANY ($2))

-- name: cells_by_people
-- The headcount of a warden's branch: counted, for a branch is no set of cells.
SELECT area_id, agency_id, category, status, count(*)::int AS count FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND person_id = ANY ($2)
GROUP BY area_id, agency_id, category, status

-- name: elsewhere
-- Those expected elsewhere by status, in some areas, or of some people.
SELECT status, count(*)::int AS count FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND expected = 'elsewhere'
  AND ($2::int[] IS NULL OR area_id = ANY ($2))
  AND ($3::int[] IS NULL OR person_id = ANY ($3))
GROUP BY status

-- name: parity
-- Local against international: people, answered, median seconds to account, the silent
-- counting as infinite.
SELECT parity, count(*)::int AS population,
       count(*) FILTER (WHERE status <> 'unaccounted')::int AS answered,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY CASE
         WHEN first_at IS NULL THEN 'Infinity'::float8  -- greatest() would pass over the NULL
         ELSE greatest(extract(epoch FROM first_at - $4::timestamptz), 0)::float8 END) AS median_s
FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND parity IS NOT NULL
  AND ($2::int[] IS NULL OR area_id = ANY ($2))
  AND ($3::int[] IS NULL OR person_id = ANY ($3))
GROUP BY parity

-- name: people_of_alert
-- The people of an alert with their standing answer, a page at a time, by name.
SELECT p.person_id, p.ref, p.name, p.category AS category_now, ap.category, a.code AS area_code,
       a.name AS area_name, g.name AS agency, ap.status, ap.event_at, ap.received_at, ap.late,
       ap.added, ap.expected, c.note, c.reporter, s.ref AS sponsor,
       EXISTS (SELECT FROM answer_code k WHERE k.operation_id = ap.operation_id
               AND k.alert_id = ap.alert_id AND k.person_id = ap.person_id
               AND k.locked_at IS NOT NULL) AS code_locked,
       actor_name(c.actor) AS reporter_name,
       (SELECT phone FROM contact_point cp WHERE cp.operation_id = p.operation_id
          AND cp.person_id = p.person_id ORDER BY rank LIMIT 1) AS phone
FROM alert_person ap
JOIN person p ON p.operation_id = ap.operation_id AND p.person_id = ap.person_id
JOIN area a ON a.operation_id = ap.operation_id AND a.area_id = ap.area_id
JOIN agency g ON g.operation_id = ap.operation_id AND g.agency_id = ap.agency_id
LEFT JOIN checkin c ON c.operation_id = ap.operation_id AND c.checkin_id = ap.checkin_id
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
WHERE ap.operation_id = current_operation() AND ap.alert_id = $1
  AND ($2::int[] IS NULL OR ap.area_id = ANY ($2))
  AND ($3::int[] IS NULL OR ap.person_id = ANY ($3))
  AND ($4::text IS NULL OR ap.status = $4)
  AND ($12::text IS NULL OR ap.expected = $12)
  AND ($5::text IS NULL OR a.code = $5)
  AND ($6::text IS NULL OR g.name = $6)
  AND ($7::text IS NULL OR ap.category = $7)
  AND ($8::text IS NULL OR p.name ILIKE '%' || $8 || '%' OR p.ref ILIKE '%' || $8 || '%'
       OR EXISTS (SELECT FROM contact_point cp WHERE cp.operation_id = p.operation_id
                  AND cp.person_id = p.person_id AND cp.phone LIKE '%' || $8 || '%'))
  AND ($9::text IS NULL OR (p.name, p.person_id) > ($9, $10::int))
ORDER BY p.name, p.person_id
LIMIT $11

-- name: faces
-- What the console shows of people in a check-in event.
SELECT p.person_id, p.ref, p.name, p.area_id, p.category, g.name AS agency
FROM person p JOIN agency g ON g.operation_id = p.operation_id AND g.agency_id = p.agency_id
WHERE p.operation_id = current_operation() AND p.person_id = ANY ($1)

-- name: reach
-- The best way to each person now: push, sms, email, warden or none.
SELECT person_id, reach FROM reach_of($1::int[], $2::text[])
