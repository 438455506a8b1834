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

from server import log, stream
from server.batch import Batcher
from server.checkin import rules, store
from server.checkin.rules import Report
from server.checkin.store import Move, Recorded
from server.db import Database, confirm, retried
from server.errors import BadInput, Clash, Failed, NotFound, Problem

Outcome = tuple[Recorded, bool]  # the record, and whether this request made it
Row = tuple[Report, datetime, bool]  # a report, its corrected time, whether it is an exercise's

LOGGER = log.get("checkin")
# Values that no column can hold, whoever says so: the server, the driver, our own writer.
FAULTS = (asyncpg.DataError, ValueError, OverflowError)
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
    except (asyncpg.PostgresError, ValueError, OverflowError) as error:
        if len(reports) == 1:
            return [_refusal(error)]
    middle = len(reports) // 2
    first = await record_in_halves(database, operation_id, reports[:middle])
    return first + await record_in_halves(database, operation_id, reports[middle:])


def _refusal(error: Exception) -> Problem:
    """What the caller of a report that failed alone is told.

    Only a fault of the report itself is called one, for then its phone gives it up. All else (a
    schema of another version, a defect of ours) is the server's trouble: the phone keeps it.
    """
    problem: Problem
    if isinstance(error, FAULTS) or getattr(error, "table_name", None) == "checkin":
        REFUSED.inc()
        problem = BadInput("The record cannot be stored as it is.", code="not_storable")
    else:
        code = getattr(error, "sqlstate", None)
        LOGGER.error("report_not_recorded", kind=type(error).__name__, sqlstate=code)
        problem = Failed("This server failed to record it. Send it again.")
    problem.__cause__ = error
    return problem


@retried
async def record_batch(
    database: Database, operation_id: int, reports: Sequence[Report]
) -> list[Outcome | Exception]:
    """One transaction: reports, latest answers, headcount cells, late counts, events.

    One outcome a report, in order. A report that names an unknown alert is refused alone.
    """
    async with database.transaction(operation_id, lane="report") as con:
        received_at = await store.begin_batch(con)
        rows, questions, refused = await _place(con, reports, received_at)
        new = await store.insert_checkins(con, received_at, rows) if rows else []
        again = [] if len(new) == len(reports) else _not_first(reports, new)
        stored = await store.earlier(con, again) if again else {}
        if new:
            await _count(con, new, questions, received_at)
        elif again:
            await confirm(con)
    if len(new) == len(reports):
        return [(_recorded(row, received_at), True) for row in new]
    made = {row[0].checkin_id: _recorded(row, received_at) for row in new}
    return [_outcome(report, refused, made, stored) for report in reports]


def _not_first(reports: Sequence[Report], new: Sequence[Row]) -> list[UUID]:
    """Ids on record before this batch, or standing in it more than once."""
    first = {row[0].checkin_id for row in new}
    times = Counter(r.checkin_id for r in reports)
    return [key for key, count in times.items() if count > 1 or key not in first]


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


async def _count(
    con: Any, rows: Sequence[Row], questions: list[rules.Question], received_at: datetime
) -> None:
    """Moves people between cells and appends the batch's events, in the order of the locks."""
    answers = rules.standing_answers(rows, questions)
    moves = await store.take_answers(con, answers, received_at) if answers else []
    deltas = cell_deltas(moves)
    cells = await store.move_cells(con, deltas) if deltas else []
    await store.keep_positions(con, rows)
    late = late_answers(answers, moves)
    if late:
        await store.add_late(con, late)
    await stream.append(con, [*headcount_drafts(cells), checkin_draft(rows, moves)])


def late_answers(answers: Sequence[rules.Answer], moves: Sequence[Move]) -> dict[UUID, int]:
    """How many reports came after the close of each alert that holds their person."""
    after = [a for a in answers if a.late]
    held = {(m.alert_id, m.person_id) for m in moves} if after else set()
    late: Counter[UUID] = Counter()
    for answer in after:
        if (answer.alert_id, answer.person_id) in held:
            late[answer.alert_id] += answer.reports
    return late


def cell_deltas(moves: Sequence[Move]) -> dict[tuple[UUID, int, int, str, str], int]:
    """What a batch adds to each cell; people who stay in their cell add nothing.

    A cell that as many left as entered is kept, with 0: it is another one to a viewer who sees
    only some of them.
    """
    deltas: Counter[tuple[UUID, int, int, str, str]] = Counter()
    for m in moves:
        if m.was != m.is_now:
            deltas[(m.alert_id, m.area_id, m.agency_id, m.category, m.was)] -= 1
            deltas[(m.alert_id, m.area_id, m.agency_id, m.category, m.is_now)] += 1
    return dict(deltas)


def headcount_drafts(
    cells: Sequence[tuple[UUID, int, int, str, str, int]],
) -> list[stream.Draft]:
    """One event an alert, with the absolute counts of the cells that changed."""
    ordered = sorted(cells)
    return [
        stream.Draft("headcount", {"alert_id": alert_id, "cells": [c[1:] for c in own]})
        for alert_id, own in groupby(ordered, key=lambda c: c[0])
    ]


def checkin_draft(rows: Sequence[Row], moves: Sequence[Move]) -> stream.Draft:
    """One event for the whole batch: who said what, and where it counts."""
    counted: dict[int, list[UUID]] = {}
    for m in moves:
        counted.setdefault(m.person_id, []).append(m.alert_id)
    items = [
        (r.checkin_id, r.person_id, r.status, at, counted.get(r.person_id, ())) for r, at, _ in rows
    ]
    return stream.Draft("checkin", {"items": items})


def _recorded(row: Row, received_at: datetime) -> Recorded:
    report, event_at, _ = row
    return Recorded(report.checkin_id, report.person_ref, report.status, event_at, received_at)


def _outcome(
    report: Report,
    refused: dict[UUID, Problem],
    made: dict[UUID, Recorded],
    stored: dict[UUID, store.Stored],
) -> Outcome | Exception:
    """What became of one report. The first of several with one id made the record."""
    key = report.checkin_id
    if key in refused:
        return refused[key]
    if key in made:
        return made.pop(key), True
    first = stored[key]
    if first.body_hash != report.body_hash:
        return Clash("This id was used for another report. Make a new id.", code="id_reused")
    same = Recorded(key, report.person_ref, first.status, first.event_at, first.received_at)
    return same, False
