"""Reading roster files: CSV in whatever dress, and workbooks. The only files an import touches."""

import csv
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from server.people.roster import encoding
from server.people.roster.cells import DATE
from server.people.roster.report import Refusal, Warned, refusal
from server.people.roster.tables import ORDER, Sheet, delimiter_of

MOST_BYTES = 256 * 1024 * 1024
_TEXT = (".csv", ".tsv")
_BOOK = ".xlsx"
_EXACT = 10**15  # a spreadsheet's numbers are exact below this
_NAMES = (
    "Name the files areas.csv, people.csv, tree.csv and presence.csv (or .xlsx, or sheets of a"
    " workbook)."
)
csv.field_size_limit(4_000_000)  # a node may list 100,000 members


class Found(msgspec.Struct, frozen=True):
    """What was read: a sheet a kind, and what was wrong with files as a whole."""

    sheets: list[Sheet]
    refused: list[Refusal]
    warnings: list[Warned]


class _Reader:
    """Collects sheets of several files."""

    def __init__(self) -> None:
        self.sheets: list[Sheet] = []
        self.refused: list[Refusal] = []
        self.warnings: list[Warned] = []

    def read(self, path: Path, named: bool) -> None:
        """One file; `named` by the user, or only lying in a directory."""
        kind = path.stem.casefold()
        suffix = path.suffix.casefold()
        if suffix == _BOOK:
            self._book(path, kind, named)
        elif suffix in _TEXT and kind in ORDER:
            self._text(path, kind)
        elif named:
            self._refuse(path.name, 0, "is no table of a roster", _NAMES)
        elif suffix in _TEXT:
            self.warnings.append(Warned(path.name, 0, "(file)", "this file is not read"))

    def _text(self, path: Path, kind: str) -> None:
        try:
            data = _bytes(path)
            decoded = encoding.decode(data)
        except (OSError, _TooLarge) as error:
            self._refuse(path.name, 0, _why(error), "Check the file and its rights.")
            return
        except encoding.Undecodable as error:
            self._refuse(path.name, 0, str(error), encoding.REMEDY)
            return
        if not decoded.sure:
            self.warnings.append(Warned(path.name, 0, "(file)", _guess(decoded)))
        self._parse(path.name, kind, decoded.text)

    def _parse(self, file: str, kind: str, text: str) -> None:
        rows: list[tuple[int, list[str]]] = []
        lines = io.StringIO(text, newline="")
        delimiter = _delimiter(kind, text)
        number = 0
        try:
            for number, values in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), 1):
                rows.append((number, values))
        except csv.Error:
            reason = "has a quote that is not closed, or text after a closing quote"
            self._refuse(file, number + 1, reason, 'Write a quote inside a value as "".')
            return
        if rows and _is_hint(rows[0][1]):
            rows.pop(0)
        self._sheet(file, kind, rows)

    def _book(self, path: Path, kind: str, named: bool) -> None:
        if path.name.startswith("~$"):
            return  # what an open spreadsheet program leaves beside its file
        try:
            _bytes(path, only_size=True)
            before = len(self.sheets) + len(self.refused)
            self._sheets(path, kind)
        except (OSError, _TooLarge) as error:
            self._refuse(path.name, 0, _why(error), "Check the file and its rights.")
        except Exception as error:  # openpyxl lets through whatever a broken archive provokes
            reason = f"is no readable workbook ({type(error).__name__})"
            self._refuse(path.name, 0, reason, "Save it again as .xlsx, without a password.")
        else:
            if named and before == len(self.sheets) + len(self.refused):
                self._refuse(path.name, 0, "has no sheet areas, people, tree or presence", _NAMES)

    def _sheets(self, path: Path, kind: str) -> None:
        if not zipfile.is_zipfile(path):
            raise ValueError("no archive")
        import openpyxl  # noqa: PLC0415 - slow, numpy comes with it, and most rosters are CSV

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations we do not read
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                for sheet_kind, file, sheet in _tables(book, path.name, kind):
                    self._sheet(file, sheet_kind, _book_rows(sheet))
            finally:
                book.close()

    def _sheet(self, file: str, kind: str, rows: list[tuple[int, list[str]]]) -> None:
        filled = [r for r in rows if any(v.strip() for v in r[1])]
        if not filled:
            self._refuse(file, 0, "is empty", "Give at least the header.")
            return
        self.sheets.append(Sheet(kind, file, filled[0][1], filled[1:]))

    def _refuse(self, file: str, row: int, reason: str, remedy: str) -> None:
        self.refused.append(refusal(file, row, "(file)", "", reason, remedy))

    def found(self) -> Found:
        """All sheets, unless two claim one table."""
        for kind in ORDER:
            claims = [s.file for s in self.sheets if s.kind == kind]
            for file in claims if len(claims) > 1 else []:
                others = ", ".join(c for c in claims if c != file) or "itself"
                self._refuse(file, 0, f"{kind} is also in {others}", "Import one of them.")
        return Found(self.sheets, self.refused, self.warnings)


class _TooLarge(Exception):
    """A file no roster can be."""


def read(paths: Sequence[Path]) -> Found:
    """The sheets of some files or of the files in a directory. Raises nothing about files."""
    reader = _Reader()
    for path in paths:
        if path.is_dir():
            before = len(reader.sheets) + len(reader.refused)
            for file in sorted(path.iterdir()):
                if file.is_file() and not file.name.startswith("."):
                    reader.read(file, named=False)
            if before == len(reader.sheets) + len(reader.refused):
                reader._refuse(path.name or str(path), 0, "holds no table of a roster", _NAMES)
        else:
            reader.read(path, named=True)
    return reader.found()


def _bytes(path: Path, *, only_size: bool = False) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise _TooLarge(f"is larger than {MOST_BYTES // 1024**2} MB")
    return b"" if only_size else path.read_bytes()


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is not there"
    return error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)


def _guess(decoded: encoding.Decoded) -> str:
    unusual = (word for word in decoded.text.split() if not word.isascii())
    shown = ", ".join(word.strip(",;\"'")[:40] for word, _ in zip(unusual, range(3), strict=False))
    return f"was read as {decoded.encoding}: check that names are right, such as {shown}"


def _delimiter(kind: str, text: str) -> str:
    first = next((line for line in text[:10_000].splitlines() if line.strip()), "")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        return first[4]
    return delimiter_of(kind, first)


def _is_hint(values: list[str]) -> bool:
    """Whether this first row is a spreadsheet's `sep=;` line (which its delimiter cuts)."""
    return bool(values) and values[0].lower() in ("sep=", "sep")


def _tables(book: Any, file: str, kind: str) -> Iterator[tuple[str, str, Any]]:
    """The sheets to read: those named like tables, else the first if the file is."""
    titled = [(s.title.strip().casefold(), s) for s in book.worksheets]
    named = [(title, s) for title, s in titled if title in ORDER]
    if named:
        for title, sheet in named:
            yield title, f"{file}/{sheet.title}", sheet
    elif kind in ORDER and titled:
        yield kind, file, titled[0][1]


def _book_rows(sheet: Any) -> list[tuple[int, list[str]]]:
    """Rows as text, each as wide as the header unless it has values beyond."""
    sheet.reset_dimensions()  # some writers state them wrongly
    rows: list[tuple[int, list[str]]] = []
    width = 0
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
        texts = _texts(values)
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            continue
        width = width or len(texts)
        rows.append((number, texts + [""] * (width - len(texts))))
    return rows


def _texts(values: Iterable[Any]) -> list[str]:
    return [v if type(v) is str else _text(v) for v in values]


def _text(value: Any) -> str:
    """A spreadsheet's value as it would be typed. Numbers are exact, dates are marked."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < _EXACT:
            return str(int(value))
        return format(Decimal(repr(value)), "f")
    if isinstance(value, datetime | date | time | timedelta):
        return f"{DATE}{value}"
    return str(value)
