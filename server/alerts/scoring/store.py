"""Scores, read and kept. Every function takes the connection of a transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from server.alerts.scoring import rules
from server.alerts.scoring.messages import Score
from server.db import named_sql

SQL = named_sql(__file__)


async def score(con: Any, alert_id: UUID) -> Score | None:
    """An alert's score: the kept one, or as of now; None where there is no such alert."""
    kept = await con.fetchval(SQL.kept, alert_id)
    if kept is not None:
        return msgspec.json.decode(kept, type=Score)
    return await computed(con, alert_id, final=False)


async def computed(con: Any, alert_id: UUID, *, final: bool) -> Score | None:
    """An alert's score as of now."""
    head = await con.fetchrow(SQL.head, alert_id)
    if head is None:
        return None
    rows = [dict(r) for r in await con.fetch(SQL.lines, alert_id)]
    return Score(
        alert_id=alert_id,
        title=head["title"],
        exercise=head["exercise"],
        state=head["state"],
        opened_at=head["opened_at"],
        closed_at=head["closed_at"],
        as_of=head["now"],
        final=final,
        total=rules.total(rows),
        nodes=rules.by_node(rows),
        categories=rules.by_category(rows),
    )


async def keep(con: Any, alert_id: UUID) -> None:
    """Keeps the score of an exercise, in the transaction that ends it: reports are held off, so
    nothing later can be in it. Alerts that are no exercise, or never opened, have none to keep."""
    head = await con.fetchrow(SQL.head, alert_id)
    if head is None or not head["exercise"] or head["opened_at"] is None:
        return
    found = await computed(con, alert_id, final=True)
    text = msgspec.json.encode(found).decode()
    await con.execute(SQL.keep, alert_id, head["closed_at"], text)


async def history(con: Any, before: datetime | None, alert_id: UUID | None, most: int) -> list[Any]:
    """Kept scores as (ended_at, alert_id, Score), newest first."""
    return [
        (r["ended_at"], r["alert_id"], msgspec.json.decode(r["score"], type=Score))
        for r in await con.fetch(SQL.history, before, alert_id, most)
    ]
