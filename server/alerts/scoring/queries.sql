-- Scores of alerts, and those kept of exercises.

-- name: head
-- What a score says of the alert itself.
SELECT a.alert_id, a.title, a.exercise, a.state, a.opened_at, a.closed_at, clock_timestamp() AS now
FROM alert a WHERE a.operation_id = current_operation() AND a.alert_id = $1

-- name: lines
-- Population, reached, answered, median and nine tenths in seconds from the opening, the silent
-- as infinite: of all, of each node (0: the duty desk) and of each category. Reached is who was
-- delivered a message, or answered.
WITH member AS MATERIALIZED (
  SELECT coalesce(p.node_id, 0) AS node_id, p.category, p.status <> 'unaccounted' AS answered,
         p.status <> 'unaccounted' OR p.person_id IN (
           SELECT d.person_id FROM delivery d
           WHERE d.operation_id = current_operation() AND d.alert_id = $1
             AND d.person_id IS NOT NULL
             AND (d.delivered_at IS NOT NULL OR d.seen_at IS NOT NULL)) AS reached,
         CASE WHEN p.status = 'unaccounted' THEN 'Infinity'::float8
              ELSE greatest(extract(epoch FROM coalesce(p.first_at, p.event_at) - a.opened_at), 0)
                   ::float8 END AS took_s
  FROM alert_person p
  JOIN alert a ON a.operation_id = p.operation_id AND a.alert_id = p.alert_id
  WHERE p.operation_id = current_operation() AND p.alert_id = $1),
line AS (
  SELECT node_id, category, count(*)::int AS population,
         count(*) FILTER (WHERE reached)::int AS reached,
         count(*) FILTER (WHERE answered)::int AS answered,
         percentile_disc(0.5) WITHIN GROUP (ORDER BY took_s) AS median_s,
         percentile_disc(0.9) WITHIN GROUP (ORDER BY took_s) AS p90_s
  FROM member GROUP BY GROUPING SETS ((), (node_id), (category)))
SELECT l.category, l.node_id, nullif(coalesce(n.node, t.node), '') AS node,
       coalesce(n.label, t.label) AS label, w.ref AS warden, w.name AS warden_name,
       l.population, l.reached, l.answered, l.median_s, l.p90_s
FROM line l
LEFT JOIN alert_node n ON n.operation_id = current_operation() AND n.alert_id = $1
  AND n.node_id = l.node_id
LEFT JOIN tree_node t ON t.operation_id = current_operation() AND t.node_id = l.node_id
  AND n.node_id IS NULL
LEFT JOIN person w ON w.operation_id = current_operation()
  AND w.person_id = coalesce(n.warden_id, t.warden_id)
ORDER BY l.category NULLS FIRST, node NULLS FIRST, l.node_id

-- name: keep
-- Keeps the score of an exercise that has ended, once.
INSERT INTO exercise_score (operation_id, alert_id, ended_at, score)
VALUES (current_operation(), $1, $2, $3::text::jsonb) ON CONFLICT DO NOTHING

-- name: kept
-- The score that was kept.
SELECT score FROM exercise_score WHERE operation_id = current_operation() AND alert_id = $1

-- name: history
-- Kept scores, newest first. $1, $2: before this one; $3: how many.
SELECT ended_at, alert_id, score FROM exercise_score
WHERE operation_id = current_operation()
  AND ($1::timestamptz IS NULL OR ended_at < $1 OR (ended_at = $1 AND alert_id > $2::uuid))
ORDER BY ended_at DESC, alert_id LIMIT $3
