-- name: find_operation
-- An operation by its code, from outside any operation.
SELECT operation_id FROM find_operation($1)

-- name: operations_of_text
-- To which operations a text may belong, and why.
SELECT operation_id, by, phone, asked FROM operations_of_text($1, $2, $3)

-- name: one_at_a_time
-- Two texts of one number at the same moment: the second waits until the first is on record.
SELECT pg_advisory_xact_lock(44, $1)

-- name: same_content
-- The same words from the same number within the minute before, if nothing else was said since: no
-- other text of that number, and after a call for help no other report of its person. Holds it.
SELECT i.inbound_id, i.state = 'received' AS waiting,
       coalesce(i.said IN ('need_help', 'panic'), false) AS called
FROM inbound_sms i
WHERE i.operation_id = current_operation() AND i.digest = $1
  AND i.received_at > clock_timestamp() - interval '60 seconds'
  AND NOT EXISTS (SELECT FROM inbound_sms o WHERE o.operation_id = i.operation_id
                  AND o.sender = i.sender AND o.received_at > i.received_at AND o.digest <> i.digest)
  AND NOT EXISTS (SELECT FROM checkin c WHERE c.operation_id = i.operation_id
                  AND c.person_id = i.person_id AND c.received_at > i.received_at
                  AND c.status <> 'need_help' AND i.said IN ('need_help', 'panic'))
ORDER BY i.received_at LIMIT 1 FOR UPDATE OF i

-- name: insert_text
-- Puts a text on record; nothing if its gateway has brought it before.
INSERT INTO inbound_sms (operation_id, route, provider_id, sender, recipient, body, digest, sent_at,
                         shared, replies, lane)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING RETURNING inbound_id

-- name: known_provider_id
-- Whether a gateway has brought this text before.
SELECT EXISTS (SELECT FROM inbound_sms WHERE operation_id = current_operation()
               AND route = $1 AND provider_id = $2)

-- name: note_repeat
-- Counts the same content again.
UPDATE inbound_sms SET repeated = repeated + 1
WHERE operation_id = current_operation() AND inbound_id = $1

-- name: repeat_help
-- Counts a call for help that came again in the same words: the open one it raised or joined. One of
-- an exercise raises none.
UPDATE help_call h SET repeated = h.repeated + 1, last_at = clock_timestamp()
FROM inbound_sms i
WHERE i.operation_id = current_operation() AND i.inbound_id = $1
  AND i.said IN ('need_help', 'panic')
  AND h.operation_id = i.operation_id AND h.closed_at IS NULL
  AND (h.inbound_id = i.inbound_id OR h.person_id = i.person_id
       OR h.person_id IS NULL AND i.person_id IS NULL AND h.sender = i.sender)
  AND NOT EXISTS (SELECT FROM alert a WHERE a.operation_id = i.operation_id
                  AND a.alert_id = i.alert_id AND a.exercise)
RETURNING h.help_id

-- name: claim_texts
-- Texts to be understood now, under a lease.
SELECT operation_id, inbound_id, attempts FROM claim_texts($1, $2)

-- name: claimed_texts
-- What claimed texts say.
SELECT inbound_id, route, sender, recipient, body, received_at, shared, replies, lane
FROM inbound_sms
WHERE operation_id = current_operation() AND inbound_id = ANY ($1::uuid[]) AND state = 'received'
ORDER BY lane, received_at, inbound_id

-- name: put_back
-- A text that could not be understood just now comes again later.
UPDATE inbound_sms
SET detail = $2, due_at = clock_timestamp()
                          + least(interval '1 second' * 2 ^ least(attempts, 6), interval '1 minute')
WHERE operation_id = current_operation() AND inbound_id = $1 AND state = 'received'

-- name: people_of_number
-- Whose number it is, and with whom each is one household.
SELECT p.person_id, p.ref, p.language, c.rank, coalesce(p.sponsor_id, p.person_id) AS head_id
FROM contact_point c
JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
WHERE c.operation_id = current_operation() AND c.phone = $1 AND p.merged_into IS NULL
ORDER BY p.sponsor_id NULLS FIRST, c.rank, p.person_id

-- name: codes
-- Whose code it is, in which alert or movement or of which watch: of what is still going first, then
-- the newest.
SELECT c.alert_id, c.person_id, c.locked_at IS NOT NULL AS locked, p.ref, p.language,
       coalesce(p.sponsor_id, p.person_id) AS head_id, c.state, c.exercise, c.watch_id,
       c.movement_id
FROM (
  SELECT k.alert_id, k.person_id, k.locked_at, a.state, a.exercise, NULL::uuid AS watch_id,
         NULL::uuid AS movement_id, a.created_at
  FROM answer_code k
  JOIN alert a ON a.operation_id = k.operation_id AND a.alert_id = k.alert_id
  WHERE k.operation_id = current_operation() AND k.code = $1
  UNION ALL
  SELECT NULL, k.person_id, k.locked_at, CASE WHEN w.ended_at IS NULL THEN 'open' ELSE 'closed' END,
         false, k.watch_id, NULL, w.created_at
  FROM watch_code k
  JOIN watch w ON w.operation_id = k.operation_id AND w.watch_id = k.watch_id
  WHERE k.operation_id = current_operation() AND k.code = $1
  UNION ALL
  SELECT NULL, k.person_id, k.locked_at, CASE WHEN m.ended_at IS NULL THEN 'open' ELSE 'closed' END,
         m.exercise, NULL, k.movement_id, m.created_at
  FROM movement_code k
  JOIN movement m ON m.operation_id = k.operation_id AND m.movement_id = k.movement_id
  WHERE k.operation_id = current_operation() AND k.code = $1) c
JOIN person p ON p.operation_id = current_operation() AND p.person_id = c.person_id
ORDER BY (c.state IN ('preparing', 'pending_release', 'open')) DESC, c.created_at DESC,
         coalesce(c.alert_id, c.watch_id, c.movement_id)

-- name: wrong_lately
-- How many wrong codes came in the last hour from any number, and how many more the size of the
-- running alerts excuses.
SELECT (SELECT count(*)::int FROM inbound_sms i
        WHERE i.operation_id = current_operation() AND i.detail LIKE 'wrong code%'
          AND i.received_at > clock_timestamp() - interval '1 hour') AS wrong,
       (SELECT coalesce(sum(a.population), 0)::int / 2000 FROM alert a
        WHERE a.operation_id = current_operation() AND a.state = 'open') AS excused

-- name: asked_of
-- The open alerts that hold some people, those that are no exercise first, then the newest.
SELECT a.alert_id, a.exercise, p.person_id, a.kind, a.counts_from
FROM alert_person p JOIN alert a ON a.operation_id = p.operation_id AND a.alert_id = p.alert_id
WHERE p.operation_id = current_operation() AND p.person_id = ANY ($1::int[]) AND a.state = 'open'
ORDER BY a.exercise, (a.kind = 'rollcall') DESC, a.opened_at DESC, a.alert_id,
         array_position($1::int[], p.person_id)

-- name: household
-- A sponsor's household as an alert holds it.
SELECT p.person_id, p.ref FROM person p
JOIN alert_person ap ON ap.operation_id = p.operation_id AND ap.person_id = p.person_id
WHERE p.operation_id = current_operation() AND ap.alert_id = $1
  AND (p.person_id = $2 OR p.sponsor_id = $2)
ORDER BY p.person_id

-- name: family
-- A sponsor and her family.
SELECT person_id FROM person
WHERE operation_id = current_operation() AND (person_id = $1 OR sponsor_id = $1)
ORDER BY person_id

-- name: device
-- The device a signed text names, with its sealed key.
SELECT d.device_id, d.person_id, d.sms_key, d.revoked_at IS NOT NULL AS revoked, p.ref, p.language,
       coalesce(p.sponsor_id, p.person_id) AS head_id
FROM device d
JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
WHERE d.operation_id = current_operation() AND d.sms_id5 = $1

-- name: take_counter
-- Uses a counter of a device; which text has it.
WITH made AS (
  INSERT INTO signed_counter (operation_id, device_id, counter, inbound_id)
  VALUES (current_operation(), $1, $2, $3) ON CONFLICT DO NOTHING RETURNING inbound_id)
SELECT inbound_id FROM made
UNION ALL
SELECT inbound_id FROM signed_counter
WHERE operation_id = current_operation() AND device_id = $1 AND counter = $2
LIMIT 1

-- name: our_words
-- What this number was answered in the last day.
SELECT line FROM delivery
WHERE operation_id = current_operation() AND purpose = 'reply' AND endpoint = $1
  AND queued_at > clock_timestamp() - interval '1 day'

-- name: recorded_before
-- In which alert a text's reports were recorded at an earlier try.
SELECT alert_id, exercise FROM checkin
WHERE operation_id = current_operation() AND checkin_id = ANY ($1::uuid[]) AND actor = $2
ORDER BY checkin_id

-- name: lock_text
-- Holds a text that is still to be understood; how often its content came again.
SELECT repeated FROM inbound_sms
WHERE operation_id = current_operation() AND inbound_id = $1 AND state = 'received' FOR UPDATE

-- name: drop_old_codes
-- Forgets the codes of alerts that ended a month ago: their letters are free again.
DELETE FROM answer_code k USING alert a
WHERE k.operation_id = current_operation() AND a.operation_id = k.operation_id
  AND a.alert_id = k.alert_id AND a.closed_at < clock_timestamp() - interval '30 days'

-- name: drop_old_watch_codes
-- Forgets the codes of watches that ended a month ago.
DELETE FROM watch_code k USING watch w
WHERE k.operation_id = current_operation() AND w.operation_id = k.operation_id
  AND w.watch_id = k.watch_id AND w.ended_at < clock_timestamp() - interval '30 days'

-- name: drop_old_movement_codes
-- Forgets the codes of movements that ended a month ago.
DELETE FROM movement_code k USING movement m
WHERE k.operation_id = current_operation() AND m.operation_id = k.operation_id
  AND m.movement_id = k.movement_id AND m.ended_at < clock_timestamp() - interval '30 days'

-- name: movement_of
-- The movement of some people that a stage without a code may be about, and whose: one that is no
-- exercise, one that has begun, the newest; the person named first.
SELECT m.movement_id, p.person_id, m.exercise FROM movement_person p
JOIN movement m ON m.operation_id = p.operation_id AND m.movement_id = p.movement_id
WHERE p.operation_id = current_operation() AND p.person_id = ANY ($1::int[])
  AND m.ended_at IS NULL
ORDER BY m.exercise, (m.state = 'active') DESC, m.created_at DESC, m.movement_id,
         array_position($1::int[], p.person_id)
LIMIT 1

-- name: movement_goes_on
-- Whether any movement has not ended.
SELECT EXISTS (SELECT FROM movement
               WHERE operation_id = current_operation() AND ended_at IS NULL)

-- name: vehicle_goes
-- Whether a movement has a vehicle of this number.
SELECT EXISTS (SELECT FROM movement_vehicle WHERE operation_id = current_operation()
               AND movement_id = $1 AND number = $2)

-- name: points_of
-- The points of a movement, by their names.
SELECT point_id, name FROM movement_point
WHERE operation_id = current_operation() AND movement_id = $1 ORDER BY point_id

-- name: household_moving
-- A sponsor's household as a movement holds it.
SELECT p.person_id, p.ref FROM person p
JOIN movement_person m ON m.operation_id = p.operation_id AND m.person_id = p.person_id
WHERE p.operation_id = current_operation() AND m.movement_id = $1
  AND (p.person_id = $2 OR p.sponsor_id = $2)
ORDER BY p.person_id

-- name: without_degrees
-- Words without what looks like degrees in them.
SELECT without_degrees($1)

-- name: give_movement_code
-- A person's code in a movement, made if she has none; none if it does not hold her.
SELECT give_movement_codes($1, ARRAY[$2::int])

-- name: movement_code
-- A person's code in a movement, and whether it is locked.
SELECT code, locked_at IS NOT NULL AS locked FROM movement_code
WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = $2
ORDER BY locked_at IS NOT NULL, code LIMIT 1

-- name: count_wrong_movement
-- Counts a wrong code against the codes of its number's people in movements; the fifth locks them.
UPDATE movement_code k SET wrong = least(k.wrong + 1, 1000)::smallint,
       locked_at = CASE WHEN k.wrong + 1 >= $2 THEN coalesce(k.locked_at, clock_timestamp()) END
FROM movement m
WHERE k.operation_id = current_operation() AND k.person_id = ANY ($1::int[])
  AND m.operation_id = k.operation_id AND m.movement_id = k.movement_id AND m.ended_at IS NULL
RETURNING k.locked_at IS NOT NULL AS locked

-- name: watch_of
-- The watch of some people that a word without a code may be about: one that is overdue, else the one
-- that is due first.
SELECT w.watch_id, w.person_id FROM watch w
WHERE w.operation_id = current_operation() AND w.person_id = ANY ($1::int[]) AND w.ended_at IS NULL
ORDER BY (w.state = 'overdue') DESC, w.due_at, w.watch_id LIMIT 1

-- name: zone
-- The operation's time zone.
SELECT timezone FROM operation WHERE operation_id = current_operation()

-- name: give_watch_code
-- The code of a watch's person, made if she has none.
SELECT give_watch_codes(ARRAY[$1::uuid])

-- name: watch_code
-- The code of a watch's person, and whether it is locked.
SELECT code, locked_at IS NOT NULL AS locked FROM watch_code
WHERE operation_id = current_operation() AND watch_id = $1

-- name: count_wrong_watch
-- Counts a wrong code against the codes of its number's people's watches; the fifth locks them.
UPDATE watch_code k SET wrong = least(k.wrong + 1, 1000)::smallint,
       locked_at = CASE WHEN k.wrong + 1 >= $2 THEN coalesce(k.locked_at, clock_timestamp()) END
FROM watch w
WHERE k.operation_id = current_operation() AND k.person_id = ANY ($1::int[])
  AND w.operation_id = k.operation_id AND w.watch_id = k.watch_id AND w.ended_at IS NULL
RETURNING k.locked_at IS NOT NULL AS locked

-- name: give_code
-- A person's code in an alert, made if she has none; none if the alert does not hold her.
SELECT give_codes($1, ARRAY[$2::int])

-- name: code_of
-- A person's code in an alert, unless it is locked.
SELECT code, locked_at IS NOT NULL AS locked FROM answer_code
WHERE operation_id = current_operation() AND alert_id = $1 AND person_id = $2

-- name: count_wrong
-- Counts a wrong code against its number's people in an alert; the fifth locks theirs. Whether
-- one is locked now.
UPDATE answer_code SET wrong = least(wrong + 1, 1000)::smallint,
       locked_at = CASE WHEN wrong + 1 >= $3 THEN coalesce(locked_at, clock_timestamp()) END
WHERE operation_id = current_operation() AND alert_id = ANY ($1::uuid[])
  AND person_id = ANY ($2::int[])
RETURNING locked_at IS NOT NULL AS locked

-- name: raise_for_person
-- A call for help of a person; a further one joins the open one. What vouches for one of them
-- vouches for all.
INSERT INTO help_call AS h (operation_id, kind, verified, sender, person_id, body, inbound_id,
                            checkin_id, lat, lon, repeated)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (operation_id, person_id) WHERE closed_at IS NULL AND person_id IS NOT NULL
DO UPDATE SET repeated = h.repeated + 1 + excluded.repeated, last_at = clock_timestamp(),
  verified = h.verified OR excluded.verified,
  kind = CASE WHEN excluded.kind = 'panic' THEN 'panic' ELSE h.kind END,
  checkin_id = coalesce(h.checkin_id, excluded.checkin_id),
  lat = CASE WHEN excluded.verified THEN coalesce(excluded.lat, h.lat) ELSE h.lat END,
  lon = CASE WHEN excluded.verified THEN coalesce(excluded.lon, h.lon) ELSE h.lon END
RETURNING help_id, inbound_id

-- name: raise_for_number
-- A call for help of a number that is nobody's, or of several; a further one joins the open one.
INSERT INTO help_call AS h (operation_id, kind, verified, sender, body, inbound_id, repeated, lat, lon)
VALUES (current_operation(), $1, false, $2, $3, $4, $5, $6, $7)
ON CONFLICT (operation_id, sender) WHERE closed_at IS NULL AND person_id IS NULL
DO UPDATE SET repeated = h.repeated + 1 + excluded.repeated, last_at = clock_timestamp(),
  kind = CASE WHEN excluded.kind = 'panic' THEN 'panic' ELSE h.kind END,
  lat = coalesce(excluded.lat, h.lat), lon = coalesce(excluded.lon, h.lon)
RETURNING help_id, inbound_id

-- name: replies_lately
-- How many answers a number had in ten minutes and in a day.
SELECT count(*) FILTER (WHERE queued_at > clock_timestamp() - interval '10 minutes')::int AS soon,
       count(*)::int AS in_a_day
FROM delivery
WHERE operation_id = current_operation() AND purpose = 'reply' AND endpoint = $1
  AND queued_at > clock_timestamp() - interval '1 day'

-- name: stopped_before
-- Whether a number said before that it wants no more texts.
SELECT EXISTS (SELECT FROM inbound_sms WHERE operation_id = current_operation()
               AND sender = $1 AND state = 'stop')

-- name: insert_reply
-- Queues an answer to a number, for an hour.
INSERT INTO delivery (operation_id, delivery_id, person_id, channel, endpoint, lane, purpose, line,
                      expires_at)
VALUES (current_operation(), $1, $2, 'sms', $3, $4, 'reply', $5,
        clock_timestamp() + interval '1 hour')
ON CONFLICT DO NOTHING

-- name: mark_understood
-- What a text was taken for.
UPDATE inbound_sms SET state = $2, said = $3, person_id = $4, alert_id = $5, detail = $6,
       answered = $7, watch_id = $8, movement_id = $9, understood_at = clock_timestamp()
WHERE operation_id = current_operation() AND inbound_id = $1

-- name: texts_in
-- What came in by text and by satellite, newest first, a page at a time: in sight is what is about a
-- person in these areas; of the rest only to who sees all. Mere positions only where asked for.
-- Places in the app's form, and with $7 in any words, are left out.
SELECT i.inbound_id, i.source, i.route, i.sender, i.recipient,
       CASE WHEN $7::boolean OR i.body ~* '^\s*M1 ' THEN without_degrees(i.body) ELSE i.body END AS body,
       i.at, i.received_at, i.repeated, i.state, i.said, i.alert_id, i.watch_id, i.movement_id, i.detail, i.answered, i.understood_at, p.ref, p.name
FROM inbound_face i
LEFT JOIN person p ON p.operation_id = i.operation_id AND p.person_id = i.person_id
WHERE ($1::int[] IS NULL OR p.area_id = ANY ($1))
  AND CASE WHEN $2::text IS NULL THEN i.said IS DISTINCT FROM 'position' ELSE i.state = $2 END
  AND (NOT $3::boolean OR i.state NOT IN ('counted', 'stop', 'noted'))
  AND ($4::timestamptz IS NULL OR i.received_at < $4
       OR (i.received_at = $4 AND i.inbound_id > $5::uuid))
ORDER BY i.received_at DESC, i.inbound_id LIMIT $6

-- name: help_calls
-- Calls for help, newest first, a page at a time, in sight as texts are; without their places.
SELECT h.* FROM help_call_face h
WHERE ($1::int[] IS NULL OR h.area_id = ANY ($1))
  AND ($2::boolean IS NULL OR (h.closed_at IS NULL) = $2)
  AND (NOT $3::boolean OR NOT h.verified)
  AND ($4::timestamptz IS NULL OR h.raised_at < $4
       OR (h.raised_at = $4 AND h.help_id > $5::uuid))
ORDER BY h.raised_at DESC, h.help_id LIMIT $6

-- name: help_call
-- One call for help, in sight of these areas; without its place.
SELECT h.* FROM help_call_face h
WHERE h.help_id = $1 AND ($2::int[] IS NULL OR h.area_id = ANY ($2))

-- name: help_place
-- Where one call for help was made, in sight of these areas, and its words as they came.
SELECT h.lat, h.lon, h.body FROM help_call h
LEFT JOIN person p ON p.operation_id = h.operation_id AND p.person_id = h.person_id
WHERE h.operation_id = current_operation() AND h.help_id = $1
  AND ($2::int[] IS NULL OR p.area_id = ANY ($2))

-- name: note_help_access
-- Somebody is shown where a call for help was made.
INSERT INTO help_access (operation_id, help_id, actor, reason)
VALUES (current_operation(), $1, $2, $3)

-- name: help_access
-- Who was shown where a call for help was made.
SELECT x.at, x.actor, actor_name(x.actor) AS name, x.reason
FROM help_access x WHERE x.operation_id = current_operation() AND x.help_id = $1
ORDER BY x.access_id

-- name: lock_help_call
-- Holds one call for help, in sight of these areas; how it was closed, if it was.
SELECT h.outcome, h.note FROM help_call h
LEFT JOIN person p ON p.operation_id = h.operation_id AND p.person_id = h.person_id
WHERE h.operation_id = current_operation() AND h.help_id = $1
  AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
FOR UPDATE OF h

-- name: close_help_call
-- Closes a call for help.
UPDATE help_call SET closed_at = clock_timestamp(), closed_by = $2, outcome = $3, note = $4
WHERE operation_id = current_operation() AND help_id = $1

-- name: mark_route
-- Notes that something came in over a route, every 5 s at most: texts must not wait for each other.
WITH known AS (
  UPDATE channel_mark SET inbound_at = clock_timestamp()
  WHERE operation_id = current_operation() AND channel = 'sms' AND route = $1
    AND (inbound_at IS NULL OR inbound_at < clock_timestamp() - interval '5 seconds'))
INSERT INTO channel_mark (operation_id, channel, route, inbound_at)
SELECT current_operation(), 'sms', $1, clock_timestamp()
WHERE NOT EXISTS (SELECT FROM channel_mark m WHERE m.operation_id = current_operation()
                  AND m.channel = 'sms' AND m.route = $1)
ON CONFLICT DO NOTHING
