"""Which numbers a message stands for, whatever the events: a pure function held to its laws."""

from collections.abc import Hashable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from server.feed import Message, join, plan
from server.stream import Event
from tests.kernel.watching import Parser

KEYS = {"count": lambda e: e.data, "list": lambda _: None, "panic": None}
events_in_order = st.builds(
    lambda first, items: [Event(first + n, kind, key) for n, (kind, key) in enumerate(items)],
    st.integers(1, 1000),
    st.lists(
        st.tuples(st.sampled_from(["count", "list", "panic", "unknown"]), st.integers(0, 3)),
        max_size=40,
    ),
)


def key_of(event: Event) -> Hashable:
    make = KEYS.get(event.kind)
    return (event.seq,) if make is None else (event.kind, make(event))


@given(events_in_order)
def test_messages_cover_every_number_once_and_in_order(events: list[Event]) -> None:
    groups = plan(events, KEYS)
    assert [g.first for g in groups[:1]] == [e.seq for e in events[:1]]
    assert [g.last for g in groups[-1:]] == [e.seq for e in events[-1:]]
    for one, next_one in pairwise(groups):
        assert one.first <= one.last
        assert next_one.first == one.last + 1


@given(events_in_order)
def test_each_event_is_in_exactly_one_message_with_all_of_its_key(events: list[Event]) -> None:
    groups = plan(events, KEYS)
    assert sorted(e.seq for g in groups for e in g.events) == [e.seq for e in events]
    for group in groups:
        assert {key_of(e) for e in group.events} == {key_of(group.events[0])}
        assert [e.seq for e in group.events] == sorted(e.seq for e in group.events)
    assert len({key_of(g.events[0]) for g in groups}) == len(groups)


@given(events_in_order)
def test_a_message_with_id_n_means_that_everything_up_to_n_was_sent(events: list[Event]) -> None:
    sent: set[int] = set()
    for group in plan(events, KEYS):
        sent |= {e.seq for e in group.events}
        assert {e.seq for e in events if e.seq <= group.last} <= sent


@given(events_in_order)
def test_an_urgent_or_unknown_kind_is_never_merged(events: list[Event]) -> None:
    for group in plan(events, KEYS):
        assert group.kind in ("count", "list") or len(group.events) == 1


@given(events_in_order, st.sets(st.integers(0, 45)), st.integers(0, 1000))
def test_hidden_messages_are_covered_by_the_next_ones_from(
    events: list[Event], hidden: set[int], previous: int
) -> None:
    shown = [g for n, g in enumerate(plan(events, KEYS)) if n not in hidden]
    messages = [Message(g.last, g.kind, b'{"a":1}') for g in shown]
    last = previous
    for message in Parser().push(join(messages, previous)):
        assert message.data == {"from": last + 1, "a": 1}
        last = message.id
    assert last == (shown[-1].last if shown else previous)
