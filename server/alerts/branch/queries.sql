-- A warden's call-down list.

-- name: nodes
-- The nodes a caller answers for, hers first, not those below.
SELECT node, label FROM tree_node
WHERE operation_id = current_operation() AND node_id = ANY ($1::int[]) ORDER BY node

-- name: alerts
-- The open alerts that hold anybody of a branch, actual ones first, with how many of the branch
-- each holds and how many of these are silent.
SELECT a.alert_id, a.kind, a.severity, a.title, a.exercise, a.opened_at,
       n.people, n.silent, clock_timestamp() AS now
FROM alert a CROSS JOIN LATERAL (
  SELECT count(*)::int AS people,
         count(*) FILTER (WHERE p.status = 'unaccounted')::int AS silent
  FROM unnest($1::int[]) AS b (person_id) CROSS JOIN LATERAL (
    SELECT p.status FROM alert_person p
    WHERE p.operation_id = current_operation() AND p.alert_id = a.alert_id
      AND p.person_id = b.person_id OFFSET 0) p) n
WHERE a.operation_id = current_operation() AND a.state = 'open' AND n.people > 0
  AND (a.expires_at IS NULL OR a.expires_at > clock_timestamp())
ORDER BY a.exercise, a.opened_at DESC, a.alert_id

-- name: people
-- A page of a branch in the order to call: who needs help, then the silent, of the actual roll
-- calls $2; the same of the exercises $3; then the rest, each by name. $4, $5, $6: after this
-- one; $7: how many. Each step finds its rows by key (OFFSET 0), whatever the statistics say.
WITH branch AS MATERIALIZED (
  SELECT p.person_id, p.name, least(
           (SELECT min(CASE s.status WHEN 'need_help' THEN 0 WHEN 'unaccounted' THEN 1 END)
            FROM unnest($2::uuid[]) AS a (alert_id) CROSS JOIN LATERAL (
              SELECT t.status FROM alert_person t
              WHERE t.operation_id = current_operation() AND t.alert_id = a.alert_id
                AND t.person_id = p.person_id OFFSET 0) s),
           (SELECT min(CASE s.status WHEN 'need_help' THEN 2 WHEN 'unaccounted' THEN 3 END)
            FROM unnest($3::uuid[]) AS a (alert_id) CROSS JOIN LATERAL (
              SELECT t.status FROM alert_person t
              WHERE t.operation_id = current_operation() AND t.alert_id = a.alert_id
                AND t.person_id = p.person_id OFFSET 0) s), 4) AS turn
  FROM unnest($1::int[]) AS b (person_id) CROSS JOIN LATERAL (
    SELECT q.person_id, q.name FROM person q
    WHERE q.operation_id = current_operation() AND q.person_id = b.person_id
      AND q.merged_into IS NULL OFFSET 0) p),
page AS MATERIALIZED (
  SELECT * FROM branch b
  WHERE $4::int IS NULL OR (b.turn, b.name, b.person_id) > ($4, $5::text, $6::int)
  ORDER BY b.turn, b.name, b.person_id LIMIT $7)
SELECT g.turn, p.person_id, p.ref, p.name, p.category, a.code AS area_code, a.name AS area_name,
       y.name AS agency, s.ref AS sponsor, s.name AS sponsor_name,
       e.person_id IS NOT NULL AS gone, e.area_id AS there
FROM page g
JOIN person p ON p.operation_id = current_operation() AND p.person_id = g.person_id
JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
JOIN agency y ON y.operation_id = p.operation_id AND y.agency_id = p.agency_id
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
LEFT JOIN expected_now() e ON e.person_id = p.person_id
ORDER BY g.turn, p.name, p.person_id

-- name: phones
-- Numbers of some people with the last text to each, as far as it went to that very number.
SELECT c.person_id, c.phone, c.updated_at, d.state, d.at
FROM unnest($1::int[]) AS b (person_id) CROSS JOIN LATERAL (
  SELECT k.person_id, k.rank, k.phone, k.updated_at FROM contact_point k
  WHERE k.operation_id = current_operation() AND k.person_id = b.person_id OFFSET 0) c
LEFT JOIN LATERAL (
  SELECT CASE WHEN t.seen_at IS NOT NULL OR t.delivered_at IS NOT NULL THEN 'delivered'
              ELSE t.state END AS state,
         coalesce(t.delivered_at, t.finished_at, t.accepted_at, t.queued_at) AS at
  FROM delivery t
  WHERE t.operation_id = current_operation() AND t.person_id = c.person_id AND t.channel = 'sms'
    AND t.endpoint = c.rank::text AND t.queued_at >= c.updated_at
  ORDER BY t.queued_at DESC LIMIT 1) d ON true
ORDER BY c.person_id, c.rank

-- name: known
-- What is known of some people now: when a phone of theirs was last heard, their last answer in
-- any alert, how old their last position is (not where), and the best way to each.
SELECT r.person_id, r.reach, h.devices, h.heard_at, l.answered_at,
       extract(epoch FROM clock_timestamp() - o.event_at)::float8 AS position_age_s
FROM reach_of($1::int[], $2::text[]) r
CROSS JOIN LATERAL (
  SELECT count(DISTINCT d.device_id)::int AS devices,
         max(greatest(c.last_seen_at, a.delivered_at)) AS heard_at
  FROM device d
  LEFT JOIN credential c ON c.operation_id = d.operation_id AND c.device_id = d.device_id
    AND c.revoked_at IS NULL
  LEFT JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
  WHERE d.operation_id = current_operation() AND d.person_id = r.person_id
    AND d.revoked_at IS NULL) h
CROSS JOIN LATERAL (
  SELECT max(t.event_at) AS answered_at FROM alert_person t
  WHERE t.operation_id = current_operation() AND t.person_id = r.person_id) l
LEFT JOIN position o ON o.operation_id = current_operation() AND o.person_id = r.person_id

-- name: standing
-- Where some people stand in some alerts, and who said so.
SELECT s.person_id, s.alert_id, s.status, s.event_at, s.received_at, s.late, c.reporter
FROM unnest($1::uuid[]) AS a (alert_id) CROSS JOIN unnest($2::int[]) AS b (person_id)
CROSS JOIN LATERAL (
  SELECT t.* FROM alert_person t
  WHERE t.operation_id = current_operation() AND t.alert_id = a.alert_id
    AND t.person_id = b.person_id OFFSET 0) s
LEFT JOIN checkin c ON c.operation_id = s.operation_id AND c.checkin_id = s.checkin_id
ORDER BY s.person_id, s.alert_id

-- name: clock
-- The database's time.
SELECT clock_timestamp()
