-- The tree: nodes as refs and codes, its versions, and what its health is told by.

-- name: nodes
-- Every node by node, people as refs.
SELECT n.node_id, n.area_id, n.node, u.node AS parent, n.label, a.code AS area, w.ref AS warden,
       ARRAY(SELECT p.ref FROM tree_alternate t
             JOIN person p ON p.operation_id = t.operation_id AND p.person_id = t.person_id
             WHERE t.operation_id = n.operation_id AND t.node_id = n.node_id
             ORDER BY t.rank) AS alternates,
       ARRAY(SELECT p.ref FROM tree_member t
             JOIN person p ON p.operation_id = t.operation_id AND p.person_id = t.person_id
             WHERE t.operation_id = n.operation_id AND t.node_id = n.node_id
             ORDER BY p.ref COLLATE "C") AS members,
       n.answer_s
FROM tree_node n
LEFT JOIN tree_node u ON u.operation_id = n.operation_id AND u.node_id = n.parent_id
LEFT JOIN area a ON a.operation_id = n.operation_id AND a.area_id = n.area_id
LEFT JOIN person w ON w.operation_id = n.operation_id AND w.person_id = n.warden_id
WHERE n.operation_id = current_operation()
ORDER BY n.node COLLATE "C"

-- name: below
-- Some nodes and all below them.
SELECT node_and_below($1::int[]) AS node_id

-- name: areas
-- Areas and what they are part of.
SELECT area_id, code, parent_id FROM area WHERE operation_id = current_operation()

-- name: people
-- How many of the roster each node answers for. Where no node does: who they are, the wardens
-- of the top aside, who answer to the duty desk.
SELECT o.node_id, count(*)::int AS people,
       array_agg(p.ref ORDER BY p.ref) FILTER (WHERE o.node_id IS NULL) AS refs,
       array_agg(p.area_id ORDER BY p.ref) FILTER (WHERE o.node_id IS NULL) AS areas
FROM node_of_people(ARRAY(
  SELECT r.person_id FROM person r
  WHERE r.operation_id = current_operation() AND r.kind = 'roster')) o
JOIN person p ON p.operation_id = current_operation() AND p.person_id = o.person_id
WHERE o.node_id IS NOT NULL OR p.person_id NOT IN (
  SELECT t.warden_id FROM tree_node t
  WHERE t.operation_id = current_operation() AND t.warden_id IS NOT NULL)
GROUP BY o.node_id

-- name: staff
-- Everybody who answers for some node: her name, when a phone of hers was last heard, whether
-- one can be woken and was heard within $1 seconds, whether she has a number, where she is.
WITH staff AS (
  SELECT n.warden_id AS person_id FROM tree_node n
  WHERE n.operation_id = current_operation() AND n.warden_id IS NOT NULL
  UNION
  SELECT t.person_id FROM tree_alternate t WHERE t.operation_id = current_operation()),
heard AS (
  SELECT d.person_id, max(greatest(c.last_seen_at, a.delivered_at)) AS heard_at,
         bool_or(a.device_id IS NOT NULL AND a.dead_at IS NULL
                 AND greatest(c.last_seen_at, a.delivered_at)
                     > clock_timestamp() - $1::float8 * interval '1 second') AS fresh
  FROM staff s
  JOIN device d ON d.operation_id = current_operation() AND d.person_id = s.person_id
    AND d.revoked_at IS NULL
  JOIN credential c ON c.operation_id = d.operation_id AND c.device_id = d.device_id
    AND c.revoked_at IS NULL
  LEFT JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
  GROUP BY d.person_id)
SELECT p.ref, p.name, h.heard_at, coalesce(h.fresh, false) AS fresh,
       EXISTS (SELECT FROM contact_point k
               WHERE k.operation_id = p.operation_id AND k.person_id = p.person_id) AS number,
       e.person_id IS NOT NULL AS gone, e.area_id AS there
FROM staff s
JOIN person p ON p.operation_id = current_operation() AND p.person_id = s.person_id
LEFT JOIN heard h ON h.person_id = s.person_id
LEFT JOIN expected_now() e ON e.person_id = s.person_id

-- name: head
-- The number of the newest version; 0 where none was kept yet.
SELECT coalesce(max(version), 0) FROM tree_version WHERE operation_id = current_operation()

-- name: add_version
-- Keeps the tree as it is now. Callers hold the roster: numbers have no gap.
INSERT INTO tree_version (operation_id, version, made_by, reason, nodes)
SELECT current_operation(), coalesce(max(v.version), 0) + 1, $1, $2, $3::text::jsonb
FROM tree_version v WHERE v.operation_id = current_operation()
RETURNING version

-- name: version
-- The tree as one version has it.
SELECT nodes FROM tree_version WHERE operation_id = current_operation() AND version = $1

-- name: versions
-- Versions, newest first. $1: before this one; $2: how many.
SELECT v.version, v.made_at, coalesce(actor_name(v.made_by), v.made_by) AS made_by, v.reason,
       jsonb_array_length(v.nodes) AS nodes
FROM tree_version v
WHERE v.operation_id = current_operation() AND ($1::int IS NULL OR v.version < $1)
ORDER BY v.version DESC LIMIT $2

-- name: set_answer_s
-- How long a node's warden has; nothing where it is so already.
UPDATE tree_node SET answer_s = $2
WHERE operation_id = current_operation() AND node = $1 AND answer_s IS DISTINCT FROM $2
RETURNING node_id

-- name: lift_children
-- The nodes below one hang below its own parent from now on.
UPDATE tree_node c SET parent_id = n.parent_id FROM tree_node n
WHERE n.operation_id = current_operation() AND n.node = $1
  AND c.operation_id = n.operation_id AND c.parent_id = n.node_id

-- name: remove_node
-- Removes a node with its lists of people.
DELETE FROM tree_node WHERE operation_id = current_operation() AND node = $1
