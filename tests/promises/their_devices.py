"""Satellite messengers of two neighbouring operations, and what they said."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clients.simulator.satellite import event
from server import jobs
from server.checkin.satellite.actions import Inbox
from server.checkin.satellite.intake import events_of
from server.checkin.satellite.understanding import handlers
from server.db import Database
from server.satellites import SatelliteRoute
from server.vault import open_vault
from tests.support.http import settings

if TYPE_CHECKING:
    from tests.promises.neighbours import Land

ROUTE = SatelliteRoute(name="inreach", kind="inreach", secret="of-the-provider")


async def begin(land: "Land", database: Database) -> None:
    """A device of somebody, what it said and where it was."""
    mark, names = land.mark, land.names
    names["imei"] = f"30043406348022{len(mark)}"
    body = {"person": f"{mark}P2", "kind": "inreach", "label": f"{mark}car"}
    await land.call("admin", "PUT", f"/v1/satellite-devices/{names['imei']}", body)
    inbox = Inbox(database, lambda _: None)
    runner = jobs.Runner(database, handlers(database, open_vault(settings())))
    place = (len(mark) + 0.97531, 36.42)
    for code, words in ((3, f"{mark} the road is wet"), (0, "")):
        said = {"Events": [event(names["imei"], code, datetime.now(UTC), words, place)]}
        await inbox.take(ROUTE, events_of("inreach", said, b""))
    while await runner.turn():
        pass


def bodies(own: "Land", other: "Land") -> dict[str, list[tuple[str, Any]]]:
    """Bodies of the calls about satellite messengers."""
    device = {"kind": "inreach", "label": "l"}
    return {
        "PUT /v1/satellite-devices/{imei}": [
            ("refused", {**device, "person": f"{other.mark}P2"}),
            ("own", {**device, "person": f"{own.mark}P2"}),
        ],
    }
