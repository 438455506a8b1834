"""Who goes first over a slow SMS route: panics and life safety never wait behind the rest."""

import heapq
from collections.abc import Iterable
from random import Random

import pytest

from server.alerts.channels.pacing import LATE_S, LATE_SHARE, LONGEST_HOLD_S
from server.alerts.channels.sms.routes import Fleet, Wish, rank_of
from tests.alerts.test_sms_routes import Clock, route

SIM_S = 0.48  # 29 texts a minute, as a SIM allows
LIFE, ROUTINE = rank_of(1, "alert"), rank_of(3, "alert")


def wishes(how_many: int, rank: int, parts: int = 1) -> list[Wish]:
    return [Wish(f"+2547{rank}{n:07}", parts, rank < rank_of(2, "reply"), rank)
            for n in range(how_many)]  # fmt: skip


class Play:
    """A fleet, and texts that come back when they are told to, a little late as a worker's do."""

    def __init__(self, *per_s: float) -> None:
        self.clock = Clock()
        self.began = self.clock.now
        routes = [route(f"sim{n}", per_s=rate) for n, rate in enumerate(per_s)]
        self.fleet = Fleet(routes, self.clock)
        self.went: list[tuple[float, Wish]] = []
        self._due: list[tuple[float, int, Wish]] = []
        self._n = 0
        self._random = Random(7)

    def come(self, at: float, own: Iterable[Wish]) -> None:
        for wish in own:
            self._n += 1
            heapq.heappush(self._due, (self.began + at, self._n, wish))

    def until(self, at: float) -> None:
        """Plays so far; what is still held stays held."""
        while self._due and self._due[0][0] <= self.began + at:
            due, _, wish = heapq.heappop(self._due)
            self.clock.now = max(self.clock.now, due)
            choice = self.fleet.choose(wish)
            if choice.route is not None:
                self.went.append((self.clock.now - self.began, wish))
                continue
            assert 0 < choice.wait_s <= LONGEST_HOLD_S
            late = choice.wait_s * self._random.uniform(1, 1.05) + self._random.uniform(0.05, 0.3)
            self.come(self.clock.now - self.began + late, [wish])

    def times(self, rank: int) -> list[float]:
        return [at for at, wish in self.went if wish.rank == rank]


@pytest.mark.parametrize("waiting", [1000, 3000])
@pytest.mark.parametrize("parts", [1, 2])
def test_life_safety_waits_for_the_next_token_only(waiting: int, parts: int) -> None:
    play = Play(SIM_S)
    play.come(0, wishes(waiting, ROUTINE, parts))
    play.come(200, wishes(1, LIFE, parts))
    play.until(600)
    [at] = play.times(LIFE)
    assert at - 200 <= parts / SIM_S + 1
    alone = Play(SIM_S)
    alone.come(0, wishes(waiting, ROUTINE, parts))
    alone.until(600)
    assert len(play.went) >= 0.95 * len(alone.went), "the route is not left idle"


def test_each_earlier_lane_goes_before_all_later_ones() -> None:
    play = Play(SIM_S)
    play.come(0, wishes(1000, ROUTINE))
    play.come(200, wishes(40, rank_of(2, "alert")))
    play.come(210, wishes(20, LIFE))
    play.come(220, wishes(1, rank_of(1, "chase")))
    play.come(225, wishes(1, rank_of(0, "panic")))
    play.until(500)
    [panic] = play.times(rank_of(0, "panic"))
    [chase] = play.times(rank_of(1, "chase"))
    assert panic - 225 <= 1 / SIM_S + 1
    assert chase - 220 <= 2 / SIM_S + 1
    life, urgent = play.times(LIFE), play.times(rank_of(2, "alert"))
    assert (len(life), len(urgent)) == (20, 40)
    assert life[-1] < min(at for at in urgent if at > 215)
    assert not [at for at in play.times(ROUTINE) if 202 < at < urgent[-1]]
    assert [at for at in play.times(ROUTINE) if at > urgent[-1]], "then the rest goes on"


def test_a_token_is_not_kept_for_one_who_does_not_come_back() -> None:
    play = Play(SIM_S)
    play.come(0, wishes(1, ROUTINE))
    play.until(0)
    [answered_meanwhile] = wishes(1, LIFE)
    held_s = play.fleet.choose(answered_meanwhile).wait_s
    later = Wish("+254799999999", rank=ROUTINE)
    play.clock.now += held_s + LATE_S - 0.1
    assert play.fleet.choose(later).route is None
    play.clock.now += 0.2 + LATE_SHARE * held_s
    assert play.fleet.choose(later).route is not None


def test_equal_routes_are_both_used_by_those_who_wait() -> None:
    play = Play(1, 1)
    play.come(0, wishes(100, ROUTINE))
    play.until(70)
    assert len(play.went) >= 90
