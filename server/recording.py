"""Reports on their way to the record: group commit, one batch under way for each operation.

A domain hands in how a batch is recorded; here it is collected, tried again in halves where one
row is poison, and each caller is answered after its own batch, a repeat from the record.
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from prometheus_client import Counter as Metric
from prometheus_client import Histogram

from server import log
from server.batch import Batcher
from server.errors import BadInput, Clash, Failed, Problem


class Kept(Protocol):
    """What an earlier request left under an id."""

    @property
    def body_hash(self) -> bytes:
        """What it said, as `body_hash` makes it."""


class Said(Kept, Protocol):
    """A report on its way to the record."""

    @property
    def report_id(self) -> UUID:
        """Its id, made by whoever says it: the same at every try."""


Item = TypeVar("Item", bound=Said)
Stored = TypeVar("Stored", bound=Kept)
Recorded = TypeVar("Recorded")
Outcome = tuple[Recorded, bool]  # the record, and whether this request made it
Record = Callable[[int, Sequence[Item]], Awaitable[list[Outcome[Recorded] | Exception]]]

LOGGER = log.get("recording")
MOST = 500
# Values that no column can hold, whoever says so: the server, the driver, our own writer.
FAULTS = (asyncpg.DataError, ValueError, OverflowError)
BATCH = Histogram(
    "muster_recorded_batch_size", "Reports a transaction", ["of"], buckets=(1, 8, 32, 128, 500)
)
REFUSED = Metric("muster_recorded_poison_total", "Reports refused by the database alone", ["of"])
_ENCODER = msgspec.json.Encoder()


class Recorder(Generic[Item, Recorded]):
    """Collects the reports of one table. `record` writes a batch of one operation in one
    transaction; an outcome that is an exception is its own caller's."""

    def __init__(
        self, table: str, record: Record[Item, Recorded], wake: Callable[[int], None]
    ) -> None:
        self._table = table
        self._record = record
        self._wake = wake
        self._batchers: dict[int, Batcher[Item, Outcome[Recorded]]] = {}

    async def submit(self, operation_id: int, item: Item) -> Outcome[Recorded]:
        """Returns when the report is durable. Raises Problem for this report alone."""
        batcher = self._batchers.get(operation_id)
        if batcher is None:
            run = partial(self._run, operation_id)
            batcher = Batcher(run, name=f"{self._table} of operation {operation_id}", most=MOST)
            self._batchers[operation_id] = batcher
        return await batcher.submit(item)

    async def idle(self) -> None:
        """Returns when every report handed in has been answered."""
        for batcher in self._batchers.values():
            await batcher.idle()

    async def _run(
        self, operation_id: int, items: Sequence[Item]
    ) -> Sequence[Outcome[Recorded] | Exception]:
        BATCH.labels(self._table).observe(len(items))
        outcomes = await self.in_halves(operation_id, items)
        self._wake(operation_id)
        return outcomes

    async def in_halves(
        self, operation_id: int, items: Sequence[Item]
    ) -> list[Outcome[Recorded] | Exception]:
        """Records a batch; one that fails on a poison row is tried again in halves.

        Raises Unavailable when nothing can be written now.
        """
        try:
            return await self._record(operation_id, items)
        except (asyncpg.PostgresError, ValueError, OverflowError) as error:
            if len(items) == 1:
                return [self._refusal(error)]
        middle = len(items) // 2
        first = await self.in_halves(operation_id, items[:middle])
        return first + await self.in_halves(operation_id, items[middle:])

    def _refusal(self, error: Exception) -> Problem:
        """What the caller of a report that failed alone is told.

        Only a fault of the report itself is called one, for then its phone gives it up. All else
        (a schema of another version, a defect of ours) is the server's trouble: it is kept there.
        """
        problem: Problem
        if isinstance(error, FAULTS) or getattr(error, "table_name", None) == self._table:
            REFUSED.labels(self._table).inc()
            problem = BadInput("The record cannot be stored as it is.", code="not_storable")
        else:
            code = getattr(error, "sqlstate", None)
            LOGGER.error("report_not_recorded", kind=type(error).__name__, sqlstate=code)
            problem = Failed("This server failed to record it. Send it again.")
        problem.__cause__ = error
        return problem


# -- what a batch is made of, and what became of each


def body_hash(*said: object) -> bytes:
    """16 bytes that two requests share exactly when they say the same."""
    return hashlib.blake2b(_ENCODER.encode(said), digest_size=16).digest()


def firsts(reports: Iterable[Item]) -> list[Item]:
    """One report an id: of several the first."""
    unique: dict[UUID, Item] = {}
    for report in reports:
        unique.setdefault(report.report_id, report)
    return list(unique.values())


def again(reports: Sequence[Said], made: Collection[UUID]) -> list[UUID]:
    """Ids that this batch did not put on record, or that stand in it more than once."""
    if len(made) == len(reports):
        return []
    times = Counter(r.report_id for r in reports)
    return [key for key, count in times.items() if count > 1 or key not in made]


def outcomes(
    reports: Iterable[Item],
    made: Mapping[UUID, Recorded],
    stored: Mapping[UUID, Stored],
    refused: Mapping[UUID, Problem],
    repeat: Callable[[Item, Stored], Recorded],
) -> list[Outcome[Recorded] | Exception]:
    """What became of each report of a batch: `made` by it, `stored` under its id, or `refused`.

    The first of several with one id made the record; what is on record answers before a refusal.
    """
    fresh = dict(made)
    found: list[Outcome[Recorded] | Exception] = []
    for report in reports:
        key = report.report_id
        if key in fresh:
            found.append((fresh.pop(key), True))
        elif key not in stored:
            found.append(refused[key])
        elif stored[key].body_hash == report.body_hash:
            found.append((repeat(report, stored[key]), False))
        else:
            clash = "This id was used for another report. Make a new id."
            found.append(Clash(clash, code="id_reused"))
    return found
