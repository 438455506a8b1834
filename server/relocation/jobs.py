"""The jobs of this room; each may run twice, for a lease can expire."""

from uuid import UUID

from server.db import Database
from server.jobs import Handler, Job
from server.relocation.movements import freezing


class MovementJobs:
    """Handlers over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def list_people(self, job: Job) -> None:
        """Lists the people of a new movement."""
        await freezing.freeze(self._db, job.operation_id, UUID(job.payload["movement_id"]))


def handlers(database: Database) -> dict[str, Handler]:
    """The kinds of job this room runs."""
    return {"movement.list": MovementJobs(database).list_people}
