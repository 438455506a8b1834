-- Alerts: incidents, alerts, their frozen populations, headcount cells, deliveries.
-- Older code may still run: none (first version).

CREATE TABLE incident (
  operation_id int NOT NULL REFERENCES operation,
  incident_id uuid NOT NULL,
  title text NOT NULL,
  exercise boolean NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now(),
  opened_by text NOT NULL,
  closed_at timestamptz,
  PRIMARY KEY (operation_id, incident_id)
);
CALL guard_table('incident');

CREATE TABLE alert (
  operation_id int NOT NULL REFERENCES operation,
  alert_id uuid NOT NULL,
  incident_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('rollcall', 'advisory', 'instruction')),
  severity text NOT NULL CHECK (severity IN ('routine', 'urgent', 'life_safety')),
  mode text NOT NULL CHECK (mode IN ('broadcast', 'cascade')),
  audience jsonb NOT NULL,
  title text NOT NULL,
  body text NOT NULL,
  lock_screen text,
  sms_text text,
  escalation jsonb,
  exercise boolean NOT NULL,
  state text NOT NULL CHECK (state IN
    ('preparing', 'pending_release', 'open', 'closed', 'expired', 'cancelled')),
  body_sha256 bytea NOT NULL,       -- of the request: tells a repeat from a clash of ids
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  counts_from timestamptz,          -- answers given from here on count
  opened_at timestamptz,
  expires_at timestamptz,
  closed_at timestamptz,
  population int NOT NULL DEFAULT 0,
  late int NOT NULL DEFAULT 0,      -- answers that came after the close
  at_close jsonb,                   -- the headcount as it stood at the close
  corrects uuid,                    -- the alert this one corrects
  PRIMARY KEY (operation_id, alert_id),
  FOREIGN KEY (operation_id, incident_id) REFERENCES incident
);
CREATE INDEX alert_live ON alert (operation_id, closed_at) WHERE counts_from IS NOT NULL;
CREATE INDEX alert_incident ON alert (operation_id, incident_id);
CREATE INDEX alert_newest ON alert (operation_id, created_at DESC, alert_id);
CALL guard_table('alert');
CALL open_to_definer('alert', 'SELECT');

-- The population, frozen at the opening, and each person's latest answer in it.
CREATE TABLE alert_person (
  operation_id int NOT NULL REFERENCES operation,
  alert_id uuid NOT NULL,
  person_id int NOT NULL,
  area_id int NOT NULL,
  agency_id int NOT NULL,
  category text NOT NULL,
  parity text CHECK (parity IN ('local', 'international')),
  matched text NOT NULL,            -- why in the audience: all|area|agency|tree|position|family|added
  added text,                       -- set for later additions: walk_in|visitor|unnamed|roster
  status text NOT NULL DEFAULT 'unaccounted'
    CHECK (status IN ('safe', 'need_help', 'away', 'unaccounted')),
  event_at timestamptz,             -- corrected time of the answer that stands
  received_at timestamptz,
  first_at timestamptz,             -- corrected time of the earliest answer
  checkin_id uuid,
  late boolean NOT NULL DEFAULT false,
  PRIMARY KEY (operation_id, alert_id, person_id),
  FOREIGN KEY (operation_id, alert_id) REFERENCES alert,
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  CHECK ((status = 'unaccounted') = (event_at IS NULL))
) WITH (fillfactor = 50);           -- answers then update in place, touching no index
CREATE INDEX alert_person_person ON alert_person (operation_id, person_id);
CALL guard_table('alert_person');
GRANT MAINTAIN ON alert_person TO muster_app;  -- an opening analyzes what it wrote

-- The headcount, kept. Invariant: equal to a fresh GROUP BY of alert_person, always.
CREATE TABLE cell (
  operation_id int NOT NULL REFERENCES operation,
  alert_id uuid NOT NULL,
  area_id int NOT NULL,
  agency_id int NOT NULL,
  category text NOT NULL,
  status text NOT NULL,
  count int NOT NULL CHECK (count >= 0),
  PRIMARY KEY (operation_id, alert_id, area_id, agency_id, category, status)
) WITH (fillfactor = 30);
CALL guard_table('cell');

-- A delivery is one person, one channel, one endpoint, one alert: unique before sending.
-- The five facts are columns; `answered` is read from alert_person.
-- due_at doubles as the lease: a claim moves it past the lease's end.
CREATE TABLE delivery (
  operation_id int NOT NULL REFERENCES operation,
  delivery_id uuid NOT NULL DEFAULT gen_random_uuid(),
  alert_id uuid NOT NULL,
  person_id int NOT NULL,
  channel text NOT NULL CHECK (channel IN ('fcm', 'webpush', 'sms', 'email')),
  endpoint text NOT NULL,           -- the device id for push
  round smallint NOT NULL DEFAULT 0,  -- 0 the alert itself, then each reminder
  lane smallint NOT NULL,           -- 0 panic, 1 life safety, 2 urgent, 3 routine
  state text NOT NULL DEFAULT 'queued' CHECK (state IN
    ('queued', 'sending', 'accepted', 'unknown', 'failed', 'stopped')),
  due_at timestamptz NOT NULL DEFAULT now(),
  attempts smallint NOT NULL DEFAULT 0,
  queued_at timestamptz NOT NULL DEFAULT now(),
  attempted_at timestamptz,
  accepted_at timestamptz,
  delivered_at timestamptz,
  seen_at timestamptz,
  finished_at timestamptz,
  provider_id text,
  error text,
  PRIMARY KEY (operation_id, delivery_id),
  UNIQUE (operation_id, alert_id, person_id, channel, endpoint, round),
  FOREIGN KEY (operation_id, alert_id) REFERENCES alert
);
CREATE INDEX delivery_due ON delivery (lane, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX delivery_person ON delivery (operation_id, person_id);
CALL guard_table('delivery');
CALL open_to_definer('delivery', 'SELECT, UPDATE');

-- Claims up to `most` due deliveries of open alerts, the most urgent lane first. The attempt
-- is on record (attempts, attempted_at) before any request is made. The plan is held to the
-- index: guessing from `most`, the planner would read the whole queue at each claim.
CREATE FUNCTION claim_deliveries(channels text[], most int, lease interval)
  RETURNS TABLE (operation_id int, delivery_id uuid, alert_id uuid, person_id int,
                 channel text, endpoint text, attempts smallint)
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
  AS $$ WITH due AS (
          SELECT d.operation_id, d.delivery_id FROM delivery d
          JOIN alert a ON a.operation_id = d.operation_id AND a.alert_id = d.alert_id
          WHERE d.state IN ('queued', 'sending') AND d.due_at <= clock_timestamp()
            AND d.channel = ANY (channels) AND a.state = 'open'
            AND (a.expires_at IS NULL OR a.expires_at > clock_timestamp())
          ORDER BY d.lane, d.due_at LIMIT most FOR UPDATE OF d SKIP LOCKED)
        UPDATE delivery d SET state = 'sending', attempts = d.attempts + 1,
               attempted_at = clock_timestamp(), due_at = clock_timestamp() + lease
        FROM due WHERE d.operation_id = due.operation_id AND d.delivery_id = due.delivery_id
        RETURNING d.operation_id, d.delivery_id, d.alert_id, d.person_id,
                  d.channel, d.endpoint, d.attempts $$;

-- Moves people between cells of the headcount: adds each delta to its cell and returns the
-- cells' new absolute counts. One statement a cell, by
-- its key, in key order: the order of the locks. The cells exist (ensure_cells).
-- Callers hold the latest-answer rows already and take the stream head after this.
CREATE FUNCTION move_cells(alerts uuid[], areas int[], agencies int[], categories text[],
                           statuses text[], deltas int[])
  RETURNS TABLE (alert_id uuid, area_id int, agency_id int, category text, status text, count int)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE m record;
BEGIN
  FOR m IN SELECT u.alert_id, u.area_id, u.agency_id, u.category, u.status,
                  sum(u.delta)::int AS delta
           FROM unnest(alerts, areas, agencies, categories, statuses, deltas)
                AS u (alert_id, area_id, agency_id, category, status, delta)
           GROUP BY u.alert_id, u.area_id, u.agency_id, u.category, u.status
           ORDER BY u.alert_id, u.area_id, u.agency_id, u.category, u.status
  LOOP
    UPDATE cell c SET count = c.count + m.delta
    WHERE c.operation_id = current_operation() AND c.alert_id = m.alert_id
      AND c.area_id = m.area_id AND c.agency_id = m.agency_id
      AND c.category = m.category AND c.status = m.status
    RETURNING c.alert_id, c.area_id, c.agency_id, c.category, c.status, c.count
    INTO alert_id, area_id, agency_id, category, status, count;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'there is no such cell: %', m;  -- a population grew without ensure_cells
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- Makes the four cells of each area, agency and category at zero, where they are missing.
-- Called wherever a population grows, before move_cells.
CREATE FUNCTION ensure_cells(alert uuid, areas int[], agencies int[], categories text[])
  RETURNS void LANGUAGE sql AS $$
  INSERT INTO cell (operation_id, alert_id, area_id, agency_id, category, status, count)
  SELECT DISTINCT current_operation(), alert, m.area_id, m.agency_id, m.category, s.status, 0
  FROM unnest(areas, agencies, categories) AS m (area_id, agency_id, category)
  CROSS JOIN (VALUES ('safe'), ('need_help'), ('away'), ('unaccounted')) AS s (status)
  ORDER BY 3, 4, 5, 6
  ON CONFLICT DO NOTHING $$;
