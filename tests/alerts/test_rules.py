"""Pure rules: states, polygons, segments, verdicts, the gate."""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from server.alerts import outcomes, rules
from server.alerts.channels import accepted, endpoint_dead, permanent, transient, unknown
from server.alerts.channels.gate import Gate
from server.alerts.segments import segments
from server.errors import BadInput, Clash

VERBS = st.lists(st.sampled_from(sorted(rules.TRANSITIONS)), max_size=30)
RING = [[36.0, -2.0], [38.0, -2.0], [38.0, 4.0], [36.0, 4.0], [36.0, -2.0]]


@given(VERBS)
def test_whatever_is_tried_an_ended_alert_stays_as_it_ended(verbs: list[str]) -> None:
    state, ended = "preparing", None
    for verb in verbs:
        try:
            state = rules.step(state, verb)
        except Clash:
            continue
        assert ended is None or state == ended, "a terminal state is terminal"
        ended = state if rules.ends(state) else None


@given(VERBS)
def test_repeating_a_verb_that_worked_changes_nothing(verbs: list[str]) -> None:
    state = "preparing"
    for verb in verbs:
        try:
            state = rules.step(state, verb)
        except Clash:
            continue
        if verb != "hold":
            assert rules.step(state, verb) == state


def test_every_way_leads_to_an_end() -> None:
    reachable = {after for ways in rules.TRANSITIONS.values() for after in ways.values()}
    assert reachable > rules.TERMINAL
    assert not any(rules.TERMINAL & ways.keys() for ways in rules.TRANSITIONS.values())


def test_a_polygon_is_geojson() -> None:
    shape = {"type": "Polygon", "coordinates": [RING]}
    assert rules.polygon(shape).contains(shapely.Point(37, 3))


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"type": "Polygon"},
        {"type": "Point", "coordinates": [RING]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [RING[:3]]},
        {"type": "Polygon", "coordinates": [RING[:-1]]},
        {"type": "Polygon", "coordinates": [[["a", 1], *RING[1:]]]},
        {"type": "Polygon", "coordinates": [[[361, 1], *RING[1:-1], [361, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[True, 0], [1, 1], [2, 0], [True, 0]]]},
    ],
)
def test_what_is_no_polygon_is_refused_by_its_field(shape: object) -> None:
    with pytest.raises(BadInput) as refused:
        rules.polygon(shape)
    assert [e.path for e in refused.value.errors or []] == ["audience.polygon"]


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("", "GSM-7", 0),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 153 + "b" * 153, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 3),  # the pair is not split, so a part is short
        ("я" * 70, "UCS-2", 1),
        ("я" * 71, "UCS-2", 2),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
        ("😀" * 66, "UCS-2", 2),
        ("😀" * 67, "UCS-2", 3),
        ("ç", "UCS-2", 1),  # GSM-7 has only the capital
        ("\x1b", "UCS-2", 1),
    ],
)
def test_segments_of_a_text(text: str, encoding: str, count: int) -> None:
    found = segments(text)
    assert (found.encoding, found.count) == (encoding, count)


def test_only_what_can_still_succeed_is_tried_again() -> None:
    assert outcomes.verdict(accepted("x"), 1, False, 0) == ("accepted", 0)
    assert outcomes.verdict(endpoint_dead("x"), 1, False, 0) == ("failed", 0)
    assert outcomes.verdict(permanent("x"), 1, False, 0) == ("failed", 0)
    waits = [outcomes.verdict(transient("x"), n, False, 0)[1] for n in (1, 2, 3, 7, 40)]
    assert waits == [1, 2, 4, 60, 60]
    assert outcomes.verdict(transient("x", 90), 1, False, 0) == ("queued", 90)


def test_an_unknown_outcome_waits_and_is_tried_once_more() -> None:
    first, wait = outcomes.verdict(unknown("x"), 1, False, 0)
    assert (first, wait > 5) == ("queued", True)
    assert outcomes.verdict(unknown("x"), 2, True, 0) == ("unknown", 0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_few_refusals_do_not_hold_back_everybody() -> None:
    gate = Gate(Clock())
    for n in range(1000):
        gate.refused(1) if n % 20 == 0 else gate.taken()
        assert gate.wait_s() == 0


def test_a_provider_that_refuses_everybody_is_left_alone_for_as_long_as_it_asks() -> None:
    clock = Clock()
    gate = Gate(clock)
    for _ in range(10):
        gate.refused(7)
    assert gate.held_s() == pytest.approx(7)
    clock.now += 7
    assert gate.wait_s() == 0, "one probe"
    assert gate.wait_s() > 0, "and nobody else"
    gate.taken()
    assert [gate.wait_s() == 0 for _ in range(3)] == [True, True, False]
    for _ in range(20):
        gate.taken()
    assert gate.wait_s() == 0


def test_a_probe_that_hangs_does_not_keep_the_gate_shut() -> None:
    clock = Clock()
    gate = Gate(clock)
    for _ in range(10):
        gate.refused(1)
    clock.now += 1
    assert gate.wait_s() == 0
    clock.now += 3
    assert gate.wait_s() == 0


def test_without_word_from_the_provider_pauses_grow_to_a_minute() -> None:
    clock = Clock()
    gate = Gate(clock)
    pauses = []
    for _ in range(20):
        gate.refused(None)
        if gate.held_s() > 0:
            pauses.append(gate.held_s())
            clock.now += gate.held_s()
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == 60
