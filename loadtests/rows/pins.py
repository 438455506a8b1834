"""Whether the time of an answer tells a duress PIN from the normal one: at cancel, and at verify.

Samples of both come in random order, each of another person, over HTTP against a whole server,
whose worker raises the silent panics meanwhile. Beside the ratio of medians each row says how far
the two distributions are apart (Kolmogorov-Smirnov, the largest distance D of the two): who knows
both and sees one answer guesses right in (1 + D) / 2 of all cases, and in as many as the second
figure says where there is nothing to be seen and D is chance alone.
"""

import math
import random
import statistics
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

from loadtests.harness import Bench, Figure
from loadtests.panicking import Scene, scene
from tests.promises.crowd import Phone

SAMPLES = 100  # of each PIN
FEWEST = 10  # also where a machine is so busy that the time is up before
PINS = {"normal": "2468", "duress": "9731"}
LONGEST_S = 22.0
_TO_ALL = """
    INSERT INTO person_pin (operation_id, person_id, pin_hash, duress_hash, set_by)
    SELECT p.operation_id, p.person_id, k.pin_hash, k.duress_hash, 'bench'
    FROM person p, person_pin k
    ON CONFLICT DO NOTHING
"""
Took = dict[str, list[float]]
Ask = Callable[[Scene, Phone, str], Awaitable[float]]


async def measure(bench: Bench) -> list[Figure]:
    """pin_duress_vs_normal at cancel, pin_duress_vs_normal_verify."""
    async with scene(bench, 4 * SAMPLES + 20) as here:
        both = {"pin": PINS["normal"], "duress_pin": PINS["duress"]}
        await here.call("PUT", "/v1/self/pin", here.phones[0].token, both)
        await here.fetch(_TO_ALL)
        phones = iter(here.phones)
        cancel = await _in_turns(here, phones, _cancel)
        verify = await _in_turns(here, phones, _verify)
    return [
        _figure("pin_duress_vs_normal", cancel),
        _figure("pin_duress_vs_normal_verify", verify),
    ]


async def _in_turns(here: Scene, phones: Iterator[Phone], ask: Ask) -> Took:
    """What both PINs took, in ms."""
    for pin in PINS.values():
        await ask(here, next(phones), pin)  # the first of all pays for what follows
    took: Took = {name: [] for name in PINS}
    end = time.perf_counter() + LONGEST_S
    for n in range(SAMPLES):
        if n >= FEWEST and time.perf_counter() > end:
            break
        for name in random.sample([*PINS], len(PINS)):
            took[name].append(await ask(here, next(phones), PINS[name]))
    return took


async def _cancel(here: Scene, phone: Phone, pin: str) -> float:
    """Takes a panic back that has just been raised; ms."""
    panic_id = str(uuid4())
    body = {"id": panic_id, "at": datetime.now(UTC).isoformat()}
    await here.post("/v1/panics", phone.token, body)
    return await _timed(here, f"/v1/panics/{panic_id}/cancel", phone, pin)


async def _verify(here: Scene, phone: Phone, pin: str) -> float:
    return await _timed(here, "/v1/self/pin/verify", phone, pin)


async def _timed(here: Scene, path: str, phone: Phone, pin: str) -> float:
    started = time.perf_counter()
    status, answer = await here.post(path, phone.token, {"pin": pin})
    took = (time.perf_counter() - started) * 1000
    if status >= 300:
        raise AssertionError(f"{path} was answered with {status} {answer}")
    return took


def _figure(name: str, took: Took) -> Figure:
    normal, duress = took["normal"], took["duress"]
    apart, chance = distance(normal, duress), by_chance(len(normal), len(duress))
    tails = _p90(duress) / _p90(normal)
    note = (
        f"p90 ratio {tails:.2f}; D {apart:.2f} of {len(normal)} and {len(duress)}: one answer is"
        f" guessed right in {50 + 50 * apart:.0f} %, from nothing in {50 + 50 * chance:.0f} %"
    )
    return Figure(name, statistics.median(duress), "ms", statistics.median(normal), note)


def _p90(took: list[float]) -> float:
    return statistics.quantiles(took, n=10)[8]


def distance(one: list[float], other: list[float]) -> float:
    """The two-sample Kolmogorov-Smirnov statistic: the largest distance of the two shares."""
    a, b = sorted(one), sorted(other)
    return max(abs(bisect_right(a, x) / len(a) - bisect_right(b, x) / len(b)) for x in (*a, *b))


def by_chance(one: int, other: int, share: float = 0.05) -> float:
    """What the statistic exceeds in that share of cases where both come from one distribution."""
    return math.sqrt(-math.log(share / 2) / 2 * (one + other) / (one * other))
