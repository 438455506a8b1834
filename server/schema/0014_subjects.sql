-- What a delivery of no alert is about: a panic or a watch.
-- Older code may still run: yes. It sends them as it finds them.

ALTER TABLE delivery
  ADD COLUMN panic_id uuid,
  ADD COLUMN watch_id uuid,
  DROP CONSTRAINT delivery_purpose_check,
  ADD CONSTRAINT delivery_purpose_check CHECK (purpose IN
    ('alert', 'remind', 'ask', 'chase', 'reply', 'duty', 'panic', 'watch'));
CREATE INDEX delivery_panic ON delivery (operation_id, panic_id) WHERE panic_id IS NOT NULL;
CREATE INDEX delivery_watch ON delivery (operation_id, watch_id) WHERE watch_id IS NOT NULL;
