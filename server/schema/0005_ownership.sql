-- Functions that look across operations belong to the role nobody can log in as.
-- Older code may still run: none (first version).

ALTER FUNCTION find_operation(text) OWNER TO muster_definer;
ALTER FUNCTION list_operations() OWNER TO muster_definer;
ALTER FUNCTION add_operation(text, text, text, text) OWNER TO muster_definer;
ALTER FUNCTION stream_heads() OWNER TO muster_definer;
ALTER FUNCTION jobs_overdue_s() OWNER TO muster_definer;
ALTER FUNCTION claim_jobs(text[], int, interval) OWNER TO muster_definer;
ALTER FUNCTION operation_of_enrolment(bytea) OWNER TO muster_definer;
ALTER FUNCTION principals(bytea[]) OWNER TO muster_definer;
ALTER FUNCTION claim_deliveries(text[], int, interval) OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;
REVOKE EXECUTE ON FUNCTION add_operation(text, text, text, text) FROM PUBLIC;
