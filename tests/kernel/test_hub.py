"""The hub below HTTP: who is shown what, when, and what happens when things go wrong."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from server import feed as feed_module
from server import hub as hub_module
from server import sse
from server.auth import Scope
from server.errors import Unavailable
from server.hub import Hub, Kind
from server.stream import Draft, Event, append, trim_events
from tests.kernel.watching import KINDS, WHOLE, Toy, Viewer, eventually, running, watch, watching

EAST = Scope(areas=(0, 1))


@pytest.fixture
async def hub(toy: Toy) -> AsyncIterator[Hub]:
    async with running(Hub(toy.database, KINDS)) as hub:
        yield hub


async def sql(toy: Toy, statement: str) -> None:
    con = await asyncpg.connect(toy.database.dsn)
    await con.execute(statement)
    await con.close()


async def test_each_message_stands_for_the_numbers_since_the_one_before(toy: Toy, hub: Hub) -> None:
    async with watching(hub, Viewer(toy), 0) as viewer:
        for n in range(5):
            await toy.say("note", n)
            await toy.count([n])
        await viewer.until(10)
    assert viewer.kinds().count("note") == 5
    assert viewer.board == dict.fromkeys(range(5), 1)


async def test_what_commits_together_is_merged_by_key_and_panics_stay_single(
    toy: Toy, hub: Hub
) -> None:
    await toy.say("panic", 1)
    for n in (2, 2, 3):
        await toy.count([n])
    await toy.say("panic", 2)
    await toy.count([2])
    async with watching(hub, Viewer(toy), 0) as viewer:
        await viewer.until(6)
    assert [(m.kind, m.data["from"], m.id) for m in viewer.messages] == [
        ("panic", 1, 1),
        ("count", 2, 4),
        ("panic", 5, 6),
    ]
    assert viewer.messages[1].data["cells"] == [[2, 3], [3, 1]], "up to the newest, absolute"


async def test_a_panic_waits_for_no_other_message_to_be_made(toy: Toy) -> None:
    """Made side by side, told in order: here the first is ready only after the second."""
    called = asyncio.Event()

    async def slow(_: int, __: Scope, events: list[Event]) -> dict[str, int]:
        await called.wait()
        return {"seq": events[-1].seq}

    async def panic(_: int, __: Scope, events: list[Event]) -> dict[str, int]:
        called.set()
        return {"seq": events[-1].seq}

    kinds = [Kind("slow", None, False, slow), Kind("panic", None, True, panic)]
    async with running(Hub(toy.database, kinds)) as hub:
        async with toy.database.transaction(toy.operation_id) as con:
            await append(con, [Draft("slow", {}), Draft("panic", {})])
        async with watching(hub, Viewer(toy), 0) as viewer:
            await viewer.until(2)
    assert [(m.kind, m.data["from"], m.id) for m in viewer.messages] == [
        ("slow", 1, 1),
        ("panic", 2, 2),
    ]


async def test_a_scoped_viewer_sees_nothing_hidden_and_still_no_gap(toy: Toy, hub: Hub) -> None:
    async with watching(hub, Viewer(toy), 0) as whole, watching(hub, Viewer(toy, EAST), 0) as east:
        for n in range(24):
            await toy.say("note", n % 6)
        last = await toy.say("panic", 1)
        await whole.until(last)
        await east.until(last)
    assert {m.data["area"] for m in east.messages} == {0, 1}
    assert len(east.messages) == 9
    assert len(whole.messages) == 25


async def test_a_viewer_who_sees_nothing_still_learns_how_far_the_stream_is(
    toy: Toy, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "BEAT_S", 0.2)
    async with watching(hub, Viewer(toy, EAST), 0) as viewer:
        await toy.say("note", *[5] * 7)
        await asyncio.sleep(0.8)
        assert viewer.messages == []
        assert viewer.parser.comments[-1].startswith("head 7 age 0.")
        await toy.say("note", 1)
        await viewer.until(8)
    assert [(m.data["from"], m.id) for m in viewer.messages] == [(1, 8)]


async def test_without_a_position_a_viewer_begins_now(toy: Toy, hub: Hub) -> None:
    await toy.say("note", 1, 2, 3)
    async with watching(hub, Viewer(toy)) as viewer:
        assert viewer.parser.silent_id == 3, "a reconnect before the first message loses nothing"
        await toy.say("note", 4)
        await viewer.until(4)
    assert [m.id for m in viewer.messages] == [4]


async def test_a_viewer_may_begin_anywhere_while_events_pour_in(toy: Toy, hub: Hub) -> None:
    async def pour() -> None:
        for n in range(300):
            await toy.say("note", n % 8)

    async def join_late(n: int) -> None:
        await asyncio.sleep(n * 0.03)
        head, _ = await toy.snapshot()
        scope, after = (EAST if n % 3 == 0 else WHOLE), head * n // 20
        async with watching(hub, Viewer(toy, scope), after) as viewer:
            await viewer.until(298, 20)
        seen = [m.data["seq"] for m in viewer.messages]
        areas = scope.areas or range(8)
        assert seen == [i for i in range(after + 1, seen[-1] + 1) if (i - 1) % 8 in areas]

    await asyncio.gather(pour(), *(join_late(n) for n in range(20)))


async def test_urgent_events_are_sent_at_once_and_counts_four_times_a_second(
    toy: Toy, hub: Hub
) -> None:
    stop = time.monotonic() + 1.5
    delays: list[float] = []

    async def counts() -> None:
        while time.monotonic() < stop:
            await toy.count([1])
            await asyncio.sleep(0.01)

    async with watching(hub, Viewer(toy), 0) as viewer:
        await counts()
        assert 4 <= viewer.kinds().count("count") <= 8
        for _ in range(5):
            await toy.count([1])
            await asyncio.sleep(0.06)
            seq = await toy.say("panic", 1)
            hub.wake(toy.operation_id)
            said = time.monotonic()
            await viewer.until(seq)
            delays.append(time.monotonic() - said)
    assert sorted(delays)[2] < 0.2
    assert viewer.kinds().count("panic") == 5


async def test_a_slow_viewer_is_told_to_refetch_and_holds_up_nobody(
    toy: Toy, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "QUEUE_BYTES", 20_000)
    reading = asyncio.Event()
    slow = Viewer(toy)
    async with watching(hub, Viewer(toy), 0) as quick, watching(hub, slow, 0, reading=reading):
        for _ in range(12):
            await toy.say("note", 1, text="x" * 3000)
            started = time.monotonic()
            last = await toy.say("note", 1, text="y" * 3000)
            await quick.until(last)
            assert time.monotonic() - started < 1
        reading.set()
        last = await toy.say("note", 1)
        await slow.until(last)
    assert quick.resyncs == []
    assert slow.resyncs == ["slow"]
    resync = next(m for m in slow.messages if m.kind == "resync")
    assert resync.data["from"] <= resync.id
    assert slow.messages[-1].data["from"] == last, "and goes on from there without a gap"


async def test_one_message_larger_than_the_queue_still_arrives(
    toy: Toy, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "QUEUE_BYTES", 1000)
    async with watching(hub, Viewer(toy), 0) as viewer:
        await toy.say("note", 1, text="x" * 5000)
        await viewer.until(1)
    assert viewer.resyncs == []


async def test_many_large_events_are_rendered_in_bounded_chunks(
    toy: Toy, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "CHUNK_BYTES", 10_000)
    for _ in range(10):
        await toy.count([1])
        await toy.say("note", 1, text="x" * 3000)
    async with watching(hub, Viewer(toy), 0) as late:
        await late.until(20)
        last = await toy.say("note", *[2] * 30, text="y" * 2500)
        hub.wake(toy.operation_id)
        started = time.monotonic()
        await late.until(last)
        assert time.monotonic() - started < 2, "a feed that is behind does not pause"
    assert 3 <= late.kinds().count("count") <= 6, "merged within a chunk"
    assert late.kinds().count("note") == 40


async def test_a_number_from_the_future_means_another_record_so_refetch(toy: Toy, hub: Hub) -> None:
    await toy.say("note", 1, 2)
    async with watching(hub, Viewer(toy), 5000) as viewer:
        await toy.say("note", 3)
        await eventually(lambda: len(viewer.messages) == 2)
    resync, note = viewer.messages
    assert (resync.kind, resync.data["reason"]) == ("resync", "ahead")
    assert (note.id, note.data["from"]) == (3, resync.id + 1)


async def test_a_number_older_than_what_is_kept_means_refetch(toy: Toy, hub: Hub) -> None:
    await toy.say("note", *range(100))
    await sql(toy, "UPDATE event SET created_at = now() - interval '8 days'")
    await trim_events(toy.database, keep_newest=50)
    async with watching(hub, Viewer(toy), 49) as too_old, watching(hub, Viewer(toy), 50) as just:
        await too_old.until(100)
        await just.until(100)
    assert too_old.resyncs == ["old"]
    assert just.resyncs == []
    assert len(just.messages) == 50


async def test_a_record_that_jumps_back_makes_everyone_refetch(toy: Toy, hub: Hub) -> None:
    async with watching(hub, Viewer(toy), 0) as one, watching(hub, Viewer(toy, EAST), 0) as two:
        await toy.say("note", *[1] * 20)
        await one.until(20)
        await two.until(20)
        await sql(toy, "DELETE FROM event WHERE seq > 5; UPDATE stream_head SET seq = 5")
        await asyncio.sleep(0.4)
        assert await toy.say("note", 1) == 6
        await asyncio.sleep(0.5)
    assert one.resyncs == two.resyncs == ["restored"]
    assert one.last == two.last == 6


async def test_numbers_that_are_missing_from_the_record_are_said_openly(toy: Toy, hub: Hub) -> None:
    async with watching(hub, Viewer(toy), 0) as viewer:
        await sql(toy, "UPDATE stream_head SET seq = 3")
        await toy.say("note", 1)
        await viewer.until(4)
    assert viewer.resyncs == ["gap"]


async def test_a_kind_that_cannot_be_rendered_costs_a_refetch_not_the_stream(
    toy: Toy, hub: Hub
) -> None:
    async with watching(hub, Viewer(toy), 0) as viewer:
        await toy.say("broken", 1)
        await viewer.until(1)
        await toy.say("note", 2)
        await viewer.until(2)
        async with watching(hub, Viewer(toy), 0) as late:
            await late.until(2)
    assert viewer.kinds() == ["resync", "note"]
    assert late.resyncs == ["error"]


async def test_beats_stop_while_the_record_cannot_be_read_and_come_back(
    toy: Toy, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "BEAT_S", 0.1)
    monkeypatch.setattr(hub_module, "FRESH_S", 0.4)
    async with watching(hub, Viewer(toy), 0) as viewer:
        beats = viewer.parser.comments
        await asyncio.sleep(0.6)
        assert len(beats) >= 4
        await sql(toy, "ALTER FUNCTION stream_heads() RENAME TO away")
        await asyncio.sleep(0.6)
        silent_from = len(beats)
        await asyncio.sleep(0.6)
        assert len(beats) == silent_from, "no sign of life over a record that may have moved on"
        await sql(toy, "ALTER FUNCTION away() RENAME TO stream_heads")
        await asyncio.sleep(0.6)
        assert len(beats) > silent_from
        await toy.say("note", 1)
        await viewer.until(1)


async def test_a_locked_record_stops_the_beats_too(
    toy: Toy, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "BEAT_S", 0.1)
    monkeypatch.setattr(hub_module, "FRESH_S", 0.4)
    async with watching(hub, Viewer(toy), 0) as viewer:
        con = await asyncpg.connect(toy.database.dsn)
        async with con.transaction():
            await con.execute("LOCK TABLE stream_head IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(0.6)
            silent_from = len(viewer.parser.comments)
            await asyncio.sleep(0.5)
            assert len(viewer.parser.comments) == silent_from
        await con.close()
        await toy.say("note", 1)
        await viewer.until(1)


async def test_a_scope_that_changed_is_applied_and_said(
    toy: Toy, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "CHECK_S", 0.1)
    async with watching(hub, Viewer(toy), 0) as viewer:
        await toy.say("note", 5)
        await viewer.until(1)
        viewer.scope = EAST
        await asyncio.sleep(1.6)
        last = await toy.say("note", 5, 1)
        await viewer.until(last)
    assert viewer.resyncs == ["scope"]
    assert [m.data["area"] for m in viewer.messages if m.kind == "note"] == [5, 1]


async def test_two_hubs_on_one_record_tell_the_same(toy: Toy, hub: Hub) -> None:
    async with running(Hub(toy.database, KINDS)) as other:
        one, two = Viewer(toy), Viewer(toy)
        async with watching(hub, one, 0), watching(other, two, 0):
            for n in range(60):
                await toy.say("note", n % 8)
                await toy.count([n % 8])
                hub.wake(toy.operation_id)
            await one.until(119)
            await two.until(119)
            await asyncio.sleep(0.6)
    assert one.board == two.board == (await toy.snapshot())[1]
    notes = [[m.data["seq"] for m in v.messages if m.kind == "note"] for v in (one, two)]
    assert notes[0] == notes[1] == list(range(1, 120, 2))


async def test_what_nobody_watches_is_not_followed(toy: Toy, hub: Hub) -> None:
    async with watching(hub, Viewer(toy), 0), watching(hub, Viewer(toy, EAST), 0):
        (tail,) = hub._tails.values()
        assert set(tail.feeds) == {WHOLE, EAST}
    assert hub._tails == {}
    assert tail.task is not None
    await asyncio.wait([tail.task], timeout=1)
    assert tail.task.cancelled()


async def test_close_ends_every_stream_within_a_second_with_spread_hints(
    toy: Toy, hub: Hub
) -> None:
    viewers = [Viewer(toy) for _ in range(30)]
    tasks = [asyncio.create_task(watch(hub, v, None)) for v in viewers]
    await asyncio.sleep(0.3)
    started = time.monotonic()
    await hub.close()
    await asyncio.wait(tasks, timeout=1)
    assert time.monotonic() - started < 1
    assert all(t.done() for t in tasks)
    hints = {v.parser.retry for v in viewers}
    assert len(hints) > 20
    assert all(1000 <= (h or 0) <= 5000 for h in hints)
    with pytest.raises(Unavailable):
        await watch(hub, Viewer(toy), None)
