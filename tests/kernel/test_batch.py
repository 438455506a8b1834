"""The batcher: each caller gets its own outcome, in time, whatever happens to its neighbours."""

import asyncio
import contextvars
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.batch import Batcher
from server.errors import Unavailable

# What becomes of an item: its double, its own error, or its whole batch fails or is short.
FATES = st.sampled_from(["double", "double", "double", "own error", "batch error", "short"])


class Run:
    """A `run` that does to each item what its fate says, and keeps the batches it was given."""

    def __init__(self, fates: Sequence[str], takes: float = 0.0) -> None:
        self.fates = fates
        self.takes = takes
        self.batches: list[list[int]] = []
        self.at_once = 0

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.at_once += 1
        assert self.at_once == 1, "one batch at a time"
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.at_once -= 1
        if any(self.fates[i] == "batch error" for i in items):
            raise ZeroDivisionError
        outcomes: list[int | Exception] = [
            ValueError(i) if self.fates[i] == "own error" else 2 * i for i in items
        ]
        return outcomes[1:] if any(self.fates[i] == "short" for i in items) else outcomes

    def neighbours(self, item: int) -> list[str]:
        return [self.fates[i] for batch in self.batches if item in batch for i in batch]


def expected(run: Run, item: int) -> type[Exception] | int:
    around = run.neighbours(item)
    if "batch error" in around:
        return ZeroDivisionError
    if "short" in around:
        return RuntimeError
    return ValueError if run.fates[item] == "own error" else 2 * item


@given(st.lists(FATES, min_size=1, max_size=30), st.integers(1, 7), st.data())
@settings(max_examples=150, deadline=None)
def test_every_caller_gets_its_own_outcome(fates: list[str], most: int, data: Any) -> None:
    leavers = data.draw(st.sets(st.integers(0, len(fates) - 1)))
    pauses = data.draw(st.lists(st.booleans(), min_size=len(fates), max_size=len(fates)))

    async def scenario() -> None:
        run = Run(fates)
        batcher: Batcher[int, int] = Batcher(run, name="test", most=most)
        callers = []
        for item, pause in enumerate(pauses):
            callers.append(asyncio.create_task(batcher.submit(item)))
            if pause:
                await asyncio.sleep(0)
        for item in leavers:
            callers[item].cancel()
        got = await asyncio.gather(*callers, return_exceptions=True)
        await batcher.idle()
        for item, outcome in enumerate(got):
            if isinstance(outcome, asyncio.CancelledError):
                assert item in leavers
                continue
            wanted = expected(run, item)
            assert outcome == wanted or type(outcome) is wanted
        handed = [i for batch in run.batches for i in batch]
        assert handed == sorted(handed), "oldest first, none twice"
        assert all(1 <= len(batch) <= most for batch in run.batches)
        assert set(range(len(fates))) - leavers <= set(handed)

    asyncio.run(scenario())


async def test_a_caller_that_leaves_before_its_batch_is_left_out() -> None:
    run = Run(["double"] * 3, takes=0.02)
    batcher: Batcher[int, int] = Batcher(run, name="test")
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.sleep(0.005)
    leaver, stayer = (asyncio.create_task(batcher.submit(i)) for i in (1, 2))
    await asyncio.sleep(0)
    leaver.cancel()
    assert list(await asyncio.gather(first, stayer)) == [0, 4]
    assert run.batches == [[0], [2]]


async def test_a_caller_that_leaves_a_running_batch_disturbs_nobody() -> None:
    run = Run(["double"] * 2, takes=0.02)
    batcher: Batcher[int, int] = Batcher(run, name="test")
    callers = [asyncio.create_task(batcher.submit(i)) for i in (0, 1)]
    await asyncio.sleep(0.01)
    callers[0].cancel()
    assert await callers[1] == 2
    assert run.batches == [[0, 1]]


async def test_nobody_waits_longer_than_the_patience_however_long_the_queue() -> None:
    run = Run(["double"] * 50, takes=0.5)  # slow, but never stuck: 5 s for all
    batcher: Batcher[int, int] = Batcher(run, name="test", most=5, patience=1.3)

    async def timed(item: int) -> tuple[Any, float]:
        started = time.monotonic()
        try:
            return await batcher.submit(item), time.monotonic() - started
        except Unavailable as refusal:
            return refusal, time.monotonic() - started

    outcomes = await asyncio.gather(*(timed(i) for i in range(50)))
    assert max(took for _, took in outcomes) < 3
    assert [o for o, _ in outcomes[:10]] == [2 * i for i in range(10)]
    assert isinstance(outcomes[-1][0], Unavailable)
    await batcher.idle()
    assert len(run.batches) <= 4, "what was refused is not run as well"


async def test_a_stuck_batch_is_cancelled_and_the_next_one_served() -> None:
    seen: list[Sequence[int]] = []
    cleared = False

    async def run(items: Sequence[int]) -> Sequence[int]:
        nonlocal cleared
        seen.append(list(items))
        if items == [0]:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.05)  # as a rollback takes its time
                cleared = True
        return items

    batcher: Batcher[int, int] = Batcher(run, name="test", patience=0.5)
    with pytest.raises(Unavailable):
        await batcher.submit(0)
    assert not cleared, "the caller does not wait for the clearing up"
    assert await batcher.submit(1) == 1
    assert seen == [[0], [1]]


async def test_a_batch_that_will_not_end_does_not_hold_up_the_rest_for_good() -> None:
    release = asyncio.Event()

    async def run(items: Sequence[int]) -> Sequence[int]:
        while items == [0] and not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return items

    batcher: Batcher[int, int] = Batcher(run, name="test", patience=0.05)
    with pytest.raises(Unavailable):
        await batcher.submit(0)
    outcomes: list[int | BaseException] = []
    while len(outcomes) < 5 and 1 not in outcomes:
        outcomes += await asyncio.gather(batcher.submit(1), return_exceptions=True)
    assert outcomes[-1] == 1
    release.set()
    await asyncio.sleep(0.01)


async def test_an_inner_timeout_or_cancellation_is_an_answer_that_may_be_repeated() -> None:
    async def run(items: Sequence[int]) -> Sequence[int]:
        if items == [0]:
            raise TimeoutError
        if items == [1]:
            raise asyncio.CancelledError
        return items

    batcher: Batcher[int, int] = Batcher(run, name="test", most=1)
    first, second, third = await asyncio.gather(
        *(batcher.submit(i) for i in range(3)), return_exceptions=True
    )
    assert isinstance(first, Unavailable)
    assert isinstance(second, Unavailable)
    assert third == 2


async def test_a_cancelled_batcher_leaves_no_caller_hanging() -> None:
    run = Run(["double"] * 4, takes=60)
    batcher: Batcher[int, int] = Batcher(run, name="to be cancelled", most=2)
    callers = [asyncio.create_task(batcher.submit(i)) for i in range(4)]
    await asyncio.sleep(0.01)
    (drain,) = [t for t in asyncio.all_tasks() if t.get_name() == "to be cancelled"]
    drain.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), 1)
    assert {type(o) for o in outcomes} == {Unavailable}
    run.takes = 0
    assert await batcher.submit(3) == 6, "and it serves again"


async def test_what_arrives_during_a_batch_forms_the_next_one() -> None:
    run = Run(["double"] * 100, takes=0.01)
    batcher: Batcher[int, int] = Batcher(run, name="test", most=60)
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.sleep(0.005)
    rest = [asyncio.create_task(batcher.submit(i)) for i in range(1, 100)]
    await asyncio.gather(first, *rest)
    assert [len(b) for b in run.batches] == [1, 60, 39]


async def test_log_fields_of_one_request_do_not_stick_to_the_batch() -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")

    async def run(items: Sequence[int]) -> Sequence[str]:
        return [request.get()] * len(items)

    batcher: Batcher[int, str] = Batcher(run, name="test")
    request.set("somebody's")
    assert await batcher.submit(0) == "none"


async def test_an_idle_batcher_holds_no_timer_and_no_task() -> None:
    batcher: Batcher[int, int] = Batcher(Run(["double"]), name="test")
    await batcher.submit(0)
    await batcher.idle()
    assert batcher._timer is None
    assert batcher._task is None
