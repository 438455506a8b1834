"""Promise 6: a console misses nothing, on whichever of two servers it watches.

Two servers share one database. Phones answer on both, roll calls open and close, transactions
hold and abort at their commits, and 32 writers contend. An admin's, an area operator's and a
warden's console fold snapshot and stream, some of them cut again and again and resumed with
Last-Event-ID on either server. In the end each holds exactly what a refetch says, and the admin
has been told of every check-in.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from server import db
from server.checkin.actions import record_batch
from server.checkin.rules import Report
from server.errors import Unavailable
from tests.promises import chaos
from tests.promises.console import Console, watching
from tests.promises.crowd import Crowd, operator, phones
from tests.promises.places import LONG, seeded, serving
from tests.support.seed import Station

PEOPLE, PHONES, DIRECT = 200, 20, 12
SECONDS = 60.0 if LONG else 7.0
_BRANCH = """
    WITH node AS (
      INSERT INTO tree_node (operation_id, node, label, warden_id)
      VALUES (current_operation(), 'N1', 'Branch', $1) RETURNING node_id)
    INSERT INTO tree_member (operation_id, node_id, person_id)
    SELECT current_operation(), node_id, unnest($2::int[]) FROM node
"""
_CHECKINS = "SELECT checkin_id::text FROM checkin"
_LAST_HEADCOUNT = "SELECT data FROM event WHERE kind = 'headcount' ORDER BY seq DESC LIMIT 1"
_NEWEST = "SELECT coalesce(max(seq), 0) FROM event"


@dataclass
class Scene:
    """Two servers on one database, a crowd on both, consoles by name."""

    place: Station
    crowd: Crowd
    token: str
    consoles: list[Console]


def soon() -> float:
    """For how many seconds a shaky line holds."""
    return random.uniform(0.1, 1.0)


@asynccontextmanager
async def scene(database: str, *test_sql: str) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(seeded(database, PEOPLE))
        await place.open_rollcall()
        own, viewers = await phones(place, PHONES), await tokens(place)
        await chaos.run(database, *test_sql)
        servers = [
            await stack.enter_async_context(serving(database, role=role)) for role in ("all", "api")
        ]
        urls = [server.url for server in servers]
        crowd = await stack.enter_async_context(Crowd(urls, own))
        consoles: list[Console] = []
        for name, token in viewers.items():
            for kind, cut in (("steady", lambda: None), ("shaky", soon)):
                console = Console(random.sample(urls, 2), token, f"{name}, {kind}")
                consoles.append(await stack.enter_async_context(watching(console, cut)))
        yield Scene(place, crowd, viewers["admin"], consoles)


async def tokens(place: Station) -> dict[str, str]:
    """Viewers of the whole, of one area, and of a branch that lies across areas."""
    rows = await place.database.fetch(place.operation_id, "SELECT area_id FROM area ORDER BY code")
    warden = place.people[0]
    await place.database.fetch(place.operation_id, _BRANCH, warden, place.people[5:60:3])
    return {
        "admin": await operator(place),
        "area": await operator(place, "operator", area_id=rows[0][0]),
        "warden": await operator(place, "warden", person_id=warden),
    }


async def write_directly(place: Station, database: db.Database, until: asyncio.Event) -> None:
    """A writer with a transaction of its own for each few reports, contending for the cells."""
    while not until.is_set():
        reports = [said(person) for person in random.sample(place.people, 3)]
        with suppress(Unavailable):
            await record_batch(database, place.operation_id, reports)


def said(person_id: int, status: str | None = None) -> Report:
    status = status or random.choice(["safe", "safe", "away", "need_help"])
    return Report(uuid4(), person_id, "P", status, datetime.now(UTC), None, None, None, None, None,
                  "operator", "operator:1", b"")  # fmt: skip


async def open_and_close(scene: Scene, until: asyncio.Event) -> None:
    """Roll calls of all or some, opened by the worker, closed while answers come in."""
    while not until.is_set():
        alert_id = str(uuid4())
        audience = random.choice([{"all": True}, {"areas": ["A1", "A3"]}, {"areas": ["A2"]}])
        body = {
            "id": alert_id, "kind": "rollcall", "audience": audience, "exercise": False,
            "title": "Are you safe?", "body": "Answer.",
        }  # fmt: skip
        await insistently(scene, "/v1/alerts", body)
        await asyncio.sleep(random.uniform(0.5, 2))
        if random.random() < 0.6:
            await insistently(scene, f"/v1/alerts/{alert_id}/close")


async def insistently(scene: Scene, path: str, body: Any = None) -> None:
    """Posts until it is done; 409 says that it is not open yet."""
    async with asyncio.timeout(30):
        while True:
            status, _ = await scene.crowd.call("POST", path, scene.token, body)
            if status in (200, 201):
                return
            await asyncio.sleep(0.2)


async def contend(scene: Scene, seconds: float) -> None:
    """32 writers at once for a while: phones on both servers, and writers of their own."""
    until = asyncio.Event()
    database = db.Database(scene.place.database.dsn, DIRECT + 3)
    await database.open()
    async with scene.crowd.writing(PHONES), asyncio.TaskGroup() as group:
        for _ in range(DIRECT):
            group.create_task(write_directly(scene.place, database, until))
        group.create_task(open_and_close(scene, until))
        await asyncio.sleep(seconds)
        until.set()
    await database.close()
    await scene.crowd.settle()


async def check(scene: Scene, within_s: float = 30.0) -> None:
    """Every console holds what a refetch says; the admins were told of every check-in."""
    for console in scene.consoles:
        await console.agrees(within_s)
        assert set(console.resyncs) <= {"slow"}, (console.name, console.resyncs)
    rows = await scene.place.database.fetch(scene.place.operation_id, _CHECKINS)
    everything = {r[0] for r in rows}
    steady, shaky = scene.consoles[:2]
    for console in (steady, shaky):
        missed = everything - console.checkins.keys()
        assert not missed, f"{console.name} was never told of {len(missed)} check-ins"
    if not steady.resyncs:
        assert set(steady.checkins.values()) == {1}, "told twice on one line"


async def newest(place: Station) -> int:
    rows = await place.database.fetch(place.operation_id, _NEWEST)
    return int(rows[0][0])


async def test_consoles_on_two_servers_hold_what_a_refetch_says(database: str) -> None:
    async with scene(database, chaos.HOLDS_AND_ABORTS) as own:
        await contend(own, SECONDS)
        await check(own)
        await both_tell_the_same(own)
        for alert_id in own.consoles[0].alerts:
            kept, fresh = await own.place.cells(UUID(alert_id))
            assert kept == fresh
        told = {c.name: (c.messages.total(), c.cuts, c.resyncs) for c in own.consoles}
        print(len(own.consoles[0].checkins), "check-ins", await newest(own.place), "events", told)
        assert all(c.cuts for c in own.consoles[1::2]), "no line was ever cut"
        assert len(own.consoles[0].alerts) > 2


async def both_tell_the_same(own: Scene) -> None:
    """The same board from either server, but for its age."""
    for alert_id in own.consoles[0].alerts:
        path = f"/v1/alerts/{alert_id}/headcount"
        boards = [(await own.crowd.call("GET", path, own.token, url=u))[1] for u in own.crowd.urls]
        for board in boards:
            board.pop("as_of")
            board["cells"].sort(key=str)
        assert boards[0] == boards[1]


async def test_a_cell_that_one_left_and_another_entered_is_told_of(database: str) -> None:
    """Its count is the same as before, but not to a warden who sees only one of the two."""
    async with seeded(database, 61) as place:
        await place.open_rollcall()
        mine, other = place.people[0], place.people[60]  # of one area, agency and category
        await record(place, said(mine, "safe"))
        await record(place, said(mine, "away"), said(other, "safe"))
        rows = await place.database.fetch(place.operation_id, _LAST_HEADCOUNT)
        cells = {cell[3]: cell[4] for cell in json.loads(rows[0][0])["cells"]}
        assert cells == {"unaccounted": 0, "safe": 1, "away": 1}


async def record(place: Station, *reports: Report) -> None:
    await record_batch(place.database, place.operation_id, list(reports))
