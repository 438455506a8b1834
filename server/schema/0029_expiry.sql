-- Positions expire: exact for 72 hours, coarse until 30 days after the end, then gone.
-- Older code may still run: yes. It keeps positions as before; a newer worker expires them.

-- Degrees to two decimals: a place within 790 m of the one it was.
CREATE FUNCTION coarse(degrees double precision) RETURNS double precision
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT round(degrees::numeric, 2)::double precision $$;

-- `coarse`: it is no exact point any more. `place_for`: why it is held, where there is one.
ALTER TABLE checkin
  ADD COLUMN coarse boolean NOT NULL DEFAULT false,
  ADD COLUMN place_for text GENERATED ALWAYS AS (CASE WHEN lat IS NOT NULL THEN 'checkin' END) VIRTUAL;
CREATE INDEX checkin_exact ON checkin (operation_id, received_at)
  WHERE lat IS NOT NULL AND NOT coarse;
CREATE INDEX checkin_coarse ON checkin (operation_id, alert_id, received_at)
  WHERE lat IS NOT NULL AND coarse;

ALTER TABLE panic_position
  ADD COLUMN coarse boolean NOT NULL DEFAULT false,
  ADD COLUMN place_for text GENERATED ALWAYS AS ('panic') VIRTUAL;
CREATE INDEX panic_position_exact ON panic_position (operation_id, received_at) WHERE NOT coarse;

ALTER TABLE help_call
  ADD COLUMN place_for text GENERATED ALWAYS AS (CASE WHEN lat IS NOT NULL THEN 'help' END) VIRTUAL;

-- Whether a text holds what looks like an exact place: two numbers, three decimals in one of them.
CREATE FUNCTION without_place(body text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT regexp_replace(body,
          '-?\d{1,3}\.\d{3,}\s*,\s*-?\d{1,3}(\.\d+)?|-?\d{1,3}(\.\d+)?\s*,\s*-?\d{1,3}\.\d{3,}',
          '[place]', 'g') $$;
CREATE FUNCTION holds_place(body text) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT body ~ '\d\.\d{3,}' AND public.without_place(body) <> body $$;
CREATE INDEX inbound_placed ON inbound_sms (operation_id, received_at) WHERE holds_place(body);
