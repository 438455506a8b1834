"""Many small requests, one round trip: the batcher behind group commit and token lookup.

An idle batcher runs a lone item at once; what arrives while a batch is under way forms the
next one. So latency is one or two batch times, and throughput grows with load.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from server.errors import Unavailable

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Batcher(Generic[Item, Outcome]):
    """Feeds items to `run` in batches of at most `most`, one batch at a time.

    `run` returns one outcome an item, in order; an outcome that is an exception is raised to
    its own caller only. If `run` itself raises, every caller of that batch gets the error.
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
        self._waiting: list[tuple[Item, asyncio.Future[Outcome]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Outcome:
        """The outcome of one item. Raises what `run` gave or raised for it, or Unavailable."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name=self._name)
        # One timer a batch, not one an item: see _run_batch. A batch behind a stuck one
        # is bounded by the stuck one's patience plus its own.
        return await future

    async def idle(self) -> None:
        """Returns when nothing is waiting or under way."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(self._linger)
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._run_batch(batch)
        finally:
            self._task = None

    async def _run_batch(self, batch: list[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        outcomes: Sequence[Any]
        try:
            async with asyncio.timeout(self._patience):
                outcomes = await self._run([item for item, _ in batch])
        except TimeoutError:
            outcomes = [Unavailable("The database did not answer in time. Send it again.")] * len(batch)
            self._refuse_waiting()
        except Exception as error:  # every caller must hear of it, whatever it is
            outcomes = [error] * len(batch)
        except BaseException as error:
            for _, future in batch:
                future.cancel()
            raise error
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _refuse_waiting(self) -> None:
        """After a timeout, what queued behind it is refused now: 503 within promise 2's 5 s."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(Unavailable("The database does not answer. Send it again."))
