"""What came of a try: the state it leads to, and how it is written down, many in one go."""

from typing import Any
from uuid import UUID

import msgspec

from server.alerts.channels import Carried, Outcome
from server.alerts.deliveries.store import PUSH_KINDS, SQL
from server.db import Database, retried

UNKNOWN = "unknown: "
UNKNOWN_WAIT_S = 15.0  # a phone's receipt may still settle what the provider did not answer
LONGEST_WAIT_S = 60.0


class Claimed(msgspec.Struct, frozen=True):
    """A delivery this process holds the lease of. `send_by` is monotonic time."""

    operation_id: int
    delivery_id: UUID
    alert_id: UUID | None
    channel: str
    endpoint: str
    attempt: int
    send_by: float


class Told(msgspec.Struct, frozen=True):
    """An outcome to be written. `tried` is False where the claim is given back unused."""

    claim: Claimed
    state: str
    wait_s: float
    provider_id: str | None
    error: str | None
    dead_address: str | None = None
    tried: bool = True
    carried: Carried | None = None


def verdict(outcome: Outcome, attempt: int, again: bool, chance: float) -> tuple[str, float]:
    """The state a delivery goes to, and the seconds until it may be claimed again.

    Transient failures wait twice as long each time; an unknown outcome waits for a receipt
    and is tried once more (`again`: this was that try). `chance` (0..1) spreads the waits.
    """
    if outcome.kind == "accepted":
        return "accepted", 0.0
    if outcome.kind in ("permanent", "endpoint_dead"):
        return "failed", 0.0
    if outcome.kind == "unknown":
        return (
            ("unknown", 0.0)
            if again
            else ("queued", max(UNKNOWN_WAIT_S, outcome.retry_after or 0.0))
        )
    wait = min(2.0 ** min(attempt - 1, 10), LONGEST_WAIT_S)
    return "queued", max(wait, outcome.retry_after or 0.0) * (1 + 0.25 * chance)


@retried
async def write_outcomes(db: Database, operation_id: int, told: list[Told]) -> None:
    """One transaction: the deliveries' states, and what was learnt of their addresses."""
    rows = [
        (
            *(t.claim.delivery_id, t.claim.attempt, t.state, t.wait_s, t.provider_id, t.error),
            *(t.tried, *_carried(t.carried)),
        )
        for t in told
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    pushed = [t for t in told if t.claim.channel in PUSH_KINDS]
    accepted = [UUID(t.claim.endpoint) for t in pushed if t.state == "accepted"]
    dead = [t for t in pushed if t.dead_address is not None]
    async with db.transaction(operation_id) as con:
        await con.execute(SQL.lock_deliveries, columns[0])
        await con.execute(SQL.write_outcomes, *columns)
        if accepted:
            await con.execute(SQL.addresses_alive, sorted(accepted))
        if dead:
            devices = [UUID(t.claim.endpoint) for t in dead]
            addresses = [t.dead_address for t in dead]
            await con.execute(SQL.addresses_dead, devices, addresses, [t.error for t in dead])


def _carried(carried: Carried | None) -> tuple[Any, ...]:
    return (None,) * 4 if carried is None else msgspec.structs.astuple(carried)
