-- Texts that come in: answer codes, the texts themselves, calls for help, counters of signed texts.
-- Older code may still run: yes. It takes no texts in, and sends them without codes.

-- The short code by which one person answers one alert from any phone: `SAFE K7Q3`. Five wrong
-- codes from a number lock its person's code: her warden asks her then. Both rooms know this
-- table: alerts prints the code into texts, checkin reads it out of them.
CREATE TABLE answer_code (
  operation_id int NOT NULL REFERENCES operation,
  alert_id uuid NOT NULL,
  person_id int NOT NULL,
  code text NOT NULL CHECK (code ~ '^[34679ACDEFGHJKMNPQRTUVWXY]{4,7}$' AND code ~ '[34679]'),
  wrong smallint NOT NULL DEFAULT 0,
  locked_at timestamptz,
  PRIMARY KEY (operation_id, alert_id, person_id),
  UNIQUE (operation_id, alert_id, code),
  FOREIGN KEY (operation_id, alert_id, person_id) REFERENCES alert_person ON DELETE CASCADE
);
CREATE INDEX answer_code_code ON answer_code (code);  -- looked for in all operations
CALL guard_table('answer_code');
CALL open_to_definer('answer_code', 'SELECT');

-- How long codes must be where so many people may answer: of all codes there are, no more than
-- one in a thousand is anybody's. Never shorter than what server/people/asking.py says.
CREATE FUNCTION code_length(people bigint) RETURNS int
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE WHEN people <= 250 THEN 4 WHEN people <= 7000 THEN 5
                    WHEN people <= 190000 THEN 6 ELSE 7 END $$;

-- Gives a code to each of some people of an alert who has none. Codes are made of strong random
-- bits (of UUIDs) and differ from all others of the operation, longer where those are used up; who gets which is left to
-- chance.
CREATE FUNCTION give_codes(about uuid, persons int[]) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  abc constant text := '34679ACDEFGHJKMNPQRTUVWXY';
  letters int;
  asked int;
BEGIN
  FOR try IN 1 .. 50 LOOP
    SELECT count(*) INTO asked FROM unnest(persons) AS w (person_id)
    JOIN alert_person p ON p.operation_id = current_operation() AND p.alert_id = about
      AND p.person_id = w.person_id
    WHERE NOT EXISTS (SELECT FROM answer_code c WHERE c.operation_id = p.operation_id
                      AND c.alert_id = about AND c.person_id = p.person_id);
    EXIT WHEN asked = 0;
    SELECT least(7, code_length(coalesce(sum(a.population), 0)) + try / 10) INTO letters
    FROM alert a
    WHERE a.operation_id = current_operation()
      AND a.state IN ('preparing', 'pending_release', 'open');
    INSERT INTO answer_code (operation_id, alert_id, person_id, code)
    SELECT current_operation(), about, l.person_id, f.code
    FROM (
      SELECT p.person_id, row_number() OVER () AS n
      FROM (SELECT DISTINCT w.person_id FROM unnest(persons) AS w (person_id)) w
      JOIN alert_person p ON p.operation_id = current_operation() AND p.alert_id = about
        AND p.person_id = w.person_id
      WHERE NOT EXISTS (SELECT FROM answer_code c WHERE c.operation_id = p.operation_id
                        AND c.alert_id = about AND c.person_id = p.person_id)) l
    JOIN (
      SELECT d.code, row_number() OVER (ORDER BY gen_random_uuid()) AS n
      FROM (SELECT DISTINCT left(
                     substr(abc, 1 + (get_byte(r.u, 0) * 256 + get_byte(r.u, 9)) % 25, 1) ||
                     substr(abc, 1 + (get_byte(r.u, 1) * 256 + get_byte(r.u, 10)) % 25, 1) ||
                     substr(abc, 1 + (get_byte(r.u, 2) * 256 + get_byte(r.u, 11)) % 25, 1) ||
                     substr(abc, 1 + (get_byte(r.u, 3) * 256 + get_byte(r.u, 12)) % 25, 1) ||
                     substr(abc, 1 + (get_byte(r.u, 4) * 256 + get_byte(r.u, 13)) % 25, 1) ||
                     substr(abc, 1 + (get_byte(r.u, 5) * 256 + get_byte(r.u, 14)) % 25, 1) ||
                     substr(abc, 1 + (get_byte(r.u, 7) * 256 + get_byte(r.u, 15)) % 25, 1), letters) AS code
            FROM (SELECT uuid_send(gen_random_uuid()) AS u
                  FROM generate_series(1, 2 * asked + 20) OFFSET 0) r) d
      WHERE d.code ~ '[34679]' AND NOT EXISTS (
        SELECT FROM answer_code c
        WHERE c.operation_id = current_operation() AND c.code = d.code)) f USING (n)
    ORDER BY l.person_id
    ON CONFLICT DO NOTHING;
  END LOOP;
END $$;

-- Every text that came in: stored first, answered to its gateway at once, understood after. One
-- that may belong to several operations stands in each of them (`shared`), and only one of these
-- answers its sender.
CREATE TABLE inbound_sms (
  operation_id int NOT NULL REFERENCES operation,
  inbound_id uuid NOT NULL DEFAULT uuidv7(),
  route text NOT NULL,
  provider_id text,
  sender text NOT NULL,             -- E.164 where it can be made so, else as it came
  recipient text,
  body text NOT NULL,
  digest bytea NOT NULL,            -- of sender and body: tells a repeat of the content
  sent_at text,                     -- what the gateway says, as it says it; nothing is reckoned by it
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  shared boolean NOT NULL DEFAULT false,
  replies boolean NOT NULL DEFAULT true,
  repeated int NOT NULL DEFAULT 0,  -- the same content again within a minute
  lane smallint NOT NULL,           -- 1: may be a call for help
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- doubles as the lease
  attempts smallint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'received' CHECK (state IN
    ('received', 'counted', 'unverified', 'refused', 'not_understood', 'stop', 'loop')),
  said text,                        -- safe, need_help, away, panic
  person_id int,                    -- whom it is about, as far as it is known
  alert_id uuid,
  detail text,                      -- why it was taken so, in words
  answered text CHECK (answered IN ('reply', 'silence')),
  understood_at timestamptz,
  PRIMARY KEY (operation_id, inbound_id),
  CHECK ((state = 'received') = (understood_at IS NULL))
);
CREATE UNIQUE INDEX inbound_provider ON inbound_sms (operation_id, route, provider_id)
  WHERE provider_id IS NOT NULL;
CREATE INDEX inbound_content ON inbound_sms (operation_id, digest, received_at);
CREATE INDEX inbound_due ON inbound_sms (lane, due_at) WHERE state = 'received';
CREATE INDEX inbound_newest ON inbound_sms (operation_id, received_at DESC, inbound_id);
CREATE INDEX inbound_wrong ON inbound_sms (operation_id, received_at)
  WHERE detail LIKE 'wrong code%';
CREATE INDEX inbound_stop ON inbound_sms (operation_id, sender) WHERE state = 'stop';
CALL guard_table('inbound_sms');
CALL open_to_definer('inbound_sms', 'SELECT, UPDATE');

-- Counters of signed texts (M1): each once for each device, in whatever order they come.
CREATE TABLE signed_counter (
  operation_id int NOT NULL REFERENCES operation,
  device_id uuid NOT NULL,
  counter bigint NOT NULL,
  inbound_id uuid NOT NULL,
  PRIMARY KEY (operation_id, device_id, counter),
  FOREIGN KEY (operation_id, device_id) REFERENCES device
);
CALL guard_table('signed_counter');

-- Calls for help by text. `verified`: a code or a signature vouches for the person. One is open
-- for each person, or for each unknown number; a further call joins it and is counted.
CREATE TABLE help_call (
  operation_id int NOT NULL REFERENCES operation,
  help_id uuid NOT NULL DEFAULT uuidv7(),
  kind text NOT NULL CHECK (kind IN ('help', 'panic')),
  verified boolean NOT NULL,
  sender text NOT NULL,
  person_id int,
  body text NOT NULL,
  inbound_id uuid NOT NULL,
  checkin_id uuid,                  -- the report it made, if it made one
  lat double precision CHECK (lat BETWEEN -90 AND 90),
  lon double precision CHECK (lon BETWEEN -180 AND 180),
  raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  repeated int NOT NULL DEFAULT 0,
  last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  closed_at timestamptz,
  closed_by text,
  outcome text CHECK (outcome IN ('helped', 'false_alarm', 'hoax', 'passed_on')),
  note text,
  PRIMARY KEY (operation_id, help_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  CHECK ((closed_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX help_call_person ON help_call (operation_id, person_id)
  WHERE closed_at IS NULL AND person_id IS NOT NULL;
CREATE UNIQUE INDEX help_call_sender ON help_call (operation_id, sender)
  WHERE closed_at IS NULL AND person_id IS NULL;
CREATE INDEX help_call_newest ON help_call (operation_id, raised_at DESC, help_id);
CALL guard_table('help_call');

CREATE INDEX delivery_reply ON delivery (operation_id, endpoint, queued_at)
  WHERE purpose = 'reply';
CREATE INDEX delivery_late ON delivery (expires_at)
  WHERE alert_id IS NULL AND state IN ('queued', 'sending');
CREATE INDEX contact_number ON contact_point (phone);  -- looked for in all operations
CREATE INDEX device_id5 ON device (sms_id5);
CALL open_to_definer('contact_point', 'SELECT');
CALL open_to_definer('alert_person', 'SELECT');

-- Across operations: to which of them a text may belong, and why. By its sender's number, by the
-- device a signed text names, by the code it holds; `asked`: an open alert holds the person.
CREATE FUNCTION operations_of_text(numbers text[], id5 text, answer text)
  RETURNS TABLE (operation_id int, by text, phone text, asked boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ WITH found AS (
          SELECT c.operation_id, 'number' AS by, c.phone, c.person_id FROM contact_point c
          WHERE c.phone = ANY (numbers)
          UNION ALL
          SELECT d.operation_id, 'device', NULL, d.person_id FROM device d WHERE d.sms_id5 = id5
          UNION ALL
          SELECT c.operation_id, 'code', NULL, c.person_id FROM answer_code c
          WHERE c.code = answer)
        SELECT f.operation_id, f.by, min(f.phone), bool_or(EXISTS (
          SELECT FROM alert_person p
          JOIN alert a ON a.operation_id = p.operation_id AND a.alert_id = p.alert_id
          WHERE p.operation_id = f.operation_id AND p.person_id = f.person_id AND a.state = 'open'))
        FROM found f GROUP BY f.operation_id, f.by $$;

-- Claims up to `most` texts to be understood, possible calls for help first, as deliveries are.
CREATE FUNCTION claim_texts(most int, lease interval)
  RETURNS TABLE (operation_id int, inbound_id uuid, attempts smallint)
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
  AS $$ WITH due AS (
          SELECT i.operation_id, i.inbound_id FROM inbound_sms i
          WHERE i.state = 'received' AND i.due_at <= clock_timestamp()
          ORDER BY i.lane, i.due_at LIMIT most FOR UPDATE SKIP LOCKED)
        UPDATE inbound_sms i SET attempts = least(i.attempts + 1, 1000)::smallint,
               due_at = clock_timestamp() + lease
        FROM due WHERE i.operation_id = due.operation_id AND i.inbound_id = due.inbound_id
        RETURNING i.operation_id, i.inbound_id, i.attempts $$;

GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION operations_of_text(text[], text, text) OWNER TO muster_definer;
ALTER FUNCTION claim_texts(int, interval) OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;
