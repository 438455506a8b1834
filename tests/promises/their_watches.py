"""Watches, curfews, radio checks and areas of risk of two neighbouring operations."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from server.checkin.watches.looker import Looker
from server.db import Database

if TYPE_CHECKING:
    from tests.promises.neighbours import Land

LATER = "2099-01-01T00:00:00Z"
NEUTRAL = {  # fields of bodies that name nobody and nothing on record
    "at", "callsigns", "contact", "contacts", "dark_after_h", "due_at", "expect_by", "grace_s",
    "interval_s", "route", "vehicle", "weekdays", "window_s",
}  # fmt: skip


_OVERDUE = """
    UPDATE watch SET due_at = now() - interval '1 hour', turn_at = now() - interval '1 hour'
    WHERE watch_id = $1
"""


async def begin(land: "Land", database: Database) -> None:
    """A watch that was extended, handed over and back, missed and located; a curfew, a radio
    check, an area of risk with somebody dark."""
    mark, names, call = land.mark, land.names, land.call
    names |= {kind: str(uuid4()) for kind in ("watch", "word", "curfew", "roll", "offer")}
    due = {"due_at": LATER, "grace_s": 60, "note": f"{mark}watch"}
    journey = {**due, "id": names["watch"], "kind": "journey", "vehicle": f"{mark}car"}
    await call("phone", "POST", "/v1/watches", journey)
    word = {"id": names["word"], "due_at": "2098-01-01T00:00:00Z"}
    await call("phone", "POST", f"/v1/watches/{names['watch']}/extend", word)
    wish = {"id": names["curfew"], "area": f"{mark}N", "at": "23:59", "weekdays": [7]}
    await call("admin", "POST", "/v1/curfews", {**wish, "grace_s": 60, "note": f"{mark}curfew"})
    roll = {**due, "id": names["roll"], "people": [f"{mark}P2"], "callsigns": [f"{mark}sign"]}
    await call("admin", "POST", "/v1/radio-checks", roll)
    await call("admin", "PUT", f"/v1/areas/{mark}S/risk", {"dark_after_h": 1})
    own = f"/v1/watches/{names['watch']}"
    for key, room in ((names["offer"], "S"), (str(uuid4()), "N")):
        offer = {"id": key, "to_area": f"{mark}{room}", "expect_by": LATER, "note": f"{mark}over"}
        await call("admin", "POST", f"{own}/hand-over", offer)
        await call("admin", "POST", f"{own}/heard", {"hand_over": key, "contact": "radio"})
    await database.fetch(land.operation_id, _OVERDUE, names["watch"])
    looker = Looker(database, ("+254", "!"))
    while await looker.turn():
        pass
    await looker.dark()
    await database.fetch(land.operation_id, "SELECT give_watch_codes($1)", [names["watch"]])
    await call("admin", "GET", f"{own}/position?reason=review")


def bodies(own: "Land", other: "Land") -> dict[str, list[tuple[str, Any]]]:
    """Bodies of the calls about watches, curfews, radio checks and areas of risk."""
    mark, names = other.mark, other.names
    due = {"due_at": LATER, "grace_s": 60}
    journey, curfew = {"kind": "journey", **due}, {"at": "20:00", "grace_s": 60, "weekdays": [1]}
    new: Callable[[], dict[str, str]] = lambda: {"id": str(uuid4())}  # noqa: E731
    return {
        "POST /v1/watches": [
            ("refused", {**new(), **journey, "for": f"{mark}P3"}),
            ("own", {**journey, "id": names["watch"], "for": f"{own.mark}P3"}),
            ("own", {**new(), **journey, "for": f"{own.mark}P3", "companions": [f"{mark}P2"]}),
        ],
        "POST /v1/watches/{watch_id}/done": [("own", {"id": names["watch"]})],
        "POST /v1/watches/{watch_id}/extend": [("own", {"id": names["word"], "due_at": LATER})],
        "POST /v1/watches/{watch_id}/hand-over": [
            ("refused", {"id": names["offer"], "to_area": f"{mark}S", "expect_by": LATER}),
            ("own", {**new(), "to_area": f"{own.mark}S", "expect_by": LATER}),
        ],
        "POST /v1/watches/{watch_id}/heard": [
            ("refused", {"hand_over": names["offer"], "contact": "radio"}),
            ("own", {"hand_over": own.names["offer"], "contact": "radio"}),
        ],
        "POST /v1/watches/{watch_id}/refuse": [("refused", {"hand_over": names["offer"]})],
        "POST /v1/watches/{watch_id}/withdraw": [("refused", {"hand_over": names["offer"]})],
        "POST /v1/curfews": [
            ("refused", {**new(), **curfew, "area": f"{mark}N"}),
            ("own", {**curfew, "id": names["curfew"], "area": f"{own.mark}N"}),
        ],
        "POST /v1/radio-checks": [
            ("refused", {**new(), **due, "people": [f"{mark}P2"]}),
            ("own", {**due, "id": names["roll"], "people": [f"{own.mark}P2"]}),
        ],
        "POST /v1/radio-checks/{roll_id}/heard": [
            ("refused", {"ref": f"{mark}sign"}),
            ("own", {"ref": f"{own.mark}sign"}),
        ],
        "PUT /v1/areas/{area}/risk": [("own", {"dark_after_h": 3})],
    }
