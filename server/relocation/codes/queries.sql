-- name: keys
-- The keys that codes of this operation are signed with, the newest last.
SELECT key_id, public, sealed FROM code_key WHERE operation_id = current_operation() ORDER BY key_id

-- name: add_key
-- The operation's first key; of several at once one is kept.
INSERT INTO code_key (operation_id, key_id, public, sealed)
VALUES (current_operation(), 1, $1, $2)
ON CONFLICT DO NOTHING

-- name: hold_handle
-- A person's handle, made where she has none; held until the commit.
INSERT INTO code_handle AS h (operation_id, person_id, handle)
VALUES (current_operation(), $1, $2)
ON CONFLICT (operation_id, person_id) DO NOTHING

-- name: handle
-- A person's handle; her codes are held until the commit.
WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(50, $1))
SELECT h.handle FROM held, code_handle h
WHERE h.operation_id = current_operation() AND h.person_id = $1

-- name: last_code
-- The last code of a person, good or revoked.
SELECT counter, issued_at, revoked_at FROM person_code
WHERE operation_id = current_operation() AND person_id = $1 ORDER BY counter DESC LIMIT 1

-- name: add_code
-- The next code of a person.
INSERT INTO person_code (operation_id, person_id, counter, issued_by)
VALUES (current_operation(), $1, $2, $3)

-- name: revoke
-- Her code is good no more.
UPDATE person_code SET revoked_at = clock_timestamp(), revoked_by = $2
WHERE operation_id = current_operation() AND person_id = $1 AND revoked_at IS NULL

-- name: household
-- A person and her family, herself first.
SELECT person_id, ref, name FROM person
WHERE operation_id = current_operation() AND merged_into IS NULL
  AND (person_id = $1 OR sponsor_id = $1)
ORDER BY sponsor_id NULLS FIRST, ref

-- name: spoken_for
-- Whose codes some are, by the ref of then and of now, and when they were revoked.
SELECT h.handle, c.counter, coalesce(r.person_id, p.person_id) AS person_id, p.ref,
       coalesce(r.ref, p.ref) AS now, c.revoked_at
FROM unnest($1::bytea[], $2::int[]) AS u (handle, counter)
JOIN code_handle h ON h.operation_id = current_operation() AND h.handle = u.handle
JOIN person_code c ON c.operation_id = h.operation_id AND c.person_id = h.person_id
                  AND c.counter = u.counter
JOIN person p ON p.operation_id = h.operation_id AND p.person_id = h.person_id
LEFT JOIN person r ON r.operation_id = p.operation_id AND r.person_id = p.merged_into

-- name: renamed
-- Of some refs, those of merged records, and the ref of the person who remains.
SELECT p.ref, r.ref AS now FROM person p
JOIN person r ON r.operation_id = p.operation_id AND r.person_id = p.merged_into
WHERE p.operation_id = current_operation() AND p.ref = ANY ($1::text[])

-- name: clock
-- The time that counts.
SELECT clock_timestamp()

-- name: checks
-- The movements somebody checks or checked, and until when.
SELECT movement_id, ended_at FROM movement_checker
WHERE operation_id = current_operation() AND person_id = $1 AND movement_id = ANY ($2::uuid[])

-- name: name_checker
-- Somebody checks a movement, from now on or again.
INSERT INTO movement_checker AS c (operation_id, movement_id, person_id, named_by)
VALUES (current_operation(), $1, $2, $3)
ON CONFLICT (operation_id, movement_id, person_id) DO UPDATE
SET ended_at = NULL, ended_by = NULL WHERE c.ended_at IS NOT NULL
RETURNING true

-- name: end_checker
-- Somebody checks it no more.
UPDATE movement_checker SET ended_at = clock_timestamp(), ended_by = $3
WHERE operation_id = current_operation() AND movement_id = $1 AND person_id = $2
  AND ended_at IS NULL
RETURNING true

-- name: checkers
-- Who checks a movement.
SELECT p.ref, p.name, c.named_at, actor_name(c.named_by) AS namer
FROM movement_checker c
JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
WHERE c.operation_id = current_operation() AND c.movement_id = $1 AND c.ended_at IS NULL
ORDER BY p.name, p.ref

-- name: movement
-- What a checker must know of a movement that she checks.
SELECT m.title, m.exercise, m.state, clock_timestamp() AS as_of
FROM movement_checker c
JOIN movement m ON m.operation_id = c.operation_id AND m.movement_id = c.movement_id
WHERE c.operation_id = current_operation() AND c.movement_id = $1 AND c.person_id = $2
  AND c.ended_at IS NULL

-- name: list
-- Everybody of a movement, with her handle, her good code's counter, where she stands and her
-- seats; or only of one vehicle: seated or known to be aboard.
SELECT h.handle, c.counter, p.ref, p.name, m.category, s.ref AS household, m.stage,
       v.number AS vehicle_no, m.point_id,
       ARRAY(SELECT w.number FROM movement_seat x
             JOIN movement_vehicle w ON w.operation_id = x.operation_id
               AND w.movement_id = x.movement_id AND w.vehicle_id = x.vehicle_id
             WHERE x.operation_id = m.operation_id AND x.movement_id = m.movement_id
               AND x.person_id = m.person_id ORDER BY w.number) AS seats
FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
JOIN person s ON s.operation_id = m.operation_id AND s.person_id = m.household_id
LEFT JOIN code_handle h ON h.operation_id = m.operation_id AND h.person_id = m.person_id
LEFT JOIN person_code c ON c.operation_id = m.operation_id AND c.person_id = m.person_id
                       AND c.revoked_at IS NULL
LEFT JOIN movement_vehicle v ON v.operation_id = m.operation_id
  AND v.movement_id = m.movement_id AND v.vehicle_id = m.vehicle_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1
  AND ($2::int IS NULL OR v.number = $2 OR EXISTS (
    SELECT FROM movement_seat x
    JOIN movement_vehicle w ON w.operation_id = x.operation_id
      AND w.movement_id = x.movement_id AND w.vehicle_id = x.vehicle_id
    WHERE x.operation_id = m.operation_id AND x.movement_id = m.movement_id
      AND x.person_id = m.person_id AND w.number = $2))
ORDER BY p.name, m.person_id
