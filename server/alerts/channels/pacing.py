"""Rates and health of ways out of the house, within one process. No I/O; clocks from outside."""

from collections.abc import Callable

from server.alerts.channels import Health
from server.alerts.channels.gate import Gate

FAILURES = 3  # in a row: the way is left alone
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 300.0
PROBE_S = 10.0  # a probe that hangs must not keep a way shut for good
LONGEST_HOLD_S = 120.0
LATE_S = (
    5.0  # whoever was told to come back may be so late, and by a share of how long it was to be
)
LATE_SHARE = 0.05

Clock = Callable[[], float]


class Bucket:
    """`per_s` tokens a second, at most `burst` saved up. A text may borrow for its parts."""

    def __init__(self, per_s: float, burst: float, clock: Clock) -> None:
        self._per_s, self._burst, self._clock = per_s, max(burst, 1.0), clock
        self._level, self._at = self._burst, clock()

    @property
    def per_s(self) -> float:
        """The rate."""
        return self._per_s

    def pace(self, per_s: float, burst: float) -> None:
        """Another rate from now on."""
        self._level = min(self.level(), max(burst, 1.0))
        self._per_s, self._burst = per_s, max(burst, 1.0)

    def wait_s(self) -> float:
        """Seconds until there is a token; 0: now."""
        return 0.0 if self.free() else (1.0 - self.level()) / self._per_s

    def level(self) -> float:
        """Tokens there are; below 0 while borrowed ones come in."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._per_s)
        self._at = now
        return self._level

    def free(self) -> bool:
        """Whether a text may go now."""
        return self.level() >= 1.0 - 1e-9

    def take(self, tokens: int) -> None:
        """Takes tokens, also such as are not there yet."""
        self._level = self.level() - tokens

    def give_back(self, tokens: int) -> None:
        """What was taken for a text that never went."""
        self._level = min(self._burst, self.level() + tokens)


class Turns:
    """Who waits for a bucket's tokens, by rank: 0 first. No rank waits for a later one.

    Whoever was told to come back counts as waiting until served, or until clearly too late.
    """

    def __init__(self, bucket: Bucket, clock: Clock) -> None:
        self._bucket, self._clock = bucket, clock
        self._next: dict[int, float] = {}  # the turn after the last one given, by rank
        self._waiting: dict[int, dict[str, tuple[float, float]]] = {}  # turn and end of belief

    def free(self, rank: int, tokens: int) -> bool:
        """Whether one of this rank may go now, and nobody of an earlier one waits for it."""
        if not self._bucket.free():
            return False
        before = self._clock() + tokens / self._bucket.per_s
        turns = (self._soonest(r) for r in self._waiting if r < rank)
        return all(turn is None or turn >= before for turn in turns)

    def wait_s(self, rank: int) -> float:
        """Seconds until the turn of one who may not go now, after all who wait before her."""
        # a token that is there and yet not given is another's: the next one comes after it
        soonest = self._clock() + (self._bucket.wait_s() or 1.0 / self._bucket.per_s)
        ahead = [r for r in self._waiting if r <= rank and self._soonest(r) is not None]
        turn = max([soonest, *(self._next[r] for r in ahead)])
        return min(turn - self._clock(), LONGEST_HOLD_S)

    def promise(self, who: str, rank: int, tokens: int) -> float:
        """Gives that turn to one who waits; the next of a rank gets a later one."""
        wait_s = self.wait_s(rank)
        turn = self._clock() + wait_s
        self._next[rank] = turn + tokens / self._bucket.per_s
        late = turn + LATE_S + LATE_SHARE * wait_s
        self._waiting.setdefault(rank, {})[who] = (turn, late)
        return wait_s

    def forget(self, who: str) -> None:
        """One who is here again, or was served elsewhere, waits no more."""
        for waiting in self._waiting.values():
            waiting.pop(who, None)

    def _soonest(self, rank: int) -> float | None:
        """The first turn given to one of a rank who still waits."""
        waiting = self._waiting[rank]
        while waiting:  # in the order of their turns
            who, (turn, late) = next(iter(waiting.items()))
            if late > self._clock():
                return turn
            del waiting[who]
        return None


class Circuit:
    """Health of a way out: after failures in a row it is left alone, then tried with one message.

    `failures` in a row open it, for `first_s` and twice as long each time, at most `longest_s`.
    """

    def __init__(
        self,
        clock: Clock,
        failures: int = FAILURES,
        first_s: float = FIRST_PAUSE_S,
        longest_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._clock = clock
        self._most, self._first_s, self._longest_s = failures, first_s, longest_s
        self._in_row, self._pause_s = 0, first_s
        self._opens_at = 0.0
        self._on_trial = False

    @property
    def in_row(self) -> int:
        """Failures since the last success."""
        return self._in_row

    def wait_s(self) -> float:
        """Seconds until it may be used; 0: now."""
        return max(0.0, self._opens_at - self._clock())

    def used(self) -> None:
        """A message goes out; while the way is on trial no other does for a while."""
        if self._in_row >= self._most:
            self._opens_at = self._clock() + PROBE_S
            self._on_trial = True

    def succeeded(self) -> None:
        """It took, or judged, a message."""
        self._in_row, self._pause_s, self._opens_at = 0, self._first_s, 0.0
        self._on_trial = False

    def failed(self, retry_after: float | None = None) -> None:
        """It took nothing, or did not answer. What it asks for is granted at once.

        What was under way when the pause began says nothing new: only a failed trial makes the
        next pause longer.
        """
        self._in_row += 1
        if retry_after is not None:
            self._in_row = max(self._in_row, self._most)
        if self._in_row < self._most:
            return
        known = self.wait_s() > 0 and not self._on_trial
        self._on_trial = False
        pause = max(0.0 if known else self._pause_s, min(retry_after or 0.0, self._longest_s))
        self._opens_at = max(self._opens_at, self._clock() + pause)
        if not known:
            self._pause_s = min(self._pause_s * 2, self._longest_s)


def health_of(circuit: Circuit, gate: Gate | None = None, bucket: Bucket | None = None) -> Health:
    """What holds a way back: its circuit, its gate or, for an instant, its rate."""
    per_s = None if bucket is None else bucket.per_s
    waits = [("circuit", circuit.wait_s()), ("gate", 0.0 if gate is None else gate.held_s())]
    if bucket is not None:
        waits.append(("rate", bucket.wait_s()))
    for why, wait in waits:
        if wait > 0:
            return Health(wait, why, circuit.in_row, per_s)
    return Health(failures=circuit.in_row, per_s=per_s)


class Guarded:
    """What a channel tells its sender that nothing but its circuit holds back."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit

    def held_s(self) -> float:
        """Seconds for which it is left alone."""
        return self._circuit.wait_s()

    def wait_s(self) -> float:
        """As above; while it is on trial one message passes."""
        wait = self._circuit.wait_s()
        if wait == 0:
            self._circuit.used()
        return wait

    def health(self) -> dict[str, Health]:
        """What holds it back, if anything does."""
        return {"": health_of(self._circuit)}
