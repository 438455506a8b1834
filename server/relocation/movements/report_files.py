"""The report of a movement as a workbook, as PDF, and as a page to print."""

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from server.relocation.messages import StageCounts
from server.relocation.movements.report import Report
from server.relocation.tables import Row, plain
from server.typeset import text

STAGES = StageCounts.__struct_fields__
TEMPLATE = Path(__file__).with_name("report.typ")
_MOST_LINES = 2000  # of one table on paper


def sheets(report: Report) -> dict[str, list[Row]]:
    """The report by sheets, each with its header."""
    return {
        "movement": [("what", "said"), *_movement(report)],
        "timeline": [("at", "what", "who", "detail"), *_timeline(report)],
        "counts": [("by", "of", "population", *STAGES), *_counts(report)],
        "vehicles": [
            ("number", "label", "state", "seats", "boarded", "arrived", "missing"),
            *(
                (v.number, v.label, v.state, v.seats, v.boarded, v.arrived, v.missing)
                for v in report.board.vehicles
            ),
        ],
        "conflicts": [
            ("kind", "state", "count"),
            *((k, s, n) for k, by in report.conflicts.items() for s, n in by.items()),
        ],
        "not reached": [
            ("ref", "name", "area", "category", "best way now", "why"),
            *(
                (p.person.ref, p.person.name, p.area, p.category, p.reach, p.why)
                for p in report.not_reached
            ),
        ],
        "unresolved": [
            ("ref", "name", "stage now", "reason"),
            *((u.person.ref, u.person.name, u.stage, u.reason) for u in report.unresolved),
        ],
    }


def _movement(report: Report) -> Iterator[Row]:
    said = report.board.movement
    yield "title", said.title
    yield "kind", said.kind
    yield "reach", said.reach
    yield "authority", said.authority
    yield "reference", said.reference
    yield "exercise", said.exercise
    yield "state", said.state
    yield "as of", report.board.as_of
    yield "activated", said.activated_at
    yield "ended", said.ended_at
    yield "signed by", report.signed_by
    yield "statement", report.statement
    yield "people", report.board.population
    yield "conflicts open", report.board.conflicts
    yield "reports after the end", report.board.late


def _timeline(report: Report) -> Iterator[Row]:
    for fact in report.timeline:
        detail = msgspec.json.encode(fact.detail).decode() if fact.detail else None
        yield fact.at, fact.what, fact.by, detail


def _counts(report: Report) -> Iterator[Row]:
    board = report.board
    yield _line("all", "now", board.population, board.counts)
    if board.at_close is not None:
        counts = board.at_close
        yield _line("all", "at the close-out", sum(msgspec.structs.astuple(counts)), counts)
    for by in ("category", "agency", "area"):
        for group in getattr(board.by, by):
            yield _line(by, group.label, group.population, group.counts)
    for name in ("local", "international"):
        side = getattr(board.parity, name)
        if side is not None:
            yield _line("parity", name, side.population, side.counts)


def _line(by: str, of: str, population: int, counts: StageCounts) -> Row:
    return by, of, population, *msgspec.structs.astuple(counts)


def page(report: Report) -> bytes:
    """The same as one page, in any script. All that people wrote is escaped."""
    said = report.board.movement
    exercise = "<h1>EXERCISE EXERCISE EXERCISE</h1>" if said.exercise else ""
    tables = "".join(_table(title, rows) for title, rows in sheets(report).items())
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f"<title>{escape(said.title)}</title></head><body>{exercise}"
        f'<h1 dir="auto">{escape(said.title)}</h1>{tables}</body></html>'
    ).encode()


def typed(report: Report) -> dict[str, Any]:
    """The same for the PDF's template. A longer table than 2,000 lines says what it leaves out."""
    said = report.board.movement
    return {
        "title": text(said.title),
        "exercise": said.exercise,
        "as_of": report.board.as_of.strftime("%Y-%m-%d %H:%M UTC"),
        "sheets": [_sheet(title, rows) for title, rows in sheets(report).items()],
    }


def _sheet(title: str, rows: Iterable[Row]) -> dict[str, Any]:
    header, *lines = rows
    return {
        "title": title,
        "head": [str(name).replace("_", " ") for name in header],
        "rows": [[text(plain(value)) for value in line] for line in lines[:_MOST_LINES]],
        "more": max(len(lines) - _MOST_LINES, 0),
    }


def _table(title: str, rows: Iterable[Row]) -> str:
    header, *lines = rows
    head = "".join(f"<th>{escape(str(name)).replace('_', ' ')}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in lines)
    none = "" if lines else "<p>None.</p>"
    return (
        f'<h2>{escape(title)}</h2><table border="1" cellspacing="0" cellpadding="4">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{none}"
    )


def _cell(value: Any) -> str:
    text = plain(value)
    return f'<td dir="auto">{"" if text is None else escape(str(text))}</td>'
