-- Reports that came after the end of their movement are found without passing all the others.
-- Older code may still run: yes.

CREATE INDEX stage_report_late ON stage_report (operation_id, movement_id) WHERE late;
