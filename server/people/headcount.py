"""A headcount as it is shown, whatever it counts: an alert, an incident, a movement. Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

STATUSES = ("safe", "need_help", "away", "unaccounted")
AnyStatus = Literal["safe", "need_help", "away", "unaccounted"]


Count = TypeVar("Count")
OneLine = TypeVar("OneLine")
Row = tuple[int, int, str, str, int]  # area, agency, category, status, count


class Tally(NamedTuple):
    """How many people share area, agency, category and status, by outside names. Of a movement
    the status is a stage."""

    area: str
    area_name: str
    agency: str
    category: str
    status: str
    people: int


class Counts(msgspec.Struct, frozen=True):
    """People by status. Accounted is safe + need_help + away, and no synonym of safe."""

    safe: int
    need_help: int
    away: int
    unaccounted: int


class Line(msgspec.Struct, Generic[Count], frozen=True):
    """One line of a grouping, whatever its people are counted by."""

    key: str
    label: str
    population: int
    counts: Count


class Lines(msgspec.Struct, Generic[OneLine], frozen=True):
    """The same people by area they are directly in, by agency, by category."""

    area: list[OneLine]
    agency: list[OneLine]
    category: list[OneLine]


class Corner(msgspec.Struct, frozen=True):
    """What the people of a cell share beside their status, by outside names."""

    area: str
    agency: str
    category: str


class Group(Line[Counts], frozen=True):
    """One line of a grouping."""


class Grouped(Lines[Group], frozen=True):
    """The same people by area they are directly in, by agency, by category."""


class Cell(Corner, frozen=True):
    """One cell of the headcount, by outside names."""

    status: AnyStatus
    count: int


class Side(msgspec.Struct, frozen=True):
    """One side of the parity comparison. share: 0 to 1. median_s: seconds from the opening to
    the first answer, the silent as infinite; null when infinite."""

    population: int
    answered: int
    share: float
    median_s: float | None


class Gap(msgspec.Struct, frozen=True):
    """Local less international: negative share, or positive seconds, is to local disadvantage."""

    share: float | None
    median_s: float | None


class Parity(msgspec.Struct, frozen=True):
    """Local staff (national and local, with their families) against international staff. An
    empty side is null, never 0."""

    local: Side | None
    international: Side | None
    gap: Gap | None


class Expected(msgspec.Struct, frozen=True):
    """Those expected in one place as of the alert's freezing."""

    population: int
    counts: Counts


class ByExpectation(msgspec.Struct, frozen=True):
    """The same people, told apart by where they were expected; both sum to the population."""

    here: Expected
    elsewhere: Expected


def by_expectation(everybody: Counts, elsewhere: Counts) -> ByExpectation:
    """From all and those expected elsewhere: the rest is expected here."""
    here = Counts(**{s: getattr(everybody, s) - getattr(elsewhere, s) for s in STATUSES})
    return ByExpectation(Expected(total(here), here), Expected(total(elsewhere), elsewhere))


def counts_of(by_status: Mapping[str, int]) -> Counts:
    """Counts by status; nobody where one is not named."""
    return Counts(**{status: by_status.get(status, 0) for status in STATUSES})


def total(counts: Counts) -> int:
    """Everybody in some counts."""
    return counts.safe + counts.need_help + counts.away + counts.unaccounted


def population(rows: Iterable[Tally]) -> int:
    """Everybody."""
    return sum(row.people for row in rows)


def sums(rows: Iterable[Tally]) -> Counter[str]:
    """People by status."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row.status] += row.people
    return found


def count(rows: Iterable[Tally]) -> Counts:
    """Totals by status."""
    return counts_of(sums(rows))


def grouped(rows: Sequence[Tally]) -> Grouped:
    """The three groupings; each sums to the population."""
    area, agency, category = (
        [Group(key, label, population(own), count(own)) for (key, label), own in lines]
        for lines in groupings(rows)
    )
    return Grouped(area, agency, category)


def groupings(rows: Sequence[Tally]) -> list[list[tuple[tuple[str, str], list[Tally]]]]:
    """By area, by agency and by category: the lines that have people, as ((key, label), rows),
    sorted by label."""
    return [
        _lines(rows, lambda r: (r.area, r.area_name)),
        _lines(rows, lambda r: (r.agency, r.agency)),
        _lines(rows, lambda r: (r.category, r.category)),
    ]


def _lines(
    rows: Iterable[Tally], name: Callable[[Tally], tuple[str, str]]
) -> list[tuple[tuple[str, str], list[Tally]]]:
    members: defaultdict[tuple[str, str], list[Tally]] = defaultdict(list)
    for row in rows:
        members[name(row)].append(row)
    filled = [(key, own) for key, own in members.items() if population(own)]
    return sorted(filled, key=lambda line: line[0][1])


def cell(row: Tally) -> Cell:
    """One row as it is sent."""
    return Cell(row.area, row.agency, row.category, row.status, row.people)  # type: ignore[arg-type]


def changed(rows: Iterable[Row], keys: Collection[tuple[Any, ...]], branch: bool) -> list[Row]:
    """The rows of changed cells, by area, agency, category and status. Of a branch of the tree:
    it has no rows for cells it emptied, so they are given as 0."""
    present = {r[:4]: r for r in rows}
    if not branch:
        return [present[key] for key in keys if key in present]
    groups = {key[:3] for key in present}
    return [present.get(key, (*key, 0)) for key in keys if key[:3] in groups]


def parity(sides: Iterable[Mapping[str, Any]]) -> Parity:
    """From rows of parity ('local' or 'international'), population, answered and median_s."""
    found = {row["parity"]: _side(row) for row in sides}
    local, international = found.get("local"), found.get("international")
    return Parity(local=local, international=international, gap=gap(local, international))


def _side(row: Mapping[str, Any]) -> Side:
    median: float | None = row["median_s"]
    finite = None if median is None or median == float("inf") else round(median, 1)
    # rounded down: with one person missing nothing may read 100 %
    share = math.floor(row["answered"] / row["population"] * 10_000) / 10_000
    return Side(row["population"], row["answered"], share, finite)


def gap(local: Side | None, international: Side | None) -> Gap | None:
    """Local less international; a figure that can't be had is null, never 0."""
    if local is None or international is None:
        return None
    seconds = None
    if local.median_s is not None and international.median_s is not None:
        seconds = round(local.median_s - international.median_s, 1)
    return Gap(share=round(local.share - international.share, 4), median_s=seconds)
