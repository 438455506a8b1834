"""A tree's health: each issue from its cause, and scores that mending never lowers."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.people.tree import rules
from server.people.tree.rules import Facts, Staff

NOW = datetime(2026, 11, 23, tzinfo=UTC)
replace = msgspec.structs.replace


def staff(ref: str, **more: Any) -> Staff:
    given_ = {"fresh": True, "heard_at": NOW, "number": True, "away": False, **more}
    return Staff(ref=ref, name=f"Name {ref}", **given_)


def node(name: str = "N", **more: Any) -> Facts:
    good = {
        "parent": None,
        "warden": staff("W"),
        "alternates": [staff("A")],
        "members": [],
        "people": 3,
    }
    return Facts(node=name, **{**good, **more})


def kinds(*nodes: Facts, of: str = "N") -> list[str]:
    return [i.kind for i in rules.issues(nodes)[of]]


@pytest.mark.parametrize(
    ("facts", "found", "score"),
    [
        (node(), [], 100),
        (node(warden=None), ["no_warden"], 40),
        (node(warden=None, alternates=[]), ["no_warden", "no_alternate"], 20),
        (node(alternates=[]), ["no_alternate"], 80),
        (node(warden=staff("W", fresh=False)), ["warden_not_fresh"], 85),
        (node(warden=staff("W", fresh=False, number=False)), ["warden_unreachable"], 60),
        (node(warden=staff("W", number=False)), ["warden_no_number"], 95),
        (node(warden=staff("W", away=True)), ["warden_away"], 85),
        (
            node(warden=staff("W", away=True), alternates=[staff("A", away=True)]),
            ["nobody_here"],
            50,
        ),
        (node(warden=staff("W", away=True), alternates=[]), ["nobody_here", "no_alternate"], 30),
        (node(alternates=[staff("A", fresh=False)]), ["alternate_not_fresh"], 90),
        (node(alternates=[staff("A", fresh=False, number=False)]), ["alternate_unreachable"], 85),
        (node(alternates=[staff("A"), staff("B", number=False)]), ["alternate_no_number"], 95),
        (node(people=0), ["empty"], 95),
        (node(parent="N"), ["cycle"], 0),
    ],
)
def test_each_cause_is_told_and_weighed(facts: Facts, found: list[str], score: int) -> None:
    own = rules.issues([facts])["N"]
    assert [i.kind for i in own] == found
    assert rules.node_score(own) == score
    assert all(i.remedy and i.node == "N" for i in own)


def test_a_node_above_others_is_not_empty() -> None:
    assert kinds(node(people=0), node("B", parent="N", warden=staff("X"))) == []


def test_one_warden_of_many_nodes() -> None:
    nodes = [node(f"N{n}", warden=staff("W")) for n in range(4)]
    assert all(own[0].kind == "warden_of_many" for own in rules.issues(nodes).values())
    assert not any(rules.issues(nodes[:3]).values())


def test_members_of_two_nodes_are_named_in_both() -> None:
    found = rules.issues([node(members=["P", "Q"]), node("M", members=["Q"])])
    assert [(i.kind, i.refs) for own in found.values() for i in own] == [
        ("member_twice", ["Q"]),
        ("member_twice", ["Q"]),
    ]


def test_a_chain_too_long_and_a_ring_with_a_tail() -> None:
    chain = [node(f"N{n}", parent=f"N{n - 1}" if n else None) for n in range(8)]
    chain = [replace(n, warden=staff(n.node)) for n in chain]
    assert [n for n, own in rules.issues(chain).items() if own] == ["N6", "N7"]
    ring = [node("A", parent="B"), node("B", parent="A"), node("C", parent="A")]
    found = rules.issues(ring)
    assert [[i.kind for i in found[n]] for n in "ABC"] == [["cycle"], ["cycle"], []]


def test_a_long_list_is_cut_but_counted() -> None:
    found = rules.issue("orphans", None, [f"P{n}" for n in range(500)])
    assert (len(found.refs), found.count, found.severity) == (rules.NAMED, 500, "critical")


def test_every_kind_has_a_weight_and_a_remedy() -> None:
    for kind in rules.Kind.__args__:  # type: ignore[attr-defined]
        assert rules.issue(kind, None).remedy
        assert rules.weight(kind) > 0 or kind == "orphans"


# -- mending never lowers

STAFF = st.builds(
    staff, st.sampled_from("VWXYZ"), fresh=st.booleans(), number=st.booleans(), away=st.booleans()
)
REFS = st.lists(st.sampled_from("PQRST"), max_size=3, unique=True)
TREES = st.lists(
    st.builds(
        node,
        warden=st.none() | STAFF,
        alternates=st.lists(STAFF, max_size=3),
        members=REFS,
        people=st.integers(0, 20),
        parent=st.none() | st.sampled_from(["N0", "N1", "N2", "N3"]),
    ),
    min_size=1,
    max_size=9,
).map(lambda nodes: [replace(n, node=f"N{i}") for i, n in enumerate(nodes)])


def scores(nodes: list[Facts], orphans: int) -> tuple[dict[str, int], int]:
    own = {n: rules.node_score(i) for n, i in rules.issues(nodes).items()}
    return own, rules.tree_score([(n.people, own[n.node]) for n in nodes], orphans) or 0


def mended(n: Facts, kind: str) -> Facts:
    """The node with one issue mended, and nothing else made worse."""
    good = staff(f"new {n.node}")
    well = {"fresh": True, "number": True, "away": False}
    warden = {
        "no_warden": good,
        "warden_of_many": good,
        "warden_not_fresh": n.warden and replace(n.warden, fresh=True),
        "warden_no_number": n.warden and replace(n.warden, number=True),
        "warden_unreachable": n.warden and replace(n.warden, number=True),
        "warden_away": n.warden and replace(n.warden, away=False),
    }
    alternates = {
        "no_alternate": [good],
        "nobody_here": [*n.alternates, good],
        "alternate_unreachable": [replace(a, number=True) for a in n.alternates],
        "alternate_not_fresh": [replace(a, fresh=True) for a in n.alternates],
        "alternate_no_number": [replace(a, **well) for a in n.alternates],
    }
    if kind in warden:
        return replace(n, warden=warden[kind])
    if kind in alternates:
        return replace(n, alternates=alternates[kind])
    rest: dict[str, dict[str, Any]] = {
        "cycle": {"parent": None},
        "too_deep": {"parent": None},
        "member_twice": {"members": []},
        "empty": {"people": 1},
    }
    return replace(n, **rest[kind])


@given(TREES, st.integers(0, 9), st.data())
def test_mending_an_issue_never_lowers_a_score(
    nodes: list[Facts], orphans: int, data: st.DataObject
) -> None:
    found = [i for own in rules.issues(nodes).values() for i in own]
    before, whole = scores(nodes, orphans)
    if found:
        one = data.draw(st.sampled_from(found))
        after = [mended(n, one.kind) if n.node == one.node else n for n in nodes]
        own, tree = scores(after, orphans)
        assert own[one.node or ""] >= before[one.node or ""]
        if one.kind not in ("empty", "cycle", "too_deep"):  # those move people and levels
            assert all(own[n] >= before[n] for n in before)
            assert tree >= whole


@given(TREES, STAFF, st.integers(0, 9))
def test_naming_somebody_is_never_worse_than_naming_nobody(
    nodes: list[Facts], somebody: Staff, orphans: int
) -> None:
    first = replace(nodes[0], warden=None, alternates=[])
    bare = [first, *nodes[1:]]
    own = replace(somebody, ref="new")
    before, whole = scores(bare, orphans)
    for named in (replace(first, warden=own), replace(first, alternates=[own])):
        after, tree = scores([named, *nodes[1:]], orphans)
        assert after["N0"] >= before["N0"]
        assert tree >= whole


@given(TREES, st.integers(1, 9))
def test_an_orphan_placed_never_lowers_the_score(nodes: list[Facts], orphans: int) -> None:
    _, before = scores(nodes, orphans)
    placed = [replace(nodes[0], people=nodes[0].people + 1), *nodes[1:]]
    assert scores(placed, orphans - 1)[1] >= before
