-- Watches: which radio room holds one and how it is handed over; codes of texts about them; readings
-- of positions; curfews that make an area one of risk; phones that are dark, raised once each.
-- Older code may still run: yes. It hands nothing over, and shows no room but the person's own.

-- Which radio room answers for a watch: that of its person's area, until it is offered to another
-- (`room_set`); then `room_id`, NULL for the whole operation's desk: the sender's, and from the moment
-- the next has heard it, the next one's. One column, so there are never two rooms, and never none.
ALTER TABLE watch
  ADD COLUMN room_set boolean NOT NULL DEFAULT false,
  ADD COLUMN room_id int,
  ADD FOREIGN KEY (operation_id, room_id) REFERENCES area,
  ADD CHECK (room_set OR room_id IS NULL);

-- A convoy offered by one radio room to the next. While it is only offered the sender answers for
-- it. Not heard by `expect_by`, both rooms are alarmed, then the duty desk, at `turn_at`.
CREATE TABLE watch_hand_over (
  operation_id int NOT NULL REFERENCES operation,
  hand_over_id uuid NOT NULL,
  watch_id uuid NOT NULL,
  from_area_id int,                 -- NULL: the whole operation's desk
  to_area_id int,                   -- the same
  expect_by timestamptz NOT NULL,
  note text,
  state text NOT NULL DEFAULT 'offered' CHECK (state IN
    ('offered', 'heard', 'refused', 'withdrawn', 'ended')),
  step smallint NOT NULL DEFAULT 0 CHECK (step BETWEEN 0 AND 2),  -- 1 both rooms, 2 the duty desk
  turn_at timestamptz,              -- when to look at it next
  unheard_at timestamptz,           -- when both rooms were alarmed
  contact text CHECK (contact IN ('radio', 'phone', 'text', 'satellite', 'sight')),
  remark text,                      -- what was said when it was settled
  event_at timestamptz,             -- when contact was made, corrected
  settled_at timestamptz,
  settled_by text,
  body_sha256 bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by text NOT NULL,
  PRIMARY KEY (operation_id, hand_over_id),
  FOREIGN KEY (operation_id, watch_id) REFERENCES watch,
  FOREIGN KEY (operation_id, from_area_id) REFERENCES area,
  FOREIGN KEY (operation_id, to_area_id) REFERENCES area,
  CHECK (from_area_id IS DISTINCT FROM to_area_id),
  CHECK ((state = 'offered' AND step < 2) = (turn_at IS NOT NULL)),
  CHECK ((state = 'offered') = (settled_at IS NULL)),
  CHECK ((state = 'heard') = (contact IS NOT NULL))
);
CREATE UNIQUE INDEX watch_hand_over_open ON watch_hand_over (operation_id, watch_id)
  WHERE state = 'offered';
CREATE INDEX watch_hand_over_watch ON watch_hand_over (operation_id, watch_id, created_at);
CREATE INDEX watch_hand_over_turn ON watch_hand_over (operation_id, turn_at)
  WHERE turn_at IS NOT NULL;
CALL guard_table('watch_hand_over');
CALL open_to_definer('watch_hand_over', 'SELECT');

-- Facts of a hand-over stand in its watch's timeline, each once; readings of a position too, each
-- with its reason.
ALTER TABLE watch_fact
  ADD COLUMN hand_over_id uuid,
  ADD COLUMN reason text,
  ADD FOREIGN KEY (operation_id, hand_over_id) REFERENCES watch_hand_over,
  DROP CONSTRAINT watch_fact_what_check,
  ADD CONSTRAINT watch_fact_what_check CHECK (what IN ('created', 'reminded', 'overdue',
    'passed_up', 'desk', 'covered', 'done', 'extended', 'cancelled', 'superseded', 'offered',
    'heard', 'refused', 'withdrawn', 'unheard', 'unheard_desk', 'position_read')),
  ADD CHECK ((what = 'position_read') = (reason IS NOT NULL));
CREATE UNIQUE INDEX watch_fact_handed_once ON watch_fact (operation_id, hand_over_id, what)
  WHERE hand_over_id IS NOT NULL;

-- The short code by which a person answers for one watch by text: `DONE K7Q3`. Five wrong ones from
-- her number lock it, as they do an alert's.
CREATE TABLE watch_code (
  operation_id int NOT NULL REFERENCES operation,
  watch_id uuid NOT NULL,
  person_id int NOT NULL,
  code text NOT NULL CHECK (code ~ '^[34679ACDEFGHJKMNPQRTUVWXY]{4,7}$' AND code ~ '[34679]'),
  wrong smallint NOT NULL DEFAULT 0,
  locked_at timestamptz,
  PRIMARY KEY (operation_id, watch_id, person_id),
  UNIQUE (operation_id, code),
  FOREIGN KEY (operation_id, watch_id) REFERENCES watch,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX watch_code_code ON watch_code (code);  -- looked for in all operations
CREATE INDEX watch_code_person ON watch_code (operation_id, person_id);
CALL guard_table('watch_code');
CALL open_to_definer('watch_code', 'SELECT');

-- Some codes nobody has in this operation, made as `give_codes` makes them.
CREATE FUNCTION fresh_codes(many int, letters int) RETURNS SETOF text
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
        ORDER BY gen_random_uuid() LIMIT many $$;

-- Gives a code to the person of each of some watches that has none; as long as all the codes in use
-- ask for.
CREATE FUNCTION give_watch_codes(watches uuid[]) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  letters int;
  asked int;
BEGIN
  FOR try IN 1 .. 50 LOOP
    SELECT count(*) INTO asked FROM watch w
    WHERE w.operation_id = current_operation() AND w.watch_id = ANY (watches)
      AND w.person_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM watch_code c WHERE c.operation_id = w.operation_id
                      AND c.watch_id = w.watch_id AND c.person_id = w.person_id);
    EXIT WHEN asked = 0;
    SELECT least(7, code_length(count(*) + asked) + try / 10) INTO letters
    FROM watch_code c WHERE c.operation_id = current_operation();
    INSERT INTO watch_code (operation_id, watch_id, person_id, code)
    SELECT current_operation(), l.watch_id, l.person_id, f.code
    FROM (
      SELECT w.watch_id, w.person_id, row_number() OVER (ORDER BY w.watch_id) AS n FROM watch w
      WHERE w.operation_id = current_operation() AND w.watch_id = ANY (watches)
        AND w.person_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM watch_code c WHERE c.operation_id = w.operation_id
                        AND c.watch_id = w.watch_id AND c.person_id = w.person_id)) l
    JOIN (SELECT c.code, row_number() OVER () AS n FROM fresh_codes(asked, letters) AS c (code)) f
      USING (n)
    ORDER BY l.watch_id
    ON CONFLICT DO NOTHING;
  END LOOP;
END $$;

-- Which watch a text was about.
ALTER TABLE inbound_sms ADD COLUMN watch_id uuid;

-- As before, and by the codes of watches.
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
          WHERE c.code = answer)
        SELECT f.operation_id, f.by, min(f.phone), bool_or(EXISTS (
          SELECT FROM alert_person p
          JOIN alert a ON a.operation_id = p.operation_id AND a.alert_id = p.alert_id
          WHERE p.operation_id = f.operation_id AND p.person_id = f.person_id AND a.state = 'open'))
        FROM found f GROUP BY f.operation_id, f.by $$;

-- A curfew may make its area one of risk as long as it is in force.
ALTER TABLE curfew
  ADD COLUMN dark_after_h int CHECK (dark_after_h BETWEEN 1 AND 720);

-- Who is expected in an area of risk and was not heard of for the hours set for it, the shortest of
-- several. Heard of: a report by anybody in her name, her phone's last call.
CREATE FUNCTION dark_people()
  RETURNS TABLE (person_id int, area_id int, hours int, heard_at timestamptz, battery smallint)
  LANGUAGE sql STABLE
  AS $$ WITH flag AS (
          SELECT r.area_id, r.dark_after_h FROM area_risk r
          WHERE r.operation_id = current_operation()
          UNION ALL
          SELECT c.area_id, c.dark_after_h FROM curfew c
          WHERE c.operation_id = current_operation() AND c.ended_at IS NULL
            AND c.dark_after_h IS NOT NULL),
        risky AS MATERIALIZED (
          SELECT b.area_id, min(f.dark_after_h) AS hours FROM flag f
          CROSS JOIN LATERAL area_and_below(f.area_id) AS b (area_id) GROUP BY 1),
        here AS MATERIALIZED (
          SELECT p.person_id, coalesce(e.area_id, p.area_id) AS area_id
          FROM person p LEFT JOIN expected_now() e ON e.person_id = p.person_id
          WHERE p.operation_id = current_operation() AND p.merged_into IS NULL
            AND p.category <> 'family' AND (e.person_id IS NULL OR e.area_id IS NOT NULL))
        SELECT h.person_id, h.area_id, r.hours, l.heard_at, l.battery
        FROM here h JOIN risky r ON r.area_id = h.area_id
        CROSS JOIN LATERAL (
          SELECT greatest(c.event_at, (
            SELECT max(k.last_seen_at) FROM device d
            JOIN credential k ON k.operation_id = d.operation_id AND k.device_id = d.device_id
            WHERE d.operation_id = current_operation() AND d.person_id = h.person_id)) AS heard_at,
            c.battery
          FROM (SELECT 1) AS one LEFT JOIN LATERAL (
            SELECT c.event_at, c.battery FROM checkin c
            WHERE c.operation_id = current_operation() AND c.person_id = h.person_id
            ORDER BY c.event_at DESC LIMIT 1) c ON true) l
        WHERE l.heard_at IS NULL
           OR l.heard_at <= clock_timestamp() - make_interval(hours => r.hours) $$;

-- An alarm for each person that is dark, from when it was noticed until she is heard of, or is
-- expected in no area of risk any more. One at a time for each.
CREATE TABLE dark_alarm (
  operation_id int NOT NULL REFERENCES operation,
  alarm_id uuid NOT NULL DEFAULT uuidv7(),
  person_id int NOT NULL,
  area_id int NOT NULL,             -- where she was expected then
  dark_after_h int NOT NULL,
  raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  heard boolean,                    -- false: it ended, and nobody has heard of her
  PRIMARY KEY (operation_id, alarm_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  FOREIGN KEY (operation_id, area_id) REFERENCES area,
  CHECK ((ended_at IS NULL) = (heard IS NULL))
);
CREATE UNIQUE INDEX dark_alarm_open ON dark_alarm (operation_id, person_id) WHERE ended_at IS NULL;
CALL guard_table('dark_alarm');
CALL open_to_definer('dark_alarm', 'SELECT');
CALL open_to_definer('area_risk', 'SELECT');

-- Across operations: which have areas of risk, or somebody dark.
CREATE FUNCTION operations_with_risk() RETURNS SETOF int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT r.operation_id FROM area_risk r
        UNION SELECT c.operation_id FROM curfew c
              WHERE c.ended_at IS NULL AND c.dark_after_h IS NOT NULL
        UNION SELECT d.operation_id FROM dark_alarm d WHERE d.ended_at IS NULL
        ORDER BY 1 $$;

-- And which have hand-overs to look at now.
CREATE FUNCTION operations_with_hand_overs_due() RETURNS SETOF int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT o.operation_id FROM operation o
        WHERE EXISTS (SELECT FROM watch_hand_over h WHERE h.operation_id = o.operation_id
                      AND h.turn_at <= clock_timestamp())
        ORDER BY 1 $$;

GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION operations_with_risk() OWNER TO muster_definer;
ALTER FUNCTION operations_with_hand_overs_due() OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;

-- What came in, by whatever way, as before; and about which watch it was.
CREATE OR REPLACE VIEW inbound_face WITH (security_invoker = true) AS
  SELECT i.operation_id, i.inbound_id, 'sms' AS source, i.route, i.sender, i.recipient, i.body,
         NULL::timestamptz AS at, i.received_at, i.repeated, i.state, i.said, i.person_id,
         i.alert_id, i.detail, i.answered, i.understood_at, i.watch_id
  FROM inbound_sms i WHERE i.operation_id = current_operation()
  UNION ALL
  SELECT m.operation_id, m.message_id, 'satellite', m.route, 'IMEI ' || m.imei, NULL, m.body, m.at,
         m.received_at, m.repeated, m.state, m.said, m.person_id, m.alert_id, m.detail, NULL,
         m.understood_at, NULL
  FROM satellite_message m WHERE m.operation_id = current_operation();
