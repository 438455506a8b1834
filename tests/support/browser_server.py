"""Real servers with small stations, for browser tests written in another language.

`python -m tests.support.browser_server SOCKET` says `ready`, and ends with its input. Each
connection to the socket is one station, for as long as it lasts. Its first line says whose:
    shared   an operation of its own on the one server of all who say so
    own      a server and a database of its own, to be killed; texts come in by its gateway
It is answered by one line of JSON:
    {"url", "token", "logins": [one-time codes], "enrol": {ref: code},
     "desks": {"night": [codes of a second operator], "zone": [codes of one who sees the area of
     the first ref only]}}
An own server then obeys `kill` (SIGKILL of all of it), `start` and `stop` (SIGTERM), each
answered with `done`.
"""

import argparse
import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import AsyncExitStack, ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from clients.simulator import enrolments, station
from clients.simulator.fcm import FcmServer
from server import db
from server.people import importing, operations, sessions
from tests.support.live import LiveServer, started
from tests.support.postgres import TestServer, end_dead_runs, end_run, new_run

LOGINS = 24
PHONES = 24
PEOPLE = 60
OWN = "NBO"
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
    "operation": OWN,
}
STAFF = [p for p in station.people(PEOPLE, 1) if p.category != "family"][:PHONES]


class House:
    """The database and the servers of one run of the tests."""

    def __init__(self, postgres: TestServer, folder: Path, **settings: str) -> None:
        self._postgres = postgres
        self._roster = folder / "roster"
        self._roster.mkdir()
        station.write_csv(self._roster, PEOPLE, 1)
        self._settings = settings
        self._numbers = count(1)
        self._shared: LiveServer | None = None
        self._opening = asyncio.Lock()

    async def shared(self) -> LiveServer:
        """The server of those who leave it alone."""
        async with self._opening:
            self._shared = self._shared or await self.own()
            return self._shared

    async def own(self) -> LiveServer:
        """A server on a database of its own."""
        dsn = await asyncio.to_thread(self._postgres.fresh)
        return await started(LiveServer(dsn, **self._settings))

    async def station(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One station, until its connection closes."""
        async with AsyncExitStack() as left:
            left.callback(writer.close)
            own = (await reader.readline()).strip() == b"own"
            server = await (self.own() if own else self.shared())
            if own:
                left.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)
            code = OWN if own else f"{OWN}{next(self._numbers)}"
            hello = msgspec.json.encode(await _hello(server, code, self._roster))
            writer.write(hello + b"\n")
            while line := await reader.readline():
                order = line.decode().strip()
                await asyncio.to_thread(_obey, server, order)
                writer.write(b"done\n")

    def end(self) -> None:
        """Ends the server that all shared."""
        if self._shared is not None:
            self._shared.__exit__(None, None, None)


def _obey(server: LiveServer, order: str) -> None:
    {"kill": server.kill, "start": server.start, "stop": server.terminate}[order]()


async def _hello(server: LiveServer, code: str, roster: Path) -> dict[str, Any]:
    """Makes an operation; what a browser test needs to begin in it."""
    database = db.Database(server.dsn, 4)
    await database.open()
    made = await operations.add_operation(server.dsn, code, "Nairobi", "Africa/Nairobi", None)
    report = await importing.run(database, code, [roster], dry_run=False, accept_partial=False)
    if not report.accepted:
        raise RuntimeError("the station's roster was refused")
    own = {"area": STAFF[0].area}
    desks = {
        "duty": await operations.add_operator(database, code, "Duty officer", "admin"),
        "night": await operations.add_operator(database, code, "Night officer", "operator"),
        "zone": await operations.add_operator(database, code, "Zone desk", "operator", **own),
    }
    logins = {
        name: [
            await sessions.new_login_code(database, made.operation_id, desk.operator_id)
            for _ in range(LOGINS)
        ]
        for name, desk in desks.items()
    }
    await database.close()
    token = desks["duty"].token
    codes = await enrolments.codes(server.url, token, [p.ref for p in STAFF])
    duty = logins.pop("duty")
    return {"url": server.url, "token": token, "logins": duty, "desks": logins, "enrol": codes}


async def serve(postgres: TestServer, folder: Path, socket: Path) -> None:
    """Opens the house until standard input closes."""
    async with FcmServer() as fcm:
        fcm.service_account("muster-sim", folder / "fcm.json")
        house = House(
            postgres,
            folder,
            MUSTER_FCM_CREDENTIALS=str(folder / "fcm.json"),
            MUSTER_FCM_URL=fcm.fcm_url,
            MUSTER_SMS_ROUTES=msgspec.json.encode([ROUTE]).decode(),
        )
        door = await asyncio.start_unix_server(house.station, socket)
        print("ready", flush=True)
        try:
            await asyncio.to_thread(sys.stdin.read)
        finally:
            door.close()
            await asyncio.to_thread(house.end)


def main(socket: Path) -> None:
    end_dead_runs()
    folder, alive = new_run()
    with ExitStack() as left:
        left.callback(alive.close)
        left.callback(end_run, folder)
        postgres = left.enter_context(TestServer(folder))
        asyncio.run(serve(postgres, folder, socket))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket", type=Path)
    main(parser.parse_args().socket)
