"""How people behave when an alert comes: drawn from a mix, the same for the same seed."""

import math
from collections.abc import Mapping
from random import Random

import msgspec

from .phone import Location, Status

_METRES_A_DEGREE = 111_320.0


class Delay(msgspec.Struct, frozen=True):
    """A human delay: lognormal, in seconds."""

    median_s: float
    sigma: float

    def draw(self, rng: Random) -> float:
        """One delay."""
        return self.median_s * math.exp(self.sigma * rng.gauss(0, 1))


class Behaviour(msgspec.Struct, frozen=True):
    """One kind of person.

    answer: from the push until the tap. offline: from the push until the phone finds a
    network, in which case nothing is sent before, and everything after with its true
    time. answers: chance to answer at all; reminded: the same at each reminder. push:
    whether the phone has push; without it the owner opens the app now and then.
    """

    answer: Delay
    offline: Delay | None = None
    answers: float = 1.0
    reminded: float = 0.9
    push: bool = True


BEHAVIOURS: dict[str, Behaviour] = {
    "prompt": Behaviour(Delay(40, 0.8)),
    "slow": Behaviour(Delay(420, 0.7), answers=0.95),
    "offline": Behaviour(Delay(60, 0.8), offline=Delay(900, 0.6)),
    "silent": Behaviour(Delay(600, 0.5), answers=0.0, reminded=0.3),
    "no_push": Behaviour(Delay(60, 0.8), push=False),
}
MIX: dict[str, float] = {
    "prompt": 0.56,
    "slow": 0.20,
    "offline": 0.11,
    "silent": 0.08,
    "no_push": 0.05,
}
STATUSES: dict[Status, float] = {"safe": 0.91, "need_help": 0.03, "away": 0.06}
NOTES: dict[Status, tuple[str, ...]] = {
    "safe": ("", "", "", "At home with the family.", "Tuko salama.", "Je vais bien.", "我很安全"),
    "need_help": (
        "Roadblock, cannot pass.",
        "Leg injured, second floor.",
        "نحتاج إلى مساعدة",
        "Нужна помощь, дорога закрыта.",
    ),
    "away": ("On leave.", "On mission until Friday.", "En congé."),
}
# Clocks: most follow the network, some are off by a minute, a few by an hour.
_SKEWS = ((0.80, 1.0), (0.15, 60.0), (0.05, 3600.0))


class Reaction(msgspec.Struct, frozen=True):
    """What one person does about one push; seconds are from its arrival."""

    delivered_s: float
    seen_s: float
    answer_s: float
    online_s: float
    answers: bool
    status: Status
    note: str | None


def behaviour(rng: Random, mix: Mapping[str, float] = MIX) -> Behaviour:
    """Draws one from a mix of names of BEHAVIOURS."""
    return BEHAVIOURS[rng.choices(list(mix), weights=list(mix.values()))[0]]


def skew(rng: Random) -> float:
    """How far a phone's clock is ahead, in seconds."""
    spread = rng.choices([s for _, s in _SKEWS], weights=[w for w, _ in _SKEWS])[0]
    return rng.uniform(-spread, spread)


def react(rng: Random, kind: Behaviour, reminder: bool = False) -> Reaction:
    """Draws what this person does about a push, which may be a reminder."""
    delivered = rng.uniform(0.1, 1.5)
    answer = delivered + kind.answer.draw(rng)
    status = status_of(rng)
    return Reaction(
        delivered_s=delivered,
        seen_s=delivered + (answer - delivered) * rng.uniform(0.3, 0.9),
        answer_s=answer,
        online_s=kind.offline.draw(rng) if kind.offline is not None else 0.0,
        answers=rng.random() < (kind.reminded if reminder else kind.answers),
        status=status,
        note=rng.choice(NOTES[status]) or None,
    )


def status_of(rng: Random) -> Status:
    """Draws an answer."""
    return rng.choices(list(STATUSES), weights=list(STATUSES.values()))[0]


def near(rng: Random, place: tuple[float, float], spread_m: float = 600.0) -> Location:
    """A position around a place (latitude, longitude)."""
    north, east = rng.gauss(0, spread_m), rng.gauss(0, spread_m)
    lat = place[0] + north / _METRES_A_DEGREE
    lon = place[1] + east / (_METRES_A_DEGREE * math.cos(math.radians(place[0])))
    accuracy = min(12 * math.exp(0.8 * rng.gauss(0, 1)), 500)
    return Location(round(lat, 6), round(lon, 6), round(accuracy, 1))
