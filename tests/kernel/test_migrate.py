"""Steps of the schema: each once, never onto a newer version's database, never holding calls up."""

import asyncio

import asyncpg
import pytest

from server import db


async def note(dsn: str, name: str, older_runs: bool) -> None:
    con = await asyncpg.connect(dsn)
    await con.execute("INSERT INTO migration VALUES ($1, now(), $2)", name, older_runs)
    await con.close()


async def test_a_second_run_does_nothing(database: str) -> None:
    assert await db.migrate(database) == []


async def test_older_code_lives_with_a_step_that_allows_it(database: str) -> None:
    await note(database, "9998_harmless", older_runs=True)
    assert await db.migrate(database) == []


async def test_older_code_refuses_a_step_that_does_not(database: str) -> None:
    await note(database, "9999_breaking", older_runs=False)
    with pytest.raises(db.SchemaTooNew, match="9999_breaking"):
        await db.migrate(database)


async def test_each_step_says_whether_older_code_lives_with_it(database: str) -> None:
    con = await asyncpg.connect(database)
    told = dict(await con.fetch("SELECT name, older_runs FROM migration"))
    await con.close()
    assert told["0001_kernel"] is False
    assert told["0009_trees"] is True
    for file in db.SCHEMA.glob("[0-9]*.sql"):
        assert "-- Older code may still run: " in file.read_text(), file.name


def test_each_step_has_a_number_of_its_own() -> None:
    numbers = [file.name[:4] for file in db.SCHEMA.glob("[0-9]*.sql")]
    assert len(numbers) == len(set(numbers))


async def test_a_step_waits_shortly_for_its_locks_and_comes_again(
    database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """While a report holds the table, the step gives way; it is made once the report is done."""
    folder = db.SCHEMA.__class__(str(tmp_path))
    (folder / "9000_column.sql").write_text("ALTER TABLE person ADD COLUMN x int;")
    monkeypatch.setattr(db, "SCHEMA", folder)
    con = await asyncpg.connect(database)
    await con.execute("UPDATE migration SET older_runs = true")
    busy = con.transaction()
    await busy.start()
    await con.execute("LOCK TABLE person IN ROW EXCLUSIVE MODE")
    making = asyncio.create_task(db.migrate(database))
    await asyncio.sleep(3.5)
    assert not making.done()
    waiting = (
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE NOT l.granted AND d.datname = current_database()"
    )
    await busy.rollback()
    assert await making == ["9000_column"]
    assert await con.fetchval(waiting) == 0
    await con.close()
