"""What a watch does next: its laws over any order of words and looks, and wall times of curfews."""

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.checkin.watches import rules
from server.checkin.watches.rules import DAY, Turn, Watch

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
KINDS = ("journey", "interval", "curfew", "radio_check")
CLOCK = frozenset({"reminded", "overdue", "passed_up", "desk"})


def fresh(kind: str, length_s: int = 3600, grace_s: int = 60, person: int | None = 1) -> Watch:
    due_at = START + timedelta(seconds=length_s)
    return Watch(
        watch_id=UUID(int=1),
        kind=kind,
        person_id=person,
        counts_from=rules.covered_from(kind, START, due_at),
        due_at=due_at,
        grace_s=grace_s,
        interval_s=length_s if kind == "interval" else None,
        state="running",
        round=0,
        step=0,
        turn_at=rules.first_turn(START, due_at, grace_s),
        said_at=START,
        reminded_at=None,
        overdue_at=None,
        late=False,
        ended_at=None,
    )


class Lifecycle(RuleBasedStateMachine):
    """One watch under any words in any order, repeated, late or stale, and looks at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.watch = fresh("interval")
        self.fired: list[tuple[int, str]] = []
        self.ended: Watch | None = None

    def take(self, turn: Turn) -> None:
        if turn.watch.state != self.watch.state and turn.watch.round == self.watch.round:
            steps = {(a, b) for s in rules.TRANSITIONS.values() for a, b in s.items()}
            assert (self.watch.state, turn.watch.state) in steps
        for fact in turn.facts:
            assert fact.round == self.watch.round
            if fact.what in CLOCK:
                self.fired.append((fact.round, fact.what))
        self.watch = turn.watch

    @precondition(lambda self: not self.fired and self.watch.round == 0 and self.ended is None)
    @rule(kind=st.sampled_from(KINDS), length_s=st.integers(0, 7200), grace_s=st.integers(0, 900),
          person=st.sampled_from([1, None]))  # fmt: skip
    def begin(self, kind: str, length_s: int, grace_s: int, person: int | None) -> None:
        if self.now == START and self.watch == fresh("interval"):
            self.watch = fresh(kind, max(length_s, 60), grace_s, person)

    @rule(seconds=st.integers(0, 3000))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(back=st.integers(1, 3600))
    def the_clock_steps_back(self, back: int) -> None:
        self.now -= timedelta(seconds=back)

    @rule(above=st.booleans())
    def look(self, above: bool) -> None:
        due = self.watch.turn_at is not None and self.watch.turn_at <= self.now
        turn = rules.look(self.watch, self.now, None, above=above)
        if not due:
            assert turn == Turn(self.watch)
        self.take(turn)

    @rule(ago_s=st.integers(0, 5000))
    def look_and_hear(self, ago_s: int) -> None:
        heard = self.now - timedelta(seconds=ago_s)
        if heard <= self.watch.counts_from:
            return  # the query finds none of these
        before = self.watch
        self.take(rules.look(self.watch, self.now, heard))
        assert (
            self.watch.state != "overdue"
            or before.turn_at != self.watch.turn_at
            or (before == self.watch)
        )

    @rule(ago_s=st.integers(0, 5000))
    def done(self, ago_s: int) -> None:
        before = self.watch
        self.take(rules.report(self.watch, self.now - timedelta(seconds=ago_s), self.now))
        assert self.watch.due_at >= before.due_at, "a report never brings a deadline nearer"

    @rule(ago_s=st.integers(0, 5000), ahead_s=st.integers(-3600, 7200))
    def extend(self, ago_s: int, ahead_s: int) -> None:
        due_at = self.now + timedelta(seconds=ahead_s)
        said_at = self.now - timedelta(seconds=ago_s)
        newer, before = said_at >= self.watch.said_at, self.watch
        self.take(rules.extend(self.watch, due_at, said_at))
        if not before.ended:
            assert self.watch.due_at == (due_at if newer else before.due_at)

    @rule()
    def cancel(self) -> None:
        self.take(rules.cancel(self.watch, self.now))

    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        if self.ended is not None:
            assert self.watch == self.ended
        if self.watch.ended:
            self.ended = self.watch

    @invariant()
    def nothing_that_runs_is_never_looked_at(self) -> None:
        assert self.watch.ended == (self.watch.turn_at is None)
        assert (self.watch.ended_at is None) == (not self.watch.ended)

    @invariant()
    def each_fires_once_for_each_deadline(self) -> None:
        assert len(self.fired) == len(set(self.fired))
        if self.watch.state == "overdue":
            assert (self.watch.round, "overdue") in self.fired
            assert self.watch.late
            assert self.watch.step > 0

    def teardown(self) -> None:
        """Whatever was said: a deadline that nobody answers is missed in the end, and told up to
        the duty desk."""
        if self.watch.ended:
            return
        self.now = max(self.now, self.watch.fires_at) + DAY
        for _ in range(40):
            self.take(rules.look(self.watch, self.now, None))
            self.now += rules.LOOK_AGAIN
        assert (self.watch.state, self.watch.step) == ("overdue", rules.DESK)
        assert (self.watch.round, "overdue") in self.fired
        assert (self.watch.round, "desk") in self.fired
        self.each_fires_once_for_each_deadline()


Lifecycle.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestLifecycle = Lifecycle.TestCase


@pytest.mark.parametrize(
    ("zone", "day", "wall", "moment"),
    [
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00:00"),  # skipped: the next
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00"),  # twice: the first
        ("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T02:00:00"),
        ("America/New_York", "2026-03-08", "02:00", "2026-03-08T07:00:00"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30:00"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00"),  # half an hour
        ("Africa/Cairo", "2026-04-24", "00:30", "2026-04-23T22:00:00"),  # at midnight
        ("Africa/Cairo", "2026-10-29", "23:30", "2026-10-29T20:30:00"),
        ("Asia/Kathmandu", "2026-06-01", "20:00", "2026-06-01T14:15:00"),
        ("Pacific/Apia", "2011-12-30", "12:00", "2011-12-30T10:00:00"),  # a day that was not
    ],
)
def test_wall_times_over_daylight_saving(zone: str, day: str, wall: str, moment: str) -> None:
    found = rules.instant(date.fromisoformat(day), time.fromisoformat(wall), ZoneInfo(zone))
    assert found == datetime.fromisoformat(moment).replace(tzinfo=UTC)


ZONES = sorted(available_timezones() - {"localtime"})


@given(
    st.sampled_from(ZONES), st.dates(date(2000, 1, 2), date(2037, 12, 30)),
    st.integers(0, 1439),
)  # fmt: skip
def test_a_wall_time_is_the_first_instant_that_shows_it_or_one_later(
    name: str, day: date, minute: int
) -> None:
    zone, wall = ZoneInfo(name), time(minute // 60, minute % 60)
    found = rules.instant(day, wall, zone)
    shows, wanted = found.astimezone(zone).replace(tzinfo=None), datetime.combine(day, wall)
    assert shows >= wanted, "never before the wall says so"
    before = (found - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert before < wanted
    assert shows == wanted or before < wanted < shows, "only where it is skipped"


def ran(zone: ZoneInfo, wall: time, start: datetime, hours: int, every_s: int) -> list[datetime]:
    """The deadlines of a daily curfew over some days, looked at again and again."""
    last = rules.last_day_before(wall, zone, start)
    found, now = [], start
    while now < start + timedelta(hours=hours):
        now += timedelta(seconds=every_s)
        window = timedelta(hours=2)
        for day, due_at in list(rules.curfews_due(wall, range(1, 8), window, zone, last, now)):
            assert day > last
            last = day
            found.append(due_at)
    return found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Cairo", "America/New_York"])
@pytest.mark.parametrize("wall", [time(2, 30), time(0, 15), time(23, 45)])
def test_a_curfew_comes_once_a_day_all_year(zone: str, wall: time) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = ran(ZoneInfo(zone), wall, start, 24 * 365, 1800)
    local = {f.astimezone(ZoneInfo(zone)).date() for f in found}
    assert 365 <= len(found) <= 366
    assert len(local) == len(found)
    assert found == sorted(found)


def test_a_curfew_of_a_zone_that_changes_comes_once_a_day() -> None:
    """The operation moves house: the day it has had does not come again."""
    berlin, samoa = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia")
    wall, window = time(20), timedelta(hours=2)
    now = datetime(2026, 6, 1, 17, tzinfo=UTC)
    last = rules.last_day_before(wall, berlin, now)
    [(day, _)] = rules.curfews_due(wall, range(1, 8), window, berlin, last, now)
    assert day == date(2026, 6, 1)
    for hours in range(0, 24):
        for _, due_at in rules.curfews_due(
            wall, range(1, 8), window, samoa, day, now + timedelta(hours=hours)
        ):
            assert due_at.astimezone(samoa).date() > day


def test_only_on_its_days_and_yesterdays_at_most_is_made_up_for() -> None:
    zone, wall, window = ZoneInfo("Africa/Nairobi"), time(18), timedelta(hours=2)
    now = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)  # a Wednesday, half past six
    long_ago = date(2026, 10, 1)
    days = [d for d, _ in rules.curfews_due(wall, range(1, 8), window, zone, long_ago, now)]
    assert days == [date(2026, 11, 24), date(2026, 11, 25)]
    assert not list(rules.curfews_due(wall, [1, 4, 5], window, zone, long_ago, now))
    new = rules.last_day_before(wall, zone, now)
    assert not list(rules.curfews_due(wall, range(1, 8), window, zone, new, now))


def test_the_drawn_states_are_the_real_ones() -> None:
    text = (Path(__file__).parents[2] / "docs/watches.md").read_text("utf-8")
    _, _, own = text.partition("## The states")
    drawn = re.findall(r"^    (\w+) --> (\w+) : (\w+)$", own.partition("\n## ")[0], re.MULTILINE)
    steps = [(a, b, verb) for verb, own in rules.TRANSITIONS.items() for a, b in own.items()]
    assert sorted(drawn) == sorted(steps)


def test_what_is_left_lying_is_looked_at_more_seldom_but_never_forgotten() -> None:
    watch = rules.look(fresh("journey"), START + DAY, None).watch
    now, waits = START + DAY, set()
    for _ in range(200):
        assert watch.turn_at is not None
        waits.add(watch.turn_at - now)
        now = watch.turn_at
        watch = rules.look(watch, now, None).watch
    assert (min(waits), max(waits)) == (rules.LOOK_AGAIN, rules.SELDOM)


def test_a_reminder_leaves_time_to_act() -> None:
    assert rules.lead(timedelta(hours=5)) == timedelta(minutes=10)
    assert rules.lead(timedelta(minutes=20)) == timedelta(minutes=5)
    assert rules.lead(timedelta(seconds=100)) == timedelta(0)
    short = fresh("journey", 100)
    assert rules.look(short, short.fires_at, None).watch.state == "overdue"
