"""What rows say of each other and of what is on record: nothing is written unless it holds. Pure.

A row that names a refused row is refused with it where the rest is to be written (`partial`);
otherwise only the cause is listed, since correcting it cures both.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from server.people.roster.agencies import Agencies
from server.people.roster.links import Known, Reference, circles, references
from server.people.roster.report import Refusal, Warned, refusal
from server.people.roster.rows import (
    AreaRow,
    Checked,
    NodeRow,
    PersonRow,
    PresenceRow,
    Row,
    key_of,
    numbers,
)
from server.people.roster.tables import AREAS, ORDER, PEOPLE, PRESENCE, TREE

_KEY = {AREAS: "code", PEOPLE: "ref", TREE: "node", PRESENCE: "key"}
_WORD = {AREAS: "area", PEOPLE: "person", TREE: "node", PRESENCE: "presence"}
_NAMED = 5  # how many other rows a reason names


class Settled(msgspec.Struct, frozen=True):
    """The rows to write, in file order, and everything refused or worth a look."""

    areas: list[AreaRow]
    people: list[PersonRow]
    nodes: list[NodeRow]
    refused: list[Refusal]
    warnings: list[Warned]
    agencies_added: list[str]
    presences: list[PresenceRow] = []


def settle(tables: Mapping[str, Checked], known: Known, *, partial: bool) -> Settled:
    """Rows checked against each other and the record. Nothing here raises on bad rows."""
    work = _Settling(tables, known, partial)
    work.refuse_twins()
    work.refuse_strangers()
    again = True
    while again:
        refused_before = len(work.refused)
        work.refuse_dependants()
        work.refuse_circles()
        work.refuse_bad_families()
        work.refuse_shared_numbers()
        again = partial and len(work.refused) > refused_before
    return work.result()


class _Settling:
    """The rows still good, by kind and key; what was lost of them; what was refused."""

    def __init__(self, tables: Mapping[str, Checked], known: Known, partial: bool) -> None:
        self.tables = tables
        self.known = known
        self.partial = partial
        self.refused: list[Refusal] = []
        self.lost: dict[str, dict[str, int]] = {kind: {} for kind in ORDER}
        self.good: dict[str, dict[str, Any]] = {kind: {} for kind in ORDER}
        self._spread: list[tuple[str, str]] = []  # lost rows whose dependants are not yet seen to
        for kind, table in tables.items():
            self.lost[kind].update(table.lost)
        self._spread.extend((kind, key) for kind in ORDER for key in self.lost[kind])

    def refuse_twins(self) -> None:
        """Every row of a key that is there more than once: none of them is preferred."""
        for kind, table in self.tables.items():
            times = Counter(map(attrgetter(_KEY[kind]), table.rows))
            times.update(list(table.lost))
            again = {key for key, n in times.items() if n > 1}
            twins: dict[str, list[Row]] = {key: [] for key in again}
            for row in table.rows:
                key = key_of(row)
                if key in again:
                    twins[key].append(row)
                else:
                    self.good[kind][key] = row
            for key, rows in twins.items():
                numbers_ = [r.row for r in rows] + [
                    table.lost[k] for k in (key,) if k in table.lost
                ]
                for row in rows:
                    self._twin(kind, row, key, numbers_)

    def _twin(self, kind: str, row: Row, key: str, numbers_: Sequence[int]) -> None:
        reason = f"is also on {_rows(n for n in numbers_ if n != row.row)}"
        column = "ref" if kind == PRESENCE else _KEY[kind]
        self._note(kind, row, column, key, reason, "Keep one row and remove the others.")
        if key not in self.lost[kind]:
            self._lose(kind, key, row.row)

    def refuse_strangers(self) -> None:
        """Rows that name what is neither in the files nor on record."""
        near = {kind: _Near(self, kind) for kind in ORDER}
        for kind in ORDER:
            for row in list(self.good[kind].values()):
                for ref in references(row):
                    if not self._is_there(ref):
                        word = _WORD[ref.kind]
                        reason = f"there is no {word} {ref.key} in the files or on record"
                        remedy = near[ref.kind].remedy(ref.key)
                        self._drop(kind, row, ref.column, ref.key, reason, remedy)

    def _is_there(self, ref: Reference) -> bool:
        return (
            ref.key in self.good[ref.kind]
            or ref.key in self.lost[ref.kind]
            or ref.key in self.on_record(ref.kind)
        )

    def refuse_dependants(self) -> None:
        """Rows that name a refused row, and those that name them."""
        if not self.partial:
            self._spread.clear()
            return
        named_by: dict[tuple[str, str], list[tuple[str, Row, str]]] = defaultdict(list)
        for kind in ORDER:
            for row in self.good[kind].values():
                for ref in references(row):
                    named_by[ref.kind, ref.key].append((kind, row, ref.column))
        while self._spread:
            lost_kind, lost_key = self._spread.pop()
            for kind, row, column in named_by.get((lost_kind, lost_key), ()):
                if key_of(row) not in self.good[kind]:
                    continue
                at = f"{self.tables[lost_kind].file} row {self.lost[lost_kind][lost_key]}"
                reason = f"its {_WORD[lost_kind]} {lost_key} was refused ({at})"
                self._drop(kind, row, column, lost_key, reason, "Correct that row first.")

    def refuse_circles(self) -> None:
        """Areas above themselves, nodes above themselves."""
        for kind in (AREAS, TREE):
            parents = {k: p for k, p in self.on_record(kind).items() if self._stays(kind, k)}
            parents.update((key, row.parent or None) for key, row in self.good[kind].items())
            for circle in circles(parents):
                said = " > ".join([*circle, circle[0]])
                for key in circle:
                    if key in self.good[kind]:
                        row = self.good[kind][key]
                        reason = f"is above itself: {said}"
                        self._drop(kind, row, "parent", row.parent, reason, "Break the circle.")

    def refuse_bad_families(self) -> None:
        """Family of family; a sponsor of people on record who becomes family; guests' refs."""
        people: dict[str, PersonRow] = self.good[PEOPLE]
        kept_sponsors = self._kept_sponsors() if people else {}
        for ref, row in list(people.items()):
            on_record = self.known.people.get(ref)
            if on_record is not None and on_record.kind != "roster":
                reason = f"this ref belongs to a {on_record.kind.replace('_', '-')} on record"
                self._drop(PEOPLE, row, "ref", ref, reason, "Give the person another ref.")
            elif row.category == "family" and self._category(row.family_of) == "family":
                reason = f"{row.family_of} is family, and family have no family of their own"
                remedy = "Name the staff member as family_of."
                self._drop(PEOPLE, row, "family_of", row.family_of, reason, remedy)
            elif row.category == "family" and ref in kept_sponsors:
                reason = f"has family on record ({kept_sponsors[ref]})"
                remedy = "Import that family member with another sponsor first."
                self._drop(PEOPLE, row, "category", row.category, reason, remedy)

    def _kept_sponsors(self) -> dict[str, str]:
        """Sponsors of the family on record that these files do not change, each with one."""
        return {
            p.sponsor: ref
            for ref, p in self.known.people.items()
            if p.sponsor is not None and self._stays(PEOPLE, ref)
        }

    def _category(self, ref: str) -> str | None:
        row = self.good[PEOPLE].get(ref)
        if row is not None:
            return str(row.category)
        on_record = self.known.people.get(ref)
        return None if on_record is None else on_record.category

    def refuse_shared_numbers(self) -> None:
        """Numbers of two people who are not of one household."""
        people: dict[str, PersonRow] = self.good[PEOPLE]
        if not people:
            return
        holders: dict[str, dict[str, str]] = defaultdict(dict)  # number -> ref -> household
        for ref, row in people.items():
            for number in self._numbers(row):
                holders[number][ref] = row.family_of or ref
        for ref, person in self.known.people.items():
            if person.kind == "roster" and self._stays(PEOPLE, ref):
                for number in person.phones.values():
                    if number in holders:
                        holders[number][ref] = person.sponsor or ref
        for number, households in holders.items():
            if len(households) > 1 and len(set(households.values())) > 1:
                self._refuse_number(number, households)

    def _numbers(self, row: PersonRow) -> Iterator[str]:
        """A row's numbers; those on record where the file has no such column."""
        absent = self.tables[PEOPLE].absent
        on_record = self.known.people.get(row.ref)
        kept = on_record.phones if on_record is not None else {}
        for rank, column in ((1, "phone"), (2, "phone2")):
            number = kept.get(rank) if column in absent else getattr(row, column)
            if number is not None:
                yield number

    def _refuse_number(self, number: str, households: Mapping[str, str]) -> None:
        said = {ref: self._who(ref) for ref in households}
        for ref, row in [(r, self.good[PEOPLE][r]) for r in households if r in self.good[PEOPLE]]:
            others = [said[o] for o in households if households[o] != households[ref]]
            column = next((c for c, n in numbers(row) if n == number), "phone")
            reason = f"is also the number of {_some(others)}"
            remedy = "Give each person her own number; only a household may share one."
            self._drop(PEOPLE, row, column, number, reason, remedy)

    def _who(self, ref: str) -> str:
        row = self.good[PEOPLE].get(ref)
        return f"{ref} (on record)" if row is None else f"{ref} (row {row.row})"

    def _stays(self, kind: str, key: str) -> bool:
        """Whether what is on record under a key will stand: no row of it is to be written.

        A refused row that the user is about to correct says nothing yet of the record.
        """
        return key not in self.good[kind] and (self.partial or key not in self.lost[kind])

    def on_record(self, kind: str) -> Mapping[str, Any]:
        """What is known of a kind, by key."""
        if kind == PEOPLE:
            return self.known.people
        if kind == PRESENCE:
            return dict.fromkeys(self.known.presences)
        return self.known.areas if kind == AREAS else self.known.nodes

    def _drop(self, kind: str, row: Row, column: str, value: str, reason: str, remedy: str) -> None:
        """Refuses a row that was good so far, or adds a reason to one just refused."""
        self._note(kind, row, column, value, reason, remedy)
        key = key_of(row)
        if self.good[kind].pop(key, None) is not None:
            self._lose(kind, key, row.row)

    def _lose(self, kind: str, key: str, number: int) -> None:
        self.lost[kind][key] = number
        self._spread.append((kind, key))

    def _note(self, kind: str, row: Row, column: str, value: str, reason: str, remedy: str) -> None:
        file = self.tables[kind].file
        self.refused.append(refusal(file, row.row, column, value, reason, remedy))

    def result(self) -> Settled:
        """What is left to write."""
        file = self.tables[PEOPLE].file if PEOPLE in self.tables else ""
        people, agencies, warnings = Agencies(file, self.good[PEOPLE], self.known).people()
        checked = [r for kind in ORDER if kind in self.tables for r in self.tables[kind].refused]
        noted = [w for kind in ORDER if kind in self.tables for w in self.tables[kind].warnings]
        return Settled(
            areas=list(self.good[AREAS].values()),
            people=people,
            nodes=list(self.good[TREE].values()),
            refused=sorted([*checked, *self.refused], key=self._place),
            warnings=[*noted, *warnings],
            agencies_added=agencies,
            presences=list(self.good[PRESENCE].values()),
        )

    def _place(self, r: Refusal) -> tuple[int, int]:
        files = [self.tables[kind].file for kind in ORDER if kind in self.tables]
        return files.index(r.file), r.row


class _Near:
    """What a wrong key may have meant: the same letters in another case."""

    def __init__(self, work: _Settling, kind: str) -> None:
        self._work = work
        self._kind = kind
        self._by_fold: dict[str, str] | None = None

    def remedy(self, key: str) -> str:
        """What to do about a key that is not there."""
        if self._by_fold is None:
            there = [*self._work.on_record(self._kind), *self._work.good[self._kind]]
            self._by_fold = {k.casefold(): k for k in there}
        near = self._by_fold.get(key.casefold())
        if near is not None:
            return f"Write it as {near}."
        return f"Correct it, or add the {_WORD[self._kind]}."


def _rows(numbers_: Iterable[int]) -> str:
    found = sorted(numbers_)
    word = "row" if len(found) == 1 else "rows"
    return f"{word} {_some([str(n) for n in found])}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
