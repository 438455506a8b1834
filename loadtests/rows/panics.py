"""Promises 4 and 11: from a press over HTTP to its event on a console's stream.

Idle; while 2,000 check-ins a second come and an alert to 50,000 goes out; the same with a database
whose every commit takes 10 ms longer; while one phone presses 1,000 times a second and somebody
guesses sign-in codes.
"""

import asyncio
import statistics
from typing import Any
from uuid import uuid4

from loadtests.floods import Flood, Flooding, flooding
from loadtests.harness import Bench, Figure
from loadtests.panicking import Scene, Watch, scene, watch

PEOPLE = 50_000
IDLE = 100
WARM = 10
PRESSES_PER_S = 10.0
LOADED_S = 20.0
CHECKINS_PER_S = 2_000.0
FLOOD_PER_S = 1_000.0
LOGINS_PER_S = 200.0
FLOODED_S = 15.0
COMMITS_MS = 10
ROLLCALL: dict[str, Any] = {
    "kind": "rollcall",
    "severity": "urgent",
    "audience": {"all": True},
    "title": "Bench",
    "body": "Bench",
    "exercise": False,
}
_SENT = "SELECT count(*) FILTER (WHERE state = 'accepted'), count(*) FROM delivery WHERE lane > 0"


async def measure(bench: Bench) -> list[Figure]:
    """panic_p50_idle_ms, panic_p99_idle_ms, panic_p99_loaded_ms."""
    async with scene(bench, PEOPLE) as here, watch(here) as console:
        idle = await _idle(console)
        loaded, note = await _loaded(here, console)
    worst = max(idle)
    return [
        Figure("panic_p50_idle_ms", statistics.median(idle), "ms"),
        Figure("panic_p99_idle_ms", p99(idle), "ms", note=f"worst {worst:.0f} ms of {IDLE}"),
        Figure("panic_p99_loaded_ms", p99(loaded), "ms", p99(idle), note),
    ]


async def slow_commits(bench: Bench) -> list[Figure]:
    """panic_p99_slow_commits_ms."""
    async with scene(bench, PEOPLE, commits_ms=COMMITS_MS) as here, watch(here) as console:
        idle = await _idle(console)
        loaded, note = await _loaded(here, console)
    return [Figure("panic_p99_slow_commits_ms", p99(loaded), "ms", p99(idle), note)]


async def flooded(bench: Bench) -> list[Figure]:
    """panic_p99_flooded_ms."""
    async with scene(bench, 2_000) as here, watch(here) as console:
        idle = await _idle(console)
        [one] = here.phones[-1:]
        presses = Flood("press", FLOOD_PER_S, 64, [one.token])
        async with flooding(here.port, presses, Flood("login", LOGINS_PER_S, 8)) as floods:
            over = _over_after(FLOODED_S)
            took = await console.steadily(here.phones[IDLE + WARM : -1], PRESSES_PER_S, over)
        [[panics]] = await here.fetch("SELECT count(*) FROM panic WHERE presses > 1")
    flood, logins = floods.of("press"), floods.of("login")
    if set(flood.statuses) - {"200", "201"} or panics != 1:
        raise AssertionError(f"{flood.statuses}, {panics} panics of the phone that is pressed")
    note = f"{_told(took)}; {flood.rate:,.0f} presses/s, {logins.rate:,.0f} sign-ins/s"
    return [Figure("panic_p99_flooded_ms", p99(took), "ms", p99(idle), note)]


def p99(took: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(took, n=100, method="inclusive")[98]


async def _idle(console: Watch) -> list[float]:
    await console.in_turn(console.scene.phones[:WARM])
    return await console.in_turn(console.scene.phones[WARM : WARM + IDLE])


async def _loaded(here: Scene, console: Watch) -> tuple[list[float], str]:
    """What panics take under load, and what the load was."""
    pressers, others = here.phones[WARM + IDLE : 1000], here.phones[1000:]
    checkins = Flood("checkin", CHECKINS_PER_S, 128, [p.token for p in others])
    async with flooding(here.port, checkins) as floods:
        await asyncio.sleep(2)
        status, answer = await here.post("/v1/alerts", here.desk, {"id": str(uuid4()), **ROLLCALL})
        if status != 201:
            raise AssertionError(f"the alert was answered with {status} {answer}")
        over = _over_after(LOADED_S)
        took = await console.steadily(pressers, PRESSES_PER_S, over)
        [[sent, queued]] = await here.fetch(_SENT)
    return took, f"{_told(took)}; {_load(floods, sent, queued)}"


def _load(floods: Flooding, sent: int, queued: int) -> str:
    checkins = floods.of("checkin")
    if set(checkins.statuses) != {"201"}:
        raise AssertionError(f"check-ins were answered with {checkins.statuses}")
    pushes = f"{sent:,} of {queued:,} pushes in {LOADED_S:.0f} s"
    return f"{checkins.rate:,.0f} check-ins/s, {pushes}"


def _told(took: list[float]) -> str:
    return f"worst {max(took):.0f} ms of {len(took)}"


def _over_after(seconds: float) -> asyncio.Event:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    return over
