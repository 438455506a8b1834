-- Check-ins: every report as it came, with its three times.
-- Older code may still run: none (first version).

CREATE TABLE checkin (
  operation_id int NOT NULL REFERENCES operation,
  checkin_id uuid NOT NULL,         -- made by the caller, so that a retry is recognised
  person_id int NOT NULL,
  status text NOT NULL CHECK (status IN ('safe', 'need_help', 'away')),
  at timestamptz NOT NULL,          -- raw: the phone's clock when it was written
  event_at timestamptz NOT NULL,    -- corrected: at + (received - sent), never in the future
  received_at timestamptz NOT NULL, -- the database's clock
  alert_id uuid,
  exercise boolean NOT NULL,
  reporter text NOT NULL,           -- 'self', 'family', 'warden', 'operator'
  actor text NOT NULL,              -- 'device:<uuid>' or 'operator:<id>'
  lat double precision CHECK (lat BETWEEN -90 AND 90),
  lon double precision CHECK (lon BETWEEN -180 AND 180),
  accuracy_m real,
  note text,
  battery smallint,
  body_hash bytea NOT NULL,         -- of what makes two requests the same
  PRIMARY KEY (operation_id, checkin_id)
);
CREATE INDEX checkin_person ON checkin (operation_id, person_id, event_at DESC);
CREATE INDEX checkin_received ON checkin (operation_id, received_at);
CALL guard_table('checkin');

-- Whether one answer stands over another: the later event; need_help in a tie; then the id.
CREATE FUNCTION answer_wins(new_event timestamptz, new_status text, new_id uuid,
                            event timestamptz, status text, id uuid) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT event IS NULL
          OR (new_event, new_status = 'need_help', new_id) > (event, status = 'need_help', id) $$;

-- Takes one answer for each person and alert given, the latest event winning whatever the
-- order of arrival; need_help wins a tie, then the greater id, so that any order of arrival
-- ends alike. Locks the latest-answer rows in key order. Returns every row that holds the
-- person, with its cell before and after; persons outside an alert's population are left out.
-- Both statements find rows by key. Where the statistics do not know a roll call at all the
-- second would read the whole operation instead: so an opening analyzes what it wrote.
CREATE FUNCTION take_answers(alerts uuid[], persons int[], statuses text[],
                             events timestamptz[], firsts timestamptz[], ids uuid[],
                             lates boolean[], received timestamptz)
  RETURNS TABLE (alert_id uuid, person_id int, area_id int, agency_id int, category text,
                 was text, is_now text)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM (SELECT * FROM unnest(alerts, persons) AS u (alert_id, person_id)
                ORDER BY alert_id, person_id) a
    CROSS JOIN LATERAL (
      SELECT FROM alert_person p
      WHERE p.operation_id = current_operation()
        AND p.alert_id = a.alert_id AND p.person_id = a.person_id
      FOR UPDATE) locked;
  RETURN QUERY
    UPDATE alert_person p SET
      status = CASE WHEN
        answer_wins(a.event_at, a.status, a.checkin_id, p.event_at, p.status, p.checkin_id)
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
