"""Pressing: one transaction, whatever else goes on.

    press -> panic, facts, position, deliveries, jobs, event -> commit -> answer

A further press of the same person joins what is open. The presses of one person that come while
hers are being written go together, so that no phone, however it is pressed, takes another's turn.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec

from server import stream
from server.alerts.panics import counting, nearby, rules, store, telling
from server.alerts.panics.press import Press
from server.alerts.panics.rules import Kind
from server.alerts.panics.store import SQL, Live, Stamp
from server.batch import Batcher
from server.clock import corrected
from server.db import Database, confirm, retried

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
        person_id, moment = await con.fetchrow(SQL.begin, caller.person_id)
        whose = msgspec.structs.replace(caller, person_id=person_id)
        work = _Pressing(con, operation_id, whose, moment, served)
        return await work.take(presses)


class _Pressing:
    """One person's presses in one transaction."""

    def __init__(
        self, con: Any, operation_id: int, caller: Caller, moment: datetime, served: Sequence[str]
    ) -> None:
        self._con = con
        self._operation_id = operation_id
        self._caller = caller
        self._moment = moment
        self._served = served

    async def take(self, presses: Sequence[Press]) -> list[Pressed]:
        """Repeats are answered as they were; of the others the first raises or joins."""
        known = await self._known([p.press_id for p in presses])
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

    async def _known(self, ids: Sequence[UUID]) -> dict[UUID, Any]:
        rows = await self._con.fetch(SQL.known_presses, list(set(ids)))
        return {r["press_id"]: r for r in rows}

    def _renamed(self, one: Press, known: dict[UUID, Any]) -> Press:
        """A press whose id is somebody else's gets another: it is never refused."""
        row = known.get(one.press_id)
        if row is None or row["person_id"] == self._caller.person_id:
            return one
        return one.but("id", press_id=uuid4())

    async def _record(self, presses: list[Press]) -> dict[UUID, Pressed]:
        """Writes new presses; what each is answered."""
        caller = self._caller
        found = await store.live(self._con, caller.person_id, caller.duress)
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
        if kind.counts and (placed or was is None or not was.counts):
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
        await self._con.execute(SQL.insert_panic, one.press_id, caller.person_id, *about, *stamps)
        detail = {"source": caller.source, "battery": one.battery, "after": caller.after}
        said = {k: v for k, v in detail.items() if v is not None}
        await store.fact(self._con, one.press_id, "raised", times, caller.actor, **said)
        due_at = self._moment + after
        await telling.enqueue(self._con, self._operation_id, one.press_id, due_at)

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
            await counting.enqueue(self._con, self._operation_id, panic_id)

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


def _said(row: Any) -> Pressed:
    """What a repeat was answered before."""
    return Pressed(row["panic_id"], row["state"], row["merged"], list(row["ignored"]), False)


def _once(answer: Pressed, press_id: UUID, seen: set[UUID]) -> Pressed:
    """Of one id that came several times in one batch the first made the record."""
    if press_id not in seen:
        seen.add(press_id)
        return answer
    return msgspec.structs.replace(answer, made=False)
