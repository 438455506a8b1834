-- Overloads that come again; places in jobs that fail for ever, and in texts that nobody understood.
-- Older code may still run: yes. It keeps an overload that was decided closed, whatever comes after.

-- By how many people a vehicle was over its seats when a human decided of it. More than that is a new
-- conflict; a vehicle that fitted again meanwhile begins anew.
ALTER TABLE movement_conflict ADD COLUMN excess int CHECK (excess >= 0);
UPDATE movement_conflict c SET excess = greatest(0, coalesce((
    SELECT n.count FROM movement_count n WHERE n.operation_id = c.operation_id
      AND n.movement_id = c.movement_id AND n.thing_id = c.vehicle_id AND n.what = 'boarded'), 0)
  - v.seats)
FROM movement_vehicle v
WHERE v.operation_id = c.operation_id AND v.movement_id = c.movement_id
  AND v.vehicle_id = c.vehicle_id AND c.kind = 'over_capacity' AND c.state = 'resolved';
CREATE INDEX movement_conflict_vehicle ON movement_conflict (operation_id, movement_id, vehicle_id)
  WHERE kind = 'over_capacity';

-- Places in the payloads of jobs that cannot be done expire as all others do: `place` itself, and
-- that of each of `items` and `later`: degrees, and metres or null where they are given. `keep`:
-- coarse, else gone.
CREATE FUNCTION expired_place(place jsonb, keep boolean) RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE
          WHEN jsonb_typeof(place) <> 'array' THEN place
          WHEN NOT keep THEN 'null'
          WHEN (place ->> 0)::float8 = public.coarse((place ->> 0)::float8)
           AND (place ->> 1)::float8 = public.coarse((place ->> 1)::float8) THEN place
          ELSE jsonb_build_array(public.coarse((place ->> 0)::float8),
            public.coarse((place ->> 1)::float8)) || CASE WHEN jsonb_array_length(place) > 2
              THEN jsonb_build_array((place ->> 2)::float8 + 800) ELSE '[]' END END $$;
CREATE FUNCTION expired_payload(payload jsonb, keep boolean) RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT coalesce(jsonb_object_agg(f.key, CASE
          WHEN f.key = 'place' THEN public.expired_place(f.value, keep)
          WHEN f.key IN ('items', 'later') AND jsonb_typeof(f.value) = 'array' THEN (
            SELECT coalesce(jsonb_agg(CASE WHEN i.value ? 'place' THEN jsonb_set(i.value, '{place}',
                     public.expired_place(i.value -> 'place', keep)) ELSE i.value END ORDER BY i.n), '[]')
            FROM jsonb_array_elements(f.value) WITH ORDINALITY AS i (value, n))
          ELSE f.value END), '{}')
        FROM jsonb_each(payload) AS f $$;
CREATE INDEX job_placed ON job (operation_id, created_at)
  WHERE kind IN ('panic.raise', 'panic.satellite', 'panic.heard');
