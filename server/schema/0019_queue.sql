-- Each operation's queue by its own alerts; a token for each claim of a job.
-- Older code may still run: yes. It passes floors on as it got them, and ends jobs by their attempts.

-- A claim's own token: whoever had the job before writes nothing to it any more.
ALTER TABLE job ADD COLUMN claim uuid;
DROP FUNCTION claim_jobs(text[], int, interval);
CREATE FUNCTION claim_jobs(kinds text[], most int, lease interval)
  RETURNS TABLE (operation_id int, job_id uuid, kind text, payload jsonb, attempts int, claim uuid)
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ WITH due AS (
          SELECT j.operation_id, j.job_id FROM job j
          WHERE j.due_at <= clock_timestamp() AND j.kind = ANY (kinds)
          ORDER BY j.lane, j.due_at LIMIT most FOR UPDATE SKIP LOCKED)
        UPDATE job j SET due_at = clock_timestamp() + lease, attempts = j.attempts + 1,
                         claim = gen_random_uuid()
        FROM due d WHERE j.operation_id = d.operation_id AND j.job_id = d.job_id
        RETURNING j.operation_id, j.job_id, j.kind, j.payload, j.attempts, j.claim $$;
GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION claim_jobs(text[], int, interval) OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;

-- What the job that opens an alert was told: a lost one is written again. NULL: older code made it.
ALTER TABLE alert ADD COLUMN opening jsonb;

-- The name of an alert among the floors. Ids are made by clients: two operations may have one
-- and the same, and each queue goes by its own alert alone.
CREATE FUNCTION floor_name(operation_id int, alert_id uuid) RETURNS text
  LANGUAGE sql IMMUTABLE
  AS $$ SELECT operation_id || '/' || alert_id $$;

-- As before, but that a delivery goes by the alert of its own operation; `floors` says from which
-- due time on to look, by floor_name() ('' for none).
CREATE OR REPLACE FUNCTION claim_deliveries(channels text[], most int, lease interval,
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
  operations int[];
  alerts uuid[];
  starts timestamptz[];
  start timestamptz := coalesce((floors->>'')::timestamptz, '-infinity');
  own_lane int;
  more tid[];
  found tid[] := '{}';
BEGIN
  SELECT array_agg(a.operation_id ORDER BY a.opened_at, a.alert_id, a.operation_id),
         array_agg(a.alert_id ORDER BY a.opened_at, a.alert_id, a.operation_id),
         array_agg(coalesce((floors->>floor_name(a.operation_id, a.alert_id))::timestamptz,
                            '-infinity')
                   ORDER BY a.opened_at, a.alert_id, a.operation_id)
  INTO operations, alerts, starts
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
      SELECT w.tid FROM unnest(operations, alerts, starts) AS a (operation_id, alert_id, start)
      CROSS JOIN unnest(channels) AS c (channel)
      CROSS JOIN LATERAL (
        SELECT d.ctid AS tid FROM delivery d
        WHERE d.alert_id = a.alert_id AND d.operation_id = a.operation_id
          AND d.channel = c.channel AND d.lane = own_lane::smallint AND d.live
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

-- As before, by floor_name() of each open alert ('' for none).
CREATE OR REPLACE FUNCTION delivery_lows(channels text[], floors jsonb DEFAULT '{}')
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
    FROM (SELECT floor_name(o.operation_id, o.alert_id) AS name, o.operation_id, o.alert_id
          FROM alert o WHERE o.state = 'open') a
    CROSS JOIN unnest(channels) AS c (channel)
    CROSS JOIN generate_series(0, 3) AS l (lane)
    LEFT JOIN LATERAL (
      SELECT d.due_at FROM delivery d
      WHERE d.alert_id = a.alert_id AND d.operation_id = a.operation_id
        AND d.channel = c.channel AND d.lane = l.lane::smallint AND d.live
        AND d.due_at >= coalesce((floors->>a.name)::timestamptz, '-infinity')
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
