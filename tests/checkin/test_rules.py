"""Reports: corrected time, sameness, and where an answer counts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.checkin import rules
from server.checkin.rules import Place, Question, Report
from server.clock import corrected

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MOMENTS = st.timedeltas(-timedelta(days=300), timedelta(days=300)).map(lambda d: NOON + d)


def report(**changes: object) -> Report:
    base: dict[str, object] = {
        "checkin_id": uuid4(), "person_id": 1, "person_ref": "P1", "status": "safe", "at": NOON,
        "sent_at": None, "alert_id": None, "place": None, "note": None, "battery": None,
        "reporter": "self", "actor": "device:x", "body_hash": b"",
    }  # fmt: skip
    return Report(**{**base, **changes})  # type: ignore[arg-type]


def question(**changes: object) -> Question:
    base: dict[str, object] = {
        "alert_id": uuid4(), "kind": "rollcall", "exercise": False, "state": "open",
        "counts_from": NOON - MINUTE, "closed_at": None,
    }  # fmt: skip
    return Question(**{**base, **changes})  # type: ignore[arg-type]


@given(
    happened=MOMENTS,
    waited=st.timedeltas(timedelta(0), timedelta(days=3)),
    skew=st.timedeltas(-timedelta(days=400), timedelta(days=400)),
)
def test_a_phone_clock_wrong_by_any_amount_gives_the_true_time(
    happened: datetime, waited: timedelta, skew: timedelta
) -> None:
    received = happened + waited
    assert corrected(happened + skew, received + skew, received) == happened


@given(at=MOMENTS, sent=st.none() | MOMENTS, received=MOMENTS)
def test_no_report_is_ever_from_the_future(
    at: datetime, sent: datetime | None, received: datetime
) -> None:
    assert corrected(at, sent, received) <= received


def test_an_hour_old_safe_that_arrives_late_is_an_hour_old() -> None:
    nine, ten = NOON - timedelta(hours=3), NOON - timedelta(hours=2)
    assert corrected(nine, ten, ten) == nine


def test_battery_and_sending_time_are_no_part_of_sameness_but_words_are() -> None:
    said = ("P1", "safe", NOON, None, Place(1.0, 2.0, None), "at home")
    assert rules.body_hash(*said) == rules.body_hash(*said)
    assert rules.body_hash(*said) != rules.body_hash(*said[:5], "at hotel")
    assert rules.body_hash(*said) != rules.body_hash("P2", *said[1:])


def test_an_unaddressed_answer_counts_in_every_open_roll_call_and_in_nothing_else() -> None:
    said = report()
    assert rules.counts_in(said, NOON, False, question())
    assert not rules.counts_in(said, NOON, False, question(kind="advisory"))
    assert not rules.counts_in(said, NOON, False, question(exercise=True))
    assert not rules.counts_in(said, NOON, False, question(state="cancelled"))
    assert not rules.counts_in(said, NOON, False, question(state="preparing"))
    assert not rules.counts_in(said, NOON, False, question(counts_from=NOON + MINUTE))


def test_an_addressed_answer_counts_there_only_unless_help_is_needed() -> None:
    asked, other = question(), question()
    safe = report(alert_id=asked.alert_id)
    assert rules.counts_in(safe, NOON, False, asked)
    assert not rules.counts_in(safe, NOON, False, other)
    help_me = report(alert_id=asked.alert_id, status="need_help")
    assert rules.counts_in(help_me, NOON, False, other)
    assert not rules.counts_in(help_me, NOON, False, question(exercise=True))


def test_an_answer_that_names_its_alert_counts_whatever_the_clock_did() -> None:
    asked = question()
    said = report(alert_id=asked.alert_id, status="need_help")
    long_ago = NOON - timedelta(days=2)
    [answer] = rules.standing_answers([(said, long_ago, False)], [asked])
    assert (answer.status, answer.event_at) == ("need_help", asked.counts_from)
    assert rules.standing_answers([(report(), long_ago, False)], [asked]) == []


def test_an_answer_in_an_exercise_never_counts_in_an_actual_alert() -> None:
    drill = question(exercise=True)
    said = report(alert_id=drill.alert_id, status="need_help")
    assert rules.counts_in(said, NOON, True, drill)
    assert not rules.counts_in(said, NOON, True, question())


def test_after_the_close_only_what_was_said_before_it_or_to_it_counts() -> None:
    closed = question(state="closed", closed_at=NOON)
    assert rules.counts_in(report(), NOON, False, closed)
    assert not rules.counts_in(report(), NOON + MINUTE, False, closed)
    assert rules.counts_in(report(alert_id=closed.alert_id), NOON + MINUTE, False, closed)


@given(
    order=st.permutations(range(6)),
    minutes=st.lists(st.integers(0, 3), min_size=6, max_size=6),
    statuses=st.lists(st.sampled_from(rules.STATUSES), min_size=6, max_size=6),
)
def test_the_order_within_a_batch_never_matters(
    order: list[int], minutes: list[int], statuses: list[str]
) -> None:
    asked = question()
    rows = [
        (report(checkin_id=UUID(int=n), status=statuses[n]), NOON + minutes[n] * MINUTE, False)
        for n in range(6)
    ]
    straight = rules.standing_answers(rows, [asked])
    shuffled = rules.standing_answers([rows[n] for n in order], [asked])
    assert straight == shuffled
    assert straight[0].event_at == max(at for _, at, _ in rows)
    assert straight[0].first_at == min(at for _, at, _ in rows)
    assert straight[0].reports == 6


@pytest.mark.parametrize(("first", "second"), [("safe", "need_help"), ("need_help", "safe")])
def test_at_the_same_instant_help_wins(first: str, second: str) -> None:
    rows = [(report(status=s), NOON, False) for s in (first, second)]
    assert rules.standing_answers(rows, [question()])[0].status == "need_help"
