-- Trees: the score of an exercise, kept at its end; visitors of an area by index.
-- Older code may still run: yes. Exercises it ends have no score.

-- Thousands of wardens ask for the size of their branch after a reconnect.
CREATE INDEX presence_area ON presence (operation_id, area_id) WHERE area_id IS NOT NULL;

-- Never written again: what is said later does not move the history.
CREATE TABLE exercise_score (
  operation_id int NOT NULL REFERENCES operation,
  alert_id uuid NOT NULL,
  ended_at timestamptz NOT NULL,
  score jsonb NOT NULL,
  PRIMARY KEY (operation_id, alert_id),
  FOREIGN KEY (operation_id, alert_id) REFERENCES alert
);
CREATE INDEX exercise_score_newest ON exercise_score (operation_id, ended_at DESC, alert_id);
CALL guard_table('exercise_score');
REVOKE UPDATE, DELETE ON exercise_score FROM muster_app;
