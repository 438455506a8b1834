"""Test SQL that makes the record's life hard, or takes a mechanism of it away."""

import asyncpg

# Between the last statement and the end of COMMIT: holds, and aborts that are tried again.
HOLDS_AND_ABORTS = """
    CREATE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF random() < 0.2 THEN PERFORM pg_sleep(random() * 0.02); END IF;
      IF random() < 0.05 THEN RAISE EXCEPTION 'chaos' USING ERRCODE = '40001'; END IF;
      RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER chaos AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION chaos();
"""
# The head row is gone: numbers come from a sequence, before the commit, and no writer waits for
# another. The lock makes the numbers of one transaction consecutive and is given back at once.
NUMBERS_FROM_A_SEQUENCE = """
    CREATE SEQUENCE plain;
    SELECT setval('plain', greatest(max(seq), 1)) FROM stream_head;
    ALTER TABLE stream_head RENAME TO kept_head;
    CREATE VIEW stream_head AS
      SELECT operation_id, (SELECT last_value FROM plain) AS seq FROM kept_head;
    CREATE FUNCTION draw() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE wanted bigint := NEW.seq - OLD.seq;
    BEGIN
      PERFORM pg_advisory_lock(77);
      FOR n IN 1..wanted LOOP NEW.seq := nextval('plain'); END LOOP;
      PERFORM pg_advisory_unlock(77);
      RETURN NEW;
    END $$;
    CREATE TRIGGER draw INSTEAD OF UPDATE ON stream_head FOR EACH ROW EXECUTE FUNCTION draw();
    GRANT SELECT, UPDATE ON stream_head TO muster_app, muster_definer;
"""


async def run(dsn: str, *scripts: str) -> None:
    """Runs test SQL as superuser."""
    con = await asyncpg.connect(dsn)
    try:
        for script in scripts:
            await con.execute(script)
    finally:
        await con.close()
