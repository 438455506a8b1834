"""The calls of the alerts room: parse, act, answer."""

from typing import Any

import msgspec

from server.alerts import actions, listing, store
from server.alerts.branch import routes as branch
from server.alerts.deliveries import reports
from server.alerts.deliveries import routes as deliveries
from server.alerts.deliveries.progress import Progress
from server.alerts.escalation import routes as escalation
from server.alerts.health import reading
from server.alerts.health import routes as health
from server.alerts.health.reading import Set, configured
from server.alerts.incidents import routes as incidents
from server.alerts.listing import shown
from server.alerts.members import routes as members
from server.alerts.messages import (
    AlertIn,
    AlertOut,
    AlertsQuery,
    CorrectionIn,
    Preview,
    PreviewIn,
    RemindedOut,
)
from server.alerts.preview import Ways, preview
from server.alerts.scoring import routes as scoring
from server.alerts.store import Sight
from server.auth import Authenticator
from server.config import Settings
from server.db import Database
from server.errors import Forbidden
from server.gateways import Doors
from server.mailing import served
from server.paging import Page
from server.texting import sms_routes
from server.web import Call, Endpoint, Reply, plausible

ONE = "/v1/alerts/{alert_id}"


async def sight(call: Call) -> Sight:
    """What the caller sees. A phone sees its person's alerts, a warden's her branch's too."""
    me = call.me
    try:
        scope = await call.auth.scope(me)
    except Forbidden:
        return Sight(None, [me.person_id or 0], me.actor)
    own = store.sight_of(me, scope)
    if me.kind == "device" and own.people is not None and me.person_id is not None:
        return Sight(None, [*own.people, me.person_id], me.actor)
    return own


class Alerts:
    """The handlers of alerts themselves."""

    def __init__(self, database: Database, ways: Ways, known: list[Set]) -> None:
        self._db = database
        self._set = known
        self._ways = ways
        self._texted = ways.served

    async def post(self, call: Call) -> Reply:
        """Puts an alert on record; it opens within seconds."""
        plausible("expires_at", call.body.expires_at)
        scope = await call.auth.scope(call.me)
        alert, made = await actions.create(self._db, call.me, scope, call.body)
        return Reply(201 if made else 200, shown(alert, call.me.kind))

    async def preview(self, call: Call) -> Reply:
        """What an alert would do, without doing it."""
        scope = await call.auth.scope(call.me)
        found = await preview(self._db, call.me, scope, call.body, self._ways)
        return Reply(200, found)

    async def list(self, call: Call) -> Reply:
        """The alerts a caller sees, newest first."""
        page = await listing.alerts(
            self._db,
            call.me.operation_id,
            await sight(call),
            call.query,
            lambda a: shown(a, call.me.kind),
        )
        return Reply(200, page)

    async def get(self, call: Call) -> Reply:
        """One alert."""
        alert_id = call.uuid("alert_id")
        alert = await actions.get(self._db, call.me.operation_id, await sight(call), alert_id)
        found = shown(alert, call.me.kind)
        if alert.state == "open" and call.me.kind != "device":
            ends = await reading.finish_of(self._db, call.me.operation_id, alert_id, self._set)
            found = msgspec.structs.replace(found, finish_at=ends)
        return Reply(200, found)

    async def close(self, call: Call) -> Reply:
        """Ends an alert: unsent deliveries stop, counts freeze, late answers still count."""
        return await self._end(call, "close")

    async def cancel(self, call: Call) -> Reply:
        """Calls an alert off."""
        return await self._end(call, "cancel")

    async def _end(self, call: Call, verb: str) -> Reply:
        scope = await call.auth.scope(call.me)
        alert = await actions.end(self._db, call.me, scope, call.uuid("alert_id"), verb)
        return Reply(200, shown(alert, call.me.kind))

    async def remind(self, call: Call) -> Reply:
        """Sends the alert once more, to the silent only."""
        scope = await call.auth.scope(call.me)
        alert, reminder = await actions.remind(
            self._db, call.me, scope, call.uuid("alert_id"), self._texted
        )
        told = {**msgspec.structs.asdict(shown(alert, call.me.kind)), "reminder": reminder}
        return Reply(200, msgspec.convert(told, RemindedOut, from_attributes=True))

    async def correct(self, call: Call) -> Reply:
        """Tells the same people something else, at once."""
        plausible("expires_at", call.body.expires_at)
        scope = await call.auth.scope(call.me)
        alert_id = call.uuid("alert_id")
        alert, made = await actions.correct(self._db, call.me, scope, alert_id, call.body)
        return Reply(201 if made else 200, shown(alert, call.me.kind))


def endpoints(
    database: Database, auth: Authenticator, settings: Settings, progress: Progress
) -> list[Endpoint]:
    """The calls of this room. Raises ValueError for SMS routes that cannot be read."""
    sms, own = sms_routes(settings), served(settings)
    return [
        *_alerts(Alerts(database, Ways(settings.fcm_connections, sms, own), configured(settings))),
        *incidents.endpoints(database),
        *deliveries.endpoints(database, progress),
        *health.endpoints(database, settings),
        *reports.endpoints(database, progress, Doors(sms, settings.public_url)),
        *members.endpoints(database, auth, own),
        *branch.endpoints(database, own),
        *scoring.endpoints(database),
        *escalation.endpoints(database, own),
    ]


def _alerts(room: Alerts) -> list[Endpoint]:
    given: dict[int, Any] = {201: AlertOut, 200: AlertOut}
    return [
        Endpoint(
            "POST", "/v1/alerts", room.post, "Open an alert", "alert.open", given, body=AlertIn
        ),
        Endpoint(
            "POST",
            "/v1/alerts/preview",
            room.preview,
            "What an alert would do, without doing it",
            "alert.open",
            {200: Preview},
            body=PreviewIn,
        ),
        Endpoint(
            "GET",
            "/v1/alerts",
            room.list,
            "Alerts, newest first",
            "alert.read",
            {200: Page[AlertOut]},
            query=AlertsQuery,
        ),
        Endpoint("GET", ONE, room.get, "One alert", "alert.read", {200: AlertOut}),
        Endpoint(
            "POST", f"{ONE}/close", room.close, "End an alert", "alert.steer", {200: AlertOut}
        ),
        Endpoint(
            "POST",
            f"{ONE}/cancel",
            room.cancel,
            "Call an alert off",
            "alert.steer",
            {200: AlertOut},
        ),
        Endpoint(
            "POST",
            f"{ONE}/remind",
            room.remind,
            "Remind the silent",
            "alert.steer",
            {200: RemindedOut},
        ),
        Endpoint(
            "POST",
            f"{ONE}/correct",
            room.correct,
            "Correct an alert for the same people",
            "alert.steer",
            given,
            body=CorrectionIn,
        ),
    ]
