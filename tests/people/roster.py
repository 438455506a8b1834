"""Roster files for tests: written as a station office would, good by default."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from server.people import importing
from server.people.roster.report import Report
from server.people.roster.tables import COLUMNS
from tests.people.house import House

AREAS = [
    "KE,Kenya,,country,1,38,KE",
    "NBO,Nairobi,KE,duty_station,-1.2864,36.8172,",
    "GIG,Gigiri,NBO,zone,-1.2326,36.8145,KE-1",
    "WES,Westlands,NBO,zone,,,",
]
PEOPLE = [
    "P1,Ann Otieno,national,Health,GIG,0712 000001,,ann@example.org,en,",
    "P2,Ben Otieno,family,,,+254712000002,,,fr,P1",
    "P3,Cleo Otieno,family,,WES,+254712000001,,,,P1",
    "P4,Дан Иванов,international,Food,WES,+254712000004,+254712000044,,ru,",
]
TREE = [
    "ROOT,,Nairobi,NBO,P1,,",
    "N-GIG,ROOT,Gigiri,GIG,P1,P4,",
    "N-WES,ROOT,Westlands,,P4,P1,P4;P1",
]


def header(kind: str) -> str:
    return ",".join(COLUMNS[kind])


def write(folder: Path, **tables: Iterable[str]) -> Path:
    """A directory of CSV files with their headers: `write(path, people=[...])`."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, lines in tables.items():
        text = "".join(f"{line}\n" for line in [header(kind), *lines])
        (folder / f"{kind}.csv").write_text(text, encoding="utf-8", newline="")
    return folder


def write_rows(folder: Path, kind: str, rows: Sequence[Sequence[str]]) -> Path:
    """A CSV file of values that may hold anything."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{kind}.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([COLUMNS[kind], *rows])
    return folder


def good(folder: Path) -> Path:
    return write(folder, areas=AREAS, people=PEOPLE, tree=TREE)


async def run(house: House, *paths: Path, **how: Any) -> Report:
    """Imports into the test's operation."""
    return await importing.run(house.db, house.operation.code, paths, **how)


def numbers(report: Report) -> dict[str, tuple[int, int, int, int, int]]:
    """Added, updated, unchanged, vanished, refused by file."""
    return {f.file: (f.added, f.updated, f.unchanged, f.vanished, f.refused) for f in report.files}


def complaints(report: Report) -> list[tuple[str, int, str, str]]:
    return [(r.file, r.row, r.column, r.reason) for r in report.refused]
