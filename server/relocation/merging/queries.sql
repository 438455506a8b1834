-- name: hold_movements
-- The movements that hold a person, their rows held until the commit.
SELECT m.movement_id FROM movement m
WHERE m.operation_id = current_operation() AND EXISTS (
  SELECT FROM movement_person p WHERE p.operation_id = m.operation_id
    AND p.movement_id = m.movement_id AND p.person_id = $1)
ORDER BY m.movement_id FOR NO KEY UPDATE

-- name: clock
-- The database's time.
SELECT clock_timestamp()

-- name: put_in_place
-- Puts the person who remains in another's place, where the movement does not hold her already; yet
-- to be read of her reports.
INSERT INTO movement_person (operation_id, movement_id, person_id, area_id, agency_id, category,
                             parity, household_id, expected, added, unresolved)
SELECT o.operation_id, o.movement_id, p.person_id, o.area_id, p.agency_id, p.category,
       parity_of(p.category, s.category), coalesce(p.sponsor_id, p.person_id), o.expected, o.added,
       o.unresolved
FROM movement_person o
JOIN person p ON p.operation_id = o.operation_id AND p.person_id = $3
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
WHERE o.operation_id = current_operation() AND o.movement_id = $1 AND o.person_id = $2
ON CONFLICT DO NOTHING
RETURNING area_id, agency_id, category

-- name: take_out
-- Takes the other record out.
DELETE FROM movement_person
WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = $2

-- name: move_household
-- Whose household was the other's is the person's now.
UPDATE movement_person SET household_id = $3
WHERE operation_id = current_operation() AND movement_id = $1 AND household_id = $2

-- name: move_conflicts
-- Contradictions of the other record are the person's.
UPDATE movement_conflict SET person_id = $3
WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = $2

-- name: move_codes
-- Texts with the other record's code are the person's.
UPDATE movement_code SET person_id = $3
WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = $2

-- name: seats
-- The seats of two people in a movement, and whether their manifests are sealed.
SELECT s.person_id, s.leg_id, s.vehicle_id, s.seat, s.by_hand, m.vehicle_id IS NOT NULL AS sealed
FROM movement_seat s
LEFT JOIN manifest_seal m ON m.operation_id = s.operation_id AND m.movement_id = s.movement_id
  AND m.vehicle_id = s.vehicle_id
WHERE s.operation_id = current_operation() AND s.movement_id = $1
  AND s.person_id = ANY ($2::int[])
ORDER BY s.leg_id, s.person_id

-- name: leave_seat
-- Frees a seat.
DELETE FROM movement_seat
WHERE operation_id = current_operation() AND movement_id = $1 AND leg_id = $2 AND person_id = $3

-- name: take_seat
-- Gives a seat.
INSERT INTO movement_seat (operation_id, movement_id, leg_id, person_id, vehicle_id, seat, by_hand,
                           actor)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7)

-- name: amend
-- What changes under a seal.
INSERT INTO manifest_amendment (operation_id, amendment_id, person_id, movement_id, vehicle_id,
                                what, seat, reason, actor, body_sha256)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, '')

-- name: move_medical
-- Who goes first for a medical need.
WITH gone AS (
  DELETE FROM medical_need
  WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = $2
  RETURNING at, actor)
INSERT INTO medical_need (operation_id, movement_id, person_id, at, actor)
SELECT current_operation(), $1, $3, at, actor FROM gone
ON CONFLICT DO NOTHING

-- name: move_functions
-- Who keeps critical work, and the deputies.
UPDATE movement_function SET
  keeper_id = CASE WHEN keeper_id = $1 THEN $2 ELSE keeper_id END,
  deputies = array_replace(deputies, $1, $2)
WHERE operation_id = current_operation() AND (keeper_id = $1 OR $1 = ANY (deputies))

-- name: move_papers
-- Of what was said of two records' papers that stays which was said last.
WITH gone AS (
  DELETE FROM travel_paper WHERE operation_id = current_operation() AND person_id = $1
  RETURNING held, expires_on, at, actor)
INSERT INTO travel_paper AS t (operation_id, person_id, held, expires_on, at, actor)
SELECT current_operation(), $2, held, expires_on, at, actor FROM gone
ON CONFLICT (operation_id, person_id) DO UPDATE
SET held = excluded.held, expires_on = excluded.expires_on, at = excluded.at, actor = excluded.actor
WHERE t.at < excluded.at

-- name: move_checks
-- Movements that the other record checked.
WITH gone AS (
  DELETE FROM movement_checker WHERE operation_id = current_operation() AND person_id = $1
  RETURNING movement_id, named_at, named_by, ended_at, ended_by)
INSERT INTO movement_checker AS c (operation_id, movement_id, person_id, named_at, named_by,
                                   ended_at, ended_by)
SELECT current_operation(), movement_id, $2, named_at, named_by, ended_at, ended_by FROM gone
ON CONFLICT (operation_id, movement_id, person_id) DO UPDATE
SET ended_at = NULL, ended_by = NULL WHERE excluded.ended_at IS NULL
