"""Check-in throughput: the whole durable path against doing nothing and against one INSERT.

Three kinds of request go to one server in turn, several rounds, so that all share the
machine's minute. The figure is the median of the rounds' rates; the ratio that of medians.
"""

import random
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from loadtests.blaster import Tally, blast, post
from loadtests.harness import Bench, Figure, Stage

PEOPLE = 100_000
CONNECTIONS = 256
ROUND_S = 4.0
ROUNDS = 3


def requests(path: str, tokens: list[str]) -> Callable[[], bytes]:
    """Fresh check-ins of people drawn at random, each with its own id."""
    statuses = ("safe", "safe", "safe", "away", "need_help")
    now = datetime.now(UTC).isoformat()

    def make() -> bytes:
        status = random.choice(statuses)
        body = f'{{"id":"{uuid4()}","status":"{status}","at":"{now}","sent_at":"{now}"}}'
        return post(path, random.choice(tokens), body.encode())

    return make


async def measure(bench: Bench) -> list[Figure]:
    """checkin_vs_noop and checkin_vs_single_insert."""
    async with Stage(bench, people=PEOPLE, rollcall=True) as stage:
        rates: dict[str, list[float]] = {"noop": [], "single": [], "checkin": []}
        paths = {"noop": "/bench/noop", "single": "/bench/single", "checkin": "/v1/checkins"}
        for _ in range(ROUNDS):
            for name, path in paths.items():
                tally = await _round(stage, path)
                rates[name].append(tally.rate)
        kept, fresh = await stage.station.cells(stage.alert_id)
        if kept != fresh:
            raise AssertionError("the headcount differs from a fresh count")
    noop, single, checkin = (statistics.median(rates[n]) for n in ("noop", "single", "checkin"))
    return [
        Figure("checkin_vs_noop", checkin, "check-ins/s", noop),
        Figure("checkin_vs_single_insert", checkin, "check-ins/s", single),
    ]


async def _round(stage: Stage, path: str) -> Tally:
    make = requests(path, stage.tokens)
    tally = await blast(stage.port, make, connections=CONNECTIONS, seconds=ROUND_S)
    if set(tally.statuses) != {201}:
        raise AssertionError(f"{path} answered {dict(tally.statuses)}")
    return tally
