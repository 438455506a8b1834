"""What one worker has seen of each way out in the last minute, by operation."""

import time
from collections import defaultdict, deque
from collections.abc import Callable

import msgspec

WINDOW_S = 60.0
_STEP_S = 5.0


class Figures(msgspec.Struct):
    """Counts of one way. `failures`: in a row, and what the last one was."""

    steps: deque[tuple[float, int]] = msgspec.field(default_factory=deque)
    fresh: int = 0  # accepted since the last mark
    failures: int = 0
    fault: str | None = None


class Meter:
    """`note` each outcome; `accepted` and `take` are read by the pulse."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ways: defaultdict[tuple[int, str, str], Figures] = defaultdict(Figures)

    def note(self, operation_id: int, channel: str, route: str, kind: str) -> None:
        """One outcome of a try; what was held back is none."""
        own = self._ways[operation_id, channel, route]
        if kind == "accepted":
            own.failures, own.fault = 0, None
            own.fresh += 1
            now = self._clock()
            if own.steps and now - own.steps[-1][0] < _STEP_S:
                own.steps[-1] = (own.steps[-1][0], own.steps[-1][1] + 1)
            else:
                own.steps.append((now, 1))
        elif kind in ("transient", "unknown"):
            own.failures, own.fault = own.failures + 1, kind
        else:  # the provider judged one message: it is there
            own.failures, own.fault = 0, None

    def of(self, operation_id: int) -> dict[tuple[str, str], tuple[int, int, str | None]]:
        """By channel and route: accepted in the last minute, failures in a row, their kind."""
        found = {}
        for (own, channel, route), figures in self._ways.items():
            if own == operation_id:
                count = self._recent(figures)
                found[channel, route] = (count, figures.failures, figures.fault)
        return found

    def take(self, operation_id: int) -> list[tuple[str, str, int]]:
        """(channel, route, accepted) since this was last asked, where there is any."""
        taken = []
        for (own, channel, route), figures in sorted(self._ways.items(), key=lambda i: i[0]):
            if own == operation_id and figures.fresh:
                taken.append((channel, route, figures.fresh))
                figures.fresh = 0
        return taken

    def _recent(self, figures: Figures) -> int:
        since = self._clock() - WINDOW_S
        while figures.steps and figures.steps[0][0] < since:
            figures.steps.popleft()
        return sum(count for _, count in figures.steps)
