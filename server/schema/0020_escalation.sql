-- An alert keeps the policy it was sent with; the silent are passed up step by step to the desk.
-- Older code may still run: yes. It goes by the operation's policy of the moment.

ALTER TABLE alert ADD COLUMN policy jsonb;        -- the steps it goes by; NULL: made by older code
ALTER TABLE alert_node ADD COLUMN passed_to int;  -- the node above that was told last
