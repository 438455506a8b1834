-- Places that satellite messengers sent expire, as all others do.
-- Older code may still run: yes. It forgets places after an hour, as newer code does too.

-- Why a place is held, where there is one.
ALTER TABLE satellite_message
  ADD COLUMN place_for text
    GENERATED ALWAYS AS (CASE WHEN lat IS NOT NULL THEN 'satellite' END) VIRTUAL;

-- What a device says of degrees: each number of three decimals, for a message that is kept as it
-- came names latitude and longitude apart.
CREATE FUNCTION without_degrees(body text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT regexp_replace(public.without_place(body), '-?\d{1,3}\.\d{3,}', '[place]', 'g') $$;
CREATE FUNCTION holds_degrees(body text) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT body ~ '\d\.\d{3,}' $$;
CREATE INDEX satellite_placed ON satellite_message (operation_id, received_at)
  WHERE holds_degrees(body);
