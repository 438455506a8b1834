"""A seeded operation behind the whole API, with hands for its watches and a worker's look at them.

Time is the database's alone, so a test moves rows, never a clock: `pass_s` makes all that is on
record so many seconds older.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from server.checkin.watches.looker import Looker
from tests.support.http import Caller, Site, site

_OLDER = """
    UPDATE watch SET counts_from = counts_from - $1::interval, due_at = due_at - $1::interval,
      turn_at = turn_at - $1::interval, said_at = said_at - $1::interval,
      reminded_at = reminded_at - $1::interval, overdue_at = overdue_at - $1::interval
"""
_OLDER_REPORTS = "UPDATE checkin SET event_at = event_at - $1::interval, at = at - $1::interval"
_NUMBER = """
    INSERT INTO contact_point (operation_id, person_id, rank, phone)
    VALUES (current_operation(), $1, 1, $2)
"""
_PUSH = """
    INSERT INTO push_address (operation_id, device_id, kind, address)
    SELECT current_operation(), device_id, 'fcm', 'sim:' || device_id FROM device
    WHERE person_id = $1
"""
_NODE = """
    INSERT INTO tree_node (operation_id, node, label, parent_id, warden_id, area_id)
    VALUES (current_operation(), $1, $1, $2, $3, $4) RETURNING node_id
"""
_ALTERNATE = """
    INSERT INTO tree_alternate (operation_id, node_id, rank, person_id)
    VALUES (current_operation(), $1, 1, $2)
"""
_TOLD = """
    SELECT d.person_id, d.channel, d.round, d.line, d.state FROM delivery d
    WHERE d.purpose = 'watch' ORDER BY d.queued_at, d.delivery_id
"""


class Watching:
    """Hands for one operation."""

    def __init__(self, here: Site, texted: tuple[str, ...]) -> None:
        self.here, self.people = here, here.station.people
        self.operation_id = here.station.operation_id
        self.looker = Looker(here.api.db, texted)

    async def sql(self, text: str, *args: Any) -> list[Any]:
        """Rows of one statement under the operation."""
        return await self.here.api.db.fetch(self.operation_id, text, *args)

    async def value(self, text: str, *args: Any) -> Any:
        """The first column of the first row."""
        rows = await self.sql(text, *args)
        return rows[0][0] if rows else None

    async def pass_s(self, seconds: float) -> None:
        """So much time goes by."""
        async with self.here.api.db.transaction(self.operation_id) as con:
            await con.execute(_OLDER, timedelta(seconds=seconds))
            await con.execute(_OLDER_REPORTS, timedelta(seconds=seconds))

    async def look(self) -> None:
        """A worker looks until nothing is due."""
        while await self.value("SELECT count(*) FROM watch WHERE turn_at <= clock_timestamp()"):
            await self.looker.turn()

    async def after(self, seconds: float) -> None:
        """So much time goes by, then a worker looks."""
        await self.pass_s(seconds)
        await self.look()

    async def phone(self, n: int, *, push: bool = True) -> Caller:
        """A phone of person n."""
        made = await self.here.phone(n)
        if push:
            await self.sql(_PUSH, self.people[n])
        return made

    async def number(self, n: int, phone: str) -> None:
        """A number of person n."""
        await self.sql(_NUMBER, self.people[n], phone)

    async def tree(self, top: int, warden: int, alternate: int, area_of: int) -> None:
        """A node for the area of a person, with a warden and an alternate, below one of another."""
        area = await self.area_id(area_of)
        above = await self.value(_NODE, "TOP", None, self.people[top], None)
        node = await self.value(_NODE, "NODE", above, self.people[warden], area)
        await self.sql(_ALTERNATE, node, self.people[alternate])

    async def area_id(self, n: int) -> int:
        """The area of person n."""
        sql = "SELECT area_id FROM person WHERE person_id = $1"
        return int(await self.value(sql, self.people[n]))

    async def begin(self, who: Caller, due_s: float = 3600, **more: Any) -> dict[str, Any]:
        """A watch, begun; as answered."""
        answer = await who.call("POST", "/v1/watches", watch(due_s, **more))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def get(self, who: Caller, key: str) -> dict[str, Any]:
        """A watch with its timeline."""
        answer = await who.call("GET", f"/v1/watches/{key}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def state(self, key: str) -> str:
        """The state of a watch on record."""
        return str(await self.value("SELECT state FROM watch WHERE watch_id = $1", key))

    async def facts(self, key: str) -> list[str]:
        """What happened to a watch, in order."""
        sql = "SELECT what FROM watch_fact WHERE watch_id = $1 ORDER BY at, fact_id"
        return [r[0] for r in await self.sql(sql, key)]

    async def report(self, who: Caller, status: str = "safe", ago_s: float = 0) -> None:
        """A check-in, made so long ago by a clock that is right."""
        now = datetime.now(UTC)
        at = (now - timedelta(seconds=ago_s)).isoformat()
        said = {"id": str(uuid4()), "status": status, "at": at, "sent_at": now.isoformat()}
        answer = await who.call("POST", "/v1/checkins", said)
        assert answer.status_code == 201, answer.text

    async def told(self) -> list[tuple[int | None, str, int]]:
        """What was queued about watches: whom, by which way, as which kind of word."""
        rows = await self.sql(_TOLD)
        place = {person: n for n, person in enumerate(self.people)}
        return [(place.get(r["person_id"]), r["channel"], r["round"]) for r in rows]

    async def events(self) -> int:
        """How many events of watches there are."""
        return int(await self.value("SELECT count(*) FROM event WHERE kind = 'watch'"))


def watch(due_s: float = 3600, **more: Any) -> dict[str, Any]:
    """The body of a journey that is due in so many seconds."""
    due = datetime.now(UTC) + timedelta(seconds=due_s)
    body = {"id": str(uuid4()), "kind": "journey", "due_at": due.isoformat(), "grace_s": 60}
    return {**body, **more}


@asynccontextmanager
async def watching(
    database: str, texted: tuple[str, ...] = ("+254", "!"), people: int = 12
) -> AsyncIterator[Watching]:
    """An operation of 12 people in four areas. `texted`: what is served beside push."""
    async with site(database, people=people) as here:
        yield Watching(here, texted)
