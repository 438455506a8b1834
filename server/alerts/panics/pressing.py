"""Pressing: one transaction, whatever else goes on.

    press -> panic, facts, position, deliveries, jobs, event -> commit -> answer

A further press of the same person joins what is open. The presses of one person that come while
hers are being written go together, so that no phone, however it is pressed, takes another's turn.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec

from server import stream
from server.alerts.panics import counting, nearby, rules, store, telling
from server.alerts.panics.press import Press
from server.alerts.panics.rules import Kind
from server.alerts.panics.store import SQL, Begun, Known, Live, Stamp
from server.batch import Batcher
from server.clock import corrected
from server.db import Database, confirm, retried
from server.jobs import Draft, enqueue_all

MOST = 100  # presses a transaction


class Caller(msgspec.Struct, frozen=True):
    """Whose panic it is, who presses, by what, and what vouches for it."""

    person_id: int
    actor: str
    source: str
    verified: bool = True
    duress: bool = False
    after: str | None = None  # the panic that was taken back under duress


class Pressed(msgspec.Struct, frozen=True):
    """What a press came to. `made`: this request put it on record."""

    panic_id: UUID
    state: str
    merged: bool
    ignored: list[str]
    made: bool


class Pad:
    """The presses of all persons: one transaction at a time for each of them."""

    def __init__(
        self, database: Database, served: Sequence[str], wake: Callable[[int], None]
    ) -> None:
        self._db = database
        self._served = served
        self._wake = wake
        self._persons: dict[tuple[int, Caller], Batcher[Press, Pressed]] = {}

    async def press(self, operation_id: int, caller: Caller, one: Press) -> Pressed:
        """Returns when the press is durable. Raises Unavailable where that is not sure."""
        key = (operation_id, caller)
        batcher = self._persons.get(key)
        if batcher is None:
            run = partial(self._run, operation_id, caller)
            batcher = Batcher(run, name="presses of one person", most=MOST)
            self._persons[key] = batcher
        try:
            return await batcher.submit(one)
        finally:
            if batcher.resting and self._persons.get(key) is batcher:
                del self._persons[key]

    async def _run(
        self, operation_id: int, caller: Caller, presses: Sequence[Press]
    ) -> list[Pressed]:
        done = await press(self._db, operation_id, caller, presses, self._served)
        self._wake(operation_id)
        return done


@retried
async def press(
    db: Database,
    operation_id: int,
    caller: Caller,
    presses: Sequence[Press],
    served: Sequence[str],
) -> list[Pressed]:
    """One transaction: panic, presses, facts, positions, deliveries, jobs, event.

    One answer a press, in order. Raises Unavailable; nothing else ever refuses a press.
    """
    async with db.transaction(operation_id, lane="panic") as con:
        ids = list({p.press_id for p in presses})
        begun = await store.begin(con, caller.person_id, ids, caller.duress)
        work = _Pressing(con, operation_id, caller, begun, served)
        return await work.take(presses)


class _Pressing:
    """One person's presses in one transaction, in as few round trips as can be: while a server is
    busy, each waits its turn."""

    def __init__(
        self, con: Any, operation_id: int, caller: Caller, begun: Begun, served: Sequence[str]
    ) -> None:
        self._con = con
        self._operation_id = operation_id
        self._caller = msgspec.structs.replace(caller, person_id=begun.person_id)
        self._begun = begun
        self._moment = begun.moment
        self._served = served
        self._jobs: list[Draft] = []

    async def take(self, presses: Sequence[Press]) -> list[Pressed]:
        """Repeats are answered as they were; of the others the first raises or joins."""
        known = self._begun.known
        first: dict[UUID, Press] = {}
        own = [self._renamed(p, known) for p in presses]
        for p in own:
            if p.press_id not in known:
                first.setdefault(p.press_id, p)
        answers = {key: _said(row) for key, row in known.items()}
        if first:
            answers |= await self._record(list(first.values()))
        else:
            await confirm(self._con)
        seen: set[UUID] = set()
        return [_once(answers[p.press_id], p.press_id, seen) for p in own]

    def _renamed(self, one: Press, known: dict[UUID, Known]) -> Press:
        """A press whose id is somebody else's gets another: it is never refused."""
        found = known.get(one.press_id)
        if found is None or found.person_id == self._caller.person_id:
            return one
        return one.but("id", press_id=uuid4())

    async def _record(self, presses: list[Press]) -> dict[UUID, Pressed]:
        """Writes new presses; what each is answered."""
        caller, found = self._caller, self._begun.live
        panic_id = presses[0].press_id if found is None else found.panic_id
        covert = caller.duress or all(p.covert for p in presses)
        if found is None:
            kind, was, told = Kind(covert, caller.duress, caller.verified), None, True
            await self._raise(presses[0], kind, len(presses))
        else:
            was, kind = found.kind, _joined(found, caller, covert)
            told = await self._join(found, kind, len(presses))
        state = "open" if found is None else found.state
        answers = await self._presses(panic_id, state, presses, found is None)
        placed = await self._positions(panic_id, presses)
        await self._tell(panic_id, kind, was)
        if self._jobs:
            await enqueue_all(self._con, self._operation_id, self._jobs)
        if kind.counts and (placed or not (was is None or was.counts)):
            await nearby.enqueue(self._con, self._operation_id, panic_id)
        if told or placed:
            what = "raised" if found is None else "pressed_again"
            await stream.append(self._con, [store.draft(panic_id, what)])
        return answers

    async def _raise(self, one: Press, kind: Kind, presses: int) -> None:
        """The panic itself, and the job that tells of it again."""
        caller, times = self._caller, self._times(one)
        after = rules.due_after(1)
        about = (caller.source, kind.covert, kind.duress, kind.verified, caller.actor)
        stamps = (times.at, times.event_at, times.received_at, after, presses)
        detail = {"source": caller.source, "battery": one.battery, "after": caller.after}
        said = msgspec.json.encode({k: v for k, v in detail.items() if v is not None}).decode()
        args = (one.press_id, caller.person_id, *about, *stamps, said)
        await self._con.execute(SQL.insert_panic, *args)
        self._jobs.append(telling.job(one.press_id, self._moment + after))

    async def _join(self, found: Live, kind: Kind, presses: int) -> bool:
        """Counts further presses; whether consoles are told: at once where it matters, else not
        all the time."""
        lately = (self._moment - found.told_at).total_seconds() < rules.AGAIN_S
        told = kind != found.kind or not lately
        about = (kind.covert, kind.verified, told, self._moment, self._caller.actor)
        await self._con.execute(SQL.join_panic, found.panic_id, presses, *about)
        if told:
            times, actor = store.now(self._moment), self._caller.actor
            detail = {"source": self._caller.source, "verified": self._caller.verified}
            await store.fact(self._con, found.panic_id, "pressed_again", times, actor, **detail)
        return told

    async def _presses(
        self, panic_id: UUID, state: str, presses: Sequence[Press], raised: bool
    ) -> dict[UUID, Pressed]:
        answers: dict[UUID, Pressed] = {}
        rows = []
        for n, one in enumerate(presses):
            merged, times = not raised or n > 0, self._times(one)
            answers[one.press_id] = Pressed(panic_id, state, merged, list(one.ignored), True)
            ignored = msgspec.json.encode(one.ignored).decode()
            rows.append((one.press_id, times.at, times.event_at, merged, ignored))
        caller = self._caller
        about = (panic_id, caller.person_id, caller.actor, self._moment, state)
        await self._con.execute(SQL.insert_presses, *about, *store.columns(rows))
        return answers

    async def _positions(self, panic_id: UUID, presses: Sequence[Press]) -> bool:
        """Keeps where presses were made; whether there is any."""
        rows = []
        for one in presses:
            if one.place is not None:
                times, place = self._times(one), one.place
                where = (place.lat, place.lon, place.accuracy_m, one.battery)
                rows.append((one.press_id, times.at, times.event_at, *where))
        if rows:
            args = (panic_id, self._moment, *store.columns(rows))
            await self._con.execute(SQL.insert_positions, *args)
            await self._con.execute(SQL.keep_position, panic_id)
        return bool(rows)

    async def _tell(self, panic_id: UUID, kind: Kind, was: Kind | None) -> None:
        """The desk hears of a new one; wardens and counts of it as soon as it is theirs to know."""
        fresh = was is None
        counts = kind.counts and not (was is not None and was.counts)
        if not fresh and not counts:
            return
        reach = rules.reach(0, kind)
        to = reach if fresh else msgspec.structs.replace(reach, desk=False)
        args = (panic_id, self._caller.person_id, 0, to, self._served)
        await telling.tell(self._con, *args)
        if counts:
            self._jobs.append(counting.job(panic_id))

    def _times(self, one: Press) -> Stamp:
        """The three times of a press; one without its own is of now."""
        at = one.at or self._moment
        event_at = corrected(at, one.sent_at if one.at else None, self._moment)
        return Stamp(at, event_at, self._moment)


def _joined(found: Live, caller: Caller, covert: bool) -> Kind:
    """What a panic is after a further press. Her own phone alone opens a covert one; and keeps what
    nothing vouched for from those who would be told of it now, until somebody has it."""
    was, own = found.kind, caller.source == "app"
    kept = was.covert and not (own and not covert)
    hidden = own and covert and not was.verified and found.state == "open"
    return Kind(kept or hidden, was.duress, was.verified or caller.verified)


def _said(found: Known) -> Pressed:
    """What a repeat was answered before."""
    return Pressed(found.panic_id, found.state, found.merged, list(found.ignored), False)


def _once(answer: Pressed, press_id: UUID, seen: set[UUID]) -> Pressed:
    """Of one id that came several times in one batch the first made the record."""
    if press_id not in seen:
        seen.add(press_id)
        return answer
    return msgspec.structs.replace(answer, made=False)
