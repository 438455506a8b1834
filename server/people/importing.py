"""Roster import, the verb: read, check, settle and write in one transaction, or write nothing."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from server import stream
from server.db import Database, retried
from server.people import operations, store
from server.people.presence import store as presence
from server.people.roster import files, rows, tables
from server.people.roster import store as roster
from server.people.roster.links import Known
from server.people.roster.report import FileCounts, Refusal, Report, Vanished, Warned
from server.people.roster.rows import Checked, Progress
from server.people.roster.settle import Settled, settle
from server.people.roster.store import Merged
from server.people.tree import store as tree

_WRITES = 3  # passes over the rows while writing, for the progress


class _Read(msgspec.Struct, frozen=True):
    """Files read and checked row by row; `broken` if one could not be read as a table."""

    checked: dict[str, Checked]
    refused: list[Refusal]
    warnings: list[Warned]

    @property
    def broken(self) -> bool:
        """Whether a whole file or header was refused: then not even a part is written."""
        return bool(self.refused)


class _NotWritten(Exception):
    """Rolls a dry run back."""


async def run(
    db: Database,
    operation: str,
    paths: Sequence[Path],
    *,
    dry_run: bool = False,
    accept_partial: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Imports files or a directory (areas, people, tree, presence) into an operation, by code.

    All refusals are found in one pass. Nothing is written unless all is good; with
    `accept_partial` the good rows are, save those that depend on refused ones. The same files
    twice change nothing; who is no longer in a file is reported and kept. `progress(phase, done,
    total)` is called with phases reading, checking and writing, from another thread at times.
    Raises NotFound for an unknown operation, Unavailable without a database.
    """
    started = time.monotonic()
    note = progress or _silent
    into = await operations.operation_by_code(db, operation)
    read = await asyncio.to_thread(_read, paths, into, note)
    if read.broken or not read.checked:
        return _unreadable(read, operation, dry_run, time.monotonic() - started)
    settled, known, merged = await _settle_and_write(
        db, into, read.checked, note, dry_run, accept_partial
    )
    return Report(
        operation=operation,
        dry_run=dry_run,
        accepted=merged is not None,
        written=merged is not None and not dry_run,
        files=_counts(read.checked, settled, known, merged or {}),
        refused=settled.refused,
        warnings=[*read.warnings, *settled.warnings],
        vanished=_vanished(read.checked, known),
        agencies_added=settled.agencies_added,
        seconds=round(time.monotonic() - started, 3),
    )


def show(report: Report) -> None:
    """Prints a report for a person at a terminal."""
    Console().print(report)


def _silent(_: str, __: int, ___: int) -> None:
    return None


def _read(paths: Sequence[Path], into: store.Operation, note: Progress) -> _Read:
    """Files as checked rows. Pure but for reading."""
    note("reading", 0, len(paths))
    found = files.read(paths)
    note("reading", len(paths), len(paths))
    refused, warned = list(found.refused), list(found.warnings)
    checked: dict[str, Checked] = {}
    for sheet in found.sheets:
        arranged = tables.arrange(sheet)
        warned.extend(arranged.warnings)
        if arranged.table is None:
            refused.extend(arranged.refused)
            continue
        own = rows.check(arranged.table, into.region, note, into.timezone)
        checked[sheet.kind] = msgspec.structs.replace(
            own, refused=[*arranged.refused, *own.refused]
        )
    return _Read(checked, refused, warned)


@retried
async def _settle_and_write(
    db: Database,
    into: store.Operation,
    checked: dict[str, Checked],
    note: Progress,
    dry_run: bool,
    partial: bool,
) -> tuple[Settled, Known, dict[str, Merged] | None]:
    """One transaction: hold the roster, settle against it, write. None: nothing was accepted."""
    outcome: tuple[Settled, Known, dict[str, Merged] | None] | None = None
    try:
        async with db.transaction(into.operation_id) as con:
            await con.execute(roster.SQL.patience)
            await con.execute(store.SQL.hold_roster)
            known = await roster.known(con)
            settled = await asyncio.to_thread(settle, checked, known, partial=partial)
            outcome = settled, known, None
            if settled.refused and not partial:
                raise _NotWritten
            outcome = settled, known, await _write(con, settled, checked, note)
            if dry_run:
                raise _NotWritten
    except _NotWritten:
        pass
    assert outcome is not None  # noqa: S101 - set before anything can end the block
    return outcome


async def _write(
    con: Any, settled: Settled, checked: dict[str, Checked], note: Progress
) -> dict[str, Merged]:
    total = _WRITES * len(settled.people)
    done = 0

    def more(rows_done: int) -> None:
        nonlocal done
        done += rows_done
        note("writing", done, total)

    note("writing", 0, total)
    absent = {kind: table.absent for kind, table in checked.items()}
    merged = await roster.write(con, settled, absent, more)
    merged["presence"] = await presence.take(
        con, settled.presences, absent.get(tables.PRESENCE, frozenset())
    )
    numbers = {kind: msgspec.structs.asdict(counts) for kind, counts in merged.items()}
    await store.audit(con, "system", "roster.import", "roster", **numbers)
    if merged["tree"].added or merged["tree"].updated:
        version = await tree.keep(con, "system", "import")
        await stream.append(con, [tree.draft(version)])
    return merged


def _counts(
    checked: dict[str, Checked], settled: Settled, known: Known, merged: dict[str, Merged]
) -> list[FileCounts]:
    return [
        _count(checked[kind], settled, known, merged.get(kind, Merged(0, 0, 0)))
        for kind in tables.ORDER
        if kind in checked
    ]


def _count(table: Checked, settled: Settled, known: Known, merged: Merged) -> FileCounts:
    refused = {r.row for r in settled.refused if r.file == table.file}
    return FileCounts(
        file=table.file,
        rows=table.total,
        added=merged.added,
        updated=merged.updated,
        unchanged=merged.unchanged,
        vanished=len(_missing(table, known)),
        refused=len(refused),
    )


def _vanished(checked: dict[str, Checked], known: Known) -> list[Vanished]:
    return [
        Vanished(table.file, key)
        for kind in tables.ORDER
        if (table := checked.get(kind)) is not None
        for key in _missing(table, known)
    ]


def _missing(table: Checked, known: Known) -> list[str]:
    """What is on record and not in the file, refused rows counting as in it."""
    named = {rows.key_of(row) for row in table.rows} | set(table.lost)
    if table.kind == tables.PRESENCE:  # a refused row has no key yet: any of hers may be meant
        return sorted(
            k for k in known.presences if k not in named and k.rsplit(" ", 2)[0] not in named
        )
    there = {
        tables.AREAS: list(known.areas),
        tables.PEOPLE: [ref for ref, p in known.people.items() if p.kind == "roster"],
        tables.TREE: list(known.nodes),
    }[table.kind]
    return sorted(key for key in there if key not in named)


def _unreadable(read: _Read, operation: str, dry_run: bool, seconds: float) -> Report:
    """The report where a file is no table at all; rows of the others are listed too."""
    own = [r for table in read.checked.values() for r in table.refused]
    counts = [
        FileCounts(table.file, table.total, refused=len({r.row for r in table.refused}))
        for table in read.checked.values()
    ]
    return Report(
        operation=operation,
        dry_run=dry_run,
        accepted=False,
        written=False,
        files=counts,
        refused=[*read.refused, *own],
        warnings=read.warnings,
        vanished=[],
        agencies_added=[],
        seconds=round(seconds, 3),
    )
