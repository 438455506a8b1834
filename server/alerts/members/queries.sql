-- name: addition
-- An addition made before under an id.
SELECT a.body_sha256, a.alert_id, coalesce(p.merged_into, p.person_id) AS person_id
FROM addition a JOIN person p USING (operation_id, person_id)
WHERE a.operation_id = current_operation() AND a.addition_id = $1

-- name: insert_addition
-- Records an addition under the id its caller made.
INSERT INTO addition (operation_id, addition_id, alert_id, person_id, body_sha256, added_by)
VALUES (current_operation(), $1, $2, $3, $4, $5)

-- name: area
-- An area by its code.
SELECT area_id FROM area WHERE operation_id = current_operation() AND code = $1

-- name: branch_areas
-- The areas of some nodes of the tree and of all below them.
SELECT DISTINCT area_and_below(n.area_id) AS area_id FROM tree_node n
WHERE n.node_id IN (SELECT node_and_below($1::int[])) AND n.area_id IS NOT NULL

-- name: agency
-- An agency by its name.
SELECT agency_id FROM agency WHERE operation_id = current_operation() AND name = $1

-- name: make_agency
-- An agency that may exist by now.
INSERT INTO agency (operation_id, name) VALUES (current_operation(), $1)
ON CONFLICT DO NOTHING

-- name: person
-- A person by ref, held until the commit.
SELECT p.person_id, p.ref, p.area_id, p.agency_id, p.category, p.kind, p.merged_into,
       parity_of(p.category, s.category) AS parity
FROM person p
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
WHERE p.operation_id = current_operation() AND p.ref = $1 FOR NO KEY UPDATE OF p

-- name: hold_live_with
-- Holds the rows of the alerts that hold a person by ref and have not ended, as `hold_live`.
SELECT FROM alert a
WHERE a.operation_id = current_operation() AND a.closed_at IS NULL AND EXISTS (
  SELECT FROM person p
  JOIN alert_person m ON m.operation_id = p.operation_id AND m.person_id = p.person_id
  WHERE p.operation_id = a.operation_id AND p.ref = $1 AND m.alert_id = a.alert_id)
ORDER BY a.alert_id FOR NO KEY UPDATE OF a

-- name: parity
-- The side of the parity comparison of somebody without a sponsor.
SELECT parity_of($1, NULL)

-- name: insert_person
-- A person nobody had listed; nothing if the ref is taken.
INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, kind)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING person_id

-- name: insert_member
-- One more in a population, unaccounted; nothing if it holds the person already.
INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category, parity,
                          matched, added, node_id)
SELECT current_operation(), $1, $2, $3, $4, $5, $6, 'added', $7,
       (SELECT n.node_id FROM node_of_people(ARRAY[$2::int]) n)
ON CONFLICT DO NOTHING RETURNING person_id

-- name: ensure_cells
-- Makes the cells of an area, agency and category where they are missing.
SELECT ensure_cells($1, $2, $3, $4)

-- name: grow
-- Changes how many people an alert holds, and how many answers came late.
UPDATE alert SET population = population + $2, late = late + $3
WHERE operation_id = current_operation() AND alert_id = $1

-- name: insert_checkin
-- What an operator or a warden says of someone added: a report as any other.
INSERT INTO checkin (operation_id, checkin_id, person_id, status, at, event_at, received_at,
                     alert_id, exercise, reporter, actor, note, body_hash)
VALUES (current_operation(), $1, $2, $3, $4, $4, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING RETURNING checkin_id

-- name: refold
-- Reads again which answer of some persons stands, in every opened alert that holds them, from
-- the reports on record, theirs and those of whom was merged into them. The rules are those of
-- a check-in batch: the later event, need_help in a tie, then the greater id; and need_help in open
-- actual roll calls while a panic of hers counts.
WITH held AS MATERIALIZED (
  SELECT p.alert_id, p.person_id, a.kind, a.exercise, a.counts_from, a.closed_at, h.panic_at
  FROM alert_person p JOIN alert a ON a.operation_id = p.operation_id AND a.alert_id = p.alert_id
  CROSS JOIN LATERAL (
    SELECT min(c.event_at) AS panic_at FROM panic c
    WHERE c.operation_id = p.operation_id AND c.person_id = p.person_id AND c.counts
      AND c.state IN ('open', 'acknowledged', 'cancelled')
      AND a.state = 'open' AND a.kind = 'rollcall' AND NOT a.exercise) h
  WHERE p.operation_id = current_operation() AND p.person_id = ANY ($1::int[])
    AND a.state IN ('open', 'closed', 'expired')
  ORDER BY p.alert_id, p.person_id FOR UPDATE OF p),
voice AS (
  SELECT p.person_id AS says, coalesce(p.merged_into, p.person_id) AS person_id FROM person p
  WHERE p.operation_id = current_operation()
    AND (p.person_id = ANY ($1::int[]) OR p.merged_into = ANY ($1::int[]))),
report AS (
  SELECT h.alert_id, h.person_id, c.checkin_id, c.status,
         greatest(c.event_at, h.counts_from) AS event_at, c.received_at,
         coalesce(c.received_at > h.closed_at, false) AS late
  FROM held h JOIN voice v USING (person_id)
  JOIN checkin c ON c.operation_id = current_operation() AND c.person_id = v.says
  WHERE c.alert_id = h.alert_id
     OR (c.event_at >= h.counts_from AND h.kind = 'rollcall' AND c.exercise = h.exercise
         AND (c.alert_id IS NULL OR c.status = 'need_help')
         AND (h.closed_at IS NULL OR c.event_at <= h.closed_at))),
standing AS (
  SELECT DISTINCT ON (r.alert_id, r.person_id) r.*,
         min(r.event_at) OVER (PARTITION BY r.alert_id, r.person_id) AS first_at
  FROM report r
  ORDER BY r.alert_id, r.person_id, r.event_at DESC, (r.status = 'need_help') DESC,
           r.checkin_id DESC)
UPDATE alert_person p SET
  status = CASE WHEN h.panic_at IS NOT NULL THEN 'need_help'
           ELSE coalesce(s.status, 'unaccounted') END,
  event_at = coalesce(s.event_at, h.panic_at),
  received_at = coalesce(s.received_at, h.panic_at),
  first_at = s.first_at, checkin_id = s.checkin_id, late = coalesce(s.late, false)
FROM held h LEFT JOIN standing s USING (alert_id, person_id)
WHERE p.operation_id = current_operation() AND p.alert_id = h.alert_id
  AND p.person_id = h.person_id
RETURNING p.alert_id, p.area_id, p.agency_id, p.category, old.status AS was, new.status AS is_now

-- name: in_branch
-- Whether some nodes of the tree cover a person.
SELECT $1::int IN (SELECT people_of_nodes($2::int[]))

-- name: join_branch
-- Puts a person under the first of some nodes that lists its members by name.
INSERT INTO tree_member (operation_id, node_id, person_id)
SELECT current_operation(), n.node_id, $1 FROM unnest($2::int[]) WITH ORDINALITY AS n (node_id, rank)
WHERE EXISTS (SELECT FROM tree_member m WHERE m.node_id = n.node_id)
ORDER BY n.rank LIMIT 1
ON CONFLICT DO NOTHING

-- name: member
-- One person of an alert as the lists of people show her.
SELECT p.ref, p.name, ap.category, a.code AS area_code, a.name AS area_name, g.name AS agency,
       ap.status, ap.event_at, ap.received_at, ap.late, c.note, c.reporter,
       actor_name(c.actor) AS reporter_name, w.reach, s.ref AS sponsor,
       ap.added, ap.expected, (SELECT phone FROM contact_point cp WHERE cp.operation_id = p.operation_id
                  AND cp.person_id = p.person_id ORDER BY rank LIMIT 1) AS phone
FROM alert_person ap
JOIN person p ON p.operation_id = ap.operation_id AND p.person_id = ap.person_id
JOIN area a ON a.operation_id = ap.operation_id AND a.area_id = ap.area_id
JOIN agency g ON g.operation_id = ap.operation_id AND g.agency_id = ap.agency_id
JOIN reach_of(ARRAY[$2::int], $3::text[]) w ON w.person_id = p.person_id
LEFT JOIN checkin c ON c.operation_id = ap.operation_id AND c.checkin_id = ap.checkin_id
LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
WHERE ap.operation_id = current_operation() AND ap.alert_id = $1 AND ap.person_id = $2

-- name: replace_members
-- Puts one person in another's place in every alert that holds the other alone, answer and all.
INSERT INTO alert_person (operation_id, alert_id, person_id, area_id, agency_id, category, parity,
                          matched, added, status, event_at, received_at, first_at, checkin_id, late,
                          node_id, expected)
SELECT operation_id, alert_id, $2, area_id, $3, $4, $5, matched, added, status, event_at,
       received_at, first_at, checkin_id, late, node_id, expected
FROM alert_person WHERE operation_id = current_operation() AND person_id = $1
ORDER BY alert_id
ON CONFLICT DO NOTHING
RETURNING alert_id, area_id, agency_id, category, status

-- name: remove_members
-- Takes a person out of every population.
DELETE FROM alert_person WHERE operation_id = current_operation() AND person_id = $1
RETURNING alert_id, area_id, agency_id, category, status

-- name: mark_merged
-- Notes that two records are one person, and moves to it all that was tied to the other.
WITH merged AS (
  UPDATE person SET merged_into = $2, updated_at = now()
  WHERE operation_id = current_operation() AND person_id = $1),
devices AS (
  UPDATE device SET person_id = $2 WHERE operation_id = current_operation() AND person_id = $1),
codes AS (
  UPDATE enrolment SET person_id = $2 WHERE operation_id = current_operation() AND person_id = $1),
pushes AS (
  UPDATE delivery d SET person_id = $2
  WHERE d.operation_id = current_operation() AND d.person_id = $1
    AND NOT EXISTS (  -- both had the same message: each keeps its own
      SELECT FROM delivery o
      WHERE o.operation_id = d.operation_id AND o.alert_id = d.alert_id AND o.person_id = $2
        AND o.channel = d.channel AND o.endpoint = d.endpoint AND o.purpose = d.purpose
        AND o.round = d.round)),
nodes AS (
  DELETE FROM tree_member WHERE operation_id = current_operation() AND person_id = $1)
DELETE FROM position WHERE operation_id = current_operation() AND person_id = $1

-- name: merged_refs
-- Who was merged into a person.
SELECT ref FROM person WHERE operation_id = current_operation() AND merged_into = $1 ORDER BY ref
