-- A step for messages that do not get out: nobody waits for the next channel while a provider is down.
-- Older code may still run: yes. It takes no step it does not know.

ALTER TABLE escalation_step DROP CONSTRAINT escalation_step_act_check;
ALTER TABLE escalation_step ADD CONSTRAINT escalation_step_act_check
  CHECK (act IN ('unsent', 'channels', 'call_down', 'alternate', 'up', 'open_branch'));
