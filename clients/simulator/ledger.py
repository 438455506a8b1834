"""What the stand-in was asked and answered: counters always, a log when wanted."""

import time
from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from .hub import Hub


class Record(msgspec.Struct, frozen=True):
    """One request to messages:send.

    `attempt` counts the requests with this delivery_id, this one included. `outcome`
    is `accepted`, `refused` (a fault of the message), `unauthenticated`, or the fault
    that the script played.
    """

    seq: int
    at: float
    project: str
    token: str
    delivery_id: str
    attempt: int
    outcome: str
    message_id: str


class Stats(msgspec.Struct):
    """A snapshot of the counters; `per_s` is the rate over all requests so far."""

    requests: int
    outcomes: dict[str, int]
    tokens_granted: int
    deliveries: int
    accepted_twice: int
    per_s: float
    in_flight: int
    pushed: int
    phones: int
    pending: int


class Ledger:
    """Counts every request; keeps the last `log_size` of them in `log`."""

    def __init__(self, log_size: int = 0) -> None:
        self.log: deque[Record] = deque(maxlen=log_size)
        self.outcomes: Counter[str] = Counter()
        self.attempts: dict[str, int] = {}
        self.accepted: dict[str, int] = {}
        self.requests = 0
        self.granted = 0
        self._first = 0.0
        self._last = 0.0

    def request(self, delivery_id: str) -> int:
        """Counts a request; returns which attempt of this delivery it is."""
        self._last = time.monotonic()
        self._first = self._first or self._last
        self.requests += 1
        if not delivery_id:
            return 1
        attempt = self.attempts.get(delivery_id, 0) + 1
        self.attempts[delivery_id] = attempt
        return attempt

    def outcome(
        self,
        outcome: str,
        project: str,
        token: str = "",
        delivery_id: str = "",
        attempt: int = 1,
        message_id: str = "",
    ) -> None:
        """Counts how a request ended and logs it if there is a log."""
        self.outcomes[outcome] += 1
        if message_id and delivery_id:
            self.accepted[delivery_id] = self.accepted.get(delivery_id, 0) + 1
        if self.log.maxlen:
            self.log.append(
                Record(
                    seq=self.requests,
                    at=time.time(),
                    project=project,
                    token=token,
                    delivery_id=delivery_id,
                    attempt=attempt,
                    outcome=outcome,
                    message_id=message_id,
                )
            )

    def after(self, seq: int, limit: int = 1000) -> list[Record]:
        """The logged records after `seq`, oldest first, at most `limit`."""
        found: list[Record] = []
        for record in reversed(self.log):
            if record.seq <= seq:
                break
            found.append(record)
        return found[::-1][:limit]

    def accepted_ids(self) -> Iterable[str]:
        """The delivery ids accepted at least once."""
        return self.accepted.keys()

    def stats(self, in_flight: int, hub: Hub) -> Stats:
        """The counters now; `in_flight` are the requests still unanswered."""
        span = self._last - self._first
        return Stats(
            requests=self.requests,
            outcomes=dict(self.outcomes),
            tokens_granted=self.granted,
            deliveries=len(self.attempts),
            accepted_twice=sum(1 for n in self.accepted.values() if n > 1),
            per_s=round(self.requests / span, 1) if span > 0 else 0.0,
            in_flight=in_flight,
            pushed=hub.pushed,
            phones=len(hub),
            pending=hub.pending,
        )
