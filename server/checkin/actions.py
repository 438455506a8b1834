"""Recording reports: collected, written as one transaction a batch, answered when durable.

Three hops from request to durable: routes -> Recorder.submit -> record_batch.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

from server import recording, stream
from server.checkin import rules, store
from server.checkin.rules import Report
from server.checkin.store import Move, Recorded
from server.clock import corrected
from server.db import Database, confirm, retried
from server.errors import NotFound, Problem
from server.recording import Recorder

Outcome = recording.Outcome[Recorded]
Reports = Recorder[Report, Recorded]
Row = tuple[Report, datetime, bool]  # a report, its corrected time, whether it is an exercise's


def collector(database: Database, wake: Callable[[int], None]) -> Reports:
    """Group commit of this process: one batch under way for each operation."""
    return Recorder("checkin", partial(record_batch, database), wake)


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
        made = {row[0].checkin_id: _recorded(row, received_at) for row in new}
        again = recording.again(reports, made)
        stored = await store.earlier(con, again) if again else {}
        if new:
            await _count(con, new, questions, received_at)
        elif stored:
            await confirm(con)
    return recording.outcomes(reports, made, stored, refused, _repeat)


async def _place(
    con: Any, reports: Sequence[Report], received_at: datetime
) -> tuple[list[Row], list[rules.Question], dict[UUID, Problem]]:
    """Corrects times, finds the alerts in question, refuses what names an unknown alert."""
    timed = [(r, corrected(r.at, r.sent_at, received_at)) for r in recording.firsts(reports)]
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


def _repeat(report: Report, first: store.Stored) -> Recorded:
    key, person = report.checkin_id, report.person_ref
    return Recorded(key, person, first.status, first.event_at, first.received_at)
