"""Named tasks and the ordered end."""

import asyncio
import gc

import pytest

from server.supervise import Supervisor, forever, settled


async def test_steps_run_in_order_and_a_stuck_one_holds_nobody_up() -> None:
    supervisor, done = Supervisor(), []

    async def step(name: str, seconds: float = 0) -> None:
        await asyncio.sleep(seconds)
        done.append(name)

    supervisor.on_stop("first", lambda: step("first"), 1)
    supervisor.on_stop("stuck", lambda: step("stuck", 60), 0.05)
    supervisor.on_stop("last", lambda: step("last"), 1)
    supervisor.run("idle", asyncio.sleep(60))
    supervisor.stop("test")
    assert await asyncio.wait_for(supervisor.until_stopped(), 5)
    assert done == ["first", "last"]


async def test_a_task_that_dies_ends_the_process_and_says_so() -> None:
    supervisor = Supervisor()

    async def die() -> None:
        raise RuntimeError("broken")

    supervisor.run("heart", die())
    assert not await asyncio.wait_for(supervisor.until_stopped(), 5)
    assert supervisor.reason == "task heart ended"


async def test_a_failing_turn_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    enough = asyncio.Event()

    async def turn() -> bool:
        turns.append("turn")
        if len(turns) == 1:
            raise OSError("away")
        if len(turns) > 3:
            enough.set()
        return len(turns) < 4

    task = asyncio.create_task(forever("test", turn, 0.01))
    await asyncio.wait_for(enough.wait(), 5)
    task.cancel()


def test_what_a_process_is_made_of_is_not_looked_at_again() -> None:
    before = gc.get_threshold()
    try:
        settled()
        frozen = gc.get_freeze_count()
        looked_at = len(gc.get_objects())
        assert looked_at < frozen / 10
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
