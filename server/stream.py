"""The gapless stream of an operation: appending here, watching in `hub`.

The head row is advanced by the last statement of a transaction, so its lock makes sequence
order equal commit order, and an abort leaves no gap.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

_APPEND = """
    WITH head AS (
      UPDATE stream_head SET seq = seq + cardinality($1::text[])
      WHERE operation_id = current_operation() RETURNING seq)
    INSERT INTO event (operation_id, seq, kind, data)
    SELECT current_operation(), head.seq - cardinality($1::text[]) + e.n, e.kind, e.data::jsonb
    FROM head, unnest($1::text[], $2::text[]) WITH ORDINALITY AS e (kind, data, n)
    RETURNING seq
"""
_AFTER = "SELECT seq, kind, data FROM event WHERE seq > $1 ORDER BY seq LIMIT $2"
_HEAD = "SELECT seq FROM stream_head"


class Draft(msgspec.Struct, frozen=True):
    """An event about to be appended: its kind and data of plain JSON values."""

    kind: str
    data: Any


class Event(msgspec.Struct, frozen=True):
    """An event on record."""

    seq: int
    kind: str
    data: Any


async def append(con: Any, drafts: Sequence[Draft]) -> int:
    """Appends events as the last statement of the caller's transaction.

    Returns the number of the last one; k events take k consecutive numbers. The operation's
    head stays locked until the transaction ends, so nothing may follow but the commit.
    """
    kinds = [d.kind for d in drafts]
    texts = [msgspec.json.encode(d.data).decode() for d in drafts]
    rows = await con.fetch(_APPEND, kinds, texts)
    return max(int(r["seq"]) for r in rows)


async def read_after(con: Any, seq: int, most: int = 1000) -> list[Event]:
    """Up to `most` events after `seq`, in order."""
    rows = await con.fetch(_AFTER, seq, most)
    return [Event(r["seq"], r["kind"], msgspec.json.decode(r["data"])) for r in rows]


async def head(con: Any) -> int:
    """The number of the newest event."""
    return int(await con.fetchval(_HEAD))
