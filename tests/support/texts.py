"""Texts that come in: gateways bring them to the whole API, a worker's reading understands them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from clients.simulator.sms import bringing
from server.checkin.sms import signed
from server.checkin.sms.understanding import Understanding
from server.vault import open_vault
from tests.support.http import Caller, Site, settings, site

SITE = "https://muster.example.org"
SECRET = "reports"
OWN = "+4670"
KINDS = ("kannel", "twilio", "africastalking", "android")
_FAMILY = "UPDATE person SET category = 'family', sponsor_id = $1 WHERE person_id = ANY ($2)"
_NUMBER = """
    INSERT INTO contact_point (operation_id, person_id, rank, phone)
    VALUES (current_operation(), $1, $2, $3)
"""
_DEVICE = """
    INSERT INTO device (operation_id, device_id, person_id, platform, sms_id5, sms_key)
    VALUES (current_operation(), $1, $2, 'sim', $3, $4)
"""
_STATUS = "SELECT status FROM alert_person WHERE alert_id = $1 AND person_id = $2"


def routes(kinds: Sequence[str] = KINDS, **more: Any) -> str:
    """A route of each kind, named as its kind, all with one secret."""
    return json.dumps([
        {"name": kind, "kind": kind, "url": "http://127.0.0.1:9", "sender": OWN,
         "report_secret": SECRET, "prefixes": ["+254"], **more}
        for kind in kinds
    ])  # fmt: skip


class App:
    """The signing side of a phone's app: what it texts when there is no network."""

    def __init__(self, id5: str, key: bytes) -> None:
        self.id5, self.key = id5, key
        self._counter = 0

    def text(self, letter: Any, at: datetime | None = None, place: str = "") -> str:
        """The next signed text."""
        self._counter += 1
        when = at or datetime.now(UTC)
        return signed.write(self.key, self.id5, self._counter, when, letter, place)


class Texting:
    """A seeded operation with SMS routes, and hands for all that a test does to it."""

    def __init__(self, here: Site, **changes: Any) -> None:
        self.here = here
        self.people = here.station.people
        self.operation_id = here.station.operation_id
        self.reading = Understanding(here.api.db, open_vault(settings(**changes)), [OWN])

    async def sql(self, text: str, *args: Any) -> list[Any]:
        """Rows of one statement under the operation."""
        return await self.here.api.db.fetch(self.operation_id, text, *args)

    async def value(self, text: str, *args: Any) -> Any:
        """The first column of the first row."""
        rows = await self.sql(text, *args)
        return rows[0][0] if rows else None

    async def number(self, n: int, phone: str, rank: int = 1) -> None:
        """A number of person n."""
        await self.sql(_NUMBER, self.people[n], rank, phone)

    async def family(self, sponsor: int, *members: int) -> None:
        """Makes people the family of another."""
        await self.sql(_FAMILY, self.people[sponsor], [self.people[m] for m in members])

    async def app(self, n: int, id5: str | None = None) -> App:
        """A phone with the app, of person n."""
        device, key = uuid4(), uuid4().bytes + b"more"
        made = App(id5 or f"Z{n:04d}", key)
        sealed = open_vault(settings()).seal(key, str(device))
        await self.sql(_DEVICE, device, self.people[n], made.id5, sealed)
        return made

    async def code(self, alert_id: UUID, n: int) -> str:
        """The code of person n in an alert."""
        await self.sql("SELECT give_codes($1, $2)", alert_id, [self.people[n]])
        sql = "SELECT code FROM answer_code WHERE alert_id = $1 AND person_id = $2"
        return str(await self.value(sql, alert_id, self.people[n]))

    async def bring(
        self, sender: str, words: str, kind: str = "kannel", key: str = "", **more: Any
    ) -> httpx.Response:
        """A gateway brings a text, again where it is told to; the answer to it."""
        url = more.pop("url", f"{SITE}/v1/inbound/sms/{kind}")
        secret = more.pop("secret", SECRET)
        request = bringing(kind, url, secret, sender, words, key or str(uuid4()), **more)
        body = request.pop("data", None)
        form = "data" if isinstance(body, dict) else "content"
        for _ in range(20):
            answer = await self.here.client.request(**request, **{form: body})
            if answer.status_code != 503:
                break
        return answer

    async def understand(self) -> None:
        """Reads all that came in."""
        while await self.value("SELECT count(*) FROM inbound_sms WHERE state = 'received'"):
            await self.reading.turn()

    async def text(self, sender: str, words: str, **more: Any) -> dict[str, Any]:
        """Brings one text and reads it; its row."""
        answer = await self.bring(sender, words, **more)
        assert answer.status_code == 200, answer.text
        await self.understand()
        rows = await self.sql("SELECT * FROM inbound_sms ORDER BY received_at DESC LIMIT 1")
        return dict(rows[0])

    async def status(self, alert_id: UUID, n: int) -> str:
        """The standing answer of person n in an alert."""
        return str(await self.value(_STATUS, alert_id, self.people[n]))

    async def replies(self) -> list[str]:
        """What senders were answered, in order."""
        rows = await self.sql(
            "SELECT line FROM delivery WHERE purpose = 'reply' ORDER BY queued_at"
        )
        return [r["line"] for r in rows]

    async def calls(self) -> list[dict[str, Any]]:
        """The calls for help, in order."""
        return [dict(r) for r in await self.sql("SELECT * FROM help_call ORDER BY raised_at")]

    async def desk(self, role: str = "admin", **more: Any) -> Caller:
        """An operator."""
        return await self.here.operator(role, **more)


@asynccontextmanager
async def texting(
    database: str, people: int = 40, kinds: Sequence[str] = KINDS, **more: Any
) -> AsyncIterator[Texting]:
    """The API with routes over a seeded operation."""
    changes = {"sms_routes": routes(kinds, **more), "public_url": SITE}
    async with site(database, people=people, **changes) as here:
        yield Texting(here)
