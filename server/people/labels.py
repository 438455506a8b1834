"""Outside names of areas and agencies, for boards that count by ids."""

from collections.abc import Iterable
from typing import Any

import msgspec

from server.people.headcount import Row, Tally
from server.people.store import SQL


class Names(msgspec.Struct, frozen=True):
    """Outside names: area id -> (code, name), agency id -> name."""

    areas: dict[int, tuple[str, str]]
    agencies: dict[int, str]


async def load_names(con: Any) -> Names:
    """All areas and agencies of the operation: some hundreds."""
    rows = await con.fetch(SQL.labels)
    return Names(
        areas={r["id"]: (r["key"], r["label"]) for r in rows if r["kind"] == "area"},
        agencies={r["id"]: r["label"] for r in rows if r["kind"] == "agency"},
    )


def tallies(rows: Iterable[Row], names: Names) -> list[Tally]:
    """Rows by outside names."""
    return [
        Tally(*names.areas[area], names.agencies[agency], category, status, people)
        for area, agency, category, status, people in rows
    ]
