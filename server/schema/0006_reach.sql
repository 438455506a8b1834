-- Whom an alert addresses, how each can be reached, and additions to a population.
-- Older code may still run: none (first version).

-- The people an audience selects, with their eligible family, once each, and why. The roster
-- is addressed, with whoever was added to the same incident before; merged persons are not.
-- `audience` is all|areas|agencies|tree_node|polygon and `names` its codes, names or node. A
-- polygon comes resolved: `here` are persons inside by a fresh position, `placed` all who have
-- one, `spots` the areas whose point is inside. `within` limits it to an area and below.
CREATE FUNCTION audience_people(audience text, names text[], here int[], placed int[],
                                spots int[], incident uuid, within int)
  RETURNS TABLE (person_id int, matched text)
  LANGUAGE sql STABLE
  AS $$ WITH guest AS (
          SELECT ap.person_id FROM alert a JOIN alert_person ap USING (operation_id, alert_id)
          WHERE a.operation_id = current_operation() AND a.incident_id = incident
            AND ap.added IS NOT NULL),
        member AS MATERIALIZED (
          SELECT p.person_id, p.area_id, p.agency_id, p.sponsor_id FROM person p
          WHERE p.operation_id = current_operation() AND p.merged_into IS NULL
            AND (p.kind = 'roster' OR p.person_id IN (SELECT g.person_id FROM guest g))
            AND (within IS NULL OR p.area_id IN (SELECT area_and_below(within)))),
        direct AS MATERIALIZED (
          SELECT m.person_id, 'all' AS matched FROM member m WHERE audience = 'all'
          UNION ALL
          SELECT m.person_id, 'area' FROM member m
          WHERE audience = 'areas' AND m.area_id IN (
            SELECT area_and_below(a.area_id) FROM area a WHERE a.code = ANY (names))
          UNION ALL
          SELECT m.person_id, 'agency' FROM member m
          WHERE audience = 'agencies' AND m.agency_id IN (
            SELECT g.agency_id FROM agency g WHERE g.name = ANY (names))
          UNION ALL
          SELECT m.person_id, 'tree' FROM member m
          WHERE audience = 'tree_node' AND m.person_id IN (SELECT people_of_nodes(
            ARRAY(SELECT n.node_id FROM tree_node n WHERE n.node = ANY (names))))
          UNION ALL
          SELECT m.person_id, 'position' FROM member m
          WHERE audience = 'polygon' AND m.person_id IN (SELECT unnest(here))
          UNION ALL
          SELECT m.person_id, 'area' FROM member m
          WHERE audience = 'polygon' AND m.area_id = ANY (spots)
            AND m.person_id NOT IN (SELECT unnest(placed)))
        SELECT d.person_id, d.matched FROM direct d
        UNION ALL
        SELECT f.person_id, 'family' FROM person f
        WHERE f.operation_id = current_operation() AND f.merged_into IS NULL
          AND f.sponsor_id IN (SELECT d.person_id FROM direct d)
          AND f.person_id NOT IN (SELECT d.person_id FROM direct d) $$;

-- The best way to each of some persons now: push (a live FCM or Web Push address), warden (somebody else
-- on the tree answers for the person, or for the sponsor), or none. SMS and email join when
-- such a channel exists: a number nobody can text reaches nobody.
CREATE FUNCTION reach_of(persons int[]) RETURNS TABLE (person_id int, reach text)
  LANGUAGE sql STABLE
  AS $$ WITH RECURSIVE staff AS (
          SELECT n.node_id, n.warden_id AS staff_id FROM tree_node n WHERE n.warden_id IS NOT NULL
          UNION
          SELECT a.node_id, a.person_id FROM tree_alternate a),
        line AS (   -- who answers for a node, herself or from above
          SELECT node_id, staff_id FROM staff
          UNION
          SELECT c.node_id, l.staff_id FROM line l JOIN tree_node c ON c.parent_id = l.node_id),
        node_staff AS MATERIALIZED (
          SELECT l.node_id, min(l.staff_id) AS lo, max(l.staff_id) AS hi FROM line l GROUP BY 1),
        area_staff AS MATERIALIZED (
          SELECT b.area_id, min(s.lo) AS lo, max(s.hi) AS hi
          FROM node_staff s JOIN tree_node n USING (node_id)
          CROSS JOIN LATERAL area_and_below(n.area_id) AS b (area_id)
          WHERE n.area_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM tree_member m WHERE m.node_id = n.node_id)
          GROUP BY 1),
        wanted AS MATERIALIZED (
          SELECT p.person_id, p.area_id, coalesce(p.sponsor_id, p.person_id) AS head_id,
                 coalesce(s.area_id, p.area_id) AS head_area_id
          FROM person p LEFT JOIN person s
            ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
          WHERE p.operation_id = current_operation() AND p.person_id = ANY (persons)),
        place AS (  -- rows, not OR: every person against every area would be 10 million pairs
          SELECT w.person_id, w.area_id FROM wanted w
          UNION ALL
          SELECT w.person_id, w.head_area_id FROM wanted w WHERE w.head_area_id <> w.area_id),
        voice AS (
          SELECT w.person_id, w.person_id AS says FROM wanted w
          UNION ALL
          SELECT w.person_id, w.head_id FROM wanted w WHERE w.head_id <> w.person_id),
        pushed AS (
          SELECT d.person_id FROM device d JOIN push_address a USING (operation_id, device_id)
          WHERE d.operation_id = current_operation() AND d.person_id = ANY (persons)
            AND d.revoked_at IS NULL AND a.dead_at IS NULL),
        covered AS (
          SELECT w.person_id FROM place w JOIN area_staff s ON s.area_id = w.area_id
          WHERE s.lo <> w.person_id OR s.hi <> w.person_id
          UNION ALL
          SELECT w.person_id FROM voice w
          JOIN tree_member m ON m.operation_id = current_operation() AND m.person_id = w.says
          JOIN node_staff s USING (node_id)
          WHERE s.lo <> w.person_id OR s.hi <> w.person_id
          UNION ALL
          SELECT w.person_id FROM voice w
          JOIN staff o ON o.staff_id = w.says JOIN node_staff s USING (node_id)
          WHERE s.lo <> w.person_id OR s.hi <> w.person_id)
        SELECT w.person_id,
               CASE WHEN w.person_id IN (SELECT p.person_id FROM pushed p) THEN 'push'
                    WHEN w.person_id IN (SELECT c.person_id FROM covered c) THEN 'warden'
                    ELSE 'none' END
        FROM wanted w $$;

-- Who stands behind 'operator:<id>' or 'device:<id>', by name; NULL for anything else.
CREATE FUNCTION actor_name(actor text) RETURNS text
  LANGUAGE sql STABLE
  AS $$ SELECT CASE split_part(actor, ':', 1)
          WHEN 'operator' THEN (
            SELECT o.name FROM operator o WHERE o.operation_id = current_operation()
              AND o.operator_id = split_part(actor, ':', 2)::int)
          WHEN 'device' THEN (
            SELECT p.name FROM device d JOIN person p USING (operation_id, person_id)
            WHERE d.operation_id = current_operation()
              AND d.device_id = split_part(actor, ':', 2)::uuid) END $$;

-- Every later addition to a population, by the id its caller made: a repeat finds it here.
CREATE TABLE addition (
  operation_id int NOT NULL REFERENCES operation,
  addition_id uuid NOT NULL,
  alert_id uuid NOT NULL,
  person_id int NOT NULL,
  body_sha256 bytea NOT NULL,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (operation_id, addition_id),
  FOREIGN KEY (operation_id, alert_id) REFERENCES alert,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CALL guard_table('addition');

-- An alert with the name of its maker, as every reader of it wants it.
CREATE VIEW alert_face WITH (security_invoker = true) AS
  SELECT a.*, o.name AS maker FROM alert a
  LEFT JOIN operator o ON o.operation_id = a.operation_id
    AND a.created_by = 'operator:' || o.operator_id
  WHERE a.operation_id = current_operation();
GRANT SELECT ON alert_face TO muster_app;

-- An incident with the name of its maker and how many alerts it has, and has going.
CREATE VIEW incident_face WITH (security_invoker = true) AS
  SELECT i.operation_id, i.incident_id, i.title, i.exercise, i.opened_at, i.opened_by AS opened_actor,
         o.name AS opened_by, i.closed_at, n.alerts, n.live
  FROM incident i
  LEFT JOIN operator o ON o.operation_id = i.operation_id
    AND i.opened_by = 'operator:' || o.operator_id
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS alerts, count(*) FILTER (WHERE a.closed_at IS NULL)::int AS live
    FROM alert a WHERE a.operation_id = i.operation_id AND a.incident_id = i.incident_id) n
  WHERE i.operation_id = current_operation();
GRANT SELECT ON incident_face TO muster_app;

-- Who was merged into a person: her earlier reports stand under their ids.
CREATE INDEX person_merged ON person (operation_id, merged_into) WHERE merged_into IS NOT NULL;
