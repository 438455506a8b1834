"""Who has not been reached: everybody an alert means to reach is reached, or named here."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from server.alerts import store
from server.alerts.actions import NO_ALERT
from server.alerts.deliveries.store import SQL
from server.alerts.messages import PlainQuery
from server.alerts.store import Sight
from server.db import Database
from server.errors import NotFound
from server.paging import Page, page
from server.people.messages import AreaName, PersonName

Farthest = Literal["nothing", "failed", "unknown", "waiting", "accepted"]
FARTHEST: Sequence[Farthest] = ("nothing", "failed", "unknown", "waiting", "accepted")
_REASONS = {
    "nothing": "no app that takes push, and no number that an SMS route serves",
    "failed": "no channel took the message",
    "unknown": "nobody can say whether a message was taken",
    "waiting": "messages wait to be sent",
    "accepted": "taken by the provider; no word that it arrived",
}


class UnreachedOut(msgspec.Struct, frozen=True):
    """Somebody silent, of whom no message is known to have arrived.

    farthest: how far any message came. reason: why, in words; the provider's own where there is
    one. node and warden: who answers for her now; null: the duty desk.
    """

    person: PersonName
    category: str
    area: AreaName
    phone: str | None
    farthest: Farthest
    reason: str
    channels: list[str]
    node: str | None
    warden: PersonName | None


async def unreached(
    db: Database, operation_id: int, sight: Sight, alert_id: UUID, query: PlainQuery
) -> Page[UnreachedOut]:
    """One page, the worst first. Raises NotFound for an alert outside the caller's sight."""
    rank, ref = query.after(int, str)
    async with db.transaction(operation_id, lane="report") as con:
        if not await store.sees(con, alert_id, sight):
            raise NotFound(NO_ALERT)
        args = (alert_id, sight.areas, sight.people, rank, ref, query.limit + 1)
        rows = await con.fetch(SQL.unreached, *args)
    path = f"/v1/alerts/{alert_id}/unreached"
    return page(path, query, rows, lambda r: (r["rank"], r["ref"]), _shown)


def _shown(row: Any) -> UnreachedOut:
    farthest = FARTHEST[row["rank"]]
    leader = row["leader_ref"]
    return UnreachedOut(
        person=PersonName(row["ref"], row["name"]),
        category=row["category"],
        area=AreaName(row["area_code"], row["area_name"]),
        phone=row["phone"],
        farthest=farthest,
        reason=_reason(row, farthest),
        channels=row["channels"],
        node=row["node"] or None,
        warden=None if leader is None else PersonName(leader, row["leader_name"]),
    )


def _reason(row: Any, farthest: Farthest) -> str:
    if farthest == "nothing" and row["branch"] in ("waiting", "asked"):
        return "her branch of the tree is not open yet"
    fault = row["fault"] if farthest in ("failed", "unknown", "waiting") else None
    return f"{_REASONS[farthest]}: {fault}" if fault else _REASONS[farthest]
