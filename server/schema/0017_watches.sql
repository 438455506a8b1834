-- Watches: timers that run here while the phone is dark; curfews, radio checks, areas of risk.
-- Older code may still run: yes. It makes none, and fires none.

-- A time by which the zone's people must have reported, in the operation's own wall time.
CREATE TABLE curfew (
  operation_id int NOT NULL REFERENCES operation,
  curfew_id uuid NOT NULL,
  area_id int NOT NULL,
  wall time NOT NULL,
  weekdays smallint[] NOT NULL,     -- 1 Monday .. 7 Sunday
  window_s int NOT NULL,            -- a report so long before counts
  grace_s int NOT NULL,
  note text,
  last_day date NOT NULL,           -- the last local day that was gone through
  body_sha256 bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by text NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (operation_id, curfew_id),
  FOREIGN KEY (operation_id, area_id) REFERENCES area
);
CALL guard_table('curfew');
CALL open_to_definer('curfew', 'SELECT');

-- A called roll by radio. Each name on it is a watch of its own.
CREATE TABLE radio_check (
  operation_id int NOT NULL REFERENCES operation,
  roll_id uuid NOT NULL,
  area_id int,                      -- whose radio room calls it; NULL: the whole operation's
  note text,
  body_sha256 bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by text NOT NULL,
  PRIMARY KEY (operation_id, roll_id),
  FOREIGN KEY (operation_id, area_id) REFERENCES area
);
CALL guard_table('radio_check');

-- One timer of one person, or of a callsign. `round` counts its deadlines: each extension and
-- each interval begins the next. Whatever happens does so at `turn_at`, by the database's clock.
CREATE TABLE watch (
  operation_id int NOT NULL REFERENCES operation,
  watch_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('journey', 'interval', 'curfew', 'radio_check')),
  person_id int,
  callsign text,
  area_id int,                      -- the radio room of a callsign without a person
  counts_from timestamptz NOT NULL, -- a report of after this covers the deadline
  due_at timestamptz NOT NULL,
  grace_s int NOT NULL CHECK (grace_s >= 0),
  interval_s int CHECK (interval_s > 0),
  state text NOT NULL DEFAULT 'running' CHECK (state IN
    ('running', 'reminded', 'overdue', 'done', 'cancelled')),
  round int NOT NULL DEFAULT 0,
  step smallint NOT NULL DEFAULT 0 CHECK (step BETWEEN 0 AND 3),  -- how far up it was told
  turn_at timestamptz,              -- when to look at it next
  said_at timestamptz NOT NULL,     -- when its deadline was last set, by corrected time
  reminded_at timestamptz,
  overdue_at timestamptz,           -- of the deadline that stands
  late boolean NOT NULL DEFAULT false,  -- some deadline of it was missed
  ended_at timestamptz,
  note text,
  route text,
  vehicle text,
  contacts text[] NOT NULL DEFAULT '{}',
  companions text[] NOT NULL DEFAULT '{}',  -- refs, as given
  curfew_id uuid,
  day date,
  roll_id uuid,
  body_sha256 bytea NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by text NOT NULL,
  PRIMARY KEY (operation_id, watch_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  FOREIGN KEY (operation_id, area_id) REFERENCES area,
  FOREIGN KEY (operation_id, curfew_id) REFERENCES curfew,
  FOREIGN KEY (operation_id, roll_id) REFERENCES radio_check,
  UNIQUE (operation_id, curfew_id, day, person_id),
  CHECK (person_id IS NOT NULL OR callsign IS NOT NULL),
  CHECK ((kind = 'interval') = (interval_s IS NOT NULL)),
  CHECK ((state = 'overdue') <= (overdue_at IS NOT NULL)),
  CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL)),
  CHECK ((ended_at IS NULL) = (turn_at IS NOT NULL))
);
CREATE INDEX watch_turn ON watch (operation_id, turn_at) WHERE turn_at IS NOT NULL;
CREATE INDEX watch_person ON watch (operation_id, person_id, due_at);
CREATE INDEX watch_due ON watch (operation_id, due_at, watch_id);
CREATE INDEX watch_roll ON watch (operation_id, roll_id) WHERE roll_id IS NOT NULL;
CALL guard_table('watch');
CALL open_to_definer('watch', 'SELECT');

-- What happened to a watch, in order; never changed. What the clock does, it does once for each
-- deadline: the index below holds that, whoever looks and however often.
CREATE TABLE watch_fact (
  operation_id int NOT NULL REFERENCES operation,
  watch_id uuid NOT NULL,
  fact_id uuid NOT NULL DEFAULT uuidv7(),
  round int NOT NULL,
  what text NOT NULL CHECK (what IN ('created', 'reminded', 'overdue', 'passed_up', 'desk',
    'covered', 'done', 'extended', 'cancelled', 'superseded')),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  event_at timestamptz,             -- when it was said, corrected
  due_at timestamptz,               -- the deadline it set
  late boolean NOT NULL DEFAULT false,
  actor text NOT NULL DEFAULT 'system',
  body_sha256 bytea,
  PRIMARY KEY (operation_id, fact_id),
  FOREIGN KEY (operation_id, watch_id) REFERENCES watch
);
CREATE INDEX watch_fact_watch ON watch_fact (operation_id, watch_id, at, fact_id);
CREATE UNIQUE INDEX watch_fact_once ON watch_fact (operation_id, watch_id, round, what)
  WHERE what IN ('reminded', 'overdue', 'passed_up', 'desk');
CALL guard_table('watch_fact');
REVOKE UPDATE, DELETE ON watch_fact FROM muster_app;

-- Areas of risk: their people are listed when nothing was heard of them for so many hours.
CREATE TABLE area_risk (
  operation_id int NOT NULL REFERENCES operation,
  area_id int NOT NULL,
  dark_after_h int NOT NULL CHECK (dark_after_h BETWEEN 1 AND 720),
  set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  set_by text NOT NULL,
  PRIMARY KEY (operation_id, area_id),
  FOREIGN KEY (operation_id, area_id) REFERENCES area
);
CALL guard_table('area_risk');

-- Across operations: which of them have watches to look at now.
CREATE FUNCTION operations_with_watches_due() RETURNS SETOF int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT o.operation_id FROM operation o
        WHERE EXISTS (SELECT FROM watch w WHERE w.operation_id = o.operation_id
                      AND w.turn_at <= clock_timestamp())
        ORDER BY 1 $$;

-- And which have curfews.
CREATE FUNCTION operations_with_curfews() RETURNS SETOF int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT DISTINCT c.operation_id FROM curfew c WHERE c.ended_at IS NULL ORDER BY 1 $$;

GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION operations_with_watches_due() OWNER TO muster_definer;
ALTER FUNCTION operations_with_curfews() OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;

-- Who answers for each of some people, by the tree as it is now: the leaders of her node (never
-- herself), and those of the nearest node above that has any.
CREATE FUNCTION leaders_of(persons int[])
  RETURNS TABLE (person_id int, leaders int[], above int[])
  LANGUAGE sql STABLE
  AS $$ WITH RECURSIVE leader AS MATERIALIZED (
          SELECT n.node_id, n.warden_id AS person_id FROM tree_node n WHERE n.warden_id IS NOT NULL
          UNION
          SELECT a.node_id, a.person_id FROM tree_alternate a),
        own AS MATERIALIZED (SELECT o.person_id, o.node_id FROM node_of_people(persons) o),
        rise AS (
          SELECT DISTINCT n.node_id AS start_id, n.parent_id AS node_id, 1 AS steps
          FROM own o JOIN tree_node n ON n.node_id = o.node_id WHERE n.parent_id IS NOT NULL
          UNION ALL
          SELECT r.start_id, n.parent_id, r.steps + 1
          FROM rise r JOIN tree_node n ON n.node_id = r.node_id
          WHERE n.parent_id IS NOT NULL AND r.steps < 100)
        SELECT o.person_id,
               ARRAY(SELECT l.person_id FROM leader l
                     WHERE l.node_id = o.node_id AND l.person_id <> o.person_id ORDER BY 1),
               ARRAY(SELECT l.person_id FROM leader l
                     WHERE l.person_id <> o.person_id AND l.node_id = (
                       SELECT r.node_id FROM rise r
                       WHERE r.start_id = o.node_id AND EXISTS (
                         SELECT FROM leader x WHERE x.node_id = r.node_id
                           AND x.person_id <> o.person_id)
                       ORDER BY r.steps LIMIT 1) ORDER BY 1)
        FROM own o $$;
