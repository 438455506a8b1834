-- The roster import's own SQL: what is on record, staging, and the merge in one transaction.

-- name: patience
-- An import may take longer than a request, and pauses while rows are settled. It joins whole
-- tables, of which statistics may say anything (after a rollback: that they are empty): hashing
-- is right whatever they say, a nested loop over 100,000 x 100,000 rows never.
SET LOCAL statement_timeout = '10min'; SET LOCAL idle_in_transaction_session_timeout = '10min';
SET LOCAL enable_nestloop = off

-- name: known_areas
-- Areas and their parents, as codes.
SELECT a.code, p.code AS parent FROM area a
LEFT JOIN area p ON p.operation_id = a.operation_id AND p.area_id = a.parent_id
WHERE a.operation_id = current_operation()

-- name: known_nodes
-- Nodes and their parents.
SELECT n.node, p.node AS parent FROM tree_node n
LEFT JOIN tree_node p ON p.operation_id = n.operation_id AND p.node_id = n.parent_id
WHERE n.operation_id = current_operation()

-- name: known_presences
-- Imported presences that are not over.
SELECT p.ref, r.kind, r.from_at FROM presence r
JOIN person p ON p.operation_id = r.operation_id AND p.person_id = r.person_id
WHERE r.operation_id = current_operation() AND r.source = 'import'
  AND r.until_at > clock_timestamp()

-- name: known_agencies
-- Agencies as they are spelled.
SELECT name FROM agency WHERE operation_id = current_operation() ORDER BY agency_id

-- name: known_people
-- Everyone on record with the first two numbers.
SELECT p.ref, p.category, p.sponsor, p.area, p.agency, p.kind, p.phone, p.phone2 FROM known_person p

-- name: known_people_of
-- Those on record who matter to one new person: by ref, or by one of her numbers.
SELECT p.ref, p.category, p.sponsor, p.area, p.agency, p.kind, p.phone, p.phone2 FROM known_person p
WHERE p.person_id IN (
    SELECT q.person_id FROM person q
    WHERE q.operation_id = current_operation() AND q.ref = ANY ($1::text[])
    UNION
    SELECT c.person_id FROM contact_point c
    WHERE c.operation_id = current_operation() AND c.phone = ANY ($2::text[])
    UNION
    SELECT f.person_id FROM person f
    JOIN person q ON q.operation_id = f.operation_id AND q.person_id = f.sponsor_id
    WHERE q.operation_id = current_operation() AND q.ref = ANY ($1::text[]))

-- name: stage
-- Temporary tables that rows are copied into. `fresh` rows are not on record yet.
CREATE TEMP TABLE staged_area (
  code text, name text, parent text, kind text, lat float8, lon float8, pcode text,
  fresh boolean) ON COMMIT DROP;
CREATE TEMP TABLE staged_person (
  ref text, name text, category text, agency text, area text, phone text, phone2 text,
  email text, language text, sponsor text, person_id int, fresh boolean) ON COMMIT DROP;
CREATE TEMP TABLE staged_node (
  node text, parent text, label text, area text, warden text, alternates text[],
  members text[], node_id int, fresh boolean, changed boolean) ON COMMIT DROP

-- name: mark_areas
-- Tells new areas from those on record.
UPDATE staged_area s SET fresh = NOT EXISTS (
  SELECT FROM area a WHERE a.operation_id = current_operation() AND a.code = s.code)

-- name: add_areas
-- New areas, without parents yet.
INSERT INTO area (operation_id, code, name, kind, lat, lon, pcode)
SELECT current_operation(), code, name, kind, lat, lon, pcode FROM staged_area WHERE fresh

-- name: join_areas
-- The parents of new areas.
UPDATE area a SET parent_id = p.area_id
FROM staged_area s
JOIN area p ON p.operation_id = current_operation() AND p.code = s.parent
WHERE s.fresh AND a.operation_id = current_operation() AND a.code = s.code

-- name: change_areas
-- Areas that differ from their row. $1: columns the file lacks, kept as they are.
UPDATE area a SET name = n.name, parent_id = n.parent_id, kind = n.kind, lat = n.lat,
       lon = n.lon, pcode = n.pcode
FROM (SELECT o.area_id, s.name, p.area_id AS parent_id, s.kind,
             CASE WHEN 'lat' = ANY ($1::text[]) THEN o.lat ELSE s.lat END AS lat,
             CASE WHEN 'lon' = ANY ($1::text[]) THEN o.lon ELSE s.lon END AS lon,
             CASE WHEN 'pcode' = ANY ($1::text[]) THEN o.pcode ELSE s.pcode END AS pcode
      FROM staged_area s
      JOIN area o ON o.operation_id = current_operation() AND o.code = s.code
      LEFT JOIN area p ON p.operation_id = current_operation() AND p.code = s.parent
      WHERE NOT s.fresh) n
WHERE a.operation_id = current_operation() AND a.area_id = n.area_id
  AND (a.name, a.parent_id, a.kind, a.lat, a.lon, a.pcode)
      IS DISTINCT FROM (n.name, n.parent_id, n.kind, n.lat, n.lon, n.pcode)

-- name: add_agencies
-- Agencies named for the first time, in file order.
INSERT INTO agency (operation_id, name)
SELECT current_operation(), name FROM unnest($1::text[]) WITH ORDINALITY AS u (name, n) ORDER BY n
ON CONFLICT DO NOTHING

-- name: learn_staged
-- The planner knows nothing of a table just filled.
ANALYZE staged_person

-- name: learn_places
-- Statistics before people are checked against these.
ANALYZE area, agency

-- name: learn_people
-- Statistics before numbers and tree are checked against people.
ANALYZE person

-- name: learn_nodes
-- Statistics before lists of people are checked against nodes.
ANALYZE tree_node

-- name: learn_rest
-- Statistics for whoever reads next.
ANALYZE contact_point, tree_alternate, tree_member

-- name: mark_people
-- Finds the people on record among the rows.
UPDATE staged_person s SET person_id = p.person_id, fresh = false
FROM person p WHERE p.operation_id = current_operation() AND p.ref = s.ref

-- name: add_staff
-- New people who are nobody's family.
WITH made AS (
  INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, language, email)
  SELECT current_operation(), s.ref, s.name, s.category, g.agency_id, a.area_id, s.language,
         s.email
  FROM staged_person s
  JOIN agency g ON g.operation_id = current_operation() AND g.name = s.agency
  JOIN area a ON a.operation_id = current_operation() AND a.code = s.area
  WHERE s.fresh AND s.sponsor IS NULL
  RETURNING person_id, ref)
UPDATE staged_person s SET person_id = made.person_id FROM made WHERE made.ref = s.ref

-- name: add_family
-- New family members of people on record or just added.
WITH made AS (
  INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, language, email,
                      sponsor_id)
  SELECT current_operation(), s.ref, s.name, s.category, g.agency_id, a.area_id, s.language,
         s.email, p.person_id
  FROM staged_person s
  JOIN agency g ON g.operation_id = current_operation() AND g.name = s.agency
  JOIN area a ON a.operation_id = current_operation() AND a.code = s.area
  JOIN person p ON p.operation_id = current_operation() AND p.ref = s.sponsor
  WHERE s.fresh AND s.sponsor IS NOT NULL
  RETURNING person_id, ref)
UPDATE staged_person s SET person_id = made.person_id FROM made WHERE made.ref = s.ref

-- name: change_people
-- People who differ from their row, numbers included. $1: columns the file lacks.
UPDATE person p SET name = n.name, category = n.category, agency_id = n.agency_id,
       area_id = n.area_id, language = n.language, email = n.email, sponsor_id = n.sponsor_id,
       updated_at = clock_timestamp()
FROM (SELECT o.person_id, s.name, s.category, g.agency_id, a.area_id, sp.person_id AS sponsor_id,
             CASE WHEN 'language' = ANY ($1::text[]) THEN o.language ELSE s.language END AS language,
             CASE WHEN 'email' = ANY ($1::text[]) THEN o.email ELSE s.email END AS email,
             (c1.phone IS DISTINCT FROM s.phone AND NOT 'phone' = ANY ($1::text[]))
             OR (c2.phone IS DISTINCT FROM s.phone2 AND NOT 'phone2' = ANY ($1::text[]))
               AS other_numbers
      FROM staged_person s
      JOIN person o ON o.operation_id = current_operation() AND o.person_id = s.person_id
      JOIN agency g ON g.operation_id = current_operation() AND g.name = s.agency
      JOIN area a ON a.operation_id = current_operation() AND a.code = s.area
      LEFT JOIN person sp ON sp.operation_id = current_operation() AND sp.ref = s.sponsor
      LEFT JOIN contact_point c1
        ON c1.operation_id = current_operation() AND c1.person_id = s.person_id AND c1.rank = 1
      LEFT JOIN contact_point c2
        ON c2.operation_id = current_operation() AND c2.person_id = s.person_id AND c2.rank = 2
      WHERE NOT s.fresh) n
WHERE p.operation_id = current_operation() AND p.person_id = n.person_id
  AND (n.other_numbers
       OR (p.name, p.category, p.agency_id, p.area_id, p.language, p.email, p.sponsor_id)
          IS DISTINCT FROM
          (n.name, n.category, n.agency_id, n.area_id, n.language, n.email, n.sponsor_id))

-- name: drop_numbers
-- Numbers that the rows no longer have. $1: columns the file lacks.
DELETE FROM contact_point c USING staged_person s
WHERE c.operation_id = current_operation() AND c.person_id = s.person_id
  AND ((c.rank = 1 AND s.phone IS NULL AND NOT 'phone' = ANY ($1::text[]))
       OR (c.rank = 2 AND s.phone2 IS NULL AND NOT 'phone2' = ANY ($1::text[])))

-- name: put_numbers
-- Numbers that are new or other than before.
INSERT INTO contact_point (operation_id, person_id, rank, phone)
SELECT current_operation(), s.person_id, v.rank, v.phone
FROM staged_person s
CROSS JOIN LATERAL (VALUES (1::smallint, s.phone), (2::smallint, s.phone2)) v (rank, phone)
WHERE v.phone IS NOT NULL
ON CONFLICT (operation_id, person_id, rank) DO UPDATE
SET phone = excluded.phone, updated_at = clock_timestamp()
WHERE contact_point.phone <> excluded.phone

-- name: mark_nodes
-- Finds the nodes on record among the rows, and those whose lists of people differ.
WITH alternates AS (
  SELECT t.node_id, array_agg(p.ref ORDER BY t.rank) AS refs FROM tree_alternate t
  JOIN person p ON p.operation_id = t.operation_id AND p.person_id = t.person_id
  WHERE t.operation_id = current_operation() GROUP BY t.node_id),
members AS (
  SELECT t.node_id, array_agg(p.ref ORDER BY p.ref COLLATE "C") AS refs FROM tree_member t
  JOIN person p ON p.operation_id = t.operation_id AND p.person_id = t.person_id
  WHERE t.operation_id = current_operation() GROUP BY t.node_id)
UPDATE staged_node s SET node_id = n.node_id, fresh = false,
       changed = s.alternates <> coalesce(a.refs, '{}') OR s.members <> coalesce(m.refs, '{}')
FROM tree_node n
LEFT JOIN alternates a USING (node_id)
LEFT JOIN members m USING (node_id)
WHERE n.operation_id = current_operation() AND n.node = s.node

-- name: add_nodes
-- New nodes, without parents yet.
WITH made AS (
  INSERT INTO tree_node (operation_id, node, label) SELECT current_operation(), node, label
  FROM staged_node WHERE fresh RETURNING node_id, node)
UPDATE staged_node s SET node_id = made.node_id FROM made WHERE made.node = s.node

-- name: change_nodes
-- Places, wardens and labels of nodes new or other than before; counts those on record.
WITH wanted AS (
  SELECT s.node_id, s.fresh, s.changed, s.label, u.node_id AS parent_id, a.area_id,
         p.person_id AS warden_id
  FROM staged_node s
  LEFT JOIN tree_node u ON u.operation_id = current_operation() AND u.node = s.parent
  LEFT JOIN area a ON a.operation_id = current_operation() AND a.code = s.area
  LEFT JOIN person p ON p.operation_id = current_operation() AND p.ref = s.warden),
changed AS (
  UPDATE tree_node n SET label = w.label, parent_id = w.parent_id, area_id = w.area_id,
         warden_id = w.warden_id
  FROM wanted w
  WHERE n.operation_id = current_operation() AND n.node_id = w.node_id
    AND (w.changed OR (n.label, n.parent_id, n.area_id, n.warden_id)
                      IS DISTINCT FROM (w.label, w.parent_id, w.area_id, w.warden_id))
  RETURNING w.fresh)
SELECT count(*) FILTER (WHERE NOT fresh)::int FROM changed

-- name: empty_nodes
-- The lists of people that will be written anew: alternates.
DELETE FROM tree_alternate t USING staged_node s
WHERE t.operation_id = current_operation() AND t.node_id = s.node_id AND s.changed

-- name: empty_members
-- The same: members.
DELETE FROM tree_member t USING staged_node s
WHERE t.operation_id = current_operation() AND t.node_id = s.node_id AND s.changed

-- name: add_alternates
-- Alternates in the order they act.
INSERT INTO tree_alternate (operation_id, node_id, rank, person_id)
SELECT current_operation(), s.node_id, u.n, p.person_id
FROM staged_node s
CROSS JOIN unnest(s.alternates) WITH ORDINALITY AS u (ref, n)
JOIN person p ON p.operation_id = current_operation() AND p.ref = u.ref
WHERE s.changed OR s.fresh

-- name: add_members
-- Named members.
INSERT INTO tree_member (operation_id, node_id, person_id)
SELECT current_operation(), s.node_id, p.person_id
FROM staged_node s
CROSS JOIN unnest(s.members) AS u (ref)
JOIN person p ON p.operation_id = current_operation() AND p.ref = u.ref
WHERE s.changed OR s.fresh

-- name: check_now
-- Brings deferred checks forward: the commit itself then has little left to do.
SET CONSTRAINTS ALL IMMEDIATE
