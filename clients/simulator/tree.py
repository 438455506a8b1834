"""The communication tree of the fictional station: DO, zone wardens, then blocks.

The first staff members of the list are the security cell: the Designated Official and
two alternates. Each zone with staff has a warden and up to two alternates; three zones
of four have a locally recruited warden. A zone too large for one warden is cut into
blocks that name their members; else the zone's people are its members by area.
"""

import msgspec

CELL = 3
BLOCK = 60
_LOCAL = ("national", "local")
_WARDENS = (*_LOCAL, "international")
_ALTERNATES = 2
# Candidates kept a zone: the security cell may live there too.
_CANDIDATES = 12


class Node(msgspec.Struct, frozen=True):
    """A row of tree.csv; no members means the people of the area and below."""

    node: str
    parent: str
    label: str
    area: str
    warden: str
    alternates: list[str]
    members: list[str]

    def row(self) -> tuple[object, ...]:
        """The row, lists joined by semicolons."""
        lists = (";".join(self.alternates), ";".join(self.members))
        return (self.node, self.parent, self.label, self.area, self.warden, *lists)


class Zone(msgspec.Struct):
    """A zone's people: who may be warden, the first of them with category, households."""

    code: str
    label: str
    candidates: list[tuple[str, str]] = []
    eligible: set[str] = set()
    households: dict[str, list[str]] = {}


class TreeBuilder:
    """Takes people one by one, sponsors before their families; then makes the tree."""

    def __init__(self, duty_station: str, zones: list[tuple[str, str]]) -> None:
        self._station = duty_station
        self._zones = {code: Zone(code, label) for code, label in zones}
        self._cell: list[str] = []

    def add(self, ref: str, category: str, area: str, family_of: str) -> None:
        """One row of people.csv."""
        zone = self._zones[area]
        if family_of:
            zone.households[family_of].append(ref)
            return
        zone.households[ref] = [ref]
        if len(self._cell) < CELL:
            self._cell.append(ref)
        elif category in _WARDENS:
            zone.eligible.add(ref)
            if len(zone.candidates) < _CANDIDATES:
                zone.candidates.append((ref, category))

    def nodes(self) -> list[Node]:
        """The tree, parents first."""
        if not self._cell:
            return []
        found = [self._root()]
        for nth, zone in enumerate(self._zones.values()):
            chosen = _choose(zone.candidates, locally=nth % 4 != 3)
            if chosen:
                found += self._zone_nodes(zone, chosen)
        return found

    def _root(self) -> Node:
        households = [zone.households for zone in self._zones.values()]
        members = [m for ref in self._cell for h in households for m in h.get(ref, [])]
        label = "Designated Official"
        return Node("DO", "", label, self._station, self._cell[0], self._cell[1:], members)

    def _zone_nodes(self, zone: Zone, chosen: list[str]) -> list[Node]:
        node = f"Z-{zone.code}"
        rest = [ref for ref in zone.households if ref not in {*chosen, *self._cell}]
        large = len(rest) > 2 * BLOCK
        own = [member for ref in chosen for member in zone.households[ref]] if large else []
        label = f"{zone.label} zone"
        top = Node(node, "DO", label, zone.code, chosen[0], chosen[1:], own)
        if not large:
            return [top]
        blocks = [rest[start : start + BLOCK] for start in range(0, len(rest), BLOCK)]
        return [top, *(_block(zone, node, nth, block) for nth, block in enumerate(blocks, 1))]


def _block(zone: Zone, parent: str, nth: int, block: list[str]) -> Node:
    members = [member for ref in block for member in zone.households[ref]]
    wardens = [ref for ref in block if ref in zone.eligible] or block
    label, node = f"{zone.label} block {nth}", f"{parent}-{nth:03d}"
    return Node(node, parent, label, zone.code, wardens[0], wardens[1:2], members)


def _choose(candidates: list[tuple[str, str]], *, locally: bool) -> list[str]:
    """The warden first, of the wished recruitment if there is one; then alternates."""
    wished = [ref for ref, category in candidates if (category in _LOCAL) is locally]
    warden = (wished or [ref for ref, _ in candidates])[:1]
    others = [ref for ref, _ in candidates if ref not in warden]
    return [*warden, *others[:_ALTERNATES]] if warden else []
