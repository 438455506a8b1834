-- Who was shown where a call for help was made, and why.
-- Older code may still run: yes. It shows places in lists, and notes nobody.

CREATE TABLE help_access (
  operation_id int NOT NULL REFERENCES operation,
  access_id uuid NOT NULL DEFAULT uuidv7(),
  help_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (operation_id, access_id),
  FOREIGN KEY (operation_id, help_id) REFERENCES help_call
);
CREATE INDEX help_access_call ON help_access (operation_id, help_id, access_id);
CALL guard_table('help_access');
REVOKE UPDATE, DELETE ON help_access FROM muster_app;
