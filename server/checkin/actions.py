"""Recording reports: collected, written as one transaction a batch, answered when durable.

Three hops from request to durable: routes -> Collector.submit -> record_batch.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

import asyncpg
from prometheus_client import Counter as Metric
from prometheus_client import Histogram

from server import stream
from server.batch import Batcher
from server.checkin import rules, store
from server.checkin.rules import Report
from server.checkin.store import Move, Recorded
from server.clock import rfc3339
from server.db import CONFLICT, Database, retried
from server.errors import BadInput, Clash, NotFound, Problem

Outcome = tuple[Recorded, bool]  # the record, and whether this request made it
Row = tuple[Report, datetime, bool]  # a report, its corrected time, whether it is an exercise's

BATCH = Histogram(
    "muster_checkin_batch_size", "Reports a transaction", buckets=(1, 8, 32, 128, 500)
)
REFUSED = Metric("muster_checkin_poison_total", "Reports refused by the database alone")


class Collector:
    """Group commit: one batch under way for each operation, the next one gathering."""

    def __init__(self, database: Database, wake: Callable[[int], None], most: int = 500) -> None:
        self._db = database
        self._wake = wake
        self._most = most
        self._batchers: dict[int, Batcher[Report, Outcome]] = {}

    async def submit(self, operation_id: int, report: Report) -> Outcome:
        """Returns when the report is durable. Raises Problem for this report alone."""
        batcher = self._batchers.get(operation_id)
        if batcher is None:
            run = partial(self._run, operation_id)
            batcher = Batcher(run, name=f"check-ins of operation {operation_id}", most=self._most)
            self._batchers[operation_id] = batcher
        return await batcher.submit(report)

    async def idle(self) -> None:
        """Returns when every report handed in has been answered."""
        for batcher in self._batchers.values():
            await batcher.idle()

    async def _run(
        self, operation_id: int, reports: Sequence[Report]
    ) -> Sequence[Outcome | Exception]:
        BATCH.observe(len(reports))
        outcomes = await record_in_halves(self._db, operation_id, reports)
        self._wake(operation_id)
        return outcomes


async def record_in_halves(
    database: Database, operation_id: int, reports: Sequence[Report]
) -> list[Outcome | Exception]:
    """Records a batch; one that fails on a poison row is tried again in halves.

    Raises Unavailable when nothing can be written now.
    """
    try:
        return await record_batch(database, operation_id, reports)
    except CONFLICT:
        raise
    except (asyncpg.PostgresError, ValueError, OverflowError) as error:
        if len(reports) == 1:
            REFUSED.inc()
            problem = BadInput("The record cannot be stored as it is.", code="not_storable")
            problem.__cause__ = error
            return [problem]
    middle = len(reports) // 2
    first = await record_in_halves(database, operation_id, reports[:middle])
    return first + await record_in_halves(database, operation_id, reports[middle:])


@retried
async def record_batch(
    database: Database, operation_id: int, reports: Sequence[Report]
) -> list[Outcome | Exception]:
    """One transaction: reports, latest answers, headcount cells, late counts, events.

    One outcome a report, in order. A report that names an unknown alert is refused alone.
    """
    async with database.transaction(operation_id) as con:
        received_at = await store.begin_batch(con)
        rows, questions, refused = await _place(con, reports, received_at)
        new_ids = await store.insert_checkins(con, received_at, rows) if rows else set()
        repeats = [r.checkin_id for r, _, _ in rows if r.checkin_id not in new_ids]
        repeats += _doubles(reports)
        stored = await store.earlier(con, repeats) if repeats else {}
        new = [row for row in rows if row[0].checkin_id in new_ids]
        if new:
            await _count(con, new, questions, received_at)
    outcomes = _Outcomes(received_at, {r.checkin_id: at for r, at, _ in new}, stored, refused)
    return [outcomes.of(report) for report in reports]


async def _place(
    con: Any, reports: Sequence[Report], received_at: datetime
) -> tuple[list[Row], list[rules.Question], dict[UUID, Problem]]:
    """Corrects times, finds the alerts in question, refuses what names an unknown alert."""
    unique = {r.checkin_id: r for r in reversed(reports)}
    timed = [(r, rules.corrected(r.at, r.sent_at, received_at)) for r in reversed(unique.values())]
    named = list({r.alert_id for r, _ in timed if r.alert_id is not None})
    questions = await store.questions(con, named, min(at for _, at in timed))
    exercise = {q.alert_id: q.exercise for q in questions}
    rows: list[Row] = []
    refused: dict[UUID, Problem] = {}
    for report, event_at in timed:
        if report.alert_id is not None and report.alert_id not in exercise:
            refused[report.checkin_id] = NotFound(
                "There is no such alert. Send the report without alert_id.", code="alert_unknown"
            )
            continue
        drill = exercise[report.alert_id] if report.alert_id is not None else False
        rows.append((report, event_at, drill))
    return rows, questions, refused


def _doubles(reports: Sequence[Report]) -> list[UUID]:
    """Ids that stand in one batch more than once."""
    return [key for key, times in Counter(r.checkin_id for r in reports).items() if times > 1]


async def _count(
    con: Any, rows: list[Row], questions: list[rules.Question], received_at: datetime
) -> None:
    """Moves people between cells and appends the batch's events, in the order of the locks."""
    answers = rules.standing_answers(rows, questions)
    moves = await store.take_answers(con, answers, received_at) if answers else []
    deltas = cell_deltas(moves)
    cells = await store.move_cells(con, deltas) if deltas else []
    held = {(m.alert_id, m.person_id) for m in moves}
    late: Counter[UUID] = Counter()
    for answer in answers:
        if answer.late and (answer.alert_id, answer.person_id) in held:
            late[answer.alert_id] += answer.reports
    await store.keep_positions(con, rows)
    if late:
        await store.add_late(con, late)
    await stream.append(con, [*headcount_drafts(cells), checkin_draft(rows, moves)])


def cell_deltas(moves: Sequence[Move]) -> dict[tuple[UUID, int, int, str, str], int]:
    """What a batch adds to each cell; people who stay in their cell add nothing."""
    deltas: Counter[tuple[UUID, int, int, str, str]] = Counter()
    for m in moves:
        if m.was != m.is_now:
            deltas[(m.alert_id, m.area_id, m.agency_id, m.category, m.was)] -= 1
            deltas[(m.alert_id, m.area_id, m.agency_id, m.category, m.is_now)] += 1
    return {key: delta for key, delta in deltas.items() if delta}


def headcount_drafts(
    cells: Sequence[tuple[UUID, int, int, str, str, int]],
) -> list[stream.Draft]:
    """One event an alert, with the absolute counts of the cells that changed."""
    ordered = sorted(cells)
    return [
        stream.Draft("headcount", {"alert_id": str(alert_id), "cells": [c[1:] for c in own]})
        for alert_id, own in groupby(ordered, key=lambda c: c[0])
    ]


def checkin_draft(rows: Sequence[Row], moves: Sequence[Move]) -> stream.Draft:
    """One event for the whole batch: who said what, and where it counts."""
    counted: dict[int, list[str]] = {}
    for m in moves:
        counted.setdefault(m.person_id, []).append(str(m.alert_id))
    items = [
        [str(r.checkin_id), r.person_id, r.status, rfc3339(at), counted.get(r.person_id, [])]
        for r, at, _ in rows
    ]
    return stream.Draft("checkin", {"items": items})


class _Outcomes:
    """Tells each caller of a committed batch what became of its report."""

    def __init__(
        self,
        received_at: datetime,
        new: dict[UUID, datetime],
        stored: dict[UUID, store.Stored],
        refused: dict[UUID, Problem],
    ) -> None:
        self._received_at = received_at
        self._new = new
        self._stored = stored
        self._refused = refused
        self._told: set[UUID] = set()

    def of(self, report: Report) -> Outcome | Exception:
        """The record and whether this request made it; or why it was refused."""
        key = report.checkin_id
        if key in self._refused:
            return self._refused[key]
        if key in self._new and key not in self._told:
            self._told.add(key)
            event_at = self._new[key]
            made = Recorded(key, report.person_ref, report.status, event_at, self._received_at)
            return made, True
        first = self._stored[key]
        if first.body_hash != report.body_hash:
            return Clash("This id was used for another report. Make a new id.", code="id_reused")
        same = Recorded(key, report.person_ref, first.status, first.event_at, first.received_at)
        return same, False
