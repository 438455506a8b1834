-- Trees in motion: presence, versions, the tree as an alert saw it, escalation; deliveries that
-- belong to no alert.
-- Older code may still run: yes. It passes over all of it, and claims what it knows.

-- Where people are expected: leave, travel, visits. A visit has an area; leave has none.
CREATE TABLE presence (
  operation_id int NOT NULL REFERENCES operation,
  presence_id uuid NOT NULL DEFAULT uuidv7(),
  person_id int NOT NULL,
  kind text NOT NULL CHECK (kind IN ('leave', 'travel', 'visit')),
  area_id int,                      -- where to, inside the operation
  from_at timestamptz NOT NULL,
  until_at timestamptz NOT NULL,
  note text,
  source text NOT NULL,             -- 'import' or who wrote it
  PRIMARY KEY (operation_id, presence_id),
  UNIQUE (operation_id, person_id, kind, from_at),
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  FOREIGN KEY (operation_id, area_id) REFERENCES area,
  CHECK (from_at < until_at),
  CHECK (kind <> 'visit' OR area_id IS NOT NULL),
  CHECK (kind <> 'leave' OR area_id IS NULL)
);
CREATE INDEX presence_until ON presence (operation_id, until_at);
CALL guard_table('presence');

-- Where each who is not at home is expected now: an area of this operation, or NULL: elsewhere.
-- A visit or travel with an area goes before leave; of several the one that began last.
CREATE FUNCTION expected_now() RETURNS TABLE (person_id int, area_id int)
  LANGUAGE sql STABLE
  AS $$ SELECT DISTINCT ON (p.person_id) p.person_id, p.area_id FROM presence p
        WHERE p.operation_id = current_operation()
          AND p.until_at > clock_timestamp() AND p.from_at <= clock_timestamp()
        ORDER BY p.person_id, (p.area_id IS NULL), p.from_at DESC, p.presence_id $$;

-- Every change of the tree makes a version; the newest is the tree. Old ones stay readable.
CREATE TABLE tree_version (
  operation_id int NOT NULL REFERENCES operation,
  version int NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  made_by text NOT NULL,
  reason text NOT NULL,
  nodes jsonb NOT NULL,             -- the whole tree: small, and read whole
  PRIMARY KEY (operation_id, version)
);
CALL guard_table('tree_version');

-- How long a node's warden has in a cascade before her branch opens without her.
ALTER TABLE tree_node ADD COLUMN answer_s int CHECK (answer_s BETWEEN 10 AND 86400);

-- The people of some nodes and all below, as before, and whoever visits an area of theirs now.
CREATE OR REPLACE FUNCTION people_of_nodes(wanted int[]) RETURNS SETOF int
  LANGUAGE sql STABLE
  AS $$ WITH node AS MATERIALIZED (
          SELECT n.node_id, n.area_id, n.warden_id,
                 EXISTS (SELECT FROM tree_member m WHERE m.node_id = n.node_id) AS named
          FROM tree_node n WHERE n.node_id IN (SELECT node_and_below(wanted))),
        own_area AS MATERIALIZED (
          SELECT DISTINCT b.area_id FROM node n
          CROSS JOIN LATERAL area_and_below(n.area_id) AS b (area_id)
          WHERE NOT n.named AND n.area_id IS NOT NULL),
        direct AS (
          SELECT m.person_id FROM tree_member m JOIN node USING (node_id)
          UNION
          SELECT p.person_id FROM person p WHERE p.area_id IN (SELECT area_id FROM own_area)
          UNION
          SELECT e.person_id FROM expected_now() e WHERE e.area_id IN (SELECT area_id FROM own_area)
          UNION
          SELECT warden_id FROM node WHERE warden_id IS NOT NULL
          UNION
          SELECT a.person_id FROM tree_alternate a JOIN node USING (node_id))
        SELECT p.person_id FROM person p
        WHERE p.merged_into IS NULL
          AND (p.person_id IN (SELECT person_id FROM direct)
               OR p.sponsor_id IN (SELECT person_id FROM direct)) $$;

-- The one node that answers for each person: where she is a named member; else that of the area
-- she visits, else of her own, or of the nearest above it. A warden's own is the nearest node
-- above hers with another warden. Family go with their sponsor, a warden's with her own node.
-- No node: she answers to the duty desk.
CREATE FUNCTION node_of_people(persons int[]) RETURNS TABLE (person_id int, node_id int)
  LANGUAGE sql STABLE
  AS $$ WITH RECURSIVE
        climb AS (      -- from each node to those above it
          SELECT n.node_id AS start_id, n.warden_id AS who, n.node_id, n.parent_id, n.warden_id,
                 0 AS steps
          FROM tree_node n
          UNION ALL
          SELECT c.start_id, c.who, n.node_id, n.parent_id, n.warden_id, c.steps + 1
          FROM climb c JOIN tree_node n ON n.node_id = c.parent_id WHERE c.steps < 100),
        own AS MATERIALIZED (     -- her highest node
          SELECT DISTINCT ON (d.who) d.who, d.start_id FROM (
            SELECT c.who, c.start_id, max(c.steps) AS depth FROM climb c
            WHERE c.who IS NOT NULL GROUP BY c.who, c.start_id) d
          ORDER BY d.who, d.depth, d.start_id),
        boss AS MATERIALIZED (
          SELECT DISTINCT ON (o.who) o.who, c.node_id
          FROM own o JOIN climb c ON c.start_id = o.start_id
          WHERE c.warden_id <> o.who ORDER BY o.who, c.steps),
        rising AS (     -- from each area to those above it
          SELECT a.area_id AS start_id, a.area_id, a.parent_id, 0 AS steps FROM area a
          UNION ALL
          SELECT r.start_id, a.area_id, a.parent_id, r.steps + 1
          FROM rising r JOIN area a ON a.area_id = r.parent_id WHERE r.steps < 100),
        area_node AS MATERIALIZED (
          SELECT DISTINCT ON (r.start_id) r.start_id AS area_id, n.node_id
          FROM rising r JOIN tree_node n ON n.area_id = r.area_id
          WHERE NOT EXISTS (SELECT FROM tree_member m WHERE m.node_id = n.node_id)
          ORDER BY r.start_id, r.steps, n.node_id),
        named AS MATERIALIZED (
          SELECT m.person_id, min(m.node_id) AS node_id FROM tree_member m GROUP BY 1),
        away AS MATERIALIZED (SELECT * FROM expected_now()),
        asked AS MATERIALIZED (
          SELECT p.person_id, p.area_id, p.sponsor_id FROM person p
          WHERE p.operation_id = current_operation() AND p.person_id = ANY (persons)),
        head AS MATERIALIZED (    -- everybody asked for, and the sponsors
          SELECT a.person_id, a.area_id FROM asked a
          UNION
          SELECT p.person_id, p.area_id FROM person p
          WHERE p.operation_id = current_operation()
            AND p.person_id IN (SELECT a.sponsor_id FROM asked a)),
        placed AS MATERIALIZED (
          SELECT h.person_id, t.start_id AS own_id,
                 CASE WHEN t.who IS NOT NULL THEN b.node_id
                      ELSE coalesce(n.node_id, v.node_id, o.node_id) END AS node_id,
                 n.node_id AS named_id
          FROM head h
          LEFT JOIN own t ON t.who = h.person_id
          LEFT JOIN boss b ON b.who = h.person_id
          LEFT JOIN named n ON n.person_id = h.person_id
          LEFT JOIN away w ON w.person_id = h.person_id
          LEFT JOIN area_node v ON v.area_id = w.area_id
          LEFT JOIN area_node o ON o.area_id = h.area_id)
        SELECT a.person_id,
               CASE WHEN a.sponsor_id IS NULL OR mine.named_id IS NOT NULL THEN mine.node_id
                    ELSE coalesce(s.own_id, s.node_id, mine.node_id) END
        FROM asked a
        JOIN placed mine ON mine.person_id = a.person_id
        LEFT JOIN placed s ON s.person_id = a.sponsor_id $$;

-- As before, and where each is counted: where she visits if the alert goes there, else at home
-- as expected elsewhere.
DROP FUNCTION audience_people(text, text[], int[], int[], int[], uuid, int);
CREATE FUNCTION audience_people(audience text, names text[], here int[], placed int[],
                                spots int[], incident uuid, within int)
  RETURNS TABLE (person_id int, matched text, area_id int, expected text)
  LANGUAGE sql STABLE
  AS $$ WITH guest AS (
          SELECT ap.person_id FROM alert a JOIN alert_person ap USING (operation_id, alert_id)
          WHERE a.operation_id = current_operation() AND a.incident_id = incident
            AND ap.added IS NOT NULL),
        own_area AS MATERIALIZED (SELECT area_and_below(within) AS area_id WHERE within IS NOT NULL),
        named_area AS MATERIALIZED (
          SELECT b.area_id FROM area a CROSS JOIN LATERAL area_and_below(a.area_id) AS b (area_id)
          WHERE audience = 'areas' AND a.code = ANY (names)),
        away AS MATERIALIZED (SELECT e.person_id, e.area_id FROM expected_now() e),
        everyone AS MATERIALIZED (
          SELECT p.person_id, p.agency_id, p.sponsor_id, p.area_id AS home_id, w.area_id AS there_id,
                 w.person_id IS NOT NULL AS gone, p.kind
          FROM person p LEFT JOIN away w ON w.person_id = p.person_id
          WHERE p.operation_id = current_operation() AND p.merged_into IS NULL),
        member AS MATERIALIZED (
          SELECT e.* FROM everyone e
          WHERE (e.kind = 'roster' OR e.person_id IN (SELECT g.person_id FROM guest g))
            AND (within IS NULL OR e.home_id IN (SELECT o.area_id FROM own_area o)
                 OR e.there_id IN (SELECT o.area_id FROM own_area o))),
        direct AS MATERIALIZED (
          SELECT m.person_id, 'all' AS matched FROM member m WHERE audience = 'all'
          UNION ALL
          SELECT m.person_id, 'area' FROM member m
          WHERE audience = 'areas' AND (m.home_id IN (SELECT n.area_id FROM named_area n)
                                        OR m.there_id IN (SELECT n.area_id FROM named_area n))
          UNION ALL
          SELECT m.person_id, 'agency' FROM member m
          WHERE audience = 'agencies' AND m.agency_id IN (
            SELECT g.agency_id FROM agency g WHERE g.name = ANY (names))
          UNION ALL
          SELECT m.person_id, 'tree' FROM member m
          WHERE audience = 'tree_node' AND m.person_id IN (SELECT people_of_nodes(
            ARRAY(SELECT n.node_id FROM tree_node n WHERE n.node = ANY (names))))
          UNION ALL
          SELECT m.person_id, 'position' FROM member m
          WHERE audience = 'polygon' AND m.person_id IN (SELECT unnest(here))
          UNION ALL
          SELECT m.person_id, 'area' FROM member m
          WHERE audience = 'polygon' AND (m.home_id = ANY (spots) OR m.there_id = ANY (spots))
            AND m.person_id NOT IN (SELECT unnest(placed))),
        chosen AS (
          SELECT d.person_id, d.matched FROM direct d
          UNION ALL
          SELECT f.person_id, 'family' FROM everyone f
          WHERE f.sponsor_id IN (SELECT d.person_id FROM direct d)
            AND f.person_id NOT IN (SELECT d.person_id FROM direct d)),
        known AS (
          SELECT c.person_id, c.matched, e.home_id, e.there_id, e.gone,
                 e.there_id IS NOT NULL
                 AND (within IS NULL OR e.there_id IN (SELECT o.area_id FROM own_area o))
                 AND (audience <> 'areas' OR e.there_id IN (SELECT n.area_id FROM named_area n))
                 AS here_now
          FROM chosen c JOIN everyone e ON e.person_id = c.person_id)
        SELECT k.person_id, k.matched, CASE WHEN k.here_now THEN k.there_id ELSE k.home_id END,
               CASE WHEN k.gone AND NOT k.here_now THEN 'elsewhere' ELSE 'here' END
        FROM known k $$;

ALTER TABLE alert_person
  ADD COLUMN node_id int,           -- the node that answers for her in this alert; NULL: the desk
  ADD COLUMN expected text NOT NULL DEFAULT 'here' CHECK (expected IN ('here', 'elsewhere'));
CREATE INDEX alert_person_elsewhere ON alert_person (operation_id, alert_id)
  WHERE expected = 'elsewhere';

-- The tree as it was when an alert was called for, and what each node did in it.
CREATE TABLE alert_node (
  operation_id int NOT NULL REFERENCES operation,
  alert_id uuid NOT NULL,
  node_id int NOT NULL,
  parent_id int,
  node text NOT NULL,
  label text NOT NULL,
  area_id int,
  warden_id int,
  alternates int[] NOT NULL DEFAULT '{}',
  answer_s int,
  people int NOT NULL DEFAULT 0,    -- of the population, directly in this node
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN
    ('waiting', 'asked', 'open', 'skipped')),
  state_why text,                   -- of 'open' and 'skipped', in words
  asked_at timestamptz,             -- the warden was asked to open her branch
  acknowledged_at timestamptz,
  opened_at timestamptz,
  charge smallint,                  -- who chases: 0 the warden, then the alternates; NULL: nobody yet
  charged_at timestamptz,
  passed_up_at timestamptz,         -- handed to the node above
  desk_at timestamptz,              -- handed to the duty desk
  PRIMARY KEY (operation_id, alert_id, node_id),
  FOREIGN KEY (operation_id, alert_id) REFERENCES alert
);
CALL guard_table('alert_node');

-- What happens next in an alert, due on the database's clock. A step that ended stays so.
CREATE TABLE escalation_step (
  operation_id int NOT NULL REFERENCES operation,
  alert_id uuid NOT NULL,
  act text NOT NULL CHECK (act IN ('channels', 'call_down', 'alternate', 'up', 'open_branch')),
  node_id int NOT NULL DEFAULT 0,   -- 0: the whole alert
  due_at timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'stopped')),
  ended_at timestamptz,
  result text,
  PRIMARY KEY (operation_id, alert_id, act, node_id),
  FOREIGN KEY (operation_id, alert_id) REFERENCES alert,
  CHECK ((state = 'due') = (ended_at IS NULL))
);
CREATE INDEX escalation_due ON escalation_step (operation_id, alert_id, due_at)
  WHERE state = 'due';
CALL guard_table('escalation_step');

-- How an operation escalates, by severity; no row: the defaults of server/alerts/escalation.
CREATE TABLE escalation_policy (
  operation_id int NOT NULL REFERENCES operation,
  severity text NOT NULL CHECK (severity IN ('routine', 'urgent', 'life_safety')),
  policy jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_by text NOT NULL,
  PRIMARY KEY (operation_id, severity)
);
CALL guard_table('escalation_policy');

-- One queue for all that goes out. `purpose`: alert (to its people), remind (only while they are
-- silent), ask (a warden to open her branch), chase (a warden, about her silent), reply (to a
-- text), duty (to the duty desk's channels). Replies belong to no alert; some to no person.
ALTER TABLE delivery
  ALTER COLUMN alert_id DROP NOT NULL,
  ALTER COLUMN person_id DROP NOT NULL,
  ADD COLUMN purpose text NOT NULL DEFAULT 'alert' CHECK (purpose IN
    ('alert', 'remind', 'ask', 'chase', 'reply', 'duty')),
  ADD COLUMN line text,             -- what it says, where that is not the alert's own text
  ADD COLUMN expires_at timestamptz,  -- never sent later
  ADD CHECK (alert_id IS NOT NULL OR expires_at IS NOT NULL),
  DROP CONSTRAINT delivery_channel_check,
  ADD CONSTRAINT delivery_channel_check
    CHECK (channel IN ('fcm', 'webpush', 'sms', 'email', 'duty'));
ALTER TABLE delivery DROP CONSTRAINT delivery_operation_id_alert_id_person_id_channel_endpoint_r_key;
ALTER TABLE delivery ADD CONSTRAINT delivery_once
  UNIQUE (operation_id, alert_id, person_id, channel, endpoint, purpose, round);

-- Claims up to `most` due deliveries of open alerts or of none, the most urgent lane first. The
-- attempt is on record (attempts, attempted_at) before any request is made. The plan is held to
-- the index: guessing from `most`, the planner would read the whole queue at each claim.
CREATE OR REPLACE FUNCTION claim_deliveries(channels text[], most int, lease interval)
  RETURNS TABLE (operation_id int, delivery_id uuid, alert_id uuid, person_id int,
                 channel text, endpoint text, attempts smallint)
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
  AS $$ WITH due AS (
          SELECT d.operation_id, d.delivery_id FROM delivery d
          LEFT JOIN alert a ON a.operation_id = d.operation_id AND a.alert_id = d.alert_id
          WHERE d.state IN ('queued', 'sending') AND d.due_at <= clock_timestamp()
            AND d.channel = ANY (channels) AND (a.state = 'open' OR d.alert_id IS NULL)
            AND (a.expires_at IS NULL OR a.expires_at > clock_timestamp())
            AND (d.expires_at IS NULL OR d.expires_at > clock_timestamp())
          ORDER BY d.lane, d.due_at LIMIT most FOR UPDATE OF d SKIP LOCKED)
        UPDATE delivery d SET state = 'sending', attempts = d.attempts + 1,
               attempted_at = clock_timestamp(), due_at = clock_timestamp() + lease
        FROM due WHERE d.operation_id = due.operation_id AND d.delivery_id = due.delivery_id
        RETURNING d.operation_id, d.delivery_id, d.alert_id, d.person_id,
                  d.channel, d.endpoint, d.attempts $$;

-- Whether a reminder need not go any more: the person has answered since.
CREATE FUNCTION moot(d delivery) RETURNS boolean
  LANGUAGE sql STABLE
  AS $$ SELECT d.purpose = 'remind' AND EXISTS (
          SELECT FROM alert_person p
          WHERE p.operation_id = d.operation_id AND p.alert_id = d.alert_id
            AND p.person_id = d.person_id AND p.status <> 'unaccounted') $$;
