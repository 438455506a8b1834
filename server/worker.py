"""The worker process, composed: jobs, deliveries, housekeeping."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import server.alerts.jobs
import server.relocation.jobs
from server import hub
from server.alerts import sender, sweeping
from server.alerts.deliveries.store import stop_late
from server.alerts.health.alarms import EVERY_S as ALARMS_S
from server.alerts.health.alarms import Alarms
from server.alerts.health.meter import Meter
from server.alerts.health.pulse import EVERY_S as PULSE_S
from server.alerts.health.pulse import Pulse
from server.checkin.satellite import understanding as satellites
from server.checkin.satellite.actions import READ
from server.checkin.sms.store import drop_old_codes
from server.checkin.sms.understanding import Understanding
from server.checkin.watches.looker import CURFEWS_S, DARK_S, Looker
from server.config import Settings
from server.db import Database
from server.jobs import Handler, Runner
from server.mailing import served
from server.people.places import expiring
from server.supervise import Supervisor, every, forever, settled, stop_on_signals
from server.texting import numbers, sms_routes
from server.vault import open_vault

IDLE_S = 0.1
RUNNERS = 3  # jobs at once: a large opening must not hold up another one
TRIM_S = 3600.0
LATE_S = 60.0


async def run_worker(settings: Settings, dsn: str) -> bool:
    """Works until a signal; True if the end was orderly. Claims stop first."""
    supervisor = Supervisor()
    stop_on_signals(supervisor)
    database = Database(dsn, settings.pool_size)
    await database.open()
    routes = sms_routes(settings)
    vault = open_vault(settings)
    handlers = {
        **server.alerts.jobs.handlers(database, served(settings)),
        **satellites.handlers(database, vault),
        **server.relocation.jobs.handlers(database, served(settings)),
    }
    texts = Understanding(database, vault, numbers(routes))
    meter = Meter()
    senders = await sender.open_senders(database, settings, meter)
    pulse = Pulse(database, [s.channel for s in senders], meter)
    looker = Looker(database, served(settings))
    turns = [*claiming(database, handlers), ("texts in", texts.turn), ("watches", looker.turn)]
    supervisor.on_stop("stop claiming", partial(_each, [s.stop_claiming for s in senders]), 1)
    supervisor.on_stop("give back jobs", partial(supervisor.end, *dict(turns)), 3)
    supervisor.on_stop("finish what was claimed", partial(_each, [s.finish for s in senders]), 6)
    supervisor.on_stop("close pools", database.close, 4)
    for name, turn in turns:
        supervisor.run(name, forever(name, turn, IDLE_S))
    for own in senders:
        supervisor.run(f"deliveries by {own.channel.name}", own.run())
    codes = every("drop old codes", TRIM_S, partial(drop_old_codes, database))
    supervisor.run("drop old codes", codes)
    supervisor.run("curfews", every("curfews", CURFEWS_S, looker.curfews))
    supervisor.run("dark phones", every("dark phones", DARK_S, looker.dark))
    late = every("stop late replies", LATE_S, partial(stop_late, database))
    supervisor.run("stop late replies", late)
    sweeper = every("sweep alerts", sweeping.EVERY_S, partial(sweeping.sweep, database))
    supervisor.run("sweep alerts", sweeper)
    places = every("expire places", expiring.EVERY_S, partial(expiring.expire, database))
    supervisor.run("expire places", places)
    supervisor.run("sign of life", every("sign of life", PULSE_S, pulse.beat))
    alarms = Alarms(database, settings.duty_urls is not None)
    supervisor.run("alarms", every("alarms", ALARMS_S, alarms.look))
    supervisor.run("trim events", every("trim events", TRIM_S, partial(hub.trim_events, database)))
    settled()
    return await supervisor.until_stopped()


def claiming(
    database: Database, handlers: dict[str, Handler]
) -> list[tuple[str, Callable[[], Awaitable[bool]]]]:
    """Whatever claims jobs: some take all kinds, and one calls for help alone, so that they wait
    for no opening, however many are under way."""
    runner = Runner(database, handlers)
    calls = {k: h for k, h in handlers.items() if k.startswith("panic.") or k == READ}
    turns = [(f"jobs {n}", runner.turn) for n in range(RUNNERS)]
    return [*turns, ("calls for help", Runner(database, calls).turn)]


async def _each(steps: list[Callable[[], Awaitable[None]]]) -> None:
    await asyncio.gather(*(step() for step in steps))
