-- name: clock
-- The database's time: steps know no other.
SELECT clock_timestamp()

-- name: snapshot
-- The tree as it is now, as far as it leads to people of the alert; node 0 is the duty desk, for
-- those whom no node answers for.
WITH RECURSIVE direct AS (
  SELECT coalesce(p.node_id, 0) AS node_id, count(*)::int AS people FROM alert_person p
  WHERE p.operation_id = current_operation() AND p.alert_id = $1 GROUP BY 1),
involved AS (
  SELECT n.node_id, n.parent_id FROM tree_node n JOIN direct d ON d.node_id = n.node_id
  UNION
  SELECT n.node_id, n.parent_id FROM involved i JOIN tree_node n ON n.node_id = i.parent_id)
INSERT INTO alert_node (operation_id, alert_id, node_id, parent_id, node, label, area_id,
                        warden_id, alternates, answer_s, people)
SELECT current_operation(), $1, n.node_id, n.parent_id, n.node, n.label, n.area_id, n.warden_id,
       ARRAY(SELECT a.person_id FROM tree_alternate a WHERE a.node_id = n.node_id ORDER BY a.rank),
       n.answer_s, coalesce(d.people, 0)
FROM involved i JOIN tree_node n ON n.node_id = i.node_id
LEFT JOIN direct d ON d.node_id = n.node_id
UNION ALL
SELECT current_operation(), $1, 0, NULL, '', '', NULL, NULL, '{}', NULL, d.people
FROM direct d WHERE d.node_id = 0
ORDER BY 3
ON CONFLICT DO NOTHING

-- name: orphans_to_desk
-- Whose node was not there any more when the tree was kept is the duty desk's own.
WITH lost AS (
  UPDATE alert_person p SET node_id = NULL
  WHERE p.operation_id = current_operation() AND p.alert_id = $1 AND p.node_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM alert_node n WHERE n.operation_id = p.operation_id
                    AND n.alert_id = p.alert_id AND n.node_id = p.node_id)
  RETURNING p.person_id)
INSERT INTO alert_node AS n (operation_id, alert_id, node_id, node, label, people)
SELECT current_operation(), $1, 0, '', '', count(*)::int FROM lost HAVING count(*) > 0
ON CONFLICT (operation_id, alert_id, node_id) DO UPDATE SET people = n.people + excluded.people

-- name: of_no_node
-- The people of an alert whom no node answers for: in a cascade nobody opens a branch for them.
SELECT person_id FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND node_id IS NULL

-- name: nodes
-- The nodes of an alert, in a fixed order.
SELECT node_id, parent_id, people, state, warden_id, alternates, answer_s, charge, passed_to
FROM alert_node WHERE operation_id = current_operation() AND alert_id = $1 ORDER BY node_id

-- name: able
-- Which of some persons can be told anything now: reached by push or text, and not away. Nobody
-- is called out of bed by an e-mail.
SELECT r.person_id FROM reach_of($1::int[], $2::text[]) r
WHERE r.reach IN ('push', 'sms')
  AND r.person_id NOT IN (SELECT e.person_id FROM expected_now() e WHERE e.area_id IS NULL)

-- name: settings
-- The policy of the operation for a severity, if it has one of its own, and its time zone.
SELECT o.timezone, p.policy FROM operation o
LEFT JOIN escalation_policy p ON p.operation_id = o.operation_id AND p.severity = $1
WHERE o.operation_id = current_operation()

-- name: policies
-- The operation's own policies.
SELECT severity, policy, updated_at, actor_name(updated_by) AS updated_by FROM escalation_policy
WHERE operation_id = current_operation()

-- name: put_policy
-- Sets the operation's policy for a severity.
INSERT INTO escalation_policy (operation_id, severity, policy, updated_by)
VALUES (current_operation(), $1, $2::text::jsonb, $3)
ON CONFLICT (operation_id, severity) DO UPDATE
SET policy = excluded.policy, updated_by = excluded.updated_by, updated_at = clock_timestamp()

-- name: drop_policy
-- Goes back to the default for a severity.
DELETE FROM escalation_policy WHERE operation_id = current_operation() AND severity = $1

-- name: alert
-- What the steps of an open alert go by; its row is held until the commit. One that older code has
-- made goes by the operation's policy, if that has one of its own.
SELECT a.severity, a.kind, a.mode, coalesce(a.policy, p.policy) AS policy, o.timezone AS zone
FROM alert a JOIN operation o ON o.operation_id = a.operation_id
LEFT JOIN escalation_policy p ON p.operation_id = a.operation_id AND p.severity = a.severity
WHERE a.operation_id = current_operation() AND a.alert_id = $1 AND a.state = 'open'
FOR NO KEY UPDATE OF a

-- name: look
-- What the next turn of an alert depends on: whether it has begun, which asked nodes have a leader
-- who was told and has answered, whether any is asked, and when the next step is due. OFFSET: one
-- index look-up a node, also before the statistics know of the alert.
WITH asked AS (
  SELECT n.node_id, EXISTS (
    SELECT FROM alert_person p
    WHERE p.operation_id = n.operation_id AND p.alert_id = n.alert_id
      AND p.person_id = (array_remove(ARRAY[n.warden_id], NULL) || n.alternates)[n.charge + 1]
      AND p.status <> 'unaccounted' OFFSET 0) AS answered
  FROM alert_node n
  WHERE n.operation_id = current_operation() AND n.alert_id = $1 AND n.state = 'asked')
SELECT clock_timestamp() AS now,
       EXISTS (SELECT FROM alert_node n WHERE n.operation_id = current_operation()
               AND n.alert_id = $1 AND n.state <> 'waiting') AS begun,
       ARRAY(SELECT node_id FROM asked WHERE answered ORDER BY node_id) AS answered,
       EXISTS (SELECT FROM asked) AS asked,
       (SELECT min(s.due_at) FROM escalation_step s WHERE s.operation_id = current_operation()
        AND s.alert_id = $1 AND s.state = 'due') AS due_at

-- name: kept_policy
-- The steps an alert goes by from its making on, whatever the operation decides later.
SELECT policy FROM alert WHERE operation_id = current_operation() AND alert_id = $1

-- name: due_steps
-- The steps that are due, the earliest first; of several at once the milder ones first.
SELECT act, node_id FROM escalation_step
WHERE operation_id = current_operation() AND alert_id = $1 AND state = 'due'
  AND due_at <= clock_timestamp()
ORDER BY due_at, node_id, array_position(
  ARRAY['unsent', 'open_branch', 'channels', 'call_down', 'alternate', 'up'], act)

-- name: put_steps
-- Writes steps; one already there is timed anew if it has not ended.
INSERT INTO escalation_step (operation_id, alert_id, act, node_id, due_at)
SELECT current_operation(), $1, u.act, u.node_id, u.due_at
FROM unnest($2::text[], $3::int[], $4::timestamptz[]) AS u (act, node_id, due_at)
ORDER BY u.act, u.node_id
ON CONFLICT (operation_id, alert_id, act, node_id) DO UPDATE SET due_at = excluded.due_at
WHERE escalation_step.state = 'due'

-- name: begin_again
-- Writes steps for somebody who came later; what had ended for want of silent people begins again.
INSERT INTO escalation_step (operation_id, alert_id, act, node_id, due_at)
SELECT current_operation(), $1, u.act, u.node_id, u.due_at
FROM unnest($2::text[], $3::int[], $4::timestamptz[]) AS u (act, node_id, due_at)
ORDER BY u.act, u.node_id
ON CONFLICT (operation_id, alert_id, act, node_id) DO UPDATE
SET due_at = excluded.due_at, state = 'due', ended_at = NULL, result = NULL
WHERE escalation_step.state <> 'due'

-- name: hasten
-- What is due later is due now, if it has not ended.
UPDATE escalation_step SET due_at = $4
WHERE operation_id = current_operation() AND alert_id = $1 AND act = $2 AND node_id = $3
  AND state = 'due'

-- name: include
-- One more in the node that answers for a person of the alert; the node itself, if the alert had
-- nobody in it before: open, unless the alert is still to begin. As `nodes`.
WITH hers AS (
  SELECT coalesce(p.node_id, 0) AS node_id FROM alert_person p
  WHERE p.operation_id = current_operation() AND p.alert_id = $1 AND p.person_id = $2),
started AS (
  SELECT EXISTS (SELECT FROM alert_node b WHERE b.operation_id = current_operation()
                 AND b.alert_id = $1 AND b.state <> 'waiting') AS yes)
INSERT INTO alert_node AS k (operation_id, alert_id, node_id, parent_id, node, label, area_id,
                             warden_id, alternates, answer_s, people, state, state_why, opened_at)
SELECT current_operation(), $1, h.node_id, n.parent_id, coalesce(n.node, ''),
       coalesce(n.label, ''), n.area_id, n.warden_id,
       ARRAY(SELECT a.person_id FROM tree_alternate a WHERE a.node_id = n.node_id ORDER BY a.rank),
       n.answer_s, 1, CASE WHEN b.yes THEN 'open' ELSE 'waiting' END,
       CASE WHEN b.yes THEN 'somebody was added to it' END,
       CASE WHEN b.yes THEN clock_timestamp() END
FROM hers h CROSS JOIN started b LEFT JOIN tree_node n ON n.node_id = h.node_id
ON CONFLICT (operation_id, alert_id, node_id) DO UPDATE SET people = k.people + 1
RETURNING k.node_id, k.parent_id, k.people, k.state, k.warden_id, k.alternates, k.answer_s, k.charge,
          k.passed_to

-- name: end_step
-- Ends a step for good, with what came of it.
UPDATE escalation_step SET state = $4, ended_at = clock_timestamp(), result = $5
WHERE operation_id = current_operation() AND alert_id = $1 AND act = $2 AND node_id = $3
  AND state = 'due'

-- name: stop_steps
-- The alert has ended: no step of it is taken any more.
UPDATE escalation_step SET state = 'stopped', ended_at = clock_timestamp(),
       result = 'the alert ended'
WHERE operation_id = current_operation() AND alert_id = $1 AND state = 'due'

-- name: silent
-- How many are silent in each node of an alert.
SELECT coalesce(node_id, 0) AS node_id, count(*)::int AS people FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND status = 'unaccounted'
GROUP BY 1

-- name: silent_people
-- Who is silent in a node. Of an advisory: whom no message has reached yet.
SELECT p.person_id FROM alert_person p
WHERE p.operation_id = current_operation() AND p.alert_id = $1
  AND coalesce(p.node_id, 0) = $2 AND p.status = 'unaccounted'
  AND ($3::boolean OR NOT EXISTS (
    SELECT FROM delivery d WHERE d.operation_id = p.operation_id AND d.alert_id = p.alert_id
      AND d.person_id = p.person_id AND (d.delivered_at IS NOT NULL OR d.seen_at IS NOT NULL)))
ORDER BY p.person_id

-- name: unsent
-- Who is silent and has pushes none of which a provider has taken: those tried in vain; all of
-- them where no push of the alert was taken for 15 s, for then the provider is down.
WITH push AS MATERIALIZED (
  SELECT d.person_id, bool_or(d.error IS NOT NULL) AS vain, max(d.accepted_at) AS taken_at
  FROM delivery d
  WHERE d.operation_id = current_operation() AND d.alert_id = $1
    AND d.channel IN ('fcm', 'webpush') AND d.purpose IN ('alert', 'remind')
  GROUP BY d.person_id)
SELECT p.person_id FROM push u
JOIN alert_person p ON p.operation_id = current_operation() AND p.alert_id = $1
  AND p.person_id = u.person_id
WHERE p.status = 'unaccounted' AND u.taken_at IS NULL
  AND (u.vain OR (SELECT coalesce(max(w.taken_at) < clock_timestamp() - interval '15 seconds', true)
                  FROM push w))
ORDER BY p.person_id

-- name: pushes_waiting
-- Whether pushes of an alert still wait to get out.
SELECT EXISTS (
  SELECT FROM delivery d
  WHERE d.operation_id = current_operation() AND d.alert_id = $1
    AND d.channel IN ('fcm', 'webpush') AND d.state IN ('queued', 'sending'))

-- name: people_of_node
-- The people of an alert directly in a node.
SELECT person_id FROM alert_person
WHERE operation_id = current_operation() AND alert_id = $1 AND coalesce(node_id, 0) = $2
ORDER BY person_id

-- name: asked_of
-- The asked nodes that a person leads.
SELECT node_id FROM alert_node
WHERE operation_id = current_operation() AND alert_id = $1 AND state = 'asked'
  AND (warden_id = $2 OR $2 = ANY (alternates))
ORDER BY node_id

-- name: ask
-- Asks whoever leads a node to open her branch; `charge` is her place among its leaders.
UPDATE alert_node SET state = 'asked', asked_at = clock_timestamp(), charge = $3
WHERE operation_id = current_operation() AND alert_id = $1 AND node_id = $2 AND state = 'waiting'

-- name: open_nodes
-- Opens branches, for good.
UPDATE alert_node SET state = $3, state_why = $4, opened_at = clock_timestamp(),
       acknowledged_at = CASE WHEN $5 THEN clock_timestamp() END
WHERE operation_id = current_operation() AND alert_id = $1 AND node_id = ANY ($2::int[])
  AND state IN ('waiting', 'asked')

-- name: charge
-- Puts a leader in charge of the silent of a node.
UPDATE alert_node SET charge = $3, charged_at = clock_timestamp()
WHERE operation_id = current_operation() AND alert_id = $1 AND node_id = $2

-- name: pass_up
-- Notes that the silent of a node were handed to the node above, or to the duty desk.
UPDATE alert_node SET passed_up_at = coalesce(passed_up_at, clock_timestamp()),
       passed_to = coalesce($3::int, passed_to),
       desk_at = CASE WHEN $3::int IS NULL THEN clock_timestamp() END
WHERE operation_id = current_operation() AND alert_id = $1 AND node_id = $2

-- name: tell
-- A word to some leaders, by push and text at once; each time a further one.
INSERT INTO delivery (operation_id, delivery_id, alert_id, person_id, channel, endpoint, round,
                      lane, purpose)
SELECT current_operation(), uuidv7(), $1, w.person_id, w.channel, w.endpoint, (
         SELECT coalesce(max(x.round) + 1, 0) FROM delivery x
         WHERE x.operation_id = current_operation() AND x.alert_id = $1
           AND x.person_id = w.person_id AND x.purpose = $4), $3, $4
FROM ways_of($2, $5) w
ORDER BY w.person_id
ON CONFLICT DO NOTHING

-- name: progress
-- The nodes of an alert with the counts of their people in sight, and what is due next.
WITH counted AS (
  SELECT coalesce(p.node_id, 0) AS node_id, count(*)::int AS people,
         count(*) FILTER (WHERE p.status = 'safe')::int AS safe,
         count(*) FILTER (WHERE p.status = 'need_help')::int AS need_help,
         count(*) FILTER (WHERE p.status = 'away')::int AS away,
         count(*) FILTER (WHERE p.status = 'unaccounted')::int AS unaccounted
  FROM alert_person p
  WHERE p.operation_id = current_operation() AND p.alert_id = $1
    AND ($2::int[] IS NULL OR p.area_id = ANY ($2))
    AND ($3::int[] IS NULL OR p.person_id = ANY ($3))
  GROUP BY 1)
SELECT n.node_id, n.parent_id, n.node, n.label, n.warden_id, n.alternates, n.state, n.state_why,
       n.asked_at, n.acknowledged_at, n.opened_at, n.charge, n.charged_at, n.passed_up_at,
       n.desk_at, coalesce(c.people, 0) AS people, coalesce(c.safe, 0) AS safe,
       coalesce(c.need_help, 0) AS need_help, coalesce(c.away, 0) AS away,
       coalesce(c.unaccounted, 0) AS unaccounted, s.act AS next_act, s.due_at AS next_at
FROM alert_node n LEFT JOIN counted c ON c.node_id = n.node_id
LEFT JOIN LATERAL (
  SELECT e.act, e.due_at FROM escalation_step e
  WHERE e.operation_id = n.operation_id AND e.alert_id = n.alert_id AND e.node_id = n.node_id
    AND e.state = 'due' AND e.act <> 'unsent' ORDER BY e.due_at LIMIT 1) s ON true
WHERE n.operation_id = current_operation() AND n.alert_id = $1
ORDER BY n.node_id

-- name: leaders
-- Who some persons are.
SELECT person_id, ref, name FROM person
WHERE operation_id = current_operation() AND person_id = ANY ($1::int[])

-- name: taken
-- The steps of an alert that ended, in the order they did.
SELECT e.act, coalesce(n.node, '') AS node, e.due_at, e.state, e.ended_at, e.result
FROM escalation_step e
LEFT JOIN alert_node n ON n.operation_id = e.operation_id AND n.alert_id = e.alert_id
  AND n.node_id = e.node_id
WHERE e.operation_id = current_operation() AND e.alert_id = $1 AND e.state <> 'due'
ORDER BY e.ended_at, e.node_id, e.act

-- name: node_of
-- A node of an alert by its name.
SELECT node_id FROM alert_node
WHERE operation_id = current_operation() AND alert_id = $1 AND node = $2

-- name: codes
-- The names of some nodes of an alert.
SELECT node FROM alert_node
WHERE operation_id = current_operation() AND alert_id = $1 AND node_id = ANY ($2::int[])
ORDER BY node
