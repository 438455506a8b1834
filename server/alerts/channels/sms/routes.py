"""Which route carries a text, and when: prefixes, priority, health, rates and caps.

No I/O; the clocks come from outside. Rates and health live in one process, spending is learnt
from the record.
"""

import random
from collections.abc import Sequence
from itertools import groupby

import msgspec

from server.alerts.channels import Health
from server.alerts.channels.pacing import Bucket, Circuit, Clock, Turns, health_of
from server.texting import SmsRoute

NUMBER_EVERY_S = 5.0  # one number gets no more than one text in this time
CAP_HOLD_S = 60.0
LAST_RANK = 7
_WORDS = ("ask", "chase", "reply", "panic", "watch")  # to one person: before what goes to many
_MOST_NUMBERS = 50_000


class Wish(msgspec.Struct, frozen=True):
    """A text that wants a route: to whom, in how many parts, after whom.

    `urgent`: life safety, or a panic. Of a lower `rank` go first.
    """

    number: str
    parts: int = 1
    urgent: bool = False
    rank: int = LAST_RANK


def rank_of(lane: int, purpose: str) -> int:
    """Which texts go first: by lane, and within a lane words to one person before a mass."""
    return 2 * lane + (purpose not in _WORDS)


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


class Way:
    """One route with what is known of it here."""

    def __init__(self, route: SmsRoute, clock: Clock) -> None:
        self.route = route
        self.bucket = Bucket(route.per_s, route.per_s, clock)
        self.turns = Turns(self.bucket, clock)
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

    def health(self) -> dict[str, Health]:
        """What holds each route back."""
        found = {}
        for name, way in self._ways.items():
            own = health_of(way.circuit, None, way.bucket)
            if own.why is None and not way.affords(1, urgent=False):
                own = Health(CAP_HOLD_S, "cap", own.failures, own.per_s)
            found[name] = own
        return found

    def choose(self, wish: Wish) -> Choice:
        """The route for a text.

        Equals share the load. The next ones take over from routes that fail or have reached
        their cap; for what is urgent also from such as have no room this instant. Nothing goes
        while a text of an earlier rank waits for the same room.
        """
        ranks = ranked(self._routes, wish.number)
        if not ranks:
            return Choice(None, "no SMS route serves this number", float("inf"))
        pause = self._numbers.get(wish.number, 0.0) - self._clock()
        if pause > 0:
            return Choice(None, "this number had a text a moment ago", pause)
        for way in self._ways.values():
            way.turns.forget(wish.number)
        waits: list[Choice] = []
        for equals in ranks:
            found = self._among([self._ways[r.name] for r in equals], wish, waits)
            if found is not None:
                return self._take(found, wish.number, wish.parts)
            if waits and waits[-1].why == _RATE and not wish.urgent:
                break
        return min(waits, key=lambda c: c.wait_s)

    def _among(self, ways: list[Way], wish: Wish, waits: list[Choice]) -> Way | None:
        """A way with room, the emptiest first; else notes why not."""
        whole = [w for w in ways if w.circuit.wait_s() <= 0]
        able = [w for w in whole if w.affords(wish.parts, wish.urgent)]
        free = [w for w in able if w.turns.free(wish.rank, wish.parts)]
        if free:
            return max(free, key=lambda w: w.bucket.level() / w.route.per_s)
        if able:
            turns = min((w.turns for w in able), key=lambda t: t.wait_s(wish.rank))
            wait_s = turns.promise(wish.number, wish.rank, wish.parts)
            waits.append(Choice(None, _RATE, wait_s))
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
