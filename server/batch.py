"""Many small requests, one round trip: the batcher behind group commit and token lookup.

An idle batcher runs a lone item at once; what arrives while a batch is under way forms the
next one. So latency is one or two batch times, and throughput grows with load.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from server import log
from server.errors import Unavailable

LOGGER = log.get("batch")
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(slots=True, eq=False)
class _Entry(Generic[Item, Outcome]):
    item: Item
    future: asyncio.Future[Outcome]
    deadline: float

    def settle(self, outcome: Any) -> None:
        """Answers the caller, unless it has left or was answered before."""
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Batcher(Generic[Item, Outcome]):
    """Feeds items to `run` in batches of at most `most`, oldest first, one batch at a time.

    `run` returns one outcome an item, in order; an outcome that is an exception is raised to
    its own caller only. If `run` itself raises, every caller of that batch gets the error.
    No caller waits longer than `patience` seconds, whatever is stuck; `run` gets as long for
    a batch, then it is cancelled. A caller that leaves before its batch began is left out.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome | Exception]]],
        *,
        name: str,
        most: int = 500,
        linger: float = 0.0,
        patience: float = 4.5,
    ) -> None:
        self._run = run
        self._name = name
        self._most = most
        self._linger = linger
        self._patience = patience
        self._waiting: deque[_Entry[Item, Outcome]] = deque()
        self._running: list[_Entry[Item, Outcome]] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def submit(self, item: Item) -> Outcome:
        """The outcome of one item. Raises what `run` gave or raised for it, or Unavailable."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        entry: _Entry[Item, Outcome] = _Entry(item, loop.create_future(), deadline)
        self._waiting.append(entry)
        if self._timer is None:
            # One timer for all: entries expire in the order they came.
            self._timer = loop.call_at(deadline, self._expire)
        if self._task is None:
            # An empty context: the log fields of one request must not stick to its neighbours.
            self._task = loop.create_task(self._drain(), name=self._name, context=Context())
        return await entry.future

    @property
    def resting(self) -> bool:
        """Whether nothing is waiting or under way."""
        return self._task is None and not self._waiting

    async def idle(self) -> None:
        """Returns when nothing is waiting or under way."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _drain(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < self._most:
                    await asyncio.sleep(self._linger)
                self._running = self._next_batch()
                if self._running:
                    await self._run_batch(self._running)
                self._running = []
        finally:
            self._task = None
            self._refuse_rest()

    def _next_batch(self) -> list[_Entry[Item, Outcome]]:
        batch: list[_Entry[Item, Outcome]] = []
        while self._waiting and len(batch) < self._most:
            entry = self._waiting.popleft()
            if not entry.future.done():
                batch.append(entry)
        return batch

    async def _run_batch(self, batch: Sequence[_Entry[Item, Outcome]]) -> None:
        work = asyncio.create_task(self._outcomes(batch), name=f"{self._name}: batch")
        try:
            done, _ = await asyncio.wait([work], timeout=self._patience)
            if not done:
                await self._give_up(work)
        except asyncio.CancelledError:
            work.cancel()
            raise
        answered = done and not work.cancelled()
        outcomes = work.result() if answered else [_unanswered()] * len(batch)
        for entry, outcome in zip(batch, outcomes, strict=True):
            entry.settle(outcome)

    async def _outcomes(self, batch: Sequence[_Entry[Item, Outcome]]) -> Sequence[Any]:
        """One outcome an entry, whatever `run` does."""
        try:
            outcomes = await self._run([entry.item for entry in batch])
        except TimeoutError:
            return [_unanswered()] * len(batch)
        except Exception as error:  # every caller must hear of it, whatever it is
            return [error] * len(batch)
        if len(outcomes) == len(batch):
            return outcomes
        wrong = RuntimeError(f"{self._name}: {len(outcomes)} outcomes of {len(batch)} items")
        return [wrong] * len(batch)

    async def _give_up(self, work: asyncio.Task[Any]) -> None:
        """Cancels a batch that took too long. The next one waits for its end, within limits."""
        self._expire()
        work.cancel()
        _, stuck = await asyncio.wait([work], timeout=self._patience)
        LOGGER.warning("batch_given_up", batcher=self._name, stuck=bool(stuck))

    def _expire(self) -> None:
        """Refuses every entry whose time is up: 503 within promise 2's 5 s."""
        loop = asyncio.get_running_loop()
        now = loop.time() + 0.001  # a timer may fire a clock tick early
        open_entries = [e for e in self._running if not e.future.done()]
        for entry in open_entries:
            if entry.deadline <= now:
                entry.settle(_unanswered())
        while self._waiting and self._waiting[0].deadline <= now:
            self._waiting.popleft().settle(_unanswered())
        if self._timer is not None:
            self._timer.cancel()
        pending = [e for e in open_entries if not e.future.done()] or list(islice(self._waiting, 1))
        self._timer = loop.call_at(pending[0].deadline, self._expire) if pending else None

    def _refuse_rest(self) -> None:
        """At the end of the drain nothing is left, unless it was cancelled or has a defect."""
        for entry in (*self._running, *self._waiting):
            entry.settle(_unanswered())
        self._running = []
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _unanswered() -> Unavailable:
    return Unavailable("The database did not answer in time. Send it again.")
