-- name: begin_presses
-- One person's presses go one after another; whose they are, the database's time, what was answered
-- to those that came before, and her live panic where one is new.
SELECT whose AS person_id, moment, known, live FROM begin_presses($1, $2, $3)

-- name: hold_presser
-- One person's presses wait until the commit.
SELECT hold_presser($1)

-- name: clock
-- The database's time: deadlines know no other.
SELECT clock_timestamp()

-- name: live_panic
-- The panic of a person that is live, held until the commit.
SELECT panic_id, state, covert, duress, verified, told_at FROM panic
WHERE operation_id = current_operation() AND person_id = $1 AND duress = $2
  AND state IN ('open', 'acknowledged') FOR UPDATE

-- name: insert_panic
-- Puts a panic on record, with the first fact of its timeline.
WITH raised AS (
  INSERT INTO panic (operation_id, panic_id, person_id, source, covert, duress, verified, raised_by,
                     at, event_at, received_at, told_at, realert_at, presses)
  VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::timestamptz, $10,
          $10 + $11::interval, $12)
  RETURNING panic_id, at, event_at, received_at, raised_by)
INSERT INTO panic_fact (operation_id, panic_id, kind, at, event_at, received_at, actor, detail)
SELECT current_operation(), panic_id, 'raised', at, event_at, received_at, raised_by,
       $13::text::jsonb
FROM raised

-- name: join_panic
-- Counts further presses. What is told openly once is open, what is vouched for once is vouched for;
-- one that is kept secret from now on is that of whose press it was, $7.
UPDATE panic SET presses = presses + $2, covert = $3, verified = $4,
       told_at = CASE WHEN $5 THEN $6 ELSE told_at END,
       raised_by = CASE WHEN $3 AND NOT covert THEN $7 ELSE raised_by END
WHERE operation_id = current_operation() AND panic_id = $1

-- name: insert_presses
-- Every press with what it is answered.
INSERT INTO panic_press (operation_id, press_id, panic_id, person_id, actor, at, event_at,
                         received_at, merged, state, ignored)
SELECT current_operation(), p.press_id, $1, $2, $3, p.at, p.event_at, $4, p.merged, $5,
       ARRAY(SELECT jsonb_array_elements_text(p.ignored::jsonb))
FROM unnest($6::uuid[], $7::timestamptz[], $8::timestamptz[], $9::boolean[], $10::text[])
     AS p (press_id, at, event_at, merged, ignored)

-- name: insert_fact
-- One fact of the timeline.
INSERT INTO panic_fact (operation_id, panic_id, kind, at, event_at, received_at, actor, detail)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7::text::jsonb)

-- name: insert_positions
-- Positions up to the end of the panic; those on record already are left out.
INSERT INTO panic_position (operation_id, panic_id, position_id, at, event_at, received_at, lat,
                            lon, accuracy_m, battery)
SELECT current_operation(), c.panic_id, p.position_id, p.at, p.event_at, $2, p.lat, p.lon,
       p.accuracy_m, p.battery
FROM unnest($3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::float8[], $7::float8[],
            $8::real[], $9::smallint[])
     AS p (position_id, at, event_at, lat, lon, accuracy_m, battery)
JOIN panic c ON c.operation_id = current_operation() AND c.panic_id = $1
  AND (c.ended_at IS NULL OR p.event_at <= c.ended_at)
ON CONFLICT DO NOTHING RETURNING position_id

-- name: keep_position
-- The newest position is where its person was last known to be; not of what is silent.
INSERT INTO position (operation_id, person_id, lat, lon, accuracy_m, event_at, purpose)
SELECT c.operation_id, c.person_id, x.lat, x.lon, x.accuracy_m, x.event_at, 'panic'
FROM panic c JOIN panic_position x ON x.operation_id = c.operation_id AND x.panic_id = c.panic_id
WHERE c.operation_id = current_operation() AND c.panic_id = $1 AND c.counts
ORDER BY x.event_at DESC LIMIT 1
ON CONFLICT (operation_id, person_id) DO UPDATE
SET lat = excluded.lat, lon = excluded.lon, accuracy_m = excluded.accuracy_m,
    event_at = excluded.event_at, purpose = excluded.purpose
WHERE position.event_at < excluded.event_at

-- name: tell_leaders
-- A word to the warden and the alternates of the node that answers for a person, $2, by push and
-- text at once, not sent later than an hour on; with $5, or where that node has nobody but herself,
-- to those of the node above it too. How many they are.
WITH own AS MATERIALIZED (
  SELECT t.node_id, t.parent_id FROM node_of_people(ARRAY[$2::int]) n
  JOIN tree_node t ON t.operation_id = current_operation() AND t.node_id = n.node_id),
place AS (
  SELECT o.node_id, false AS above FROM own o
  UNION ALL
  SELECT o.parent_id, NOT $5::boolean FROM own o WHERE o.parent_id IS NOT NULL),
leader AS MATERIALIZED (
  SELECT t.warden_id AS person_id, p.above FROM place p
  JOIN tree_node t ON t.operation_id = current_operation() AND t.node_id = p.node_id
  WHERE t.warden_id <> $2
  UNION
  SELECT a.person_id, p.above FROM place p
  JOIN tree_alternate a ON a.operation_id = current_operation() AND a.node_id = p.node_id
  WHERE a.person_id <> $2),
told AS MATERIALIZED (
  SELECT DISTINCT person_id FROM leader
  WHERE above = (SELECT bool_and(above) FROM leader)),
word AS (
  INSERT INTO delivery (operation_id, delivery_id, panic_id, person_id, channel, endpoint, round,
                        lane, purpose, expires_at)
  SELECT current_operation(), uuidv7(), $1, w.person_id, w.channel, w.endpoint, $3, 0, 'panic',
         clock_timestamp() + interval '1 hour'
  FROM ways_of(ARRAY(SELECT person_id FROM told), $4) w
  ORDER BY w.person_id)
SELECT count(*)::int FROM told

-- name: tell
-- A word to some people about a panic, by push and text at once, not sent later than an hour on.
-- $5: the words of texts by language.
INSERT INTO delivery (operation_id, delivery_id, panic_id, person_id, channel, endpoint, round,
                      lane, purpose, expires_at, line)
SELECT current_operation(), uuidv7(), $1, w.person_id, w.channel, w.endpoint, $3, 0, 'panic',
       clock_timestamp() + interval '1 hour',
       CASE WHEN w.channel = 'sms' THEN (
         SELECT coalesce($5::text::jsonb ->> split_part(p.language, '-', 1),
                         $5::text::jsonb ->> 'en')
         FROM person p
         WHERE p.operation_id = current_operation() AND p.person_id = w.person_id) END
FROM ways_of($2, $4) w
ORDER BY w.person_id

-- name: press_waits
-- Whether an SOS of a person's satellite messenger is still on its way to a panic.
SELECT EXISTS (SELECT FROM job WHERE operation_id = current_operation()
               AND kind = 'panic.satellite' AND payload->>'person_id' = $1::int::text)

-- name: panics_of
-- The panics of a person that are not over, or were not a week before a time, held in order; each
-- with its first press by when it was made, in whatever order presses came.
SELECT c.panic_id, c.ended_at, c.duress,
       (SELECT min(x.event_at) FROM panic_press x
        WHERE x.operation_id = c.operation_id AND x.panic_id = c.panic_id) AS began_at
FROM panic c
WHERE c.operation_id = current_operation() AND c.person_id = remaining($1)
  AND (c.ended_at IS NULL OR c.ended_at > $2::timestamptz - interval '7 days')
ORDER BY c.panic_id FOR UPDATE OF c

-- name: known_cancels
-- By which messages of a device the timeline says already that it took its SOS back.
SELECT detail->>'message' AS message FROM panic_fact
WHERE operation_id = current_operation() AND panic_id = $1 AND kind = 'cancelled_on_device'

-- name: stop_telling
-- Stops what has not been handed to a provider; what may have been is called unknown.
UPDATE delivery
SET state = CASE WHEN error LIKE 'unknown: %' THEN 'unknown' ELSE 'stopped' END,
    finished_at = clock_timestamp()
WHERE operation_id = current_operation() AND panic_id = $1 AND state = 'queued'

-- name: panic_of
-- Which panic of a person an id means: its own, or that of a press that joined it.
SELECT panic_id FROM panic_press
WHERE operation_id = current_operation() AND press_id = $1 AND person_id = remaining($2)

-- name: lock_panic
-- One panic, held until the commit.
SELECT panic_id, person_id, state, covert, duress, verified, counts, owner_id, event_at, round,
       outcome, note, received_at, presses, realert_at <= clock_timestamp() AS due, raised_by
FROM panic WHERE operation_id = current_operation() AND panic_id = $1 FOR UPDATE

-- name: in_sight
-- One panic, if it is in the sight of some areas or people; silent ones only where $4.
SELECT panic_id, counts FROM panic_face
WHERE panic_id = $1 AND ($2::int[] IS NULL OR area_id = ANY ($2))
  AND ($3::int[] IS NULL OR person_id = ANY ($3)) AND ($4::boolean OR NOT (covert OR duress))

-- name: panic
-- One panic as desks see it, in sight as above.
SELECT *, clock_timestamp() AS now FROM panic_face
WHERE panic_id = $1 AND ($2::int[] IS NULL OR area_id = ANY ($2))
  AND ($3::int[] IS NULL OR person_id = ANY ($3)) AND ($4::boolean OR NOT (covert OR duress))

-- name: panics
-- Panics, newest first, a page at a time, in sight as above.
SELECT *, clock_timestamp() AS now FROM panic_face
WHERE ($1::int[] IS NULL OR area_id = ANY ($1))
  AND ($2::int[] IS NULL OR person_id = ANY ($2)) AND ($3::boolean OR NOT (covert OR duress))
  AND ($4::boolean IS NULL OR (state IN ('open', 'acknowledged', 'cancelled')) = $4)
  AND ($5::timestamptz IS NULL OR received_at < $5 OR (received_at = $5 AND panic_id > $6::uuid))
ORDER BY received_at DESC, panic_id LIMIT $7

-- name: facts
-- The timeline of a panic, by when things happened.
SELECT f.kind, f.at, f.event_at, f.received_at, f.actor, actor_name(f.actor) AS name, f.detail
FROM panic_fact f WHERE f.operation_id = current_operation() AND f.panic_id = $1
ORDER BY f.event_at, f.fact_id

-- name: positions
-- The trail of a panic, by when it was there.
SELECT x.at, x.event_at, x.received_at, x.lat, x.lon, x.accuracy_m AS accuracy, x.battery,
       extract(epoch FROM clock_timestamp() - x.event_at)::float8 AS age_s, x.coarse
FROM panic_position x WHERE x.operation_id = current_operation() AND x.panic_id = $1
ORDER BY x.event_at, x.position_id

-- name: access
-- Who was shown positions of a panic.
SELECT a.at, a.actor, actor_name(a.actor) AS name, a.reason, a.positions
FROM panic_access a WHERE a.operation_id = current_operation() AND a.panic_id = $1
ORDER BY a.access_id

-- name: note_access
-- Somebody is shown positions.
INSERT INTO panic_access (operation_id, panic_id, actor, reason, positions)
VALUES (current_operation(), $1, $2, $3, $4)

-- name: operation
-- The operation's code.
SELECT code FROM operation WHERE operation_id = current_operation()

-- name: own
-- A panic gets its owner.
UPDATE panic SET state = 'acknowledged', owner_id = $2, realert_at = NULL,
       acknowledged_at = coalesce(acknowledged_at, clock_timestamp())
WHERE operation_id = current_operation() AND panic_id = $1

-- name: end
-- A panic is taken back or resolved; its owner is who resolves it, where it has none.
UPDATE panic SET state = $2, realert_at = NULL, ended_at = clock_timestamp(),
       owner_id = coalesce(owner_id, $3), outcome = $4, note = $5
WHERE operation_id = current_operation() AND panic_id = $1

-- name: close
-- A human has seen to what was taken back.
UPDATE panic SET state = 'closed', outcome = $2, note = $3
WHERE operation_id = current_operation() AND panic_id = $1

-- name: operator
-- An operator who may own panics, by id: her name and whether she sees all of the operation.
SELECT name, area_id, role FROM operator
WHERE operation_id = current_operation() AND operator_id = $1 AND revoked_at IS NULL
  AND role IN ('admin', 'operator')

-- name: covers
-- Whether an area holds a panic's person, herself or below.
SELECT EXISTS (SELECT FROM panic_face f WHERE f.panic_id = $1
               AND f.area_id IN (SELECT area_and_below($2)))

-- name: realerted
-- Notes a re-alert and when the next is due.
UPDATE panic SET round = $2, realert_at = greatest(received_at + $3::interval,
                                                   clock_timestamp() + interval '10 seconds')
WHERE operation_id = current_operation() AND panic_id = $1
RETURNING realert_at

-- name: hold_off_openings
-- As a batch of reports does: openings and ends of alerts wait until the commit.
SELECT pg_advisory_xact_lock_shared(41, current_operation())

-- name: lock_answers
-- Holds the answers of a panic's person in the open actual roll calls, in their order.
SELECT FROM alert_person p
JOIN alert a ON a.operation_id = p.operation_id AND a.alert_id = p.alert_id
JOIN panic c ON c.operation_id = p.operation_id AND c.person_id = p.person_id
WHERE c.operation_id = current_operation() AND c.panic_id = $1
  AND a.state = 'open' AND a.kind = 'rollcall' AND NOT a.exercise
ORDER BY p.alert_id, p.person_id FOR UPDATE OF p

-- name: count_in
-- Makes a panic's person need_help in the open actual roll calls; her cells before and after.
UPDATE alert_person p SET status = 'need_help', event_at = coalesce(p.event_at, c.event_at),
       received_at = coalesce(p.received_at, c.received_at)
FROM panic c, alert a
WHERE c.operation_id = current_operation() AND c.panic_id = $1 AND c.counts
  AND c.state IN ('open', 'acknowledged', 'cancelled')
  AND p.operation_id = c.operation_id AND p.person_id = c.person_id
  AND a.operation_id = p.operation_id AND a.alert_id = p.alert_id
  AND a.state = 'open' AND a.kind = 'rollcall' AND NOT a.exercise
RETURNING p.alert_id, p.area_id, p.agency_id, p.category, old.status AS was, new.status AS is_now

-- name: count_in_alert
-- Makes all whose panics count need_help in one actual roll call that opens; how many moved from
-- where to where. Empty, and one look at an index, where nobody has a panic.
WITH moved AS (
  UPDATE alert_person p SET status = 'need_help', event_at = coalesce(p.event_at, c.event_at),
         received_at = coalesce(p.received_at, c.received_at)
  FROM (SELECT x.person_id, min(x.event_at) AS event_at, min(x.received_at) AS received_at
        FROM panic x
        WHERE x.operation_id = current_operation() AND x.counts
          AND x.state IN ('open', 'acknowledged', 'cancelled') GROUP BY x.person_id) c, alert a
  WHERE p.operation_id = current_operation() AND p.alert_id = $1 AND p.person_id = c.person_id
    AND a.operation_id = p.operation_id AND a.alert_id = p.alert_id
    AND a.kind = 'rollcall' AND NOT a.exercise
  RETURNING p.area_id, p.agency_id, p.category, old.status AS was, new.status AS is_now)
SELECT area_id, agency_id, category, was, is_now, count(*)::int AS people
FROM moved WHERE was <> is_now GROUP BY area_id, agency_id, category, was, is_now

-- name: pins
-- A person's PINs as argon2.
SELECT pin_hash, duress_hash FROM person_pin
WHERE operation_id = current_operation() AND person_id = remaining($1)

-- name: put_pins
-- Sets a person's PINs; nothing where they are other ones by now than $5 knew.
INSERT INTO person_pin AS p (operation_id, person_id, pin_hash, duress_hash, set_by)
VALUES (current_operation(), remaining($1), $2, $3, $4)
ON CONFLICT (operation_id, person_id) DO UPDATE
SET pin_hash = excluded.pin_hash, duress_hash = excluded.duress_hash,
    set_at = clock_timestamp(), set_by = excluded.set_by
WHERE p.pin_hash = $5
RETURNING person_id

-- name: drop_pins
-- Forgets the PINs of a person, by any ref she has had; whether there were any.
WITH who AS (
  SELECT coalesce(merged_into, person_id) AS person_id FROM person
  WHERE operation_id = current_operation() AND ref = $1),
gone AS (
  DELETE FROM person_pin n USING who
  WHERE n.operation_id = current_operation() AND n.person_id = who.person_id
  RETURNING n.person_id)
SELECT EXISTS (SELECT FROM gone) AS were FROM who

-- name: merged_panics
-- The panics of a record that is being merged, held until the commit.
SELECT panic_id FROM panic
WHERE operation_id = current_operation() AND person_id = $1
ORDER BY panic_id FOR UPDATE

-- name: move_panics
-- A record's panics, and every press of them, are another person's now.
WITH moved AS (
  UPDATE panic SET person_id = $2 WHERE operation_id = current_operation() AND person_id = $1)
UPDATE panic_press SET person_id = $2
WHERE operation_id = current_operation() AND person_id = $1

-- name: move_pins
-- Of the PINs of two records that become one those stay that were set last.
WITH gone AS (
  DELETE FROM person_pin WHERE operation_id = current_operation() AND person_id = $1
  RETURNING pin_hash, duress_hash, set_at, set_by)
INSERT INTO person_pin AS p (operation_id, person_id, pin_hash, duress_hash, set_at, set_by)
SELECT current_operation(), $2, pin_hash, duress_hash, set_at, set_by FROM gone
ON CONFLICT (operation_id, person_id) DO UPDATE
SET pin_hash = excluded.pin_hash, duress_hash = excluded.duress_hash,
    set_at = excluded.set_at, set_by = excluded.set_by
WHERE p.set_at < excluded.set_at

-- name: move_presses
-- What was pressed in one panic goes on in another, words that are still to be sent too.
WITH words AS (
  UPDATE delivery SET panic_id = $2
  WHERE operation_id = current_operation() AND panic_id = $1 AND state = 'queued')
UPDATE panic_press SET panic_id = $2, merged = true
WHERE operation_id = current_operation() AND panic_id = $1

-- name: move_positions
-- Where one was is of the trail of another now.
WITH gone AS (
  DELETE FROM panic_position WHERE operation_id = current_operation() AND panic_id = $1
  RETURNING position_id, at, event_at, received_at, lat, lon, accuracy_m, battery, coarse)
INSERT INTO panic_position (operation_id, panic_id, position_id, at, event_at, received_at, lat,
                            lon, accuracy_m, battery, coarse)
SELECT current_operation(), $2, g.* FROM gone g
ON CONFLICT DO NOTHING

-- name: move_helpers
-- Colleagues who were told of one panic are near another now.
UPDATE panic_helper h SET panic_id = $2
WHERE h.operation_id = current_operation() AND h.panic_id = $1
  AND NOT EXISTS (SELECT FROM panic_helper x WHERE x.operation_id = h.operation_id
                  AND x.panic_id = $2 AND x.person_id = h.person_id)

-- name: move_told
-- What a record was told of others' panics, the person who remains was told.
UPDATE panic_helper h SET person_id = $2
WHERE h.operation_id = current_operation() AND h.person_id = $1
  AND NOT EXISTS (SELECT FROM panic_helper x WHERE x.operation_id = h.operation_id
                  AND x.panic_id = h.panic_id AND x.person_id = $2)

-- name: settings
-- What the operation wants of its panics; no row: the defaults.
SELECT nearby_m, desk_phone FROM panic_setting WHERE operation_id = current_operation()

-- name: put_settings
-- Sets what the operation wants of its panics.
INSERT INTO panic_setting AS s (operation_id, nearby_m, desk_phone, set_by)
VALUES (current_operation(), $1, $2, $3)
ON CONFLICT (operation_id) DO UPDATE
SET nearby_m = excluded.nearby_m, desk_phone = excluded.desk_phone, set_by = excluded.set_by,
    set_at = clock_timestamp()

-- name: nearby_wanted
-- Whether colleagues are to be looked for: the operation wants it, the panic is live, told openly
-- and has a position, and nobody near it was told yet.
SELECT EXISTS (
  SELECT FROM panic c JOIN panic_setting s ON s.operation_id = c.operation_id
  WHERE c.operation_id = current_operation() AND c.panic_id = $1 AND c.counts
    AND c.state IN ('open', 'acknowledged') AND s.nearby_m IS NOT NULL
    AND EXISTS (SELECT FROM panic_position x
                WHERE x.operation_id = c.operation_id AND x.panic_id = c.panic_id)
    AND NOT EXISTS (SELECT FROM panic_helper h
                    WHERE h.operation_id = c.operation_id AND h.panic_id = c.panic_id))

-- name: spot
-- Where a panic is that colleagues are to be told of, and how near they must be.
SELECT c.person_id, s.nearby_m, x.lat, x.lon
FROM panic c JOIN panic_setting s ON s.operation_id = c.operation_id
CROSS JOIN LATERAL (
  SELECT x.lat, x.lon FROM panic_position x
  WHERE x.operation_id = c.operation_id AND x.panic_id = c.panic_id
    AND x.event_at > clock_timestamp() - interval '24 hours'
  ORDER BY x.event_at DESC LIMIT 1) x
WHERE c.operation_id = current_operation() AND c.panic_id = $1 AND c.counts
  AND c.state IN ('open', 'acknowledged') AND s.nearby_m IS NOT NULL

-- name: near
-- Colleagues of $1 whose last position, 24 h old at most, is within $6 metres of a place, the
-- nearest first: no family, nobody who calls for help herself, nobody who cannot be told. $2 and
-- $3: the squares to look through.
WITH nearest AS MATERIALIZED (
  SELECT o.person_id, metres($4, $5, o.lat, o.lon) AS distance_m
  FROM position o
  WHERE o.operation_id = current_operation() AND o.lat_cell = ANY ($2::smallint[])
    AND o.lon_cell = ANY ($3::smallint[])
    AND o.event_at > clock_timestamp() - interval '24 hours'
    AND metres($4, $5, o.lat, o.lon) <= $6 AND o.person_id <> $1
  ORDER BY distance_m, o.person_id)
SELECT n.person_id, n.distance_m FROM nearest n
CROSS JOIN LATERAL (
  SELECT FROM person p
  WHERE p.operation_id = current_operation() AND p.person_id = n.person_id
    AND p.category <> 'family' AND p.merged_into IS NULL OFFSET 0) p
WHERE NOT EXISTS (
    SELECT FROM panic c
    WHERE c.operation_id = current_operation() AND c.person_id = n.person_id AND c.counts
      AND c.state IN ('open', 'acknowledged', 'cancelled') OFFSET 0)
  AND (text_rank(n.person_id, $7::text[]) IS NOT NULL OR EXISTS (
    SELECT FROM device d
    JOIN push_address a ON a.operation_id = d.operation_id AND a.device_id = d.device_id
    WHERE d.operation_id = current_operation() AND d.person_id = n.person_id
      AND d.revoked_at IS NULL AND a.dead_at IS NULL OFFSET 0))
ORDER BY n.distance_m, n.person_id LIMIT $8

-- name: insert_helpers
-- Who was told that somebody near them needs help, and how far off they were.
INSERT INTO panic_helper (operation_id, panic_id, person_id, distance_m)
SELECT current_operation(), $1, h.person_id, h.distance_m
FROM unnest($2::int[], $3::int[]) AS h (person_id, distance_m)

-- name: untold
-- Which of some people had no word about a panic yet.
SELECT h.person_id FROM unnest($2::int[]) AS h (person_id)
WHERE NOT EXISTS (SELECT FROM delivery d WHERE d.operation_id = current_operation()
                  AND d.panic_id = $1 AND d.person_id = h.person_id)

-- name: helpers
-- Colleagues who were told of a panic near them, the nearest first.
SELECT p.ref, p.name, h.distance_m, h.told_at
FROM panic_helper h
JOIN person p ON p.operation_id = h.operation_id AND p.person_id = h.person_id
WHERE h.operation_id = current_operation() AND h.panic_id = $1
ORDER BY h.distance_m, p.ref
