"""Messages taken in, on record before the answer; and whose devices they come from.

Each message is on record once, however often and in whatever order its provider brings it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from server import jobs
from server.auth import Principal, Scope
from server.checkin.satellite import rules, store
from server.checkin.satellite.intake import Event
from server.checkin.satellite.messages import MessengerIn
from server.checkin.satellite.store import SQL
from server.checkin.sms.store import SQL as TEXTS
from server.db import Database, confirm, retried
from server.errors import NotFound, Unavailable, refuse_field
from server.people import store as people
from server.satellites import SatelliteRoute

READ = "satellite.read"
URGENT, LANE = 0, 2
PORTION = 1000
NO_DEVICE = "There is no such device among those of people in your sight."


class Inbox:
    """Takes messages, over one database."""

    def __init__(self, database: Database, wake: Callable[[int], None]) -> None:
        self._db = database
        self._wake = wake

    async def take(self, route: SatelliteRoute, events: Sequence[Event]) -> None:
        """Returns when all are on record. Raises Unavailable where that is not sure."""
        for operation_id, own in (await self._places(route, events)).items():
            for portion in portions(route, own):
                await keep(self._db, operation_id, route, portion)
                self._wake(operation_id)

    async def _places(
        self, route: SatelliteRoute, events: Sequence[Event]
    ) -> Mapping[int, Sequence[Event]]:
        """What is put on record in which operations: each message in one at least."""
        async with self._db.connection("report") as con:
            if route.operation:
                named: int | None = await con.fetchval(TEXTS.find_operation, route.operation)
                if named is not None:
                    return {named: events}
            rows = await con.fetch(SQL.operations_of_imeis, sorted({e.imei for e in events}))
        every, of_imei = await self._db.operations(), belongs(rows)
        if not every:
            raise Unavailable("There is no operation yet to keep this for. Send it again.")
        plan: defaultdict[int, list[Event]] = defaultdict(list)
        for event in events:
            for operation_id in of_imei.get(event.imei, every):
                plan[operation_id].append(event)
        return plan


def portions(route: SatelliteRoute, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """What may need help first, the rest as it came, so much in one transaction that a repeat of a
    request that took too long goes on where it was ended."""
    urgent_first = sorted(events, key=lambda e: _lane(route, e))
    for start in range(0, len(events), PORTION):
        yield urgent_first[start : start + PORTION]


def belongs(rows: Iterable[Any]) -> dict[str, list[int]]:
    """The operations each device belongs to: those that have it, else those that had it."""
    now: defaultdict[str, list[int]] = defaultdict(list)
    once: defaultdict[str, list[int]] = defaultdict(list)
    for imei, operation_id, held in rows:
        (now if held else once)[imei].append(operation_id)
    return {**once, **now}


@retried
async def keep(
    db: Database, operation_id: int, route: SatelliteRoute, events: Sequence[Event]
) -> None:
    """One transaction: the messages that are new, and the jobs that understand them."""
    async with db.transaction(operation_id, lane="report") as con:
        await con.execute(SQL.one_at_a_time, f"{operation_id} {route.name}")
        before = await store.known(con, list(events))
        new = [(e, _lane(route, e)) for e in events if e.key not in before]
        if not new:
            await confirm(con)
            return
        await store.insert(con, route.name, route.kind, new)
        for lane in sorted({lane for _, lane in new}):
            await enqueue(con, operation_id, lane)


def _lane(route: SatelliteRoute, event: Event) -> int:
    urgent = rules.may_need_help(route.kind, event.code, event.body)
    return URGENT if urgent else LANE


async def enqueue(con: Any, operation_id: int, lane: int) -> None:
    """Writes the job that understands what waits in a lane: one for each, however much waits."""
    await jobs.enqueue(con, operation_id, READ, str(lane), {"lane": lane}, None, lane)


# -- devices


@retried
async def assign(db: Database, who: Principal, scope: Scope, imei: str, wish: MessengerIn) -> bool:
    """A device is somebody's from now on; False if it was hers already.

    Raises BadInput (`person`), NotFound for a device of somebody out of sight.
    """
    async with db.transaction(who.operation_id) as con:
        person = (await people.people_by_ref(con, [wish.person])).get(wish.person)
        if person is None or not scope.sees(person.person_id, person.area_id):
            raise refuse_field("person", "There is no such person among those you may name.")
        held = await _held(con, scope, imei)
        about = {"imei": imei, "person": wish.person}
        if held is not None and held["person_id"] == person.person_id:
            if (held["kind"], held["label"]) == (wish.kind, wish.label):
                await confirm(con)
            else:
                await con.execute(SQL.label_device, held["assignment_id"], wish.kind, wish.label)
                await people.audit(con, who.actor, "satellite.label", imei, **about)
            return False
        if held is not None:
            await con.execute(SQL.remove_device, held["assignment_id"], who.actor)
        row = (imei, wish.kind, wish.label, person.person_id, who.actor)
        if await con.fetchval(SQL.insert_device, *row) is None:
            raise Unavailable("Somebody assigns this device just now. Send it again.")
        await people.audit(con, who.actor, "satellite.assign", imei, **about)
        return True


@retried
async def remove(db: Database, who: Principal, scope: Scope, imei: str) -> None:
    """A device is nobody's any more; again changes nothing. Raises NotFound."""
    async with db.transaction(who.operation_id) as con:
        held = await _held(con, scope, imei)
        if held is not None:
            await con.execute(SQL.remove_device, held["assignment_id"], who.actor)
            await people.audit(con, who.actor, "satellite.remove", imei)
        elif await con.fetchval(SQL.device_was, imei, scope.area_list()):
            await confirm(con)
        else:
            raise NotFound(NO_DEVICE)


async def _held(con: Any, scope: Scope, imei: str) -> Any:
    """The assignment in force, held until the commit. Raises NotFound out of sight."""
    held = await con.fetchrow(SQL.lock_device, imei)
    if held is not None and not scope.sees(held["person_id"], held["area_id"]):
        raise NotFound(NO_DEVICE)
    return held


def storable(imei: str) -> bool:
    """Whether this can be a device's number."""
    return len(imei) == 15 and imei.isascii() and imei.isdecimal()
