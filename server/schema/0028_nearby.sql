-- Colleagues near a panic are told, where the operation wants it.
-- Older code may still run: yes. It tells none.

-- What an operation wants of its panics; without a row the defaults.
CREATE TABLE panic_setting (
  operation_id int PRIMARY KEY REFERENCES operation,
  nearby_m int CHECK (nearby_m BETWEEN 100 AND 50000),  -- NULL: no colleague is told
  desk_phone text,                  -- E.164: what colleagues are told to call
  set_by text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL guard_table('panic_setting');

-- Colleagues who were told of a panic near them, and how far off they were then.
CREATE TABLE panic_helper (
  operation_id int NOT NULL REFERENCES operation,
  panic_id uuid NOT NULL,
  person_id int NOT NULL,
  distance_m int NOT NULL,          -- rounded to 100 m: the place itself is nowhere in it
  told_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (operation_id, panic_id, person_id),
  FOREIGN KEY (operation_id, panic_id) REFERENCES panic,
  FOREIGN KEY (operation_id, person_id) REFERENCES person
);
CREATE INDEX panic_helper_person ON panic_helper (operation_id, person_id);
CALL guard_table('panic_helper');

-- Squares of a tenth of a degree find who is near. Degrees in the index themselves would cost every
-- report with a place an entry; who moves within a square costs none (a heap-only update).
ALTER TABLE position
  ADD COLUMN lat_cell smallint NOT NULL GENERATED ALWAYS AS (floor(lat * 10)::smallint) STORED,
  ADD COLUMN lon_cell smallint NOT NULL GENERATED ALWAYS AS (floor(lon * 10)::smallint) STORED;
CREATE INDEX position_cell ON position (operation_id, lat_cell, lon_cell);

-- How far one place is from another, on a sphere (haversine).
CREATE FUNCTION metres(lat1 float8, lon1 float8, lat2 float8, lon2 float8) RETURNS float8
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT 2 * 6371008.8 * asin(least(1, sqrt(
          sind((lat2 - lat1) / 2) ^ 2
          + cosd(lat1) * cosd(lat2) * sind((lon2 - lon1) / 2) ^ 2))) $$;
