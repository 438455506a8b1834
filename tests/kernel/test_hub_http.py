"""GET /v1/stream over real HTTP: who may, from where, and how a stream ends."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from server import auth as auth_module
from server import hub as hub_module
from server.auth import digest
from server.db import Database
from tests.kernel.serving import Line, Site, follow, line, new_token, serving
from tests.kernel.watching import Toy, Viewer, eventually


@pytest.fixture
async def site(toy: Toy) -> AsyncIterator[Site]:
    async with serving(toy.database) as site:
        yield site


@pytest.fixture
async def token(toy: Toy) -> str:
    return await new_token(toy.database, toy.operation_id)


async def read_until(
    site: Site, token: str, wanted: int, query: str = "", **headers: str
) -> Viewer:
    viewer = Viewer(Toy(None, 0))  # type: ignore[arg-type]
    async with asyncio.timeout(5), line(site.port, token, query, **headers) as stream:
        while len(viewer.messages) < wanted:
            for message in viewer.parser.push(await stream.read()):
                viewer.messages.append(message)
    return viewer


async def test_the_answer_is_a_stream_that_nothing_on_its_way_may_keep(
    site: Site, token: str
) -> None:
    for method in ("GET", "HEAD"):
        async with line(site.port, token, method=method) as stream:
            assert stream.status == 200
            assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert stream.headers["cache-control"] == "no-store"
            assert stream.headers["x-accel-buffering"] == "no"
            assert stream.headers["x-content-type-options"] == "nosniff"
    await eventually(lambda: not site.hub._seats)


async def test_who_may_watch(site: Site, toy: Toy, token: str) -> None:
    for given, status in [(token, 200), (None, 401), ("wrong", 401)]:
        async with line(site.port, given) as stream:
            assert stream.status == status
    auditor = await new_token(toy.database, toy.operation_id, "auditor")
    async with line(site.port, auditor) as stream:
        assert stream.status == 200


@pytest.mark.parametrize("given", ["?after=-1", "?after=x", "?after=99999999999999999999", "?b=1"])
async def test_a_position_that_is_none_is_refused(site: Site, token: str, given: str) -> None:
    async with line(site.port, token, given) as stream:
        assert stream.status == 422


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 40, "\u00b2"])
async def test_a_last_event_id_that_is_none_is_refused(site: Site, token: str, given: str) -> None:
    async with line(site.port, token, Last_Event_ID=given) as stream:
        assert stream.status == 422


async def test_last_event_id_wins_over_the_address_it_began_with(
    site: Site, toy: Toy, token: str
) -> None:
    await toy.say("note", 1, 2, 3)
    viewer = await read_until(site, token, 2, "?after=0", Last_Event_ID="1")
    assert [m.id for m in viewer.messages] == [2, 3]
    viewer = await read_until(site, token, 3, "?after=0")
    assert [m.id for m in viewer.messages] == [1, 2, 3]


async def test_an_area_operator_sees_its_areas_only(site: Site, toy: Toy) -> None:
    con = await asyncpg.connect(toy.database.dsn)
    rows = await con.fetch(
        "INSERT INTO area (operation_id, code, name, kind) SELECT $1, n::text, '', 'zone' "
        "FROM generate_series(1, 3) n RETURNING area_id",
        toy.operation_id,
    )
    await con.close()
    areas = [r[0] for r in rows]
    own = await new_token(toy.database, toy.operation_id, area_id=areas[1])
    await toy.say("note", *areas, *areas)
    viewer = await read_until(site, own, 2, "?after=0")
    assert [(m.data["from"], m.id, m.data["area"]) for m in viewer.messages] == [
        (1, 2, areas[1]),
        (3, 5, areas[1]),
    ]


async def test_operations_never_mix(site: Site, toy: Toy, token: str) -> None:
    from tests.kernel.watching import make_toy

    other = await make_toy(toy.database, code="OTHER")
    others = await new_token(toy.database, other.operation_id)
    await other.say("note", 7)
    await toy.say("note", 1)
    mine, theirs = await asyncio.gather(
        read_until(site, token, 1, "?after=0"), read_until(site, others, 1, "?after=0")
    )
    assert [m.data["area"] for m in mine.messages] == [1]
    assert [m.data["area"] for m in theirs.messages] == [7]


async def test_a_revoked_token_ends_its_stream(
    site: Site, toy: Toy, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "CHECK_S", 0.2)
    monkeypatch.setattr(auth_module, "CACHE_S", 0.1)
    async with line(site.port, token) as stream, line(site.port, token) as another:
        con = await asyncpg.connect(toy.database.dsn)
        await con.execute(
            "UPDATE credential SET revoked_at = now() WHERE token_sha256 = $1", digest(token)
        )
        await con.close()
        async with asyncio.timeout(5):
            while await stream.read():
                pass
            while await another.read():
                pass
    async with line(site.port, token) as again:
        assert again.status == 401


async def test_a_viewer_that_leaves_frees_its_place(site: Site, token: str) -> None:
    async with line(site.port, token) as stream:
        await stream.read()
        assert len(site.hub._seats) == 1
    await eventually(lambda: not site.hub._seats)
    assert site.hub._tails == {}


async def fill(toy: Toy, megabytes: int) -> None:
    for _ in range(megabytes * 4):
        await toy.say("note", 1, text="x" * (1 << 18))


async def drain(stream: Line, last: list[bytes]) -> None:
    while data := await stream.read():
        last[:] = [data]


async def test_close_ends_streams_at_once_even_one_that_takes_nothing(
    site: Site, toy: Toy, token: str
) -> None:
    last: list[bytes] = []
    async with line(site.port, token, "?after=0"), line(site.port, token) as taken:
        draining = asyncio.create_task(drain(taken, last))
        await fill(toy, 10)
        await asyncio.sleep(0.5)
        assert len(site.hub._seats) == 2
        started = time.monotonic()
        await site.hub.close()
        await eventually(lambda: not site.hub._seats)
        await asyncio.wait_for(draining, 1)
        assert time.monotonic() - started < 1
        assert last[0].startswith(b"retry: ")
        async with line(site.port, token) as late:
            assert late.status == 503


async def test_a_connection_that_takes_nothing_is_cut(
    site: Site, toy: Toy, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "STUCK_S", 0.5)
    async with line(site.port, token, "?after=0"), line(site.port, token) as taken:
        draining = asyncio.create_task(drain(taken, []))
        await fill(toy, 10)
        await eventually(lambda: len(site.hub._seats) == 1, 8)
        await asyncio.sleep(1)
        assert len(site.hub._seats) == 1, "who does take it is left alone"
        draining.cancel()


async def test_a_stream_cannot_begin_while_the_record_is_away(
    site: Site, toy: Toy, token: str
) -> None:
    async with line(site.port, token) as stream:
        assert stream.status == 200
        await stream.read()
        con = await asyncpg.connect(toy.database.dsn)
        async with con.transaction():
            await con.execute("LOCK TABLE stream_head IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(hub_module.FRESH_S + 0.5)
            started = time.monotonic()
            async with line(site.port, token) as refused:
                assert refused.status == 503
                assert refused.headers["retry-after"] == "2"
            assert time.monotonic() - started < 5
        await con.close()


async def test_many_who_come_back_at_once_need_few_connections(
    database: str, toy: Toy, token: str
) -> None:
    small = Database(database, 5)
    await small.open()
    for _ in range(5):
        await toy.say("note", *range(8))
    viewers = [Viewer(toy) for _ in range(150)]
    async with serving(small) as site:
        following = []
        for viewer in viewers:
            viewer.last = 7
            following.append(asyncio.create_task(follow(site.port, token, viewer)))
        await asyncio.gather(*(v.until(40, 10) for v in viewers))
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
    assert {len(v.messages) for v in viewers} == {33}
    await small.close()


async def test_a_console_follows_across_a_restart(toy: Toy, token: str) -> None:
    viewer = Viewer(toy)
    await viewer.fetch()
    for _ in range(3):
        async with serving(toy.database) as site:
            following = asyncio.create_task(follow(site.port, token, viewer))
            await toy.count([1])
            await viewer.until(await toy.say("note", 1))
            await site.hub.close()
            await asyncio.wait_for(following, 2)
        await toy.count([2])
    assert viewer.board[1] == 3
