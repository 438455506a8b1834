"""The calls of scores."""

from datetime import datetime
from uuid import UUID

from server.alerts.scoring import rules, store
from server.alerts.scoring.messages import ExercisesPage, ExercisesQuery, Score
from server.db import Database
from server.errors import Forbidden, NotFound
from server.paging import page
from server.web import Call, Endpoint, Reply

EXERCISES = "/v1/exercises"


class Scores:
    """The handlers, over one database. Scores are of whole alerts, for who sees them whole."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def get(self, call: Call) -> Reply:
        """How an alert went, or is going."""
        await self._whole(call)
        async with self._db.transaction(call.me.operation_id, snapshot=True) as con:
            found = await store.score(con, call.uuid("alert_id"))
        if found is None:
            raise NotFound("There is no such alert.")
        return Reply(200, found)

    async def exercises(self, call: Call) -> Reply:
        """Exercises that have ended, with their scores."""
        await self._whole(call)
        before, alert_id = call.query.after(datetime, UUID)
        async with self._db.transaction(call.me.operation_id) as con:
            rows = await store.history(con, before, alert_id, call.query.limit + 1)
        shown = page(EXERCISES, call.query, rows, lambda r: r[:2], lambda r: r[2])
        trend = rules.trends(shown.items)
        return Reply(200, ExercisesPage(shown.items, shown.next, trend=trend))

    async def _whole(self, call: Call) -> None:
        if not (await call.auth.scope(call.me)).whole:
            raise Forbidden("Scores are of whole alerts: ask an operator of all areas.")


def endpoints(database: Database) -> list[Endpoint]:
    """The calls of this room."""
    room = Scores(database)
    return [
        Endpoint(
            "GET",
            "/v1/alerts/{alert_id}/score",
            room.get,
            "Who was reached, who answered and how fast, by node and category",
            "score.read",
            {200: Score},
        ),
        Endpoint(
            "GET",
            EXERCISES,
            room.exercises,
            "Exercises that have ended, their scores, and how each node went in them",
            "score.read",
            {200: ExercisesPage},
            query=ExercisesQuery,
        ),
    ]
