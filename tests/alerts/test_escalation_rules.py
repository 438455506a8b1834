"""When steps are due and which branch opens next: laws, whatever the tree."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.alerts.escalation import rules
from server.alerts.escalation.rules import DESK, Node, Policy, PolicyChange, Quiet
from server.errors import BadInput

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NIGHT = Quiet("21:00", "07:00")


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """Any forest of up to 12 nodes, led or not, peopled or not, with or without a desk node."""
    count = draw(st.integers(1, 12))
    nodes = []
    for n in range(1, count + 1):
        leaders = tuple(draw(st.lists(st.integers(1, 30), max_size=3, unique=True)))
        able = frozenset(draw(st.lists(st.sampled_from(leaders), unique=True)) if leaders else [])
        parent = draw(st.none() | st.integers(1, n - 1)) if n > 1 else None
        nodes.append(Node(n, parent, draw(st.integers(0, 3)), "waiting", leaders, able))
    if draw(st.booleans()):
        nodes.append(Node(DESK, None, 2, "waiting"))
    return nodes


def play(nodes: list[Node], mode: str, answers: st.DataObject | None) -> tuple[list[str], int]:
    """Plays a cascade to its end; the log of what each node did, and how many rounds it took."""
    state = {n.node_id: n for n in nodes}
    log: list[str] = []
    rounds = 0

    def take(turns: list[rules.Turn]) -> None:
        for turn in turns:
            node = state[turn.node_id]
            assert node.state in ("waiting", "asked"), "nothing opens, or is asked, twice"
            parent = state.get(node.parent_id or -1)
            assert parent is None or parent.state in ("open", "skipped"), (
                "never before the one above"
            )
            done = {"ask": "asked", "open": "open", "skip": "skipped"}[turn.does]
            assert done != "skipped" or node.people == 0, "nobody is passed over"
            state[turn.node_id] = msgspec.structs.replace(node, state=done)
            log.append(f"{done} {turn.node_id}")

    take(rules.begin(state.values(), mode))
    while asked := [n.node_id for n in state.values() if n.state == "asked"]:
        rounds += 1
        some = asked
        if answers is not None:
            some = answers.draw(st.lists(st.sampled_from(asked), min_size=1, unique=True))
        for node_id in some:
            state[node_id] = msgspec.structs.replace(state[node_id], state="open")
        take(rules.opened(state.values(), some))
    assert all(n.state in ("open", "skipped") for n in state.values()), "everybody is reached"
    return log, rounds


def depth(nodes: list[Node]) -> int:
    by_id = {n.node_id: n for n in nodes}

    def of(node: Node) -> int:
        return 1 + (of(by_id[node.parent_id]) if node.parent_id in by_id else 0)

    return max(map(of, nodes))


@given(trees(), st.data())
def test_every_branch_opens_once_whoever_answers_and_in_whatever_order(
    nodes: list[Node], answers: st.DataObject
) -> None:
    play(nodes, "cascade", answers)


@given(trees())
def test_silent_wardens_delay_nobody_more_than_once_a_level(nodes: list[Node]) -> None:
    assert play(nodes, "cascade", None)[1] <= depth(nodes)


@given(trees())
def test_a_broadcast_opens_all_at_once(nodes: list[Node]) -> None:
    log, rounds = play(nodes, "broadcast", None)
    assert rounds == 0
    assert sorted(log) == sorted(f"open {n.node_id}" for n in nodes)


@given(trees())
def test_an_unled_node_waits_for_nothing(nodes: list[Node]) -> None:
    unled = {n.node_id for n in nodes if not n.able}
    asked = {t.node_id for t in rules.begin(nodes, "cascade") if t.does == "ask"}
    assert not asked & unled


@given(trees(), st.data())
def test_what_is_passed_up_ends_at_somebody_who_can_be_told_or_at_the_desk(
    nodes: list[Node], data: st.DataObject
) -> None:
    """Step by step upwards, each leader once, and in the end the desk."""
    node = data.draw(st.sampled_from(nodes))
    charge = len(node.leaders) - 1 if node.leaders else None
    node = msgspec.structs.replace(node, charge=charge)
    told: list[int] = []
    while (found := rules.above({n.node_id: n for n in nodes}, node)) is not None:
        boss, leader = found
        assert leader in boss.able
        assert leader not in node.leaders, "nobody is passed up to herself"
        told.append(leader)
        node = msgspec.structs.replace(node, passed_to=boss.node_id)
        assert len(told) <= len(nodes), "it ends"
    assert len(told) == len(set(told)), "nobody is told of the same silent twice"


def test_a_cycle_in_a_tree_ends() -> None:
    nodes = {1: Node(1, 2, 1, "open"), 2: Node(2, 1, 1, "open")}
    assert rules.above(nodes, nodes[1]) is None


def test_the_steps_of_each_severity_come_in_order() -> None:
    node = Node(1, None, 5, "open", (7, 8), frozenset({7, 8}))
    for policy in rules.DEFAULTS.values():
        due = [s.due_at for s in rules.steps(policy, "rollcall", node, NOW, "UTC")]
        assert due == sorted(due)
    acts = [s.act for s in rules.steps(rules.DEFAULTS["urgent"], "rollcall", node, NOW, "UTC")]
    assert acts == ["channels", "call_down", "alternate", "up"]
    at_once = rules.steps(rules.DEFAULTS["life_safety"], "rollcall", node, NOW, "UTC")
    assert [s.act for s in at_once] == ["call_down", "alternate", "up"], "all channels went at once"


def test_nobody_is_chased_for_an_advisory_nor_in_an_empty_node() -> None:
    policy = rules.DEFAULTS["urgent"]
    node = Node(1, None, 5, "open", (7, 8), frozenset({7}))
    assert [s.act for s in rules.steps(policy, "advisory", node, NOW, "UTC")] == ["channels"]
    nobody = msgspec.structs.replace(node, people=0)
    assert rules.steps(policy, "rollcall", nobody, NOW, "UTC") == []


def test_whom_nobody_answers_for_goes_to_the_desk_when_wardens_are_called() -> None:
    policy = rules.DEFAULTS["urgent"]
    found = rules.steps(policy, "rollcall", Node(DESK, None, 2, "open"), NOW, "UTC")
    assert [(s.act, s.due_at - NOW) for s in found] == [
        ("channels", timedelta(seconds=300)),
        ("up", timedelta(seconds=600)),
    ]


def test_an_alert_may_wish_otherwise_but_not_backwards() -> None:
    urgent = rules.DEFAULTS["urgent"]
    made = rules.changed(urgent, PolicyChange(channels_after_s=None, warden_after_s=30))
    assert (made.channels_after_s, made.warden_after_s, made.up_after_s) == (None, 30, 1800)
    with pytest.raises(BadInput) as refused:
        rules.changed(urgent, PolicyChange(up_after_s=30))
    assert "escalation.up_after_s" in str(refused.value.errors)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["Africa/Nairobi", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_quiet_hours_end_when_the_clock_on_the_wall_says_so(due: datetime, zone: str) -> None:
    held = rules.after_quiet(due, NIGHT, zone)
    wall, was = held.astimezone(ZoneInfo(zone)), due.astimezone(ZoneInfo(zone))
    assert held >= due
    assert held - due <= timedelta(hours=11), "ten hours, eleven where the clocks go back"
    if 7 <= was.hour < 21:
        assert held == due
    else:
        assert (wall.hour, wall.minute) == (7, 0)


def test_the_night_of_a_clock_change_is_as_long_as_it_is() -> None:
    """In Berlin on 29 March 2026 the clocks go from 02:00 to 03:00, on 25 October back."""
    spring = datetime(2026, 3, 28, 21, tzinfo=UTC)  # 22:00 there
    assert rules.after_quiet(spring, NIGHT, "Europe/Berlin") == datetime(2026, 3, 29, 5, tzinfo=UTC)
    autumn = datetime(2026, 10, 24, 20, tzinfo=UTC)  # 22:00 there
    assert rules.after_quiet(autumn, NIGHT, "Europe/Berlin") == datetime(
        2026, 10, 25, 6, tzinfo=UTC
    )


def test_quiet_hours_within_one_day() -> None:
    siesta = Quiet("13:00", "15:30")
    noon = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)  # 14:30 in Madrid
    assert rules.after_quiet(noon, siesta, "Europe/Madrid") == datetime(
        2026, 6, 1, 13, 30, tzinfo=UTC
    )
    assert rules.after_quiet(NOW, None, "Europe/Madrid") == NOW


@given(st.integers(2, 6), st.integers(0, 5))
def test_alternates_are_told_one_after_another_and_then_no_more(count: int, charge: int) -> None:
    leaders = tuple(range(1, count + 1))
    place = min(charge, count - 1)
    node = Node(1, None, 3, "open", leaders, frozenset(leaders), charge=place)
    after = rules.next_alternate(rules.DEFAULTS["urgent"], node, NOW, "UTC")
    assert (after is None) == (place == count - 1)
    assert after is None or after >= NOW + timedelta(seconds=60)


def test_quiet_hours_hold_alternates_and_passing_up_too() -> None:
    leaders = (1, 2, 3)
    node = Node(1, None, 3, "open", leaders, frozenset(leaders), charge=0)
    late = datetime(2026, 6, 1, 20, 30, tzinfo=UTC)
    routine, morning = rules.DEFAULTS["routine"], datetime(2026, 6, 2, 7, tzinfo=UTC)
    assert rules.next_alternate(routine, node, late, "UTC") == morning
    assert rules.next_up(routine, late, "UTC") == morning


def test_whoever_is_in_charge_above_is_told() -> None:
    top = Node(1, None, 1, "open", (7, 8), frozenset({7, 8}), charge=1)
    low = Node(2, 1, 5, "open", (9,), frozenset({9}), charge=0)
    assert rules.above({1: top, 2: low}, low) == (top, 8)


def test_a_policy_reads_as_it_was_written() -> None:
    for policy in rules.DEFAULTS.values():
        text = msgspec.json.encode(policy)
        assert msgspec.json.decode(text, type=Policy) == policy
    assert b'"from":"21:00"' in msgspec.json.encode(rules.DEFAULTS["routine"])
