-- name: beat
-- A worker's sign of life in this operation.
INSERT INTO worker_beat (operation_id, worker_id, ways)
VALUES (current_operation(), $1, $2::text::jsonb)
ON CONFLICT (operation_id, worker_id)
DO UPDATE SET seen_at = clock_timestamp(), ways = excluded.ways

-- name: forget_beats
-- Drops signs of life that are a day old; the newest stays: it says since when there is none.
DELETE FROM worker_beat b
WHERE operation_id = current_operation() AND seen_at < clock_timestamp() - interval '1 day'
  AND seen_at < (SELECT max(seen_at) FROM worker_beat WHERE operation_id = current_operation())

-- name: mark_accepted
-- Providers took so many messages of each way since the last mark.
INSERT INTO channel_mark AS m (operation_id, channel, route, accepted_at, unanswered,
                               unanswered_since)
SELECT current_operation(), u.channel, u.route, clock_timestamp(), u.count, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::int[]) AS u (channel, route, count)
ORDER BY u.channel, u.route
ON CONFLICT (operation_id, channel, route)
DO UPDATE SET accepted_at = excluded.accepted_at,
  unanswered = least(m.unanswered, 1000000) + excluded.unanswered,
  unanswered_since = coalesce(m.unanswered_since, excluded.unanswered_since)

-- name: marks
-- What was last seen of each way.
SELECT channel, route, accepted_at, receipt_at, inbound_at, unanswered, unanswered_since
FROM channel_mark WHERE operation_id = current_operation()

-- name: beats
-- Signs of life, and the database's time.
SELECT worker_id, started_at, seen_at, ways, clock_timestamp() AS now FROM worker_beat
WHERE operation_id = current_operation() ORDER BY seen_at DESC

-- name: clock
-- The database's time.
SELECT clock_timestamp()

-- name: waiting
-- What waits and what is under way, by way and alert. `stuck_at`: since when something that may
-- go waits; a retry's own wait and one that is held back do not count.
SELECT d.channel, coalesce(d.route, '') AS route, d.alert_id,
       count(*) FILTER (WHERE d.state = 'queued')::int AS queued,
       count(*) FILTER (WHERE d.state = 'sending')::int AS sending,
       min(d.queued_at) AS oldest_at,
       min(d.due_at) FILTER (WHERE d.due_at < clock_timestamp()) AS stuck_at
FROM (SELECT alert_id FROM alert WHERE operation_id = current_operation() AND state = 'open') a
CROSS JOIN LATERAL (
  SELECT * FROM delivery d WHERE d.operation_id = current_operation()
    AND d.alert_id = a.alert_id AND d.live OFFSET 0) d
GROUP BY 1, 2, 3
UNION ALL
SELECT d.channel, coalesce(d.route, ''), NULL,
       count(*) FILTER (WHERE d.state = 'queued')::int,
       count(*) FILTER (WHERE d.state = 'sending')::int, min(d.queued_at),
       min(d.due_at) FILTER (WHERE d.due_at < clock_timestamp())
FROM delivery d WHERE d.operation_id = current_operation() AND d.alert_id IS NULL AND d.live
GROUP BY 1, 2

-- name: spent
-- What this operation's texts were charged today (UTC), by route.
SELECT route, sum(price_micro)::bigint AS micro FROM delivery
WHERE operation_id = current_operation() AND route IS NOT NULL
  AND (finished_at >= date_trunc('day', clock_timestamp(), 'UTC') OR finished_at IS NULL)
  AND attempted_at >= date_trunc('day', clock_timestamp(), 'UTC')
GROUP BY route

-- name: open_alarms
-- Alarms that are not over.
SELECT alarm_id, kind, subject, detail FROM alarm
WHERE operation_id = current_operation() AND cleared_at IS NULL

-- name: raise_alarm
-- Raises one; nothing if it is raised already.
INSERT INTO alarm (operation_id, kind, subject, detail)
VALUES (current_operation(), $1, $2, $3) ON CONFLICT DO NOTHING RETURNING alarm_id

-- name: clear_alarms
-- These are over; which were not so already.
UPDATE alarm SET cleared_at = clock_timestamp()
WHERE operation_id = current_operation() AND alarm_id = ANY ($1::uuid[]) AND cleared_at IS NULL
RETURNING alarm_id

-- name: alarm
-- One alarm.
SELECT alarm_id, kind, subject, detail, raised_at, cleared_at FROM alarm
WHERE operation_id = current_operation() AND alarm_id = $1

-- name: alarms
-- Alarms, newest first, a page at a time; with $1 only those that are not over.
SELECT alarm_id, kind, subject, detail, raised_at, cleared_at FROM alarm
WHERE operation_id = current_operation() AND (NOT $1::boolean OR cleared_at IS NULL)
  AND ($2::timestamptz IS NULL OR (raised_at, alarm_id) < ($2, $3::uuid))
ORDER BY raised_at DESC, alarm_id DESC LIMIT $4

-- name: phones
-- Phones in use by area and category, and how many of them have said nothing for $1.
SELECT a.code, a.name, p.category, count(*)::int AS phones,
       count(*) FILTER (WHERE c.seen_at < clock_timestamp() - $1::interval)::int AS silent
FROM device d
JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
CROSS JOIN LATERAL (
  SELECT greatest(max(c.last_seen_at), d.created_at) AS seen_at FROM credential c
  WHERE c.operation_id = d.operation_id AND c.device_id = d.device_id) c
WHERE d.operation_id = current_operation() AND d.revoked_at IS NULL
  AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
GROUP BY a.code, a.name, p.category ORDER BY a.code, p.category

-- name: silent_phones
-- Phones that have said nothing for $1, the longest silent first, a page at a time.
SELECT d.device_id, p.ref, p.name, p.category, a.code, a.name AS area_name, d.platform, c.seen_at
FROM device d
JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
CROSS JOIN LATERAL (
  SELECT greatest(max(c.last_seen_at), d.created_at) AS seen_at FROM credential c
  WHERE c.operation_id = d.operation_id AND c.device_id = d.device_id) c
WHERE d.operation_id = current_operation() AND d.revoked_at IS NULL
  AND c.seen_at < clock_timestamp() - $1::interval
  AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
  AND ($3::timestamptz IS NULL OR (c.seen_at, d.device_id) > ($3, $4::uuid))
ORDER BY c.seen_at, d.device_id LIMIT $5
