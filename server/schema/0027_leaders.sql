-- Whose a person is, found by key: a call for help waits for it, and has no time for 50,000 others.
-- Older code may still run: yes. It asks the same and is told the same.

-- As before, but what concerns nobody asked for is not looked at. Lists instead of joins: they use
-- an index also where the statistics know nothing yet, and nested loops are forbidden.
CREATE OR REPLACE FUNCTION node_of_people(persons int[]) RETURNS TABLE (person_id int, node_id int)
  LANGUAGE sql STABLE SET enable_nestloop = off
  AS $$ WITH RECURSIVE
        asked AS MATERIALIZED (
          SELECT p.person_id, p.area_id, p.sponsor_id FROM person p
          WHERE p.operation_id = current_operation() AND p.person_id = ANY (persons)),
        head AS MATERIALIZED (    -- everybody asked for, and the sponsors
          SELECT a.person_id, a.area_id FROM asked a
          UNION
          SELECT p.person_id, p.area_id FROM person p
          WHERE p.operation_id = current_operation()
            AND p.person_id = ANY (ARRAY(SELECT a.sponsor_id FROM asked a))),
        away AS MATERIALIZED (
          SELECT e.person_id, e.area_id FROM expected_now() e
          WHERE e.person_id = ANY (ARRAY(SELECT h.person_id FROM head h))),
        climb AS (      -- from each node they lead to those above it
          SELECT n.node_id AS start_id, n.warden_id AS who, n.node_id, n.parent_id, n.warden_id,
                 0 AS steps
          FROM tree_node n
          WHERE n.operation_id = current_operation()
            AND n.warden_id = ANY (ARRAY(SELECT h.person_id FROM head h))
          UNION ALL
          SELECT c.start_id, c.who, n.node_id, n.parent_id, n.warden_id, c.steps + 1
          FROM climb c JOIN tree_node n ON n.node_id = c.parent_id WHERE c.steps < 100),
        own AS MATERIALIZED (     -- her highest node
          SELECT DISTINCT ON (d.who) d.who, d.start_id FROM (
            SELECT c.who, c.start_id, max(c.steps) AS depth FROM climb c
            GROUP BY c.who, c.start_id) d
          ORDER BY d.who, d.depth, d.start_id),
        boss AS MATERIALIZED (
          SELECT DISTINCT ON (o.who) o.who, c.node_id
          FROM own o JOIN climb c ON c.start_id = o.start_id
          WHERE c.warden_id <> o.who ORDER BY o.who, c.steps),
        rising AS (     -- from each of their areas to those above it
          SELECT a.area_id AS start_id, a.area_id, a.parent_id, 0 AS steps FROM area a
          WHERE a.operation_id = current_operation()
            AND a.area_id = ANY (ARRAY(SELECT h.area_id FROM head h
                                       UNION SELECT w.area_id FROM away w))
          UNION ALL
          SELECT r.start_id, a.area_id, a.parent_id, r.steps + 1
          FROM rising r JOIN area a ON a.area_id = r.parent_id WHERE r.steps < 100),
        of_area AS MATERIALIZED (     -- the nodes of whole areas: nobody is named in them
          SELECT n.node_id, n.area_id FROM tree_node n
          WHERE n.operation_id = current_operation()
            AND n.area_id = ANY (ARRAY(SELECT r.area_id FROM rising r))
            AND (SELECT min(m.person_id) FROM tree_member m     -- by index, however many there are
                 WHERE m.operation_id = current_operation() AND m.node_id = n.node_id) IS NULL),
        area_node AS MATERIALIZED (
          SELECT DISTINCT ON (r.start_id) r.start_id AS area_id, n.node_id
          FROM rising r JOIN of_area n ON n.area_id = r.area_id
          ORDER BY r.start_id, r.steps, n.node_id),
        named AS MATERIALIZED (
          SELECT m.person_id, min(m.node_id) AS node_id FROM tree_member m
          WHERE m.operation_id = current_operation()
            AND m.person_id = ANY (ARRAY(SELECT h.person_id FROM head h))
          GROUP BY 1),
        placed AS MATERIALIZED (
          SELECT h.person_id, t.start_id AS own_id,
                 CASE WHEN t.who IS NOT NULL THEN b.node_id
                      ELSE coalesce(n.node_id, v.node_id, o.node_id) END AS node_id,
                 n.node_id AS named_id
          FROM head h
          LEFT JOIN own t ON t.who = h.person_id
          LEFT JOIN boss b ON b.who = h.person_id
          LEFT JOIN named n ON n.person_id = h.person_id
          LEFT JOIN away w ON w.person_id = h.person_id
          LEFT JOIN area_node v ON v.area_id = w.area_id
          LEFT JOIN area_node o ON o.area_id = h.area_id)
        SELECT a.person_id,
               CASE WHEN a.sponsor_id IS NULL OR mine.named_id IS NOT NULL THEN mine.node_id
                    ELSE coalesce(s.own_id, s.node_id, mine.node_id) END
        FROM asked a
        JOIN placed mine ON mine.person_id = a.person_id
        LEFT JOIN placed s ON s.person_id = a.sponsor_id $$;
