-- A step for messages that do not get out: nobody waits for the next channel while a provider is down.
-- Older code may still run: yes. It takes no step it does not know.

ALTER TABLE escalation_step DROP CONSTRAINT escalation_step_act_check;
ALTER TABLE escalation_step ADD CONSTRAINT escalation_step_act_check
  CHECK (act IN ('unsent', 'channels', 'call_down', 'alternate', 'up', 'open_branch'));

-- Both join whole populations, also in the minutes after an import, when the statistics believe in
-- a handful of people: a nested loop chosen then would take hours.
ALTER FUNCTION node_of_people(int[]) SET enable_nestloop = off;
ALTER FUNCTION audience_people(text, text[], int[], int[], int[], uuid, int)
  SET enable_nestloop = off;
