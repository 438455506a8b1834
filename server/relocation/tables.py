"""Tables as files for spreadsheet programs, and back. No text is ever read as a formula."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

Row = Sequence[Any]
CSV = [(b"content-type", b"text/csv; charset=utf-8"), (b"cache-control", b"no-store")]
BOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BOOK = [(b"content-type", BOOK_TYPE.encode()), (b"cache-control", b"no-store")]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MOST_UNPACKED = 50 * 1024 * 1024
_MOST_ROWS = 20_000


class Unreadable(Exception):
    """A file that is no table. The text says why, and what to do."""


def to_csv(rows: Iterable[Row]) -> bytes:
    """UTF-8 with its mark, for programs that guess otherwise."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([_inert(plain(v)) for v in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def to_book(sheets: Mapping[str, Iterable[Row]]) -> bytes:
    """A workbook of these sheets, the first line of each bold and kept in sight."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for n, row in enumerate(rows, 1):
            for place, value in enumerate(row, 1):
                _write(sheet.cell(n, place), plain(value))
        sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write(cell: Any, value: Any) -> None:
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # also where it begins as a formula does
    if cell.row == 1:
        cell.font = openpyxl.styles.Font(bold=True)


def plain(value: Any) -> Any:
    """What a cell holds: times in UTC, yes or no for truth."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, int | float) or value is None:
        return value
    return ILLEGAL_CHARACTERS_RE.sub("", str(value))


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def from_csv(text: str) -> list[list[str]]:
    """The rows of a text. Raises Unreadable."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = io.StringIO(text.lstrip("\ufeff"), newline="")
    try:
        rows = [
            row
            for row, _ in zip(
                csv.reader(lines, delimiter=delimiter), range(_MOST_ROWS), strict=False
            )
        ]
    except csv.Error:
        raise Unreadable("It cannot be read as CSV. Save it again as CSV UTF-8.") from None
    return [[v.strip().removeprefix("'") for v in row] for row in rows]


def from_book(raw: bytes) -> list[list[str]]:
    """The rows of a workbook's first sheet. Raises Unreadable."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            if sum(i.file_size for i in packed.infolist()) > _MOST_UNPACKED:
                raise Unreadable("It is too large. Send only the list.")
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        found = book.worksheets[0].iter_rows(max_row=_MOST_ROWS, max_col=100, values_only=True)
        return [["" if v is None else str(v).strip() for v in row] for row in found]
    except Unreadable:
        raise
    except Exception:  # openpyxl lets through whatever a broken archive provokes
        raise Unreadable("It is no readable workbook. Save it again as .xlsx.") from None
