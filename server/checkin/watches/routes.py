"""Watches, curfews, radio checks and areas of risk over HTTP."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from server.checkin.watches import actions, desk, locating, reading, store
from server.checkin.watches.board import (
    shown,
    shown_curfew,
    shown_dark,
    shown_fact,
    shown_name,
)
from server.checkin.watches.dark.store import SQL as DARK
from server.checkin.watches.messages import (
    CurfewIn,
    CurfewOut,
    Curfews,
    DarkPerson,
    DoneIn,
    ExtendIn,
    HeardIn,
    PositionQuery,
    RadioCheckIn,
    RadioCheckOut,
    RiskIn,
    RiskOut,
    Risks,
    WatchDetail,
    WatchIn,
    WatchOut,
    WatchPosition,
    WatchQuery,
)
from server.checkin.watches.store import SQL
from server.db import Database
from server.errors import NotFound, refuse_field
from server.paging import Page, PageQuery, page
from server.people.reporters import resolve_reporter
from server.people.rules import storable
from server.web import Call, Endpoint, Reply

READERS = ("admin", "operator", "auditor")  # who is shown who read a position
WITHIN_S = 4.7  # promise 2: whoever cannot be recorded is told so within 5 s


class DarkQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of who is dark."""


class Watches:
    """The handlers. `wake`: something new is on record for viewers of an operation."""

    def __init__(self, database: Database, wake: Callable[[int], None]) -> None:
        self._db = database
        self._wake = wake

    async def begin(self, call: Call) -> Reply:
        """A watch of the caller, or of whom she may report for."""
        person_id, _ = await resolve_reporter(self._db, call.auth, call.me, call.body.for_)
        made = await actions.begin(self._db, call.me, call.body, person_id)
        self._wake(call.me.operation_id)
        return Reply(201 if made else 200, await reading.one(self._db, call, call.body.id))

    async def done(self, call: Call) -> Reply:
        """It went well."""
        return await self._said(call, actions.done)

    async def extend(self, call: Call) -> Reply:
        """Another deadline."""
        return await self._said(call, actions.extend)

    async def _said(self, call: Call, verb: Any) -> Reply:
        watch_id = call.uuid("watch_id")
        await verb(self._db, call.me, await reading.scope(call), watch_id, call.body)
        self._wake(call.me.operation_id)
        return Reply(200, await reading.one(self._db, call, watch_id))

    async def cancel(self, call: Call) -> Reply:
        """The desk ends it."""
        watch_id = call.uuid("watch_id")
        await actions.cancel(self._db, call.me, await reading.scope(call), watch_id)
        self._wake(call.me.operation_id)
        return Reply(200, await reading.one(self._db, call, watch_id))

    async def listed(self, call: Call) -> Reply:
        """Watches in sight by deadline."""
        query, scope = call.query, await reading.scope(call)
        still = None if query.open is None else query.open == "true"
        sight = store.seen(call.me, scope)
        after = query.after(datetime, UUID)
        rows = await self._db.fetch(
            *(call.me.operation_id, SQL.watches, *sight, query.state, query.kind, still),
            *(*after, query.limit + 1, None),
        )
        last = reading.knows_last(call, scope)
        key = ("due_at", "watch_id")
        item: Callable[[Any], WatchOut] = lambda r: shown(r, last=last)  # noqa: E731
        return Reply(200, page("/v1/watches", query, rows, lambda r: [r[k] for k in key], item))

    async def one(self, call: Call) -> Reply:
        """A watch with its timeline."""
        watch_id = call.uuid("watch_id")
        watch = await reading.one(self._db, call, watch_id)
        readers = call.me.role in READERS
        rows = await self._db.fetch(call.me.operation_id, SQL.facts, watch_id, readers)
        return Reply(200, WatchDetail(watch, [shown_fact(r) for r in rows]))

    async def position(self, call: Call) -> Reply:
        """Where a watch's person was last known to be, for a reason."""
        watch_id, why, sees = call.uuid("watch_id"), call.query.reason, await reading.scope(call)
        if why is None:
            raise refuse_field("reason", "Say why: respond, verify, hand_over or review.")
        found = await locating.locate(self._db, call.me, sees, watch_id, why)
        return Reply(200, found)

    async def set_curfew(self, call: Call) -> Reply:
        """A curfew for an area."""
        scope = await call.auth.scope(call.me)
        made = await desk.set_curfew(self._db, call.me, scope, call.body)
        rows = await self._curfews(call, call.body.id)
        return Reply(201 if made else 200, shown_curfew(rows[0]))

    async def curfews(self, call: Call) -> Reply:
        """The curfews in force."""
        return Reply(200, Curfews([shown_curfew(r) for r in await self._curfews(call, None)]))

    async def _curfews(self, call: Call, curfew_id: UUID | None) -> list[Any]:
        areas = (await call.auth.scope(call.me)).area_list()
        return await self._db.fetch(call.me.operation_id, SQL.curfews, areas, curfew_id)

    async def end_curfew(self, call: Call) -> Reply:
        """No curfew any more."""
        scope = await call.auth.scope(call.me)
        await desk.end_curfew(self._db, call.me, scope, call.uuid("curfew_id"))
        self._wake(call.me.operation_id)
        return Reply(204)

    async def call_roll(self, call: Call) -> Reply:
        """A radio check begins."""
        scope = await call.auth.scope(call.me)
        made = await desk.call_roll(self._db, call.me, scope, call.body)
        self._wake(call.me.operation_id)
        return Reply(201 if made else 200, await self._roll(call, call.body.id))

    async def roll(self, call: Call) -> Reply:
        """A roll as it stands."""
        return Reply(200, await self._roll(call, call.uuid("roll_id")))

    async def heard(self, call: Call) -> Reply:
        """Somebody on the roll has answered."""
        roll_id, ref = call.uuid("roll_id"), call.body.ref
        names = (await self._roll(call, roll_id)).names
        ids = {uuid5(roll_id, f"{kind} {ref}") for kind in ("person", "callsign")}
        found = next((n.watch_id for n in names if n.watch_id in ids), None)
        if found is None:
            raise refuse_field("ref", "There is no such name on this roll.")
        scope = await call.auth.scope(call.me)
        await actions.done(self._db, call.me, scope, found, DoneIn())
        self._wake(call.me.operation_id)
        return Reply(200, await self._roll(call, roll_id))

    async def _roll(self, call: Call, roll_id: UUID) -> RadioCheckOut:
        own = (await call.auth.scope(call.me)).area_list()
        found = await self._db.fetch(call.me.operation_id, SQL.roll, roll_id)
        rows = await self._db.fetch(call.me.operation_id, SQL.names_on_roll, roll_id, own)
        if not found or not rows:
            raise NotFound(desk.NO_ROLL)
        head, names = found[0], [shown_name(r) for r in rows]
        heard = sum(1 for n in names if n.heard_at is not None)
        return RadioCheckOut(roll_id, head["note"], head["created_at"], head["maker"], heard, names)

    async def set_risk(self, call: Call) -> Reply:
        """An area is one of risk, or no more."""
        scope = await call.auth.scope(call.me)
        await desk.set_risk(self._db, call.me, scope, call.path["area"], call.body.dark_after_h)
        return Reply(204)

    async def risks(self, call: Call) -> Reply:
        """The areas of risk in sight."""
        areas = (await call.auth.scope(call.me)).area_list()
        rows = await self._db.fetch(call.me.operation_id, SQL.risks, areas)
        items = [RiskOut(r["area"], r["dark_after_h"], r["set_at"], r["maker"]) for r in rows]
        return Reply(200, Risks(items))

    async def dark(self, call: Call) -> Reply:
        """Who is in an area of risk and was not heard of."""
        scope = await call.auth.scope(call.me)
        areas, people, _ = store.seen(call.me, scope)
        (after,) = call.query.after(str)
        if after is not None and not storable(after):
            raise refuse_field("cursor", "Take the cursor from `next`, or leave it out.")
        args = (areas, people, after, call.query.limit + 1)
        rows = await self._db.fetch(call.me.operation_id, DARK.people, *args)
        found = page("/v1/watches/dark", call.query, rows, lambda r: [r["ref"]], shown_dark)
        return Reply(200, found)


def endpoints(database: Database, wake: Callable[[int], None]) -> list[Endpoint]:
    """The calls of this room."""
    room = Watches(database, wake)
    return [*_of_watches(room), *_of_words(room), *_of_desks(room), *_of_risk(room)]


def _of_watches(room: Watches) -> list[Endpoint]:
    own = "/v1/watches/{watch_id}"
    return [
        Endpoint(
            "GET",
            "/v1/watches",
            room.listed,
            "Watches by their deadline",
            "watch.read",
            {200: Page[WatchOut]},
            query=WatchQuery,
        ),
        Endpoint(
            "GET", own, room.one, "A watch with its timeline", "watch.read", {200: WatchDetail}
        ),
        Endpoint(
            "GET",
            f"{own}/position",
            room.position,
            "Where the person was last known to be, once overdue or dark; each reading is noted",
            "watch.locate",
            {200: WatchPosition},
            query=PositionQuery,
        ),
        Endpoint(
            "GET",
            "/v1/watches/dark",
            room.dark,
            "Who is in an area of risk and was not heard of for the hours set for it",
            "watch.dark",
            {200: Page[DarkPerson]},
            query=DarkQuery,
        ),
    ]


def _of_words(room: Watches) -> list[Endpoint]:
    own = "/v1/watches/{watch_id}"
    return [
        Endpoint(
            "POST",
            "/v1/watches",
            room.begin,
            "Begin a watch: its timer runs here while the phone is dark",
            "watch.keep",
            {201: WatchOut, 200: WatchOut},
            body=WatchIn,
            within_s=WITHIN_S,
        ),
        Endpoint(
            "POST",
            f"{own}/done",
            room.done,
            "It went well; of an interval the next one begins. Never refused for being late",
            "watch.keep",
            {200: WatchOut},
            body=DoneIn,
            within_s=WITHIN_S,
        ),
        Endpoint(
            "POST",
            f"{own}/extend",
            room.extend,
            "Another deadline. Never refused for being late",
            "watch.keep",
            {200: WatchOut},
            body=ExtendIn,
            within_s=WITHIN_S,
        ),
        Endpoint(
            "POST", f"{own}/cancel", room.cancel, "End a watch", "watch.steer", {200: WatchOut}
        ),
    ]


def _of_desks(room: Watches) -> list[Endpoint]:
    roll = "/v1/radio-checks"
    return [
        Endpoint(
            "POST",
            "/v1/curfews",
            room.set_curfew,
            "Set a curfew: by when an area's people must have reported",
            "watch.steer",
            {201: CurfewOut, 200: CurfewOut},
            body=CurfewIn,
        ),
        Endpoint(
            "GET", "/v1/curfews", room.curfews, "Curfews in force", "curfew.read", {200: Curfews}
        ),
        Endpoint(
            "DELETE",
            "/v1/curfews/{curfew_id}",
            room.end_curfew,
            "End a curfew",
            "watch.steer",
            {204: None},
        ),
        Endpoint(
            "POST",
            roll,
            room.call_roll,
            "Call a roll by radio",
            "watch.steer",
            {201: RadioCheckOut, 200: RadioCheckOut},
            body=RadioCheckIn,
        ),
        Endpoint(
            "GET",
            f"{roll}/{{roll_id}}",
            room.roll,
            "A called roll",
            "curfew.read",
            {200: RadioCheckOut},
        ),
        Endpoint(
            "POST",
            f"{roll}/{{roll_id}}/heard",
            room.heard,
            "Somebody on the roll has answered",
            "watch.steer",
            {200: RadioCheckOut},
            body=HeardIn,
        ),
    ]


def _of_risk(room: Watches) -> list[Endpoint]:
    return [
        Endpoint(
            "PUT",
            "/v1/areas/{area}/risk",
            room.set_risk,
            "Flag an area as one of risk, or no more",
            "watch.steer",
            {204: None},
            body=RiskIn,
        ),
        Endpoint(
            "GET", "/v1/areas/risk", room.risks, "The areas of risk", "curfew.read", {200: Risks}
        ),
    ]
