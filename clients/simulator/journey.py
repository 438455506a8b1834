"""The story of a relocation: who says what of whom, when it was, and through whom it comes. Pure.

Times are seconds of the story. Six vehicles drive from the gate to the airfield, six flights go on
to the haven. Most goes well; some do not, so that a desk has something to find out (`Cast`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random

import msgspec

FIRST, SECOND = range(1, 7), range(7, 13)
LASTS_S = 640.0
BEGINS_S, APART_S, LOADS_S, DRIVES_S, FLIES_S = 130.0, 25.0, 20.0, 90.0, 125.0
LATE, LATE_S = 5, 70.0  # the vehicle that is held up on the road
TURNS_S = 25.0  # between an arrival and the boarding of the next leg
GATHERS = (65.0, 110.0)
COPIED_S = (20.0, 45.0)  # a code is shown at the gate, and a picture of it at the airfield
FOUND_S = 470.0  # who got off on the way is heard of again
HELD = 0.1  # of what a checker saw, this much stays in her phone until its last upload
BY_RADIO = 3  # each so many-th who has no code to show is called through by radio

GONE = "Got off at the hospital with her mother; the driver told us."
SHELTER = "The road is blocked: they shelter at home."
STAYS = "Keeps the radio room."


class Mover(msgspec.Struct, frozen=True):
    """One of the movement. `phone`: of whom of her household says what she does, if anybody has
    one; `warden`: whose phone says it otherwise. `code`: whether she has one to show. `rides`: the
    numbers of her vehicle and of her flight."""

    ref: str
    household: str
    phone: str | None
    warden: str | None
    code: bool
    rides: tuple[int, int]


class Cast(msgspec.Struct, frozen=True):
    """Who does not go the way of all. split: rides apart from her household. lost: boards and does
    not arrive. doubled: the radio names her on a second vehicle. copied: her code is shown at two
    places. unboarded: nobody saw her board. misread: is read off a flight she was not on, and
    nobody says more. shelters: a household that cannot get through. spare: the vehicle with most
    room."""

    split: str | None = None
    lost: str | None = None
    doubled: str | None = None
    copied: str | None = None
    unboarded: str | None = None
    misread: str | None = None
    shelters: str | None = None
    spare: int = FIRST[-1]


class Word(msgspec.Struct, frozen=True):
    """One report. `by`: phone:REF, checker:NAME or desk. `shown`: she shows her code. `held`: it
    goes out with the last upload only."""

    by: str
    at: float
    ref: str
    stage: str
    vehicle: int | None = None
    point: str | None = None
    reason: str | None = None
    shown: bool = False
    held: bool = False


# When each checker's phone finds a network. The gate's second has none while vehicles leave, the
# haven's has one now and then.
UPLOADS: dict[str, list[float]] = {
    "gate-1": [80.0 + 15 * n for n in range(14)],
    "gate-2": [80.0, 95.0, 110.0, 125.0, 300.0, 345.0],
    "airfield": [50.0 + 15 * n for n in range(30)],
    "haven": [470.0, 530.0, 590.0, LASTS_S],
}


def boards(number: int) -> float:
    """When the boarding of a vehicle of the first leg begins."""
    return BEGINS_S + APART_S * (number - 1)


def arrives(number: int) -> float:
    """When it is at the airfield."""
    return boards(number) + LOADS_S + DRIVES_S + (LATE_S if number == LATE else 0.0)


def flights(movers: Iterable[Mover]) -> dict[int, float]:
    """When the boarding of each flight begins: once all who ride it have come."""
    last = {number: arrives(number - len(FIRST)) for number in SECOND}
    for mover in movers:
        first, second = mover.rides
        last[second] = max(last[second], arrives(first))
    return {number: at + TURNS_S for number, at in last.items()}


def lands(boarding: float) -> float:
    """When a flight is at the haven."""
    return boarding + LOADS_S + FLIES_S


def cast(movers: Sequence[Mover], spare: int) -> Cast:
    """Chooses, as far as there are people to choose from; each is of another household."""
    homes: dict[str, list[Mover]] = defaultdict(list)
    for mover in movers:
        homes[mover.household].append(mover)
    taken: set[str] = set()

    def one(size: int, most: int, *, last: bool = False, after: float = 0.0) -> Mover | None:
        fits = [
            own[-1]
            for key, own in homes.items()
            if key not in taken and size <= len(own) <= most and boards(own[0].rides[0]) > after
        ]
        fits = [m for m in fits if m.rides[0] != spare]
        fits = [m for m in fits if m.code and m.rides[0] != LATE] or fits
        if not fits:
            return None
        chosen = (max if last else min)(fits, key=lambda m: (m.rides, m.ref))
        taken.add(chosen.household)
        return chosen

    split = one(2, 9, last=True)
    sheltering = one(2, 9, last=True)
    copied, lost = one(1, 9, after=COPIED_S[1] + 125), one(1, 1)
    doubled, unboarded, misread = one(1, 9), one(1, 9), one(1, 1)
    named = {"split": split, "copied": copied, "lost": lost, "doubled": doubled,
             "unboarded": unboarded, "misread": misread}  # fmt: skip
    refs = {role: mover.ref if mover else None for role, mover in named.items()}
    return Cast(shelters=sheltering.household if sheltering else None, spare=spare, **refs)


def words(movers: Sequence[Mover], roles: Cast, seed: int) -> list[Word]:
    """All that is said, by when it was."""
    movers = apart(movers, roles)
    own = flights(movers)
    said = [word for m in movers for word in _life(m, roles, own, Random(f"{seed}:{m.household}"))]
    return sorted(_by_radio(said), key=lambda word: word.at)


def apart(movers: Iterable[Mover], roles: Cast) -> list[Mover]:
    """The same people, one of a household on another vehicle."""
    rides = {m.ref: (roles.spare, m.rides[1]) for m in movers if m.ref == roles.split}
    return [msgspec.structs.replace(m, rides=rides.get(m.ref, m.rides)) for m in movers]


def _by_radio(said: Iterable[Word]) -> Iterator[Word]:
    """Some who have no code are called through to the desk."""
    nth = 0
    for word in said:
        if word.stage == "boarded" and word.by.startswith("checker") and not word.shown:
            nth += 1
            if nth % BY_RADIO == 0:
                yield msgspec.structs.replace(word, by="desk", held=False)
                continue
        yield word


def _life(m: Mover, roles: Cast, own: Mapping[int, float], home: Random) -> Iterator[Word]:
    """One person's way. `home` draws the same for all of her household."""
    told, ready, gathered = home.uniform(5, 25), home.uniform(30, 60), home.uniform(*GATHERS)
    asks = home.random() < 0.5
    alone = Random(m.ref)
    if m.phone:
        yield Word(f"phone:{m.phone}", told, m.ref, "notified")
        yield Word(f"phone:{m.phone}", ready, m.ref, "ready")
    elif m.warden:
        yield Word(f"phone:{m.warden}", ready, m.ref, "ready")
    if m.household == roles.shelters:
        by = f"phone:{m.phone}" if m.phone else "desk"
        yield Word(by, 90.0, m.ref, "hibernating", reason=SHELTER)
        return
    yield from _to_the_airfield(m, roles, gathered, asks, alone)
    if m.ref == roles.lost:
        yield Word("desk", FOUND_S, m.ref, "staying", reason=GONE)
        return
    yield from _to_the_haven(m, roles, own[m.rides[1]], alone)


def _to_the_airfield(
    m: Mover, roles: Cast, gathered: float, asks: bool, alone: Random
) -> Iterator[Word]:
    """The gathering and the first leg."""
    number = m.rides[0]
    gate = "checker:gate-1" if number <= FIRST[2] else "checker:gate-2"
    if m.ref == roles.copied:
        for by, at, point in zip((gate, "checker:airfield"), COPIED_S, ("GATE", "AIRFIELD"),
                                 strict=True):  # fmt: skip
            yield Word(by, at, m.ref, "at_point", point=point, shown=m.code)
    elif m.phone and asks:
        yield Word(f"phone:{m.phone}", gathered, m.ref, "at_point", point="GATE")
    else:
        yield Word(gate, gathered, m.ref, "at_point", point="GATE", shown=m.code)
    seen = boards(number) + alone.uniform(0, 15)
    if m.ref != roles.unboarded:
        held = alone.random() < HELD
        yield Word(gate, seen, m.ref, "boarded", number, shown=m.code, held=held)
    if m.ref == roles.doubled:
        yield Word("desk", seen + 3, m.ref, "boarded", roles.spare)
    if m.ref != roles.lost:
        at = arrives(number) + alone.uniform(0, 15)
        yield Word("checker:airfield", at, m.ref, "arrived", number, shown=m.code)


def _to_the_haven(m: Mover, roles: Cast, boarding: float, alone: Random) -> Iterator[Word]:
    """The second leg, and a bed at its end."""
    number = m.rides[1]
    at = boarding + alone.uniform(0, 10)
    yield Word("checker:airfield", at, m.ref, "boarded", number, shown=m.code)
    landed = lands(boarding) + alone.uniform(0, 15)
    if m.ref == roles.misread:
        other = next(n for n in SECOND if n != number)
        yield Word("checker:haven", landed, m.ref, "arrived", other)
        return
    yield Word("checker:haven", landed, m.ref, "arrived", number, shown=m.code)
    by = f"phone:{m.phone}" if m.phone else "checker:haven"
    yield Word(by, landed + alone.uniform(10, 35), m.ref, "accommodated", point="HAVEN")
