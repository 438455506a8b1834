-- Import: an import of 100,000 rows tells the planner of them at once. Its own later steps need
-- that (foreign keys are checked by plans that may hold the tables for empty), and so does the
-- roll call that is opened a minute later.
-- Older code may still run: yes.

GRANT MAINTAIN ON area, agency, person, contact_point, tree_node, tree_alternate, tree_member
  TO muster_app;
