"""Bodies of the calls about panics, for the requests of one operation about another."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

PINS = {"pin": "4711", "duress_pin": "8020"}
ENDED = {"outcome": "helped", "note": "n"}


def of_panics(
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
        "POST /v1/self/pin/verify": [("own", {"pin": PINS["pin"]})],
    }
