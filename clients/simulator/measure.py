"""How many sends a second the FCM stand-in takes, as a process of its own.

`python -m clients.simulator.measure --connections 64 --seconds 5` starts a stand-in,
sends from bare sockets (the sender must not be the bottleneck) and prints one JSON line.
"""

import argparse
import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import google.auth.transport.requests
import uvloop
from google.oauth2 import service_account

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


class Sender(asyncio.Protocol):
    """Sends the same request again as soon as its answer is there."""

    def __init__(self, request: bytes) -> None:
        self.answered = 0
        self.refused = 0
        self._request = request
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first request."""
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Answers are small: each comes in one piece."""
        self.answered += 1
        self.refused += not data.startswith(b"HTTP/1.1 200")
        self._transport.write(self._request)

    def stop(self) -> None:
        """Closes the connection."""
        self._transport.abort()


def access_token(credentials: Path) -> str:
    """An access token, the way every Google client gets one."""
    account = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
        str(credentials), scopes=[SCOPE]
    )
    account.refresh(google.auth.transport.requests.Request())
    return str(account.token)


def request(access: str, nth: int) -> bytes:
    """A send to /v1/projects/muster-sim as Muster makes it, as bytes."""
    data = {"kind": "alert", "alert_id": "a" * 36, "exercise": "1"}
    data["delivery_id"] = f"{nth:036d}"
    notification = {"title": "Muster", "body": "Please open the app."}
    message = {"token": f"sim:{nth:032x}", "data": data, "notification": notification}
    body = json.dumps({"message": message}).encode()
    head = (
        "POST /v1/projects/muster-sim/messages:send HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {access}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def hammer(port: int, access: str, connections: int, seconds: float) -> float:
    """Sends for `seconds`; returns sends per second; raises if any was refused."""
    loop = asyncio.get_running_loop()
    senders: list[Sender] = []
    for nth in range(connections):
        make = partial(Sender, request(access, nth))
        _, sender = await loop.create_connection(make, "127.0.0.1", port)
        senders.append(sender)
    before, started = sum(s.answered for s in senders), time.perf_counter()
    await asyncio.sleep(seconds)
    sent, took = sum(s.answered for s in senders) - before, time.perf_counter() - started
    for sender in senders:
        sender.stop()
    if refused := sum(s.refused for s in senders):
        raise RuntimeError(f"{refused} sends were refused")
    return sent / took


async def run(connections: int, seconds: float) -> dict[str, Any]:
    """Starts a stand-in, measures it, stops it."""
    with TemporaryDirectory() as folder:
        credentials = Path(folder) / "credentials.json"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "clients.simulator.fcm",
            "--any-token",
            "--credentials",
            str(credentials),
            stdout=asyncio.subprocess.PIPE,
        )
        ready = json.loads(await _first_line(process))
        try:
            access = await asyncio.to_thread(access_token, credentials)
            rate = await hammer(ready["port"], access, connections, seconds)
            async with aiohttp.ClientSession() as session:
                answer = await session.get(f"{ready['url']}/_admin/stats")
                stats = await answer.json()
        finally:
            process.terminate()
            await process.wait()
    return {"sends_per_s": round(rate), "connections": connections, "stats": stats}


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    return await process.stdout.readline() if process.stdout is not None else b""


def main() -> None:
    """`python -m clients.simulator.measure`"""
    parser = argparse.ArgumentParser(description="sends/s of the FCM stand-in")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    result = uvloop.run(run(options.connections, options.seconds))
    print(json.dumps(result))  # noqa: T201 - a command's result


if __name__ == "__main__":
    main()
