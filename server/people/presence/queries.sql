-- Presences: leave, travel, visits.

-- name: take
-- Imported presences: new ones, and those that differ from their row. $7: columns the file
-- lacks, whose values on record stay.
INSERT INTO presence (operation_id, person_id, kind, area_id, from_at, until_at, note, source)
SELECT current_operation(), p.person_id, u.kind, a.area_id, u.from_at, u.until_at, u.note, 'import'
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
     AS u (ref, kind, area, from_at, until_at, note)
JOIN person p ON p.operation_id = current_operation() AND p.ref = u.ref
LEFT JOIN area a ON a.operation_id = current_operation() AND a.code = u.area
ON CONFLICT (operation_id, person_id, kind, from_at) DO UPDATE
SET area_id = CASE WHEN 'area' = ANY ($7::text[]) THEN presence.area_id ELSE excluded.area_id END,
    until_at = excluded.until_at, source = excluded.source,
    note = CASE WHEN 'note' = ANY ($7::text[]) THEN presence.note ELSE excluded.note END
WHERE presence.until_at <> excluded.until_at
   OR (presence.area_id IS DISTINCT FROM excluded.area_id AND NOT 'area' = ANY ($7::text[]))
   OR (presence.note IS DISTINCT FROM excluded.note AND NOT 'note' = ANY ($7::text[]))
RETURNING old.presence_id IS NULL AS added

-- name: add
-- A presence said by somebody; nothing is returned where its id or its beginning is taken.
INSERT INTO presence (operation_id, presence_id, person_id, kind, area_id, from_at, until_at,
                      note, source)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING RETURNING presence_id

-- name: one
-- A presence by its id, in words and ids.
SELECT r.presence_id, r.person_id, p.ref, p.name, p.area_id AS home_id, r.kind, r.area_id,
       a.code AS area, a.name AS area_name, r.from_at, r.until_at, r.note,
       coalesce(actor_name(r.source), r.source) AS said_by
FROM presence r
JOIN person p ON p.operation_id = r.operation_id AND p.person_id = r.person_id
LEFT JOIN area a ON a.operation_id = r.operation_id AND a.area_id = r.area_id
WHERE r.operation_id = current_operation() AND r.presence_id = $1

-- name: listed
-- Presences that are not over, by beginning. $1: only those that hold now; $2: only to or of
-- these areas, $3: only of these people or $4: to these areas (null: all); $5, $6: after this
-- one; $7: how many.
SELECT r.presence_id, r.person_id, p.ref, p.name, p.area_id AS home_id, r.kind, r.area_id,
       a.code AS area, a.name AS area_name, r.from_at, r.until_at, r.note,
       coalesce(actor_name(r.source), r.source) AS said_by
FROM presence r
JOIN person p ON p.operation_id = r.operation_id AND p.person_id = r.person_id
LEFT JOIN area a ON a.operation_id = r.operation_id AND a.area_id = r.area_id
WHERE r.operation_id = current_operation() AND p.merged_into IS NULL
  AND r.until_at > clock_timestamp() AND (NOT $1 OR r.from_at <= clock_timestamp())
  AND ($2::int[] IS NULL OR r.area_id = ANY ($2) OR p.area_id = ANY ($2))
  AND ($3::int[] IS NULL OR r.person_id = ANY ($3) OR r.area_id = ANY ($4::int[]))
  AND ($5::timestamptz IS NULL OR (r.from_at, r.presence_id) > ($5, $6::uuid))
ORDER BY r.from_at, r.presence_id LIMIT $7

-- name: remove
-- Takes a presence back.
DELETE FROM presence WHERE operation_id = current_operation() AND presence_id = $1

-- name: areas_of_nodes
-- The areas whose visitors belong to some nodes and all below.
SELECT DISTINCT b.area_id
FROM tree_node n CROSS JOIN LATERAL area_and_below(n.area_id) AS b (area_id)
WHERE n.operation_id = current_operation() AND n.area_id IS NOT NULL
  AND n.node_id IN (SELECT node_and_below($1::int[]))
  AND NOT EXISTS (SELECT FROM tree_member m
                  WHERE m.operation_id = n.operation_id AND m.node_id = n.node_id)
