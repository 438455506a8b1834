-- name: operations_of_imeis
-- Which operations know some devices, and whether they have them now.
SELECT imei, operation_id, held FROM operations_of_imeis($1)

-- name: one_at_a_time
-- What one route brings is put on record one request after another, so that nothing is twice.
SELECT pg_advisory_xact_lock(46, hashtext($1))

-- name: known_keys
-- Which of these messages came before, each asked as far back as it may be the same one; the
-- repeats are counted.
UPDATE satellite_message m SET repeated = m.repeated + 1
FROM unnest($1::text[], $2::interval[]) AS u (key, once_in)
WHERE m.operation_id = current_operation() AND m.key = u.key
  AND m.received_at > clock_timestamp() - u.once_in
RETURNING m.key

-- name: insert_messages
-- Puts new messages on record.
INSERT INTO satellite_message (operation_id, route, kind, imei, key, code, body, at, lat, lon,
                               accuracy_m, ignored, lane)
SELECT current_operation(), $1, $2, u.imei, u.key, u.code, u.body, u.at, u.lat, u.lon,
       u.accuracy_m, ARRAY(SELECT jsonb_array_elements_text(u.ignored::jsonb)), u.lane
FROM unnest($3::text[], $4::text[], $5::int[], $6::text[], $7::timestamptz[], $8::float8[],
            $9::float8[], $10::real[], $11::text[], $12::smallint[])
     AS u (imei, key, code, body, at, lat, lon, accuracy_m, ignored, lane)

-- name: waiting
-- Messages of a lane that are still to be understood, the first first.
SELECT message_id, route, kind, imei, code, body, at, received_at, lat, lon, accuracy_m
FROM satellite_message
WHERE operation_id = current_operation() AND state = 'received' AND lane = $1
  AND message_id <> ALL ($2::uuid[])
ORDER BY received_at, message_id LIMIT 100

-- name: holder
-- Whose device it was at a time, else whose it is now; a merged person by her other name.
SELECT p.person_id, p.ref, p.language, coalesce(p.sponsor_id, p.person_id) AS head_id,
       (d.since <= $2 AND (d.removed_at IS NULL OR d.removed_at > $2)) AS hers
FROM satellite_device d
JOIN person h ON h.operation_id = d.operation_id AND h.person_id = d.person_id
JOIN person p ON p.operation_id = h.operation_id
  AND p.person_id = coalesce(h.merged_into, h.person_id)
WHERE d.operation_id = current_operation() AND d.imei = $1
  AND (d.removed_at IS NULL OR (d.since <= $2 AND d.removed_at > $2))
ORDER BY hers DESC, d.since DESC, d.assignment_id DESC LIMIT 1

-- name: put_off
-- Why a message could not be understood just now.
UPDATE satellite_message SET detail = $2
WHERE operation_id = current_operation() AND message_id = $1 AND state = 'received'

-- name: one_device
-- What one device said is settled one message after another: an SOS must see what came before it.
SELECT pg_advisory_xact_lock(47, hashtext($1))

-- name: lock_message
-- Holds a message that is still to be understood; how often it came again.
SELECT repeated FROM satellite_message
WHERE operation_id = current_operation() AND message_id = $1 AND state = 'received' FOR UPDATE

-- name: said_since
-- What the device of an SOS said after it, and was understood before it: places, and that it was
-- taken back. A further SOS is pressed by itself, with its place.
SELECT message_id, at, said = 'cancel' AS cancel, lat, lon, accuracy_m FROM satellite_message
WHERE operation_id = current_operation() AND imei = $1 AND person_id = $2 AND at >= $3
  AND message_id <> $4 AND state <> 'received'
  AND received_at > clock_timestamp() - interval '8 days'
  AND said IS DISTINCT FROM 'panic' AND (said = 'cancel' OR lat IS NOT NULL)
ORDER BY at, message_id LIMIT 500

-- name: keep_position
-- The newest place is where its person was last known to be.
INSERT INTO position (operation_id, person_id, lat, lon, accuracy_m, event_at, purpose)
VALUES (current_operation(), $1, $2, $3, $4, $5, 'checkin')
ON CONFLICT (operation_id, person_id) DO UPDATE
SET lat = excluded.lat, lon = excluded.lon, accuracy_m = excluded.accuracy_m,
    event_at = excluded.event_at, purpose = excluded.purpose
WHERE position.event_at < excluded.event_at

-- name: mark_understood
-- What a message was taken for.
UPDATE satellite_message SET state = $2, said = $3, person_id = $4, alert_id = $5, detail = $6,
       understood_at = clock_timestamp()
WHERE operation_id = current_operation() AND message_id = $1

-- name: devices
-- Devices in force, a page at a time by IMEI, in sight as their people are; when each was last heard.
SELECT d.imei, d.kind, d.label, d.since, actor_name(d.set_by) AS set_by, p.ref, p.name,
       (SELECT max(m.received_at) FROM satellite_message m
        WHERE m.operation_id = d.operation_id AND m.imei = d.imei) AS heard_at
FROM satellite_device d
JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
WHERE d.operation_id = current_operation() AND d.removed_at IS NULL
  AND ($1::int[] IS NULL OR p.area_id = ANY ($1))
  AND ($2::text IS NULL OR d.imei > $2) AND ($3::text IS NULL OR d.imei = $3)
ORDER BY d.imei LIMIT $4

-- name: lock_device
-- The assignment of a device that is in force, held, and where its person belongs.
SELECT d.assignment_id, d.kind, d.label, d.person_id, p.area_id FROM satellite_device d
JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
WHERE d.operation_id = current_operation() AND d.imei = $1 AND d.removed_at IS NULL
FOR UPDATE OF d

-- name: device_was
-- Whether a device that nobody has any more was somebody's, in sight of these areas.
SELECT EXISTS (
  SELECT FROM satellite_device d
  JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
  WHERE d.operation_id = current_operation() AND d.imei = $1 AND d.removed_at IS NOT NULL
    AND ($2::int[] IS NULL OR p.area_id = ANY ($2)))

-- name: remove_device
-- Ends an assignment.
UPDATE satellite_device SET removed_at = clock_timestamp(), removed_by = $2
WHERE operation_id = current_operation() AND assignment_id = $1

-- name: insert_device
-- A device is somebody's, from a minute ago on, for its times may be whole seconds or minutes; but
-- not before somebody else gave it up. Nothing where another request was first.
INSERT INTO satellite_device (operation_id, imei, kind, label, person_id, set_by, since)
VALUES (current_operation(), $1, $2, $3, $4, $5,
        greatest(clock_timestamp() - interval '1 minute',
                 (SELECT max(d.removed_at) FROM satellite_device d
                  WHERE d.operation_id = current_operation() AND d.imei = $1)))
ON CONFLICT DO NOTHING RETURNING assignment_id

-- name: label_device
-- Another label, or kind, of a device that stays with its person.
UPDATE satellite_device SET kind = $2, label = $3
WHERE operation_id = current_operation() AND assignment_id = $1
