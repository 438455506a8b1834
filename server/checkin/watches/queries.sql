-- name: clock
-- The database's time: deadlines know no other.
SELECT clock_timestamp()

-- name: operations_due
-- Which operations have watches to look at now.
SELECT operations_with_watches_due()

-- name: operations_with_curfews
-- Which operations have curfews.
SELECT operations_with_curfews()

-- name: claim
-- Watches that are due to be looked at, held to the commit and passed over by everybody else, with
-- the newest report that covers each: of its person, or of who travels with her. Whoever's last
-- word is a call for help covers nothing.
SELECT w.watch_id, w.kind, w.person_id, w.counts_from, w.due_at, w.grace_s, w.interval_s, w.state,
       w.round, w.step, w.turn_at, w.said_at, w.reminded_at, w.overdue_at, w.late, w.ended_at,
       h.heard_at, clock_timestamp() AS now
FROM (
  SELECT * FROM watch
  WHERE operation_id = current_operation() AND turn_at <= clock_timestamp()
  ORDER BY turn_at, watch_id LIMIT $1 FOR UPDATE SKIP LOCKED) w
CROSS JOIN LATERAL (
  SELECT CASE WHEN NOT bool_or(l.status = 'need_help') THEN max(l.event_at) END AS heard_at
  FROM (
    SELECT w.person_id WHERE w.person_id IS NOT NULL
    UNION
    SELECT p.person_id FROM person p
    WHERE p.operation_id = w.operation_id AND p.ref = ANY (w.companions)) o
  CROSS JOIN LATERAL (
    SELECT c.event_at, c.status FROM checkin c
    WHERE c.operation_id = w.operation_id AND c.person_id = o.person_id AND NOT c.exercise
      AND c.event_at > w.counts_from AND c.event_at <= clock_timestamp()
    ORDER BY c.event_at DESC, c.status = 'need_help' DESC LIMIT 1) l) h

-- name: insert_watches
-- New watches of one making; a repeated id, or a second one for a person's curfew, is left out.
INSERT INTO watch (operation_id, watch_id, kind, person_id, callsign, area_id, counts_from, due_at,
                   grace_s, interval_s, turn_at, said_at, note, route, vehicle, contacts,
                   companions, curfew_id, day, roll_id, body_sha256, created_at, created_by)
SELECT current_operation(), t.watch_id, $2, t.person_id, t.callsign, $3, $4, $5, $6, $7, $8, $9,
       $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20
FROM unnest($1::uuid[], $21::int[], $22::text[]) AS t (watch_id, person_id, callsign)
ORDER BY t.watch_id
ON CONFLICT DO NOTHING
RETURNING watch_id

-- name: known
-- What an id was used for.
SELECT body_sha256 FROM watch WHERE operation_id = current_operation() AND watch_id = $1

-- name: lock
-- One watch in sight, held to the commit, with the room that answers for it. $2 areas: whose
-- people's it is, and of rooms it ever was offered to or had it. $3 people, $4 who made it.
SELECT w.watch_id, w.kind, w.person_id, w.counts_from, w.due_at, w.grace_s, w.interval_s, w.state,
       w.round, w.step, w.turn_at, w.said_at, w.reminded_at, w.overdue_at, w.late, w.ended_at,
       CASE WHEN w.room_set THEN w.room_id ELSE coalesce(p.area_id, w.area_id) END
         AS room_id
FROM watch w
LEFT JOIN person p ON p.operation_id = w.operation_id AND p.person_id = w.person_id
WHERE w.operation_id = current_operation() AND w.watch_id = $1
  AND ($2::int[] IS NULL OR coalesce(p.area_id, w.area_id) = ANY ($2) OR EXISTS (
        SELECT FROM watch_hand_over h
        WHERE h.operation_id = w.operation_id AND h.watch_id = w.watch_id
          AND (h.from_area_id = ANY ($2) OR h.to_area_id = ANY ($2))))
  AND ($3::int[] IS NULL OR w.person_id = ANY ($3) OR w.created_by = $4)
FOR UPDATE OF w

-- name: write
-- Watches as they are after a turn. The rows are held already.
UPDATE watch w SET
  counts_from = t.counts_from, due_at = t.due_at, state = t.state, round = t.round, step = t.step,
  turn_at = t.turn_at, said_at = t.said_at, reminded_at = t.reminded_at,
  overdue_at = t.overdue_at, late = t.late, ended_at = t.ended_at
FROM unnest($1::text::uuid[], $2::text::timestamptz[], $3::text::timestamptz[], $4::text::text[],
            $5::text::int[], $6::text::int[], $7::text::timestamptz[], $8::text::timestamptz[],
            $9::text::timestamptz[], $10::text::timestamptz[], $11::text::boolean[],
            $12::text::timestamptz[])
  AS t (watch_id, counts_from, due_at, state, round, step, turn_at, said_at, reminded_at,
        overdue_at, late, ended_at)
WHERE w.operation_id = current_operation() AND w.watch_id = t.watch_id

-- name: insert_facts
-- What happened to some watches.
INSERT INTO watch_fact (operation_id, watch_id, what, round, event_at, due_at, late, actor)
SELECT current_operation(), t.watch_id, t.what, t.round, t.event_at, t.due_at, t.late, $7
FROM unnest($1::text::uuid[], $2::text::text[], $3::text::int[], $4::text::timestamptz[],
            $5::text::timestamptz[], $6::text::boolean[])
  WITH ORDINALITY AS t (watch_id, what, round, event_at, due_at, late, n)
ORDER BY t.n

-- name: insert_said
-- What somebody said of a watch, by the id she gave it.
INSERT INTO watch_fact (operation_id, watch_id, fact_id, what, round, event_at, due_at, late, actor,
                        body_sha256)
VALUES (current_operation(), $1, coalesce($2::uuid, uuidv7()), $3, $4, $5, $6, $7, $8, $9)

-- name: said
-- Which watch a word of this id was about, and what it said.
SELECT watch_id, body_sha256 FROM watch_fact
WHERE operation_id = current_operation() AND fact_id = $1

-- name: leaders
-- Who answers for some people, and who leads the node above.
SELECT person_id, leaders, above FROM leaders_of($1)

-- name: languages
-- The languages of some people.
SELECT person_id, language FROM person
WHERE operation_id = current_operation() AND person_id = ANY ($1::int[])

-- name: tell
-- A word about watches to some people, each with her own line: by push to every live address, and
-- by text, in words of its own, where $7 or where there is no such address. Of one watch nobody has
-- two of one kind waiting, and who leads has none of two watches: her list shows them all.
INSERT INTO delivery (operation_id, delivery_id, person_id, channel, endpoint, round, lane, purpose,
                      line, watch_id, expires_at)
SELECT current_operation(), uuidv7(), t.person_id, w.channel, w.endpoint, $5, $6, 'watch',
       CASE WHEN w.channel = 'sms' THEN t.text_line ELSE t.push_line END, t.watch_id,
       clock_timestamp() + $9::interval
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[])
  AS t (watch_id, person_id, push_line, text_line)
CROSS JOIN LATERAL ways_of(ARRAY[t.person_id], $8) w
WHERE (w.channel <> 'sms' OR $7::boolean OR NOT EXISTS (
         SELECT FROM ways_of(ARRAY[t.person_id], $8) v WHERE v.channel <> 'sms'))
  AND NOT EXISTS (
    SELECT FROM delivery x
    WHERE x.operation_id = current_operation() AND x.person_id = t.person_id
      AND x.endpoint = w.endpoint AND x.purpose = 'watch' AND x.round = $5 AND x.state = 'queued'
      AND ($5 > 1 OR x.watch_id = t.watch_id))
ORDER BY t.person_id

-- name: textable
-- Which of these watches are of people who can be texted.
SELECT t.watch_id FROM unnest($1::uuid[], $2::int[]) AS t (watch_id, person_id)
WHERE text_rank(t.person_id, $3::text[]) IS NOT NULL ORDER BY 1

-- name: give_codes
-- Codes for the people of some watches who have none.
SELECT give_watch_codes($1)

-- name: codes
-- The codes of some watches that are not locked.
SELECT watch_id, code FROM watch_code
WHERE operation_id = current_operation() AND watch_id = ANY ($1::uuid[]) AND locked_at IS NULL

-- name: tell_desk
-- A word to the duty desk's own channels, unless one about the same ($3) is still on its way out.
INSERT INTO delivery (operation_id, delivery_id, channel, endpoint, lane, purpose, line, watch_id,
                      expires_at)
SELECT current_operation(), uuidv7(), 'duty', 'desk', 1, 'watch', $2 || ' ' || $3, $1,
       clock_timestamp() + interval '1 hour'
WHERE NOT EXISTS (
  SELECT FROM delivery x
  WHERE x.operation_id = current_operation() AND x.alert_id IS NULL AND x.channel = 'duty'
    AND x.purpose = 'watch' AND x.live AND x.state = 'queued' AND x.line LIKE '% ' || $3)

-- name: stop_own
-- Stops what was to remind the people of some watches and has not been sent.
UPDATE delivery
SET state = CASE WHEN error LIKE 'unknown: %' THEN 'unknown' ELSE 'stopped' END,
    finished_at = clock_timestamp()
WHERE operation_id = current_operation() AND watch_id = ANY ($1::uuid[]) AND round <= 1
  AND channel <> 'duty' AND state = 'queued'

-- name: watches
-- Watches in sight by their deadline, a page at a time. $1 areas: whose people's they are, whose room
-- holds one, is offered it or had it. $2 people, $3 who asks, $4 state, $5 kind, $6 only what has not
-- ended or only what has, $7 and $8 after which.
SELECT w.*, p.ref, p.name, a.code AS area, actor_name(w.created_by) AS maker, o.code AS room,
       s.face AS hand_over,
       extract(epoch FROM clock_timestamp() - l.heard_at)::float8 AS heard_s, l.battery,
       extract(epoch FROM clock_timestamp() - q.event_at)::float8 AS position_s
FROM watch w
LEFT JOIN person p ON p.operation_id = w.operation_id AND p.person_id = w.person_id
LEFT JOIN area a ON a.operation_id = w.operation_id AND a.area_id = coalesce(p.area_id, w.area_id)
LEFT JOIN area o ON o.operation_id = w.operation_id AND o.area_id =
  CASE WHEN w.room_set THEN w.room_id ELSE coalesce(p.area_id, w.area_id) END
LEFT JOIN LATERAL (
  SELECT h.face FROM hand_over_face h
  WHERE h.operation_id = w.operation_id AND h.watch_id = w.watch_id
  ORDER BY h.created_at DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (
  SELECT c.event_at AS heard_at, c.battery FROM checkin c
  WHERE c.operation_id = w.operation_id AND c.person_id = w.person_id AND NOT c.exercise
  ORDER BY c.event_at DESC LIMIT 1) l ON true
LEFT JOIN position q ON q.operation_id = w.operation_id AND q.person_id = w.person_id
WHERE w.operation_id = current_operation()
  AND ($1::int[] IS NULL OR coalesce(p.area_id, w.area_id) = ANY ($1) OR EXISTS (
        SELECT FROM watch_hand_over h
        WHERE h.operation_id = w.operation_id AND h.watch_id = w.watch_id
          AND h.state IN ('offered', 'heard')
          AND (h.from_area_id = ANY ($1) OR h.to_area_id = ANY ($1))))
  AND ($2::int[] IS NULL OR w.person_id = ANY ($2) OR w.created_by = $3)
  AND ($4::text IS NULL OR w.state = $4) AND ($5::text IS NULL OR w.kind = $5)
  AND ($6::boolean IS NULL OR (w.ended_at IS NULL) = $6)
  AND ($7::timestamptz IS NULL OR (w.due_at, w.watch_id) > ($7, $8::uuid))
  AND ($10::uuid[] IS NULL OR w.watch_id = ANY ($10))
ORDER BY w.due_at, w.watch_id LIMIT $9

-- name: gone
-- Which of these watches were offered to rooms of these areas, and are theirs to see no more.
SELECT DISTINCT h.watch_id FROM watch_hand_over h
WHERE h.operation_id = current_operation() AND h.watch_id = ANY ($1::uuid[])
  AND h.to_area_id = ANY ($2::int[]) AND h.state NOT IN ('offered', 'heard')
ORDER BY 1

-- name: end_offers
-- Offers of watches that have ended: there is nothing to hand over any more.
UPDATE watch_hand_over SET state = 'ended', turn_at = NULL, settled_at = clock_timestamp()
WHERE operation_id = current_operation() AND watch_id = ANY ($1::uuid[]) AND state = 'offered'

-- name: facts
-- What happened to a watch, in order; who read its person's position only where $2.
SELECT f.fact_id, f.what, f.at, f.event_at, f.due_at, f.late, f.round, actor_name(f.actor) AS who,
       f.hand_over_id, a.code AS to_area, h.contact, f.reason,
       CASE f.what WHEN 'offered' THEN h.note WHEN 'heard' THEN h.remark
                   WHEN 'refused' THEN h.remark WHEN 'withdrawn' THEN h.remark END AS note
FROM watch_fact f
LEFT JOIN watch_hand_over h
  ON h.operation_id = f.operation_id AND h.hand_over_id = f.hand_over_id
LEFT JOIN area a ON a.operation_id = h.operation_id AND a.area_id = h.to_area_id
WHERE f.operation_id = current_operation() AND f.watch_id = $1
  AND ($2::boolean OR f.what <> 'position_read')
ORDER BY f.at, f.fact_id

-- name: zone
-- The operation's time zone.
SELECT timezone FROM operation WHERE operation_id = current_operation()

-- name: insert_curfew
-- A new curfew; nothing for an id that is used.
INSERT INTO curfew (operation_id, curfew_id, area_id, wall, weekdays, window_s, grace_s, note,
                    dark_after_h, last_day, body_sha256, created_by)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING RETURNING curfew_id

-- name: curfews
-- Curfews in sight that have not ended; with $2 that one, ended or not.
SELECT c.curfew_id, a.code AS area, c.wall, c.weekdays, c.window_s, c.grace_s, c.note,
       c.dark_after_h, c.created_at, actor_name(c.created_by) AS maker, c.ended_at, c.body_sha256
FROM curfew c JOIN area a ON a.operation_id = c.operation_id AND a.area_id = c.area_id
WHERE c.operation_id = current_operation() AND ($1::int[] IS NULL OR c.area_id = ANY ($1))
  AND CASE WHEN $2::uuid IS NULL THEN c.ended_at IS NULL ELSE c.curfew_id = $2 END
ORDER BY c.created_at, c.curfew_id

-- name: lock_curfews
-- The curfews that are in force; who else goes through them waits.
SELECT curfew_id, area_id, wall, weekdays, window_s, grace_s, note, last_day, created_by
FROM curfew WHERE operation_id = current_operation() AND ended_at IS NULL
ORDER BY curfew_id FOR UPDATE

-- name: people_of_curfew
-- Whom a curfew of an area is for: who is expected there now, family apart, whose sponsors answer
-- for them.
SELECT p.person_id FROM person p
LEFT JOIN expected_now() e ON e.person_id = p.person_id
WHERE p.operation_id = current_operation() AND p.merged_into IS NULL AND p.category <> 'family'
  AND CASE WHEN e.person_id IS NULL THEN p.area_id ELSE e.area_id END
      IN (SELECT area_and_below($1))
ORDER BY p.person_id

-- name: pass_day
-- A curfew's day was gone through.
UPDATE curfew SET last_day = $2 WHERE operation_id = current_operation() AND curfew_id = $1

-- name: end_curfew
-- Ends a curfew in sight.
UPDATE curfew SET ended_at = clock_timestamp()
WHERE operation_id = current_operation() AND curfew_id = $1 AND ended_at IS NULL
  AND ($2::int[] IS NULL OR area_id = ANY ($2))
RETURNING curfew_id

-- name: lock_of_curfew
-- Watches of a curfew that nobody has missed yet, held to the commit.
SELECT w.watch_id, w.kind, w.person_id, w.counts_from, w.due_at, w.grace_s, w.interval_s, w.state,
       w.round, w.step, w.turn_at, w.said_at, w.reminded_at, w.overdue_at, w.late, w.ended_at
FROM watch w
WHERE w.operation_id = current_operation() AND w.curfew_id = $1
  AND w.state IN ('running', 'reminded')
ORDER BY w.watch_id FOR UPDATE

-- name: insert_roll
-- A new roll; nothing for an id that is used.
INSERT INTO radio_check (operation_id, roll_id, area_id, note, body_sha256, created_by)
VALUES (current_operation(), $1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING roll_id

-- name: roll
-- A roll: what its id was used for.
SELECT r.roll_id, r.note, r.body_sha256, r.created_at, actor_name(r.created_by) AS maker
FROM radio_check r WHERE r.operation_id = current_operation() AND r.roll_id = $1

-- name: names_on_roll
-- The names on a roll in sight.
SELECT w.watch_id, p.ref, p.name, w.callsign, w.state, w.due_at, w.ended_at, w.late
FROM watch w
LEFT JOIN person p ON p.operation_id = w.operation_id AND p.person_id = w.person_id
WHERE w.operation_id = current_operation() AND w.roll_id = $1
  AND ($2::int[] IS NULL OR coalesce(p.area_id, w.area_id) = ANY ($2))
ORDER BY coalesce(w.callsign, p.ref), w.watch_id

-- name: put_risk
-- Flags an area as one of risk.
INSERT INTO area_risk (operation_id, area_id, dark_after_h, set_by)
VALUES (current_operation(), $1, $2, $3)
ON CONFLICT (operation_id, area_id) DO UPDATE
SET dark_after_h = excluded.dark_after_h, set_at = clock_timestamp(), set_by = excluded.set_by

-- name: drop_risk
-- An area is one of risk no more.
DELETE FROM area_risk WHERE operation_id = current_operation() AND area_id = $1

-- name: risks
-- The areas in sight that are flagged as ones of risk.
SELECT a.code AS area, r.dark_after_h, r.set_at, actor_name(r.set_by) AS maker
FROM area_risk r JOIN area a ON a.operation_id = r.operation_id AND a.area_id = r.area_id
WHERE r.operation_id = current_operation() AND ($1::int[] IS NULL OR r.area_id = ANY ($1))
ORDER BY a.code

-- name: locate
-- The last known position of a watch's person, where the watch is overdue or she is dark. $2 areas:
-- her own; and of the room that holds the watch or is offered it, as long as it has not ended.
SELECT w.state = 'overdue' OR EXISTS (
         SELECT FROM dark_alarm l WHERE l.operation_id = w.operation_id
           AND l.person_id = w.person_id AND l.ended_at IS NULL) AS due,
       w.round, q.lat, q.lon, q.accuracy_m, q.event_at,
       extract(epoch FROM clock_timestamp() - q.event_at)::float8 AS age_s
FROM watch w
LEFT JOIN person p ON p.operation_id = w.operation_id AND p.person_id = w.person_id
LEFT JOIN position q ON q.operation_id = w.operation_id AND q.person_id = w.person_id
WHERE w.operation_id = current_operation() AND w.watch_id = $1
  AND ($2::int[] IS NULL OR coalesce(p.area_id, w.area_id) = ANY ($2) OR EXISTS (
        SELECT FROM watch_hand_over h
        WHERE h.operation_id = w.operation_id AND h.watch_id = w.watch_id
          AND (h.to_area_id = ANY ($2) AND h.state = 'offered'
               OR w.room_set AND w.room_id = ANY ($2) AND w.ended_at IS NULL)))

-- name: note_reading
-- Somebody is shown a position, and why.
INSERT INTO watch_fact (operation_id, watch_id, what, round, actor, reason)
VALUES (current_operation(), $1, 'position_read', $2, $3, $4)
