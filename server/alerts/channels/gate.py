"""The gate before a provider: shared by all senders of a process.

A single refusal holds back its own message only. Once most answers are refusals the provider
means everybody: the gate closes for as long as it asked, and then opens by steps, one try
first, twice as many with each that is taken.
"""

import time
from collections.abc import Callable

_MEMORY = 0.9  # weight of the past in the share of refusals
_CLOSE_AT = 0.5
_LONGEST_S = 60.0
_PROBE_S = 2.0  # a probe that hangs must not keep the gate shut
_LOOK_AGAIN_S = 0.05


class Gate:
    """Ask `wait_s` before a send; tell `taken` or `refused` after each answer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._share = 0.0
        self._opens_at = 0.0
        self._pause = 1.0
        self._passes = 0
        self._passed_at = 0.0

    def held_s(self) -> float:
        """Seconds until the provider wants to hear anything; 0 when it does now."""
        return max(0.0, self._opens_at - self._clock())

    def wait_s(self) -> float:
        """Seconds to wait before asking again; 0 lets one message pass."""
        held = self.held_s()
        if held > 0 or self._share <= _CLOSE_AT:
            return held
        now = self._clock()
        if self._passes <= 0 and now - self._passed_at < _PROBE_S:
            return _LOOK_AGAIN_S
        self._passes = max(self._passes, 1) - 1
        self._passed_at = now
        return 0.0

    def taken(self) -> None:
        """The provider took, or judged, a message: it is there."""
        self._share *= _MEMORY
        self._pause = 1.0
        self._passes += 2

    def refused(self, retry_after: float | None) -> None:
        """The provider took nothing: 429, 503, or no connection."""
        self._share = self._share * _MEMORY + (1 - _MEMORY)
        self._passes = 0
        if self._share <= _CLOSE_AT or self.held_s() > 0:
            return
        pause = self._pause if retry_after is None else retry_after
        self._opens_at = self._clock() + min(pause, _LONGEST_S)
        self._pause = min(self._pause * 2, _LONGEST_S)
