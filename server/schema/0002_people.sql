-- People: areas, agencies, persons and their families, contact points, tree, devices.
-- Older code may still run: none (first version).

CREATE TABLE area (
  operation_id int NOT NULL REFERENCES operation,
  area_id int GENERATED ALWAYS AS IDENTITY,
  code text NOT NULL,
  name text NOT NULL,
  parent_id int,
  kind text NOT NULL CHECK (kind IN ('country', 'region', 'duty_station', 'zone')),
  lat double precision CHECK (lat BETWEEN -90 AND 90),
  lon double precision CHECK (lon BETWEEN -180 AND 180),
  pcode text,
  PRIMARY KEY (operation_id, area_id),
  UNIQUE (operation_id, code),
  FOREIGN KEY (operation_id, parent_id) REFERENCES area
);
CALL guard_table('area');

-- An area and every area below it; roots when wanted is NULL gives all.
CREATE FUNCTION area_and_below(wanted int) RETURNS SETOF int
  LANGUAGE sql STABLE
  AS $$ WITH RECURSIVE below AS (
          SELECT a.area_id FROM area a
          WHERE a.area_id = wanted OR (wanted IS NULL AND a.parent_id IS NULL)
          UNION
          SELECT c.area_id FROM area c JOIN below b ON c.parent_id = b.area_id)
        SELECT area_id FROM below $$;

CREATE TABLE agency (
  operation_id int NOT NULL REFERENCES operation,
  agency_id int GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  PRIMARY KEY (operation_id, agency_id),
  UNIQUE (operation_id, name)
);
CALL guard_table('agency');

CREATE TABLE person (
  operation_id int NOT NULL REFERENCES operation,
  person_id int GENERATED ALWAYS AS IDENTITY,
  ref text NOT NULL,                -- the name by which the outside knows a person
  name text NOT NULL,
  category text NOT NULL CHECK (category IN
    ('international', 'national', 'local', 'contractor', 'volunteer', 'family')),
  agency_id int NOT NULL,
  area_id int NOT NULL,
  language text,
  email text,
  sponsor_id int,                   -- set exactly for family
  kind text NOT NULL DEFAULT 'roster' CHECK (kind IN ('roster', 'walk_in', 'visitor', 'unnamed')),
  merged_into int,                  -- a walk-in found to be this roster person
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (operation_id, person_id),
  UNIQUE (operation_id, ref),
  FOREIGN KEY (operation_id, agency_id) REFERENCES agency,
  FOREIGN KEY (operation_id, area_id) REFERENCES area,
  FOREIGN KEY (operation_id, sponsor_id) REFERENCES person (operation_id, person_id)
    DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (operation_id, merged_into) REFERENCES person (operation_id, person_id),
  CHECK (sponsor_id IS NULL OR category = 'family'),
  CHECK (merged_into IS NULL OR kind <> 'roster')
);
CREATE INDEX person_area ON person (operation_id, area_id);
CREATE INDEX person_sponsor ON person (operation_id, sponsor_id) WHERE sponsor_id IS NOT NULL;
CALL guard_table('person');
CALL open_to_definer('person', 'SELECT');

-- Which side of the parity comparison a person is on; family go with their sponsor.
CREATE FUNCTION parity_of(category text, sponsor_category text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE CASE WHEN category = 'family' THEN sponsor_category ELSE category END
               WHEN 'national' THEN 'local' WHEN 'local' THEN 'local'
               WHEN 'international' THEN 'international' END $$;

CREATE TABLE contact_point (
  operation_id int NOT NULL REFERENCES operation,
  person_id int NOT NULL,
  rank smallint NOT NULL,           -- 1 is tried first
  phone text NOT NULL CHECK (phone ~ '^\+[1-9][0-9]{5,14}$'),   -- E.164
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (operation_id, person_id, rank),
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX contact_phone ON contact_point (operation_id, phone);
CALL guard_table('contact_point');

CREATE TABLE tree_node (
  operation_id int NOT NULL REFERENCES operation,
  node_id int GENERATED ALWAYS AS IDENTITY,
  node text NOT NULL,
  parent_id int,
  label text NOT NULL,
  area_id int,
  warden_id int,
  PRIMARY KEY (operation_id, node_id),
  UNIQUE (operation_id, node),
  FOREIGN KEY (operation_id, parent_id) REFERENCES tree_node (operation_id, node_id)
    DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (operation_id, area_id) REFERENCES area,
  FOREIGN KEY (operation_id, warden_id) REFERENCES person (operation_id, person_id)
);
CREATE INDEX tree_warden ON tree_node (operation_id, warden_id);
CALL guard_table('tree_node');

CREATE TABLE tree_alternate (
  operation_id int NOT NULL REFERENCES operation,
  node_id int NOT NULL,
  rank smallint NOT NULL,
  person_id int NOT NULL,
  PRIMARY KEY (operation_id, node_id, rank),
  FOREIGN KEY (operation_id, node_id) REFERENCES tree_node ON DELETE CASCADE,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX tree_alternate_person ON tree_alternate (operation_id, person_id);
CALL guard_table('tree_alternate');

CREATE TABLE tree_member (
  operation_id int NOT NULL REFERENCES operation,
  node_id int NOT NULL,
  person_id int NOT NULL,
  PRIMARY KEY (operation_id, node_id, person_id),
  FOREIGN KEY (operation_id, node_id) REFERENCES tree_node ON DELETE CASCADE,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX tree_member_person ON tree_member (operation_id, person_id);
CALL guard_table('tree_member');

-- A node and every node below it.
CREATE FUNCTION node_and_below(wanted int[]) RETURNS SETOF int
  LANGUAGE sql STABLE
  AS $$ WITH RECURSIVE below AS (
          SELECT n.node_id FROM tree_node n WHERE n.node_id = ANY (wanted)
          UNION
          SELECT c.node_id FROM tree_node c JOIN below b ON c.parent_id = b.node_id)
        SELECT node_id FROM below $$;

-- The people of some nodes and all below: named members, else those of the node's area and
-- below; the wardens and alternates themselves; the family of each. Merged persons are gone.
CREATE FUNCTION people_of_nodes(wanted int[]) RETURNS SETOF int
  LANGUAGE sql STABLE
  AS $$ WITH node AS MATERIALIZED (
          SELECT n.node_id, n.area_id, n.warden_id,
                 EXISTS (SELECT FROM tree_member m WHERE m.node_id = n.node_id) AS named
          FROM tree_node n WHERE n.node_id IN (SELECT node_and_below(wanted))),
        direct AS (
          SELECT m.person_id FROM tree_member m JOIN node USING (node_id)
          UNION
          SELECT p.person_id FROM person p
          WHERE p.area_id IN (SELECT area_and_below(n.area_id) FROM node n
                              WHERE NOT n.named AND n.area_id IS NOT NULL)
          UNION
          SELECT warden_id FROM node WHERE warden_id IS NOT NULL
          UNION
          SELECT a.person_id FROM tree_alternate a JOIN node USING (node_id))
        SELECT p.person_id FROM person p
        WHERE p.merged_into IS NULL
          AND (p.person_id IN (SELECT person_id FROM direct)
               OR p.sponsor_id IN (SELECT person_id FROM direct)) $$;

-- The nodes a person answers for, as warden or alternate.
CREATE FUNCTION nodes_of_warden(wanted int) RETURNS SETOF int
  LANGUAGE sql STABLE
  AS $$ SELECT node_id FROM tree_node WHERE warden_id = wanted
        UNION SELECT node_id FROM tree_alternate WHERE person_id = wanted $$;

CREATE TABLE device (
  operation_id int NOT NULL REFERENCES operation,
  device_id uuid NOT NULL,
  person_id int NOT NULL,
  platform text NOT NULL,
  sms_id5 text NOT NULL,            -- names the device in an M1 text message
  sms_key bytea NOT NULL,           -- encrypted: nonce + AES-GCM of the HMAC key
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  PRIMARY KEY (operation_id, device_id),
  UNIQUE (operation_id, sms_id5),
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX device_person ON device (operation_id, person_id);
CALL guard_table('device');
CALL open_to_definer('device', 'SELECT');

-- Where a device can be woken. A dead address stays, dated, so that silence is explained.
CREATE TABLE push_address (
  operation_id int NOT NULL REFERENCES operation,
  device_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('fcm', 'webpush')),
  address text NOT NULL,            -- an FCM token, or the subscription as JSON
  updated_at timestamptz NOT NULL DEFAULT now(),
  accepted_at timestamptz,          -- a provider last took a message for it
  delivered_at timestamptz,         -- the phone last said it arrived
  dead_at timestamptz,
  dead_reason text,
  PRIMARY KEY (operation_id, device_id),
  FOREIGN KEY (operation_id, device_id) REFERENCES device
);
CALL guard_table('push_address');

CREATE TABLE enrolment (
  operation_id int NOT NULL REFERENCES operation,
  enrolment_id uuid NOT NULL DEFAULT gen_random_uuid(),
  person_id int NOT NULL,
  code_sha256 bytea NOT NULL,
  printed boolean NOT NULL DEFAULT false,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  device_id uuid,
  revoked_at timestamptz,
  PRIMARY KEY (operation_id, enrolment_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE UNIQUE INDEX enrolment_code ON enrolment (code_sha256);
CALL guard_table('enrolment');
CALL open_to_definer('enrolment', 'SELECT');

-- The last known place of a person, for polygons and for the map.
CREATE TABLE position (
  operation_id int NOT NULL REFERENCES operation,
  person_id int NOT NULL,
  lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
  lon double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
  accuracy_m real,
  event_at timestamptz NOT NULL,
  purpose text NOT NULL,            -- why it is held: 'checkin', later 'panic', 'watch'
  PRIMARY KEY (operation_id, person_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CALL guard_table('position');

-- Across operations: an enrolment code names its operation.
CREATE FUNCTION operation_of_enrolment(code bytea) RETURNS int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT operation_id FROM enrolment WHERE code_sha256 = code $$;

-- Who stands behind some tokens: one row for each live credential found.
CREATE FUNCTION principals(tokens bytea[])
  RETURNS TABLE (token_sha256 bytea, kind text, operation_id int, device_id uuid,
                 operator_id int, person_id int, person_ref text, role text, area_id int,
                 name text, idle_s double precision)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT c.token_sha256, c.kind, c.operation_id, c.device_id, c.operator_id,
               coalesce(d.person_id, o.person_id), p.ref, o.role, o.area_id, o.name,
               extract(epoch FROM clock_timestamp() - c.last_seen_at)::double precision
        FROM unnest(tokens) AS wanted (token)
        JOIN credential c ON c.token_sha256 = wanted.token
        LEFT JOIN device d ON d.operation_id = c.operation_id AND d.device_id = c.device_id
        LEFT JOIN operator o ON o.operation_id = c.operation_id AND o.operator_id = c.operator_id
        LEFT JOIN person p ON p.operation_id = c.operation_id
                          AND p.person_id = coalesce(d.person_id, o.person_id)
        WHERE c.revoked_at IS NULL AND d.revoked_at IS NULL AND o.revoked_at IS NULL
          AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp()) $$;
