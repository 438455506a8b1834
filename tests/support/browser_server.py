"""A real server with a small station, for browser tests written in another language.

`python -m tests.support.browser_server [--people N]` prints one line of JSON:
    {"url", "token", "logins": [one-time codes], "enrol": {ref: code},
     "desks": {"night": [codes of a second operator], "zone": [codes of one who sees the area of
     the first ref only]}}
then obeys lines on its input: `kill` (SIGKILL of the whole server), `start`, `stop` (SIGTERM),
each answered with `done`; it ends with its input.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from clients.simulator import enrolments, station
from clients.simulator.fcm import FcmServer
from server import db
from server.embedded import EmbeddedPostgres
from server.people import importing, operations, sessions
from tests.support.live import LiveServer

LOGINS = 12
PHONES = 12
# Texts come in by it; none goes out, for nobody of the station has such a number.
ROUTE = {
    "name": "texts",
    "kind": "africastalking",
    "url": "http://127.0.0.1:9/",
    "username": "muster",
    "password": "browser",
    "report_secret": "browser",
    "sender": "+99912345",
    "prefixes": ["+999"],
    "operation": "NBO",
}


def staff_of(people: int) -> list[station.Person]:
    """Those who may have a phone, in the order of their enrolment."""
    return [p for p in station.people(people, 1) if p.category != "family"][:PHONES]


async def seed(
    dsn: str, folder: Path, people: int
) -> tuple[int, dict[str, operations.NewOperator]]:
    """Imports a station; its operation and those who sit at its desks."""
    database = db.Database(dsn, 4)
    await database.open()
    made = await operations.add_operation(dsn, "NBO", "Nairobi", "Africa/Nairobi", None)
    roster = folder / "roster"
    await asyncio.to_thread(roster.mkdir)
    await asyncio.to_thread(station.write_csv, roster, people, 1)
    report = await importing.run(database, "NBO", [roster], dry_run=False, accept_partial=False)
    if not report.accepted:
        raise RuntimeError("the station's roster was refused")
    own = {"area": staff_of(people)[0].area}
    desks = {
        "duty": await operations.add_operator(database, "NBO", "Duty officer", "admin"),
        "night": await operations.add_operator(database, "NBO", "Night officer", "operator"),
        "zone": await operations.add_operator(database, "NBO", "Zone desk", "operator", **own),
    }
    await database.close()
    return made.operation_id, desks


async def hello(
    server: LiveServer, operation_id: int, desks: dict[str, operations.NewOperator], people: int
) -> dict[str, Any]:
    """What a browser test needs to begin."""
    database = db.Database(server.dsn, 4)
    await database.open()
    logins = {
        name: [
            await sessions.new_login_code(database, operation_id, desk.operator_id)
            for _ in range(LOGINS)
        ]
        for name, desk in desks.items()
    }
    await database.close()
    token, staff = desks["duty"].token, [p.ref for p in staff_of(people)]
    codes = await enrolments.codes(server.url, token, staff)
    own = logins.pop("duty")
    return {"url": server.url, "token": token, "logins": own, "desks": logins, "enrol": codes}


async def obey(server: LiveServer) -> None:
    """Follows the lines of standard input until it closes."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        act = {"kill": server.kill, "start": server.start, "stop": server.terminate}[line.strip()]
        await asyncio.to_thread(act)
        print("done", flush=True)


async def main(people: int) -> None:
    with tempfile.TemporaryDirectory(prefix="muster-browser-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)
        with EmbeddedPostgres(folder / "data") as postgres:
            await db.migrate(postgres.dsn)
            operation_id, desks = await seed(postgres.dsn, folder, people)
            async with FcmServer() as fcm:
                fcm.service_account("muster-sim", folder / "fcm.json")
                server = LiveServer(
                    postgres.dsn,
                    MUSTER_FCM_CREDENTIALS=str(folder / "fcm.json"),
                    MUSTER_FCM_URL=fcm.fcm_url,
                    MUSTER_SMS_ROUTES=msgspec.json.encode([ROUTE]).decode(),
                )
                await asyncio.to_thread(server.start)
                try:
                    started = await hello(server, operation_id, desks, people)
                    print(msgspec.json.encode(started).decode(), flush=True)
                    await obey(server)
                finally:
                    await asyncio.to_thread(server.terminate)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=60)
    asyncio.run(main(parser.parse_args().people))
