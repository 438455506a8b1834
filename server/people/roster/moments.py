"""When something begins and ends, as people write it: dates, wall times, RFC 3339. Pure.

A date means the operation's own calendar: from its first instant to its last, 24:00, whatever
daylight saving does that day.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from server.people.roster.cells import BadCell

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T]00:00:00)?")  # a spreadsheet's date has a midnight
_WALL = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?")
_EXACT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)

_YEARS = (1999, 2100)


def begins(text: str, zone: ZoneInfo) -> datetime:
    """When something from `text` on begins (UTC). Raises BadCell."""
    found = _DATE.fullmatch(text)
    return _plausible(_day(_date(found[1]), zone) if found else _moment(text, zone, fold=0))


def ends(text: str, zone: ZoneInfo) -> datetime:
    """When something until `text` ends (UTC): a date is inclusive. Raises BadCell."""
    found = _DATE.fullmatch(text)
    if found is None:
        return _plausible(_moment(text, zone, fold=1))
    return _plausible(_day(_date(found[1]) + timedelta(1), zone))


def _day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, also where its midnight is skipped or comes twice."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _moment(text: str, zone: ZoneInfo, fold: int) -> datetime:
    """An exact or a wall time; of an hour that comes twice the one that makes it longer."""
    if not text:
        raise BadCell("is empty", "Fill it in.")
    try:
        if _EXACT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        if _WALL.fullmatch(text):
            wall = datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)
            return wall.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _bad()


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise _bad() from None
    if not _YEARS[0] <= found.year <= _YEARS[1]:  # far ones have no instant at all
        raise BadCell("is not between the years 2000 and 2100", "Check the year.")
    return found


def _plausible(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2100:
        raise BadCell("is not between the years 2000 and 2100", "Check the year.")
    return moment


def _bad() -> BadCell:
    return BadCell(
        "is no date or time", "Write a date such as 2026-11-24, or 2026-11-24T08:00:00+03:00."
    )
