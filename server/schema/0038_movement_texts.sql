-- Stages by text: codes of movements, one draw for all codes, overloads that come again, places in
-- jobs that fail for ever.
-- Older code may still run: yes. It understands no stages, and draws alerts' codes by themselves.

-- The short code by which a person reports in one movement by text: `BOARD 12 K7Q3`. Five wrong
-- ones from her number lock it, as they do an alert's. Of two records that become one both are hers.
CREATE TABLE movement_code (
  operation_id int NOT NULL REFERENCES operation,
  code text NOT NULL CHECK (code ~ '^[34679ACDEFGHJKMNPQRTUVWXY]{4,7}$' AND code ~ '[34679]'),
  movement_id uuid NOT NULL,
  person_id int NOT NULL,
  wrong smallint NOT NULL DEFAULT 0,
  locked_at timestamptz,
  PRIMARY KEY (operation_id, code),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX movement_code_code ON movement_code (code);  -- looked for in all operations
CREATE INDEX movement_code_person ON movement_code (operation_id, person_id, movement_id);
CALL guard_table('movement_code');
CALL open_to_definer('movement_code', 'SELECT');
CALL open_to_definer('movement_person', 'SELECT');
CALL open_to_definer('movement', 'SELECT');

-- Some codes that nobody has in this operation, of an alert, a watch or a movement.
CREATE OR REPLACE FUNCTION fresh_codes(many int, letters int) RETURNS SETOF text
  LANGUAGE sql VOLATILE
  AS $$ SELECT d.code
        FROM (SELECT DISTINCT left(string_agg(substr('34679ACDEFGHJKMNPQRTUVWXY', 1 +
                       (get_byte(r.u, b.high) * 256 + get_byte(r.u, b.low)) % 25, 1), ''
                       ORDER BY b.high), letters) AS code
              FROM (SELECT n, uuid_send(gen_random_uuid()) AS u
                    FROM generate_series(1, 2 * many + 20) AS n OFFSET 0) r
              CROSS JOIN (VALUES (0, 9), (1, 10), (2, 11), (3, 12), (4, 13), (5, 14), (7, 15))
                AS b (high, low)
              GROUP BY r.n) d
        WHERE d.code ~ '[34679]'
          AND NOT EXISTS (SELECT FROM answer_code c
                          WHERE c.operation_id = current_operation() AND c.code = d.code)
          AND NOT EXISTS (SELECT FROM watch_code c
                          WHERE c.operation_id = current_operation() AND c.code = d.code)
          AND NOT EXISTS (SELECT FROM movement_code c
                          WHERE c.operation_id = current_operation() AND c.code = d.code)
        ORDER BY gen_random_uuid() LIMIT many $$;

-- As before, of the same draw as all others: an alert's code is no watch's and no movement's.
CREATE OR REPLACE FUNCTION give_codes(about uuid, persons int[]) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  letters int;
  lacking int[];
BEGIN
  FOR try IN 1 .. 50 LOOP
    SELECT array_agg(DISTINCT p.person_id) INTO lacking FROM unnest(persons) AS w (person_id)
    JOIN alert_person p ON p.operation_id = current_operation() AND p.alert_id = about
      AND p.person_id = w.person_id
    WHERE NOT EXISTS (SELECT FROM answer_code c WHERE c.operation_id = p.operation_id
                      AND c.alert_id = about AND c.person_id = p.person_id);
    EXIT WHEN lacking IS NULL;
    SELECT least(7, code_length(coalesce(sum(a.population), 0)) + try / 10) INTO letters
    FROM alert a
    WHERE a.operation_id = current_operation()
      AND a.state IN ('preparing', 'pending_release', 'open');
    INSERT INTO answer_code (operation_id, alert_id, person_id, code)
    SELECT current_operation(), about, l.person_id, f.code
    FROM unnest(lacking) WITH ORDINALITY AS l (person_id, n)
    JOIN (SELECT c.code, row_number() OVER () AS n
          FROM fresh_codes(cardinality(lacking), letters) AS c (code)) f USING (n)
    ORDER BY l.person_id
    ON CONFLICT DO NOTHING;
  END LOOP;
END $$;

-- Gives a code to each of some people of a movement who has none; as long as all those of movements
-- ask for.
CREATE FUNCTION give_movement_codes(about uuid, persons int[]) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  letters int;
  lacking int[];
BEGIN
  FOR try IN 1 .. 50 LOOP
    SELECT array_agg(DISTINCT p.person_id) INTO lacking FROM unnest(persons) AS w (person_id)
    JOIN movement_person p ON p.operation_id = current_operation() AND p.movement_id = about
      AND p.person_id = w.person_id
    WHERE NOT EXISTS (SELECT FROM movement_code c WHERE c.operation_id = p.operation_id
                      AND c.movement_id = about AND c.person_id = p.person_id);
    EXIT WHEN lacking IS NULL;
    SELECT least(7, code_length(count(*) + cardinality(lacking)) + try / 10) INTO letters
    FROM movement_code c WHERE c.operation_id = current_operation();
    INSERT INTO movement_code (operation_id, code, movement_id, person_id)
    SELECT current_operation(), f.code, about, l.person_id
    FROM unnest(lacking) WITH ORDINALITY AS l (person_id, n)
    JOIN (SELECT c.code, row_number() OVER () AS n
          FROM fresh_codes(cardinality(lacking), letters) AS c (code)) f USING (n)
    ORDER BY l.person_id
    ON CONFLICT DO NOTHING;
  END LOOP;
END $$;

-- Which movement a text was about.
ALTER TABLE inbound_sms ADD COLUMN movement_id uuid;
CREATE OR REPLACE VIEW inbound_face WITH (security_invoker = true) AS
  SELECT i.operation_id, i.inbound_id, 'sms' AS source, i.route, i.sender, i.recipient, i.body,
         NULL::timestamptz AS at, i.received_at, i.repeated, i.state, i.said, i.person_id,
         i.alert_id, i.detail, i.answered, i.understood_at, i.watch_id, i.movement_id
  FROM inbound_sms i WHERE i.operation_id = current_operation()
  UNION ALL
  SELECT m.operation_id, m.message_id, 'satellite', m.route, 'IMEI ' || m.imei, NULL, m.body, m.at,
         m.received_at, m.repeated, m.state, m.said, m.person_id, m.alert_id, m.detail, NULL,
         m.understood_at, NULL, NULL
  FROM satellite_message m WHERE m.operation_id = current_operation();

-- As before, and by the codes of movements; `asked`: an open alert holds the person, or a movement
-- that has not ended.
CREATE OR REPLACE FUNCTION operations_of_text(numbers text[], id5 text, answer text)
  RETURNS TABLE (operation_id int, by text, phone text, asked boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ WITH found AS (
          SELECT c.operation_id, 'number' AS by, c.phone, c.person_id FROM contact_point c
          WHERE c.phone = ANY (numbers)
          UNION ALL
          SELECT d.operation_id, 'device', NULL, d.person_id FROM device d WHERE d.sms_id5 = id5
          UNION ALL
          SELECT c.operation_id, 'code', NULL, c.person_id FROM answer_code c
          WHERE c.code = answer
          UNION ALL
          SELECT c.operation_id, 'code', NULL, c.person_id FROM watch_code c
          WHERE c.code = answer
          UNION ALL
          SELECT c.operation_id, 'code', NULL, c.person_id FROM movement_code c
          WHERE c.code = answer)
        SELECT f.operation_id, f.by, min(f.phone), bool_or(EXISTS (
          SELECT FROM alert_person p
          JOIN alert a ON a.operation_id = p.operation_id AND a.alert_id = p.alert_id
          WHERE p.operation_id = f.operation_id AND p.person_id = f.person_id AND a.state = 'open')
          OR EXISTS (
          SELECT FROM movement_person p
          JOIN movement m ON m.operation_id = p.operation_id AND m.movement_id = p.movement_id
          WHERE p.operation_id = f.operation_id AND p.person_id = f.person_id
            AND m.ended_at IS NULL))
        FROM found f GROUP BY f.operation_id, f.by $$;
