"""The worker's part of satellite messages: understood, recorded, handed on, by a job of each lane.

    decide -> reports by group commit -> one transaction: help call, panic's job, state, event

A crash at any point leaves the job to come again, and what waits is understood again: its reports
have the same ids, its press too.
"""

from typing import Any
from uuid import UUID, uuid5

from server import jobs, log, stream
from server.checkin.actions import collector
from server.checkin.satellite import store
from server.checkin.satellite.actions import READ, URGENT, enqueue
from server.checkin.satellite.deciding import Decided, decide
from server.checkin.satellite.store import SQL, Holder, Later, Message
from server.checkin.sms.actions import help_draft
from server.checkin.sms.calls import Cause, raise_call, record_reports
from server.checkin.sms.verdicts import Verdict
from server.db import Database, retried
from server.errors import Unavailable
from server.jobs import Handler, Job
from server.vault import Vault

LOGGER = log.get("satellites")
RAISE = "panic.satellite"  # raises a panic, in the room of panics
HEARD = "panic.heard"  # joins what was said later to a panic, there
PAGE_DESK = "panic.stranger"  # tells the duty desk's channels of one of nobody known, there


class Understanding:
    """One worker's reading of satellite messages."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._db = database
        self._vault = vault
        self._reports = collector(database, lambda _: None)  # other processes poll the heads

    async def read(self, job: Job) -> None:
        """Understands all that waits in a lane. Raises Unavailable where some could not be.

        Of what is not urgent it takes a batch a turn: an SOS that comes meanwhile is next.
        """
        failed: list[UUID] = []
        lane = int(job.payload["lane"])
        while found := await store.waiting(self._db, job.operation_id, lane, failed):
            done = [(m.message_id, await self._one(job.operation_id, m)) for m in found]
            failed += [message_id for message_id, well in done if not well]
            if lane != URGENT and not failed:
                async with self._db.transaction(job.operation_id) as con:
                    await enqueue(con, job.operation_id, lane)
                return
        if failed:
            raise Unavailable("Some messages could not be understood just now.")

    async def _one(self, operation_id: int, message: Message) -> bool:
        """Whether a message was understood: one that is not must hold up no other."""
        try:
            await self.understand(operation_id, message)
        except Exception as error:
            LOGGER.exception("message_not_understood", message=str(message.message_id))
            # the type alone: a message may quote a row
            reason = f"again: {type(error).__name__}"
            await self._db.fetch(operation_id, SQL.put_off, message.message_id, reason)
            return False
        return True

    async def understand(self, operation_id: int, message: Message) -> None:
        """Understands one message, to the end."""
        decided = await self._decide(operation_id, message)
        verdict = decided.verdict
        args = (operation_id, verdict, message.actor)
        verdict = await record_reports(self._db, self._reports, *args)
        await finish(self._db, operation_id, message, Decided(verdict, decided.holder))

    async def _decide(self, operation_id: int, message: Message) -> Decided:
        @retried
        async def deciding() -> Decided:
            async with self._db.transaction(operation_id) as con:
                return await decide(con, message, self._vault)

        return await deciding()


def handlers(database: Database, vault: Vault) -> dict[str, Handler]:
    """The kinds of job this room runs."""
    return {READ: Understanding(database, vault).read}


@retried
async def finish(db: Database, operation_id: int, message: Message, decided: Decided) -> None:
    """One transaction: the call for help, the jobs of a panic, the place, the state, the event.

    Nothing happens where another worker was first.
    """
    verdict = decided.verdict
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.one_device, f"{operation_id} {message.imei}")
        repeated = await con.fetchval(SQL.lock_message, message.message_id)
        if repeated is None:
            return
        about = (verdict.said, verdict.person_id, verdict.alert_id, verdict.detail)
        await con.execute(SQL.mark_understood, message.message_id, verdict.state, *about)
        await _keep_place(con, message, decided)
        if verdict.help is None:
            await _heard(con, operation_id, message, decided)
        elif verdict.help.kind == "panic" and verdict.help.person_id is not None:
            await _press(con, operation_id, message, verdict)
        else:
            help_id = await _call(con, operation_id, message, verdict, repeated)
            await _heard(con, operation_id, message, decided)
            await stream.append(con, [help_draft(help_id)])


def _trusted(message: Message, decided: Decided) -> Holder | None:
    """Who was where a message came from: she who had the device, if it says where it was."""
    holder = decided.holder
    return holder if holder is not None and holder.hers and message.place is not None else None


async def _keep_place(con: Any, message: Message, decided: Decided) -> None:
    """Where she was last known to be. An SOS's place is its panic's to keep."""
    holder, place = _trusted(message, decided), message.place
    if holder is not None and place is not None and decided.verdict.said != "panic":
        where = (place.lat, place.lon, place.accuracy_m)
        await con.execute(SQL.keep_position, holder.person_id, *where, message.event_at)


async def _heard(con: Any, operation_id: int, message: Message, decided: Decided) -> None:
    """A place, or that an SOS was taken back, goes on to the room of panics."""
    holder, cancel = decided.holder, decided.verdict.said == "cancel"
    if holder is None or not holder.hers or (message.place is None and not cancel):
        return
    place = message.place or None
    where = (None, None, None) if place is None else (place.lat, place.lon, place.accuracy_m)
    later = Later(message.message_id, message.event_at, cancel, *where)
    payload = {"person_id": holder.person_id, "actor": message.actor, "items": [_item(later)]}
    await jobs.enqueue(con, operation_id, HEARD, str(message.message_id), payload, None, 0)


def _item(later: Later) -> dict[str, Any]:
    place = None if later.lat is None else (later.lat, later.lon, later.accuracy_m)
    return {
        "id": str(later.message_id),
        "at": later.at.isoformat(),
        "cancel": later.cancel,
        "place": place,
    }


async def _press(con: Any, operation_id: int, message: Message, verdict: Verdict) -> None:
    """An SOS goes on to the room of panics, by a job of the same commit, with what its device said
    after it and came before it."""
    call = verdict.help
    assert call is not None  # noqa: S101 - asked by the caller
    at = verdict.records[0].at if verdict.records else message.event_at
    place = message.place
    spot = None if place is None else (place.lat, place.lon, place.accuracy_m)
    if call.place is not None and (place is None or call.place != (place.lat, place.lon)):
        spot = (*call.place, None)  # the app's own, in what it signed
    args = (message.imei, call.person_id, at, message.message_id)
    later = [Later(*r) for r in await con.fetch(SQL.said_since, *args)]
    payload = {
        "press_id": str(uuid5(message.message_id, "panic")),
        "person_id": call.person_id,
        "actor": message.actor,
        "at": at.isoformat(),
        "verified": call.verified,
        "place": spot,
        "later": [_item(one) for one in later],
    }
    await jobs.enqueue(con, operation_id, RAISE, str(message.message_id), payload, None, 0)


async def _call(
    con: Any, operation_id: int, message: Message, verdict: Verdict, repeated: int
) -> UUID:
    """Raises or joins a call for help. A new one of a device that nobody has is told to the duty
    desk's own channels, too: no panic does that for it."""
    call = verdict.help
    assert call is not None  # noqa: S101 - asked by the caller
    made = verdict.records[0].checkin_id if verdict.records else None
    body = message.body or f"SOS, message code {message.code}"
    cause = Cause(message.sender, body, message.message_id, made, repeated)
    help_id, new = await raise_call(con, call, cause)
    if new and call.person_id is None and call.kind == "panic":
        key = str(message.message_id)
        await jobs.enqueue(con, operation_id, PAGE_DESK, key, {}, None, 0)
    return help_id
