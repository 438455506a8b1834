"""Codes, attempts and pages: the small parts on their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import TooMany
from server.paging import PageQuery, page
from server.people import rules
from server.people.attempts import MOST_ADDRESSES, Attempts

CODES = st.lists(st.integers(0, 31), min_size=1, max_size=26)


@given(CODES, st.randoms())
def test_any_way_of_typing_a_code_means_the_same(draws: list[int], luck: object) -> None:
    code = rules.code_text(draws)
    typed = code.lower().replace("0", "o").replace("1", "I").replace("-", " ")
    assert rules.code_digest(typed) == rules.code_digest(code)
    assert len(rules.bare_code(code)) == len(draws)


@given(st.text())
def test_any_text_may_be_typed_for_a_code(text: str) -> None:
    assert len(rules.code_digest(text)) == 32


def test_the_alphabet_has_no_look_alikes() -> None:
    assert len(set(rules.ALPHABET)) == 32
    assert not set("ILOU") & set(rules.ALPHABET)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_wrong_tries_are_forgiven_with_time() -> None:
    clock = Clock()
    attempts = Attempts(burst=3, refill_s=10.0, clock=clock)
    for _ in range(3):
        attempts.check("a")
        attempts.failed("a")
    with pytest.raises(TooMany) as held:
        attempts.check("a")
    assert held.value.retry_after == 10
    attempts.check("b")
    clock.now = 10.0
    attempts.check("a")
    clock.now = 1000.0
    for _ in range(3):
        attempts.check("a")
        attempts.failed("a")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("", "testclient", False),
    ],
)
def test_an_address_is_one_caller(one: str, other: str, shared: bool) -> None:
    attempts = Attempts(burst=1, clock=Clock())
    attempts.failed(one)
    if shared:
        with pytest.raises(TooMany):
            attempts.check(other)
    else:
        attempts.check(other)


def test_a_flood_from_everywhere_stays_bounded() -> None:
    attempts = Attempts(clock=Clock())
    for n in range(MOST_ADDRESSES + 10):
        attempts.failed(f"host-{n}")
    assert len(attempts._debts) <= MOST_ADDRESSES


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))),
    st.integers(1, 5),
)
def test_pages_hold_every_row_once_in_order(names: list[str], limit: int) -> None:
    rows = sorted(set(names))
    seen: list[str] = []
    query = PageQuery(limit=limit)
    while True:
        (after,) = query.after(str)
        rest = [r for r in rows if after is None or r > after]
        cut = page("/v1/x", query, rest[: limit + 1], lambda r: [r], lambda r: r)
        seen += cut.items
        if cut.next is None:
            break
        assert cut.next.startswith(f"/v1/x?limit={limit}&cursor=")
        query = PageQuery(limit=limit, cursor=cut.next.rpartition("=")[2])
    assert seen == rows
