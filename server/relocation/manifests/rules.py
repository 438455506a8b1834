"""Who gets which seat of a leg, and who waits for what: by rules an operator sees and may override.

Pure: the same people, vehicles and wishes give the same seats.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

import msgspec

Need = Literal["medical", "ready", "zone"]
ORDER: tuple[Need, ...] = (
    "medical",
    "ready",
    "zone",
)  # what goes first, unless the operator says otherwise
READY = frozenset({"ready", "at_point", "boarded"})
# Many borders want papers that are good for half a year yet.
SOON = timedelta(days=183)
_LAST = 1 << 30
_ENCODER = msgspec.json.Encoder()


class Rider(msgspec.Struct, frozen=True):
    """Somebody who is to ride a leg. `zone`: her rank among zones; `sits`: the vehicle of this
    leg where she has a seat."""

    person_id: int
    household_id: int
    medical: bool = False
    ready: bool = False
    zone: tuple[int, str] = (_LAST, "")
    sits: UUID | None = None


class Vehicle(msgspec.Struct, frozen=True):
    """A vehicle of the leg. `open`: seats may be given by rule: it is neither sealed, withdrawn
    nor gone. `taken`: seats that are given, and people aboard who have none."""

    vehicle_id: UUID
    number: int
    seats: int
    taken: int
    open: bool = True


class Wait(msgspec.Struct, frozen=True):
    """Who has no seat, and why; `number` of the vehicle her household rides."""

    person_id: int
    reason: str
    number: int | None = None


class Filled(msgspec.Struct, frozen=True):
    """Seats to give (person, vehicle), in the order they are given; and who waits."""

    placed: tuple[tuple[int, UUID], ...]
    waiting: tuple[Wait, ...]

    def mark(self) -> str:
        """What two outcomes share exactly when they are the same."""
        said = _ENCODER.encode([self.placed, self.waiting])
        return hashlib.sha256(said).hexdigest()[:32]


def fill(
    riders: Iterable[Rider],
    vehicles: Sequence[Vehicle],
    order: Sequence[str] = ORDER,
    split: Collection[int] = (),
) -> Filled:
    """Gives free seats, household by household, in this order of needs; each into the first
    vehicle that holds all of it. `split`: households that may ride apart.

    A household for which there is no room lets later, smaller ones pass: an empty seat helps
    nobody.
    """
    homes: dict[int, list[Rider]] = defaultdict(list)
    for rider in sorted(riders, key=lambda r: r.person_id):
        homes[rider.household_id].append(rider)
    rooms = _Rooms(vehicles)
    placed: list[tuple[int, UUID]] = []
    waiting: list[Wait] = []
    for home in sorted(homes.values(), key=lambda own: _turn(own, order)):
        given, waits = _seat(home, rooms, home[0].household_id in split)
        placed += given
        waiting += waits
        rooms.take(given)
    return Filled(tuple(placed), tuple(waiting))


class _Rooms:
    """The vehicles while they fill: `open` by number, and what is `free` in each of these.

    Room only shrinks, so the first vehicle that holds so many never comes before the one that did
    last: all households together pass each vehicle once for each size.
    """

    def __init__(self, vehicles: Iterable[Vehicle]) -> None:
        self.known = {v.vehicle_id: v for v in vehicles}
        self.open = sorted((v for v in self.known.values() if v.open), key=lambda v: v.number)
        self.free = {v.vehicle_id: max(0, v.seats - v.taken) for v in self.open}
        self.left = sum(self.free.values())
        self.largest = max((v.seats for v in self.open), default=0)
        self._from: dict[int, int] = defaultdict(int)

    def first(self, size: int) -> UUID | None:
        """The first vehicle that holds so many."""
        n = self._from[size]
        while n < len(self.open) and self.free[self.open[n].vehicle_id] < size:
            n += 1
        self._from[size] = n
        return self.open[n].vehicle_id if n < len(self.open) else None

    def take(self, given: Sequence[tuple[int, UUID]]) -> None:
        """These seats are free no more."""
        self.left -= len(given)
        for _, vehicle_id in given:
            self.free[vehicle_id] -= 1


def _turn(home: Sequence[Rider], order: Sequence[str]) -> tuple[object, ...]:
    """When a household has its turn. One member's medical need is the household's; it is ready
    when all who still need a seat are."""
    ranks: dict[str, object] = {
        "medical": not any(r.medical for r in home),
        "ready": not all(r.ready for r in home if r.sits is None),
        "zone": min(r.zone for r in home),
    }
    return (*(ranks[need] for need in order), home[0].household_id)


def _seat(
    home: Sequence[Rider], rooms: _Rooms, apart: bool
) -> tuple[list[tuple[int, UUID]], list[Wait]]:
    """Seats of one household's members who have none, or why they wait."""
    due = [r.person_id for r in home if r.sits is None]
    if not due:
        return [], []
    if apart:
        return _scatter(due, rooms)
    sits = {r.sits for r in home if r.sits is not None}
    fits = _theirs(sits, len(due), rooms) if sits else rooms.first(len(due))
    if fits is not None:
        return [(person_id, fits) for person_id in due], []
    wait = _joining(sits, rooms) if sits else (_alone(len(due), rooms), None)
    return [], [Wait(person_id, *wait) for person_id in due]


def _theirs(sits: Collection[UUID], size: int, rooms: _Rooms) -> UUID | None:
    """The one vehicle where others of a household sit, if it is open and holds so many more."""
    vehicle_id, *more = sits
    return vehicle_id if not more and rooms.free.get(vehicle_id, 0) >= size else None


def _scatter(due: Sequence[int], rooms: _Rooms) -> tuple[list[tuple[int, UUID]], list[Wait]]:
    """Over as few vehicles as hold them; who finds no seat waits."""
    free = rooms.free
    roomy = sorted(rooms.open, key=lambda v: -free[v.vehicle_id])
    snug = [v for v in reversed(roomy) if free[v.vehicle_id] >= len(due)]
    seats = [v.vehicle_id for v in snug[:1] or roomy for _ in range(free[v.vehicle_id])]
    placed = list(zip(due, seats, strict=False))
    reason = "full" if roomy else "no_vehicle"
    return placed, [Wait(person_id, reason) for person_id in due[len(placed) :]]


def _joining(sits: Collection[UUID], rooms: _Rooms) -> tuple[str, int | None]:
    """Why the rest of a household cannot join those of it who have seats."""
    own = [rooms.known[v] for v in sits if v in rooms.known]
    if len(own) != 1:
        return "household_apart", None
    return ("household_vehicle_full" if own[0].open else "household_vehicle_closed"), own[0].number


def _alone(size: int, rooms: _Rooms) -> str:
    """Why a household none of which has a seat gets none."""
    if not rooms.open:
        return "no_vehicle"
    if size > rooms.largest:
        return "larger_than_vehicle"
    return "no_seats_together" if rooms.left >= size else "full"


def torn(sits: Mapping[int, UUID | None], split: bool) -> bool:
    """Whether a household, person -> vehicle or None, rides apart though nobody said it may."""
    return not split and len(set(sits.values())) > 1


def numbers(taken: Collection[int], seats: int, count: int) -> list[int]:
    """The lowest free seat numbers; fewer than asked where the vehicle has no more."""
    return [n for n in range(1, seats + 1) if n not in taken][:count]


def papers(held: bool | None, expires_on: date | None, crossing: date) -> str:
    """What is to be said of somebody's papers on the day of the crossing. Nothing said is
    unknown, and papers without a date of expiry are not known to be good for longer."""
    if held is None:
        return "unknown"
    if not held:
        return "missing"
    if expires_on is None:
        return "undated"
    if expires_on < crossing:
        return "expired"
    return "expiring" if expires_on < crossing + SOON else "held"
