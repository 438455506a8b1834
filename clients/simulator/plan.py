"""The plan of the demo's relocation: points, two legs, twelve vehicles, as a desk puts it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid5

from . import journey
from .journey import FIRST, SECOND, Cast, Mover
from .station import Person

WISH = {
    "kind": "relocation",
    "reach": "inside",
    "title": "To the coast",
    "authority": "Designated Official",
    "reference": "SMT 11/2026",
    "exercise": True,
}
ROUTES = ("Gigiri to Wilson Airport", "Wilson Airport to Mombasa")
POINTS: dict[str, dict[str, Any]] = {
    "GATE": {"kind": "concentration", "name": "Gigiri gate", "area": "NBO-GIG",
             "lat": -1.2326, "lon": 36.8145},
    "AIRFIELD": {"kind": "concentration", "name": "Wilson Airport", "area": "NBO-LAN",
                 "lat": -1.3217, "lon": 36.8148},
    "HAVEN": {"kind": "safe_haven", "name": "Mombasa training centre", "area": "KE",
              "lat": -4.0435, "lon": 39.6682},
}  # fmt: skip
LEGS = {1: ("road", "GATE", "AIRFIELD"), 2: ("flight", "AIRFIELD", "HAVEN")}


def point(movement: str, name: str) -> str:
    """A point's id."""
    return str(uuid5(UUID(movement), name))


def whom(people: Iterable[Person], among: Collection[str], most: int) -> list[str]:
    """Staff out of `among` who are moved with their families: no more than `most` people."""
    sizes = Counter(p.family_of or p.ref for p in people)
    chosen, left = [], most
    for ref, size in sizes.items():
        if ref in among and size <= left:
            chosen.append(ref)
            left -= size
    return chosen


class Plan:
    """Six vehicles a leg, with room for so many people whose largest household is so large: rules
    that keep households together then leave nobody waiting.

    rides: of each who has a seat, the numbers of her vehicle and of her flight. spare: the vehicle
    of the first leg with most room.
    """

    def __init__(self, movement: str, people: int, largest: int) -> None:
        self.rides: dict[str, tuple[int, int]] = {}
        self.spare = FIRST[-1]
        self._movement = movement
        self._seats = -(-people // len(FIRST)) + largest
        self._people = people
        self._first: dict[str, int] = {}

    def leg(self, position: int) -> str:
        """A leg's id."""
        return point(self._movement, f"leg {position}")

    def puts(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All of it, in an order in which it may be put on record."""
        for name, body in POINTS.items():
            room = {"capacity": self._people} if body["kind"] == "safe_haven" else {}
            yield f"/points/{point(self._movement, name)}", {**body, **room}
        for position, (kind, start, end) in LEGS.items():
            ends = {"from": point(self._movement, start), "to": point(self._movement, end)}
            yield f"/legs/{self.leg(position)}", {"kind": kind, "position": position, **ends}
        for number in (*FIRST, *SECOND):
            yield self.vehicle(number)

    def vehicle(
        self, number: int, state: str = "planned", watch: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        """A vehicle as it is to be."""
        flies = number in SECOND
        body = {
            "leg": self.leg(2 if flies else 1),
            "number": number,
            "label": f"Flight {number}" if flies else f"Bus {number}",
            "callsign": f"{'UNIFORM' if flies else 'CONVOY'} {number}",
            "seats": self._seats,
            "state": state,
            "watch_id": watch,
        }
        return f"/vehicles/{point(self._movement, f'vehicle {number}')}", body

    def functions(self, keeper: str, sponsors: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Critical work: the radio room, whose keeper stays, and the health post, which all leave
        who could keep it."""
        radio = {"name": "Radio room", "keeper": keeper, "place": "Gigiri"}
        health = {"name": "Health post", "keeper": sponsors[0], "deputies": sponsors[1:2]}
        for name, body in (("radio", radio), ("health", health)):
            yield f"/functions/{point(self._movement, name)}", body

    def given(self, position: int, fill: dict[str, Any]) -> None:
        """Takes in who got which seat."""
        seats = {g["person"]["ref"]: g["vehicle_no"] for g in fill["given"]}
        if position == 1:
            self._first = seats
            self.spare = max(fill["vehicles"], key=lambda v: (v["left"], v["vehicle_no"]))[
                "vehicle_no"
            ]
        else:
            self.rides = {ref: (first, seats[ref]) for ref, first in self._first.items()
                          if ref in seats}  # fmt: skip

    def times(self, number: int, movers: Sequence[Mover], roles: Cast) -> tuple[float, float]:
        """When the boarding of a vehicle begins, and when it arrives."""
        if number in FIRST:
            return journey.boards(number), journey.arrives(number)
        begins = journey.flights(journey.apart(movers, roles))[number]
        return begins, journey.lands(begins)
