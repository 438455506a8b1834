-- name: insert_deliveries
-- One push for every live address of the population; round 0 is the alert itself. Ids in order
-- of time keep the rows of one alert together in every index.
INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                      lane)
SELECT p.operation_id, uuidv7(), p.alert_id, p.person_id, a.kind, d.device_id::text, 0, $2
FROM alert_person p
JOIN device d ON d.operation_id = p.operation_id AND d.person_id = p.person_id
JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
WHERE p.operation_id = current_operation() AND p.alert_id = $1
  AND ($3::int[] IS NULL OR p.person_id = ANY ($3))
  AND d.revoked_at IS NULL AND a.dead_at IS NULL AND a.kind = ANY ($4::text[])
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: insert_texts
-- One text for everybody of the population who has a number that a route serves and no live
-- push address; with $5 for all who have such a number. The endpoint is the number's rank.
INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                      lane)
SELECT p.operation_id, uuidv7(), p.alert_id, p.person_id, 'sms', text_rank(p.person_id, $4)::text,
       0, $2
FROM alert_person p
WHERE p.operation_id = current_operation() AND p.alert_id = $1
  AND ($3::int[] IS NULL OR p.person_id = ANY ($3))
  AND text_rank(p.person_id, $4::text[]) IS NOT NULL
  AND ($5::boolean OR NOT EXISTS (
    SELECT FROM device d
    JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
    WHERE d.operation_id = p.operation_id AND d.person_id = p.person_id
      AND d.revoked_at IS NULL AND a.dead_at IS NULL))
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: insert_next_texts
-- One text for each of some people who had none in this alert, for as long as they are silent.
INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                      lane, purpose)
SELECT p.operation_id, uuidv7(), p.alert_id, p.person_id, 'sms', text_rank(p.person_id, $4)::text,
       0, $2, 'remind'
FROM alert_person p
WHERE p.operation_id = current_operation() AND p.alert_id = $1 AND p.person_id = ANY ($3::int[])
  AND text_rank(p.person_id, $4::text[]) IS NOT NULL
  AND NOT EXISTS (SELECT FROM delivery w WHERE w.operation_id = p.operation_id
        AND w.alert_id = p.alert_id AND w.person_id = p.person_id AND w.channel = 'sms'
        AND w.purpose IN ('alert', 'remind') OFFSET 0)
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: insert_text_reminders
-- One text for the silent, as `insert_texts`, unless an earlier one is still to be sent.
INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                      lane, purpose)
SELECT p.operation_id, uuidv7(), p.alert_id, p.person_id, 'sms', text_rank(p.person_id, $4)::text,
       $3, $2, 'remind'
FROM alert_person p
WHERE p.operation_id = current_operation() AND p.alert_id = $1 AND p.status = 'unaccounted'
  AND text_rank(p.person_id, $4::text[]) IS NOT NULL
  AND ($5::boolean OR NOT EXISTS (
    SELECT FROM device d
    JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
    WHERE d.operation_id = p.operation_id AND d.person_id = p.person_id
      AND d.revoked_at IS NULL AND a.dead_at IS NULL))
  AND NOT EXISTS (SELECT FROM delivery w WHERE w.operation_id = p.operation_id
        AND w.alert_id = p.alert_id AND w.person_id = p.person_id
        AND w.channel = 'sms' AND w.state IN ('queued', 'sending') OFFSET 0)
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: insert_emails
-- One e-mail for everybody of the population, or for $3, whose address is served by $4. $5: also
-- for those whom push or a text reaches; $6: only for the silent; $9: only for who had none yet. The
-- endpoint names the person: two records of one may both have one when they are merged.
-- OFFSET: one index look-up a person, also before the statistics know of the alert.
INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                      lane, purpose)
SELECT p.operation_id, uuidv7(), p.alert_id, p.person_id, 'email', p.person_id::text, $8, $2, $7
FROM alert_person p
JOIN person o ON o.operation_id = p.operation_id AND o.person_id = p.person_id
WHERE p.operation_id = current_operation() AND p.alert_id = $1
  AND ($3::int[] IS NULL OR p.person_id = ANY ($3))
  AND mail_served(o.email, $4::text[])
  AND (NOT $6::boolean OR p.status = 'unaccounted')
  AND ($5::boolean OR text_rank(p.person_id, $4) IS NULL AND NOT EXISTS (
    SELECT FROM device d
    JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
    WHERE d.operation_id = p.operation_id AND d.person_id = p.person_id
      AND d.revoked_at IS NULL AND a.dead_at IS NULL))
  AND NOT EXISTS (SELECT FROM delivery w WHERE w.operation_id = p.operation_id
        AND w.alert_id = p.alert_id AND w.person_id = p.person_id AND w.channel = 'email'
        AND (w.state IN ('queued', 'sending')
             OR $9::boolean AND w.purpose IN ('alert', 'remind')) OFFSET 0)
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: insert_duty
-- One word to the duty desk's own channels, about an alert, a panic or none.
INSERT INTO delivery (operation_id, delivery_id, alert_id, channel, endpoint, lane, purpose, line,
                      expires_at, panic_id)
VALUES (current_operation(), uuidv7(), $1, 'duty', 'desk', $2, 'duty', $3, $4, $5)

-- name: stop_deliveries
-- Stops what has not been handed to a provider; what may have been is called unknown.
UPDATE delivery
SET state = CASE WHEN error LIKE 'unknown: %' THEN 'unknown' ELSE 'stopped' END,
    finished_at = clock_timestamp()
WHERE operation_id = current_operation() AND alert_id = $1 AND state = 'queued'

-- name: settle_deliveries
-- After the end: what came back unsent is stopped; what nobody knows of is called unknown. $2
-- is the lease of a claim.
UPDATE delivery
SET state = CASE WHEN state = 'queued' AND coalesce(error, '') NOT LIKE 'unknown: %'
            THEN 'stopped' ELSE 'unknown' END,
    finished_at = clock_timestamp()
WHERE operation_id = current_operation() AND alert_id = $1
  AND (state = 'queued' OR (state = 'sending' AND attempted_at <= clock_timestamp() - $2::interval))

-- name: last_reminder
-- The newest reminder of an alert, and how many seconds ago it was queued.
SELECT round, extract(epoch FROM clock_timestamp() - max(queued_at))::float8 AS age_s,
       count(*)::int AS deliveries
FROM delivery WHERE operation_id = current_operation() AND alert_id = $1
  AND purpose IN ('alert', 'remind')
GROUP BY round ORDER BY round DESC LIMIT 1

-- name: silent
-- How many have not answered.
SELECT count(*)::int FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND status = 'unaccounted'

-- name: insert_reminders
-- One push for every live address of the silent, unless an earlier one is still to be sent.
INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                      lane, purpose)
SELECT p.operation_id, uuidv7(), p.alert_id, p.person_id, a.kind, d.device_id::text, $3, $2,
       'remind'
FROM alert_person p
JOIN device d ON d.operation_id = p.operation_id AND d.person_id = p.person_id
JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
WHERE p.operation_id = current_operation() AND p.alert_id = $1 AND p.status = 'unaccounted'
  AND d.revoked_at IS NULL AND a.dead_at IS NULL AND a.kind = ANY ($4::text[])
  AND NOT EXISTS (SELECT FROM delivery w WHERE w.operation_id = p.operation_id
        AND w.alert_id = p.alert_id AND w.person_id = p.person_id
        AND w.endpoint = d.device_id::text AND w.state IN ('queued', 'sending') OFFSET 0)
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: pushes
-- What to send for claimed deliveries; none for a device that is gone or cannot be woken.
-- LATERAL with OFFSET, here and below: one index look-up each, whatever the statistics say.
SELECT d.delivery_id, a.address, coalesce(al.severity, CASE WHEN d.purpose = 'panic' THEN 'life_safety' ELSE 'urgent' END) AS severity,
       coalesce(al.exercise, false) AS exercise, coalesce(d.expires_at, al.expires_at) AS expires_at,
       coalesce(d.line, CASE WHEN d.purpose IN ('alert', 'remind') THEN al.lock_screen END) AS line, d.purpose, p.language, d.error, moot(d) AS moot
FROM unnest($1::uuid[]) AS c (delivery_id)
CROSS JOIN LATERAL (
  SELECT * FROM delivery d
  WHERE d.operation_id = current_operation() AND d.delivery_id = c.delivery_id OFFSET 0) d
LEFT JOIN alert al ON al.operation_id = d.operation_id AND al.alert_id = d.alert_id
CROSS JOIN LATERAL (
  SELECT a.address FROM push_address a
  JOIN device v ON v.operation_id = a.operation_id AND v.device_id = a.device_id
  WHERE a.operation_id = d.operation_id AND a.device_id = d.endpoint::uuid
    AND v.revoked_at IS NULL AND a.dead_at IS NULL AND a.kind = d.channel OFFSET 0) a
CROSS JOIN LATERAL (
  SELECT p.language FROM person p
  WHERE p.operation_id = d.operation_id AND p.person_id = d.person_id OFFSET 0) p

-- name: give_codes
-- Gives their answer codes to those of an alert's people who are about to be texted.
SELECT give_codes(t.alert_id, t.persons) FROM (
  SELECT d.alert_id, array_agg(DISTINCT d.person_id ORDER BY d.person_id) AS persons
  FROM unnest($1::uuid[]) AS c (delivery_id)
  CROSS JOIN LATERAL (
    SELECT d.alert_id, d.person_id, d.operation_id FROM delivery d
    WHERE d.operation_id = current_operation() AND d.delivery_id = c.delivery_id
      AND d.purpose IN ('alert', 'remind') OFFSET 0) d
  WHERE NOT EXISTS (SELECT FROM answer_code k WHERE k.operation_id = d.operation_id
                    AND k.alert_id = d.alert_id AND k.person_id = d.person_id)
  GROUP BY d.alert_id ORDER BY d.alert_id) t

-- name: stop_late
-- Stops replies that are too late; what may have been sent is called unknown. $1 is the lease.
UPDATE delivery
SET state = CASE WHEN state = 'queued' AND coalesce(error, '') NOT LIKE 'unknown: %'
            THEN 'stopped' ELSE 'unknown' END,
    finished_at = clock_timestamp()
WHERE operation_id = current_operation() AND alert_id IS NULL AND live
  AND expires_at <= clock_timestamp()
  AND (state = 'queued' OR attempted_at <= clock_timestamp() - $1::interval)
RETURNING delivery_id

-- name: texts
-- What to text for claimed deliveries: the number as it is now; none if the person lost it. A
-- reply goes to the number it names.
SELECT d.delivery_id, c.phone AS address, coalesce(al.severity, 'urgent') AS severity,
       coalesce(al.exercise, false) AS exercise, coalesce(d.expires_at, al.expires_at) AS expires_at,
       coalesce(d.line, CASE WHEN d.purpose IN ('alert', 'remind') THEN al.sms_text END) AS line,
       d.purpose, p.language, d.error, moot(d) AS moot, d.lane,
       CASE WHEN d.purpose IN ('alert', 'remind') THEN (
         SELECT k.code FROM answer_code k WHERE k.operation_id = d.operation_id
           AND k.alert_id = d.alert_id AND k.person_id = d.person_id) END AS code
FROM unnest($1::uuid[]) AS t (delivery_id)
CROSS JOIN LATERAL (
  SELECT * FROM delivery d
  WHERE d.operation_id = current_operation() AND d.delivery_id = t.delivery_id OFFSET 0) d
LEFT JOIN alert al ON al.operation_id = d.operation_id AND al.alert_id = d.alert_id
CROSS JOIN LATERAL (
  SELECT c.phone FROM contact_point c
  WHERE c.operation_id = d.operation_id AND c.person_id = d.person_id
    AND c.rank::text = d.endpoint
  UNION ALL
  SELECT d.endpoint WHERE starts_with(d.endpoint, '+') OFFSET 0) c
LEFT JOIN LATERAL (
  SELECT p.language FROM person p
  WHERE p.operation_id = d.operation_id AND p.person_id = d.person_id OFFSET 0) p ON true

-- name: emails
-- What to write for claimed deliveries: to the address as it is now; none if the person lost it.
SELECT d.delivery_id, p.email AS address, coalesce(al.severity, 'urgent') AS severity,
       coalesce(al.exercise, false) AS exercise, coalesce(d.expires_at, al.expires_at) AS expires_at,
       coalesce(d.line, CASE WHEN d.purpose IN ('alert', 'remind') THEN al.sms_text END) AS line,
       d.purpose, p.language, d.error, moot(d) AS moot
FROM unnest($1::uuid[]) AS t (delivery_id)
CROSS JOIN LATERAL (
  SELECT * FROM delivery d
  WHERE d.operation_id = current_operation() AND d.delivery_id = t.delivery_id OFFSET 0) d
LEFT JOIN alert al ON al.operation_id = d.operation_id AND al.alert_id = d.alert_id
CROSS JOIN LATERAL (
  SELECT p.email, p.language FROM person p
  WHERE p.operation_id = d.operation_id AND p.person_id = d.person_id
    AND p.email IS NOT NULL OFFSET 0) p

-- name: duties
-- What to tell the duty desk's own channels for claimed deliveries.
SELECT d.delivery_id, d.endpoint AS address, coalesce(al.severity, 'urgent') AS severity,
       coalesce(al.exercise, false) AS exercise, coalesce(d.expires_at, al.expires_at) AS expires_at,
       d.line, d.purpose, NULL AS language, d.error, moot(d) AS moot
FROM unnest($1::uuid[]) AS t (delivery_id)
CROSS JOIN LATERAL (
  SELECT * FROM delivery d
  WHERE d.operation_id = current_operation() AND d.delivery_id = t.delivery_id OFFSET 0) d
LEFT JOIN alert al ON al.operation_id = d.operation_id AND al.alert_id = d.alert_id

-- name: claim
-- Takes up what is due on some channels, from its floors on; the attempt is then on record.
SELECT * FROM claim_deliveries($1, $2, $3, $4::text::jsonb)

-- name: lows
-- The lowest live due time by open alert, and how far it may be believed.
SELECT alert, low, began, oldest::text AS oldest, next::text AS next
FROM delivery_lows($1, $2::text::jsonb)

-- name: lock_deliveries
-- Holds deliveries in the order of their ids; the next statement sees them as they are now.
SELECT FROM (SELECT DISTINCT delivery_id FROM unnest($1::uuid[]) AS u (delivery_id) ORDER BY 1) u
CROSS JOIN LATERAL (
  SELECT FROM delivery d
  WHERE d.operation_id = current_operation() AND d.delivery_id = u.delivery_id FOR UPDATE) d

-- name: write_outcomes
-- Writes what came of claimed deliveries. That one was accepted is true whoever holds it now;
-- all else counts only while our claim stands. Of an ended alert nothing waits for another try.
-- What may have been sent is never called stopped.
-- A claim given back unused was no attempt. A text's own report may have come before: then
-- only its route and price are still missing. The rows are locked already.
WITH held AS MATERIALIZED (
  SELECT t.*, d.tid, d.ended
  FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::text[], $6::text[],
              $7::boolean[], $8::text[], $9::int[], $10::bigint[], $11::text[])
    AS t (delivery_id, attempt, state, wait_s, provider_id, error, tried, route, parts,
          price_micro, currency)
  CROSS JOIN LATERAL (
    SELECT d.ctid AS tid, coalesce(a.state <> 'open', false) AS ended FROM delivery d
    LEFT JOIN alert a ON a.operation_id = d.operation_id AND a.alert_id = d.alert_id
    WHERE d.operation_id = current_operation() AND d.delivery_id = t.delivery_id
      AND (d.state = 'sending' AND d.attempts = t.attempt
           OR t.state = 'accepted' AND (d.accepted_at IS NULL
                OR t.parts IS NOT NULL AND d.parts IS NULL)) OFFSET 0) d)
UPDATE delivery d SET
  state = CASE WHEN d.accepted_at IS NOT NULL AND d.state <> 'sending' THEN d.state
               WHEN CASE t.state WHEN 'queued' THEN NOT t.ended ELSE t.state <> 'stopped' END
               THEN t.state
               WHEN coalesce(CASE WHEN t.tried THEN t.error END, d.error) LIKE 'unknown: %'
               THEN 'unknown'
               ELSE 'stopped' END,
  due_at = clock_timestamp() + t.wait_s * interval '1 second',
  accepted_at = CASE WHEN t.state = 'accepted' THEN coalesce(d.accepted_at, clock_timestamp())
                ELSE d.accepted_at END,
  finished_at = CASE WHEN t.state = 'queued' AND NOT t.ended THEN NULL ELSE clock_timestamp() END,
  provider_id = coalesce(t.provider_id, d.provider_id),
  route = coalesce(t.route, d.route),
  parts = coalesce(t.parts, d.parts),
  price_micro = CASE WHEN t.price_micro IS NULL THEN d.price_micro
                ELSE coalesce(d.price_micro, 0) + t.price_micro END,
  currency = coalesce(t.currency, d.currency),
  error = CASE WHEN t.tried AND NOT (d.state = 'failed' AND d.accepted_at IS NOT NULL) THEN t.error
               WHEN t.error IS NULL OR d.error LIKE 'unknown: %' THEN d.error
               ELSE t.error END,
  attempts = CASE WHEN t.tried THEN d.attempts ELSE d.attempts - 1 END
FROM held t WHERE d.ctid = t.tid AND d.ctid = ANY (ARRAY(SELECT h.tid FROM held h))

-- name: addresses_alive
-- Notes that a provider took a message for these devices, to the minute.
UPDATE push_address SET accepted_at = clock_timestamp()
WHERE operation_id = current_operation() AND device_id = ANY ($1::uuid[])
  AND (accepted_at IS NULL OR accepted_at < clock_timestamp() - interval '1 minute')

-- name: addresses_dead
-- Marks addresses that a provider calls gone, unless the device has given a new one since.
UPDATE push_address p SET dead_at = clock_timestamp(), dead_reason = d.reason
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS d (device_id, address, reason)
WHERE p.operation_id = current_operation() AND p.device_id = d.device_id
  AND p.address = d.address AND p.dead_at IS NULL

-- name: count_alone
-- Only one counts the deliveries of an operation at a time, until its commit.
SELECT pg_advisory_xact_lock(48, current_operation())

-- name: delivery_counts
-- For how many deliveries of an alert to its people each fact holds, by their area.
SELECT p.area_id, count(*)::int AS queued, count(d.accepted_at)::int AS accepted,
       count(d.delivered_at)::int AS delivered, count(d.seen_at)::int AS seen,
       count(p.first_at)::int AS answered,
       count(*) FILTER (WHERE d.state = 'failed')::int AS failed
FROM delivery d
JOIN alert_person p ON p.operation_id = d.operation_id AND p.alert_id = d.alert_id
  AND p.person_id = d.person_id
WHERE d.operation_id = current_operation() AND d.alert_id = $1
  AND d.purpose IN ('alert', 'remind')
GROUP BY p.area_id

-- name: deliveries
-- The deliveries of an alert to people in sight, words to wardens too, in a fixed order, a page at
-- a time. A warden may lead people of an alert that does not address her: she is seen by her area.
-- Words to the duty desk have no person; only who sees everything sees them.
SELECT d.delivery_id, coalesce(p.ref, '') AS ref, p.name, d.channel, d.purpose, d.round, d.state,
       d.queued_at, d.accepted_at, d.delivered_at, d.seen_at, ap.first_at AS answered_at, d.attempts, d.error, d.route,
       d.parts, d.price_micro, d.currency,
       CASE WHEN d.state = 'queued' AND d.due_at > clock_timestamp() THEN d.due_at END AS held_until
FROM delivery d
LEFT JOIN person p ON p.operation_id = d.operation_id AND p.person_id = d.person_id
LEFT JOIN alert_person ap ON ap.operation_id = d.operation_id AND ap.alert_id = d.alert_id
  AND ap.person_id = d.person_id
WHERE d.operation_id = current_operation() AND d.alert_id = $1
  AND ($2::int[] IS NULL OR coalesce(ap.area_id, p.area_id) = ANY ($2))
  AND ($3::text IS NULL OR (coalesce(p.ref, ''), d.delivery_id) > ($3, $4::uuid))
ORDER BY coalesce(p.ref, ''), d.delivery_id LIMIT $5

-- name: take_receipts
-- Notes what phones say of their own deliveries: first word stands, within what our clock can
-- believe. What arrived was plainly accepted, whatever the provider's answer was. The rows are
-- locked already.
WITH held AS MATERIALIZED (
  SELECT t.*, d.tid
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
    AS t (delivery_id, endpoint, delivered, seen)
  CROSS JOIN LATERAL (
    SELECT d.ctid AS tid FROM delivery d
    WHERE d.operation_id = current_operation() AND d.delivery_id = t.delivery_id
      AND d.endpoint = t.endpoint OFFSET 0) d)
UPDATE delivery d SET
  delivered_at = coalesce(d.delivered_at,
    least(greatest(least(t.delivered, t.seen), d.queued_at), clock_timestamp())),
  seen_at = coalesce(d.seen_at, CASE WHEN t.seen IS NOT NULL THEN
    least(greatest(t.seen, d.queued_at), clock_timestamp()) END),
  state = CASE WHEN d.attempts > 0 THEN 'accepted' ELSE d.state END,
  finished_at = CASE WHEN d.attempts > 0 THEN coalesce(d.finished_at, clock_timestamp())
                ELSE d.finished_at END
FROM held t WHERE d.ctid = t.tid AND d.ctid = ANY (ARRAY(SELECT h.tid FROM held h))
RETURNING d.delivery_id, d.alert_id, d.endpoint, d.channel

-- name: addresses_heard
-- Notes that something sent to these devices arrived.
UPDATE push_address SET delivered_at = clock_timestamp()
WHERE operation_id = current_operation() AND device_id = ANY ($1::uuid[])

-- name: texts_spent
-- What each route was charged for today (UTC), in all operations.
SELECT route, micro FROM texts_spent()

-- name: delivery_of_report
-- Which delivery a gateway's report is about.
SELECT operation_id, delivery_id FROM delivery_of_report($1, $2::uuid, $3)

-- name: lock_text
-- Whether a route had this text, held until the commit. That one failed is believed only of the
-- route on record: another may have taken it since.
SELECT d.attempts > 0 AND (d.route = $2 OR (d.route IS NULL
         AND ($3::text <> 'failed' OR d.state <> 'sending')))
FROM delivery d
WHERE d.operation_id = current_operation() AND d.delivery_id = $1 AND d.channel = 'sms'
FOR UPDATE

-- name: take_report
-- Notes what a gateway reports of a text, forward only: delivered is never undone. The row is
-- locked already; its alert, if anything was new.
UPDATE delivery d SET
  route = coalesce(d.route, $2),
  accepted_at = coalesce(d.accepted_at, clock_timestamp()),
  delivered_at = CASE WHEN $3 = 'delivered' THEN clock_timestamp() ELSE d.delivered_at END,
  state = CASE WHEN $3 = 'failed' THEN 'failed' ELSE 'accepted' END,
  error = CASE WHEN $3 = 'failed' THEN 'the network reports that the text did not arrive' END,
  finished_at = coalesce(d.finished_at, clock_timestamp())
WHERE d.operation_id = current_operation() AND d.delivery_id = $1 AND d.delivered_at IS NULL
  AND ($3::text = 'delivered' OR ($3 = 'accepted' AND d.accepted_at IS NULL)
       OR ($3 = 'failed' AND (d.state <> 'failed' OR d.accepted_at IS NULL)))
RETURNING d.alert_id

-- name: unreached
-- Who is silent and of whom no message is known to have arrived, in sight, with the farthest that
-- any message came and the last fault: the worst first, a page at a time. rank: 0 nothing was
-- made, 1 all failed, 2 nobody knows, 3 waits, 4 taken by a provider.
WITH sent AS (
  SELECT d.person_id, max(CASE WHEN d.accepted_at IS NOT NULL THEN 4
                               WHEN d.state IN ('queued', 'sending') THEN 3
                               WHEN d.state = 'unknown' THEN 2
                               ELSE 1 END) AS rank,
         bool_or(d.delivered_at IS NOT NULL OR d.seen_at IS NOT NULL) AS arrived,
         array_agg(DISTINCT d.channel ORDER BY d.channel) AS channels,
         (array_agg(d.error ORDER BY d.attempted_at DESC NULLS LAST)
            FILTER (WHERE d.error IS NOT NULL))[1] AS fault
  FROM delivery d
  WHERE d.operation_id = current_operation() AND d.alert_id = $1
    AND d.purpose IN ('alert', 'remind')
  GROUP BY d.person_id),
missing AS (
  SELECT ap.person_id, ap.area_id, ap.category, coalesce(ap.node_id, 0) AS node_id,
         coalesce(s.rank, 0) AS rank, coalesce(s.channels, '{}') AS channels, s.fault
  FROM alert_person ap LEFT JOIN sent s ON s.person_id = ap.person_id
  WHERE ap.operation_id = current_operation() AND ap.alert_id = $1
    AND ap.status = 'unaccounted' AND NOT coalesce(s.arrived, false)
    AND ($2::int[] IS NULL OR ap.area_id = ANY ($2))
    AND ($3::int[] IS NULL OR ap.person_id = ANY ($3)))
SELECT p.ref, p.name, m.category, a.code AS area_code, a.name AS area_name, m.rank, m.channels,
       m.fault, n.node, n.label, n.state AS branch, w.ref AS leader_ref, w.name AS leader_name,
       (SELECT c.phone FROM contact_point c WHERE c.operation_id = p.operation_id
          AND c.person_id = p.person_id ORDER BY c.rank LIMIT 1) AS phone
FROM missing m
JOIN person p ON p.operation_id = current_operation() AND p.person_id = m.person_id
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = m.area_id
LEFT JOIN alert_node n ON n.operation_id = p.operation_id AND n.alert_id = $1
  AND n.node_id = m.node_id
LEFT JOIN person w ON w.operation_id = p.operation_id
  AND w.person_id = (array_remove(ARRAY[n.warden_id], NULL) || n.alternates)[coalesce(n.charge, 0) + 1]
WHERE $4::int IS NULL OR (m.rank, p.ref) > ($4, $5::text)
ORDER BY m.rank, p.ref LIMIT $6

-- name: mark_receipt
-- Somebody said that something arrived by this way.
INSERT INTO channel_mark (operation_id, channel, route, receipt_at)
VALUES (current_operation(), $1, $2, clock_timestamp())
ON CONFLICT (operation_id, channel, route)
DO UPDATE SET receipt_at = excluded.receipt_at, unanswered = 0, unanswered_since = NULL

-- name: mark_inbound
-- Something came in this way.
INSERT INTO channel_mark (operation_id, channel, route, inbound_at)
VALUES (current_operation(), $1, $2, clock_timestamp())
ON CONFLICT (operation_id, channel, route) DO UPDATE SET inbound_at = excluded.inbound_at
