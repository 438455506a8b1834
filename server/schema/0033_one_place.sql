-- What several queries said alike, said once: how people are told; a call for help, a hand-over and
-- a person of the roster as they are shown.
-- Older code may still run: yes. It says it all itself, and is told the same.

-- The ways by which each of some people is told a word at once: every live push address of hers, and
-- the number a text route serves.
CREATE FUNCTION ways_of(persons int[], texted text[])
  RETURNS TABLE (person_id int, channel text, endpoint text)
  LANGUAGE sql STABLE
  AS $$ SELECT d.person_id, a.kind, d.device_id::text FROM device d
        JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
        WHERE d.operation_id = current_operation() AND d.person_id = ANY (persons)
          AND d.revoked_at IS NULL AND a.dead_at IS NULL
        UNION ALL
        SELECT u.person_id, 'sms', text_rank(u.person_id, texted)::text
        FROM (SELECT DISTINCT unnest(persons)) AS u (person_id)
        WHERE text_rank(u.person_id, texted) IS NOT NULL $$;

-- A call for help, without its place.
CREATE VIEW help_call_face WITH (security_invoker = true) AS
  SELECT h.help_id, h.kind, h.verified, h.sender, without_place(h.body) AS body,
         h.lat IS NOT NULL OR holds_place(h.body) AS placed, h.raised_at, h.repeated, h.last_at,
         h.closed_at, actor_name(h.closed_by) AS closed_by, h.outcome, h.note, p.ref, p.name,
         p.area_id, a.code AS area
  FROM help_call h
  LEFT JOIN person p ON p.operation_id = h.operation_id AND p.person_id = h.person_id
  LEFT JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
  WHERE h.operation_id = current_operation();
GRANT SELECT ON help_call_face TO muster_app;

-- A hand-over of a watch, as JSON.
CREATE VIEW hand_over_face WITH (security_invoker = true) AS
  SELECT h.operation_id, h.hand_over_id, h.watch_id, h.created_at, json_build_object(
    'id', h.hand_over_id, 'from_area', f.code, 'to_area', t.code, 'state', h.state,
    'expect_by', h.expect_by, 'unheard_at', h.unheard_at, 'note', h.note, 'contact', h.contact,
    'remark', h.remark, 'heard_at', h.event_at, 'settled_at', h.settled_at,
    'settled_by', actor_name(h.settled_by), 'created_at', h.created_at,
    'created_by', actor_name(h.created_by))::text AS face
  FROM watch_hand_over h
  LEFT JOIN area f ON f.operation_id = h.operation_id AND f.area_id = h.from_area_id
  LEFT JOIN area t ON t.operation_id = h.operation_id AND t.area_id = h.to_area_id;
GRANT SELECT ON hand_over_face TO muster_app;

-- A person as an import compares her: with the first two numbers.
CREATE VIEW known_person WITH (security_invoker = true) AS
  SELECT p.person_id, p.ref, p.category, s.ref AS sponsor, a.code AS area, g.name AS agency,
         CASE WHEN p.merged_into IS NULL THEN p.kind ELSE 'merged' END AS kind,
         c1.phone AS phone, c2.phone AS phone2
  FROM person p
  JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
  JOIN agency g ON g.operation_id = p.operation_id AND g.agency_id = p.agency_id
  LEFT JOIN person s ON s.operation_id = p.operation_id AND s.person_id = p.sponsor_id
  LEFT JOIN contact_point c1
    ON c1.operation_id = p.operation_id AND c1.person_id = p.person_id AND c1.rank = 1
  LEFT JOIN contact_point c2
    ON c2.operation_id = p.operation_id AND c2.person_id = p.person_id AND c2.rank = 2
  WHERE p.operation_id = current_operation();
GRANT SELECT ON known_person TO muster_app;
