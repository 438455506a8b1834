"""The gapless stream on real PostgreSQL: order is commit order, nothing is skipped or doubled."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from server import stream
from server.db import Database
from server.stream import Draft
from tests.kernel.watching import Abort, Toy, make_toy

WRITERS = 16
Append = Callable[[Any, str], Any]

# The mechanism taken away: numbers from a sequence, which waits for no commit.
_SERIAL = """
    INSERT INTO event (operation_id, seq, kind, data)
    VALUES (current_operation(), nextval('serial'), 'note', jsonb_build_object('id', $1::text))
"""


async def append(con: Any, name: str) -> None:
    await stream.append(con, [Draft("note", {"id": name})])


async def append_serial(con: Any, name: str) -> None:
    await con.execute(_SERIAL, name)


async def write(toy: Toy, writer: int, add: Append, committed: list[str], times: int) -> None:
    for n in range(times):
        name = f"{writer}.{n}"
        try:
            async with toy.database.transaction(toy.operation_id) as con:
                await asyncio.sleep(random.choice([0, 0.001, 0.005]))
                await add(con, name)
                await asyncio.sleep(random.choice([0, 0, 0, 0.004]))
                if random.random() < 0.15:
                    raise Abort
        except Abort:
            continue
        committed.append(name)


@asynccontextmanager
async def cursor(toy: Toy, seen: list[str]) -> AsyncIterator[None]:
    """A reader that asks for what is after the last number it saw, until all have stopped."""
    stop = asyncio.Event()

    async def read() -> None:
        last, last_round = 0, False
        while not last_round:
            last_round = stop.is_set()
            async with toy.database.transaction(toy.operation_id) as con:
                events = await stream.read_after(con, last)
            seen.extend(e.data["id"] for e in events)
            last = events[-1].seq if events else last

    task = asyncio.create_task(read())
    yield
    stop.set()
    await task


async def what_a_cursor_sees(toy: Toy, add: Append, times: int) -> tuple[list[str], list[str]]:
    """The names that were committed and those a cursor saw while they were."""
    committed: list[str] = []
    seen: list[str] = []
    async with cursor(toy, seen):
        await asyncio.gather(*(write(toy, w, add, committed, times) for w in range(WRITERS)))
    return committed, seen


async def test_a_cursor_misses_nothing_under_concurrent_holds_and_aborts(toy: Toy) -> None:
    committed, seen = await what_a_cursor_sees(toy, append, 40)
    assert len(committed) > 400
    assert len(seen) == len(set(seen)), "none twice"
    assert set(seen) == set(committed)
    async with toy.database.transaction(toy.operation_id) as con:
        events = await stream.read_after(con, 0, 10_000)
        assert [e.seq for e in events] == list(range(1, await stream.head(con) + 1))


async def test_a_cursor_over_a_serial_number_loses_rows(toy: Toy) -> None:
    """The control: the same check fails when numbers don't wait for the commit before them."""
    con = await asyncpg.connect(toy.database.dsn)
    await con.execute("CREATE SEQUENCE serial; GRANT USAGE ON SEQUENCE serial TO muster_app")
    await con.close()
    committed, seen = await what_a_cursor_sees(toy, append_serial, 40)
    assert set(seen) < set(committed), "taking the head's lock away must show"


async def test_number_order_is_commit_order(toy: Toy) -> None:
    """Each writer notes, once its commit returned, the highest number seen committed before it
    began: a later number than that is what it must have got."""

    async def one() -> None:
        for _ in range(25):
            async with toy.database.transaction(toy.operation_id) as con:
                before = await stream.head(con)
            seq = await toy.say("note", 1)
            async with toy.database.transaction(toy.operation_id) as con:
                after = await stream.head(con)
                mine = await stream.read_after(con, seq - 1, 1)
            assert before < seq <= after
            assert [e.seq for e in mine] == [seq], "a number that was returned is readable"

    await asyncio.gather(*(one() for _ in range(8)))


async def test_a_snapshot_holds_a_prefix_of_the_stream(toy: Toy) -> None:
    stop = asyncio.Event()

    async def look() -> None:
        while not stop.is_set():
            async with toy.database.transaction(toy.operation_id, snapshot=True) as con:
                head = await stream.head(con)
                count = await con.fetchval("SELECT count(*) FROM event")
                assert count == head
            await asyncio.sleep(0.001)

    looking = asyncio.create_task(look())
    committed: list[str] = []
    await asyncio.gather(*(write(toy, w, append, committed, 20) for w in range(8)))
    stop.set()
    await looking


async def test_events_of_one_transaction_take_consecutive_numbers(toy: Toy) -> None:
    async def write_some(count: int) -> list[int]:
        last = await toy.say("note", *range(count))
        return list(range(last - count + 1, last + 1))

    runs = await asyncio.gather(*(write_some(random.randint(1, 9)) for _ in range(40)))
    assert sorted(n for run in runs for n in run) == list(range(1, sum(map(len, runs)) + 1))


async def test_operations_number_their_events_by_themselves(toy: Toy) -> None:
    other = await make_toy(toy.database, code="OTHER")
    assert await toy.say("note", 1, 2) == 2
    assert await other.say("note", 1) == 1
    async with other.database.transaction(other.operation_id) as con:
        assert len(await stream.read_after(con, 0)) == 1


async def test_appending_nothing_takes_no_number_and_no_lock(toy: Toy) -> None:
    async with toy.database.transaction(toy.operation_id) as con:
        assert await stream.append(con, []) == 0
        assert await asyncio.wait_for(toy.say("note", 1), 1) == 1


async def test_an_operation_that_does_not_exist_has_no_stream(pool: Database) -> None:
    async with pool.transaction(999) as con:
        with pytest.raises(LookupError):
            await stream.append(con, [Draft("note", {})])
        with pytest.raises(LookupError):
            await stream.head(con)


async def age_events(toy: Toy, days: int, *, upto: int) -> None:
    con = await asyncpg.connect(toy.database.dsn)
    await con.execute(
        "UPDATE event SET created_at = created_at - make_interval(days => $1) WHERE seq <= $2",
        days,
        upto,
    )
    await con.close()


async def kept(toy: Toy) -> list[int]:
    async with toy.database.transaction(toy.operation_id) as con:
        return [e.seq for e in await stream.read_after(con, 0, 100_000)]


async def test_old_events_are_trimmed_in_chunks_but_never_the_newest(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "TRIM_MOST", 10)
    await toy.say("note", *range(100))
    await age_events(toy, 8, upto=75)
    assert await stream.trim_events(toy.database) == 0, "the newest 100,000 stay"
    assert await stream.trim_events(toy.database, keep_newest=50) == 50
    assert await kept(toy) == list(range(51, 101))
    assert await stream.trim_events(toy.database, keep_newest=1) == 25
    assert await kept(toy) == list(range(76, 101))
    assert await toy.say("note", 1) == 101, "numbering goes on"


async def test_trimming_leaves_no_hole_where_a_clock_stepped_back(toy: Toy) -> None:
    await toy.say("note", *range(20))
    await age_events(toy, 8, upto=20)
    con = await asyncpg.connect(toy.database.dsn)
    await con.execute("UPDATE event SET created_at = now() WHERE seq = 7")
    await con.close()
    assert await stream.trim_events(toy.database, keep_newest=0) == 6
    assert await kept(toy) == list(range(7, 21))


@pytest.mark.parametrize(
    "sql",
    [stream._AFTER.replace("$1", "500").replace("$2", "200"), "SELECT min(seq) FROM event"],
    ids=["after", "oldest"],
)
async def test_readers_use_the_key_and_sort_nothing(toy: Toy, sql: str) -> None:
    await toy.say("note", *range(2000))
    con = await asyncpg.connect(toy.database.dsn)
    await con.execute("ANALYZE event")
    await con.close()
    async with toy.database.transaction(toy.operation_id) as con:
        plan = "\n".join(r[0] for r in await con.fetch(f"EXPLAIN {sql}"))
    assert "event_pkey" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan
