"""What goes on beside a roll call: one calls for help, others are on the road, a roll is called.

    async with Api(server) as api:
        await Field(api, operator_token, phones).run()   # until cancelled

`phones` are enrolled. The first presses her panic and walks on until its end; the second's journey
is over in time; the third's is forgotten; all of them are on a radio room's roll.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .api import Api
from .phone import Location, Phone

START = Location(-1.2921, 36.8219, 25.0)
STEP = 0.0004  # degrees between two fixes: some 45 m
FIX_S = 5.0
PRESSES_AFTER_S = 20.0
JOURNEYS_S = (40.0, 60.0)
GRACE_S = 10


class Field:
    """A few people's evening. `counts`: panics, fixes, journeys, arrived."""

    def __init__(
        self, api: Api, operator_token: str, phones: Sequence[Phone], time_scale: float = 1.0
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._api, self._desk, self._phones, self._scale = api, operator_token, phones, time_scale

    async def run(self) -> None:
        """Ends when the panic has been ended by the desk, and the journey in time is over."""
        presser, traveller, forgetful = self._phones[:3]
        await self._roll()
        async with asyncio.TaskGroup() as living:
            living.create_task(self._journey(traveller, JOURNEYS_S[0], arrives=True))
            living.create_task(self._journey(forgetful, JOURNEYS_S[1], arrives=False))
            living.create_task(self._panic(presser))

    async def _roll(self) -> None:
        due = self._in(600.0)
        refs = [phone.ref for phone in self._phones]
        body = {"id": self._phones[0].new_id(), "due_at": due, "people": refs,
                "callsigns": ["KILO 1", "KILO 2"], "note": "Evening roll"}  # fmt: skip
        await self._api.call("POST", "/v1/radio-checks", self._desk, lambda: body)

    async def _journey(self, phone: Phone, seconds: float, *, arrives: bool) -> None:
        """A journey of so many seconds, whose traveller says at its end that she is there, or
        forgets to."""
        key = phone.new_id()
        body = {"id": key, "kind": "journey", "due_at": self._in(seconds), "grace_s": GRACE_S,
                "route": "Airport road, then north", "vehicle": "White pickup"}  # fmt: skip
        await self._say(phone, "/v1/watches", body)
        self.counts["journeys"] += 1
        if arrives:
            await self._pause(seconds * 0.9)
            await self._say(phone, f"/v1/watches/{key}/done", {"id": phone.new_id()})
            self.counts["arrived"] += 1

    async def _panic(self, phone: Phone) -> None:
        """A press, and where she is until the server wants no more of it."""
        await self._pause(PRESSES_AFTER_S)
        panic = await phone.panic(location=START)
        self.counts["panics"] += 1
        more, n = True, 0
        while more:
            await self._pause(FIX_S)
            n += 1
            fix = {"id": phone.new_id(), "at": phone.now(), "lat": START.lat + n * STEP,
                   "lon": START.lon + n * STEP / 2, "accuracy": 15.0}  # fmt: skip
            path = f"/v1/panics/{panic['panic_id']}/positions"
            more = (await self._say(phone, path, {"items": [fix]}))["more"]
            self.counts["fixes"] += 1

    async def _say(self, phone: Phone, path: str, body: dict[str, Any]) -> Any:
        return await self._api.call("POST", path, phone.token, lambda: body, phone.rng)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._scale)

    def _in(self, seconds: float) -> str:
        return (datetime.now(UTC) + timedelta(seconds=seconds * self._scale)).isoformat()
