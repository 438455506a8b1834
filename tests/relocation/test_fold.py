"""What a set of reports means, whatever order it came in, and each contradiction by its name."""

import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.relocation import rules
from server.relocation.rules import Conflict, Said, Standing
from tests.relocation.said import (
    BORDER,
    CAMP,
    FOUR,
    GATE,
    HAVEN,
    ONE,
    THREE,
    TWO,
    reports,
    said,
)


def arrive_one_by_one(order: Sequence[Said]) -> Standing:
    """As the record is kept: a newer report is a step, an older one reads all of hers again."""
    standing, known = Standing(), list[Said]()
    for one in order:
        if one in known:
            continue
        known.append(one)
        if rules.follows(standing, one):
            standing, _ = rules.step(standing, one)
        else:
            standing, _ = rules.fold(known)
    return standing


@given(reports(), st.randoms())
def test_no_order_of_arrival_and_no_repeat_matters(own: list[Said], rng: random.Random) -> None:
    shuffled = own + rng.sample(own, len(own) // 2)
    rng.shuffle(shuffled)
    assert rules.fold(shuffled) == rules.fold(own)
    assert arrive_one_by_one(shuffled) == rules.fold(own)[0]


@given(reports())
def test_a_step_at_a_time_is_the_whole(own: list[Said]) -> None:
    standing, found = Standing(), list[Conflict]()
    for one in sorted(own, key=lambda r: r.key):
        standing, new = rules.step(standing, one)
        found += new
    assert (standing, tuple(found)) == rules.fold(own)


@given(reports())
def test_everybody_is_in_one_stage_and_one_place(own: list[Said]) -> None:
    standing, found = rules.fold(own)
    assert standing.stage in rules.STAGES
    assert (standing.vehicle is not None) == (standing.stage == "boarded")
    assert standing.point is None or standing.stage in rules.PLACED
    assert standing.stage != "in_question" or found
    counts = rules.counted(standing)
    assert set(counts.values()) <= {1}, "nobody counts twice in a vehicle"
    present = [point for point, what in counts if what == "present"]
    assert present == ([standing.point] if standing.point else [])
    if standing.stage == "boarded":
        assert counts[standing.vehicle, "aboard"] == 1


@given(reports())
def test_no_contradiction_is_lost_by_what_comes_after_it(own: list[Said]) -> None:
    """Later events move a person on; they never take an earlier conflict away."""
    ordered = sorted(own, key=lambda r: r.key)
    _, whole = rules.fold(ordered)
    for cut in range(len(ordered)):
        _, part = rules.fold(ordered[:cut])
        assert whole[: len(part)] == part
    assert len({c.conflict_id for c in whole}) == len(whole)


@given(reports())
def test_what_is_kept_of_her_reads_back_the_same(own: list[Said]) -> None:
    memory = rules.fold(own)[0].memory
    assert msgspec.json.decode(msgspec.json.encode(memory), type=rules.Memory) == memory


@given(reports(), st.sampled_from(("at_point", "boarded", "staying", "accommodated")))
def test_a_human_decides_whatever_went_before(own: list[Said], stage: str) -> None:
    vehicle = FOUR if stage == "boarded" else None
    point = {"at_point": GATE, "accommodated": HAVEN}.get(stage)
    last = said(500, stage, 60, vehicle=vehicle, point=point, resolution=True)
    standing, _ = rules.fold([*own, last])
    assert (standing.stage, standing.vehicle, standing.point) == (stage, vehicle, point)
    assert stage == "boarded" or (None, "aboard") not in rules.counted(standing)


def stands(*own: Said) -> tuple[str, list[str]]:
    standing, found = rules.fold(own)
    return standing.stage, [c.kind for c in found]


def test_a_journey_of_two_legs() -> None:
    own = [
        said(1, "notified", 0),
        said(2, "ready", 5),
        said(3, "at_point", 10, point=GATE),
        said(4, "boarded", 20, vehicle=ONE),
        said(5, "arrived", 60, vehicle=ONE),
        said(6, "boarded", 70, vehicle=THREE),
        said(7, "arrived", 120),
        said(8, "accommodated", 150),
    ]
    told = ["notified", "ready", "at_point", "boarded", "at_point", "boarded", "arrived"]
    for number, stage in enumerate([*told, "accommodated"], 1):
        assert stands(*own[:number]) == (stage, [])
    standing, _ = rules.fold(own)
    assert standing.point == HAVEN
    assert rules.counted(standing) == {
        (ONE, "boarded"): 1,
        (ONE, "arrived"): 1,
        (THREE, "boarded"): 1,
        (THREE, "arrived"): 1,
        (HAVEN, "present"): 1,
    }


def test_being_told_or_ready_never_takes_a_person_off_a_vehicle() -> None:
    aboard = [said(1, "boarded", 0, vehicle=ONE)]
    assert stands(*aboard, said(2, "ready", 5)) == ("boarded", [])
    assert stands(*aboard, said(2, "notified", 5)) == ("boarded", [])
    assert stands(said(1, "staying", 0), said(2, "ready", 5)) == ("ready", [])


BOARDS_TWO = [said(1, "boarded", 0, vehicle=ONE), said(2, "boarded", 10, vehicle=TWO)]
CONFLICTS = {
    "another vehicle of the same leg": (BOARDS_TWO, "two_vehicles"),
    "the next leg before the first has ended": (
        [said(1, "boarded", 0, vehicle=ONE), said(2, "boarded", 10, vehicle=THREE)],
        "two_vehicles",
    ),
    "off a vehicle she did not board": (
        [said(1, "boarded", 0, vehicle=ONE), said(2, "arrived", 10, vehicle=TWO)],
        "two_vehicles",
    ),
    "arrived out of nowhere": ([said(1, "arrived", 0, vehicle=THREE)], "arrived_without_boarding"),
    "at the haven out of nowhere": (
        [said(1, "at_point", 0, point=HAVEN)],
        "arrived_without_boarding",
    ),
    "boarded after it had arrived": (
        [
            said(1, "boarded", 0, vehicle=ONE),
            said(2, "arrived", 10, vehicle=ONE),
            said(3, "boarded", 20, vehicle=TWO),
        ],
        "boarded_after_arrival",
    ),
    "two places within two minutes": (
        [said(1, "at_point", 0, point=CAMP), said(2, "at_point", 2, point=GATE)],
        "two_places",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_contradiction_is_found_and_leaves_her_in_question(name: str) -> None:
    own, kind = CONFLICTS[name]
    standing, found = rules.fold(own)
    assert (standing.stage, [c.kind for c in found]) == ("in_question", [kind])
    assert found[0].second == own[-1].report_id
    assert (standing.vehicle, standing.point) == (None, None)


def test_what_is_no_contradiction() -> None:
    again = [said(1, "boarded", 0, vehicle=ONE), said(2, "boarded", 1, vehicle=ONE)]
    assert stands(*again) == ("boarded", [])
    got_off = [
        said(1, "boarded", 0, vehicle=ONE),
        said(2, "at_point", 3, point=GATE),
        said(3, "boarded", 6, vehicle=TWO),
    ]
    assert stands(*got_off) == ("boarded", [])
    assert rules.counted(rules.fold(got_off)[0])[ONE, "boarded"] == 0
    at_once = [said(1, "boarded", 0, vehicle=ONE), said(2, "arrived", 0, vehicle=ONE)]
    assert stands(*at_once) == ("at_point", [])
    walked = [said(1, "at_point", 0, point=CAMP), said(2, "at_point", 2.1, point=GATE)]
    assert stands(*walked) == ("at_point", [])
    twice = [said(1, "boarded", 0, vehicle=THREE), *(said(n, "arrived", n) for n in (2, 3))]
    assert stands(*twice) == ("arrived", [])
    settled = [*twice, said(4, "accommodated", 5), said(5, "arrived", 6, vehicle=THREE)]
    assert stands(*settled) == ("accommodated", [])


def test_who_is_in_question_moves_on_with_the_next_clear_word_and_the_conflict_stays() -> None:
    assert stands(*BOARDS_TWO, said(3, "arrived", 60)) == ("at_point", ["two_vehicles"])
    assert stands(*BOARDS_TWO, said(3, "boarded", 12, vehicle=TWO))[0] == "in_question"
    alone = [said(1, "arrived", 0, vehicle=THREE), said(2, "accommodated", 30)]
    standing, found = rules.fold(alone)
    assert (standing.stage, standing.point) == ("accommodated", HAVEN)
    assert [c.kind for c in found] == ["arrived_without_boarding"]


def test_a_report_that_comes_late_explains_a_conflict() -> None:
    arrived = said(1, "arrived", 30, vehicle=ONE)
    assert stands(arrived) == ("in_question", ["arrived_without_boarding"])
    assert stands(arrived, said(2, "boarded", 0, vehicle=ONE)) == ("at_point", [])
    assert stands(*BOARDS_TWO, said(3, "at_point", 5, point=GATE)) == ("boarded", [])


def test_her_boarding_and_arrival_elsewhere_leave_no_vehicle_waiting_for_her() -> None:
    standing, _ = rules.fold([*BOARDS_TWO, said(3, "arrived", 60, vehicle=ONE)])
    counts = rules.counted(standing)
    assert (counts[ONE, "arrived"], counts[TWO, "aboard"]) == (1, 0)
    decided = said(4, "arrived", 61, vehicle=TWO, resolution=True)
    standing, _ = rules.fold([*BOARDS_TWO, decided])
    assert rules.counted(standing) == {
        (TWO, "boarded"): 1,
        (TWO, "arrived"): 1,
        (BORDER, "present"): 1,
    }


def test_one_who_boarded_stays_missing_from_her_vehicle_though_others_arrived_without() -> None:
    aboard, _ = rules.fold([said(1, "boarded", 0, vehicle=ONE)])
    other, _ = rules.fold([said(1, "arrived", 60, vehicle=ONE)])
    counts = rules.counted(aboard) + rules.counted(other)
    assert counts == {(ONE, "boarded"): 1, (ONE, "aboard"): 1, (ONE, "arrived"): 1}
