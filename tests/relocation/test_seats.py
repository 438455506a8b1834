"""Seats by rule: never over, nobody twice, households together unless they are let part."""

from collections import Counter
from datetime import date
from itertools import groupby
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.relocation.manifests import rules
from server.relocation.manifests.rules import Filled, Rider, Vehicle

ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


def vehicle(number: int, seats: int, taken: int = 0, *, is_open: bool = True) -> Vehicle:
    return Vehicle(UUID(int=number), number, seats, taken, is_open)


@st.composite
def legs(draw: st.DrawFn) -> tuple[list[Rider], list[Vehicle], frozenset[int]]:
    """Any leg: some seats are given already, some vehicles are closed, some households may part."""
    count = draw(st.integers(1, 4))
    sizes = [draw(st.integers(0, 6)) for _ in range(count)]
    closed = [draw(st.booleans()) for _ in range(count)]
    riders, taken = [], Counter[UUID]()
    for person_id in range(draw(st.integers(0, 16))):
        sits = None
        if draw(st.integers(0, 3)) == 0:
            n = draw(st.integers(0, count - 1))
            if taken[UUID(int=n + 1)] < sizes[n]:
                sits = UUID(int=n + 1)
                taken[sits] += 1
        home = draw(st.integers(0, 6))
        zone = (draw(st.integers(0, 2)), "")
        riders.append(Rider(person_id, home, draw(st.booleans()), draw(st.booleans()), zone, sits))
    vehicles = [
        vehicle(n + 1, sizes[n], taken[UUID(int=n + 1)], is_open=not closed[n])
        for n in range(count)
    ]
    return riders, vehicles, draw(st.frozensets(st.integers(0, 6)))


def after(riders: list[Rider], filled: Filled) -> dict[int, UUID | None]:
    return {r.person_id: r.sits for r in riders} | dict(filled.placed)


@given(legs(), st.permutations(rules.ORDER))
def test_never_over_nobody_twice_nobody_lost(leg: object, order: list[str]) -> None:
    riders, vehicles, split = leg  # type: ignore[misc]
    filled = rules.fill(riders, vehicles, order, split)
    given_to = [person_id for person_id, _ in filled.placed]
    waits = [w.person_id for w in filled.waiting]
    due = sorted(r.person_id for r in riders if r.sits is None)
    assert sorted(given_to + waits) == due, "each is seated or waits, once"
    new = Counter(vehicle_id for _, vehicle_id in filled.placed)
    for v in vehicles:
        assert v.taken + new[v.vehicle_id] <= v.seats
        assert v.open or not new[v.vehicle_id]


@given(legs(), st.permutations(rules.ORDER))
def test_households_stay_together_unless_split_by_hand(leg: object, order: list[str]) -> None:
    riders, vehicles, split = leg  # type: ignore[misc]
    sits = after(riders, filled := rules.fill(riders, vehicles, order, split))
    for home in {r.household_id for r in riders} - split:
        own = [r for r in riders if r.household_id == home]
        new = {sits[r.person_id] for r in own if r.person_id in dict(filled.placed)}
        assert len(new) <= 1
        if new:
            assert {sits[r.person_id] for r in own} == new, "all of it, in one vehicle"


@given(legs(), st.permutations(rules.ORDER))
def test_each_household_takes_the_first_vehicle_that_holds_it(
    leg: object, order: list[str]
) -> None:
    """Played again in the order in which seats were given."""
    riders, vehicles, split = leg  # type: ignore[misc]
    home = {r.person_id: r.household_id for r in riders}
    begun = {r.household_id for r in riders if r.sits is not None}
    free = {v.vehicle_id: v.seats - v.taken for v in vehicles if v.open}
    placed = rules.fill(riders, vehicles, order, split).placed
    for household, seats in groupby(placed, key=lambda given: home[given[0]]):
        own = [vehicle_id for _, vehicle_id in seats]
        if household not in split and household not in begun:
            first = next(v for v in vehicles if v.open and free[v.vehicle_id] >= len(own))
            assert set(own) == {first.vehicle_id}
        for vehicle_id in own:
            free[vehicle_id] -= 1


@given(legs())
def test_filling_again_finds_nothing_more(leg: object) -> None:
    riders, vehicles, split = leg  # type: ignore[misc]
    filled = rules.fill(riders, vehicles, split=split)
    sits = after(riders, filled)
    new = Counter(vehicle_id for _, vehicle_id in filled.placed)
    later = [Rider(r.person_id, r.household_id, r.medical, r.ready, r.zone, sits[r.person_id])
             for r in riders]  # fmt: skip
    full = [Vehicle(v.vehicle_id, v.number, v.seats, v.taken + new[v.vehicle_id], v.open)
            for v in vehicles]  # fmt: skip
    again = rules.fill(later, full, split=split)
    assert again.placed == ()
    assert {w.person_id for w in again.waiting} == {w.person_id for w in filled.waiting}


@given(legs(), st.randoms())
def test_the_same_leg_gives_the_same_seats(leg: object, chance: object) -> None:
    riders, vehicles, split = leg  # type: ignore[misc]
    mixed = list(riders)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = (rules.fill(r, vehicles, split=split) for r in (riders, mixed))
    assert first.mark() == second.mark()


def test_medical_need_first_then_ready_then_zone_by_zone() -> None:
    riders = [
        Rider(1, 1, zone=(2, "S")),
        Rider(2, 2, zone=(1, "N")),
        Rider(3, 3, ready=True, zone=(2, "S")),
        Rider(4, 4, medical=True, zone=(2, "S")),
        Rider(5, 4, zone=(2, "S")),
    ]
    filled = rules.fill(riders, [vehicle(1, 4)])
    assert [person_id for person_id, _ in filled.placed] == [4, 5, 3, 2]
    assert filled.waiting == (rules.Wait(1, "full"),)
    zones_first = rules.fill(riders, [vehicle(1, 4)], ("zone", "medical", "ready"))
    assert [person_id for person_id, _ in zones_first.placed] == [2, 4, 5, 3]


def test_a_household_larger_than_a_vehicle_waits_until_it_is_split_by_hand() -> None:
    riders = [Rider(n, 1) for n in range(5)] + [Rider(9, 9)]
    buses = [vehicle(1, 3), vehicle(2, 4)]
    filled = rules.fill(riders, buses)
    assert filled.placed == ((9, ONE),)
    assert {w.reason for w in filled.waiting} == {"larger_than_vehicle"}
    parted = rules.fill(riders, buses, split={1})
    assert Counter(v for _, v in parted.placed) == {TWO: 4, ONE: 2}
    assert not parted.waiting


@pytest.mark.parametrize(
    ("riders", "vehicles", "reason", "number"),
    [
        ([Rider(1, 1)], [vehicle(1, 4, is_open=False)], "no_vehicle", None),
        ([Rider(1, 1)], [vehicle(1, 4, 4)], "full", None),
        ([Rider(1, 1), Rider(2, 1)], [vehicle(1, 2, 1), vehicle(2, 2, 1)],
         "no_seats_together", None),
        ([Rider(1, 1), Rider(2, 1, sits=ONE)], [vehicle(1, 2, 2), vehicle(2, 2)],
         "household_vehicle_full", 1),
        ([Rider(1, 1), Rider(2, 1, sits=ONE)], [vehicle(1, 2, 1, is_open=False), vehicle(2, 2)],
         "household_vehicle_closed", 1),
        ([Rider(1, 1), Rider(2, 1, sits=ONE), Rider(3, 1, sits=TWO)],
         [vehicle(1, 2, 1), vehicle(2, 2, 1)], "household_apart", None),
    ],
)  # fmt: skip
def test_why_somebody_waits(
    riders: list[Rider], vehicles: list[Vehicle], reason: str, number: int | None
) -> None:
    [first, *_] = rules.fill(riders, vehicles).waiting
    assert (first.person_id, first.reason, first.number) == (1, reason, number)


@pytest.mark.parametrize(
    ("held", "expires_on", "said"),
    [
        (None, None, "unknown"),
        (False, None, "missing"),
        (True, None, "undated"),
        (True, date(2026, 11, 22), "expired"),
        (True, date(2026, 11, 23), "expiring"),
        (True, date(2027, 6, 1), "held"),
    ],
)
def test_papers_are_flagged_and_an_unknown_is_no_yes(
    held: bool | None, expires_on: date | None, said: str
) -> None:
    assert rules.papers(held, expires_on, date(2026, 11, 23)) == said
