"""What an import did, would do, or refused to do."""

from collections import Counter
from collections.abc import Iterator

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

SHOWN = 50  # notes and vanished people on a screen; the JSON form has all
VALUE_LIMIT = 200


class Refusal(msgspec.Struct, frozen=True):
    """One refused value. `row` counts as spreadsheets do: the header is row 1; 0 is the file."""

    file: str
    row: int
    column: str
    value: str
    reason: str
    remedy: str


class Warned(msgspec.Struct, frozen=True):
    """Something accepted that deserves a look. `row` is 0 for the whole file."""

    file: str
    row: int
    column: str
    message: str


class Vanished(msgspec.Struct, frozen=True):
    """On record but not in the file: kept as it is. `key` is a code, ref or node."""

    file: str
    key: str


class FileCounts(msgspec.Struct, frozen=True):
    """One file's rows: rows = added + updated + unchanged + refused."""

    file: str
    rows: int
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    vanished: int = 0
    refused: int = 0


class Report(msgspec.Struct, frozen=True):
    """The outcome of an import.

    `accepted`: the files could be taken (all good, or in part as asked); `written`: they were,
    which a dry run never does. Added, updated and unchanged are of what was or would be written,
    and all 0 where nothing is accepted.
    """

    operation: str
    dry_run: bool
    accepted: bool
    written: bool
    files: list[FileCounts]
    refused: list[Refusal]
    warnings: list[Warned]
    vanished: list[Vanished]
    agencies_added: list[str]
    seconds: float

    def __rich__(self) -> RenderableType:
        """The report for a terminal."""
        return Group(*_parts(self))


def refusal(file: str, row: int, column: str, value: str, reason: str, remedy: str) -> Refusal:
    """A refusal, its value cut to what a screen can bear."""
    shown = value if len(value) <= VALUE_LIMIT else value[:VALUE_LIMIT] + "…"
    return Refusal(file, row, column, shown, reason, remedy)


def _parts(report: Report) -> Iterator[RenderableType]:
    yield Text(_headline(report), style="bold" if report.accepted else "bold red")
    yield _counts(report)
    if report.refused:
        yield _refusals(report.refused)
    if report.agencies_added:
        yield Text("New agencies: " + ", ".join(report.agencies_added))
    for warned in report.warnings[:SHOWN]:
        where = f"{warned.file} row {warned.row}" if warned.row else warned.file
        yield Text(f"Note: {where}, {warned.column}: {warned.message}", style="yellow")
    if len(report.warnings) > SHOWN:
        yield Text(f"Note: {len(report.warnings) - SHOWN:,} more such notes", style="yellow")
    if report.vanished:
        by_file = Counter(v.file for v in report.vanished)
        said = ", ".join(f"{n} of {file}" for file, n in by_file.items())
        first = ", ".join(v.key for v in report.vanished[:SHOWN])
        yield Text(f"On record but not in the files, kept as they are: {said}: {first}")


def _headline(report: Report) -> str:
    took = f"{report.seconds:.1f} s"
    if not report.accepted:
        return f"Nothing was written: correct the rows below and import again ({took})."
    rest = f", {len(report.refused)} values refused" if report.refused else ""
    if report.dry_run:
        return f"This would be written to {report.operation}{rest}; it was a dry run ({took})."
    return f"Written to {report.operation}{rest} ({took})."


def _counts(report: Report) -> RichTable:
    table = RichTable("file", "rows", "added", "updated", "unchanged", "vanished", "refused")
    for f in report.files:
        numbers = (f.rows, f.added, f.updated, f.unchanged, f.vanished, f.refused)
        table.add_row(f.file, *(f"{n:,}" for n in numbers))
    return table


def _refusals(refused: list[Refusal]) -> Text:
    """All of them, a line each: a cut list would mean another round of corrections."""
    lines = Text("Refused:")
    for r in refused:
        where = f"{r.file} row {r.row}" if r.row else r.file
        lines.append(f"\n{where}, {r.column}", style="bold red")
        lines.append(f" {r.value!r}" if r.value else "")
        lines.append(f": {r.reason}. {r.remedy}")
    return lines
