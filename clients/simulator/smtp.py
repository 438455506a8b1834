"""A stand-in for a mail relay on loopback: SMTP as it is spoken, and its faults.

async with MailRelay() as relay:
    relay.url                      # for MUSTER_SMTP_URL
    relay.taken                    # what was taken, in order
    relay.refused["a@b.c"] = "550 5.1.1 no such user"
    relay.fault = "hang"           # or cut: before the answer to a message; lost: after taking it
"""

import asyncio
import base64
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType

import msgspec

USER, PASSWORD = "muster", "secret"
_PLAIN = {
    "EHLO": ("250-relay.example", "250-AUTH PLAIN LOGIN", "250 8BITMIME"),
    "HELO": ("250 relay.example",),
    "RSET": ("250 2.0.0 ok",),
    "NOOP": ("250 2.0.0 ok",),
    "QUIT": ("221 2.0.0 bye",),
}


class Mail(msgspec.Struct, frozen=True):
    """One message as the relay took it."""

    sender: str
    recipient: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """It, parsed."""
        parsed: EmailMessage = message_from_bytes(self.raw, policy=default)  # type: ignore[arg-type]
        return parsed

    @property
    def text(self) -> str:
        """Its body."""
        return str(self.message.get_content()).replace("\r\n", "\n")


class MailRelay:
    """Speaks SMTP to whoever connects. With `login` nobody may send without it."""

    def __init__(self, *, login: bool = False) -> None:
        self._login = login
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.taken: list[Mail] = []
        self.refused: dict[str, str] = {}
        self.sender_refused: str | None = None
        self.message_refused: str | None = None
        self.fault: str | None = None
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> "MailRelay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Hangs up on everybody and listens no more."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The address, with the login."""
        return f"smtp://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            await _Talk(self, reader, writer).run(self._login)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


class _Talk:
    """One connection."""

    def __init__(
        self, relay: MailRelay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._relay, self._reader, self._writer = relay, reader, writer
        self._sender, self._recipient = "", ""

    async def run(self, login: bool) -> None:
        """Answers until it is over."""
        known = not login
        await self._say("220 relay.example ESMTP")
        while line := await self._reader.readline():
            verb, _, rest = line.decode("latin-1").strip().partition(" ")
            if verb.upper() == "AUTH":
                known = await self._auth(rest)
            elif verb.upper() in _PLAIN:
                await self._say(*_PLAIN[verb.upper()])
            elif not known:
                await self._say("530 5.7.0 authentication required")
            elif not await self._letter(verb.upper(), rest):
                return

    async def _letter(self, verb: str, rest: str) -> bool:
        """One step of a message. False: it hangs up."""
        if verb == "MAIL":
            self._sender = _address(rest)
            await self._say(self._relay.sender_refused or "250 2.1.0 ok")
        elif verb == "RCPT":
            self._recipient = _address(rest)
            await self._say(self._relay.refused.get(self._recipient, "250 2.1.5 ok"))
        elif verb == "DATA":
            return await self._data()
        else:
            await self._say("502 5.5.2 unknown")
        return True

    async def _auth(self, rest: str) -> bool:
        said = base64.b64decode(rest.partition(" ")[2] or "")
        good = said == f"\0{USER}\0{PASSWORD}".encode()
        await self._say("235 2.7.0 welcome" if good else "535 5.7.8 wrong credentials")
        return good

    async def _data(self) -> bool:
        await self._say("354 go on")
        raw = (await self._reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
        fault = self._relay.fault
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "cut":
            return False
        if self._relay.message_refused:
            await self._say(self._relay.message_refused)
            return True
        self._relay.taken.append(Mail(self._sender, self._recipient, raw))
        if fault == "lost":
            return False
        await self._say(f"250 2.0.0 Ok: queued as SIM{len(self._relay.taken):05}")
        return True

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
