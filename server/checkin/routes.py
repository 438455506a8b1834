"""Check-ins in, the headcount out."""

from collections.abc import Sequence
from typing import Any

from server import errors
from server.auth import Principal
from server.checkin import board, listing, rules
from server.checkin.actions import Reports
from server.checkin.messages import CheckinIn, Headcount, ItemResult, PeopleQuery
from server.checkin.rules import Place, Report
from server.checkin.store import Recorded
from server.db import Database
from server.errors import Problem
from server.paging import Page
from server.people.counted import AlertPerson
from server.people.reporters import Resolved, resolve_reporters
from server.reporting import BATCH_LIMIT, WITHIN_S, Batch, Reader, Reporting, Results
from server.web import Call, Endpoint, Reply, plausible

About = tuple[int, str, str]  # person id, ref and in what capacity


def _checked(item: CheckinIn) -> CheckinIn:
    """Raises BadInput for a NUL, which PostgreSQL's text can't hold."""
    for path, text in (("note", item.note), ("for", item.for_)):
        if text is not None and "\x00" in text:
            raise errors.refuse_field(path, "Leave out the NUL character.")
    return item


READER = Reader(CheckinIn, _checked)


class Checkins:
    """What is asked of this room, over one database."""

    def __init__(self, database: Database, texted: Sequence[str]) -> None:
        self._db = database
        self._texted = texted

    async def about(self, call: Call, items: Sequence[CheckinIn]) -> list[About | Problem]:
        """Whom each report is about, as (person_id, ref, reporter), or why it may not be."""
        me = call.me
        own = me.person_id is not None and all(i.for_ in (None, me.person_ref) for i in items)
        if own and me.person_id is not None and me.person_ref is not None:
            return [(me.person_id, me.person_ref, "self")] * len(items)
        refs = [i.for_ for i in items]
        found = await resolve_reporters(self._db, call.auth, me, refs)
        return [_named(me, ref, one) for ref, one in zip(refs, found, strict=True)]

    async def headcount(self, call: Call) -> Reply:
        """The board of one alert."""
        scope = await call.auth.scope(call.me)
        value = await board.headcount(self._db, call.me.operation_id, call.uuid("alert_id"), scope)
        return Reply(200, value)

    async def people(self, call: Call) -> Reply:
        """The people of one alert with their answers, a page at a time."""
        scope = await call.auth.scope(call.me)
        alert_id = call.uuid("alert_id")
        seen = (call.me.operation_id, alert_id, scope)
        page = await listing.people(self._db, *seen, call.query, self._texted)
        return Reply(200, page)


def _named(me: Principal, ref: str | None, found: Resolved | Problem) -> About | Problem:
    if isinstance(found, Problem):
        return found
    person_id, reporter = found
    return person_id, ref or me.person_ref or "", reporter


def _report(me: Principal, body: CheckinIn, about: About) -> Report:
    """The report to record. Raises BadInput for times that no report can have."""
    person_id, ref, reporter = about
    plausible("at", body.at)
    plausible("sent_at", body.sent_at)
    where = body.location
    place = None if where is None else Place(where.lat, where.lon, where.accuracy)
    return Report(
        checkin_id=body.id,
        person_id=person_id,
        person_ref=ref,
        status=body.status,
        at=body.at,
        sent_at=body.sent_at,
        alert_id=body.alert_id,
        place=place,
        note=body.note,
        battery=body.battery,
        reporter=reporter,
        actor=me.actor,
        body_hash=rules.body_hash(ref, body.status, body.at, body.alert_id, place, body.note),
    )


def endpoints(database: Database, reports: Reports, texted: Sequence[str] = ()) -> list[Endpoint]:
    """The calls of this room. `texted`: prefixes of numbers an SMS route serves."""
    room = Checkins(database, texted)
    reporting = Reporting(READER, room.about, _report, reports, ItemResult)
    answers: Any = Recorded | Results[ItemResult]
    alert = "/v1/alerts/{alert_id}"
    return [
        Endpoint(
            "POST",
            "/v1/checkins",
            reporting.post,
            "Report safe, need help or away; durable before the answer",
            "checkin.report",
            {201: answers, 200: answers},
            body=CheckinIn | Batch[CheckinIn],
            decode=READER.decode,
            body_limit=BATCH_LIMIT,
            within_s=WITHIN_S,
        ),
        Endpoint(
            "GET",
            f"{alert}/headcount",
            room.headcount,
            "The board of an alert",
            "headcount.read",
            {200: Headcount},
        ),
        Endpoint(
            "GET",
            f"{alert}/people",
            room.people,
            "The people of an alert and their answers",
            "headcount.read",
            {200: Page[AlertPerson]},
            query=PeopleQuery,
        ),
    ]
