"""Reports on their way to the record: group commit, one batch under way for each operation.

A domain hands in how a batch is recorded; here it is collected, tried again in halves where one
row is poison, and each caller is answered after its own batch.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

import asyncpg
from prometheus_client import Counter, Histogram

from server import log
from server.batch import Batcher
from server.errors import BadInput, Failed, Problem

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Record = Callable[[int, Sequence[Item]], Awaitable[list[Outcome | Exception]]]

LOGGER = log.get("recording")
MOST = 500
# Values that no column can hold, whoever says so: the server, the driver, our own writer.
FAULTS = (asyncpg.DataError, ValueError, OverflowError)
BATCH = Histogram(
    "muster_recorded_batch_size", "Reports a transaction", ["of"], buckets=(1, 8, 32, 128, 500)
)
REFUSED = Counter("muster_recorded_poison_total", "Reports refused by the database alone", ["of"])


class Recorder(Generic[Item, Outcome]):
    """Collects the reports of one table. `record` writes a batch of one operation in one
    transaction; an outcome that is an exception is its own caller's."""

    def __init__(
        self, table: str, record: Record[Item, Outcome], wake: Callable[[int], None]
    ) -> None:
        self._table = table
        self._record = record
        self._wake = wake
        self._batchers: dict[int, Batcher[Item, Outcome]] = {}

    async def submit(self, operation_id: int, item: Item) -> Outcome:
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

    async def _run(self, operation_id: int, items: Sequence[Item]) -> Sequence[Outcome | Exception]:
        BATCH.labels(self._table).observe(len(items))
        outcomes = await self.in_halves(operation_id, items)
        self._wake(operation_id)
        return outcomes

    async def in_halves(
        self, operation_id: int, items: Sequence[Item]
    ) -> list[Outcome | Exception]:
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
