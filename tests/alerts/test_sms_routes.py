"""Which route carries a text, and when: prefixes, priority, health, rates, caps."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from server.alerts.channels.pacing import (
    FAILURES,
    FIRST_PAUSE_S,
    LONGEST_HOLD_S,
    Bucket,
    Circuit,
    Turns,
)
from server.alerts.channels.sms.routes import NUMBER_EVERY_S, Fleet, Wish, ranked
from server.config import Settings
from server.texting import SmsRoute, sms_routes, texted

KENYA = "+254700000001"


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def route(name: str, *prefixes: str, **more: Any) -> SmsRoute:
    given_: dict[str, Any] = {"kind": "kannel", "url": "http://127.0.0.1:1/", "per_s": 1000, **more}
    return SmsRoute(name=name, prefixes=prefixes or ("+",), **given_)


def chosen(fleet: Fleet, number: str = KENYA, urgent: bool = False, parts: int = 1) -> str | None:
    found = fleet.choose(Wish(number, parts, urgent)).route
    return found.name if found else None


def test_the_longest_prefix_wins_then_priority() -> None:
    routes = [
        route("world"), route("kenya-dear", "+254", priority=2), route("kenya", "+254"),
        route("airtel", "+25473", "+1"),
    ]  # fmt: skip
    assert [[r.name for r in rank] for rank in ranked(routes, KENYA)] == [
        ["kenya"], ["kenya-dear"], ["world"],
    ]  # fmt: skip
    assert ranked(routes, "+254733000000")[0][0].name == "airtel"
    assert ranked([route("kenya", "+254")], "+33612345678") == []


def test_a_failing_route_is_passed_over_and_comes_back_with_one_text() -> None:
    clock = Clock()
    fleet = Fleet([route("a", "+254"), route("b")], clock)
    for n in range(FAILURES):
        assert chosen(fleet, f"+25470000100{n}") == "a"
        fleet.way("a").circuit.failed()
    assert chosen(fleet, "+254700002000") == "b"
    clock.now += FIRST_PAUSE_S + 0.1
    assert chosen(fleet, "+254700002001") == "a", "it is on trial"
    assert chosen(fleet, "+254700002002") == "b", "with one text only"
    fleet.way("a").circuit.succeeded()
    assert chosen(fleet, "+254700002003") == "a"


def test_what_a_route_asks_for_is_granted_at_once() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    circuit.failed(retry_after=90)
    assert circuit.wait_s() == pytest.approx(90)


def test_only_failed_trials_make_the_pause_longer() -> None:
    """An outage fails many texts at once; the route must not be away for minutes because of it."""
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(32):
        circuit.failed()
    assert circuit.wait_s() == pytest.approx(FIRST_PAUSE_S)
    for times in (2, 4):
        clock.now += circuit.wait_s()
        circuit.used()
        for _ in range(5):
            circuit.failed()
        assert circuit.wait_s() == pytest.approx(FIRST_PAUSE_S * times)
    circuit.failed(retry_after=200)
    assert circuit.wait_s() == pytest.approx(200)
    circuit.succeeded()
    assert circuit.wait_s() == 0


def test_equals_share_the_load_and_only_life_safety_spills_over() -> None:
    clock = Clock()
    dear = route("dear", "+254", priority=2)
    fleet = Fleet([route("a", "+254", per_s=1), route("b", "+254", per_s=1), dear], clock)
    numbers = (f"+2547000030{n:02}" for n in range(99))
    assert {chosen(fleet, next(numbers)), chosen(fleet, next(numbers))} == {"a", "b"}
    held = fleet.choose(Wish(next(numbers)))
    assert held.route is None
    assert held.wait_s == pytest.approx(1.0)
    assert "rate" in held.why
    assert chosen(fleet, next(numbers), urgent=True) == "dear"


def test_a_number_gets_one_text_in_five_seconds() -> None:
    clock = Clock()
    fleet = Fleet([route("a")], clock)
    assert chosen(fleet) == "a"
    assert chosen(fleet) is None
    assert chosen(fleet, "+254700000009") == "a"
    clock.now += NUMBER_EVERY_S
    assert chosen(fleet) == "a"


def test_what_was_not_taken_costs_neither_money_nor_time() -> None:
    fleet = Fleet([route("a", price_micro=10, cap_micro_per_day=10)], Clock())
    assert chosen(fleet) == "a"
    fleet.unsent("a", KENYA, 1)
    assert chosen(fleet) == "a"


def test_the_cap_holds_all_but_life_safety_until_the_next_day() -> None:
    fleet = Fleet([route("a", price_micro=10, cap_micro_per_day=25)], Clock())
    fleet.spent(1, {"a": 6})
    assert chosen(fleet, "+2547001") == "a"
    held = fleet.choose(Wish("+2547002"))
    assert held.route is None
    assert "cap" in held.why
    assert chosen(fleet, "+2547003", urgent=True) == "a"
    fleet.spent(1, {"a": 0})
    assert chosen(fleet, "+2547004") is None, "a record that lags behind refunds nothing"
    fleet.spent(2, {})
    assert chosen(fleet, "+2547005") == "a"


@given(
    prefixes=st.lists(
        st.lists(st.sampled_from(["+", "+2", "+25", "+254", "+2547", "+1"]), min_size=1),
        min_size=1, max_size=5,
    ),
    priorities=st.lists(st.integers(1, 3), min_size=5, max_size=5),
    sick=st.sets(st.integers(0, 4)),
    urgent=st.booleans(),
)  # fmt: skip
def test_the_best_whole_route_that_serves_the_number_is_chosen(
    prefixes: list[list[str]], priorities: list[int], sick: set[int], urgent: bool
) -> None:
    routes = [route(f"r{n}", *p, priority=priorities[n]) for n, p in enumerate(prefixes)]
    fleet = Fleet(routes, Clock())
    for n in sick & set(range(len(routes))):
        fleet.way(f"r{n}").circuit.failed(retry_after=60)
    whole = [
        (-max(len(p) for p in r.prefixes if KENYA.startswith(p)), r.priority, r.name)
        for n, r in enumerate(routes)
        if n not in sick and any(KENYA.startswith(p) for p in r.prefixes)
    ]
    name = chosen(fleet, urgent=urgent)
    if not whole:
        assert name is None
        return
    [found] = [w for w in whole if w[2] == name]
    assert found[:2] == min(whole)[:2]


@given(
    per_s=st.floats(0.05, 100),
    steps=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 10)), max_size=60),
)
def test_no_bucket_gives_more_than_its_rate(per_s: float, steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    bucket = Bucket(per_s, per_s, clock)
    started, given_, largest = clock.now, 0, 0
    for wait, parts in steps:
        clock.now += wait
        if bucket.free():
            bucket.take(parts)
            given_, largest = given_ + parts, max(largest, parts)
    assert given_ <= max(per_s, 1) + (clock.now - started) * per_s + largest + 1e-6


@given(per_s=st.floats(0.1, 50), waiting=st.integers(1, 200))
def test_those_who_wait_get_turns_apart_from_each_other(per_s: float, waiting: int) -> None:
    clock = Clock()
    bucket = Bucket(per_s, per_s, clock)
    while bucket.free():
        bucket.take(1)
    waiters = Turns(bucket, clock)
    turns = [waiters.promise(str(n), 0, 1) for n in range(waiting)]
    assert all(0 < t <= LONGEST_HOLD_S for t in turns)
    near = [t for t in turns if t < LONGEST_HOLD_S]
    assert all(b - a >= 0.999 / per_s for a, b in pairwise(near))


def test_routes_come_from_the_settings_and_hide_their_secrets() -> None:
    listed = [{"name": "tw", "kind": "twilio", "username": "AC1", "password": "hush-hush",
               "prefixes": ["+1", "+44"]}]  # fmt: skip
    settings = Settings(
        sms_routes=SecretStr(json.dumps(listed)), sms_url="http://127.0.0.1:9/cgi-bin/sendsms"
    )
    routes = sms_routes(settings)
    assert [r.name for r in routes] == ["tw", "kannel"]
    assert routes[0].address.endswith("/Accounts/AC1/Messages.json")
    assert texted(routes) == ("+", "+1", "+44")
    assert "hush" not in f"{routes!r} {settings!r}"
    assert sms_routes(Settings()) == ()


@pytest.mark.parametrize(
    "listed",
    [
        "{", '[{"name": "a"}]', '[{"name": "a", "kind": "pigeon"}]',
        '[{"name": "a", "kind": "android"}]', '[{"name": "A b", "kind": "twilio"}]',
        '[{"name": "a", "kind": "twilio", "prefixes": ["254"]}]',
        '[{"name": "a", "kind": "twilio", "per_s": 0}]',
        '[{"name": "a", "kind": "twilio", "pass": "x"}]',
        '[{"name": "a", "kind": "kannel", "url": "http://k/", "report_secret": "50 %"}]',
        '[{"name": "a", "kind": "twilio"}, {"name": "a", "kind": "twilio"}]',
    ],
)  # fmt: skip
def test_routes_that_do_not_fit_are_refused(listed: str) -> None:
    with pytest.raises(ValueError, match="MUSTER_SMS_ROUTES"):
        sms_routes(Settings(sms_routes=SecretStr(listed)))
