"""What a roster's tables look like: which columns, which must be there. Pure."""

from collections.abc import Iterable

import msgspec

from server.people.roster.report import Refusal, Warned, refusal

AREAS, PEOPLE, TREE, PRESENCE = "areas", "people", "tree", "presence"
ORDER = (AREAS, PEOPLE, TREE, PRESENCE)
COLUMNS: dict[str, tuple[str, ...]] = {
    AREAS: ("code", "name", "parent", "kind", "lat", "lon", "pcode"),
    PEOPLE: (
        "ref",
        "name",
        "category",
        "agency",
        "area",
        "phone",
        "phone2",
        "email",
        "language",
        "family_of",
    ),
    TREE: ("node", "parent", "label", "area", "warden", "alternates", "members"),
    PRESENCE: ("ref", "kind", "area", "from", "until", "note"),
}
# A file may lack these columns: what is on record then stays as it is.
OPTIONAL: dict[str, frozenset[str]] = {
    AREAS: frozenset({"lat", "lon", "pcode"}),
    PEOPLE: frozenset({"phone", "phone2", "email", "language", "family_of"}),
    TREE: frozenset(),
    PRESENCE: frozenset({"area", "note"}),
}
_DELIMITERS = ",;\t|"


class Sheet(msgspec.Struct, frozen=True):
    """The rows of one table as read: the header, then each with its row number in the file."""

    kind: str
    file: str
    header: list[str]
    rows: list[tuple[int, list[str]]]


class Table(msgspec.Struct, frozen=True):
    """Rows of one kind with their values in the order of COLUMNS; `absent` columns are empty.

    `misfits`: number and probable key of rows that do not fit the header.
    """

    kind: str
    file: str
    absent: frozenset[str]
    rows: list[tuple[int, list[str]]]
    misfits: list[tuple[int, str]]


class Arranged(msgspec.Struct, frozen=True):
    """A sheet put in order, or what is wrong with its header."""

    table: Table | None
    refused: list[Refusal]
    warnings: list[Warned]


def delimiter_of(kind: str, first_line: str) -> str:
    """The delimiter that makes the most known columns of a header."""

    def known(delimiter: str) -> int:
        return len(set(_names(first_line.split(delimiter))) & set(COLUMNS[kind]))

    return max(_DELIMITERS, key=known)


def arrange(sheet: Sheet) -> Arranged:
    """Puts values into the order of COLUMNS; refuses a header or rows that do not fit it."""
    names = _names(sheet.header)
    refused = _header_faults(sheet, names)
    if refused:
        return Arranged(None, refused, [])
    columns = COLUMNS[sheet.kind]
    absent = frozenset(columns) - set(names)
    places = [names.index(c) if c in names else len(names) for c in columns]
    rows: list[tuple[int, list[str]]] = []
    misfits: list[tuple[int, str]] = []
    in_order = places == list(range(len(names)))
    for number, values in sheet.rows:
        if not (values and values[0].strip()) and not any(map(str.strip, values)):
            continue
        if len(values) != len(names):
            refused.append(_misfit(sheet, number, values, len(names)))
            misfits.append((number, "".join(values[places[0] : places[0] + 1]).strip()))
            continue
        padded = [*values, ""]
        rows.append((number, values if in_order else [padded[p] for p in places]))
    table = Table(sheet.kind, sheet.file, absent, rows, misfits)
    return Arranged(table, refused, _header_notes(sheet, names, absent))


def _names(header: Iterable[str]) -> list[str]:
    return [_name(h) for h in header]


def _name(text: str) -> str:
    bare = text.strip(' \t\r\n"\ufeff\u200b\u200e\u200f\xa0').casefold()
    return bare.replace(" ", "_").replace("-", "_")


def _header_faults(sheet: Sheet, names: list[str]) -> list[Refusal]:
    columns = COLUMNS[sheet.kind]
    missing = [c for c in columns if c not in names and c not in OPTIONAL[sheet.kind]]
    twice = [c for c in columns if names.count(c) > 1]
    said = ",".join(sheet.header)
    whole = f"The header of {sheet.kind} is: {','.join(columns)}."
    return [
        *(refusal(sheet.file, 1, c, said, "the column is missing", whole) for c in missing),
        *(refusal(sheet.file, 1, c, said, "the column is there twice", whole) for c in twice),
    ]


def _header_notes(sheet: Sheet, names: list[str], absent: frozenset[str]) -> list[Warned]:
    unknown = [n for n in names if n not in COLUMNS[sheet.kind]]
    return [
        *(
            Warned(sheet.file, 1, name or "(no name)", "this column is not read")
            for name in dict.fromkeys(unknown)
        ),
        *(
            Warned(sheet.file, 1, name, "there is no such column; what is on record stays")
            for name in COLUMNS[sheet.kind]
            if name in absent
        ),
    ]


def _misfit(sheet: Sheet, number: int, values: list[str], width: int) -> Refusal:
    said = ",".join(values)
    reason = f"has {len(values)} values where the header has {width}"
    remedy = 'Put quotes ("...") around values that hold the delimiter, and keep empty values.'
    return refusal(sheet.file, number, "(row)", said, reason, remedy)
