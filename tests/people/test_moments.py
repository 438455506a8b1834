"""When a presence begins and ends: the operation's own days, also where the clock jumps."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.people.roster import moments
from server.people.roster.cells import BadCell

NAIROBI = ZoneInfo("Africa/Nairobi")
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
# One calendar day was skipped or doubled in a few places; there "the day after" has no instant.
DAYS = st.dates(date(2001, 1, 1), date(2099, 12, 30)).filter(
    lambda d: d not in {date(2011, 12, 30), date(2011, 12, 29)}
)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("zone", "text", "begins", "ends"),
    [
        ("Africa/Nairobi", "2026-11-24", at(2026, 11, 23, 21), at(2026, 11, 24, 21)),
        ("Africa/Nairobi", "2026-11-24 00:00:00", at(2026, 11, 23, 21), at(2026, 11, 24, 21)),
        # 23 and 25 hours: the clock jumps at night
        ("Europe/Paris", "2026-03-29", at(2026, 3, 28, 23), at(2026, 3, 29, 22)),
        ("Europe/Paris", "2026-10-25", at(2026, 10, 24, 22), at(2026, 10, 25, 23)),
        # Beirut's midnight does not exist, Cairo's last hour comes twice
        ("Asia/Beirut", "2026-03-29", at(2026, 3, 28, 22), at(2026, 3, 29, 21)),
        ("Africa/Cairo", "2026-10-29", at(2026, 10, 28, 21), at(2026, 10, 29, 22)),
        # an hour that comes twice: from its first, until its second
        ("Europe/Paris", "2026-10-25T02:30", at(2026, 10, 25, 0, 30), at(2026, 10, 25, 1, 30)),
        ("Europe/Paris", "2026-10-25T02:30:00+02:00", *[at(2026, 10, 25, 0, 30)] * 2),
        ("Asia/Kathmandu", "2026-11-24T08:15:00Z", *[at(2026, 11, 24, 8, 15)] * 2),
    ],
)
def test_a_text_means_one_instant(zone: str, text: str, begins: datetime, ends: datetime) -> None:
    assert moments.begins(text, ZoneInfo(zone)) == begins
    assert moments.ends(text, ZoneInfo(zone)) == ends


@given(ZONES, DAYS)
def test_a_day_ends_where_the_next_begins_and_holds_nothing_else(zone: ZoneInfo, day: date) -> None:
    begins, ends = moments.begins(day.isoformat(), zone), moments.ends(day.isoformat(), zone)
    after = day + timedelta(1)
    assert ends == moments.begins(after.isoformat(), zone)
    assert timedelta(hours=22) <= ends - begins <= timedelta(hours=26)
    first, last = begins.astimezone(zone), (ends - timedelta(microseconds=1)).astimezone(zone)
    assert first.date() == day
    assert last.date() == day
    before = (begins - timedelta(microseconds=1)).astimezone(zone)
    assert before.date() < day or before.replace(fold=0) != before


@pytest.mark.parametrize(
    "text",
    ["", "24/11/2026", "2026-02-30", "tomorrow", "2026-11-24T25:00:00Z", "1999-01-01", "2101-01-01",
     "2026-11-24T08:00:00+25:00", "٢٠٢٦-11-24", "9999-12-31", "0001-01-01", "2026-11-24T08"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    for read in (moments.begins, moments.ends):
        with pytest.raises(BadCell):
            read(text, NAIROBI)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:+Z.-]{2,20}"), ZONES)
def test_no_text_breaks_it(text: str, zone: ZoneInfo) -> None:
    for read in (moments.begins, moments.ends):
        with suppress(BadCell):
            assert 2000 <= read(text, zone).year < 2100
