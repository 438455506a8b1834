"""A fictional duty station in real geography: Nairobi, with invented people.

The places and their coordinates are real, everything else is not: agencies, people,
numbers, and the pcodes, which start with FIC. The phone numbers look right for their
country, so somebody may own them: never point a real SMS route at this station.

    written = write_csv(Path("station"), n=500, seed=1)     # areas, people, tree
    for person in people(n=100_000, seed=1): ...            # streamed, same every time
"""

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

import msgspec

from . import names
from .names import Origin
from .tree import Node, TreeBuilder

AREA_COLUMNS = ("code", "name", "parent", "kind", "lat", "lon", "pcode")
PEOPLE_COLUMNS = (
    "ref",
    "name",
    "category",
    "agency",
    "area",
    "phone",
    "phone2",
    "email",
    "language",
    "family_of",
)
PRESENCE_COLUMNS = ("ref", "kind", "area", "from", "until", "note")
TREE_COLUMNS = ("node", "parent", "label", "area", "warden", "alternates", "members")


class Area(msgspec.Struct, frozen=True):
    """A row of areas.csv."""

    code: str
    name: str
    parent: str
    kind: str
    lat: float
    lon: float
    pcode: str


class Person(msgspec.Struct, frozen=True):
    """A row of people.csv; empty text where nothing is known."""

    ref: str
    name: str
    category: str
    agency: str
    area: str
    phone: str
    phone2: str
    email: str
    language: str
    family_of: str


class Written(msgspec.Struct, frozen=True):
    """What `write_csv` wrote."""

    areas: int
    staff: int
    family: int
    nodes: int


DUTY_STATION = "NBO"
# Zone, latitude, longitude, and its weights for staff from abroad and recruited locally.
_ZONES = (
    ("NBO-GIG", "Gigiri", -1.2326, 36.8145, 20, 2),
    ("NBO-RUN", "Runda", -1.2180, 36.8130, 18, 2),
    ("NBO-WES", "Westlands", -1.2676, 36.8075, 14, 7),
    ("NBO-KIL", "Kileleshwa", -1.2815, 36.7835, 13, 7),
    ("NBO-LAV", "Lavington", -1.2780, 36.7690, 12, 5),
    ("NBO-KLM", "Kilimani", -1.2905, 36.7865, 10, 11),
    ("NBO-KAR", "Karen", -1.3195, 36.7080, 8, 3),
    ("NBO-LAN", "Lang'ata", -1.3666, 36.7332, 3, 12),
    ("NBO-STB", "South B", -1.3110, 36.8380, 1, 14),
    ("NBO-EAS", "Eastleigh", -1.2750, 36.8500, 0, 12),
    ("NBO-KAS", "Kasarani", -1.2215, 36.8965, 1, 14),
    ("NBO-EMB", "Embakasi", -1.3060, 36.9130, 0, 11),
)
AREAS = (
    Area("KE", "Kenya", "", "country", 1.0, 38.0, "FIC-KE"),
    Area("KE-30", "Nairobi County", "KE", "region", -1.2864, 36.8172, "FIC-KE-30"),
    Area(DUTY_STATION, "Nairobi", "KE-30", "duty_station", -1.2864, 36.8172, "FIC-KE-30-00"),
    *(
        Area(code, label, DUTY_STATION, "zone", lat, lon, f"FIC-KE-30-{nth:02d}")
        for nth, (code, label, lat, lon, _, _) in enumerate(_ZONES, start=1)
    ),
)
ZONES = AREAS[3:]
AGENCIES = (
    "Secretariat",
    "Food Relief Agency",
    "Children's Agency",
    "Refugee Office",
    "Health Office",
    "Habitat Programme",
    "Mine Action Service",
    "Logistics Service",
)
_AGENCY_SHARES = (18, 22, 15, 14, 11, 8, 5, 7)
# The locally recruited (national, local) are the majority, as at most duty stations.
_CATEGORY_SHARES = {
    "national": 34,
    "local": 34,
    "international": 18,
    "contractor": 9,
    "volunteer": 5,
}
# Chance that a staff member has eligible family members here.
_FAMILY_CHANCE = {"national": 0.72, "local": 0.72, "international": 0.55}
# The Designated Official, the deputy, and a locally recruited security officer.
_SECURITY_CELL = ("international", "international", "national")
_SPOUSE, _CHILDREN = 0.85, (30, 30, 25, 15)
_NUMBERS = 10**8


def place(code: str) -> tuple[float, float]:
    """Latitude and longitude of an area; raises KeyError for an unknown one."""
    return _PLACES[code]


_PLACES = {area.code: (area.lat, area.lon) for area in AREAS}


def people(n: int = 500, seed: int = 1) -> Iterator[Person]:
    """`n` staff members, each followed by the eligible family members.

    A longer list of the same seed begins with the shorter one.
    """
    for nth in range(1, n + 1):
        yield from household(nth, seed)


def household(nth: int, seed: int) -> list[Person]:
    """The `nth` staff member (from 1) and the family."""
    rng = Random(f"{seed}:{nth}")
    category = _category(rng, nth)
    local = category in ("national", "local")
    name = names.name(
        rng, names.origin(rng, locally_recruited=local or category != "international")
    )
    area = _zone(rng, nth, abroad=category == "international")
    agency = rng.choices(AGENCIES, weights=_AGENCY_SHARES)[0]
    staff = Person(
        ref=f"NBO-{nth:05d}",
        name=name.full,
        category=category,
        agency=agency,
        area=area,
        phone=_phone(nth, 0) if rng.random() < 0.985 else "",
        phone2=_second_phone(rng, nth, name.origin),
        email=_email(rng, nth, category),
        language=name.origin.language,
        family_of="",
    )
    return [staff, *_family(rng, nth, staff, name)]


def _category(rng: Random, nth: int) -> str:
    drawn = rng.choices(list(_CATEGORY_SHARES), weights=list(_CATEGORY_SHARES.values()))[0]
    return _SECURITY_CELL[nth - 1] if nth <= len(_SECURITY_CELL) else drawn


def _zone(rng: Random, nth: int, *, abroad: bool) -> str:
    weights = [row[4] if abroad else row[5] for row in _ZONES]
    drawn = rng.choices(ZONES, weights=weights)[0].code
    # The first of the list cover every zone, so that each can have a warden.
    turn = nth - len(_SECURITY_CELL) - 1
    return ZONES[turn % len(ZONES)].code if 0 <= turn < 3 * len(ZONES) else drawn


def _phone(nth: int, slot: int) -> str:
    """A Kenyan mobile number; every (nth, slot) has its own, scattered over the range."""
    return f"+2547{(nth * 8 + slot) * 61_803_399 % _NUMBERS:08d}"


def _second_phone(rng: Random, nth: int, origin: Origin) -> str:
    if rng.random() >= 0.3:
        return ""
    prefix, digits = origin.home
    if prefix == names.KENYAN.home[0]:
        return _phone(nth, 1)
    return f"{prefix}{nth * 6_180_339 % 10**digits:0{digits}d}"


def _email(rng: Random, nth: int, category: str) -> str:
    missing = 0.4 if category in ("contractor", "volunteer") else 0.02
    return "" if rng.random() < missing else f"nbo-{nth:05d}@example.org"


def _family(rng: Random, nth: int, staff: Person, name: names.Name) -> Iterator[Person]:
    if rng.random() >= _FAMILY_CHANCE.get(staff.category, 0.0):
        return
    spouse = rng.random() < _SPOUSE
    children = rng.choices(range(len(_CHILDREN)), weights=_CHILDREN)[0]
    for slot in range(1, spouse + children + 1):
        adult = spouse and slot == 1
        # In China a wife keeps her name; elsewhere here the household shares one.
        shared = None if adult and staff.language == "zh" else name.surname
        has_phone = rng.random() < (0.8 if adult else 0.1)
        yield Person(
            ref=f"{staff.ref}-F{slot}",
            name=names.name(rng, name.origin, shared).full,
            category="family",
            agency=staff.agency,
            area=staff.area,
            phone=_phone(nth, slot + 1) if has_phone else "",
            phone2="",
            email="",
            language=staff.language,
            family_of=staff.ref,
        )


def tree(n: int = 500, seed: int = 1) -> list[Node]:
    """The communication tree of the same station."""
    builder = TreeBuilder(DUTY_STATION, [(zone.code, zone.name) for zone in ZONES])
    for person in people(n, seed):
        builder.add(person.ref, person.category, person.area, person.family_of)
    return builder.nodes()


def presences(n: int, seed: int, today: date) -> list[tuple[str, ...]]:
    """Rows of presence.csv around a day: some on leave, some travelling, two visitors."""
    start, end = (today - timedelta(4)).isoformat(), (today + timedelta(10)).isoformat()
    rows: list[tuple[str, ...]] = []
    for nth in range(len(_SECURITY_CELL) + 3 * len(ZONES) + 1, n + 1):  # wardens stay
        ref = f"NBO-{nth:05d}"
        if nth % 25 == 0:
            rows.append((ref, "leave", "", start, end, ""))
        elif nth % 40 == 1:
            rows.append((ref, "travel", "", start, end, "mission"))
    guests = [p for p in people(min(n, 200), seed) if not p.family_of and p.area != ZONES[0].code]
    zone = ZONES[0].code
    return [*rows, *((g.ref, "visit", zone, start, end, "meeting") for g in guests[-2:])]


def wardens(n: int = 500, seed: int = 1) -> dict[str, str]:
    """The warden of each zone that has one, by its code."""
    return {node.area: node.warden for node in reversed(tree(n, seed)) if node.area != DUTY_STATION}


def write_csv(directory: Path, n: int = 500, seed: int = 1, today: date | None = None) -> Written:
    """Writes areas.csv, people.csv and tree.csv; people are streamed, never all held.

    `today`: presence.csv too, of people who are elsewhere on that day.
    """
    directory.mkdir(parents=True, exist_ok=True)
    builder = TreeBuilder(DUTY_STATION, [(zone.code, zone.name) for zone in ZONES])
    total = 0
    with (directory / "people.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(PEOPLE_COLUMNS)
        for person in people(n, seed):
            builder.add(person.ref, person.category, person.area, person.family_of)
            rows.writerow(msgspec.structs.astuple(person))
            total += 1
    nodes = builder.nodes()
    _write(directory / "areas.csv", AREA_COLUMNS, [msgspec.structs.astuple(a) for a in AREAS])
    _write(directory / "tree.csv", TREE_COLUMNS, [node.row() for node in nodes])
    if today is not None:
        _write(directory / "presence.csv", PRESENCE_COLUMNS, list(presences(n, seed, today)))
    return Written(areas=len(AREAS), staff=n, family=total - n, nodes=len(nodes))


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
