"""Rows of members, and the moves that changes of a population make between cells."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from server import stream
from server.alerts import store as alerts
from server.db import named_sql
from server.people.counted import AlertPerson, alert_person

SQL = named_sql(__file__)
Cell = tuple[UUID, int, int, str, str]  # alert, area, agency, category, status


class Moves:
    """People leaving and entering cells, summed up, to be written once."""

    def __init__(self) -> None:
        self._deltas: Counter[Cell] = Counter()

    def add(self, cell: Cell, people: int) -> None:
        """So many more people in a cell, or fewer."""
        self._deltas[cell] += people

    async def refold(self, con: Any, persons: list[int]) -> set[UUID]:
        """Reads again which answers of some persons stand; the alerts where one changed."""
        changed: set[UUID] = set()
        for alert_id, area, agency, category, was, is_now in await con.fetch(SQL.refold, persons):
            if was != is_now:
                self.add((alert_id, area, agency, category, was), -1)
                self.add((alert_id, area, agency, category, is_now), 1)
                changed.add(alert_id)
        return changed

    async def write(self, con: Any) -> list[stream.Draft]:
        """Moves the cells, made where they are missing; the events that tell of it.

        A cell that one left and another entered is told of too: a warden may see one of them.
        """
        drafts: list[stream.Draft] = []
        for alert_id in sorted({cell[0] for cell in self._deltas}):
            own = [(*cell[1:], n) for cell, n in self._deltas.items() if cell[0] == alert_id]
            places = sorted({cell[:3] for cell in own})
            await con.execute(SQL.ensure_cells, alert_id, *_columns(places))
            cells = await alerts.move_cells(con, alert_id, own)
            drafts.append(alerts.headcount_draft(alert_id, cells))
        return drafts


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def member(con: Any, alert_id: UUID, person_id: int, texted: Sequence[str]) -> AlertPerson:
    """One person of an alert, known to be in it."""
    row = await con.fetchrow(SQL.member, alert_id, person_id, list(texted))
    return alert_person(row, row["reach"])
