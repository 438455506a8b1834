"""The end of an alert: closed, cancelled or expired, and then for good."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from server import stream
from server.alerts import rules, store
from server.alerts.deliveries.store import LEASE
from server.alerts.deliveries.store import SQL as DELIVERIES
from server.alerts.escalation.store import SQL as ESCALATION
from server.alerts.scoring import store as scores
from server.alerts.store import SQL
from server.db import Database, retried
from server.people.store import audit

SETTLE_AFTER = timedelta(seconds=60)  # two leases: no sender holds anything any more


async def end_in(
    con: Any, operation_id: int, alert_id: UUID, state: str, verb: str, actor: str
) -> bool:
    """Ends a locked alert in the caller's transaction; False if it had ended so already.

    The caller appends its event last. Raises Clash where the verb does not apply. Deliveries
    stop before reports are held off, so that reports wait for little.
    """
    after = rules.step(state, verb)
    if after == state:
        return False
    await con.execute(DELIVERIES.stop_deliveries, alert_id)
    await con.execute(ESCALATION.stop_steps, alert_id)
    await con.execute(SQL.hold_out_reports)
    await con.execute(SQL.mark_ended, alert_id, after)
    if after != "cancelled":
        await scores.keep(con, alert_id)
    now: datetime = await con.fetchval(SQL.clock)
    await store.enqueue(con, operation_id, "alert.settle", alert_id, now + SETTLE_AFTER)
    await audit(con, actor, f"alert.{verb}", str(alert_id))
    return True


@retried
async def expire(db: Database, operation_id: int, alert_id: UUID) -> None:
    """Ends an alert whose time is over by the database's clock; else leaves it."""
    async with db.transaction(operation_id) as con:
        locked = await store.lock_alert(con, alert_id)
        if locked is None or rules.ends(locked.state) or not locked.overdue:
            return
        await end_in(con, operation_id, alert_id, locked.state, "expire", "system")
        await stream.append(con, [store.alert_draft(alert_id)])


async def settle(db: Database, operation_id: int, alert_id: UUID) -> None:
    """Leaves no delivery of an ended alert half way: stopped, or honestly unknown."""
    async with db.transaction(operation_id) as con:
        await con.execute(DELIVERIES.settle_deliveries, alert_id, LEASE)
