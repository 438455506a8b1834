"""The worker process, composed: jobs, deliveries, housekeeping."""

from functools import partial

import server.alerts.jobs
from server import hub
from server.alerts import sender
from server.config import Settings
from server.db import Database
from server.jobs import Runner
from server.supervise import Supervisor, every, forever, stop_on_signals

IDLE_S = 0.1
RUNNERS = 3  # jobs at once: a large opening must not hold up another one
TRIM_S = 3600.0


async def run_worker(settings: Settings, dsn: str) -> bool:
    """Works until a signal; True if the end was orderly. Claims stop first."""
    supervisor = Supervisor()
    stop_on_signals(supervisor)
    database = Database(dsn, settings.pool_size)
    await database.open()
    runner = Runner(database, server.alerts.jobs.handlers(database))
    push = await sender.open_sender(database, settings)
    names = [f"jobs {n}" for n in range(RUNNERS)]
    supervisor.on_stop("stop claiming", push.stop_claiming, 1)
    supervisor.on_stop("give back jobs", partial(supervisor.end, *names), 3)
    supervisor.on_stop("finish what was claimed", push.finish, 6)
    supervisor.on_stop("close pools", database.close, 4)
    for name in names:
        supervisor.run(name, forever(name, runner.turn, IDLE_S))
    supervisor.run("deliveries", push.run())
    supervisor.run("trim events", every("trim events", TRIM_S, partial(hub.trim_events, database)))
    return await supervisor.until_stopped()
