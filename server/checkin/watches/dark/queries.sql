-- name: people
-- Who is dark just now (`dark_people()`), and since when that is an alarm.
SELECT p.ref, p.name, a.code AS area, d.hours, d.heard_at,
       extract(epoch FROM clock_timestamp() - d.heard_at)::float8 AS heard_s, d.battery,
       l.raised_at, NULL::timestamptz AS ended_at, NULL::boolean AS heard
FROM dark_people() d
JOIN person p ON p.operation_id = current_operation() AND p.person_id = d.person_id
JOIN area a ON a.operation_id = current_operation() AND a.area_id = d.area_id
LEFT JOIN dark_alarm l ON l.operation_id = current_operation() AND l.person_id = d.person_id
  AND l.ended_at IS NULL
WHERE ($1::int[] IS NULL OR d.area_id = ANY ($1))
  AND ($2::int[] IS NULL OR d.person_id = ANY ($2))
  AND ($3::text IS NULL OR p.ref > $3)
ORDER BY p.ref LIMIT $4

-- name: operations
-- Which operations have areas of risk, or somebody dark.
SELECT operations_with_risk()

-- name: alone
-- Whether nobody else looks at who is dark just now: a second look, on what it read before the first
-- one's end, would raise again what that ended.
SELECT pg_try_advisory_xact_lock(51, current_operation())

-- name: sift
-- One look at who is dark: those that are so newly get an alarm, alarms of those that are not any
-- more end. Who is dark where she is expected now gets one there at the next look: it is another
-- room's.
WITH dark AS MATERIALIZED (SELECT * FROM dark_people()),
ended AS (
  UPDATE dark_alarm l SET ended_at = clock_timestamp(), heard =
    t.heard_at > l.raised_at - make_interval(hours => l.dark_after_h)
  FROM (
    SELECT o.alarm_id, coalesce(greatest(
      (SELECT max(c.event_at) FROM checkin c
       WHERE c.operation_id = o.operation_id AND c.person_id = o.person_id),
      (SELECT max(k.last_seen_at) FROM device d
       JOIN credential k ON k.operation_id = d.operation_id AND k.device_id = d.device_id
       WHERE d.operation_id = o.operation_id AND d.person_id = o.person_id)),
      '-infinity') AS heard_at
    FROM dark_alarm o
    WHERE o.operation_id = current_operation() AND o.ended_at IS NULL
      AND NOT EXISTS (SELECT FROM dark
                      WHERE dark.person_id = o.person_id AND dark.area_id = o.area_id)
    ORDER BY o.person_id FOR UPDATE OF o SKIP LOCKED) t
  WHERE l.operation_id = current_operation() AND l.alarm_id = t.alarm_id AND l.ended_at IS NULL
  RETURNING l.alarm_id),
raised AS (
  INSERT INTO dark_alarm (operation_id, person_id, area_id, dark_after_h)
  SELECT current_operation(), d.person_id, d.area_id, d.hours FROM dark d
  WHERE NOT EXISTS (SELECT FROM dark_alarm o WHERE o.operation_id = current_operation()
                    AND o.person_id = d.person_id AND o.ended_at IS NULL)
  ORDER BY d.person_id
  ON CONFLICT DO NOTHING RETURNING alarm_id)
SELECT alarm_id FROM ended UNION ALL SELECT alarm_id FROM raised

-- name: alarms
-- Alarms of who is dark, as they stand: in these areas, of these people.
SELECT p.ref, p.name, a.code AS area, l.dark_after_h AS hours, d.heard_at,
       extract(epoch FROM clock_timestamp() - d.heard_at)::float8 AS heard_s, d.battery,
       l.raised_at, l.ended_at, l.heard
FROM dark_alarm l
JOIN person p ON p.operation_id = l.operation_id AND p.person_id = l.person_id
JOIN area a ON a.operation_id = l.operation_id AND a.area_id = l.area_id
LEFT JOIN LATERAL (
  SELECT c.event_at AS heard_at, c.battery FROM checkin c
  WHERE c.operation_id = l.operation_id AND c.person_id = l.person_id
  ORDER BY c.event_at DESC LIMIT 1) d ON true
WHERE l.operation_id = current_operation() AND l.alarm_id = ANY ($1::uuid[])
  AND ($2::int[] IS NULL OR l.area_id = ANY ($2))
  AND ($3::int[] IS NULL OR l.person_id = ANY ($3))
ORDER BY p.ref
