"""The gapless stream of an operation: appending and keeping it here, watching it in `hub`.

The head row is advanced by the last statement of a transaction, so its lock makes sequence
order equal commit order, and an abort leaves no gap.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from server.db import Database

KEEP_S = 7 * 86_400.0
KEEP_NEWEST = 100_000
TRIM_MOST = 2_000

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
# Only a run of old events from the oldest on: what is kept has no hole, whatever a clock did.
_TRIM = """
    WITH oldest AS (
      SELECT seq, created_at FROM event
      WHERE seq <= (SELECT seq FROM stream_head) - $2 ORDER BY seq LIMIT $3),
    run AS (
      SELECT seq, bool_and(created_at < clock_timestamp() - make_interval(secs => $1))
                    OVER (ORDER BY seq) AS old
      FROM oldest)
    DELETE FROM event WHERE operation_id = current_operation()
                        AND seq <= (SELECT max(seq) FROM run WHERE old)
    RETURNING 1
"""


class Draft(msgspec.Struct, frozen=True):
    """An event about to be appended: its kind and data of plain JSON values."""

    kind: str
    data: Any


class Event(msgspec.Struct, frozen=True):
    """An event on record."""

    seq: int
    kind: str
    data: Any
    size: int = 0  # of `data` as JSON text, for who keeps events in memory


async def append(con: Any, drafts: Sequence[Draft]) -> int:
    """Appends events as the last statement of the caller's transaction.

    Returns the number of the last one; k events take k consecutive numbers. The operation's
    head stays locked until the transaction ends, so nothing may follow but the commit.
    No drafts: nothing happens. Raises LookupError for an operation without a stream.
    """
    if not drafts:
        return await head(con)
    kinds = [d.kind for d in drafts]
    texts = [msgspec.json.encode(d.data).decode() for d in drafts]
    rows = await con.fetch(_APPEND, kinds, texts)
    if not rows:
        raise LookupError("this operation has no stream_head")
    return max(int(r["seq"]) for r in rows)


async def read_after(con: Any, seq: int, most: int = 1000) -> list[Event]:
    """Up to `most` events after `seq`, in order."""
    rows = await con.fetch(_AFTER, seq, most)
    return [_event(r["seq"], r["kind"], r["data"]) for r in rows]


def _event(seq: int, kind: str, text: str) -> Event:
    return Event(seq, kind, msgspec.json.decode(text), len(text))


async def head(con: Any) -> int:
    """The number of the newest event. Raises LookupError for an operation without a stream."""
    seq = await con.fetchval(_HEAD)
    if seq is None:
        raise LookupError("this operation has no stream_head")
    return int(seq)


async def trim_events(
    database: Database, keep_s: float = KEEP_S, keep_newest: int = KEEP_NEWEST
) -> int:
    """Deletes events older than `keep_s` seconds, but none of an operation's newest ones.

    A transaction takes TRIM_MOST of them, so that nobody waits for it. Returns how many went.
    A viewer that is further behind is told to refetch.
    """
    total = 0
    for operation_id in await database.operations():
        gone = TRIM_MOST
        while gone == TRIM_MOST:
            rows = await database.fetch(operation_id, _TRIM, keep_s, keep_newest, TRIM_MOST)
            gone = len(rows)
            total += gone
    return total
