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

-- name: insert_incident
-- Begins an incident; nothing if the id is taken.
INSERT INTO incident (operation_id, incident_id, title, exercise, opened_by)
VALUES (current_operation(), $1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING incident_id

-- name: incident
-- One incident, locked against its closing.
SELECT exercise, title, closed_at FROM incident
WHERE operation_id = current_operation() AND incident_id = $1 FOR SHARE

-- name: insert_alert
-- Puts an alert on record, answers counting from now; nothing if the id is taken.
INSERT INTO alert (operation_id, alert_id, incident_id, kind, severity, mode, audience, title,
                   body, lock_screen, sms_text, escalation, exercise, state, body_sha256,
                   created_by, expires_at, corrects, counts_from)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'preparing',
        $13, $14, $15, $16, clock_timestamp())
ON CONFLICT DO NOTHING RETURNING alert_id

-- name: alert
-- One alert as it stands.
SELECT * FROM alert_face WHERE alert_id = $1

-- name: lock_alert
-- One alert, held until the commit; answers to it may still be written.
SELECT state, counts_from, expires_at, exercise, severity, kind, incident_id, audience, population,
       created_by, clock_timestamp() >= expires_at AS overdue
FROM alert WHERE operation_id = current_operation() AND alert_id = $1 FOR NO KEY UPDATE

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
INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category,
                          parity, matched, added)
SELECT current_operation(), $1, p.person_id, p.area_id, p.agency_id, p.category,
       parity_of(p.category, s.category), m.matched, nullif(p.kind, 'roster')
FROM audience_people($2, $3, $4, $5, $6, $7, $8) m
JOIN person p ON p.operation_id = current_operation() AND p.person_id = m.person_id
LEFT JOIN person s ON s.operation_id = current_operation() AND s.person_id = p.sponsor_id
ORDER BY p.person_id

-- name: copy_population
-- The population of another alert, for the one that corrects it.
INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category,
                          parity, matched, added)
SELECT operation_id, $1, person_id, area_id, agency_id, category, parity, matched, added
FROM alert_person WHERE operation_id = current_operation() AND alert_id = $2
ORDER BY person_id

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

-- name: insert_deliveries
-- One push for every live address of the population; round 0 is the alert itself.
INSERT INTO delivery (operation_id, alert_id, person_id, channel, endpoint, round, lane)
SELECT p.operation_id, p.alert_id, p.person_id, a.kind, d.device_id::text, 0, $2
FROM alert_person p
JOIN device d ON d.operation_id = p.operation_id AND d.person_id = p.person_id
JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
WHERE p.operation_id = current_operation() AND p.alert_id = $1
  AND ($3::int[] IS NULL OR p.person_id = ANY ($3))
  AND d.revoked_at IS NULL AND a.dead_at IS NULL AND a.kind = ANY ($4::text[])
ORDER BY p.person_id
ON CONFLICT DO NOTHING

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
-- moved from where to where. The order of answers is that of `answer_wins`.
WITH asked AS (
  SELECT * FROM alert WHERE operation_id = current_operation() AND alert_id = $1),
report AS (
  SELECT coalesce(p.merged_into, c.person_id) AS person_id, c.status, c.event_at,
         c.received_at, c.checkin_id
  FROM asked a
  JOIN checkin c ON c.operation_id = a.operation_id AND c.received_at >= $2
  JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
  WHERE c.event_at >= $2
    AND (c.alert_id = a.alert_id
         OR (a.kind = 'rollcall' AND c.exercise = a.exercise
             AND (c.alert_id IS NULL OR c.status = 'need_help')))),
standing AS (
  SELECT DISTINCT ON (r.person_id) r.*,
         min(r.event_at) OVER (PARTITION BY r.person_id) AS first_at
  FROM report r
  ORDER BY r.person_id, r.event_at DESC, (r.status = 'need_help') DESC, r.checkin_id DESC),
moved AS (
  UPDATE alert_person ap
  SET status = s.status, event_at = s.event_at, received_at = s.received_at,
      first_at = s.first_at, checkin_id = s.checkin_id
  FROM standing s
  WHERE ap.operation_id = current_operation() AND ap.alert_id = $1
    AND ap.person_id = s.person_id
  RETURNING ap.area_id, ap.agency_id, ap.category, old.status AS was, new.status AS is_now)
SELECT area_id, agency_id, category, was, is_now, count(*)::int AS people
FROM moved WHERE was <> is_now GROUP BY area_id, agency_id, category, was, is_now

-- name: move_cells
-- Adds deltas to cells; returns their new absolute counts.
SELECT area_id, agency_id, category, status, count FROM move_cells($1, $2, $3, $4, $5, $6)

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

-- name: stop_deliveries
-- Stops what has not been handed to a provider.
UPDATE delivery SET state = 'stopped', finished_at = clock_timestamp()
WHERE operation_id = current_operation() AND alert_id = $1 AND state = 'queued'

-- name: settle_deliveries
-- After the end: what came back unsent is stopped; what nobody knows of is called unknown.
UPDATE delivery
SET state = CASE WHEN state = 'queued' THEN 'stopped' ELSE 'unknown' END,
    finished_at = clock_timestamp()
WHERE operation_id = current_operation() AND alert_id = $1
  AND (state = 'queued' OR (state = 'sending' AND due_at <= clock_timestamp()))

-- name: last_reminder
-- The newest reminder of an alert, and how many seconds ago it was queued.
SELECT round, extract(epoch FROM clock_timestamp() - max(queued_at))::float8 AS age_s,
       count(*)::int AS deliveries
FROM delivery WHERE operation_id = current_operation() AND alert_id = $1
GROUP BY round ORDER BY round DESC LIMIT 1

-- name: silent
-- How many have not answered.
SELECT count(*)::int FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND status = 'unaccounted'

-- name: insert_reminders
-- One push for every live address of the silent, unless an earlier one is still to be sent.
INSERT INTO delivery (operation_id, alert_id, person_id, channel, endpoint, round, lane)
SELECT p.operation_id, p.alert_id, p.person_id, a.kind, d.device_id::text, $3, $2
FROM alert_person p
JOIN device d ON d.operation_id = p.operation_id AND d.person_id = p.person_id
JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
WHERE p.operation_id = current_operation() AND p.alert_id = $1 AND p.status = 'unaccounted'
  AND d.revoked_at IS NULL AND a.dead_at IS NULL AND a.kind = ANY ($4::text[])
  AND NOT EXISTS (SELECT FROM delivery w WHERE w.operation_id = p.operation_id
        AND w.alert_id = p.alert_id AND w.person_id = p.person_id
        AND w.endpoint = d.device_id::text AND w.state IN ('queued', 'sending'))
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: audit
-- Who did what, in the transaction of the act.
INSERT INTO audit (operation_id, actor, action, subject, detail)
VALUES (current_operation(), $1, $2, $3, $4::text::jsonb)

-- name: pushes
-- What to send for claimed deliveries; none for a device that is gone or cannot be woken.
SELECT d.delivery_id, a.address, al.severity, al.exercise, al.expires_at, al.lock_screen,
       p.language, d.error
FROM delivery d
JOIN alert al ON al.operation_id = d.operation_id AND al.alert_id = d.alert_id
JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
JOIN device v ON v.operation_id = d.operation_id AND v.device_id = d.endpoint::uuid
JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = v.device_id
WHERE d.operation_id = current_operation() AND d.delivery_id = ANY ($1::uuid[])
  AND v.revoked_at IS NULL AND a.dead_at IS NULL AND a.kind = d.channel

-- name: write_outcomes
-- Writes what came of claimed deliveries. That one was accepted is true whoever holds it now;
-- all else counts only while our claim stands. Of an ended alert nothing waits for another try.
WITH told AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::text[], $6::text[])
    AS t (delivery_id, attempt, state, wait_s, provider_id, error)),
held AS MATERIALIZED (
  SELECT d.delivery_id, d.alert_id FROM delivery d
  WHERE d.operation_id = current_operation() AND d.delivery_id = ANY ($1::uuid[])
  ORDER BY d.delivery_id FOR UPDATE),
ended AS MATERIALIZED (
  SELECT a.alert_id FROM alert a
  WHERE a.operation_id = current_operation() AND a.state <> 'open'
    AND a.alert_id IN (SELECT h.alert_id FROM held h))
UPDATE delivery d SET
  state = CASE WHEN t.state <> 'queued' OR h.alert_id NOT IN (SELECT e.alert_id FROM ended e)
               THEN t.state
               WHEN t.error LIKE 'unknown: %' THEN 'unknown' ELSE 'stopped' END,
  due_at = clock_timestamp() + t.wait_s * interval '1 second',
  accepted_at = CASE WHEN t.state = 'accepted' THEN clock_timestamp() ELSE d.accepted_at END,
  finished_at = CASE WHEN t.state = 'queued' THEN NULL ELSE clock_timestamp() END,
  provider_id = coalesce(t.provider_id, d.provider_id),
  error = t.error
FROM told t JOIN held h USING (delivery_id)
WHERE d.operation_id = current_operation() AND d.delivery_id = t.delivery_id
  AND (d.state = 'sending' AND d.attempts = t.attempt
       OR t.state = 'accepted' AND d.accepted_at IS NULL)

-- name: addresses_alive
-- Notes that a provider took a message for these devices.
UPDATE push_address SET accepted_at = clock_timestamp()
WHERE operation_id = current_operation() AND device_id = ANY ($1::uuid[])

-- name: addresses_dead
-- Marks addresses that a provider calls gone, unless the device has given a new one since.
UPDATE push_address p SET dead_at = clock_timestamp(), dead_reason = d.reason
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS d (device_id, address, reason)
WHERE p.operation_id = current_operation() AND p.device_id = d.device_id
  AND p.address = d.address AND p.dead_at IS NULL

-- name: delivery_counts
-- For how many deliveries of an alert each fact holds, in all areas or in some.
SELECT count(*)::int AS queued, count(d.accepted_at)::int AS accepted,
       count(d.delivered_at)::int AS delivered, count(d.seen_at)::int AS seen,
       count(p.first_at)::int AS answered,
       count(*) FILTER (WHERE d.state = 'failed')::int AS failed
FROM delivery d
JOIN alert_person p ON p.operation_id = d.operation_id AND p.alert_id = d.alert_id
  AND p.person_id = d.person_id
WHERE d.operation_id = current_operation() AND d.alert_id = $1
  AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
