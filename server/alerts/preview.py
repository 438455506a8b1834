"""What an alert would do, before it does anything: whom, how many, by which ways, how long."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from server.alerts import audience as audiences
from server.alerts import rules
from server.alerts.audience import Resolved
from server.alerts.deliveries.store import PUSH_KINDS
from server.alerts.messages import Channels, Matched, Preview, PreviewIn, Tally, Unreachable
from server.alerts.segments import Segments, segments
from server.alerts.store import SQL
from server.auth import Principal, Scope
from server.db import Database

MOST_LISTED = 500
_NO_SMS = Segments("", 0, 0)
_REASONS = {
    "dead": "The app on the phone can no longer be reached, and no warden covers this person.",
    "web": "The phone's browser push is not sent to yet, and no warden covers this person.",
    "phone": "No app is enrolled, texting is not set up, and no warden covers this person.",
    "nothing": "No app, no phone number, and no warden covers this person.",
}


async def preview(
    db: Database, who: Principal, scope: Scope, body: PreviewIn, connections: int
) -> Preview:
    """Resolves an audience as opening would. `connections`: to the push provider.

    Raises BadInput as POST /v1/alerts does.
    """
    async with db.transaction(who.operation_id, snapshot=True) as con:
        await audiences.check(con, body.audience, scope)
        now: datetime = await con.fetchval(SQL.clock)
        asked = dict([audiences.kind_of(body.audience)])
        chosen = await audiences.resolve(con, asked, now)
        within = audiences.within(who, scope)
        rows = await con.fetch(SQL.audience, *chosen.args(body.incident_id, within))
        ids = [r["person_id"] for r in rows]
        groups = await con.fetch(SQL.preview_groups, ids)
        lost = await con.fetch(SQL.unreachable, ids, MOST_LISTED)
        pushes = await con.fetchval(SQL.count_pushes, ids, PUSH_KINDS)
        matched = await _matched(con, chosen, within, Counter(r["matched"] for r in rows))
    return Preview(
        **_counted(groups),
        unreachable=[Unreachable(r["ref"], r["name"], _REASONS[r["reason"]]) for r in lost],
        **_texts(body.sms_text),
        cost=None,
        finish_s=rules.finish_seconds(pushes, connections),
        matched=matched,
    )


async def _matched(
    con: Any, chosen: Resolved, within: int | None, how: Counter[str]
) -> Matched | None:
    if chosen.kind != "polygon":
        return None
    unplaced = await con.fetchval(SQL.count_unplaced, chosen.placed, within)
    return Matched(how["position"], how["area"], unplaced)


def _counted(groups: list[Any]) -> dict[str, Any]:
    population = sum(g["people"] for g in groups)
    family = sum(g["people"] for g in groups if g["category"] == "family")
    ways: Counter[str] = Counter()
    for g in groups:
        ways[g["reach"]] += g["people"]
    return {
        "people": population - family,
        "family": family,
        "population": population,
        "by_area": _tallies((g["code"], g["name"], g["people"]) for g in groups),
        "by_category": _tallies((g["category"], g["category"], g["people"]) for g in groups),
        "channels": Channels(**ways),
    }


def _tallies(groups: Iterable[tuple[str, str, int]]) -> list[Tally]:
    sums: Counter[tuple[str, str]] = Counter()
    for key, label, people in groups:
        sums[key, label] += people
    return [Tally(key, label, count) for (key, label), count in sorted(sums.items())]


def _texts(sms_text: str | None) -> dict[str, Any]:
    found = _NO_SMS if sms_text is None else segments(sms_text)
    return {"segments": found.count, "encoding": found.encoding or None}
