"""The jobs of panics: counted in, told again and nearby, raised by a text or under duress."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.alerts.panics import counting, heard, nearby, pins, telling
from server.alerts.panics.press import Place, Press
from server.alerts.panics.pressing import Caller, press
from server.db import Database
from server.jobs import Handler, Job


class Texted(msgspec.Struct, frozen=True):
    """A panic that came by text, as the reading of texts hands it on (kind `panic.raise`)."""

    press_id: UUID
    person_id: int
    actor: str
    at: datetime
    verified: bool
    place: tuple[float, float] | None = None


class PanicJobs:
    """Handlers over one database; each may run twice, for a lease can expire."""

    def __init__(self, database: Database, served: Sequence[str]) -> None:
        self._db = database
        self._served = served

    async def count(self, job: Job) -> None:
        """Makes a panic's person need_help."""
        await counting.count_in(self._db, job.operation_id, _about(job))

    async def realert(self, job: Job) -> None:
        """Tells of a panic again, if nobody has it."""
        await telling.realert(self._db, job.operation_id, _about(job), self._served)

    async def nearby(self, job: Job) -> None:
        """Tells colleagues who are near."""
        await nearby.look(self._db, job.operation_id, _about(job), list(self._served))

    async def raise_by_text(self, job: Job) -> None:
        """Raises or joins what came by text."""
        told = msgspec.convert(job.payload, Texted, strict=False)
        caller = Caller(told.person_id, told.actor, "sms", told.verified)
        place = None if told.place is None else Place(*told.place)
        one = Press(press_id=told.press_id, at=told.at, place=place)
        await press(self._db, job.operation_id, caller, [one], self._served)

    async def pin_given(self, job: Job) -> None:
        """Raises a silent panic where a PIN was the one for duress."""
        told: dict[str, Any] = job.payload
        if not told["duress"]:
            return
        caller = Caller(told["person_id"], told["actor"], "app", duress=True, after=told["after"])
        one = Press(press_id=UUID(told["press_id"]), covert=True)
        await press(self._db, job.operation_id, caller, [one], self._served)


def _about(job: Job) -> UUID:
    return UUID(job.payload["panic_id"])


def handlers(database: Database, served: Sequence[str]) -> dict[str, Handler]:
    """The kinds of job this room runs."""
    own = PanicJobs(database, served)
    return {
        counting.COUNT: own.count,
        telling.REALERT: own.realert,
        nearby.NEARBY: own.nearby,
        "panic.raise": own.raise_by_text,
        pins.SETTLE: own.pin_given,
        **heard.handlers(database, served),
    }
