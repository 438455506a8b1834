-- name: clock
-- The database's time.
SELECT clock_timestamp()

-- name: hold_off_merges
-- A population is resolved while no two persons become one; merging takes this alone.
SELECT pg_advisory_xact_lock_shared(42, current_operation())

-- name: known
-- What was asked for under an id that is taken.
SELECT body_sha256 FROM movement WHERE operation_id = current_operation() AND movement_id = $1

-- name: insert
-- Puts a movement on record, its people yet to be listed; nothing if the id is taken.
INSERT INTO movement (operation_id, movement_id, kind, reach, title, authority, reference, exercise,
                      audience, body_sha256, created_by)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10)
ON CONFLICT DO NOTHING RETURNING movement_id

-- name: insert_origins
-- The areas people are moved from.
INSERT INTO movement_origin (operation_id, movement_id, area_id)
SELECT DISTINCT current_operation(), $1::uuid, a.area_id FROM area a WHERE a.code = ANY ($2::text[])

-- name: areas_in_sight
-- Which of these codes name an area of the caller's.
SELECT code FROM area WHERE operation_id = current_operation() AND code = ANY ($1::text[])
  AND ($2::int[] IS NULL OR area_id = ANY ($2))

-- name: sees
-- Whether a movement moves anybody in some areas or of some people, or the caller made it.
SELECT EXISTS (
  SELECT FROM movement m WHERE m.operation_id = current_operation() AND m.movement_id = $1
    AND (($2::int[] IS NULL AND $3::int[] IS NULL) OR m.created_by = $4
      OR EXISTS (SELECT FROM movement_cell c WHERE c.operation_id = m.operation_id
           AND c.movement_id = m.movement_id AND c.count > 0 AND c.area_id = ANY ($2))
      OR EXISTS (SELECT FROM movement_person p WHERE p.operation_id = m.operation_id
           AND p.movement_id = m.movement_id AND p.person_id = ANY ($3))))

-- name: reaches_beyond
-- Whether a movement of somebody else's holds people outside these areas.
SELECT EXISTS (
  SELECT FROM movement m WHERE m.operation_id = current_operation() AND m.movement_id = $1
    AND m.created_by <> $3
    AND (m.state = 'preparing' OR EXISTS (
      SELECT FROM movement_cell c WHERE c.operation_id = m.operation_id
        AND c.movement_id = m.movement_id AND c.count > 0 AND c.area_id <> ALL ($2::int[]))))

-- name: lock
-- A movement, held until the commit.
SELECT state, audience, created_by, exercise FROM movement
WHERE operation_id = current_operation() AND movement_id = $1 FOR NO KEY UPDATE

-- name: movements
-- The movements a caller sees, newest first, a page at a time; or one of them.
SELECT m.movement_id, m.kind, m.reach, m.title, m.authority, m.reference, m.exercise, m.state,
       m.created_at, actor_name(m.created_by) AS maker, m.activated_at, m.ended_at,
       actor_name(m.ended_by) AS ender,
       ARRAY(SELECT a.code FROM movement_origin o JOIN area a USING (operation_id, area_id)
             WHERE o.operation_id = m.operation_id AND o.movement_id = m.movement_id
             ORDER BY a.code) AS origins,
       n.population, n.unsettled,
       (SELECT count(*)::int FROM movement_vehicle v
        WHERE v.operation_id = m.operation_id AND v.movement_id = m.movement_id
          AND v.state = 'departed' AND v.overdue_at IS NOT NULL
          AND m.state NOT IN ('closed', 'cancelled')) AS overdue,
       (SELECT count(*)::int FROM movement_conflict c
        WHERE c.operation_id = m.operation_id AND c.movement_id = m.movement_id AND c.state = 'open'
          AND (c.person_id IS NULL AND $2::int[] IS NULL OR EXISTS (
            SELECT FROM movement_person p WHERE p.operation_id = c.operation_id
              AND p.movement_id = c.movement_id AND p.person_id = c.person_id
              AND ($1::int[] IS NULL OR p.area_id = ANY ($1))
              AND ($2::int[] IS NULL OR p.person_id = ANY ($2))))) AS conflicts
FROM movement m
CROSS JOIN LATERAL (
  SELECT coalesce(sum(s.people), 0)::int AS population,
         coalesce(sum(s.people) FILTER (WHERE s.stage NOT IN (
           'arrived', 'accommodated', 'staying', 'hibernating')), 0)::int AS unsettled
  FROM (
    SELECT c.stage, c.count AS people FROM movement_cell c
    WHERE c.operation_id = m.operation_id AND c.movement_id = m.movement_id
      AND $2::int[] IS NULL AND ($1::int[] IS NULL OR c.area_id = ANY ($1))
    UNION ALL
    SELECT p.stage, 1 FROM movement_person p
    WHERE p.operation_id = m.operation_id AND p.movement_id = m.movement_id
      AND $2::int[] IS NOT NULL AND p.person_id = ANY ($2)) s) n
WHERE m.operation_id = current_operation()
  AND ($8::uuid IS NULL OR m.movement_id = $8)
  AND ($4::text IS NULL OR m.state = $4)
  AND (($1::int[] IS NULL AND $2::int[] IS NULL) OR m.created_by = $3
    OR EXISTS (SELECT FROM movement_cell c WHERE c.operation_id = m.operation_id
         AND c.movement_id = m.movement_id AND c.count > 0 AND c.area_id = ANY ($1))
    OR EXISTS (SELECT FROM movement_person p WHERE p.operation_id = m.operation_id
         AND p.movement_id = m.movement_id AND p.person_id = ANY ($2)))
  AND ($5::timestamptz IS NULL OR m.created_at < $5
       OR (m.created_at = $5 AND m.movement_id > $6))
ORDER BY m.created_at DESC, m.movement_id LIMIT $7

-- name: list_areas
-- Lists the people of the origin areas, visitors where they visit, and the family of all.
INSERT INTO movement_person (operation_id, movement_id, person_id, area_id, agency_id, category,
                             parity, household_id, expected)
SELECT current_operation(), $1, p.person_id, m.area_id, p.agency_id, p.category,
       parity_of(p.category, s.category), coalesce(p.sponsor_id, p.person_id), m.expected
FROM audience_people('areas', $2, '{}', '{}', '{}', NULL, $3) m
JOIN person p ON p.operation_id = current_operation() AND p.person_id = m.person_id
LEFT JOIN person s ON s.operation_id = current_operation() AND s.person_id = p.sponsor_id
ORDER BY p.person_id
ON CONFLICT DO NOTHING

-- name: list_people
-- Lists people named by ref, with their family.
INSERT INTO movement_person (operation_id, movement_id, person_id, area_id, agency_id, category,
                             parity, household_id, added)
SELECT current_operation(), $1, p.person_id, p.area_id, p.agency_id, p.category,
       parity_of(p.category, s.category), coalesce(p.sponsor_id, p.person_id), $3
FROM person p
LEFT JOIN person s ON s.operation_id = current_operation() AND s.person_id = p.sponsor_id
WHERE p.operation_id = current_operation() AND p.merged_into IS NULL
  AND (p.ref = ANY ($2::text[]) OR s.ref = ANY ($2))
ORDER BY p.person_id
ON CONFLICT DO NOTHING
RETURNING person_id

-- name: fill_cells
-- People by stage of a fresh listing: everybody listed.
INSERT INTO movement_cell (operation_id, movement_id, area_id, agency_id, category, stage, count)
SELECT current_operation(), $1, area_id, agency_id, category, stage, count(*)::int
FROM movement_person WHERE operation_id = current_operation() AND movement_id = $1
GROUP BY area_id, agency_id, category, stage
ORDER BY 3, 4, 5, 6

-- name: has_people
-- Whether anybody is listed.
SELECT EXISTS (SELECT FROM movement_person
               WHERE operation_id = current_operation() AND movement_id = $1)

-- name: learn
-- Lets the planner know the new people at once: reports then find their rows by key.
ANALYZE movement_person

-- name: learn_shortly
-- A freezing waits no longer than this for its statistics.
SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '10s', true)

-- name: reported
-- Who was reported before the freezing ended; whoever was merged by the person who remains.
SELECT DISTINCT remaining(person_id) AS person_id FROM stage_report
WHERE operation_id = current_operation() AND movement_id = $1 ORDER BY person_id

-- name: mark
-- A movement goes on to another state.
UPDATE movement SET state = $2,
       activated_at = CASE WHEN $2 = 'active' THEN clock_timestamp() ELSE activated_at END
WHERE operation_id = current_operation() AND movement_id = $1

-- name: mark_ended
-- A movement has ended, people standing as they do.
UPDATE movement SET state = $2, ended_at = clock_timestamp(), ended_by = $3, statement = $4,
  at_close = (SELECT coalesce(jsonb_object_agg(s.stage, s.people), '{}') FROM (
    SELECT c.stage, sum(c.count)::int AS people FROM movement_cell c
    WHERE c.operation_id = current_operation() AND c.movement_id = $1 GROUP BY c.stage) s)
WHERE operation_id = current_operation() AND movement_id = $1

-- name: signed
-- Whether a movement was ended by somebody with this statement.
SELECT ended_by = $2 AND statement = $3 FROM movement
WHERE operation_id = current_operation() AND movement_id = $1

-- name: add_fact
-- A line of the timeline.
INSERT INTO movement_fact (operation_id, movement_id, what, actor, detail)
VALUES (current_operation(), $1, $2, $3, $4::text::jsonb)

-- name: facts
-- The timeline, in order. Who is out of sight is not named in it.
SELECT f.at, f.what, CASE WHEN f.actor = 'system' THEN NULL ELSE actor_name(f.actor) END AS who,
       CASE WHEN $2::int[] IS NULL AND $3::int[] IS NULL OR EXISTS (
         SELECT FROM person p
         LEFT JOIN movement_person m ON m.operation_id = p.operation_id AND m.movement_id = $1
           AND m.person_id = coalesce(p.merged_into, p.person_id)
         WHERE p.operation_id = f.operation_id
           AND p.ref = coalesce(f.detail ->> 'was', f.detail ->> 'ref')
           AND ($2 IS NULL OR coalesce(m.area_id, p.area_id) = ANY ($2))
           AND ($3 IS NULL OR coalesce(p.merged_into, p.person_id) = ANY ($3)))
       THEN f.detail ELSE f.detail - 'was' - 'ref' END AS detail
FROM movement_fact f
WHERE f.operation_id = current_operation() AND f.movement_id = $1 ORDER BY f.fact_id

-- name: mark_unresolved
-- Those listed by name at the close-out, with why.
UPDATE movement_person m SET unresolved = u.reason
FROM unnest($2::text[], $3::text[]) AS u (ref, reason)
JOIN person p ON p.operation_id = current_operation() AND p.ref = u.ref
WHERE m.operation_id = current_operation() AND m.movement_id = $1 AND m.person_id = p.person_id
  AND m.stage <> ALL ($4::text[])
RETURNING p.ref

-- name: open_ends
-- How many are neither arrived nor staying, and are not listed by name.
SELECT count(*)::int FROM movement_person
WHERE operation_id = current_operation() AND movement_id = $1
  AND stage <> ALL ($2::text[]) AND unresolved IS NULL

-- name: places
-- Where some people of a movement are counted.
SELECT m.area_id, m.agency_id, m.category, p.ref FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1 AND m.person_id = ANY ($2::int[])
ORDER BY p.ref

-- name: conflicts_by_kind
-- How many conflicts there were of each kind, by state: of people in sight, and of vehicles.
SELECT c.kind, c.state, count(*)::int AS conflicts FROM movement_conflict c
WHERE c.operation_id = current_operation() AND c.movement_id = $1
  AND (c.person_id IS NULL AND $3::int[] IS NULL OR EXISTS (
    SELECT FROM movement_person p WHERE p.operation_id = c.operation_id
      AND p.movement_id = c.movement_id AND p.person_id = c.person_id
      AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
      AND ($3::int[] IS NULL OR p.person_id = ANY ($3))))
GROUP BY c.kind, c.state ORDER BY 1, 2

-- name: not_reached
-- Of whom nothing was ever heard, and the best way to each now.
WITH silent AS MATERIALIZED (
  SELECT m.person_id, m.area_id, m.category, m.expected FROM movement_person m
  WHERE m.operation_id = current_operation() AND m.movement_id = $1 AND m.stage = 'listed'
    AND ($2::int[] IS NULL OR m.area_id = ANY ($2))
    AND ($3::int[] IS NULL OR m.person_id = ANY ($3)))
SELECT p.ref, p.name, a.code AS area, s.category, s.expected, r.reach
FROM silent s
JOIN reach_of(ARRAY(SELECT person_id FROM silent), $4::text[]) r ON r.person_id = s.person_id
JOIN person p ON p.operation_id = current_operation() AND p.person_id = s.person_id
JOIN area a ON a.operation_id = current_operation() AND a.area_id = s.area_id
ORDER BY p.name, p.person_id

-- name: unresolved
-- Who was listed by name at the close-out, with where she stands now.
SELECT p.ref, p.name, m.stage, m.unresolved FROM movement_person m
JOIN person p ON p.operation_id = m.operation_id AND p.person_id = m.person_id
WHERE m.operation_id = current_operation() AND m.movement_id = $1 AND m.unresolved IS NOT NULL
  AND ($2::int[] IS NULL OR m.area_id = ANY ($2))
  AND ($3::int[] IS NULL OR m.person_id = ANY ($3))
ORDER BY p.name, p.person_id

-- name: statement
-- What was signed at the close-out.
SELECT statement FROM movement WHERE operation_id = current_operation() AND movement_id = $1
