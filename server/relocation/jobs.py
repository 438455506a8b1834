"""The jobs of this room; each may run twice, for a lease can expire."""

from collections.abc import Collection
from uuid import UUID

import msgspec

from server.db import Database
from server.jobs import Handler, Job
from server.relocation import texted
from server.relocation.merging import actions as merging
from server.relocation.movements import freezing
from server.relocation.plan import overdue
from server.relocation.plan.known import Plan


class MovementJobs:
    """Handlers over one database. `served`: what text routes and the duty desk take."""

    def __init__(self, database: Database, served: Collection[str]) -> None:
        self._db = database
        self._served = served
        self._plan = Plan()

    async def list_people(self, job: Job) -> None:
        """Lists the people of a new movement."""
        await freezing.freeze(self._db, job.operation_id, UUID(job.payload["movement_id"]))

    async def overdue(self, job: Job) -> None:
        """Tells of a vehicle that is not there in time."""
        ids = (UUID(job.payload["movement_id"]), UUID(job.payload["vehicle_id"]))
        await overdue.look(self._db, job.operation_id, *ids, self._served)

    async def report_by_text(self, job: Job) -> None:
        """Records a stage that came by text."""
        told = msgspec.convert(job.payload, texted.Texted, strict=False)
        await texted.record(self._db, self._plan, job.operation_id, told)

    async def merge(self, job: Job) -> None:
        """Makes one of two records in every movement that holds the other."""
        told = job.payload
        about = (told["other_id"], told["person_id"], told["was"], told["actor"])
        await merging.follow(self._db, job.operation_id, *about)


def handlers(database: Database, served: Collection[str] = ()) -> dict[str, Handler]:
    """The kinds of job this room runs."""
    made = MovementJobs(database, served)
    return {
        "movement.list": made.list_people,
        "movement.texted": made.report_by_text,
        overdue.KIND: made.overdue,
        "movement.merge": made.merge,
    }
