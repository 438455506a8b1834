-- Whether a number said something else meanwhile: only else is the same content a repeat.
-- Older code may still run: yes. It does not ask.

CREATE INDEX inbound_sender ON inbound_sms (operation_id, sender, received_at);
