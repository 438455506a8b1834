-- Panics: help is called. Each press, fact, position and look is on record.
-- Older code may still run: yes. It takes no panics, and counts who called for help as it is told.

-- At most one that is live for each person, and one under duress beside it, of which nobody but the
-- desk must ever learn. `counts`: it makes its person need_help in every open actual roll call.
CREATE TABLE panic (
  operation_id int NOT NULL REFERENCES operation,
  panic_id uuid NOT NULL,           -- the id of the press that raised it
  person_id int NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN
    ('open', 'acknowledged', 'cancelled', 'resolved', 'closed')),
  source text NOT NULL CHECK (source IN ('app', 'sms', 'satellite', 'desk')),
  covert boolean NOT NULL DEFAULT false,
  duress boolean NOT NULL DEFAULT false,
  verified boolean NOT NULL DEFAULT true,
  counts boolean GENERATED ALWAYS AS (verified AND NOT covert AND NOT duress) STORED,
  raised_by text NOT NULL,          -- 'device:<uuid>', 'operator:<id>' or 'sms:<uuid>'
  at timestamptz NOT NULL,          -- raw: the phone's clock at the first press
  event_at timestamptz NOT NULL,    -- corrected, never in the future
  received_at timestamptz NOT NULL, -- the database's clock
  presses int NOT NULL DEFAULT 1,
  told_at timestamptz NOT NULL,     -- consoles were last told of a further press
  owner_id int,                     -- the operator who has it
  acknowledged_at timestamptz,
  round smallint NOT NULL DEFAULT 0,  -- re-alerts so far
  realert_at timestamptz,           -- when the next is due, while nobody has it
  outcome text CHECK (outcome IN ('helped', 'false_alarm', 'hoax', 'passed_on')),
  note text,
  ended_at timestamptz,             -- taken back, or resolved: positions stop here
  PRIMARY KEY (operation_id, panic_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  FOREIGN KEY (operation_id, owner_id) REFERENCES operator,
  CHECK ((state IN ('open', 'acknowledged')) = (ended_at IS NULL)),
  CHECK ((state = 'open') = (realert_at IS NOT NULL)),
  CHECK (state NOT IN ('acknowledged', 'resolved') OR owner_id IS NOT NULL),
  CHECK (state NOT IN ('resolved', 'closed') OR outcome IS NOT NULL)
);
CREATE UNIQUE INDEX panic_live ON panic (operation_id, person_id, duress)
  WHERE state IN ('open', 'acknowledged');
CREATE INDEX panic_counting ON panic (operation_id, person_id)
  WHERE counts AND state IN ('open', 'acknowledged', 'cancelled');
CREATE INDEX panic_newest ON panic (operation_id, received_at DESC, panic_id);
CREATE INDEX panic_person ON panic (operation_id, person_id, received_at DESC);
CALL guard_table('panic');

-- Every press by its id, with what it was answered: a repeat is answered the same.
CREATE TABLE panic_press (
  operation_id int NOT NULL REFERENCES operation,
  press_id uuid NOT NULL,
  panic_id uuid NOT NULL,
  person_id int NOT NULL,           -- of whom it was: nobody else's repeat finds it
  actor text NOT NULL,
  at timestamptz NOT NULL,
  event_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  merged boolean NOT NULL,
  state text NOT NULL,              -- of its panic, as it was answered
  ignored text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (operation_id, press_id),
  FOREIGN KEY (operation_id, panic_id) REFERENCES panic
);
CREATE INDEX panic_press_panic ON panic_press (operation_id, panic_id);
CALL guard_table('panic_press');

-- The timeline. A fact is never changed.
CREATE TABLE panic_fact (
  operation_id int NOT NULL REFERENCES operation,
  fact_id uuid NOT NULL DEFAULT uuidv7(),
  panic_id uuid NOT NULL,
  kind text NOT NULL,
  at timestamptz NOT NULL,
  event_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  actor text NOT NULL,              -- as of audit; 'system' for what happens by itself
  detail jsonb NOT NULL DEFAULT '{}',  -- no coordinates
  PRIMARY KEY (operation_id, fact_id),
  FOREIGN KEY (operation_id, panic_id) REFERENCES panic
);
CREATE INDEX panic_fact_panic ON panic_fact (operation_id, panic_id, fact_id);
CALL guard_table('panic_fact');
REVOKE UPDATE, DELETE ON panic_fact FROM muster_app;

-- Where its person was, while it was live. The id is the phone's own.
CREATE TABLE panic_position (
  operation_id int NOT NULL REFERENCES operation,
  panic_id uuid NOT NULL,
  position_id uuid NOT NULL,
  at timestamptz NOT NULL,
  event_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
  lon double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
  accuracy_m real,
  battery smallint,
  PRIMARY KEY (operation_id, panic_id, position_id),
  FOREIGN KEY (operation_id, panic_id) REFERENCES panic
);
CREATE INDEX panic_position_newest ON panic_position (operation_id, panic_id, event_at DESC);
CALL guard_table('panic_position');

-- Who was shown positions, and why.
CREATE TABLE panic_access (
  operation_id int NOT NULL REFERENCES operation,
  access_id uuid NOT NULL DEFAULT uuidv7(),
  panic_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  reason text NOT NULL,
  positions int NOT NULL,
  PRIMARY KEY (operation_id, access_id),
  FOREIGN KEY (operation_id, panic_id) REFERENCES panic
);
CREATE INDEX panic_access_panic ON panic_access (operation_id, panic_id, access_id);
CALL guard_table('panic_access');
REVOKE UPDATE, DELETE ON panic_access FROM muster_app;

-- The PIN that takes a panic back, and the one for duress. Both are argon2, and both are always asked.
CREATE TABLE person_pin (
  operation_id int NOT NULL REFERENCES operation,
  person_id int NOT NULL,
  pin_hash text NOT NULL,
  duress_hash text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  set_by text NOT NULL,
  PRIMARY KEY (operation_id, person_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CALL guard_table('person_pin');

-- As before; and who has a panic that counts stays need_help in an open actual roll call, whatever
-- she answers. What she answers is kept beside it, for when the panic is over. The second statement
-- sees what was committed before the rows were locked: a panic is either there by then, or counts
-- itself in after this.
CREATE OR REPLACE FUNCTION take_answers(alerts uuid[], persons int[], statuses text[],
                             events timestamptz[], firsts timestamptz[], ids uuid[],
                             lates boolean[], received timestamptz)
  RETURNS TABLE (alert_id uuid, person_id int, area_id int, agency_id int, category text,
                 was text, is_now text)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  helpless int[];
BEGIN
  PERFORM FROM (SELECT * FROM unnest(alerts, persons) AS u (alert_id, person_id)
                ORDER BY alert_id, person_id) a
    CROSS JOIN LATERAL (
      SELECT FROM alert_person p
      WHERE p.operation_id = current_operation()
        AND p.alert_id = a.alert_id AND p.person_id = a.person_id
      FOR UPDATE) locked;
  SELECT coalesce(array_agg(DISTINCT c.person_id), '{}') INTO helpless FROM panic c
  WHERE c.operation_id = current_operation() AND c.counts
    AND c.state IN ('open', 'acknowledged', 'cancelled');
  RETURN QUERY
    UPDATE alert_person p SET
      status = CASE
        WHEN CASE WHEN p.person_id = ANY (helpless) THEN EXISTS (
               SELECT FROM alert o WHERE o.operation_id = p.operation_id
                 AND o.alert_id = p.alert_id AND o.state = 'open' AND o.kind = 'rollcall'
                 AND NOT o.exercise) ELSE false END
        THEN 'need_help'
        WHEN answer_wins(a.event_at, a.status, a.checkin_id, p.event_at, p.status, p.checkin_id)
        THEN a.status ELSE p.status END,
      event_at = greatest(p.event_at, a.event_at),
      received_at = CASE WHEN
        answer_wins(a.event_at, a.status, a.checkin_id, p.event_at, p.status, p.checkin_id)
        THEN received ELSE p.received_at END,
      checkin_id = CASE WHEN
        answer_wins(a.event_at, a.status, a.checkin_id, p.event_at, p.status, p.checkin_id)
        THEN a.checkin_id ELSE p.checkin_id END,
      late = CASE WHEN
        answer_wins(a.event_at, a.status, a.checkin_id, p.event_at, p.status, p.checkin_id)
        THEN a.late ELSE p.late END,
      first_at = least(p.first_at, a.first_at)
    FROM unnest(alerts, persons, statuses, events, firsts, ids, lates)
         AS a (alert_id, person_id, status, event_at, first_at, checkin_id, late)
    WHERE p.operation_id = current_operation()
      AND p.alert_id = a.alert_id AND p.person_id = a.person_id
    RETURNING p.alert_id, p.person_id, p.area_id, p.agency_id, p.category,
              old.status, new.status;
END $$;

-- Whether a message need not go any more: a reminder whose person has answered since, or a word
-- about a panic that is over.
CREATE OR REPLACE FUNCTION moot(d delivery) RETURNS boolean
  LANGUAGE sql STABLE
  AS $$ SELECT CASE WHEN d.panic_id IS NOT NULL THEN EXISTS (
                 SELECT FROM panic c
                 WHERE c.operation_id = d.operation_id AND c.panic_id = d.panic_id
                   AND c.state NOT IN ('open', 'acknowledged'))
               ELSE d.purpose = 'remind' AND EXISTS (
                 SELECT FROM alert_person p
                 WHERE p.operation_id = d.operation_id AND p.alert_id = d.alert_id
                   AND p.person_id = d.person_id AND p.status <> 'unaccounted') END $$;

-- A panic as desks see it. No coordinates: who reads those is written down.
CREATE VIEW panic_face WITH (security_invoker = true) AS
  SELECT c.*, p.ref, p.name, p.area_id, a.code AS area, o.name AS owner,
         l.event_at AS position_at, l.accuracy_m AS position_accuracy, l.battery
  FROM panic c
  JOIN person p ON p.operation_id = c.operation_id AND p.person_id = c.person_id
  JOIN area a ON a.operation_id = p.operation_id AND a.area_id = p.area_id
  LEFT JOIN operator o ON o.operation_id = c.operation_id AND o.operator_id = c.owner_id
  LEFT JOIN LATERAL (
    SELECT x.event_at, x.accuracy_m, x.battery FROM panic_position x
    WHERE x.operation_id = c.operation_id AND x.panic_id = c.panic_id
    ORDER BY x.event_at DESC LIMIT 1) l ON true
  WHERE c.operation_id = current_operation();
GRANT SELECT ON panic_face TO muster_app;
