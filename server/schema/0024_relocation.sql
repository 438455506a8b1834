-- Relocation: movements, their plan, who is where by whose report, conflicts, close-out.
-- Older code may still run: yes. It makes no movements and shows none.

CREATE TABLE movement (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('relocation', 'evacuation', 'medical_evacuation', 'return')),
  reach text NOT NULL CHECK (reach IN ('inside', 'outside')),  -- of the country
  title text NOT NULL,
  authority text NOT NULL,          -- who ordered it
  reference text,                   -- of the order
  exercise boolean NOT NULL,
  state text NOT NULL DEFAULT 'preparing' CHECK (state IN
    ('preparing', 'planned', 'active', 'closed', 'cancelled')),
  audience jsonb NOT NULL,          -- whom it was made for, as asked
  body_sha256 bytea NOT NULL,       -- of the request: tells a repeat from a clash of ids
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by text NOT NULL,
  activated_at timestamptz,
  ended_at timestamptz,             -- reports that come later still count, marked late
  ended_by text,
  statement text,                   -- of who signed the close-out
  at_close jsonb,                   -- people by stage, as they stood then
  PRIMARY KEY (operation_id, movement_id),
  CHECK ((state IN ('closed', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE INDEX movement_newest ON movement (operation_id, created_at DESC, movement_id);
CALL guard_table('movement');

-- The areas people are moved from.
CREATE TABLE movement_origin (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  area_id int NOT NULL,
  PRIMARY KEY (operation_id, movement_id, area_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  FOREIGN KEY (operation_id, area_id) REFERENCES area
);
CALL guard_table('movement_origin');

-- Its plan. What reports are read by never changes: a point's kind, the ends of a leg, the leg of
-- a vehicle. Who means another makes another.
CREATE TABLE movement_point (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  point_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('concentration', 'safe_haven', 'other')),
  name text NOT NULL,
  area_id int,
  capacity int CHECK (capacity >= 0),
  lat double precision CHECK (lat BETWEEN -90 AND 90),
  lon double precision CHECK (lon BETWEEN -180 AND 180),
  PRIMARY KEY (operation_id, movement_id, point_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  FOREIGN KEY (operation_id, area_id) REFERENCES area,
  CHECK ((lat IS NULL) = (lon IS NULL))
);
CALL guard_table('movement_point');

CREATE TABLE movement_leg (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  leg_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('road', 'flight', 'boat')),
  position smallint NOT NULL CHECK (position >= 1),  -- in the order of the journey
  start_id uuid NOT NULL,
  end_id uuid NOT NULL,
  departs_at timestamptz,           -- as planned
  arrives_at timestamptz,
  state text NOT NULL DEFAULT 'planned' CHECK (state IN
    ('planned', 'departed', 'arrived', 'withdrawn')),
  PRIMARY KEY (operation_id, movement_id, leg_id),
  FOREIGN KEY (operation_id, movement_id, start_id) REFERENCES movement_point,
  FOREIGN KEY (operation_id, movement_id, end_id) REFERENCES movement_point,
  CHECK (start_id <> end_id)
);
CALL guard_table('movement_leg');

CREATE TABLE movement_vehicle (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  vehicle_id uuid NOT NULL,
  leg_id uuid NOT NULL,
  number int NOT NULL CHECK (number BETWEEN 1 AND 9999),  -- for texts and radio
  label text NOT NULL,
  callsign text,
  seats int NOT NULL CHECK (seats >= 0),
  state text NOT NULL DEFAULT 'planned' CHECK (state IN
    ('planned', 'departed', 'arrived', 'withdrawn')),
  departed_at timestamptz,
  arrived_at timestamptz,
  watch_id uuid,                    -- the watch on its arrival, where its caller has begun one
  PRIMARY KEY (operation_id, movement_id, vehicle_id),
  UNIQUE (operation_id, movement_id, number),
  FOREIGN KEY (operation_id, movement_id, leg_id) REFERENCES movement_leg
);
CREATE INDEX movement_vehicle_leg ON movement_vehicle (operation_id, movement_id, leg_id);
CALL guard_table('movement_vehicle');

-- Who is in it, frozen when it was made, and where each stands: what server/relocation/rules.py
-- makes of all her reports. `memory` is as much of that as the next report is read by.
CREATE TABLE movement_person (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  person_id int NOT NULL,
  area_id int NOT NULL,
  agency_id int NOT NULL,
  category text NOT NULL,
  parity text CHECK (parity IN ('local', 'international')),
  expected text NOT NULL DEFAULT 'here' CHECK (expected IN ('here', 'elsewhere')),
  household_id int NOT NULL,        -- the sponsor's person_id
  added text,                       -- set for later additions: added, reported
  stage text NOT NULL DEFAULT 'listed' CHECK (stage IN
    ('listed', 'notified', 'ready', 'at_point', 'boarded', 'arrived', 'accommodated', 'staying',
     'hibernating', 'in_question')),
  vehicle_id uuid,
  point_id uuid,
  since timestamptz,                -- corrected time of the report that brought her there
  report_id uuid,
  memory jsonb NOT NULL DEFAULT '{}',
  unresolved text,                  -- why, where she was listed by name at the close-out
  PRIMARY KEY (operation_id, movement_id, person_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  CHECK ((since IS NULL) = (stage = 'listed'))
) WITH (fillfactor = 50);           -- reports then update in place, touching no index
CREATE INDEX movement_person_person ON movement_person (operation_id, person_id);
CREATE INDEX movement_person_household ON movement_person (operation_id, movement_id, household_id);
CALL guard_table('movement_person');
GRANT MAINTAIN ON movement_person TO muster_app;  -- its freezing analyzes what it wrote

-- People by stage, kept. Invariant: equal to a fresh GROUP BY of movement_person, always.
CREATE TABLE movement_cell (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  area_id int NOT NULL,
  agency_id int NOT NULL,
  category text NOT NULL,
  stage text NOT NULL,
  count int NOT NULL CHECK (count >= 0),
  PRIMARY KEY (operation_id, movement_id, area_id, agency_id, category, stage)
) WITH (fillfactor = 30);
CALL guard_table('movement_cell');

-- People by vehicle and by point, kept. `thing_id` is a vehicle for boarded, arrived and aboard
-- (boarded and not yet arrived), a point for present.
CREATE TABLE movement_count (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  thing_id uuid NOT NULL,
  what text NOT NULL CHECK (what IN ('boarded', 'arrived', 'aboard', 'present')),
  count int NOT NULL CHECK (count >= 0),
  PRIMARY KEY (operation_id, movement_id, thing_id, what)
) WITH (fillfactor = 30);
CALL guard_table('movement_count');

-- Every report as it came, with its three times; never changed.
CREATE TABLE stage_report (
  operation_id int NOT NULL REFERENCES operation,
  report_id uuid NOT NULL,          -- made by the caller, so that a retry is recognised
  movement_id uuid NOT NULL,
  person_id int NOT NULL,
  stage text NOT NULL CHECK (stage IN
    ('notified', 'ready', 'at_point', 'boarded', 'arrived', 'accommodated', 'staying',
     'hibernating')),
  vehicle_id uuid,
  point_id uuid,
  reason text,
  at timestamptz NOT NULL,          -- raw: the clock of who said it
  event_at timestamptz NOT NULL,    -- corrected, never in the future
  received_at timestamptz NOT NULL, -- the database's clock
  late boolean NOT NULL,            -- it came after the movement had ended
  actor text NOT NULL,              -- 'device:<uuid>', 'operator:<id>' or 'sms:<uuid>'
  how text NOT NULL CHECK (how IN
    ('app', 'family', 'warden', 'checker', 'qr', 'sms', 'radio', 'desk', 'resolution')),
  body_hash bytea NOT NULL,         -- of what makes two requests the same
  PRIMARY KEY (operation_id, report_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement
);
CREATE INDEX stage_report_person
  ON stage_report (operation_id, movement_id, person_id, event_at, report_id);
CREATE INDEX stage_report_vehicle ON stage_report (operation_id, movement_id, vehicle_id, event_at DESC)
  WHERE vehicle_id IS NOT NULL;
CALL guard_table('stage_report');
REVOKE UPDATE, DELETE ON stage_report FROM muster_app;

-- What contradicts what. The id is made of the kind and the two reports, so finding it twice is
-- finding it once. Never deleted: explained where a report that came later makes it vanish.
CREATE TABLE movement_conflict (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  conflict_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN
    ('two_vehicles', 'arrived_without_boarding', 'boarded_after_arrival', 'two_places',
     'over_capacity')),
  person_id int,                    -- NULL: of a vehicle
  vehicle_id uuid,
  first_id uuid,                    -- the reports, by the time they tell of
  second_id uuid,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'explained', 'resolved')),
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  explained_by uuid,                -- the report that made it vanish; NULL: of a vehicle
  explained_at timestamptz,
  resolution_id uuid,               -- made by the caller; of the report too, if there is one
  reason text,
  resolved_at timestamptz,
  resolved_by text,
  body_sha256 bytea,
  PRIMARY KEY (operation_id, movement_id, conflict_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  CHECK ((kind = 'over_capacity') = (person_id IS NULL)),
  CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE INDEX movement_conflict_open ON movement_conflict (operation_id, movement_id)
  WHERE state = 'open';
CREATE INDEX movement_conflict_person ON movement_conflict (operation_id, movement_id, person_id);
CALL guard_table('movement_conflict');
REVOKE DELETE ON movement_conflict FROM muster_app;

-- Which critical work goes on, who keeps it from where, and who after her.
CREATE TABLE movement_function (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  function_id uuid NOT NULL,
  name text NOT NULL,
  keeper_id int NOT NULL,
  deputies int[] NOT NULL DEFAULT '{}',  -- in the order they take over
  place text,                       -- from where
  note text,
  PRIMARY KEY (operation_id, movement_id, function_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  FOREIGN KEY (operation_id, keeper_id) REFERENCES person
);
CALL guard_table('movement_function');

-- The timeline: what was done with a movement. A fact is never changed.
CREATE TABLE movement_fact (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  fact_id uuid NOT NULL DEFAULT uuidv7(),
  what text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (operation_id, fact_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement
);
CREATE INDEX movement_fact_movement ON movement_fact (operation_id, movement_id, fact_id);
CALL guard_table('movement_fact');
REVOKE UPDATE, DELETE ON movement_fact FROM muster_app;

-- Where some people of movements stand, their rows held until the commit, in key order. Who is in
-- none of them does not come back.
CREATE FUNCTION hold_standings(movements uuid[], persons int[])
  RETURNS SETOF movement_person
  LANGUAGE plpgsql AS $$
DECLARE k record;
BEGIN
  FOR k IN SELECT DISTINCT u.movement_id, u.person_id
           FROM unnest(movements, persons) AS u (movement_id, person_id)
           ORDER BY u.movement_id, u.person_id
  LOOP
    RETURN QUERY SELECT * FROM movement_person p
      WHERE p.operation_id = current_operation() AND p.movement_id = k.movement_id
        AND p.person_id = k.person_id
      FOR UPDATE;
  END LOOP;
END $$;

-- Adds each delta to its cell, in key order, and returns the cells' new absolute counts. A cell
-- that is missing is made. Callers hold the standings already and take the stream head after this.
CREATE FUNCTION move_stages(movements uuid[], areas int[], agencies int[], categories text[],
                            stages text[], deltas int[])
  RETURNS TABLE (movement_id uuid, area_id int, agency_id int, category text, stage text, count int)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE m record;
BEGIN
  FOR m IN SELECT * FROM unnest(movements, areas, agencies, categories, stages, deltas)
                AS u (movement_id, area_id, agency_id, category, stage, delta)
           ORDER BY u.movement_id, u.area_id, u.agency_id, u.category, u.stage
  LOOP
    UPDATE movement_cell c SET count = c.count + m.delta
    WHERE c.operation_id = current_operation() AND c.movement_id = m.movement_id
      AND c.area_id = m.area_id AND c.agency_id = m.agency_id
      AND c.category = m.category AND c.stage = m.stage
    RETURNING c.movement_id, c.area_id, c.agency_id, c.category, c.stage, c.count
    INTO movement_id, area_id, agency_id, category, stage, count;
    IF NOT FOUND THEN
      INSERT INTO movement_cell AS c VALUES (current_operation(), m.movement_id, m.area_id,
        m.agency_id, m.category, m.stage, m.delta)
      ON CONFLICT (operation_id, movement_id, area_id, agency_id, category, stage)
        DO UPDATE SET count = c.count + m.delta
      RETURNING c.movement_id, c.area_id, c.agency_id, c.category, c.stage, c.count
      INTO movement_id, area_id, agency_id, category, stage, count;
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- The same for people by vehicle and point.
CREATE FUNCTION move_counts(movements uuid[], things uuid[], whats text[], deltas int[])
  RETURNS TABLE (movement_id uuid, thing_id uuid, what text, count int)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE m record;
BEGIN
  FOR m IN SELECT * FROM unnest(movements, things, whats, deltas)
                AS u (movement_id, thing_id, what, delta)
           ORDER BY u.movement_id, u.thing_id, u.what
  LOOP
    UPDATE movement_count c SET count = c.count + m.delta
    WHERE c.operation_id = current_operation() AND c.movement_id = m.movement_id
      AND c.thing_id = m.thing_id AND c.what = m.what
    RETURNING c.movement_id, c.thing_id, c.what, c.count INTO movement_id, thing_id, what, count;
    IF NOT FOUND THEN
      INSERT INTO movement_count AS c VALUES (current_operation(), m.movement_id, m.thing_id,
        m.what, m.delta)
      ON CONFLICT (operation_id, movement_id, thing_id, what) DO UPDATE SET count = c.count + m.delta
      RETURNING c.movement_id, c.thing_id, c.what, c.count INTO movement_id, thing_id, what, count;
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- Writes where people stand, whose rows are held. Their rows are found by key, whatever the
-- statistics know of a fresh movement.
CREATE FUNCTION write_standings(movements uuid[], persons int[], stages text[], vehicles uuid[],
                                points uuid[], sinces timestamptz[], reports uuid[],
                                memories text[])
  RETURNS void LANGUAGE plpgsql
  SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
  AS $$
BEGIN
  UPDATE movement_person p SET stage = s.stage, vehicle_id = s.vehicle_id, point_id = s.point_id,
         since = s.since, report_id = s.report_id, memory = s.memory::jsonb
  FROM unnest(movements, persons, stages, vehicles, points, sinces, reports, memories)
       AS s (movement_id, person_id, stage, vehicle_id, point_id, since, report_id, memory)
  WHERE p.operation_id = current_operation() AND p.movement_id = s.movement_id
    AND p.person_id = s.person_id;
END $$;
