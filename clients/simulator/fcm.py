"""The FCM stand-in: a real HTTP server with FCM's protocol, faults and phones.

In a test: `async with FcmServer() as fcm: credentials = fcm.service_account("p")`.
As a process: `python -m clients.simulator.fcm --port 0 --credentials FILE`, which
prints one JSON line {"port","url","fcm_url","credentials"} when it is ready.
"""

import argparse
import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal

import uvloop

from . import answers
from .admin import Admin
from .answers import Answer
from .hub import Callback, Hub, Push
from .ledger import Ledger, Stats
from .oauth import Accounts
from .script import Fault, Script, draw
from .validate import Message, MessageRefusedError, message
from .wire import Connection, HttpServer, Request

_PROJECTS = "/v1/projects/"
_SEND = "/messages:send"
_NO_DRAW = (0.5, 0.5, 0.5, 0.5)


class FcmServer:
    """The stand-in. `script` is live; `ledger` and `hub` may be read at any time."""

    def __init__(self, script: Script | None = None, log_size: int = 10_000) -> None:
        self.script = script or Script()
        self.ledger = Ledger(log_size)
        self.hub = Hub()
        self.accounts = Accounts()
        self._admin = Admin(self)
        self._seen: Counter[str] = Counter()
        self._allowance: dict[str, tuple[float, float]] = {}
        self._server = HttpServer(self._handle, lambda c: self.hub.leave(c.transport))

    async def __aenter__(self) -> "FcmServer":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listens on 127.0.0.1:`port`; 0 takes any free one."""
        await self._server.start(port)

    async def stop(self) -> None:
        """Stops listening and drops all connections."""
        self.hub.close()
        await self._server.stop()

    @property
    def port(self) -> int:
        """The port it listens on; raises RuntimeError before `start`."""
        return self._server.port

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT"""
        return f"http://127.0.0.1:{self.port}"

    @property
    def fcm_url(self) -> str:
        """The value for MUSTER_FCM_URL."""
        return f"{self.url}/v1/projects"

    @property
    def token_uri(self) -> str:
        """The OAuth 2 token endpoint."""
        return f"{self.url}/token"

    def service_account(self, project: str, path: Path | None = None) -> dict[str, str]:
        """Creates the project and its credentials file, for MUSTER_FCM_CREDENTIALS.

        An existing file's key is kept, so that whoever read it is still accepted after
        the stand-in was started again on the same port.
        """
        if path is not None and path.exists():
            self.accounts.adopt(json.loads(path.read_text())["private_key"])
        credentials = self.accounts.add(project, self.token_uri)
        if path is not None:
            path.touch(mode=0o600)
            path.write_text(json.dumps(credentials, indent=2))
        return credentials

    def on_push(
        self, project: str, tokens: Iterable[str], function: Callable[[Push], None]
    ) -> None:
        """Registers tokens whose pushes call `function` in this process."""
        self.hub.register(project, tokens, Callback(function))

    def stats(self) -> Stats:
        """The counters now."""
        return self.ledger.stats(self._server.busy, self.hub)

    def reset(self) -> Stats:
        """Forgets all counts and the log; accounts, phones and script stay."""
        self.ledger = Ledger(self.ledger.log.maxlen or 0)
        self._seen.clear()
        self.hub.pushed = 0
        return self.stats()

    def _handle(self, request: Request, connection: Connection) -> None:
        path = request.target
        if path.startswith(("/_admin/", "/_phones/")):
            self._admin.handle(request, connection)
        elif request.method != "POST":
            connection.reply(answers.not_found_page())
        elif path.startswith(_PROJECTS) and path.endswith(_SEND):
            project = path[len(_PROJECTS) : -len(_SEND)]
            self._send(project, request, connection)
        elif path == "/token":
            self._grant(request, connection)
        else:
            connection.reply(answers.not_found_page())

    def _grant(self, request: Request, connection: Connection) -> None:
        if self.script.outage is not None:
            self._play(self.script.outage, "", connection, 0.0)
            return
        lifetime = self.script.access_token_s
        answer = self.accounts.exchange(request.body, self.token_uri, lifetime)
        self.ledger.granted += answer.status == 200
        connection.reply(answer)

    def _send(self, project: str, request: Request, connection: Connection) -> None:
        denied = self._denied(project, request.authorization)
        if denied is not None:
            self._refuse("unauthenticated", project, denied, connection)
            return
        try:
            wanted = message(request.body)
        except MessageRefusedError as refused:
            self._refuse("refused", project, refused.answer, connection)
            return
        self._decide(project, wanted, connection)

    def _denied(self, project: str, authorization: str) -> Answer | None:
        if not authorization:
            return answers.no_credential()
        grant = self.accounts.grant(authorization)
        if grant is None:
            return answers.bad_credential("ACCESS_TOKEN_TYPE_UNSUPPORTED")
        if grant.ends_at <= time.time():
            return answers.bad_credential("ACCESS_TOKEN_EXPIRED")
        if not self.accounts.knows(project):
            return answers.no_project()
        if grant.project != project:
            return answers.no_permission(project)
        return None

    def _refuse(self, outcome: str, project: str, answer: Answer, connection: Connection) -> None:
        self.ledger.request("")
        self.ledger.outcome(outcome, project)
        connection.reply(answer)

    def _decide(self, project: str, wanted: Message, connection: Connection) -> None:
        script, token = self.script, wanted.token
        self._seen[token] += 1
        chances = _NO_DRAW
        if not script.plain:
            chances = draw(script.seed, token, self._seen[token])
        fault = script.outage or script.fault(token, chances[0])
        fault = fault or self._natural(project, token)
        delivery_id = wanted.data.get("delivery_id", "")
        attempt = self.ledger.request(delivery_id)
        message_id = ""
        if fault is None or fault.startswith("lost_"):
            message_id = self._accept(wanted, chances)
        outcome = fault or "accepted"
        self.ledger.outcome(outcome, project, token, delivery_id, attempt, message_id)
        delay = script.latency.seconds(chances[1])
        if fault is None:
            connection.reply(answers.sent(project, message_id), delay)
        else:
            self._play(fault, project, connection, delay)

    def _natural(self, project: str, token: str) -> Fault | None:
        """What is wrong without any script: the quota, or the token."""
        if self.script.quota_per_s is not None and not self._allowed(project):
            return "quota"
        device = self.hub.device(token)
        if device is None:
            return None if self.script.any_token else "unregistered"
        if not device.alive:
            return "unregistered"
        return None if device.project == project else "sender_mismatch"

    def _allowed(self, project: str) -> bool:
        """Takes one from the project's bucket, which holds one second's sends."""
        rate = self.script.quota_per_s or 0.0
        now = time.monotonic()
        left, since = self._allowance.get(project, (rate, now))
        left = min(rate, left + (now - since) * rate)
        self._allowance[project] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def _accept(self, wanted: Message, chances: tuple[float, float, float, float]) -> str:
        if wanted.dry_run:
            return "fake_message_id"
        now, script = time.time(), self.script
        message_id = f"0:{int(now * 1e6)}%{self.ledger.requests:016x}"
        if chances[3] < script.lose:
            return message_id
        push = Push(
            token=wanted.token,
            message_id=message_id,
            data=wanted.data,
            notification=wanted.notification,
            high_priority=wanted.high_priority,
            sent_at=now,
        )
        delay = script.delivery.seconds(chances[2])
        self.hub.deliver(push, delay)
        # Losing takes the low end of the draw and doubling the high one.
        if chances[3] >= 1 - script.duplicate:
            self.hub.deliver(push, delay * 1.5)
        return message_id

    def _play(
        self,
        fault: Fault | Literal["refuse"],
        project: str,
        connection: Connection,
        delay_s: float,
    ) -> None:
        if fault == "refuse":
            connection.abort()
        elif fault in ("hang", "lost_hang"):
            connection.hang()
        elif fault in ("reset", "lost_reset"):
            connection.cut(answers.sent(project, "0"), delay_s)
        else:
            make = answers.FAULTS[fault]
            connection.reply(make(project, self.script.retry_after_s), delay_s)


async def serve(options: argparse.Namespace) -> None:
    """Runs until SIGINT or SIGTERM."""
    script = Script(any_token=options.any_token, seed=options.seed)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stopped.set)
    fcm = FcmServer(script, log_size=options.log)
    await fcm.start(options.port)
    ready = {"port": fcm.port, "url": fcm.url, "fcm_url": fcm.fcm_url}
    if options.credentials is not None:
        fcm.service_account(options.project, options.credentials)
        ready["credentials"] = str(options.credentials)
    print(json.dumps(ready), flush=True)  # noqa: T201 - its starter waits for it
    await stopped.wait()
    await fcm.stop()


def main() -> None:
    """`python -m clients.simulator.fcm`"""
    parser = argparse.ArgumentParser(description="FCM stand-in on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--project", default="muster-sim")
    parser.add_argument("--credentials", type=Path, help="write the service account")
    parser.add_argument("--any-token", action="store_true", help="accept every token")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=int, default=0, help="requests to remember")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
