-- Kernel: roles, the operation boundary, credentials, the gapless stream, the lease queue.
-- Older code may still run: none (first version).

-- muster_app: what every API and worker connection runs as. It owns nothing, so forced
-- row-level security always applies to it. muster_definer: owns the few functions that must
-- look across operations; nobody can log in as it, and policies grant it single tables only.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'muster_app') THEN
    CREATE ROLE muster_app NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'muster_definer') THEN
    CREATE ROLE muster_definer NOLOGIN;
  END IF;
  EXECUTE format('GRANT muster_app TO %I', current_user);
  EXECUTE format('GRANT muster_definer TO %I', current_user);
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;  -- another database of the same cluster was migrating at the same moment
END $$;

GRANT USAGE ON SCHEMA public TO muster_app, muster_definer;
GRANT CREATE ON SCHEMA public TO muster_definer;  -- needed to own functions; taken back below

-- The operation of the running transaction. Raises when it was not set: an unset
-- operation must fail loudly and never mean "all" or "none".
CREATE FUNCTION current_operation() RETURNS int
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT current_setting('muster.operation')::int $$;

-- Puts a table behind its operation: forced RLS for everyone, rights for muster_app.
CREATE PROCEDURE guard_table(name regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
  EXECUTE format('CREATE POLICY own_operation ON %s TO muster_app
                  USING (operation_id = (SELECT current_operation()))
                  WITH CHECK (operation_id = (SELECT current_operation()))', name);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO muster_app', name);
END $$;

-- Lets the definer role reach one table across operations, with the rights named.
CREATE PROCEDURE open_to_definer(name regclass, rights text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE POLICY across_operations ON %s TO muster_definer
                  USING (true) WITH CHECK (true)', name);
  EXECUTE format('GRANT %s ON %s TO muster_definer', rights, name);
END $$;

CREATE TABLE operation (
  operation_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code text NOT NULL UNIQUE CHECK (code ~ '^[A-Za-z0-9_-]{1,40}$'),
  name text NOT NULL,
  timezone text NOT NULL,          -- IANA zone; wall times are stored with it
  region text NOT NULL,            -- ISO 3166 alpha-2: default of phone numbers
  created_at timestamptz NOT NULL DEFAULT now()
);
CALL guard_table('operation');
CALL open_to_definer('operation', 'SELECT, INSERT');

-- Every bearer secret, as SHA-256 of a random 256-bit token: devices, operators' API
-- tokens, console sessions, one-time sign-in codes.
CREATE TABLE credential (
  operation_id int NOT NULL REFERENCES operation,
  token_sha256 bytea NOT NULL CHECK (octet_length(token_sha256) = 32),
  kind text NOT NULL CHECK (kind IN ('device', 'operator', 'session', 'login')),
  device_id uuid,
  operator_id int,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (operation_id, token_sha256),
  CHECK ((kind = 'device') = (device_id IS NOT NULL)),
  CHECK ((kind <> 'device') = (operator_id IS NOT NULL))
);
CREATE UNIQUE INDEX credential_token ON credential (token_sha256);
CREATE INDEX credential_device ON credential (operation_id, device_id) WHERE device_id IS NOT NULL;
CREATE INDEX credential_operator ON credential (operation_id, operator_id);
CALL guard_table('credential');
CALL open_to_definer('credential', 'SELECT, UPDATE');

CREATE TABLE operator (
  operation_id int NOT NULL REFERENCES operation,
  operator_id int GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('admin', 'operator', 'auditor', 'warden')),
  area_id int,                     -- NULL: the whole operation
  person_id int,                   -- wardens only
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  PRIMARY KEY (operation_id, operator_id),
  CHECK ((role = 'warden') = (person_id IS NOT NULL))
);
CALL guard_table('operator');
CALL open_to_definer('operator', 'SELECT');

-- The gapless stream. The head row's lock makes sequence order equal commit order.
CREATE TABLE stream_head (
  operation_id int PRIMARY KEY REFERENCES operation,
  seq bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
CALL guard_table('stream_head');
CALL open_to_definer('stream_head', 'SELECT, INSERT');

CREATE TABLE event (
  operation_id int NOT NULL REFERENCES operation,
  seq bigint NOT NULL,
  kind text NOT NULL,
  data jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (operation_id, seq)
);
CALL guard_table('event');

-- The lease queue: a job is claimed by moving its due time past the lease, so a crashed
-- worker's job simply becomes due again. `run_key` makes enqueuing idempotent.
CREATE TABLE job (
  operation_id int NOT NULL REFERENCES operation,
  job_id uuid NOT NULL DEFAULT gen_random_uuid(),
  kind text NOT NULL,
  run_key text NOT NULL,
  payload jsonb NOT NULL DEFAULT '{}',
  lane smallint NOT NULL DEFAULT 3,  -- 0 panic, 1 life safety, 2 urgent, 3 the rest
  due_at timestamptz NOT NULL DEFAULT now(),
  attempts int NOT NULL DEFAULT 0,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (operation_id, job_id),
  UNIQUE (operation_id, kind, run_key)
);
CREATE INDEX job_due ON job (lane, due_at);
CALL guard_table('job');
CALL open_to_definer('job', 'SELECT, UPDATE');

-- Who did what. Written in the transaction of the act itself; never updated.
CREATE TABLE audit (
  operation_id int NOT NULL REFERENCES operation,
  audit_id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT now(),
  actor text NOT NULL,             -- 'operator:7', 'device:<uuid>', 'system'
  action text NOT NULL,
  subject text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (operation_id, audit_id)
);
CALL guard_table('audit');
REVOKE UPDATE, DELETE ON audit FROM muster_app;

-- Across operations: SECURITY DEFINER, each returning no more than its caller needs. pg_temp
-- stands last in their search path: unnamed it would come first, and a caller's own temporary
-- tables would be believed.

CREATE FUNCTION find_operation(wanted text)
  RETURNS TABLE (operation_id int, code text, name text, timezone text, region text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT o.operation_id, o.code, o.name, o.timezone, o.region
        FROM operation o WHERE o.code = wanted $$;

CREATE FUNCTION list_operations() RETURNS SETOF int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT operation_id FROM operation ORDER BY operation_id $$;

CREATE FUNCTION add_operation(code text, name text, timezone text, region text) RETURNS int
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ WITH made AS (
          INSERT INTO operation (code, name, timezone, region) VALUES ($1, $2, $3, $4)
          RETURNING operation_id),
        head AS (INSERT INTO stream_head (operation_id) SELECT operation_id FROM made)
        SELECT operation_id FROM made $$;

-- The heads of all operations at once: one cheap read a poll, whatever their number.
CREATE FUNCTION stream_heads() RETURNS TABLE (operation_id int, seq bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT operation_id, seq FROM stream_head $$;

-- How many seconds the oldest job has been due that nobody has taken: a worker that lives
-- takes one within a second.
CREATE FUNCTION jobs_overdue_s() RETURNS double precision
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0))
        FROM job $$;

CREATE FUNCTION claim_jobs(kinds text[], most int, lease interval)
  RETURNS TABLE (operation_id int, job_id uuid, kind text, payload jsonb, attempts int)
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ WITH due AS (
          SELECT j.operation_id, j.job_id FROM job j
          WHERE j.due_at <= clock_timestamp() AND j.kind = ANY (kinds)
          ORDER BY j.lane, j.due_at LIMIT most FOR UPDATE SKIP LOCKED)
        UPDATE job j SET due_at = clock_timestamp() + lease, attempts = j.attempts + 1
        FROM due d WHERE j.operation_id = d.operation_id AND j.job_id = d.job_id
        RETURNING j.operation_id, j.job_id, j.kind, j.payload, j.attempts $$;
