"""A manifest as a file, and from one."""

from collections.abc import Sequence

from server.errors import BadInput, FieldError, refuse_field
from server.relocation import tables
from server.relocation.manifests.messages import ImportIn, Manifest, ManifestIn
from server.relocation.tables import Row

HEADER = (
    *("seat", "ref", "name", "category", "household", "medical", "papers", "stage"),
    *("aboard", "number", "vehicle"),
)


def rows(found: Manifest) -> list[Row]:
    """The list by seat; then who is aboard without one."""
    seated = [
        (s.seat, s.person.ref, s.person.name, s.category, s.household, s.medical, s.papers, s.stage,
         s.aboard, found.number, found.label)
        for s in found.seats
    ]  # fmt: skip
    unlisted = [
        (None, u.person.ref, u.person.name, None, None, None, None, "boarded", True, found.number,
         found.label)
        for u in found.unlisted
    ]  # fmt: skip
    return [HEADER, *seated, *unlisted]


def wish(file: ImportIn) -> ManifestIn:
    """The list that a file asks for: of the column `ref`, but for rows without a seat number where
    there is a column `seat`. Raises BadInput."""
    if (file.csv is None) == (file.xlsx is None):
        raise refuse_field("csv", "Send csv or xlsx.")
    try:
        found = tables.from_csv(file.csv) if file.csv is not None else tables.from_book(file.xlsx)  # type: ignore[arg-type]
    except tables.Unreadable as error:
        raise refuse_field("csv" if file.xlsx is None else "xlsx", str(error)) from None
    named = _refs(found)
    most = 10_000
    if len(named) > most:
        raise refuse_field("(file)", f"A list has at most {most} rows.")
    return ManifestIn(named, file.move, file.split)


def _refs(found: Sequence[Sequence[str]]) -> list[str]:
    header = [name.casefold() for name in found[0]] if found else []
    if "ref" not in header:
        raise refuse_field("(file)", "Give a header with the column ref.")
    ref, seat = header.index("ref"), header.index("seat") if "seat" in header else None
    refs: list[str] = []
    for row in found[1:]:
        cells = [*row, *("" for _ in header)]
        if cells[ref] and (seat is None or cells[seat]):
            refs.append(cells[ref][:100])
    return refs


def by_row(problem: BadInput, file: ImportIn) -> BadInput:
    """The same refusal by the refs of the file."""
    named = wish(file).people
    errors = []
    for error in problem.errors or []:
        place = error.path.removeprefix("people[").removesuffix("]")
        path = f"ref {named[int(place)]}" if place.isdigit() else error.path
        errors.append(FieldError(path, error.message))
    return BadInput(problem.detail, code=problem.code, errors=errors)
