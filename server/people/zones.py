"""Which country a time zone lies in, from the tz database's own tables. Pure lookups."""

from functools import cache
from importlib import resources


def region_of(timezone: str) -> str | None:
    """The ISO 3166 alpha-2 code of an IANA zone's country; None for zones of no country.

    Old names (`Asia/Calcutta`) count as what they were renamed to. `Etc/UTC` has no country.
    """
    countries = _countries()
    return countries.get(timezone) or countries.get(_renamed().get(timezone, ""))


def exists(timezone: str) -> bool:
    """Whether this is a zone of the tz database (a plain file name of it, never a path)."""
    return timezone in _all()


@cache
def _all() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def _countries() -> dict[str, str]:
    rows = [line.split("\t") for line in _lines("zone.tab") if not line.startswith("#")]
    return {row[2]: row[0] for row in rows if len(row) >= 3}


@cache
def _renamed() -> dict[str, str]:
    words = [line.split() for line in _lines("tzdata.zi") if line.startswith("L ")]
    return {old: new for _, new, old in words}


def _lines(name: str) -> list[str]:
    file = resources.files("tzdata").joinpath("zoneinfo", name)
    return file.read_text("utf-8").splitlines()
