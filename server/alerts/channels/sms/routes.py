"""Which route carries a text, and when: prefixes, priority, health, rates and caps.

No I/O; the clocks come from outside. Rates and health live in one process, spending is learnt
from the record.
"""

import random
from collections.abc import Callable, Sequence
from itertools import groupby

import msgspec

from server.texting import SmsRoute

FAILURES = 3  # in a row: the route is passed over
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 300.0
PROBE_S = 10.0  # a probe that hangs must not keep a route away for good
NUMBER_EVERY_S = 5.0  # one number gets no more than one text in this time
LONGEST_HOLD_S = 120.0
CAP_HOLD_S = 60.0
_MOST_NUMBERS = 50_000

Clock = Callable[[], float]


class Choice(msgspec.Struct, frozen=True):
    """A route, its token taken; or none, why, and after how many seconds to ask again.

    `wait_s` is infinite where no route will ever serve the number.
    """

    route: SmsRoute | None
    why: str = ""
    wait_s: float = 0.0


def ranked(routes: Sequence[SmsRoute], number: str) -> list[list[SmsRoute]]:
    """The routes that serve a number: longest prefix first, then priority; equals together."""

    def rank(route: SmsRoute) -> tuple[int, int]:
        return -max(len(p) for p in route.prefixes if number.startswith(p)), route.priority

    serving = [r for r in routes if any(number.startswith(p) for p in r.prefixes)]
    ordered = sorted(serving, key=lambda r: (rank(r), r.name))
    return [list(equals) for _, equals in groupby(ordered, key=rank)]


class Bucket:
    """`per_s` tokens a second, at most `burst` saved up. A text may borrow for its parts."""

    def __init__(self, per_s: float, burst: float, clock: Clock) -> None:
        self._per_s, self._burst, self._clock = per_s, max(burst, 1.0), clock
        self._level, self._at = self._burst, clock()
        self._promised = self._at

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

    def promise(self, tokens: int) -> float:
        """Seconds until the turn of one more who waits; each gets a later turn."""
        now = self._clock()
        soonest = now + max(0.0, (1.0 - self.level()) / self._per_s)
        turn = max(soonest, self._promised)
        self._promised = min(turn, now + LONGEST_HOLD_S) + tokens / self._per_s
        return min(turn - now, LONGEST_HOLD_S)


class Circuit:
    """Health of a route: after failures in a row it is passed over, then tried with one text."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in_row, self._pause_s = 0, FIRST_PAUSE_S
        self._opens_at = 0.0
        self._on_trial = False

    def wait_s(self) -> float:
        """Seconds until the route may be used; 0: now."""
        return max(0.0, self._opens_at - self._clock())

    def used(self) -> None:
        """A text goes out; while the route is on trial no other does for a while."""
        if self._in_row >= FAILURES:
            self._opens_at, self._on_trial = self._clock() + PROBE_S, True

    def succeeded(self) -> None:
        """The route took, or judged, a text."""
        self._in_row, self._pause_s, self._opens_at = 0, FIRST_PAUSE_S, 0.0
        self._on_trial = False

    def failed(self, retry_after: float | None = None) -> None:
        """It took nothing, or did not answer. What it asks for is granted at once.

        Texts that were under way when the pause began say nothing new: only a failed trial
        makes the next pause longer.
        """
        self._in_row += 1
        if retry_after is not None:
            self._in_row = max(self._in_row, FAILURES)
        if self._in_row < FAILURES:
            return
        known = self.wait_s() > 0 and not self._on_trial
        self._on_trial = False
        pause = max(0.0 if known else self._pause_s, min(retry_after or 0.0, LONGEST_PAUSE_S))
        self._opens_at = max(self._opens_at, self._clock() + pause)
        if not known:
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)


class Way:
    """One route with what is known of it here."""

    def __init__(self, route: SmsRoute, clock: Clock) -> None:
        self.route = route
        self.bucket = Bucket(route.per_s, route.per_s, clock)
        self.circuit = Circuit(clock)
        self.spent_micro = 0

    def affords(self, parts: int, urgent: bool) -> bool:
        """Whether the day's cap leaves room. Life safety passes it."""
        cap = self.route.cap_micro_per_day
        return urgent or cap is None or self.spent_micro + parts * self.route.price_micro <= cap


class Fleet:
    """All routes. `choose`, then tell `succeeded`, `failed` or `unsent`."""

    def __init__(self, routes: Sequence[SmsRoute], clock: Clock) -> None:
        self._routes = routes
        self._clock = clock
        self._ways = {r.name: Way(r, clock) for r in routes}
        self._numbers: dict[str, float] = {}
        self._day: int | None = None

    def way(self, name: str) -> Way:
        """The state of one route."""
        return self._ways[name]

    def spent(self, day: int, micro: dict[str, int]) -> None:
        """What the record says was spent on a day; a new day begins at nothing."""
        for name, way in self._ways.items():
            known = way.spent_micro if day == self._day else 0
            way.spent_micro = max(known, micro.get(name, 0))
        self._day = day

    def choose(self, number: str, parts: int, urgent: bool) -> Choice:
        """The route for a text of so many parts; `urgent`: life safety.

        Equals share the load. The next rank takes over from routes that fail or have reached
        their cap; for life safety also from such as have no room this instant.
        """
        ranks = ranked(self._routes, number)
        if not ranks:
            return Choice(None, "no SMS route serves this number", float("inf"))
        pause = self._numbers.get(number, 0.0) - self._clock()
        if pause > 0:
            return Choice(None, "this number had a text a moment ago", pause)
        waits: list[Choice] = []
        for rank in ranks:
            found = self._among([self._ways[r.name] for r in rank], parts, urgent, waits)
            if found is not None:
                return self._take(found, number, parts)
            if waits and waits[-1].why == _RATE and not urgent:
                break
        return min(waits, key=lambda c: c.wait_s)

    def _among(self, ways: list[Way], parts: int, urgent: bool, waits: list[Choice]) -> Way | None:
        """A way with room, the emptiest first; else notes why not."""
        whole = [w for w in ways if w.circuit.wait_s() <= 0]
        able = [w for w in whole if w.affords(parts, urgent)]
        free = [w for w in able if w.bucket.free()]
        if free:
            return max(free, key=lambda w: w.bucket.level() / w.route.per_s)
        if able:
            waits.append(Choice(None, _RATE, min(w.bucket.promise(parts) for w in able)))
        elif whole:
            waits.append(Choice(None, _CAP, CAP_HOLD_S))
        else:
            wait = min(w.circuit.wait_s() for w in ways) * random.uniform(1, 1.2)
            waits.append(Choice(None, _SICK, min(wait, CAP_HOLD_S)))
        return None

    def _take(self, way: Way, number: str, parts: int) -> Choice:
        now = self._clock()
        if len(self._numbers) > _MOST_NUMBERS:
            self._numbers = {n: at for n, at in self._numbers.items() if at > now}
        self._numbers[number] = now + NUMBER_EVERY_S
        way.bucket.take(parts)
        way.circuit.used()
        way.spent_micro += parts * way.route.price_micro
        return Choice(way.route)

    def unsent(self, name: str, number: str, parts: int) -> None:
        """The text was certainly not taken: it cost nothing and its number is free."""
        way = self._ways[name]
        way.spent_micro = max(0, way.spent_micro - parts * way.route.price_micro)
        way.bucket.give_back(parts)
        self._numbers.pop(number, None)


_RATE = "held back by the rate of its SMS route"
_CAP = "the SMS route has reached the day's spending cap"
_SICK = "the SMS route fails just now and is tried again soon"
