"""Opening an alert: nothing answered meanwhile is lost, nothing is counted twice.

Three transactions, each repeatable, so a worker may die between any two statements:

1. `prepare` freezes the population, its cells and its deliveries. It takes as long as it
   takes; reports go on, and those that answer this alert are only recorded.
2. `learn` lets the planner know the new rows. Only one can at a time, in all operations: so it is
   short, and an opening goes on without it.
3. `open_prepared` holds off reports for an instant, takes in what came since the alert was
   called for (counts_from), and opens it. Reports after that find it open and count at once.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from server import log, stream
from server.alerts import audience as audiences
from server.alerts import rules, store
from server.alerts.deliveries import store as deliveries
from server.alerts.escalation import actions as escalation
from server.alerts.escalation.store import SQL as ESCALATION
from server.alerts.panics.store import SQL as PANICS
from server.alerts.store import SQL, Locked
from server.db import Database, retried
from server.errors import Unavailable

LOGGER = log.get("alerts")


@retried
async def prepare(
    db: Database,
    operation_id: int,
    alert_id: UUID,
    within: int | None,
    copy_of: UUID | None,
    texted: Sequence[str] = (),
) -> None:
    """Writes population, cells and deliveries once; a repeat finds them and does nothing.

    `texted`: the prefixes of numbers that an SMS route serves.
    """
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.hold_off_merges)
        alert = await store.lock_alert(con, alert_id)
        if alert is None or alert.state != "preparing" or alert.population > 0:
            return
        people = await _fill(con, alert_id, alert, within, copy_of)
        if people == 0:
            return
        await con.execute(SQL.insert_cells, alert_id)
        await con.execute(ESCALATION.snapshot, alert_id)
        await con.execute(ESCALATION.orphans_to_desk, alert_id)
        lane = rules.SEVERITY_LANE[alert.severity]
        first = await _first_told(con, alert_id, alert)
        await deliveries.queue(con, alert_id, (alert.severity, lane), texted, first)
        await con.execute(SQL.set_population, alert_id, people)
        cells = [list(r) for r in await con.fetch(SQL.filled_cells, alert_id)]
        drafts = [store.alert_draft(alert_id), store.headcount_draft(alert_id, cells)]
        await stream.append(con, drafts)


async def learn(db: Database, operation_id: int) -> None:
    """Has the fresh population counted by the planner, unless that must be waited for."""
    try:
        async with db.transaction(operation_id) as con:
            await con.execute(SQL.learn_shortly)
            await con.execute(SQL.learn_population)
    except (asyncpg.LockNotAvailableError, Unavailable) as error:
        LOGGER.warning("population_not_learned", kind=type(error).__name__)


async def _first_told(con: Any, alert_id: UUID, alert: Locked) -> list[int] | None:
    """Who gets it at the opening: everybody; in a cascade those whose branch nobody opens."""
    if alert.mode == "broadcast":
        return None
    return [r[0] for r in await con.fetch(ESCALATION.of_no_node, alert_id)]


async def _fill(
    con: Any, alert_id: UUID, alert: Locked, within: int | None, copy_of: UUID | None
) -> int:
    """Writes the population; how many people it is."""
    if copy_of is not None:
        done = await con.execute(SQL.copy_population, alert_id, copy_of)
    else:
        chosen = await audiences.resolve(con, alert.audience, alert.counts_from)
        args = chosen.args(alert.incident_id, within)
        done = await con.execute(SQL.insert_population, alert_id, *args)
    return int(done.rsplit(" ", 1)[1])


@retried
async def open_prepared(db: Database, operation_id: int, alert_id: UUID) -> None:
    """Opens a prepared alert, with every answer given since it was called for."""
    async with db.transaction(operation_id) as con:
        alert = await store.lock_alert(con, alert_id)
        if alert is None or alert.state != "preparing":
            return
        await con.execute(SQL.hold_out_reports)
        moved = await con.fetch(SQL.fold_meanwhile, alert_id, alert.counts_from)
        moved += await con.fetch(PANICS.count_in_alert, alert_id)
        cells = await store.move_cells(con, alert_id, _deltas(moved))
        await con.execute(SQL.mark_open, alert_id, rules.step(alert.state, "open"))
        await escalation.enqueue(con, operation_id, alert_id, rules.SEVERITY_LANE[alert.severity])
        drafts = [store.alert_draft(alert_id)]
        if cells:
            drafts.append(store.headcount_draft(alert_id, cells))
        await stream.append(con, drafts)
    LOGGER.info("alert_opened", alert=str(alert_id), population=alert.population)


def _deltas(moved: list[Any]) -> list[tuple[int, int, str, str, int]]:
    """(area, agency, category, status, delta) of people who moved between cells."""
    deltas: Counter[tuple[int, int, str, str]] = Counter()
    for area, agency, category, was, is_now, people in moved:
        deltas[(area, agency, category, was)] -= people
        deltas[(area, agency, category, is_now)] += people
    return [(*cell, delta) for cell, delta in deltas.items() if delta]
