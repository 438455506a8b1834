"""What each row says by itself, checked cell by cell and typed. Pure."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from server.people.roster import cells, moments
from server.people.roster.cells import BadCell
from server.people.roster.report import Refusal, Warned, refusal
from server.people.roster.tables import AREAS, COLUMNS, PEOPLE, PRESENCE, TREE, Table

KINDS = frozenset({"country", "region", "duty_station", "zone"})
CATEGORIES = frozenset({"international", "national", "local", "contractor", "volunteer", "family"})
PRESENCES = frozenset({"leave", "travel", "visit"})
_EVERY = 1000  # rows between two reports of progress
_LIMITS = {
    "code": 60,
    "ref": 100,
    "node": 60,
    "parent": 60,
    "area": 60,
    "pcode": 60,
    "name": 200,
    "label": 200,
    "agency": 200,
    "warden": 100,
    "family_of": 100,
    "phone": 60,
    "phone2": 60,
    "email": 254,
    "language": 16,
    "alternates": 4000,
    "members": 1_000_000,
    "note": 500,
}
_LIMIT = 100
Progress = Callable[[str, int, int], None]
Value = TypeVar("Value")


class AreaRow(msgspec.Struct, frozen=True):
    """A good row of areas.csv. `parent` is empty for a root."""

    row: int
    code: str
    parent: str
    name: str
    kind: str
    lat: float | None
    lon: float | None
    pcode: str | None


class PersonRow(msgspec.Struct, frozen=True):
    """A good row of people.csv. `agency` and `area` may be empty for family: the sponsor's."""

    row: int
    ref: str
    name: str
    category: str
    agency: str
    area: str
    phone: str | None
    phone2: str | None
    email: str | None
    language: str | None
    family_of: str


class NodeRow(msgspec.Struct, frozen=True):
    """A good row of tree.csv; people as refs."""

    row: int
    node: str
    parent: str
    label: str
    area: str
    warden: str
    alternates: list[str]
    members: list[str]


class PresenceRow(msgspec.Struct, frozen=True):
    """A good row of presence.csv, in UTC. `key` names it: nobody begins the same twice at once."""

    row: int
    key: str
    ref: str
    kind: str
    area: str
    from_at: datetime
    until_at: datetime
    note: str | None


Row = AreaRow | PersonRow | NodeRow | PresenceRow


class Checked(msgspec.Struct, frozen=True):
    """A table's good rows; what was refused; and the refused rows' keys with their numbers."""

    kind: str
    file: str
    absent: frozenset[str]
    total: int
    rows: list[Any]
    refused: list[Refusal]
    lost: dict[str, int]
    warnings: list[Warned]


def key_of(row: Row) -> str:
    """A row's own name: its code, ref or node."""
    if isinstance(row, PersonRow):
        return row.ref
    if isinstance(row, PresenceRow):
        return row.key
    return row.code if isinstance(row, AreaRow) else row.node


def presence_key(ref: str, kind: str, from_at: datetime) -> str:
    """What names a presence on record and in files, as `P1 leave 2026-11-23T21:00:00+00:00`."""
    return f"{ref} {kind} {from_at.isoformat()}"


def check(table: Table, region: str, progress: Progress, timezone: str = "UTC") -> Checked:
    """Every row of a table by itself. `region`: default country of phone numbers; `timezone`:
    where dates begin and end."""
    checker = _Checker(table, region, ZoneInfo(timezone))
    makers: dict[str, Callable[[list[str]], Row | None]] = {
        AREAS: checker.area,
        PEOPLE: checker.person,
        TREE: checker.node,
        PRESENCE: checker.presence,
    }
    make = makers[table.kind]
    good: list[Any] = []
    lost = {key: number for number, key in table.misfits if key}
    total = len(table.rows)
    for done, (number, values) in enumerate(table.rows):
        if done % _EVERY == 0:
            progress("checking", done, total)
        made = checker.row(number, values, make)
        if made is None:
            lost[values[0].strip()] = number
        else:
            good.append(made)
    progress("checking", total, total)
    return Checked(
        kind=table.kind,
        file=table.file,
        absent=table.absent,
        total=total + len(table.misfits),
        rows=good,
        refused=checker.refused,
        lost=lost,
        warnings=checker.warnings,
    )


class _Checker:
    """Checks rows one by one; a refused cell is noted and the rest of its row still checked."""

    def __init__(self, table: Table, region: str, zone: ZoneInfo) -> None:
        self._table = table
        self._region = region
        self._zone = zone
        self._limits = [_LIMITS.get(c, _LIMIT) for c in COLUMNS[table.kind]]
        self.refused: list[Refusal] = []
        self.warnings: list[Warned] = []
        self._number = 0
        self._raw: list[str] = []
        self._spoilt: set[int] = set()  # columns of this row refused so far

    def row(
        self, number: int, values: list[str], make: Callable[[list[str]], Row | None]
    ) -> Row | None:
        """The typed row, or None if any cell was refused."""
        self._number, self._raw, self._spoilt = number, values, set()
        if self._table.kind == PRESENCE:  # the one table with dates
            values = [v.lstrip(cells.DATE) if n in (3, 4) else v for n, v in enumerate(values)]
        try:
            texts = list(map(cells.clean, values, self._limits))
        except BadCell:  # then again, one by one, to say which
            texts = [
                self._cell(n, cells.clean, "", value, self._limits[n])
                for n, value in enumerate(values)
            ]
        made = make(texts)
        return None if self._spoilt else made

    def area(self, v: list[str]) -> AreaRow:
        """A row of areas.csv."""
        lat = self._cell(4, cells.degrees, None, v[4], 90.0)
        lon = self._cell(5, cells.degrees, None, v[5], 180.0)
        if bool(v[4]) != bool(v[5]):
            self._refuse(5 if v[4] else 4, "is empty", "Give both lat and lon, or neither.")
        return AreaRow(
            row=self._number,
            code=self._cell(0, cells.key, "", v[0]),
            name=self._needed(1, v[1]),
            parent=self._optional_key(2, v[2]),
            kind=self._cell(3, cells.choice, "", v[3], KINDS),
            lat=lat,
            lon=lon,
            pcode=v[6] or None,
        )

    def person(self, v: list[str]) -> PersonRow:
        """A row of people.csv."""
        category = self._cell(2, cells.choice, "", v[2], CATEGORIES)
        self._family_fits(category, v[9])
        needed = self._needed if category != "family" else self._any
        phone = self._phone(5, v[5])
        phone2 = self._phone(6, v[6])
        if phone is not None and phone == phone2:
            self._warn(6, "is the same number as phone and was left out")
            phone2 = None
        return PersonRow(
            row=self._number,
            ref=self._cell(0, cells.key, "", v[0]),
            name=self._needed(1, v[1]),
            category=category,
            agency=needed(3, v[3]),
            area=needed(4, v[4]),
            phone=phone,
            phone2=phone2,
            email=self._cell(7, cells.email, None, v[7]) if v[7] else None,
            language=self._cell(8, cells.language, None, v[8]) if v[8] else None,
            family_of=self._optional_key(9, v[9]),
        )

    def node(self, v: list[str]) -> NodeRow:
        """A row of tree.csv."""
        nobody: list[str] = []
        alternates = self._cell(5, cells.keys, nobody, v[5])
        if v[4] and v[4] in alternates:
            self._refuse(5, f"names the warden {v[4]} herself", "Name others as alternates.")
        if not v[4]:
            self._warn(4, "this node has no warden")
        return NodeRow(
            row=self._number,
            node=self._cell(0, cells.key, "", v[0]),
            parent=self._optional_key(1, v[1]),
            label=self._needed(2, v[2]),
            area=self._optional_key(3, v[3]),
            warden=self._optional_key(4, v[4]),
            alternates=alternates,
            members=self._cell(6, cells.keys, nobody, v[6]),
        )

    def presence(self, v: list[str]) -> PresenceRow | None:
        """A row of presence.csv."""
        ref = self._cell(0, cells.key, "", v[0])
        kind = self._cell(1, cells.choice, "", v[1], PRESENCES)
        area = self._optional_key(2, v[2])
        if kind == "visit" and not v[2]:
            self._refuse(2, "a visit without an area", "Name the area she visits.")
        if kind == "leave" and v[2]:
            self._refuse(2, "leave has no area", "Empty area, or make the kind travel.")
        none: datetime | None = None
        begins = self._cell(3, moments.begins, none, v[3], self._zone)
        ends = self._cell(4, moments.ends, none, v[4], self._zone)
        if begins is None or ends is None:
            return None
        if ends <= begins:
            self._refuse(4, "is not after from", "Check both: a date lasts until 24:00.")
        key = presence_key(ref, kind, begins)
        return PresenceRow(self._number, key, ref, kind, area, begins, ends, v[5] or None)

    def _family_fits(self, category: str, family_of: str) -> None:
        if category == "family" and not family_of:
            self._refuse(9, "family of nobody", "Name the sponsor's ref in family_of.")
        if category and category != "family" and family_of:
            self._refuse(
                9, f"a person of category {category} is nobody's family",
                "Empty family_of, or make the category family.",
            )  # fmt: skip

    def _phone(self, column: int, text: str) -> str | None:
        if not text:
            return None
        none: tuple[str | None, bool] = (None, True)
        number, in_use = self._cell(column, cells.phone, none, text, self._region)
        if not in_use:
            self._warn(column, f"{number} is in no known numbering plan; check it")
        return number

    def _cell(
        self, column: int, check_: Callable[..., Value], fallback: Value, text: str, *args: Any
    ) -> Value:
        try:
            return check_(text, *args)
        except BadCell as error:
            self._refuse(column, error.reason, error.remedy)
            return fallback

    def _needed(self, column: int, text: str) -> str:
        if not text:
            self._refuse(column, "is empty", "Fill it in.")
        return text

    def _any(self, _: int, text: str) -> str:
        return text

    def _optional_key(self, column: int, text: str) -> str:
        return text and self._cell(column, cells.key, "", text)

    def _refuse(self, column: int, reason: str, remedy: str) -> None:
        if column in self._spoilt:
            return  # one complaint a cell
        self._spoilt.add(column)
        name, value = COLUMNS[self._table.kind][column], self._raw[column].lstrip(cells.DATE)
        self.refused.append(refusal(self._table.file, self._number, name, value, reason, remedy))

    def _warn(self, column: int, message: str) -> None:
        name = COLUMNS[self._table.kind][column]
        self.warnings.append(Warned(self._table.file, self._number, name, message))


def numbers(person: PersonRow) -> Iterator[tuple[str, str]]:
    """A person's numbers with their columns."""
    if person.phone is not None:
        yield "phone", person.phone
    if person.phone2 is not None:
        yield "phone2", person.phone2
