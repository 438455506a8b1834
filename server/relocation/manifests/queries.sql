-- name: leg
-- A leg, and the day its border is crossed, by the operation's clocks: by plan, or today.
SELECT l.leg_id, m.reach = 'outside' AS crosses,
       (coalesce(l.arrives_at, l.departs_at, clock_timestamp()) AT TIME ZONE o.timezone)::date
         AS crossing
FROM movement_leg l
JOIN operation o ON o.operation_id = l.operation_id
JOIN movement m ON m.operation_id = l.operation_id AND m.movement_id = l.movement_id
WHERE l.operation_id = current_operation() AND l.movement_id = $1 AND l.leg_id = $2

-- name: leg_of
-- The leg of a vehicle.
SELECT leg_id FROM movement_vehicle
WHERE operation_id = current_operation() AND movement_id = $1 AND vehicle_id = $2

-- name: vehicles
-- The vehicles of a leg, with whether the manifest is sealed.
SELECT v.vehicle_id, v.number, v.label, v.leg_id, v.seats, v.state, s.vehicle_id IS NOT NULL AS sealed
FROM movement_vehicle v
LEFT JOIN manifest_seal s ON s.operation_id = v.operation_id AND s.movement_id = v.movement_id
  AND s.vehicle_id = v.vehicle_id
WHERE v.operation_id = current_operation() AND v.movement_id = $1 AND v.leg_id = $2
ORDER BY v.number

-- name: riders
-- Everybody of a movement as a leg concerns her: her seat on it; whether she has one on another leg
-- of the same position; whether she rode it, such another or a later one. $3: only the households of
-- who sits, sat or rides on one vehicle of it.
WITH own AS (
  SELECT position FROM movement_leg
  WHERE operation_id = current_operation() AND movement_id = $1 AND leg_id = $2),
beside AS MATERIALIZED (
  SELECT l.leg_id, l.position = own.position AS same FROM movement_leg l, own
  WHERE l.operation_id = current_operation() AND l.movement_id = $1 AND l.position >= own.position),
homes AS MATERIALIZED (
  SELECT o.household_id FROM movement_person o
  WHERE o.operation_id = current_operation() AND o.movement_id = $1 AND $3::uuid IS NOT NULL
    AND (o.vehicle_id = $3 OR o.person_id IN (
      SELECT s.person_id FROM movement_seat s
      WHERE s.operation_id = current_operation() AND s.movement_id = $1 AND s.vehicle_id = $3
      UNION ALL
      SELECT coalesce(x.merged_into, x.person_id) FROM manifest_amendment c
      JOIN person x ON x.operation_id = c.operation_id AND x.person_id = c.person_id
      WHERE c.operation_id = current_operation() AND c.movement_id = $1 AND c.vehicle_id = $3)))
SELECT m.person_id, p.ref, p.name, m.household_id, h.ref AS household, m.area_id, a.code AS zone,
       m.category, m.stage, m.expected, m.vehicle_id AS rides, m.since,
       n.person_id IS NOT NULL AS medical, s.vehicle_id AS sits, s.seat, s.by_hand,
       EXISTS (SELECT FROM movement_seat o JOIN beside b ON b.leg_id = o.leg_id AND b.same
               WHERE o.operation_id = m.operation_id AND o.movement_id = m.movement_id
                 AND o.person_id = m.person_id AND o.leg_id <> $2) AS beside,
       EXISTS (SELECT FROM jsonb_array_elements(m.memory->'rides') r
               JOIN beside b ON b.leg_id::text = r->>1) AS rode,
       ARRAY(SELECT r->>0 FROM jsonb_array_elements(m.memory->'rides') r
             WHERE r->>0 IS NOT NULL AND r->>5 IS NOT NULL) AS came,
       t.held, t.expires_on
FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
JOIN person h ON h.operation_id = m.operation_id AND h.person_id = m.household_id
JOIN area a ON a.operation_id = m.operation_id AND a.area_id = m.area_id
LEFT JOIN movement_seat s ON s.operation_id = m.operation_id AND s.movement_id = m.movement_id
  AND s.leg_id = $2 AND s.person_id = m.person_id
LEFT JOIN medical_need n ON n.operation_id = m.operation_id AND n.movement_id = m.movement_id
  AND n.person_id = m.person_id
LEFT JOIN travel_paper t ON t.operation_id = m.operation_id AND t.person_id = m.person_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1
  AND ($3 IS NULL OR m.household_id IN (SELECT household_id FROM homes))
ORDER BY m.person_id

-- name: zones
-- Areas with all below, in the order they were named.
SELECT u.rank, a.code, area_and_below(a.area_id) AS area_id
FROM unnest($1::text[]) WITH ORDINALITY AS u (code, rank)
JOIN area a ON a.operation_id = current_operation() AND a.code = u.code
ORDER BY u.rank

-- name: splits
-- Households that may ride a leg apart.
SELECT household_id FROM movement_split
WHERE operation_id = current_operation() AND movement_id = $1 AND leg_id = $2

-- name: let_split
-- Some households may ride a leg apart from now on.
INSERT INTO movement_split (operation_id, movement_id, leg_id, household_id, actor)
SELECT current_operation(), $1, $2, u.household_id, $4
FROM unnest($3::int[]) AS u (household_id)
ON CONFLICT DO NOTHING

-- name: give
-- Gives seats.
INSERT INTO movement_seat (operation_id, movement_id, leg_id, person_id, vehicle_id, seat, by_hand,
                           actor)
SELECT current_operation(), $1, $2, u.person_id, u.vehicle_id, u.seat, $6, $7
FROM unnest($3::int[], $4::uuid[], $5::int[]) AS u (person_id, vehicle_id, seat)

-- name: take
-- Takes people's seats on a leg.
DELETE FROM movement_seat
WHERE operation_id = current_operation() AND movement_id = $1 AND leg_id = $2
  AND person_id = ANY ($3::int[])

-- name: seal
-- Seals a manifest.
INSERT INTO manifest_seal (operation_id, movement_id, vehicle_id, actor, list, sha256)
VALUES (current_operation(), $1, $2, $3, $4, $5)

-- name: sealed
-- The seal of a manifest.
SELECT s.sealed_at, actor_name(s.actor) AS sealer, s.list, s.sha256
FROM manifest_seal s
WHERE s.operation_id = current_operation() AND s.movement_id = $1 AND s.vehicle_id = $2

-- name: amend
-- Puts changes of a sealed manifest on record, before the seats change.
INSERT INTO manifest_amendment (operation_id, amendment_id, person_id, movement_id, vehicle_id,
                                what, seat, reason, actor, body_sha256)
SELECT current_operation(), $1, u.person_id, $2, $3, u.what, u.seat, $7, $8, $9
FROM unnest($4::int[], $5::text[], $6::int[]) AS u (person_id, what, seat)

-- name: amended
-- What was asked for under an id that is taken.
SELECT body_sha256 FROM manifest_amendment
WHERE operation_id = current_operation() AND amendment_id = $1 LIMIT 1

-- name: amendments
-- The changes of a sealed manifest, in order.
SELECT m.amendment_id, m.what, m.person_id, p.ref, p.name, m.seat, m.reason, m.at,
       actor_name(m.actor) AS amender
FROM manifest_amendment m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1 AND m.vehicle_id = $2
ORDER BY m.at, m.amendment_id, m.what DESC, m.seat

-- name: merged_refs
-- The refs of records that turned out to be one of some people.
SELECT ref FROM person
WHERE operation_id = current_operation() AND merged_into = ANY ($1::int[])

-- name: members
-- The people of a movement among some refs.
SELECT p.ref, m.person_id, m.area_id, m.household_id FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1 AND p.ref = ANY ($2::text[])

-- name: put_papers
-- What is known of people's papers.
INSERT INTO travel_paper AS t (operation_id, person_id, held, expires_on, actor)
SELECT current_operation(), u.person_id, u.held, u.expires_on, $4
FROM unnest($1::int[], $2::boolean[], $3::date[]) AS u (person_id, held, expires_on)
ORDER BY u.person_id
ON CONFLICT (operation_id, person_id) DO UPDATE
SET held = excluded.held, expires_on = excluded.expires_on, at = excluded.at, actor = excluded.actor

-- name: forget_papers
-- Nothing is known of some people's papers after all.
DELETE FROM travel_paper WHERE operation_id = current_operation() AND person_id = ANY ($1::int[])

-- name: put_medical
-- Some people go first in a movement.
INSERT INTO medical_need (operation_id, movement_id, person_id, actor)
SELECT current_operation(), $1, u.person_id, $3 FROM unnest($2::int[]) AS u (person_id)
ORDER BY u.person_id
ON CONFLICT DO NOTHING

-- name: drop_medical
-- Some people go first no more.
DELETE FROM medical_need
WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = ANY ($2::int[])

-- name: travellers_page
-- What is known of the people of a movement in sight, by name, a page at a time.
SELECT p.ref, p.name, t.held, t.expires_on, n.person_id IS NOT NULL AS medical, m.person_id
FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
LEFT JOIN travel_paper t ON t.operation_id = m.operation_id AND t.person_id = m.person_id
LEFT JOIN medical_need n ON n.operation_id = m.operation_id AND n.movement_id = m.movement_id
  AND n.person_id = m.person_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1
  AND ($2::int[] IS NULL OR m.area_id = ANY ($2))
  AND ($3::int[] IS NULL OR m.person_id = ANY ($3))
  AND ($4::text IS NULL OR p.name ILIKE '%' || $4 || '%' OR p.ref ILIKE '%' || $4 || '%')
  AND ($5::text IS NULL OR t.held IS NULL)
  AND ($6::text IS NULL OR (p.name, p.person_id) > ($6, $7::int))
ORDER BY p.name, p.person_id LIMIT $8

-- name: travellers
-- What is known of some people.
SELECT p.ref, p.name, t.held, t.expires_on, n.person_id IS NOT NULL AS medical
FROM person p
LEFT JOIN travel_paper t ON t.operation_id = p.operation_id AND t.person_id = p.person_id
LEFT JOIN medical_need n ON n.operation_id = p.operation_id AND n.movement_id = $1
  AND n.person_id = p.person_id
WHERE p.operation_id = current_operation() AND p.person_id = ANY ($2::int[])
ORDER BY p.ref
