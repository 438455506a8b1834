-- Manifests: who is to sit where, sealed lists and their amendments, papers, codes, checkers.
-- Older code may still run: yes. It gives no seats, seals none at a departure, and takes none away.

-- Seats given, on one vehicle a leg. The plan: who boarded is what reports say. A seat is given or
-- given up, never changed; its number is what a printed list is ticked by.
CREATE TABLE movement_seat (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  leg_id uuid NOT NULL,
  person_id int NOT NULL,
  vehicle_id uuid NOT NULL,
  seat int NOT NULL CHECK (seat >= 1),
  by_hand boolean NOT NULL,
  given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  PRIMARY KEY (operation_id, movement_id, leg_id, person_id),
  UNIQUE (operation_id, movement_id, vehicle_id, seat),
  FOREIGN KEY (operation_id, movement_id, vehicle_id) REFERENCES movement_vehicle,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX movement_seat_person ON movement_seat (operation_id, person_id);
CALL guard_table('movement_seat');
REVOKE UPDATE ON movement_seat FROM muster_app;

-- Households that an operator lets ride apart on a leg.
CREATE TABLE movement_split (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  leg_id uuid NOT NULL,
  household_id int NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  PRIMARY KEY (operation_id, movement_id, leg_id, household_id),
  FOREIGN KEY (operation_id, movement_id, leg_id) REFERENCES movement_leg
);
CALL guard_table('movement_split');

-- A manifest as it was at departure: nothing rewrites it.
CREATE TABLE manifest_seal (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  vehicle_id uuid NOT NULL,
  sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  list text NOT NULL,               -- JSON: seats with who sits there, as they were shown
  sha256 bytea NOT NULL,            -- of `list`: what a copy is compared by
  PRIMARY KEY (operation_id, movement_id, vehicle_id),
  FOREIGN KEY (operation_id, movement_id, vehicle_id) REFERENCES movement_vehicle
);
CALL guard_table('manifest_seal');
REVOKE UPDATE, DELETE ON manifest_seal FROM muster_app;

-- What was changed after the sealing, why and by whom.
CREATE TABLE manifest_amendment (
  operation_id int NOT NULL REFERENCES operation,
  amendment_id uuid NOT NULL,       -- made by the caller; several people may be in one
  person_id int NOT NULL,
  movement_id uuid NOT NULL,
  vehicle_id uuid NOT NULL,
  what text NOT NULL CHECK (what IN ('put_on', 'taken_off')),
  seat int NOT NULL,
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  body_sha256 bytea NOT NULL,
  xact xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- in which alone the seat may change
  PRIMARY KEY (operation_id, amendment_id, person_id),
  FOREIGN KEY (operation_id, movement_id, vehicle_id) REFERENCES manifest_seal
);
CREATE INDEX manifest_amendment_vehicle
  ON manifest_amendment (operation_id, movement_id, vehicle_id, at);
CALL guard_table('manifest_amendment');
REVOKE UPDATE, DELETE ON manifest_amendment FROM muster_app;

-- Whether somebody holds papers to cross a border, and until when. No scan, no number. No row:
-- nobody has said.
CREATE TABLE travel_paper (
  operation_id int NOT NULL REFERENCES operation,
  person_id int NOT NULL,
  held boolean NOT NULL,
  expires_on date,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  PRIMARY KEY (operation_id, person_id),
  FOREIGN KEY (operation_id, person_id) REFERENCES person,
  CHECK (held OR expires_on IS NULL)
);
CALL guard_table('travel_paper');

-- Who goes first in a movement for a medical need. The need itself is not stored.
CREATE TABLE medical_need (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  person_id int NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  PRIMARY KEY (operation_id, movement_id, person_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CALL guard_table('medical_need');

-- What a code is signed with. The private half is under the server's own key.
CREATE TABLE code_key (
  operation_id int NOT NULL REFERENCES operation,
  key_id smallint NOT NULL CHECK (key_id BETWEEN 1 AND 255),
  public bytea NOT NULL,            -- the point of P-256, uncompressed: 65 bytes
  sealed bytea NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (operation_id, key_id)
);
CALL guard_table('code_key');
REVOKE UPDATE, DELETE ON code_key FROM muster_app;

-- The random name that stands for a person in her codes.
CREATE TABLE code_handle (
  operation_id int NOT NULL REFERENCES operation,
  person_id int NOT NULL,
  handle bytea NOT NULL CHECK (octet_length(handle) = 8),
  PRIMARY KEY (operation_id, person_id),
  UNIQUE (operation_id, handle),
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CALL guard_table('code_handle');
REVOKE UPDATE, DELETE ON code_handle FROM muster_app;

-- Codes of a person, counted from 1. One of them at most is good.
CREATE TABLE person_code (
  operation_id int NOT NULL REFERENCES operation,
  person_id int NOT NULL,
  counter int NOT NULL CHECK (counter BETWEEN 1 AND 65535),
  issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  issued_by text NOT NULL,
  revoked_at timestamptz,
  revoked_by text,
  PRIMARY KEY (operation_id, person_id, counter),
  FOREIGN KEY (operation_id, person_id) REFERENCES code_handle
);
CREATE UNIQUE INDEX person_code_good ON person_code (operation_id, person_id)
  WHERE revoked_at IS NULL;
CALL guard_table('person_code');
REVOKE DELETE ON person_code FROM muster_app;

-- Who may scan and report everybody of a movement, with whatever phone is hers.
CREATE TABLE movement_checker (
  operation_id int NOT NULL REFERENCES operation,
  movement_id uuid NOT NULL,
  person_id int NOT NULL,
  named_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  named_by text NOT NULL,
  ended_at timestamptz,
  ended_by text,
  PRIMARY KEY (operation_id, movement_id, person_id),
  FOREIGN KEY (operation_id, movement_id) REFERENCES movement,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX movement_checker_person ON movement_checker (operation_id, person_id);
CALL guard_table('movement_checker');

-- No seat above those a vehicle has, whoever writes it; and none changes under a seal but with an
-- amendment of the same transaction.
CREATE FUNCTION guard_seat() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  s movement_seat := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  v record;
BEGIN
  SELECT seats, leg_id INTO v FROM movement_vehicle
  WHERE operation_id = s.operation_id AND movement_id = s.movement_id
    AND vehicle_id = s.vehicle_id FOR SHARE;
  IF TG_OP = 'INSERT' AND (s.seat > v.seats OR s.leg_id <> v.leg_id) THEN
    RAISE EXCEPTION 'no such seat' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT FROM manifest_seal m WHERE m.operation_id = s.operation_id
               AND m.movement_id = s.movement_id AND m.vehicle_id = s.vehicle_id)
     AND NOT EXISTS (SELECT FROM manifest_amendment a WHERE a.operation_id = s.operation_id
               AND a.movement_id = s.movement_id AND a.vehicle_id = s.vehicle_id
               AND a.person_id = s.person_id AND a.xact = pg_current_xact_id()) THEN
    RAISE EXCEPTION 'the manifest is sealed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN s;
END $$;
CREATE TRIGGER guard_seat BEFORE INSERT OR DELETE ON movement_seat
  FOR EACH ROW EXECUTE FUNCTION guard_seat();

-- A seat that is given does not vanish with the vehicle's seats.
CREATE FUNCTION guard_seats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.seats < OLD.seats AND EXISTS (
      SELECT FROM movement_seat s WHERE s.operation_id = NEW.operation_id
        AND s.movement_id = NEW.movement_id AND s.vehicle_id = NEW.vehicle_id
        AND s.seat > NEW.seats) THEN
    RAISE EXCEPTION 'a seat is given' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard_seats BEFORE UPDATE OF seats ON movement_vehicle
  FOR EACH ROW EXECUTE FUNCTION guard_seats();

-- What is sealed is what the seats are: they are held off meanwhile.
CREATE FUNCTION guard_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM movement_vehicle
  WHERE operation_id = NEW.operation_id AND movement_id = NEW.movement_id
    AND vehicle_id = NEW.vehicle_id FOR NO KEY UPDATE;
  RETURN NEW;
END $$;
CREATE TRIGGER guard_seal BEFORE INSERT ON manifest_seal
  FOR EACH ROW EXECUTE FUNCTION guard_seal();
