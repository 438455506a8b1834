"""The worker's part of hand-overs: an offer that nobody has heard alarms both rooms, then the duty
desk, each once, by the database's clock."""

from collections.abc import Sequence
from typing import Any

from server import stream
from server.checkin.watches import store, words
from server.checkin.watches.hand_over import rules
from server.checkin.watches.hand_over.actions import SQL, note
from server.checkin.watches.hand_over.rules import Offer
from server.db import Database, retried

BATCH = 100


async def due(con: Any) -> list[int]:
    """The operations that have offers to look at now."""
    return [r[0] for r in await con.fetch(SQL.operations_due)]


@retried
async def look(
    db: Database, operation_id: int, texted: Sequence[str] = (), most: int = BATCH
) -> int:
    """Looks at a batch of offers that are due; how many it was."""
    async with db.transaction(operation_id) as con:
        rows = await con.fetch(SQL.claim, most)
        told, desk = [], []
        for row in rows:
            was = Offer(**{name: row[name] for name in Offer.__struct_fields__})
            new, what = rules.look(was, row["now"])
            if what is None:
                continue
            await con.execute(SQL.mark, new.hand_over_id, new.step, new.turn_at, new.unheard_at)
            await note(
                *(con, new.watch_id, new.hand_over_id, what, "system"),
                due_at=new.expect_by,
                late=True,
            )
            told.append(new.watch_id)
            if new.step == rules.DESK:
                desk.append(new.watch_id)
        await store.tell_desk(con, desk, texted, words.UNHEARD)
        if told:
            await stream.append(con, [store.draft(told)])
    return len(rows)
