"""The real API process with two more endpoints to compare with: doing nothing, and one
INSERT a request. `python -m loadtests.bench_server DSN PORT` serves until its input closes."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

import uvloop

from server import launch, log
from server.app import Api, build_router, http_server
from server.checkin.messages import CheckinIn
from server.checkin.routes import READER
from server.checkin.store import Recorded
from server.config import Settings
from server.supervise import settled
from server.web import Call, Endpoint, Reply

RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
SINGLE = """
    INSERT INTO checkin (operation_id, received_at, checkin_id, person_id, status, at, event_at,
                         exercise, reporter, actor, body_hash)
    VALUES (current_operation(), clock_timestamp(), $1, $2, $3, $4, $4, false, 'self', $5, '')
    ON CONFLICT DO NOTHING
"""


def extra(api: Api) -> list[Endpoint]:
    """The endpoints to compare with. Both decode as the real one does."""

    async def noop(call: Call) -> Reply:
        body: CheckinIn = call.body
        return Reply(201, Recorded(body.id, "P1", body.status, body.at, RECEIVED))

    async def single(call: Call) -> Reply:
        body: CheckinIn = call.body
        me = call.me
        person = me.person_id
        async with api.db.transaction(me.operation_id) as con:
            await con.execute(SINGLE, body.id, person, body.status, body.at, me.actor)
        return Reply(201, Recorded(body.id, str(me.person_ref), body.status, body.at, RECEIVED))

    def endpoint(path: str, handler: Any, action: str | None) -> Endpoint:
        replies = {201: Recorded}
        return Endpoint(
            "POST", path, handler, path, action, replies, body=CheckinIn, decode=READER.decode
        )

    return [
        endpoint("/bench/noop", noop, None),
        endpoint("/bench/single", single, "checkin.report"),
    ]


async def main(dsn: str, port: int) -> None:
    log.configure()
    api = Api(Settings(), dsn)
    await api.open()
    asgi = build_router([*api.endpoints, *extra(api)], api.auth)
    http = http_server(asgi)
    serving = asyncio.create_task(http.serve(sockets=[launch.bind("127.0.0.1", port)]))
    hub = asyncio.create_task(api.hub.run())
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, ended.set)
    settled()
    print(f"ready {os.getpid()}", flush=True)
    await ended.wait()
    await api.hub.close()
    http.should_exit = True
    await serving
    hub.cancel()
    await api.db.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
