-- Satellite messengers: whose they are, and what they said.
-- Older code may still run: yes. It takes no such messages and lists texts alone.

-- Whose device it is, and was: a message that was long on its way belongs to who had the device
-- when it was written. One assignment of a device is in force at a time.
CREATE TABLE satellite_device (
  operation_id int NOT NULL REFERENCES operation,
  assignment_id uuid NOT NULL DEFAULT uuidv7(),
  imei text NOT NULL CHECK (imei ~ '^[0-9]{15}$'),
  kind text NOT NULL CHECK (kind IN ('inreach', 'rockblock')),
  label text,                       -- what is written on it
  person_id int NOT NULL,
  since timestamptz NOT NULL,       -- a minute before it was set, where nobody had it then
  set_by text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  removed_at timestamptz,
  removed_by text,
  PRIMARY KEY (operation_id, assignment_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
CREATE UNIQUE INDEX satellite_device_held ON satellite_device (operation_id, imei)
  WHERE removed_at IS NULL;
CREATE INDEX satellite_device_imei ON satellite_device (imei);  -- looked for in all operations
CALL guard_table('satellite_device');
CALL open_to_definer('satellite_device', 'SELECT');

-- Every message: stored first, answered to its provider at once, understood after. One of a device
-- that no operation knows stands in each of them. The place is kept here for an hour alone, for an
-- SOS that comes after what was said later than it.
CREATE TABLE satellite_message (
  operation_id int NOT NULL REFERENCES operation,
  message_id uuid NOT NULL DEFAULT uuidv7(),
  route text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('inreach', 'rockblock')),
  imei text NOT NULL,               -- as it came: it may be nobody's, or no IMEI at all
  key text NOT NULL,                -- equal for repeats of one message
  code int,                         -- Garmin's message code
  body text NOT NULL,
  at timestamptz,                   -- when it was written, as its device says
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lat double precision CHECK (lat BETWEEN -90 AND 90),
  lon double precision CHECK (lon BETWEEN -180 AND 180),
  accuracy_m real,
  ignored text[] NOT NULL DEFAULT '{}',  -- fields that could not be read
  repeated int NOT NULL DEFAULT 0,
  lane smallint NOT NULL,           -- 0: may be a call for help
  state text NOT NULL DEFAULT 'received' CHECK (state IN
    ('received', 'counted', 'unverified', 'refused', 'not_understood', 'stop', 'loop', 'noted')),
  said text,                        -- safe, need_help, away, panic, cancel, position
  person_id int,
  alert_id uuid,
  detail text,
  understood_at timestamptz,
  PRIMARY KEY (operation_id, message_id),
  CHECK ((state = 'received') = (understood_at IS NULL)),
  CHECK ((lat IS NULL) = (lon IS NULL))
);
CREATE INDEX satellite_key ON satellite_message (operation_id, key, received_at);
CREATE INDEX satellite_waiting ON satellite_message (operation_id, lane, received_at)
  WHERE state = 'received';
CREATE INDEX satellite_newest ON satellite_message (operation_id, received_at DESC, message_id);
CREATE INDEX satellite_imei ON satellite_message (operation_id, imei, received_at);
CREATE INDEX satellite_place ON satellite_message (operation_id, received_at)
  WHERE lat IS NOT NULL;
CREATE INDEX satellite_position ON satellite_message (operation_id, received_at)
  WHERE said = 'position';
CALL guard_table('satellite_message');

-- All that came in by text and by satellite, as desks list it.
CREATE VIEW inbound_face WITH (security_invoker = true) AS
  SELECT i.operation_id, i.inbound_id, 'sms' AS source, i.route, i.sender, i.recipient, i.body,
         NULL::timestamptz AS at, i.received_at, i.repeated, i.state, i.said, i.person_id,
         i.alert_id, i.detail, i.answered, i.understood_at
  FROM inbound_sms i WHERE i.operation_id = current_operation()
  UNION ALL
  SELECT m.operation_id, m.message_id, 'satellite', m.route, 'IMEI ' || m.imei, NULL, m.body, m.at,
         m.received_at, m.repeated, m.state, m.said, m.person_id, m.alert_id, m.detail, NULL,
         m.understood_at
  FROM satellite_message m WHERE m.operation_id = current_operation();
GRANT SELECT ON inbound_face TO muster_app;

-- Across operations: which of them know a device; those that have it now before those that had it.
CREATE FUNCTION operations_of_imeis(imeis text[])
  RETURNS TABLE (imei text, operation_id int, held boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT d.imei, d.operation_id, bool_or(d.removed_at IS NULL)
        FROM satellite_device d WHERE d.imei = ANY (imeis) GROUP BY d.imei, d.operation_id $$;

GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION operations_of_imeis(text[]) OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;
