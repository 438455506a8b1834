-- name: operations_due
-- Which operations have hand-overs to look at now.
SELECT operations_with_hand_overs_due()

-- name: claim
-- Hand-overs that are due to be looked at, held with their watches to the commit and passed over by
-- everybody else.
SELECT h.hand_over_id, h.watch_id, h.from_area_id, h.to_area_id, h.expect_by, h.state, h.step,
       h.turn_at, h.unheard_at, clock_timestamp() AS now
FROM watch_hand_over h
JOIN watch w ON w.operation_id = h.operation_id AND w.watch_id = h.watch_id
WHERE h.operation_id = current_operation() AND h.turn_at <= clock_timestamp()
ORDER BY h.turn_at, h.hand_over_id LIMIT $1 FOR UPDATE OF w, h SKIP LOCKED

-- name: known
-- What an id was used for.
SELECT body_sha256 FROM watch_hand_over
WHERE operation_id = current_operation() AND hand_over_id = $1

-- name: open_of
-- To whom a watch is offered just now.
SELECT hand_over_id FROM watch_hand_over
WHERE operation_id = current_operation() AND watch_id = $1 AND state = 'offered'

-- name: insert
-- Offers a watch to another room; it is looked at when it should have been heard.
INSERT INTO watch_hand_over (operation_id, hand_over_id, watch_id, from_area_id, to_area_id,
                             expect_by, note, turn_at, body_sha256, created_by)
VALUES (current_operation(), $1, $2, $3, $4, $5, $6, $5, $7, $8)

-- name: lock
-- One hand-over of a watch that is held already.
SELECT h.hand_over_id, h.watch_id, h.from_area_id, h.to_area_id, h.expect_by, h.state, h.step,
       h.turn_at, h.unheard_at
FROM watch_hand_over h
WHERE h.operation_id = current_operation() AND h.hand_over_id = $1 AND h.watch_id = $2
FOR UPDATE

-- name: settle
-- How an offer ended: the state, by which contact, in whose words, when, by whom.
UPDATE watch_hand_over
SET state = $2, turn_at = NULL, contact = $3, remark = $4, event_at = $5,
    settled_at = clock_timestamp(), settled_by = $6
WHERE operation_id = current_operation() AND hand_over_id = $1

-- name: take
-- Which room answers for a watch.
UPDATE watch SET room_set = true, room_id = $2
WHERE operation_id = current_operation() AND watch_id = $1

-- name: mark
-- How far an offer that nobody heard has been told.
UPDATE watch_hand_over SET step = $2, turn_at = $3, unheard_at = $4
WHERE operation_id = current_operation() AND hand_over_id = $1

-- name: insert_fact
-- What happened to a hand-over, in its watch's timeline.
INSERT INTO watch_fact (operation_id, watch_id, hand_over_id, what, round, event_at, due_at, late,
                        actor)
SELECT current_operation(), w.watch_id, $2, $3, w.round, $4, $5, $6, $7 FROM watch w
WHERE w.operation_id = current_operation() AND w.watch_id = $1

-- name: face
-- A hand-over as it is shown.
SELECT face FROM hand_over_face WHERE operation_id = current_operation() AND hand_over_id = $1
