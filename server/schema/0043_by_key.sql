-- Cells, counts and standings are found by key also on a connection that planned for a table which
-- was all but empty: its plan stayed, and read the whole table for each cell of a grown one.
-- Older code may still run: yes. What it calls does as before.
ALTER FUNCTION move_stages(uuid[], int[], int[], text[], text[], int[])
  SET enable_seqscan = off;
ALTER FUNCTION move_counts(uuid[], uuid[], text[], int[])
  SET enable_seqscan = off;
ALTER FUNCTION move_cells(uuid[], int[], int[], text[], text[], int[])
  SET enable_seqscan = off;
ALTER FUNCTION hold_standings(uuid[], int[])
  SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off;
