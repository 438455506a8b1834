"""Recording reports of stages: one transaction a batch, answered when durable.

Three hops from request to durable: routes -> Recorder.submit -> record_batch.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from server import recording, stream
from server.clock import corrected
from server.db import Database, confirm, retried
from server.errors import NotFound, Problem
from server.recording import Recorder
from server.relocation import capacity, rules, store
from server.relocation.plan.known import Known, Plan
from server.relocation.rules import Conflict, Said, Standing
from server.relocation.store import Cell, Person, Placed, Recorded, Report, Thing, Who

Outcome = recording.Outcome[Recorded]
Reports = Recorder[Report, Recorded]
NO_MOVEMENT = "There is no such movement."
# In these capacities a report brings somebody into a movement who is not in it yet.
MAY_ADD = frozenset({"warden", "checker", "operator"})
ENDED = frozenset({"closed", "cancelled"})


def collector(database: Database, wake: Callable[[int], None]) -> Reports:
    """Group commit of this process: one batch under way for each operation."""
    return Recorder("stage_report", partial(record_batch, database, Plan()), wake)


@retried
async def record_batch(
    database: Database, plan: Plan, operation_id: int, reports: Sequence[Report]
) -> list[Outcome | Exception]:
    """One transaction: reports, standings, cells, counts, contradictions, events.

    One outcome a report, in order. One that names what is not there is refused alone.
    """
    async with database.transaction(operation_id, lane="report") as con:
        begun = await store.begin_reports(con, {r.movement_id for r in reports})
        return await record(con, plan, operation_id, reports, *begun)


async def record(
    con: Any,
    plan: Plan,
    operation_id: int,
    reports: Sequence[Report],
    received_at: datetime,
    states: Mapping[UUID, str],
) -> list[Outcome | Exception]:
    """The same within the caller's transaction, which has begun as a batch does and ends here."""
    unique = recording.firsts(reports)
    known = await plan.of(con, operation_id, unique)
    rows, refused = _place(unique, states, known, received_at)
    people, rows = await _people(con, rows, states, refused)
    new = await store.insert_reports(con, received_at, rows) if rows else []
    made = {row.report.report_id: _recorded(row, received_at) for row in new}
    again = recording.again(reports, made)
    stored = await store.earlier(con, again) if again else {}
    if new:
        await take_in(con, people, new, received_at)
    elif stored:
        await confirm(con)
    return recording.outcomes(reports, made, stored, refused, _repeat)


def _place(
    reports: Iterable[Report], states: Mapping[UUID, str], known: Known, received_at: datetime
) -> tuple[list[Placed], dict[UUID, Problem]]:
    """Corrects times, reads the plan, refuses what names an unknown movement, vehicle or point."""
    rows: list[Placed] = []
    refused: dict[UUID, Problem] = {}
    for report in reports:
        problem = known.refusal(report, states)
        if problem is not None:
            refused[report.report_id] = problem
            continue
        vehicle = known.vehicle(report)
        event_at = corrected(report.at, report.sent_at, received_at)
        late = states[report.movement_id] in ENDED
        said = known.said(report, vehicle, event_at)
        rows.append(Placed(report, said, vehicle.number if vehicle else None, late))
    return rows, refused


async def _people(
    con: Any,
    rows: Sequence[Placed],
    states: Mapping[UUID, str],
    refused: dict[UUID, Problem],
) -> tuple[dict[Who, Person], list[Placed]]:
    """The people the reports are about, held; and the reports that may be taken.

    Whoever is not in the movement joins it by the word of a warden, a checker or a desk; not by a
    report whose id is on record already, for it says nothing new. While it is being prepared all is
    taken and moves nobody, also who is listed by then: what came before must be read with it.
    """
    frozen = [row for row in rows if states[row.report.movement_id] != "preparing"]
    if not frozen:
        return {}, list(rows)
    people = await store.hold_standings(con, {_who(row) for row in frozen})
    strangers = [row for row in frozen if _who(row) not in people]
    if not strangers:
        return people, list(rows)
    rows, strangers = await _remaining(con, rows, strangers, people)
    known = await store.earlier(con, [row.report.report_id for row in strangers])
    strangers = [row for row in strangers if row.report.report_id not in known]
    added = {_who(row) for row in strangers if row.report.capacity in MAY_ADD}
    joined = await store.add(con, sorted(added), "reported")
    await store.move_stages(con, Counter(cell for _, cell in joined))
    people |= await store.hold_standings(con, added) if added else {}
    unknown = [row for row in strangers if _who(row) not in people]
    for row in unknown:
        refused[row.report.report_id] = NotFound(NO_MOVEMENT, code="movement_unknown")
    gone = refused.keys() | known.keys()
    return people, [row for row in rows if row.report.report_id not in gone]


async def _remaining(
    con: Any, rows: Sequence[Placed], strangers: Sequence[Placed], people: dict[Who, Person]
) -> tuple[Sequence[Placed], list[Placed]]:
    """The reports, those about a merged record as of the person who remains, whose row is held with
    the others; and those about whom no movement holds."""
    ids = list({row.report.person_id for row in strangers})
    into = dict(await con.fetch(store.SQL.remaining, ids))
    if not into:
        return rows, list(strangers)
    lost = {row.report.report_id for row in strangers}
    rows = [_as_of(row, into) if row.report.report_id in lost else row for row in rows]
    wanted = {_who(row) for row in rows if row.report.report_id in lost} - people.keys()
    people |= await store.hold_standings(con, wanted) if wanted else {}
    return rows, [r for r in rows if r.report.report_id in lost and _who(r) not in people]


def _as_of(row: Placed, into: Mapping[int, int]) -> Placed:
    person_id = into.get(row.report.person_id, row.report.person_id)
    report = msgspec.structs.replace(row.report, person_id=person_id)
    return msgspec.structs.replace(row, report=report)


def _who(row: Placed) -> Who:
    return row.report.movement_id, row.report.person_id


async def take_in(
    con: Any, people: Mapping[Who, Person], new: Iterable[Placed], received_at: datetime
) -> None:
    """Moves people by reports that were just written, and appends what changed as events."""
    saids: dict[Who, list[Said]] = defaultdict(list)
    for row in new:
        if _who(row) in people:
            saids[_who(row)].append(row.said)
    if not saids:
        return  # a movement whose people are still being listed: freezing reads them
    stepped, again = _stepped(people, saids)
    conflicts = [(*who, c) for who, (_, found) in stepped.items() for c in found]
    if again:
        folded = {w: rules.fold(r) for w, r in (await store.all_of_theirs(con, again)).items()}
        conflicts += [(*who, c) for who, (_, found) in folded.items() for c in found]
        causes = {who: saids[who][0].report_id for who in again}
        await _explain(con, causes, folded, received_at)
        stepped |= folded
    stands = {who: standing for who, (standing, _) in stepped.items()}
    drafts = await settle(con, people, stands, conflicts, received_at)
    await stream.append(con, drafts)


def _stepped(
    people: Mapping[Who, Person], saids: Mapping[Who, list[Said]]
) -> tuple[dict[Who, rules.Step], list[Who]]:
    """Whose reports are all newer than what was read of her, a step each; and the others."""
    stepped: dict[Who, rules.Step] = {}
    again: list[Who] = []
    for who, own in saids.items():
        own.sort(key=lambda said: said.key)
        standing = people[who].standing
        if not rules.follows(standing, own[0]):
            again.append(who)
            continue
        found: tuple[Conflict, ...] = ()
        for said in own:
            standing, more = rules.step(standing, said)
            found += more
        stepped[who] = standing, found
    return stepped, again


async def _explain(
    con: Any,
    causes: Mapping[Who, UUID],
    folded: Mapping[Who, rules.Step],
    received_at: datetime,
) -> None:
    """Contradictions that are gone, now that a report of earlier is known."""
    movements, persons = zip(*causes, strict=True)
    still = [c.conflict_id for _, found in folded.values() for c in found]
    args = (movements, persons, list(causes.values()), still, received_at)
    await con.execute(store.SQL.explain_conflicts, *args)


async def settle(
    con: Any,
    people: Mapping[Who, Person],
    stands: Mapping[Who, Standing],
    conflicts: Sequence[tuple[UUID, int, Conflict]],
    received_at: datetime,
) -> list[stream.Draft]:
    """Writes where people stand now with their cells, counts and contradictions, in the order of
    the locks; the events that tell of it."""
    stages: Counter[Cell] = Counter()
    counts: Counter[Thing] = Counter()
    for (movement_id, person_id), standing in stands.items():
        person = people[movement_id, person_id]
        was = person.standing
        if was.stage != standing.stage:
            cell = (movement_id, person.area_id, person.agency_id, person.category)
            stages[*cell, was.stage] -= 1
            stages[*cell, standing.stage] += 1
        if was.memory.rides != standing.memory.rides or was.point != standing.point:
            delta = store.changes(rules.counted(was), rules.counted(standing))
            counts.update({(movement_id, *thing): n for thing, n in delta.items()})
    counts = Counter({thing: n for thing, n in counts.items() if n})
    now = await store.settle(con, stands, stages, counts)
    await store.find_conflicts(con, conflicts)
    held = ((t, now.counts[t], seats) for t, seats in now.seats.items())
    full = [t[:2] for t, n, seats in held if max(n, n - counts[t]) > seats]
    await capacity.check(con, full, received_at)
    movements = sorted({movement_id for movement_id, _ in stands})
    return [_draft(movement_id, now.cells, now.counts) for movement_id in movements]


def _draft(
    movement_id: UUID, cells: Iterable[tuple[Any, ...]], moved: Iterable[Thing]
) -> stream.Draft:
    own = [c[1:] for c in cells if c[0] == movement_id]
    things = sorted({c[1] for c in moved if c[0] == movement_id})
    return store.draft(movement_id, own, things, reported=True)


def _recorded(row: Placed, received_at: datetime) -> Recorded:
    report = row.report
    return Recorded(
        id=report.report_id,
        person=report.person_ref,
        stage=report.stage,
        vehicle_no=row.number,
        event_at=row.said.event_at,
        received_at=received_at,
        late=row.late,
    )


def _repeat(report: Report, first: store.Stored) -> Recorded:
    return Recorded(
        id=report.report_id,
        person=report.person_ref,
        stage=first.stage,
        vehicle_no=first.number,
        event_at=first.event_at,
        received_at=first.received_at,
        late=first.late,
    )
