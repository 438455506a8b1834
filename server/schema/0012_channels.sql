-- The queue stays flat: claims begin from open alerts and from where live rows may begin.
-- Older code may still run: yes. It claims with no floors, and reads what is dead once more.

-- Whether a worker may still have to do with it. A claim changes nothing that any index of
-- `delivery` names, so its new row version stays on its page and touches no index.
ALTER TABLE delivery
  ADD COLUMN live boolean GENERATED ALWAYS AS (state IN ('queued', 'sending')) STORED,
  ALTER COLUMN due_at SET DEFAULT clock_timestamp();  -- when written: see delivery_lows()
ALTER TABLE delivery SET (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02,
                          autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE push_address SET (fillfactor = 70);
DROP INDEX delivery_due;
CREATE INDEX delivery_live ON delivery (alert_id, channel, lane, due_at) WHERE live;
DROP INDEX delivery_late;
CREATE INDEX delivery_late ON delivery (expires_at) WHERE alert_id IS NULL AND live;
CREATE INDEX alert_open ON alert (opened_at, alert_id) WHERE state = 'open';

-- What each route was charged for since the day began (UTC), in all operations: its cap is one.
-- By the time of the end, which a claim does not change; what was tried today ends no earlier.
DROP INDEX delivery_spent;
CREATE INDEX delivery_spent ON delivery (finished_at) WHERE route IS NOT NULL;
CREATE OR REPLACE FUNCTION texts_spent() RETURNS TABLE (route text, micro bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT d.route, sum(d.price_micro)::bigint FROM delivery d
        WHERE d.route IS NOT NULL
          AND (d.finished_at >= date_trunc('day', clock_timestamp(), 'UTC')
               OR d.finished_at IS NULL)
          AND d.attempted_at >= date_trunc('day', clock_timestamp(), 'UTC')
        GROUP BY d.route $$;

-- A transaction gets its number before it says when a delivery is due: delivery_lows() relies
-- on it.
CREATE FUNCTION number_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_current_xact_id();
  RETURN NULL;
END $$;
CREATE TRIGGER number_writer BEFORE INSERT ON delivery
  FOR EACH STATEMENT EXECUTE FUNCTION number_writer();

-- Claims up to `most` due deliveries of open alerts or of none, the most urgent lane first, then
-- the alert that was opened first. The attempt is on record (attempts, attempted_at) before any
-- request is made; it is the lease too: what is `sending` may be claimed again when `lease` has
-- passed since. `floors` says from which due time on to look, by alert ('' for none): nothing
-- live is below it; an alert it does not name is read from its beginning. What it meets too late
-- is stopped. The plan is held to the index: guessing from `most`, the planner would read the
-- whole queue at each claim.
DROP FUNCTION claim_deliveries(text[], int, interval);
CREATE FUNCTION claim_deliveries(channels text[], most int, lease interval,
                                 floors jsonb DEFAULT '{}')
  RETURNS TABLE (operation_id int, delivery_id uuid, alert_id uuid, person_id int,
                 channel text, endpoint text, attempts smallint)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
  SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz := clock_timestamp();
  alerts uuid[];
  starts timestamptz[];
  start timestamptz := coalesce((floors->>'')::timestamptz, '-infinity');
  own_lane int;
  more tid[];
  found tid[] := '{}';
BEGIN
  SELECT array_agg(a.alert_id ORDER BY a.opened_at, a.alert_id),
         array_agg(coalesce((floors->>a.alert_id::text)::timestamptz, '-infinity')
                   ORDER BY a.opened_at, a.alert_id)
  INTO alerts, starts
  FROM alert a WHERE a.state = 'open' AND (a.expires_at IS NULL OR a.expires_at > moment);
  FOR own_lane IN 0..3 LOOP
    SELECT array_agg(n.tid) INTO more FROM (
      SELECT w.tid FROM unnest(channels) AS c (channel)
      CROSS JOIN LATERAL (
        SELECT d.ctid AS tid FROM delivery d
        WHERE d.alert_id IS NULL AND d.channel = c.channel AND d.lane = own_lane::smallint AND d.live
          AND d.due_at >= start AND d.due_at <= moment AND d.state IN ('queued', 'sending')
          AND (d.state = 'queued' OR d.attempted_at <= moment - lease)
        ORDER BY d.alert_id, d.due_at LIMIT most - cardinality(found) FOR UPDATE OF d SKIP LOCKED) w
      LIMIT most - cardinality(found)) n;
    found := found || more;
    SELECT array_agg(n.tid) INTO more FROM (
      SELECT w.tid FROM unnest(alerts, starts) AS a (alert_id, start)
      CROSS JOIN unnest(channels) AS c (channel)
      CROSS JOIN LATERAL (
        SELECT d.ctid AS tid FROM delivery d
        WHERE d.alert_id = a.alert_id AND d.channel = c.channel AND d.lane = own_lane::smallint AND d.live
          AND d.due_at >= a.start AND d.due_at <= moment AND d.state IN ('queued', 'sending')
          AND (d.state = 'queued' OR d.attempted_at <= moment - lease)
        ORDER BY d.due_at LIMIT most - cardinality(found) FOR UPDATE OF d SKIP LOCKED) w
      LIMIT most - cardinality(found)) n;
    found := found || more;
  END LOOP;
  RETURN QUERY
    WITH took AS (
      UPDATE delivery d SET
        state = CASE WHEN d.expires_at IS NULL OR d.expires_at > moment THEN 'sending'
                     WHEN d.state = 'sending' OR d.error LIKE 'unknown: %' THEN 'unknown'
                     ELSE 'stopped' END,
        finished_at = CASE WHEN d.expires_at <= moment THEN clock_timestamp() END,
        attempts = d.attempts + CASE WHEN d.expires_at <= moment THEN 0 ELSE 1 END,
        attempted_at = CASE WHEN d.expires_at <= moment THEN d.attempted_at
                       ELSE clock_timestamp() END
      WHERE d.ctid = ANY (found)
      RETURNING d.operation_id, d.delivery_id, d.alert_id, d.person_id, d.channel, d.endpoint,
                d.attempts, d.state)
    SELECT t.operation_id, t.delivery_id, t.alert_id, t.person_id, t.channel, t.endpoint,
           t.attempts
    FROM took t WHERE t.state = 'sending';
END $$;

-- The lowest due time of what is live on some channels, by open alert ('' for none) and from its
-- floor on; with it what tells the caller how far it may believe that nothing is below: when
-- this began, the oldest writer then under way, and a number that no later writer is below. It
-- takes one itself: a snapshot's xmax is no such number, for a writer under way may have it.
-- Whoever writes a due time takes a number first, so a writer with a number from `next` on wrote
-- none before `began`.
CREATE FUNCTION delivery_lows(channels text[], floors jsonb DEFAULT '{}')
  RETURNS TABLE (alert text, low timestamptz, began timestamptz, oldest xid8, next xid8)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
  SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  started timestamptz := clock_timestamp();
  own xid8;
  writers pg_snapshot;
BEGIN
  SELECT pg_current_xact_id() INTO own;
  SELECT pg_current_snapshot() INTO writers;  -- its own statement: what follows sees no less
  RETURN QUERY
    SELECT a.name, min(n.due_at), started, pg_snapshot_xmin(writers), own
    FROM (SELECT o.alert_id::text AS name, o.alert_id FROM alert o WHERE o.state = 'open') a
    CROSS JOIN unnest(channels) AS c (channel)
    CROSS JOIN generate_series(0, 3) AS l (lane)
    LEFT JOIN LATERAL (
      SELECT d.due_at FROM delivery d
      WHERE d.alert_id = a.alert_id AND d.channel = c.channel AND d.lane = l.lane::smallint
        AND d.live AND d.due_at >= coalesce((floors->>a.name)::timestamptz, '-infinity')
      ORDER BY d.due_at LIMIT 1) n ON true
    GROUP BY a.name
    UNION ALL
    SELECT '', min(n.due_at), started, pg_snapshot_xmin(writers), own
    FROM unnest(channels) AS c (channel)
    CROSS JOIN generate_series(0, 3) AS l (lane)
    LEFT JOIN LATERAL (
      SELECT d.due_at FROM delivery d
      WHERE d.alert_id IS NULL AND d.channel = c.channel AND d.lane = l.lane::smallint
        AND d.live AND d.due_at >= coalesce((floors->>'')::timestamptz, '-infinity')
      ORDER BY d.alert_id, d.due_at LIMIT 1) n ON true;
END $$;

GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION claim_deliveries(text[], int, interval, jsonb) OWNER TO muster_definer;
ALTER FUNCTION delivery_lows(text[], jsonb) OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;

-- Whether e-mail to an address goes out: `served` names '@' where there is a relay.
CREATE FUNCTION mail_served(email text, served text[]) RETURNS boolean
  LANGUAGE sql IMMUTABLE
  AS $$ SELECT email IS NOT NULL AND '@' = ANY (served)
               AND email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' $$;

-- The best way to each of some persons now: push, sms, email, warden or none. `texted` are the
-- prefixes of served numbers, and '@' where e-mail goes out.
CREATE OR REPLACE FUNCTION reach_of(persons int[], texted text[])
  RETURNS TABLE (person_id int, reach text)
  LANGUAGE sql STABLE
  AS $$ SELECT r.person_id,
               CASE WHEN r.reach = 'push' OR cardinality(texted) = 0 THEN r.reach
                    WHEN text_rank(r.person_id, texted) IS NOT NULL THEN 'sms'
                    WHEN mail_served(p.email, texted) THEN 'email'
                    ELSE r.reach END
        FROM reach_of(persons) r
        JOIN person p ON p.operation_id = current_operation() AND p.person_id = r.person_id $$;

-- A worker's sign of life, one row for each operation it serves, with what it knows of the ways
-- out: figures of this operation alone, and what holds each way back.
CREATE TABLE worker_beat (
  operation_id int NOT NULL REFERENCES operation,
  worker_id uuid NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ways jsonb NOT NULL DEFAULT '[]',
  PRIMARY KEY (operation_id, worker_id)
) WITH (fillfactor = 20);
CALL guard_table('worker_beat');
CALL open_to_definer('worker_beat', 'SELECT');

-- What was last seen of each way out, to some seconds. `route` is an SMS route, else ''.
CREATE TABLE channel_mark (
  operation_id int NOT NULL REFERENCES operation,
  channel text NOT NULL,
  route text NOT NULL DEFAULT '',
  accepted_at timestamptz,          -- a provider took something
  receipt_at timestamptz,           -- a phone or a gateway said that something arrived
  inbound_at timestamptz,           -- something came in this way
  unanswered int NOT NULL DEFAULT 0,  -- taken since the last receipt
  unanswered_since timestamptz,
  PRIMARY KEY (operation_id, channel, route)
) WITH (fillfactor = 20);
CALL guard_table('channel_mark');

-- What somebody must look at: raised once, cleared when it is over, never raised again as itself.
CREATE TABLE alarm (
  operation_id int NOT NULL REFERENCES operation,
  alarm_id uuid NOT NULL DEFAULT uuidv7(),
  kind text NOT NULL CHECK (kind IN ('worker', 'route', 'receipts', 'phones')),
  subject text NOT NULL,            -- a channel or channel:route; 'worker'; 'phones'
  detail text NOT NULL,             -- in words; names no person
  raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  cleared_at timestamptz,
  PRIMARY KEY (operation_id, alarm_id)
);
CREATE UNIQUE INDEX alarm_raised ON alarm (operation_id, kind, subject) WHERE cleared_at IS NULL;
CREATE INDEX alarm_newest ON alarm (operation_id, raised_at DESC, alarm_id);
CALL guard_table('alarm');

-- How many workers are alive: they share what a provider allows.
CREATE FUNCTION workers_alive(within interval) RETURNS int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT count(DISTINCT worker_id)::int FROM worker_beat
        WHERE seen_at > clock_timestamp() - within $$;
GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION workers_alive(interval) OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;
