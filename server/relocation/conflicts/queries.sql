-- name: conflicts
-- The conflicts of a movement in sight, the newest first, a page at a time; or one of them. Those of
-- vehicles are not for wardens.
SELECT c.*, actor_name(c.resolved_by) AS resolver, p.ref, p.name, v.number AS vehicle_no,
       m.stage, w.number AS on_vehicle, o.name AS at_point
FROM movement_conflict c
LEFT JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
LEFT JOIN movement_vehicle v ON v.operation_id = c.operation_id
  AND v.movement_id = c.movement_id AND v.vehicle_id = c.vehicle_id
LEFT JOIN movement_person m ON m.operation_id = c.operation_id
  AND m.movement_id = c.movement_id AND m.person_id = c.person_id
LEFT JOIN movement_vehicle w ON w.operation_id = m.operation_id
  AND w.movement_id = m.movement_id AND w.vehicle_id = m.vehicle_id
LEFT JOIN movement_point o ON o.operation_id = m.operation_id
  AND o.movement_id = m.movement_id AND o.point_id = m.point_id
WHERE c.operation_id = current_operation() AND c.movement_id = $1
  AND ($8::uuid IS NULL OR c.conflict_id = $8)
  AND ($4::text IS NULL OR c.state = $4)
  AND (c.person_id IS NULL AND $3::int[] IS NULL OR EXISTS (
    SELECT FROM movement_person s WHERE s.operation_id = c.operation_id
      AND s.movement_id = c.movement_id AND s.person_id = c.person_id
      AND ($2::int[] IS NULL OR s.area_id = ANY ($2))
      AND ($3::int[] IS NULL OR s.person_id = ANY ($3))))
  AND ($5::timestamptz IS NULL OR c.found_at < $5 OR (c.found_at = $5 AND c.conflict_id > $6))
ORDER BY c.found_at DESC, c.conflict_id LIMIT $7

-- name: reports
-- Reports by id, with who made them.
SELECT r.report_id, r.stage, v.number AS vehicle_no, o.name AS point, r.reason, r.at, r.event_at,
       r.received_at, r.late, r.how, actor_name(r.actor) AS reporter, r.point_id
FROM stage_report r
LEFT JOIN movement_vehicle v ON v.operation_id = r.operation_id
  AND v.movement_id = r.movement_id AND v.vehicle_id = r.vehicle_id
LEFT JOIN movement_point o ON o.operation_id = r.operation_id
  AND o.movement_id = r.movement_id AND o.point_id = r.point_id
WHERE r.operation_id = current_operation() AND r.report_id = ANY ($1::uuid[])

-- name: hold_boarded
-- How many boarded a vehicle, held until the commit.
SELECT count FROM movement_count WHERE operation_id = current_operation() AND movement_id = $1
  AND thing_id = $2 AND what = 'boarded' FOR UPDATE

-- name: lock
-- One conflict, held until the commit. Its person is held before.
SELECT state, resolution_id, body_sha256 FROM movement_conflict
WHERE operation_id = current_operation() AND movement_id = $1 AND conflict_id = $2 FOR UPDATE

-- name: resolve
-- A human has decided; of a vehicle, of as many too many as there are.
UPDATE movement_conflict c SET state = 'resolved', resolution_id = $3, reason = $4,
       resolved_by = $5, body_sha256 = $6, resolved_at = clock_timestamp(),
       excess = (SELECT greatest(0, $7::int - v.seats) FROM movement_vehicle v
                 WHERE v.operation_id = c.operation_id AND v.movement_id = c.movement_id
                   AND v.vehicle_id = c.vehicle_id AND c.kind = 'over_capacity')
WHERE operation_id = current_operation() AND movement_id = $1 AND conflict_id = $2
