-- name: area
-- An area's id.
SELECT area_id FROM area WHERE operation_id = current_operation() AND code = $1

-- name: put_point
-- A point as it is to be; nothing where its kind would change.
INSERT INTO movement_point AS p (operation_id, movement_id, point_id, kind, name, area_id, capacity,
                                 lat, lon)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (operation_id, movement_id, point_id) DO UPDATE
SET name = excluded.name, area_id = excluded.area_id, capacity = excluded.capacity,
    lat = excluded.lat, lon = excluded.lon
WHERE p.kind = excluded.kind
RETURNING old.point_id IS NULL AS made

-- name: points
-- The points of a movement, with who is known to be there; or some of them.
SELECT p.point_id, p.kind, p.name, a.code AS area, p.capacity, p.lat, p.lon,
       coalesce(c.count, 0) AS present
FROM movement_point p
LEFT JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
LEFT JOIN movement_count c ON c.operation_id = p.operation_id AND c.movement_id = p.movement_id
  AND c.thing_id = p.point_id AND c.what = 'present'
WHERE p.operation_id = current_operation() AND p.movement_id = $1
  AND ($2::uuid[] IS NULL OR p.point_id = ANY ($2))
ORDER BY p.kind, p.name, p.point_id

-- name: put_leg
-- A leg as it is to be; nothing where its ends would change.
INSERT INTO movement_leg AS l (operation_id, movement_id, leg_id, kind, position, start_id, end_id,
                               departs_at, arrives_at, state)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (operation_id, movement_id, leg_id) DO UPDATE
SET kind = excluded.kind, position = excluded.position, departs_at = excluded.departs_at,
    arrives_at = excluded.arrives_at, state = excluded.state
WHERE l.start_id = excluded.start_id AND l.end_id = excluded.end_id
RETURNING old.leg_id IS NULL AS made, old.state AS was,
          old.departs_at IS DISTINCT FROM l.departs_at
          OR old.arrives_at IS DISTINCT FROM l.arrives_at AS moved

-- name: forget_overdue
-- The vehicles of a leg whose times have changed may be overdue again.
UPDATE movement_vehicle SET overdue_at = NULL
WHERE operation_id = current_operation() AND movement_id = $1 AND leg_id = $2
  AND overdue_at IS NOT NULL

-- name: under_way
-- One vehicle ($2), or those of a leg ($3): when each is expected, null unless it is under way and
-- nobody was told that it is overdue.
SELECT v.vehicle_id, CASE WHEN v.state = 'departed' AND v.overdue_at IS NULL
                          THEN expected_at(v.departed_at, l.departs_at, l.arrives_at) END AS due_at
FROM movement_vehicle v
JOIN movement_leg l ON l.operation_id = v.operation_id AND l.movement_id = v.movement_id
  AND l.leg_id = v.leg_id
WHERE v.operation_id = current_operation() AND v.movement_id = $1
  AND ($2::uuid IS NULL OR v.vehicle_id = $2) AND ($3::uuid IS NULL OR v.leg_id = $3)
ORDER BY v.vehicle_id

-- name: fall_overdue
-- Marks a vehicle as told of, where it is overdue by more than $3 and its movement goes on; its number.
UPDATE movement_vehicle v SET overdue_at = clock_timestamp()
FROM movement_leg l, movement m
WHERE v.operation_id = current_operation() AND v.movement_id = $1 AND v.vehicle_id = $2
  AND l.operation_id = v.operation_id AND l.movement_id = v.movement_id AND l.leg_id = v.leg_id
  AND m.operation_id = v.operation_id AND m.movement_id = v.movement_id
  AND m.state NOT IN ('closed', 'cancelled')
  AND v.state = 'departed' AND v.overdue_at IS NULL
  AND expected_at(v.departed_at, l.departs_at, l.arrives_at) + $3 <= clock_timestamp()
RETURNING v.number

-- name: tell_desk
-- A word to the duty desk's own channels, unless the same is still on its way out.
INSERT INTO delivery (operation_id, delivery_id, channel, endpoint, lane, purpose, line, expires_at)
SELECT current_operation(), uuidv7(), 'duty', 'desk', 1, 'duty', $1,
       clock_timestamp() + interval '1 hour'
WHERE NOT EXISTS (
  SELECT FROM delivery x
  WHERE x.operation_id = current_operation() AND x.alert_id IS NULL AND x.channel = 'duty'
    AND x.live AND x.state = 'queued' AND x.line = $1)

-- name: legs
-- The legs of a movement in order.
SELECT leg_id, kind, position, start_id, end_id, departs_at, arrives_at, state FROM movement_leg
WHERE operation_id = current_operation() AND movement_id = $1
  AND ($2::uuid IS NULL OR leg_id = $2)
ORDER BY position, leg_id

-- name: number_taken
-- Whether another vehicle of the movement has this number.
SELECT EXISTS (SELECT FROM movement_vehicle WHERE operation_id = current_operation()
               AND movement_id = $1 AND number = $2 AND vehicle_id <> $3)

-- name: last_seat
-- The highest seat that is given on a vehicle.
SELECT max(seat) FROM movement_seat
WHERE operation_id = current_operation() AND movement_id = $1 AND vehicle_id = $2

-- name: put_vehicle
-- A vehicle as it is to be; nothing where its leg or number would change. A time that is given is
-- taken; else what is on record stays, and what begins now begins now.
INSERT INTO movement_vehicle AS v (operation_id, movement_id, vehicle_id, leg_id, number, label,
                                   callsign, seats, state, departed_at, arrived_at, watch_id)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8,
        coalesce($10, CASE WHEN $8 = 'departed' THEN clock_timestamp() END),
        coalesce($11, CASE WHEN $8 = 'arrived' THEN clock_timestamp() END), $9)
ON CONFLICT (operation_id, movement_id, vehicle_id) DO UPDATE
SET label = excluded.label, callsign = excluded.callsign, seats = excluded.seats,
    state = excluded.state, watch_id = excluded.watch_id,
    overdue_at = CASE WHEN excluded.state = v.state AND coalesce($10, v.departed_at) = v.departed_at
                      THEN v.overdue_at END,
    departed_at = CASE WHEN excluded.state = 'planned' THEN NULL
                       ELSE coalesce($10, v.departed_at, excluded.departed_at) END,
    arrived_at = CASE WHEN excluded.state = 'arrived'
                      THEN coalesce($11, v.arrived_at, excluded.arrived_at) END
WHERE v.leg_id = excluded.leg_id AND v.number = excluded.number
RETURNING old.vehicle_id IS NULL AS made, old.state AS was, v.departed_at, v.arrived_at,
          clock_timestamp() AS now

-- name: vehicles
-- The vehicles of a movement with who boarded and arrived; or some of them.
SELECT v.vehicle_id AS id, v.leg_id AS leg, v.number, v.label, v.callsign, v.seats, v.state, v.departed_at,
       v.arrived_at, expected_at(v.departed_at, l.departs_at, l.arrives_at) AS expected_at,
       v.overdue_at, v.watch_id, coalesce(b.count, 0) AS boarded, coalesce(r.count, 0) AS arrived,
       coalesce(o.count, 0) AS missing,
       (SELECT extract(epoch FROM clock_timestamp() - s.event_at)::float8 FROM stage_report s
        WHERE s.operation_id = v.operation_id AND s.movement_id = v.movement_id
          AND s.vehicle_id = v.vehicle_id
        ORDER BY s.event_at DESC LIMIT 1) AS last_report_s
FROM movement_vehicle v
JOIN movement_leg l ON l.operation_id = v.operation_id AND l.movement_id = v.movement_id
  AND l.leg_id = v.leg_id
LEFT JOIN movement_count b ON b.operation_id = v.operation_id AND b.movement_id = v.movement_id
  AND b.thing_id = v.vehicle_id AND b.what = 'boarded'
LEFT JOIN movement_count r ON r.operation_id = v.operation_id AND r.movement_id = v.movement_id
  AND r.thing_id = v.vehicle_id AND r.what = 'arrived'
LEFT JOIN movement_count o ON o.operation_id = v.operation_id AND o.movement_id = v.movement_id
  AND o.thing_id = v.vehicle_id AND o.what = 'aboard'
WHERE v.operation_id = current_operation() AND v.movement_id = $1
  AND ($2::uuid[] IS NULL OR v.vehicle_id = ANY ($2))
ORDER BY v.number

-- name: put_function
-- Critical work as it is to be.
INSERT INTO movement_function (operation_id, movement_id, function_id, name, keeper_id, deputies,
                               place, note)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (operation_id, movement_id, function_id) DO UPDATE
SET name = excluded.name, keeper_id = excluded.keeper_id, deputies = excluded.deputies,
    place = excluded.place, note = excluded.note
RETURNING old.function_id IS NULL AS made

-- name: functions
-- The critical work of a movement, a row for the keeper and each deputy in order, with where she
-- stands, and whether she has come by a leg; nobody's stage who is not in it. $3: only work that somebody of these areas keeps or may
-- take over.
SELECT f.function_id, f.name, f.place, f.note, w.rank, p.ref, p.name AS person, m.stage,
       EXISTS (SELECT FROM jsonb_array_elements(m.memory -> 'rides') r
               WHERE r ->> 5 IS NOT NULL) AS rode
FROM movement_function f
CROSS JOIN LATERAL unnest(f.keeper_id || f.deputies) WITH ORDINALITY AS w (person_id, rank)
JOIN person p ON p.operation_id = f.operation_id AND p.person_id = w.person_id
LEFT JOIN movement_person m ON m.operation_id = f.operation_id AND m.movement_id = f.movement_id
  AND m.person_id = w.person_id
WHERE f.operation_id = current_operation() AND f.movement_id = $1
  AND ($2::uuid IS NULL OR f.function_id = $2)
  AND ($3::int[] IS NULL OR EXISTS (
    SELECT FROM person q
    LEFT JOIN movement_person x ON x.operation_id = q.operation_id
      AND x.movement_id = f.movement_id AND x.person_id = q.person_id
    WHERE q.operation_id = f.operation_id AND q.person_id = ANY (f.keeper_id || f.deputies)
      AND coalesce(x.area_id, q.area_id) = ANY ($3)))
ORDER BY f.name, f.function_id, w.rank
