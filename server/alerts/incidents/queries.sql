-- name: insert_incident
-- Begins an incident; nothing if the id is taken.
INSERT INTO incident (operation_id, incident_id, title, exercise, opened_by)
VALUES (current_operation(), $1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING incident_id

-- name: incident
-- One incident, locked against its closing.
SELECT exercise, title, closed_at FROM incident
WHERE operation_id = current_operation() AND incident_id = $1 FOR SHARE

-- name: incident_row
-- One incident with the name of its maker and its number of alerts.
SELECT * FROM incident_face WHERE incident_id = $1

-- name: incidents
-- The incidents a caller sees, newest first, a page at a time.
SELECT * FROM incident_face i
WHERE ($1::int[] IS NULL OR i.opened_actor = $2 OR EXISTS (
    SELECT FROM alert a JOIN cell c ON c.operation_id = a.operation_id AND c.alert_id = a.alert_id
    WHERE a.operation_id = i.operation_id AND a.incident_id = i.incident_id
      AND c.count > 0 AND c.area_id = ANY ($1)))
  AND ($3::timestamptz IS NULL OR i.opened_at < $3
       OR (i.opened_at = $3 AND i.incident_id > $4))
ORDER BY i.opened_at DESC, i.incident_id LIMIT $5

-- name: sees_incident
-- Whether one of an incident's alerts reaches into some areas, or the caller made it.
SELECT EXISTS (
  SELECT FROM incident i WHERE i.operation_id = current_operation() AND i.incident_id = $1
    AND ($2::int[] IS NULL OR i.opened_by = $3 OR EXISTS (
      SELECT FROM alert a JOIN cell c ON c.operation_id = a.operation_id AND c.alert_id = a.alert_id
      WHERE a.operation_id = i.operation_id AND a.incident_id = i.incident_id
        AND c.count > 0 AND c.area_id = ANY ($2))))

-- name: lock_incident
-- One incident, held until the commit.
SELECT closed_at, opened_by FROM incident
WHERE operation_id = current_operation() AND incident_id = $1 FOR NO KEY UPDATE

-- name: live_alerts
-- The alerts of an incident that have not ended.
SELECT alert_id FROM alert
WHERE operation_id = current_operation() AND incident_id = $1 AND closed_at IS NULL
ORDER BY alert_id

-- name: close_incident
-- Ends an incident.
UPDATE incident SET closed_at = clock_timestamp()
WHERE operation_id = current_operation() AND incident_id = $1

-- name: incident_people
-- Everybody in an incident once, with the latest answer in any of its alerts, counted by
-- area, agency, category and status, as of the alert where that answer stands.
WITH latest AS (
  SELECT DISTINCT ON (p.person_id) p.person_id, p.area_id, p.agency_id, p.category, p.status
  FROM alert a JOIN alert_person p ON p.operation_id = a.operation_id AND p.alert_id = a.alert_id
  WHERE a.operation_id = current_operation() AND a.incident_id = $1 AND a.state <> 'cancelled'
  ORDER BY p.person_id, p.event_at DESC NULLS LAST, (p.status = 'need_help') DESC,
           p.checkin_id DESC, a.created_at DESC)
SELECT r.code, r.name, g.name AS agency, l.category, l.status, count(*)::int AS people
FROM latest l
JOIN area r ON r.operation_id = current_operation() AND r.area_id = l.area_id
JOIN agency g ON g.operation_id = current_operation() AND g.agency_id = l.agency_id
WHERE $2::int[] IS NULL OR l.area_id = ANY ($2)
GROUP BY r.code, r.name, g.name, l.category, l.status

-- name: incident_parity
-- Local against international over an incident: people, answered, median seconds from the
-- first call for a person's answer to the first answer, the silent counting as infinite.
WITH person AS (
  SELECT p.person_id, max(p.parity) AS parity, bool_or(p.status <> 'unaccounted') AS answered,
         CASE WHEN min(p.first_at) IS NOT NULL  -- greatest() would make the silent's NULL a 0
              THEN greatest(extract(epoch FROM min(p.first_at) - min(a.counts_from)), 0)::float8
         END AS took_s
  FROM alert a JOIN alert_person p ON p.operation_id = a.operation_id AND p.alert_id = a.alert_id
  WHERE a.operation_id = current_operation() AND a.incident_id = $1 AND a.state <> 'cancelled'
    AND p.parity IS NOT NULL AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
  GROUP BY p.person_id)
SELECT parity, count(*)::int AS population, count(*) FILTER (WHERE answered)::int AS answered,
       percentile_disc(0.5) WITHIN GROUP (
         ORDER BY coalesce(took_s, 'Infinity'::float8)) AS median_s
FROM person GROUP BY parity

-- name: stream_seq
-- The number of the newest event, and the database's time.
SELECT seq, now() AS as_of FROM stream_head WHERE operation_id = current_operation()
