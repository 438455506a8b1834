"""What an alert would do, before it does anything: whom, how many, by which ways, how long."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any

import msgspec

from server.alerts import audience as audiences
from server.alerts import rules
from server.alerts.audience import Resolved
from server.alerts.channels.sms.routes import ranked
from server.alerts.channels.wording import text
from server.alerts.deliveries.store import PUSH_KINDS
from server.alerts.messages import Channels, Cost, Matched, Preview, PreviewIn, Tally, Unreachable
from server.alerts.segments import Segments, segments
from server.alerts.store import SQL
from server.auth import Principal, Scope
from server.db import Database
from server.people.asking import sample_code
from server.texting import SmsRoute

MOST_LISTED = 500
_NO_SMS = Segments("", 0, 0)


class Ways(msgspec.Struct, frozen=True):
    """What carries messages: connections to the push provider, SMS routes; and what is `served`
    by all ways but push."""

    connections: int
    sms: tuple[SmsRoute, ...] = ()
    served: tuple[str, ...] = ()


class Texting(msgspec.Struct, frozen=True):
    """What the texts of an alert take."""

    size: Segments
    cost: list[Cost]
    finish_s: int


_REASONS = {
    "dead": "The app on the phone can no longer be reached, and no warden covers this person.",
    "web": "The phone's browser push is not sent to yet, and no warden covers this person.",
    "phone": "No app is enrolled, no SMS route serves the number, and no warden covers her.",
    "nothing": "No app, no phone number, and no warden covers this person.",
}


async def preview(
    db: Database, who: Principal, scope: Scope, body: PreviewIn, ways: Ways
) -> Preview:
    """Resolves an audience as opening would.

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
        served = list(ways.served)
        groups = await con.fetch(SQL.preview_groups, ids, served)
        lost = await con.fetch(SQL.unreachable, ids, MOST_LISTED, served)
        everybody = body.severity == "life_safety"
        planned = await con.fetch(SQL.texts_planned, ids, served, everybody)
        pushes = await con.fetchval(SQL.count_pushes, ids, PUSH_KINDS)
        matched = await _matched(con, chosen, within, Counter(r["matched"] for r in rows))
    code = sample_code(len(ids))
    plan = texting(ways.sms, [tuple(r) for r in planned], body.sms_text, body.exercise, code)
    return Preview(
        **_counted(groups),
        unreachable=[Unreachable(r["ref"], r["name"], _REASONS[r["reason"]]) for r in lost],
        segments=plan.size.count,
        encoding=plan.size.encoding or None,  # type: ignore[arg-type]
        cost=plan.cost if ways.sms else None,
        finish_s=max(rules.finish_seconds(pushes, ways.connections), plan.finish_s),
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


def texting(
    routes: Sequence[SmsRoute],
    people: Iterable[tuple[str | None, str, int]],
    sms_text: str | None,
    exercise: bool,
    code: str,
) -> Texting:
    """The texts to (language, number, people): the longest, all their cost, their time.

    `code`: any one as long as those that go out with them.
    """
    asked = partial(text, exercise=exercise, code=code)
    size = segments(asked(None, sms_text)) if sms_text is not None else _NO_SMS
    sizes: dict[str | None, Segments] = {}
    cost: Counter[str] = Counter()
    load: Counter[tuple[str, ...]] = Counter()
    for language, number, count in people:
        own = sizes.get(language) or segments(asked(language, sms_text))
        sizes[language] = own
        rank = ranked(routes, number)[0]
        load[tuple(r.name for r in rank)] += own.count * count
        cost[rank[0].currency] += own.count * count * rank[0].price_micro
    rates = {r.name: r.per_s for r in routes}
    finish_s = max((n / sum(rates[r] for r in names) for names, n in load.items()), default=0.0)
    longest = max([size, *sizes.values()], key=lambda s: s.count)
    return Texting(longest, [Cost(*c) for c in sorted(cost.items())], ceil(finish_s))
