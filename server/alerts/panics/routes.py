"""The calls about panics. A press is never refused but for what nobody could read."""

from collections.abc import Callable, Sequence
from typing import Any

from server.alerts.panics import actions, nearby, reading
from server.alerts.panics.messages import (
    CancelIn,
    CancelOut,
    EndIn,
    HandOverIn,
    PanicDetail,
    PanicExport,
    PanicIn,
    PanicOut,
    PanicQuery,
    PanicSettings,
    PanicsQuery,
    PinIn,
    PositionsIn,
    PositionsOut,
    PressOut,
    VerifyIn,
    VerifyOut,
)
from server.alerts.panics.pins import Pins
from server.alerts.panics.press import Press, read_press
from server.alerts.panics.pressing import Caller, Pad
from server.db import Database
from server.paging import Page
from server.people.reporters import resolve_reporter
from server.web import Call, Endpoint, Reply, plausible

ALL = "/v1/panics"
ONE = "/v1/panics/{panic_id}"
WITHIN_S = 4.7  # promise 2: whoever cannot be recorded is told so within 5 s
POSITIONS_LIMIT = 512 * 1024


class Panics:
    """The handlers, over one database."""

    def __init__(
        self, database: Database, served: Sequence[str], wake: Callable[[int], None]
    ) -> None:
        self._db = database
        self._pad = Pad(database, served, wake)
        self._pins = Pins(database)
        self._wake = wake

    async def post(self, call: Call) -> Reply:
        """Raises a panic, or joins the one that is open."""
        caller, one = await self._caller(call, call.body)
        done = await self._pad.press(call.me.operation_id, caller, one)
        made = done.made and not done.merged
        out = PressOut(done.panic_id, done.state, done.merged, done.ignored)  # type: ignore[arg-type]
        return Reply(201 if made else 200, out)

    async def _caller(self, call: Call, one: Press) -> tuple[Caller, Press]:
        """Whose panic it is: the person an operator names, else the caller's own."""
        me = call.me
        desk = me.person_id is None
        if desk:
            about = await resolve_reporter(self._db, call.auth, me, one.for_ref)
            return Caller(about[0], me.actor, "desk"), one
        if one.for_ref not in (None, me.person_ref):
            one = one.but("for", for_ref=None)
        assert me.person_id is not None  # noqa: S101 - not a desk
        return Caller(me.person_id, me.actor, "app" if me.kind == "device" else "desk"), one

    async def list(self, call: Call) -> Reply:
        """Panics, newest first."""
        scope = await call.auth.scope(call.me)
        found = await reading.listed(self._db, call.me.operation_id, scope, call.query)
        return Reply(200, found)

    async def get(self, call: Call) -> Reply:
        """One panic with its timeline."""
        scope, panic_id = await call.auth.scope(call.me), call.uuid("panic_id")
        found = await reading.detail(self._db, call.me, scope, panic_id, call.query.reason)
        return Reply(200, found)

    async def export(self, call: Call) -> Reply:
        """All that is known of one panic."""
        scope = await call.auth.scope(call.me)
        return Reply(200, await reading.export(self._db, call.me, scope, call.uuid("panic_id")))

    async def acknowledge(self, call: Call) -> Reply:
        """The caller has it."""
        scope = await call.auth.scope(call.me)
        await actions.acknowledge(self._db, call.me, scope, call.uuid("panic_id"))
        return await self._stands(call)

    async def hand_over(self, call: Call) -> Reply:
        """Another operator has it."""
        scope, panic_id = await call.auth.scope(call.me), call.uuid("panic_id")
        await actions.hand_over(self._db, call.me, scope, panic_id, call.body.operator)
        return await self._stands(call)

    async def resolve(self, call: Call) -> Reply:
        """Ends it with an outcome."""
        scope, panic_id, body = await call.auth.scope(call.me), call.uuid("panic_id"), call.body
        await actions.resolve(self._db, call.me, scope, panic_id, body.outcome, body.note)
        return await self._stands(call)

    async def close(self, call: Call) -> Reply:
        """Sees to one that its person took back."""
        scope, panic_id, body = await call.auth.scope(call.me), call.uuid("panic_id"), call.body
        await actions.close(self._db, call.me, scope, panic_id, body.outcome, body.note)
        return await self._stands(call)

    async def _stands(self, call: Call) -> Reply:
        self._wake(call.me.operation_id)
        scope = await call.auth.scope(call.me)
        panic_id, operation_id = call.uuid("panic_id"), call.me.operation_id
        return Reply(200, await reading.get(self._db, operation_id, scope, panic_id))

    async def positions(self, call: Call) -> Reply:
        """Where the phone was."""
        for n, item in enumerate(call.body.items):
            plausible(f"items[{n}].at", item.at)
            plausible(f"items[{n}].sent_at", item.sent_at)
        panic_id, items = call.uuid("panic_id"), call.body.items
        kept, more = await actions.positions(self._db, call.me, panic_id, items)
        self._wake(call.me.operation_id)
        return Reply(201 if kept else 200, PositionsOut(kept, more))

    async def cancel(self, call: Call) -> Reply:
        """Takes the caller's own panic back."""
        panic_id, state = await self._pins.cancel(call.me, call.uuid("panic_id"), call.body.pin)
        self._wake(call.me.operation_id)
        return Reply(200, CancelOut(panic_id, state))  # type: ignore[arg-type]

    async def put_pin(self, call: Call) -> Reply:
        """Sets both PINs of the caller's person."""
        body = call.body
        await self._pins.put(call.me, body.pin, body.duress_pin, body.old_pin)
        return Reply(204)

    async def settings(self, call: Call) -> Reply:
        """What the operation wants of its panics."""
        return Reply(200, await nearby.settings(self._db, call.me.operation_id))

    async def put_settings(self, call: Call) -> Reply:
        """Sets it from now on."""
        await nearby.put_settings(self._db, call.me, call.body)
        return await self.settings(call)

    async def reset_pin(self, call: Call) -> Reply:
        """Forgets both PINs of a person."""
        scope = await call.auth.scope(call.me)
        await self._pins.reset(call.me, scope, call.path["ref"])
        return Reply(204)

    async def verify(self, call: Call) -> Reply:
        """Says that a PIN is right."""
        await self._pins.verify(call.me, call.body.pin)
        return Reply(200, VerifyOut())


def endpoints(
    database: Database, served: Sequence[str], wake: Callable[[int], None]
) -> list[Endpoint]:
    """The calls of this room."""
    room = Panics(database, served, wake)
    return [
        Endpoint(
            "POST",
            ALL,
            room.post,
            "Call for help: raises a panic or joins the open one; durable before the answer",
            "panic.raise",
            {201: PressOut, 200: PressOut},
            body=PanicIn,
            decode=read_press,
            lenient=True,
            within_s=WITHIN_S,
        ),
        Endpoint(
            "GET",
            ALL,
            room.list,
            "Panics, newest first",
            "panic.read",
            {200: Page[PanicOut]},
            query=PanicsQuery,
        ),
        Endpoint(
            "GET",
            ONE,
            room.get,
            "One panic with its timeline",
            "panic.read",
            {200: PanicDetail},
            query=PanicQuery,
        ),
        Endpoint(
            "GET",
            f"{ONE}/export",
            room.export,
            "The start of an incident record",
            "panic.export",
            {200: PanicExport},
        ),
        *_steering(room),
        *_of_phones(room),
        *_of_settings(room),
    ]


def _steering(room: Panics) -> list[Endpoint]:
    """What operators do about a panic."""
    given: dict[int, Any] = {200: PanicOut}
    act = "panic.steer"
    return [
        Endpoint("POST", f"{ONE}/acknowledge", room.acknowledge, "Take a panic", act, given),
        Endpoint(
            "POST",
            f"{ONE}/hand-over",
            room.hand_over,
            "Hand a panic to another operator",
            act,
            given,
            body=HandOverIn,
        ),
        Endpoint("POST", f"{ONE}/resolve", room.resolve, "End a panic", act, given, body=EndIn),
        Endpoint(
            "POST",
            f"{ONE}/close",
            room.close,
            "See to a panic that was taken back",
            act,
            given,
            body=EndIn,
        ),
    ]


def _of_phones(room: Panics) -> list[Endpoint]:
    """What a phone adds to its person's own panic."""
    return [
        Endpoint(
            "POST",
            f"{ONE}/positions",
            room.positions,
            "Where this phone was",
            "panic.own",
            {201: PositionsOut, 200: PositionsOut},
            body=PositionsIn,
            body_limit=POSITIONS_LIMIT,
            within_s=WITHIN_S,
        ),
        Endpoint(
            "POST",
            f"{ONE}/cancel",
            room.cancel,
            "Take one's own panic back",
            "panic.own",
            {200: CancelOut},
            body=CancelIn,
        ),
        Endpoint(
            "PUT",
            "/v1/self/pin",
            room.put_pin,
            "Set the PIN and the one for duress",
            "panic.own",
            {204: None},
            body=PinIn,
        ),
        Endpoint(
            "POST",
            "/v1/self/pin/verify",
            room.verify,
            "Whether a PIN is right, where the app asks for it",
            "panic.own",
            {200: VerifyOut},
            body=VerifyIn,
        ),
    ]


def _of_settings(room: Panics) -> list[Endpoint]:
    """What an operation wants of its panics, and what its desk forgets for somebody."""
    given: dict[int, Any] = {200: PanicSettings}
    return [
        Endpoint(
            "GET",
            "/v1/panic-settings",
            room.settings,
            "Who near a panic is told",
            "panic.settings.read",
            given,
        ),
        Endpoint(
            "PUT",
            "/v1/panic-settings",
            room.put_settings,
            "Set who near a panic is told",
            "panic.settings.write",
            given,
            body=PanicSettings,
        ),
        Endpoint(
            "DELETE",
            "/v1/people/{ref}/pin",
            room.reset_pin,
            "Forget the PINs of a person who forgot hers",
            "pin.reset",
            {204: None},
        ),
    ]
