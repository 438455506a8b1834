"""Named long tasks and an ordered end.

A task that dies takes the process down with it, loudly: a half-alive server would show an
unknown as a known. Stopping is a list of steps in order, each with its reason in the log.
"""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from server import log

LOGGER = log.get("supervise")
YOUNG = 10_000  # objects made until the collector looks at the young ones


class Supervisor:
    """Runs named tasks until one fails or a stop is asked for, then stops in order."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._steps: list[tuple[str, Callable[[], Awaitable[object]], float]] = []
        self.stopping = asyncio.Event()
        self.reason = ""

    def run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Starts a task that is expected to run until the stop."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks[name] = task

    def on_stop(self, name: str, step: Callable[[], Awaitable[object]], within_s: float) -> None:
        """Adds a step of the ordered stop; steps run in the order they were added."""
        self._steps.append((name, step, within_s))

    def stop(self, reason: str) -> None:
        """Asks for the stop. The first reason stands."""
        if not self.stopping.is_set():
            self.reason = reason
            LOGGER.info("stopping", reason=reason)
            self.stopping.set()

    async def end(self, *names: str) -> None:
        """Cancels some tasks and waits for them: a step of the stop."""
        tasks = [self._tasks[name] for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def until_stopped(self) -> bool:
        """Waits for the stop, runs its steps and cancels the tasks. True if it was orderly."""
        await self.stopping.wait()
        for name, step, within_s in self._steps:
            try:
                await asyncio.wait_for(step(), within_s)
            except Exception as error:
                LOGGER.warning("stop_step_failed", step=name, kind=type(error).__name__)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        return not self.reason.startswith("task ")

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.stopping.is_set():
            return
        error = task.exception()
        LOGGER.error("task_ended", task=task.get_name(), exc_info=error)
        self.stop(f"task {task.get_name()} ended")


def stop_on_signals(supervisor: Supervisor) -> None:
    """SIGTERM and SIGINT ask for the ordered stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop, signal.Signals(number).name)


async def forever(name: str, turn: Callable[[], Awaitable[bool]], idle_s: float) -> None:
    """Repeats `turn`: at once while it finds work (True), else after `idle_s` seconds.

    A turn that fails is logged and repeated with growing pauses up to 5 s: the database may
    be away for a while, and the work is still on record.
    """
    pause = idle_s
    while True:
        try:
            busy = await turn()
            pause = idle_s
        except Exception as error:
            LOGGER.warning("turn_failed", task=name, kind=type(error).__name__)
            busy, pause = False, min(max(pause, 0.1) * 2, 5.0)
        if not busy:
            await asyncio.sleep(pause)


async def every(name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Does `work` each so many seconds: housekeeping, whose failure must end nothing else.

    A time it fails is logged; the next one comes as if it had not.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:
            LOGGER.warning("turn_failed", task=name, kind=type(error).__name__)


def settled() -> None:
    """What the process is made of by now stays for good: the collector looks at the rest alone.

    Going over all modules again and again took a fifth of an API process under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)
