"""Panics of two neighbouring operations, and the bodies of one's requests about the other's."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from server import jobs

if TYPE_CHECKING:
    from tests.promises.neighbours import Land

PINS = {"pin": "4711", "duress_pin": "8020"}
ENDED = {"outcome": "helped", "note": "n"}


def settings(mark: str) -> dict[str, Any]:
    return {"nearby_m": 50_000, "desk_phone": f"+25420{len(mark)}00001"}


async def begin(land: "Land", runner: jobs.Runner) -> None:
    """One that is open, with all that hangs on it, and a PIN; the phone presses for nobody else."""
    names, call = land.names, land.call
    names |= {"panic": str(uuid4()), "position": str(uuid4())}
    await call("admin", "PUT", "/v1/panic-settings", settings(land.mark))
    await call("phone", "PUT", "/v1/self/pin", PINS)
    spot = {"lat": len(land.mark) + 0.13579, "lon": 36.24681}
    press = {"id": names["panic"], "at": datetime.now(UTC).isoformat(), "location": spot}
    await call("phone", "POST", "/v1/panics", press)
    await call("admin", "GET", f"/v1/panics/{names['panic']}?reason=review")
    await call("admin", "POST", f"/v1/panics/{names['panic']}/acknowledge")
    names["desk"] = (await call("admin", "GET", "/v1/sessions"))["operator"]["id"]
    while await runner.turn():
        pass


def bodies(
    own: dict[str, Any], names: dict[str, Any], mark: str
) -> dict[str, list[tuple[str, Any]]]:
    """By route. A press is never refused: what is another's is left out of it."""
    at = datetime.now(UTC).isoformat()
    spot = {"id": names["position"], "at": at, "lat": 1.5, "lon": 36.5, "accuracy": 5}
    return {
        "POST /v1/panics": [
            ("own", {"id": str(uuid4()), "at": at, "covert": False, "for": f"{mark}P3"}),
            ("own", {"id": names["panic"], "at": at}),
        ],
        "POST /v1/panics/{panic_id}/hand-over": [
            ("refused", {"operator": names["desk"]}),
            ("own", {"operator": own["desk"]}),
        ],
        "POST /v1/panics/{panic_id}/resolve": [("own", ENDED)],
        "POST /v1/panics/{panic_id}/close": [("own", ENDED)],
        "POST /v1/panics/{panic_id}/positions": [("own", {"items": [spot]})],
        "POST /v1/panics/{panic_id}/cancel": [("own", {"pin": PINS["pin"]})],
        "PUT /v1/self/pin": [("own", {**PINS, "old_pin": PINS["pin"]})],
        "PUT /v1/panic-settings": [("own", settings(own["mark"]))],
        "POST /v1/self/pin/verify": [("own", {"pin": PINS["pin"]})],
    }
