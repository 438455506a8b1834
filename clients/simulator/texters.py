"""People without the app: what they do with the texts an alert sends them.

    async with SmsGateway() as gateway:
        texters = Texters(gateway, f"{server}/v1/inbound/sms/kenya", secret)
        await texters.run()           # the network reports, people answer, until cancelled

The network says after a moment what became of each text. Some people answer with the code, some
without it and again with the one they are told, some call for help, some never.
"""

import asyncio
import re
from collections import Counter
from random import Random

import aiohttp

from .sms import SmsGateway, Text, bringing

LOOK_S = 0.2
ARRIVES_S = 2.0
ANSWERS_S = 25.0
MOST_ANSWERS = 2
LOST = 0.05  # share of texts that the network never delivers
# share of people by what they answer first; the rest never do
HABITS = {"SAFE {code}": 0.62, "SAFE": 0.12, "AWAY {code}": 0.05, "HELP {code}": 0.03}
_CODE = re.compile(r"\b(?=[A-Z]*[0-9])[34679ACDEFGHJKMNPQRTUVWXY]{4,7}\b")


class Texters:
    """All who answer through one gateway. `counts`: texts, delivered, answers."""

    def __init__(
        self,
        gateway: SmsGateway,
        inbound: str,
        secret: str,
        *,
        seed: int = 0,
        time_scale: float = 1.0,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._gateway, self._inbound, self._secret = gateway, inbound, secret
        self._rng, self._scale = Random(seed), time_scale
        self._habits: dict[str, str | None] = {}
        self._answered: Counter[str] = Counter()

    async def run(self) -> None:
        """Lives until cancelled."""
        seen = 0
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as living:
            while True:
                for text in self._gateway.texts[seen:]:
                    self.counts["texts"] += 1
                    living.create_task(self._lives(session, text))
                seen = self.counts["texts"]
                await asyncio.sleep(LOOK_S)

    async def _lives(self, session: aiohttp.ClientSession, text: Text) -> None:
        """One text, from the network to the answer, if there is one."""
        await self._waits(ARRIVES_S)
        if self._rng.random() < LOST:
            await self._gateway.report(text, "failed")
            return
        await self._gateway.report(text, "delivered")
        self.counts["delivered"] += 1
        words = self._answer(text)
        if words is None:
            return
        await self._waits(ANSWERS_S)
        self.counts["answers"] += 1
        key = f"mo-{text.number}-{self.counts['answers']}"
        request = bringing(text.kind, self._inbound, self._secret, text.number, words, key)
        async with session.request(**request) as answer:
            answer.raise_for_status()

    def _answer(self, text: Text) -> str | None:
        """What she says to it. Who forgot the code uses the one she is told."""
        code = _CODE.search(text.text)
        if code is None or self._answered[text.number] >= MOST_ANSWERS:
            return None
        habit = self._habits.setdefault(text.number, self._habit())
        if habit is None or (self._answered[text.number] and habit != "SAFE"):
            return None
        self._answered[text.number] += 1
        first = self._answered[text.number] == 1
        return (habit if first else "SAFE {code}").format(code=code[0])

    def _habit(self) -> str | None:
        names = [*HABITS, None]
        shares = [*HABITS.values(), 1 - sum(HABITS.values())]
        return self._rng.choices(names, shares)[0]

    async def _waits(self, median_s: float) -> None:
        await asyncio.sleep(median_s * self._scale * self._rng.uniform(0.3, 2.0))
