-- All SQL of people but the roster import's, the tree's and the presences', each beside its own.

-- name: areas
-- A page of areas by code. $1: only these ids (null: all); $2: after this code; $3: how many.
SELECT a.area_id, a.code, a.name, p.code AS parent, a.parent_id, a.kind, a.lat, a.lon
FROM area a
LEFT JOIN area p ON p.operation_id = a.operation_id AND p.area_id = a.parent_id
WHERE a.operation_id = current_operation()
  AND ($1::int[] IS NULL OR a.area_id = ANY ($1))
  AND ($2::text IS NULL OR a.code > $2)
ORDER BY a.code LIMIT $3

-- name: agencies
-- A page of agencies by name. $1: after this name; $2: how many.
SELECT name FROM agency
WHERE operation_id = current_operation() AND ($1::text IS NULL OR name > $1)
ORDER BY name LIMIT $2

-- name: people
-- A page of people by name, then ref. $1: only these areas, $2: only these people (null: all);
-- $3: an area with all below; $4: text in name or ref, any script and case; $5: digits in a
-- number; $6, $7: after this name and ref; $8: how many.
WITH found AS MATERIALIZED (
  SELECT p.person_id, p.name, p.ref FROM person p
  WHERE p.operation_id = current_operation() AND p.merged_into IS NULL
    AND ($1::int[] IS NULL OR p.area_id = ANY ($1))
    AND ($2::int[] IS NULL OR p.person_id = ANY ($2))
    AND ($3::int IS NULL OR p.area_id IN (SELECT area_and_below($3)))
    AND ($4::text IS NULL
         OR strpos(casefold(p.name COLLATE pg_unicode_fast),
                   casefold($4 COLLATE pg_unicode_fast)) > 0
         OR strpos(casefold(p.ref COLLATE pg_unicode_fast),
                   casefold($4 COLLATE pg_unicode_fast)) > 0
         OR ($5::text IS NOT NULL AND EXISTS (
               SELECT FROM contact_point c
               WHERE c.operation_id = p.operation_id AND c.person_id = p.person_id
                 AND strpos(c.phone, $5) > 0)))
    AND ($6::text IS NULL OR (p.name, p.ref) > ($6, $7::text))
  ORDER BY p.name, p.ref LIMIT $8)
SELECT p.ref, p.name, p.category, p.kind, a.code AS area, g.name AS agency, s.ref AS sponsor,
       (SELECT count(*)::int FROM device d
        WHERE d.operation_id = p.operation_id AND d.person_id = p.person_id
          AND d.revoked_at IS NULL) AS devices
FROM found f
JOIN person p ON p.operation_id = current_operation() AND p.person_id = f.person_id
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
JOIN agency g ON g.operation_id = p.operation_id AND g.agency_id = p.agency_id
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
ORDER BY p.name, p.ref

-- name: person
-- One person by ref, with what it takes to decide who may see or answer for her.
SELECT p.person_id, p.ref, p.name, p.category, p.kind, p.area_id, p.sponsor_id, p.language,
       p.email, p.updated_at, a.code AS area, a.name AS area_name, g.name AS agency,
       s.ref AS sponsor
FROM person p
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
JOIN agency g ON g.operation_id = p.operation_id AND g.agency_id = p.agency_id
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
WHERE p.operation_id = current_operation() AND p.merged_into IS NULL AND p.ref = $1

-- name: me
-- A phone's person in words, with the operation and the database's time: one round trip.
SELECT p.person_id, p.ref, p.name, p.category, p.sponsor_id, p.language, a.code AS area,
       a.name AS area_name, g.name AS agency, o.code AS operation, o.name AS operation_name,
       o.timezone, clock_timestamp() AS now,
       EXISTS (SELECT FROM person_pin n WHERE n.operation_id = p.operation_id
                 AND n.person_id = p.person_id) AS pin_set
FROM person p
JOIN operation o ON o.operation_id = p.operation_id
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
JOIN agency g ON g.operation_id = p.operation_id AND g.agency_id = p.agency_id
WHERE p.operation_id = current_operation() AND p.merged_into IS NULL AND p.person_id = $1

-- name: people_by_ref
-- The same for many refs at once, without the words.
SELECT person_id, ref, name, category, area_id, agency_id, sponsor_id FROM person
WHERE operation_id = current_operation() AND merged_into IS NULL AND ref = ANY ($1::text[])

-- name: phones
-- A person's numbers, the first tried first.
SELECT phone FROM contact_point
WHERE operation_id = current_operation() AND person_id = $1 ORDER BY rank

-- name: devices
-- A person's live devices and whether each can be woken.
SELECT d.device_id, d.platform, d.created_at, c.last_seen_at, a.kind AS push,
       a.dead_at, a.delivered_at
FROM device d
LEFT JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
LEFT JOIN LATERAL (
  SELECT max(last_seen_at) AS last_seen_at FROM credential c
  WHERE c.operation_id = d.operation_id AND c.device_id = d.device_id
    AND c.revoked_at IS NULL) c ON true
WHERE d.operation_id = current_operation() AND d.person_id = $1 AND d.revoked_at IS NULL
ORDER BY d.created_at, d.device_id

-- name: family_of
-- The members of a sponsor's family, the sponsor first.
SELECT person_id, ref, name, category, sponsor_id FROM person
WHERE operation_id = current_operation() AND merged_into IS NULL
  AND (person_id = $1 OR sponsor_id = $1)
ORDER BY sponsor_id NULLS FIRST, name, ref

-- name: area_by_code
-- An area's id.
SELECT area_id FROM area WHERE operation_id = current_operation() AND code = $1

-- name: agency_by_name
-- An agency's id by its name in any case.
SELECT agency_id FROM agency
WHERE operation_id = current_operation()
  AND casefold(name COLLATE pg_unicode_fast) = casefold($1 COLLATE pg_unicode_fast)

-- name: add_agency
-- A new agency, or the one of that name.
INSERT INTO agency (operation_id, name) VALUES (current_operation(), $1)
ON CONFLICT (operation_id, name) DO UPDATE SET name = excluded.name RETURNING agency_id

-- name: hold_roster
-- Lets one change of the roster run at a time in an operation.
SELECT pg_advisory_xact_lock(43, current_operation())

-- name: add_person
-- A person added by hand.
INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, language, email,
                    sponsor_id)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (operation_id, ref) DO NOTHING
RETURNING person_id

-- name: add_phones
-- Her numbers, by rank from 1.
INSERT INTO contact_point (operation_id, person_id, rank, phone)
SELECT current_operation(), $1, n, phone
FROM unnest($2::text[]) WITH ORDINALITY AS u (phone, n)

-- name: holders_of_phones
-- Whose numbers these are already.
SELECT c.phone, p.ref, p.person_id, p.sponsor_id FROM contact_point c
JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
WHERE c.operation_id = current_operation() AND c.phone = ANY ($1::text[])
  AND p.merged_into IS NULL

-- name: audit
-- Who did what, in the transaction of the act.
INSERT INTO audit (operation_id, actor, action, subject, detail)
VALUES (current_operation(), $1, $2, $3, $4::text::jsonb)

-- name: operation
-- The running operation itself.
SELECT operation_id, code, name, timezone, region FROM operation
WHERE operation_id = current_operation()

-- name: find_operation
-- An operation by its code, from outside any operation.
SELECT operation_id, code, name, timezone, region FROM find_operation($1)

-- name: add_operation
-- A new operation and its stream. Only the owner of the schema may.
SELECT add_operation($1, $2, $3, $4)

-- name: add_operator
-- A person of the desk, or a warden's console account.
INSERT INTO operator (operation_id, name, role, area_id, person_id)
VALUES (current_operation(), $1, $2, $3, $4) RETURNING operator_id

-- name: operator
-- A live operator with her scope in words.
SELECT o.operator_id, o.name, o.role, a.code AS area, p.ref AS person
FROM operator o
LEFT JOIN area a ON a.operation_id = o.operation_id AND a.area_id = o.area_id
LEFT JOIN person p ON p.operation_id = o.operation_id AND p.person_id = o.person_id
WHERE o.operation_id = current_operation() AND o.operator_id = $1 AND o.revoked_at IS NULL

-- name: operators
-- The live operators by name.
SELECT o.operator_id, o.name, o.role, a.code AS area, p.ref AS person
FROM operator o
LEFT JOIN area a ON a.operation_id = o.operation_id AND a.area_id = o.area_id
LEFT JOIN person p ON p.operation_id = o.operation_id AND p.person_id = o.person_id
WHERE o.operation_id = current_operation() AND o.revoked_at IS NULL
ORDER BY o.name, o.operator_id

-- name: add_credential
-- A secret's digest. $5: seconds it lives (null: until revoked).
INSERT INTO credential (operation_id, token_sha256, kind, device_id, operator_id, expires_at)
VALUES (current_operation(), $1, $2, $3, $4,
        clock_timestamp() + $5::float8 * interval '1 second')

-- name: use_login_code
-- Spends a one-time code; returns nothing if it is spent or over.
UPDATE credential SET revoked_at = clock_timestamp()
WHERE operation_id = current_operation() AND token_sha256 = $1 AND kind = 'login'
  AND revoked_at IS NULL AND expires_at > clock_timestamp()
RETURNING operator_id

-- name: revoke_credential
-- Ends one secret.
UPDATE credential SET revoked_at = clock_timestamp()
WHERE operation_id = current_operation() AND token_sha256 = $1 AND revoked_at IS NULL

-- name: revoke_device_credentials
-- Ends all secrets of a device; returns their digests.
UPDATE credential SET revoked_at = clock_timestamp()
WHERE operation_id = current_operation() AND device_id = $1 AND revoked_at IS NULL
RETURNING token_sha256

-- name: principal
-- Who stands behind one token, of whatever operation and kind.
SELECT operation_id, kind, operator_id FROM principals(ARRAY[$1::bytea])

-- name: answers_beyond
-- Whether a person is warden or alternate of a node outside some nodes and all below them: her
-- phone's token would carry more than its issuer's own.
SELECT EXISTS (SELECT nodes_of_warden($1) EXCEPT SELECT node_and_below($2::int[]))

-- name: attached
-- Whether a warden attached a person to a zone, and that is not over.
SELECT EXISTS (
  SELECT FROM presence r
  WHERE r.operation_id = current_operation() AND r.person_id = $1
    AND r.until_at > clock_timestamp()
    AND (starts_with(r.source, 'device:') OR r.source IN (
      SELECT 'operator:' || o.operator_id FROM operator o
      WHERE o.operation_id = current_operation() AND o.role = 'warden')))

-- name: add_enrolment
-- A code for one person. $5: seconds it lives, by the database's clock.
INSERT INTO enrolment (operation_id, person_id, code_sha256, printed, created_by, expires_at)
VALUES (current_operation(), $1, $2, $3, $4,
        clock_timestamp() + $5::float8 * interval '1 second')
ON CONFLICT (code_sha256) DO NOTHING
RETURNING enrolment_id, expires_at

-- name: operation_of_enrolment
-- Which operation a code belongs to.
SELECT operation_of_enrolment($1)

-- name: enrolment_by_code
-- The enrolment of a code, locked: one phone at a time.
SELECT e.enrolment_id, e.person_id, e.device_id, e.used_at,
       e.revoked_at IS NOT NULL AS revoked,
       e.expires_at <= clock_timestamp() AS expired,
       coalesce(e.used_at > clock_timestamp() - interval '10 minutes', false) AS just_used,
       p.ref, p.name, p.merged_into
FROM enrolment e
JOIN person p ON p.operation_id = e.operation_id AND p.person_id = e.person_id
WHERE e.operation_id = current_operation() AND e.code_sha256 = $1
FOR UPDATE OF e

-- name: enrolment
-- An enrolment and whose it is.
SELECT e.enrolment_id, e.person_id, p.area_id, e.used_at, e.revoked_at FROM enrolment e
JOIN person p ON p.operation_id = e.operation_id AND p.person_id = e.person_id
WHERE e.operation_id = current_operation() AND e.enrolment_id = $1
FOR UPDATE OF e

-- name: revoke_enrolment
-- Withdraws a code that was not used.
UPDATE enrolment SET revoked_at = coalesce(revoked_at, clock_timestamp())
WHERE operation_id = current_operation() AND enrolment_id = $1

-- name: use_enrolment
-- Spends a code on a device.
UPDATE enrolment SET used_at = clock_timestamp(), device_id = $2
WHERE operation_id = current_operation() AND enrolment_id = $1

-- name: device
-- A device by id.
SELECT device_id, person_id, sms_id5, revoked_at FROM device
WHERE operation_id = current_operation() AND device_id = $1

-- name: add_device
-- A device; nothing is returned where its id or its SMS id is taken.
INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
VALUES (current_operation(), $1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING device_id

-- name: rekey_device
-- A device's new platform and SMS key, after its answer was lost.
UPDATE device SET platform = $2, sms_key = $3
WHERE operation_id = current_operation() AND device_id = $1

-- name: revoke_device
-- Forgets a device.
UPDATE device SET revoked_at = coalesce(revoked_at, clock_timestamp())
WHERE operation_id = current_operation() AND device_id = $1

-- name: put_push
-- Where a device can be woken from now on; an earlier silence is over.
INSERT INTO push_address (operation_id, device_id, kind, address)
VALUES (current_operation(), $1, $2, $3)
ON CONFLICT (operation_id, device_id) DO UPDATE
SET kind = excluded.kind, address = excluded.address, updated_at = clock_timestamp(),
    dead_at = NULL, dead_reason = NULL
WHERE (push_address.kind, push_address.address) IS DISTINCT FROM (excluded.kind, excluded.address)
   OR push_address.dead_at IS NOT NULL

-- name: drop_push
-- Forgets where a device could be woken.
DELETE FROM push_address WHERE operation_id = current_operation() AND device_id = $1

-- name: open_alerts
-- The open alerts that hold a person, newest first, with the database's time.
SELECT a.alert_id, a.kind, a.severity, a.title, a.body, a.exercise, a.state, a.opened_at,
       a.expires_at
FROM alert_person ap
JOIN alert a ON a.operation_id = ap.operation_id AND a.alert_id = ap.alert_id
WHERE ap.operation_id = current_operation() AND ap.person_id = $1 AND a.state = 'open'
  AND (a.expires_at IS NULL OR a.expires_at > clock_timestamp())
ORDER BY a.opened_at DESC, a.alert_id

-- name: own_watches
-- The watches of a person that have not ended, by their deadline.
SELECT w.watch_id AS id, w.kind, w.state, w.due_at, w.grace_s, w.interval_s, w.round, w.late,
       w.reminded_at, w.overdue_at, w.note
FROM watch w
WHERE w.operation_id = current_operation() AND w.person_id = $1 AND w.ended_at IS NULL
ORDER BY w.due_at, w.watch_id LIMIT 100

-- name: own_movements
-- The movements some people are in that have not ended, newest first.
SELECT m.movement_id AS id, m.kind, m.reach, m.title, m.exercise, m.state
FROM movement m
WHERE m.operation_id = current_operation() AND m.state IN ('planned', 'active')
  AND m.movement_id IN (SELECT p.movement_id FROM movement_person p
                        WHERE p.operation_id = current_operation() AND p.person_id = ANY ($1::int[]))
ORDER BY m.created_at DESC, m.movement_id LIMIT 100

-- name: own_movers
-- Where some people stand in movements, the first of them first; while reports of one contradict each
-- other, how.
SELECT p.movement_id, p.person_id, r.ref, r.name, p.stage, v.number AS vehicle_no,
       v.label AS vehicle, v.leg_id, p.point_id, o.name AS point, p.since,
       coalesce(s.late, false) AS late,
       CASE WHEN p.stage = 'in_question' THEN (
         SELECT c.kind FROM movement_conflict c
         WHERE c.operation_id = p.operation_id AND c.movement_id = p.movement_id
           AND c.person_id = p.person_id AND c.state = 'open'
         ORDER BY c.found_at DESC, c.conflict_id LIMIT 1) END AS question
FROM movement_person p
JOIN person r ON r.operation_id = p.operation_id AND r.person_id = p.person_id
LEFT JOIN movement_vehicle v ON v.operation_id = p.operation_id
  AND v.movement_id = p.movement_id AND v.vehicle_id = p.vehicle_id
LEFT JOIN movement_point o ON o.operation_id = p.operation_id
  AND o.movement_id = p.movement_id AND o.point_id = p.point_id
LEFT JOIN stage_report s ON s.operation_id = p.operation_id AND s.report_id = p.report_id
WHERE p.operation_id = current_operation() AND p.movement_id = ANY ($1::uuid[])
  AND p.person_id = ANY ($2::int[])
ORDER BY p.person_id <> ($2::int[])[1], r.ref

-- name: own_seats
-- The seats of some people in movements, in the order of the legs; none on a withdrawn vehicle.
SELECT s.movement_id, s.person_id, s.leg_id, v.number AS vehicle_no, v.label AS vehicle, s.seat
FROM movement_seat s
JOIN movement_vehicle v ON v.operation_id = s.operation_id
  AND v.movement_id = s.movement_id AND v.vehicle_id = s.vehicle_id
JOIN movement_leg l ON l.operation_id = s.operation_id
  AND l.movement_id = s.movement_id AND l.leg_id = s.leg_id
WHERE s.operation_id = current_operation() AND s.movement_id = ANY ($1::uuid[])
  AND s.person_id = ANY ($2::int[])
  AND v.state <> 'withdrawn'
ORDER BY l.position, v.number

-- name: own_legs
-- The legs of movements in order, without those that are side by side with the ones where all of
-- some people have a seat.
SELECT l.movement_id, l.leg_id, l.kind, l.position, l.start_id, a.name AS start_name,
       a.kind = 'safe_haven' AS start_haven, l.end_id, b.name AS end_name,
       b.kind = 'safe_haven' AS end_haven, l.departs_at, l.arrives_at, l.state
FROM movement_leg l
JOIN movement_point a ON a.operation_id = l.operation_id AND a.movement_id = l.movement_id
                     AND a.point_id = l.start_id
JOIN movement_point b ON b.operation_id = l.operation_id AND b.movement_id = l.movement_id
                     AND b.point_id = l.end_id
WHERE l.operation_id = current_operation() AND l.movement_id = ANY ($1::uuid[])
  AND l.state <> 'withdrawn'
  AND (EXISTS (
      SELECT FROM movement_seat s
      JOIN movement_vehicle v ON v.operation_id = s.operation_id
        AND v.movement_id = s.movement_id AND v.vehicle_id = s.vehicle_id
      WHERE s.operation_id = l.operation_id AND s.movement_id = l.movement_id
        AND s.leg_id = l.leg_id AND s.person_id = ANY ($2::int[]) AND v.state <> 'withdrawn')
    OR EXISTS (
      SELECT FROM movement_person p
      JOIN movement_vehicle v ON v.operation_id = p.operation_id
        AND v.movement_id = p.movement_id AND v.vehicle_id = p.vehicle_id
      WHERE p.operation_id = l.operation_id AND p.movement_id = l.movement_id
        AND p.person_id = ANY ($2::int[]) AND v.leg_id = l.leg_id)
    OR EXISTS (
      SELECT FROM movement_person p WHERE p.operation_id = l.operation_id
        AND p.movement_id = l.movement_id AND p.person_id = ANY ($2::int[])
        AND NOT EXISTS (
          SELECT FROM movement_seat s
          JOIN movement_leg x ON x.operation_id = s.operation_id
            AND x.movement_id = s.movement_id AND x.leg_id = s.leg_id
          JOIN movement_vehicle v ON v.operation_id = s.operation_id
            AND v.movement_id = s.movement_id AND v.vehicle_id = s.vehicle_id
          WHERE s.operation_id = p.operation_id AND s.movement_id = p.movement_id
            AND s.person_id = p.person_id AND x.position = l.position
            AND v.state <> 'withdrawn')))
ORDER BY l.position, l.leg_id LIMIT 200

-- name: own_checks
-- The movements a person checks that have not ended, newest first.
SELECT m.movement_id AS id, m.title, m.exercise, m.state
FROM movement_checker c
JOIN movement m ON m.operation_id = c.operation_id AND m.movement_id = c.movement_id
WHERE c.operation_id = current_operation() AND c.person_id = $1 AND c.ended_at IS NULL
  AND m.state IN ('preparing', 'planned', 'active')
ORDER BY m.created_at DESC, m.movement_id LIMIT 100

-- name: answers
-- The latest answers of some people in some alerts; people who have not answered are silent.
SELECT ap.alert_id, ap.person_id, ap.status, ap.event_at, ap.received_at
FROM alert_person ap
WHERE ap.operation_id = current_operation() AND ap.alert_id = ANY ($1::uuid[])
  AND ap.person_id = ANY ($2::int[])

-- name: branch
-- The first node a person answers for.
SELECT n.node, n.label FROM tree_node n
WHERE n.operation_id = current_operation() AND n.node_id IN (SELECT nodes_of_warden($1))
ORDER BY n.node LIMIT 1

-- name: branch_size
-- How many people_of_nodes a person has under all her nodes. Each step is held to its index
-- (OFFSET 0): thousands of wardens ask after a reconnect, most for a handful of people.
WITH node AS MATERIALIZED (
  SELECT n.node_id, n.area_id, n.warden_id,
         EXISTS (SELECT FROM tree_member m
                 WHERE m.operation_id = current_operation() AND m.node_id = n.node_id) AS named
  FROM (SELECT node_and_below(ARRAY(SELECT nodes_of_warden($1))) AS node_id) own
  CROSS JOIN LATERAL (
    SELECT t.node_id, t.area_id, t.warden_id FROM tree_node t
    WHERE t.operation_id = current_operation() AND t.node_id = own.node_id OFFSET 0) n),
own_area AS MATERIALIZED (
  SELECT DISTINCT below.area_id
  FROM node n CROSS JOIN LATERAL area_and_below(n.area_id) AS below (area_id)
  WHERE NOT n.named AND n.area_id IS NOT NULL),
direct AS MATERIALIZED (
  SELECT m.person_id FROM node n CROSS JOIN LATERAL (
    SELECT t.person_id FROM tree_member t
    WHERE t.operation_id = current_operation() AND t.node_id = n.node_id OFFSET 0) m
  UNION
  SELECT p.person_id FROM own_area a CROSS JOIN LATERAL (
    SELECT t.person_id FROM person t
    WHERE t.operation_id = current_operation() AND t.area_id = a.area_id OFFSET 0) p
  UNION
  SELECT v.person_id FROM own_area a CROSS JOIN LATERAL (
    SELECT r.person_id, r.from_at, r.presence_id FROM presence r
    WHERE r.operation_id = current_operation() AND r.area_id = a.area_id
      AND r.until_at > clock_timestamp() AND r.from_at <= clock_timestamp() OFFSET 0) v
  WHERE NOT EXISTS (  -- as expected_now(): of several the one that began last
    SELECT FROM presence o
    WHERE o.operation_id = current_operation() AND o.person_id = v.person_id
      AND o.area_id IS NOT NULL
      AND o.until_at > clock_timestamp() AND o.from_at <= clock_timestamp()
      AND (o.from_at > v.from_at OR (o.from_at = v.from_at AND o.presence_id < v.presence_id)))
  UNION
  SELECT warden_id FROM node WHERE warden_id IS NOT NULL
  UNION
  SELECT a.person_id FROM node n CROSS JOIN LATERAL (
    SELECT t.person_id FROM tree_alternate t
    WHERE t.operation_id = current_operation() AND t.node_id = n.node_id OFFSET 0) a)
SELECT count(DISTINCT p.person_id)::int FROM direct d CROSS JOIN LATERAL (
  SELECT t.person_id FROM person t
  WHERE t.operation_id = current_operation() AND t.person_id = d.person_id
    AND t.merged_into IS NULL
  UNION ALL
  SELECT f.person_id FROM person f
  WHERE f.operation_id = current_operation() AND f.sponsor_id = d.person_id
    AND f.merged_into IS NULL
  OFFSET 0) p

-- name: nearby_help
-- Who near a person calls for help, while it lasts: whom she was told of, how far off she was then,
-- and what number to call. Never a place.
SELECT h.panic_id, p.name, h.distance_m, c.event_at AS since, s.desk_phone
FROM panic_helper h
JOIN panic c ON c.operation_id = h.operation_id AND c.panic_id = h.panic_id
JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
LEFT JOIN panic_setting s ON s.operation_id = c.operation_id
WHERE h.operation_id = current_operation() AND h.person_id = $1 AND c.counts
  AND c.state IN ('open', 'acknowledged') AND c.person_id <> h.person_id
ORDER BY h.distance_m, h.panic_id

-- name: own_panic
-- A person's panic while it lasts; a covert one only to the phone it was raised by, one under duress
-- to none.
SELECT c.panic_id AS id, c.state, o.name AS owner, c.event_at, c.covert FROM panic c
LEFT JOIN operator o ON o.operation_id = c.operation_id AND o.operator_id = c.owner_id
WHERE c.operation_id = current_operation() AND c.person_id = $1 AND NOT c.duress
  AND c.state IN ('open', 'acknowledged') AND (NOT c.covert OR c.raised_by = $2)

-- name: own_panic_end
-- How a person's newest panic of the last day ended, to whom own_panic showed it.
SELECT c.panic_id AS id, c.state, c.outcome, c.ended_at FROM panic c
WHERE c.operation_id = current_operation() AND c.person_id = $1 AND NOT c.duress
  AND c.ended_at > clock_timestamp() - interval '1 day' AND (NOT c.covert OR c.raised_by = $2)
ORDER BY c.received_at DESC, c.panic_id LIMIT 1

-- name: labels
-- The outside names of areas and agencies.
SELECT 'area' AS kind, area_id AS id, code AS key, name AS label FROM area
UNION ALL
SELECT 'agency', agency_id, name, name FROM agency
