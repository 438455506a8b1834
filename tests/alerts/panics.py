"""What tests of panics share: a site with a tree over it, and its people's phones and desks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from server import jobs
from server.alerts import jobs as alert_jobs
from server.alerts.panics.press import Press
from server.alerts.panics.pressing import Caller as Presser
from server.alerts.panics.pressing import press
from tests.support.http import Caller, Site, site

SERVED = ("+254", "!")
_TREE = """
    WITH top AS (INSERT INTO tree_node (operation_id, node, label, warden_id)
      VALUES (current_operation(), 'TOP', 'Top', $1) RETURNING node_id),
    low AS (INSERT INTO tree_node (operation_id, node, label, warden_id, parent_id)
      SELECT current_operation(), 'LOW', 'Low', $2, node_id FROM top RETURNING node_id),
    deputy AS (INSERT INTO tree_alternate (operation_id, node_id, rank, person_id)
      SELECT current_operation(), node_id, 1, $3 FROM low)
    INSERT INTO tree_member (operation_id, node_id, person_id)
    SELECT current_operation(), node_id, m FROM low, unnest($4::int[]) m
"""
_PUSH = """
    INSERT INTO push_address (operation_id, device_id, kind, address)
    SELECT current_operation(), device_id, 'fcm', 'token-' || device_id FROM device
"""
_NUMBERS = """
    INSERT INTO contact_point (operation_id, person_id, rank, phone)
    SELECT current_operation(), p, 1, '+25471000' || p FROM unnest($1::int[]) p
"""
EARLIER = """
    WITH late AS (UPDATE panic SET realert_at = realert_at - $1 * interval '1 second',
                                   received_at = received_at - $1 * interval '1 second')
    UPDATE job SET due_at = due_at - $1 * interval '1 second' WHERE kind = 'panic.realert'
"""


@dataclass
class Scene:
    """Person 0 leads the top; 1 leads LOW with 2 as alternate; 3 to 9 are of LOW. A desk."""

    site: Site
    desk: Caller
    phones: dict[int, Caller]

    async def sql(self, text: str, *args: Any) -> list[Any]:
        """Rows of one statement under the operation."""
        return await self.site.api.db.fetch(self.site.station.operation_id, text, *args)

    async def value(self, text: str, *args: Any) -> Any:
        """The first column of the first row."""
        rows = await self.sql(text, *args)
        return rows[0][0] if rows else None

    async def phone(self, n: int) -> Caller:
        """The phone of person n, one for each."""
        if n not in self.phones:
            self.phones[n] = await self.site.phone(n)
        return self.phones[n]

    async def press(self, n: int, **body: Any) -> dict[str, Any]:
        """A press that must be taken; its answer with the status."""
        said = {"id": str(uuid4()), "at": datetime.now(UTC).isoformat(), **body}
        answer = await (await self.phone(n)).call("POST", "/v1/panics", said)
        assert answer.status_code in (200, 201), answer.text
        return {**answer.json(), "status": answer.status_code}

    async def text(self, n: int) -> str:
        """A panic by a text that nothing vouches for; its id."""
        caller = Presser(self.site.station.people[n], "sms:x", "sms", verified=False)
        args = (self.site.station.operation_id, caller, [Press(press_id=uuid4())], SERVED)
        [done] = await press(self.site.api.db, *args)
        return str(done.panic_id)

    async def act(
        self, panic_id: Any, verb: str, body: Any = None, by: Caller | None = None
    ) -> Any:
        """One call about a panic, by the desk unless told otherwise."""
        return await (by or self.desk).call("POST", f"/v1/panics/{panic_id}/{verb}", body)

    async def get(self, panic_id: Any, query: str = "", by: Caller | None = None) -> Any:
        """A panic as somebody reads it."""
        return await (by or self.desk).call("GET", f"/v1/panics/{panic_id}{query}")

    async def work(self) -> None:
        """Runs every job that is due."""
        runner = jobs.Runner(self.site.api.db, alert_jobs.handlers(self.site.api.db, SERVED))
        while await runner.turn():
            pass

    async def later(self, seconds: float) -> None:
        """Lets re-alerts become due as if so much time had passed, and runs them."""
        await self.sql(EARLIER, seconds)
        await self.work()

    async def status(self, n: int, alert_id: UUID) -> str:
        """Where person n stands in an alert."""
        return await self.value(
            "SELECT status FROM alert_person WHERE person_id = $1 AND alert_id = $2",
            self.site.station.people[n],
            alert_id,
        )

    async def told(self) -> list[tuple[Any, ...]]:
        """Deliveries about panics: (round, channel, person number or None)."""
        people = self.site.station.people
        rows = await self.sql(
            "SELECT round, channel, person_id FROM delivery WHERE panic_id IS NOT NULL"
        )
        return sorted((r[0], r[1], -1 if r[2] is None else people.index(r[2])) for r in rows)


@asynccontextmanager
async def scene(database: str, **settings: Any) -> AsyncIterator[Scene]:
    """A site with a tree, phones for leaders, numbers for all, SMS and a duty channel served."""
    more: dict[str, Any] = {
        "duty_urls": "json://127.0.0.1:9", "sms_url": "http://127.0.0.1:9/cgi-bin/sendsms",
        "sms_username": "u", "sms_password": "p", "sms_sender": "+254700000000", **settings,
    }  # fmt: skip
    async with site(database, people=20, **more) as here:
        made = Scene(here, await here.operator(), {})
        people = here.station.people
        await made.sql(_TREE, people[0], people[1], people[2], people[3:10])
        await made.sql(_NUMBERS, people)
        for n in (0, 1, 2):
            await made.phone(n)
        await made.sql(_PUSH)
        yield made
