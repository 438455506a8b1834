-- Each takes the oldest $1 of what is due by the database's clock, and returns a row for each.

-- name: coarsen_positions
-- Last known places older than 72 hours are no exact points any more.
UPDATE position o SET lat = coarse(o.lat), lon = coarse(o.lon), accuracy_m = o.accuracy_m + 800
FROM (
  SELECT person_id FROM position
  WHERE operation_id = current_operation()
    AND event_at < now() - interval '72 hours'
    AND (lat <> coarse(lat) OR lon <> coarse(lon))
  ORDER BY person_id LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE o.operation_id = current_operation() AND o.person_id = due.person_id
RETURNING 1

-- name: drop_positions
-- Last known places go 30 days after they were known.
DELETE FROM position o USING (
  SELECT person_id FROM position
  WHERE operation_id = current_operation() AND event_at < now() - interval '30 days'
  ORDER BY person_id LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE o.operation_id = current_operation() AND o.person_id = due.person_id
RETURNING 1

-- name: coarsen_checkins
-- Where reports were made is no exact point 72 hours after they came.
UPDATE checkin c
SET lat = coarse(c.lat), lon = coarse(c.lon), accuracy_m = c.accuracy_m + 800, coarse = true
FROM (
  SELECT checkin_id FROM checkin
  WHERE operation_id = current_operation() AND lat IS NOT NULL AND NOT coarse
    AND received_at < now() - interval '72 hours'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE c.operation_id = current_operation() AND c.checkin_id = due.checkin_id
RETURNING 1

-- name: drop_checkins
-- Where reports that name no alert were made goes 30 days after they came.
UPDATE checkin c SET lat = NULL, lon = NULL, accuracy_m = NULL
FROM (
  SELECT checkin_id FROM checkin
  WHERE operation_id = current_operation() AND lat IS NOT NULL AND coarse
    AND alert_id IS NULL AND received_at < now() - interval '30 days'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE c.operation_id = current_operation() AND c.checkin_id = due.checkin_id
RETURNING 1

-- name: drop_answers
-- Where reports that name an alert were made goes 30 days after its end.
UPDATE checkin c SET lat = NULL, lon = NULL, accuracy_m = NULL
FROM (
  SELECT w.checkin_id FROM alert a
  JOIN checkin w ON w.operation_id = a.operation_id AND w.alert_id = a.alert_id
  WHERE a.operation_id = current_operation() AND a.closed_at < now() - interval '30 days'
    AND w.lat IS NOT NULL AND w.coarse
  LIMIT $1 FOR UPDATE OF w SKIP LOCKED) due
WHERE c.operation_id = current_operation() AND c.checkin_id = due.checkin_id
RETURNING 1

-- name: coarsen_trails
-- Positions of panics are no exact points 72 hours after they came.
UPDATE panic_position x
SET lat = coarse(x.lat), lon = coarse(x.lon), accuracy_m = x.accuracy_m + 800, coarse = true
FROM (
  SELECT panic_id, position_id FROM panic_position
  WHERE operation_id = current_operation() AND NOT coarse
    AND received_at < now() - interval '72 hours'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE x.operation_id = current_operation() AND x.panic_id = due.panic_id
  AND x.position_id = due.position_id
RETURNING 1

-- name: drop_trails
-- Positions of panics go 30 days after their end.
DELETE FROM panic_position x USING (
  SELECT w.panic_id, w.position_id FROM panic_position w
  JOIN panic c ON c.operation_id = w.operation_id AND c.panic_id = w.panic_id
  WHERE w.operation_id = current_operation()
    AND c.ended_at < now() - interval '30 days'
  ORDER BY w.panic_id, w.position_id LIMIT $1 FOR UPDATE OF w SKIP LOCKED) due
WHERE x.operation_id = current_operation() AND x.panic_id = due.panic_id
  AND x.position_id = due.position_id
RETURNING 1

-- name: coarsen_calls
-- Places of calls for help by text are no exact points 72 hours after the last word; nor are those
-- in the words themselves.
UPDATE help_call h SET lat = coarse(h.lat), lon = coarse(h.lon), body = without_place(h.body)
FROM (
  SELECT help_id FROM help_call
  WHERE operation_id = current_operation() AND last_at < now() - interval '72 hours'
    AND (lat <> coarse(lat) OR lon <> coarse(lon) OR holds_place(body))
  ORDER BY help_id LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE h.operation_id = current_operation() AND h.help_id = due.help_id
RETURNING 1

-- name: drop_calls
-- Places of calls for help go 30 days after they were closed.
UPDATE help_call h SET lat = NULL, lon = NULL
FROM (
  SELECT help_id FROM help_call
  WHERE operation_id = current_operation() AND lat IS NOT NULL
    AND closed_at < now() - interval '30 days'
  ORDER BY help_id LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE h.operation_id = current_operation() AND h.help_id = due.help_id
RETURNING 1

-- name: clear_texts
-- What looks like a place goes out of texts 72 hours after they came, understood or not. Their
-- digests, by which a repeat within a minute is known, go with it: places could be guessed by them.
UPDATE inbound_sms i SET body = without_place(i.body), digest = ''
FROM (
  SELECT inbound_id FROM inbound_sms
  WHERE operation_id = current_operation() AND holds_place(body)
    AND received_at < now() - interval '72 hours'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE i.operation_id = current_operation() AND i.inbound_id = due.inbound_id
RETURNING 1

-- name: forget_messages
-- Places in satellite messages that are understood go after an hour: the trail of a panic, a report
-- and the last known place have their own.
UPDATE satellite_message m SET lat = NULL, lon = NULL, accuracy_m = NULL
FROM (
  SELECT message_id FROM satellite_message
  WHERE operation_id = current_operation() AND lat IS NOT NULL AND state <> 'received'
    AND received_at < clock_timestamp() - interval '1 hour'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE m.operation_id = current_operation() AND m.message_id = due.message_id
RETURNING 1

-- name: coarsen_messages
-- Nor are those of messages that could not be understood yet exact points after 72 hours.
UPDATE satellite_message m
SET lat = coarse(m.lat), lon = coarse(m.lon), accuracy_m = m.accuracy_m + 800
FROM (
  SELECT message_id FROM satellite_message
  WHERE operation_id = current_operation() AND lat IS NOT NULL
    AND received_at < now() - interval '72 hours' AND (lat <> coarse(lat) OR lon <> coarse(lon))
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE m.operation_id = current_operation() AND m.message_id = due.message_id
RETURNING 1

-- name: drop_messages
-- They go 30 days after they came.
UPDATE satellite_message m SET lat = NULL, lon = NULL, accuracy_m = NULL
FROM (
  SELECT message_id FROM satellite_message
  WHERE operation_id = current_operation() AND lat IS NOT NULL
    AND received_at < now() - interval '30 days'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE m.operation_id = current_operation() AND m.message_id = due.message_id
RETURNING 1

-- name: drop_moves
-- That a device said where it was need not be known for longer; a repeat would do no harm by then.
DELETE FROM satellite_message m USING (
  SELECT message_id FROM satellite_message
  WHERE operation_id = current_operation() AND said = 'position'
    AND received_at < now() - interval '30 days'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE m.operation_id = current_operation() AND m.message_id = due.message_id
RETURNING 1

-- name: clear_messages
-- What looks like degrees goes out of satellite messages 72 hours after they came.
UPDATE satellite_message m SET body = without_degrees(m.body)
FROM (
  SELECT message_id FROM satellite_message
  WHERE operation_id = current_operation() AND holds_degrees(body) AND state <> 'received'
    AND received_at < now() - interval '72 hours'
  ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE m.operation_id = current_operation() AND m.message_id = due.message_id
RETURNING 1

-- name: coarsen_jobs
-- Places of panics on their way, which some failure keeps from their trail, are no exact points
-- after 72 hours.
UPDATE job j SET payload = expired_payload(j.payload, true)
FROM (
  SELECT job_id FROM job
  WHERE operation_id = current_operation()
    AND kind IN ('panic.raise', 'panic.satellite', 'panic.heard')
    AND created_at < now() - interval '72 hours' AND payload <> expired_payload(payload, true)
  ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE j.operation_id = current_operation() AND j.job_id = due.job_id
RETURNING 1

-- name: drop_jobs_places
-- They go 30 days after they came: the call for help itself waits on.
UPDATE job j SET payload = expired_payload(j.payload, false)
FROM (
  SELECT job_id FROM job
  WHERE operation_id = current_operation()
    AND kind IN ('panic.raise', 'panic.satellite', 'panic.heard')
    AND created_at < now() - interval '30 days' AND payload <> expired_payload(payload, false)
  ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
WHERE j.operation_id = current_operation() AND j.job_id = due.job_id
RETURNING 1
