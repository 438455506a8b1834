"""Promise 6 for the kernel: a console misses nothing. Snapshot + events == refetch.

32 writers with random holds and aborts; consoles on two processes' worth of hubs, cut every
few hundred milliseconds at any byte, also amid a flush, which come back to either of them.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import pytest

from server import feed as feed_module
from server import stream
from server.auth import Scope
from server.errors import Unavailable
from server.hub import Hub
from tests.kernel.serving import Site, follow, new_token, serving
from tests.kernel.watching import WHOLE, Abort, Toy, Viewer, eventually, some

WRITERS = 32
AREAS = 8

# The mechanism taken away: numbers that wait for no commit. The head follows, for show.
_SERIAL_APPEND = stream._APPEND.replace(
    "UPDATE stream_head SET seq = seq + cardinality($1::text[])\n"
    "      WHERE operation_id = current_operation() RETURNING seq",
    "SELECT nextval('serial') AS seq",
)
_SERIAL_HEAD = "SELECT coalesce(max(seq), 0) FROM event"


class Console(Viewer):
    """A viewer that fetches once, then only ever follows, cut by cut. `floor` is a later
    snapshot: once the console is past its number, no counter may be behind it."""

    floor: tuple[int, dict[int, int]] = (0, {})

    def push(self, data: bytes) -> None:
        super().push(data)
        seq, board = self.floor
        if self.last >= seq:
            late = {area for area, n in board.items() if self.board[area] < n}
            assert not late, f"at {self.last} it is behind the snapshot of {seq}"

    async def live_through(self, sites: list[Site], token: str, rush: "Rush") -> None:
        await self.fetch()
        while not rush.over():
            site = random.choice(sites)
            heard = len(self.messages)
            self.parser = type(self.parser)()
            following = asyncio.create_task(
                follow(site.port, token, self, piece=random.choice([50, 500, 65536]))
            )
            await asyncio.wait([following], timeout=random.uniform(0.05, 0.6))
            if not following.done():
                following.cancel()
                rush.cuts += 1
            await asyncio.gather(following, return_exceptions=True)
            if not following.cancelled():
                following.result()
            rush.heard += len(self.messages) - heard
            self.floor = await self.toy.snapshot(self.scope)

    async def follow_to_the_end(self, site: Site, token: str) -> None:
        seq, _ = await self.toy.snapshot()
        _, board = await self.toy.snapshot(self.scope)
        self.parser = type(self.parser)()
        following = asyncio.create_task(follow(site.port, token, self))
        with suppress(TimeoutError):  # a scoped console need not be told of the newest numbers
            if self.scope is WHOLE:
                await self.until(seq)
            else:
                await eventually(lambda: self.board == board)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert self.scope is not WHOLE or self.last == seq


class Rush:
    """How long it goes on: for some seconds, and until enough was written, cut and heard."""

    def __init__(self, seconds: float, writes: int = 0, cuts: int = 0, heard: int = 0) -> None:
        self._until = time.monotonic() + seconds
        self._wanted = (writes, cuts, heard)
        self.writes = self.cuts = self.heard = 0

    def over(self) -> bool:
        writes, cuts, heard = self._wanted
        enough = self.writes >= writes and self.cuts >= cuts and self.heard >= heard
        return time.monotonic() > self._until and enough


async def keep_writing(toy: Toy, sites: list[Site], rush: Rush) -> None:
    while not rush.over():
        hold = random.choice([0, 0, 0.003, 0.02])
        try:
            await toy.count(some(AREAS), hold=hold, fail=random.random() < 0.15)
        except (Abort, Unavailable):  # a busy machine: it was said openly, and comes again
            continue
        rush.writes += 1
        if random.random() < 0.5:
            random.choice(sites).hub.wake(toy.operation_id)


@asynccontextmanager
async def two_sites(toy: Toy) -> AsyncIterator[list[Site]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(toy.database)) for _ in range(2)]


async def live_through(toy: Toy, rush: Rush, scopes: list[Scope]) -> list[Console]:
    """Consoles and writers for a while; then all the consoles follow to the end."""
    consoles = [Console(toy, scope) for scope in scopes]
    tokens = {scope: await _token(toy, scope) for scope in set(scopes)}
    async with two_sites(toy) as sites:
        writers = [keep_writing(toy, sites, rush) for _ in range(WRITERS)]
        lives = [c.live_through(sites, tokens[c.scope], rush) for c in consoles]
        _, lived = await asyncio.gather(
            asyncio.gather(*writers), asyncio.gather(*lives, return_exceptions=True)
        )
        for error in filter(None, lived):
            raise error
        ends = [c.follow_to_the_end(sites[0], tokens[c.scope]) for c in consoles]
        await asyncio.gather(*ends)
    return consoles


async def _token(toy: Toy, scope: Scope) -> str:
    area_id = None
    if scope.areas is not None:
        con = await asyncpg.connect(toy.database.dsn)
        area_id = await con.fetchval(
            "INSERT INTO area (operation_id, area_id, code, name, kind) "
            "OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, '', 'zone') RETURNING area_id",
            toy.operation_id,
            scope.areas[0],
            f"A{scope.areas[0]}",
        )
        await con.close()
    return await new_token(toy.database, toy.operation_id, area_id=area_id)


def missed_nothing(consoles: list[Console], truth: dict[int, int]) -> None:
    for console in consoles:
        assert console.resyncs == [], "nothing had to be said openly"
        wanted = {a: n for a, n in truth.items() if a in console.board}
        assert console.board == wanted, "in the end it is behind the record"
        assert console.board.keys() == set(console.scope.areas or range(AREAS))


async def test_a_console_misses_nothing(toy: Toy) -> None:
    scopes = [WHOLE] * 8 + [Scope(areas=(1,))] * 3 + [Scope(areas=(5,))] * 3
    async with asyncio.timeout(300):
        rush = Rush(5, writes=500, cuts=100, heard=200)
        consoles = await live_through(toy, rush, scopes)
    missed_nothing(consoles, (await toy.snapshot())[1])


async def test_it_shows_when_numbers_do_not_wait_for_commits(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    con = await asyncpg.connect(toy.database.dsn)
    await con.execute("CREATE SEQUENCE serial; GRANT USAGE ON SEQUENCE serial TO muster_app")
    await con.execute(
        "CREATE OR REPLACE FUNCTION stream_heads() RETURNS TABLE (operation_id int, seq bigint) "
        "LANGUAGE sql AS 'SELECT operation_id, max(seq) FROM event GROUP BY 1'"
    )
    await con.execute("GRANT SELECT ON event TO muster_definer")
    await con.close()
    monkeypatch.setattr(stream, "_APPEND", _SERIAL_APPEND)
    monkeypatch.setattr(stream, "_HEAD", _SERIAL_HEAD)
    with pytest.raises(AssertionError, match="behind"):
        missed_nothing(await live_through(toy, Rush(2), [WHOLE] * 6), (await toy.snapshot())[1])


async def test_it_shows_when_a_join_skips_what_it_missed(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without catching up, a viewer would be seated where its feed is."""

    monkeypatch.setattr(Hub, "_catch_up", lambda self, watcher, feed: _skip(watcher, feed))
    with pytest.raises(AssertionError, match="behind"):
        missed_nothing(await live_through(toy, Rush(2), [WHOLE] * 6), (await toy.snapshot())[1])


async def _skip(watcher: object, feed: object) -> bytes:
    watcher.seen = feed.at  # type: ignore[attr-defined]
    return b""


async def test_it_shows_when_merged_events_lose_their_last(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the newest event of a merged group, counts lag behind for good."""
    whole_plan = feed_module.plan

    def short(events: object, keys: object) -> object:
        groups = whole_plan(events, keys)  # type: ignore[arg-type]
        return [
            feed_module.Group(g.first, g.last, g.kind, g.events[:-1] or g.events) for g in groups
        ]

    monkeypatch.setattr(feed_module, "plan", short)
    with pytest.raises(AssertionError, match="behind"):
        missed_nothing(await live_through(toy, Rush(2), [WHOLE] * 6), (await toy.snapshot())[1])
