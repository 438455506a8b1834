"""The jobs of this room: opening, expiry, and settling what was left half way."""

from collections.abc import Sequence
from uuid import UUID

from server.alerts import ending, opening
from server.alerts.escalation import actions as escalation
from server.alerts.members import merging
from server.alerts.panics import jobs as panics
from server.db import Database
from server.jobs import Handler, Job


class AlertJobs:
    """Handlers over one database; each may run twice, for a lease can expire."""

    def __init__(self, database: Database, texted: Sequence[str]) -> None:
        self._db = database
        self._texted = texted

    async def prepare(self, job: Job) -> None:
        """Freezes the population of an alert and opens it."""
        alert_id = UUID(job.payload["alert_id"])
        copied = job.payload.get("copy_of")
        copy_of = None if copied is None else UUID(copied)
        within = job.payload.get("within")
        await opening.prepare(self._db, job.operation_id, alert_id, within, copy_of, self._texted)
        await opening.learn(self._db, job.operation_id)
        await opening.open_prepared(self._db, job.operation_id, alert_id)

    async def expire(self, job: Job) -> None:
        """Ends an alert at its time."""
        await ending.expire(self._db, job.operation_id, UUID(job.payload["alert_id"]))

    async def settle(self, job: Job) -> None:
        """Leaves no delivery of an ended alert half way."""
        await ending.settle(self._db, job.operation_id, UUID(job.payload["alert_id"]))

    async def escalate(self, job: Job) -> None:
        """Takes the steps of an alert that are due."""
        alert_id = UUID(job.payload["alert_id"])
        await escalation.turn(self._db, job.operation_id, alert_id, self._texted)

    async def refold(self, job: Job) -> None:
        """Reads the answers of a merged person again, when no old name is in use any more."""
        await merging.refold(self._db, job.operation_id, int(job.payload["person_id"]))


def handlers(database: Database, texted: Sequence[str] = ()) -> dict[str, Handler]:
    """The kinds of job this room runs. `texted`: prefixes of numbers an SMS route serves."""
    own = AlertJobs(database, texted)
    return {
        "alert.prepare": own.prepare,
        "alert.expire": own.expire,
        "alert.settle": own.settle,
        "alert.escalate": own.escalate,
        "person.refold": own.refold,
        **panics.handlers(database, texted),
    }
