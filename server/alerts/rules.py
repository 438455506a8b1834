"""What is true of alerts whatever the database holds: states, lanes, audiences, estimates.

Pure: no await, no I/O.
"""

from collections.abc import Mapping
from typing import Any

import shapely

from server.errors import Clash, refuse_field

SEVERITY_LANE = {"life_safety": 1, "urgent": 2, "routine": 3}  # lane 0 is for panics
TERMINAL = frozenset({"closed", "expired", "cancelled"})
AUDIENCES = ("all", "areas", "agencies", "tree_node", "polygon")

# verb -> the states it starts from -> the state it leads to
TRANSITIONS: Mapping[str, Mapping[str, str]] = {
    "hold": {"preparing": "pending_release"},
    "open": {"preparing": "open", "pending_release": "open"},
    "close": {"open": "closed"},
    "cancel": {"preparing": "cancelled", "pending_release": "cancelled", "open": "cancelled"},
    "expire": {"preparing": "expired", "pending_release": "expired", "open": "expired"},
}
_OUTCOME = {"close": "closed", "cancel": "cancelled", "expire": "expired", "open": "open"}
_MOST_POINTS = 5000


def step(state: str, verb: str) -> str:
    """The state after `verb`. A verb already carried out changes nothing.

    Raises Clash where the verb does not apply; a terminal state never changes.
    """
    after = TRANSITIONS[verb].get(state)
    if after is not None:
        return after
    if _OUTCOME.get(verb) == state:
        return state
    if state in TERMINAL:
        raise Clash(f"This alert is {state}. Open a new one instead.", code="alert_ended")
    raise Clash(
        f"This alert is still {state.replace('_', ' ')}. Wait until it is open, or cancel it.",
        code="alert_not_open",
    )


def ends(state: str) -> bool:
    """Whether an alert in this state is over for good."""
    return state in TERMINAL


def polygon(shape: Any) -> shapely.Polygon:
    """The polygon of a GeoJSON object. Raises BadInput naming what is wrong with it."""
    rings: Any = shape.get("coordinates") if isinstance(shape, dict) else None
    if not _are_rings(rings) or shape.get("type") != "Polygon":
        raise refuse_field(
            "audience.polygon",
            'Give a GeoJSON Polygon: {"type":"Polygon","coordinates":[[[lon,lat],..]]} with'
            f" closed rings of 4 to {_MOST_POINTS} points, lon -180..180 and lat -90..90.",
        )
    outline = shapely.Polygon(rings[0], rings[1:])
    if not outline.is_valid or outline.area == 0:
        raise refuse_field(
            "audience.polygon", "Draw it without crossing lines and with an area above zero."
        )
    return outline


def _are_rings(rings: Any) -> bool:
    if not isinstance(rings, list) or not 1 <= len(rings) <= 100:
        return False
    return all(_is_ring(r) for r in rings) and sum(len(r) for r in rings) <= _MOST_POINTS


def _is_ring(ring: Any) -> bool:
    if not isinstance(ring, list) or len(ring) < 4 or not all(_is_point(p) for p in ring):
        return False
    return bool(ring[0] == ring[-1])


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) in (2, 3)  # the third is an altitude
        and all(type(n) in (int, float) for n in point)
        and -180 <= point[0] <= 180
        and -90 <= point[1] <= 90
    )


def finish_seconds(pushes: int, connections: int) -> int:
    """How long handing `pushes` to the provider takes, rounded up to whole seconds.

    Reckons 0.1 s a request on each connection, and no more than 2,000/s from one worker.
    """
    rate = min(connections * 10, 2000)
    return -(-pushes // rate)
