"""A stand-in for an operator's SMS centre on loopback: SMPP 3.4, and the phones behind it.

    async with SmsCentre() as centre:
        centre.port                            # where an SMPP client binds to, as transceiver
        centre.texts                           # what phones got, long texts put together, in order
        centre.says = "UNDELIV"                # what receipts say from now on; None: nothing
        await centre.originate("+254700000001", "4670", "SAFE")    # a phone texts the client

Receipts are sent where one was asked for, after the answer, as a centre does. Any user may bind.
"""

import asyncio
import itertools
import struct
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from gsm0338 import Codec

_BIND, _SUBMIT, _DELIVER, _UNBIND, _ENQUIRE = 0x09, 0x04, 0x05, 0x06, 0x15
_ANSWER, _GENERIC_NACK, _UNKNOWN_COMMAND = 0x80000000, 0x80000000, 0x03
_INTERNATIONAL = 1
_UDHI, _RECEIPT = 0x40, 0x04  # bits of esm_class: the text begins with a header; it is a receipt
_ASKED = 0x03  # of registered_delivery: a receipt, or one for failures only
_GSM, _UCS2 = 0x00, 0x08
_GSM_PART, _UCS2_PART = 153, 134  # octets of a part that has a header
_LARGEST = 64 * 1024
_CODEC = Codec()


class Text(msgspec.Struct, frozen=True):
    """One text as a phone shows it. `coding` is GSM-7 or UCS-2, `valid` the period asked for."""

    number: str
    sender: str
    text: str
    coding: str
    parts: int
    valid: str


class _Message(msgspec.Struct, frozen=True):
    """The body of submit_sm and deliver_sm, as far as it matters here."""

    sender: str
    number: str
    esm_class: int
    valid: str
    registered: int
    coding: int
    octets: bytes


class _Wires:
    """One connection: frames in, frames out, sequence numbers of our own requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[int]] = {}

    async def read(self) -> tuple[int, int, int, bytes]:
        """Command, status, sequence and body of the next frame."""
        head = await self._reader.readexactly(16)
        size, command, status, number = struct.unpack(">IIII", head)
        if not 16 <= size <= _LARGEST:
            raise ConnectionError("this is no SMPP")
        return command, status, number, await self._reader.readexactly(size - 16)

    def write(self, command: int, number: int, body: bytes = b"", status: int = 0) -> None:
        """Sends one frame."""
        self.writer.write(struct.pack(">IIII", 16 + len(body), command, status, number) + body)

    async def ask(self, command: int, body: bytes) -> int:
        """Sends a request; the status of its answer."""
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        self.write(command, number, body)
        try:
            async with asyncio.timeout(10):
                return await self._asked[number]
        finally:
            del self._asked[number]

    def answered(self, number: int, status: int) -> None:
        """An answer to one of our requests has come."""
        waiting = self._asked.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(status)

    def end(self) -> None:
        """Cuts the connection; who waits for an answer learns it."""
        self.writer.transport.abort()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the SMPP connection ended"))


class SmsCentre:
    """The centre. `port` may be given, so that one that went away comes back in its place."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.texts: list[Text] = []
        self.submitted: Counter[str] = Counter()  # by number: parts that were taken
        self.says: str | None = "DELIVRD"
        self._halves: defaultdict[tuple[str, int], dict[int, _Message]] = defaultdict(dict)
        self._references = itertools.count(1)
        self._bound: list[_Wires] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "SmsCentre":
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def bound(self) -> bool:
        """Whether a client is there to take what phones send."""
        return bool(self._bound)

    async def originate(self, phone: str, to: str, text: str) -> None:
        """A phone's text to the client, in parts if it is long. Raises ConnectionError."""
        coding, parts = _split(text)
        reference = next(self._references) % 256
        for number, octets in enumerate(parts, 1):
            head = bytes([5, 0, 3, reference, len(parts), number]) if len(parts) > 1 else b""
            await self._deliver(phone, to, _UDHI if head else 0, coding, head + octets)

    async def _deliver(self, phone: str, to: str, esm: int, coding: int, octets: bytes) -> None:
        if not self._bound:
            raise ConnectionError("nobody is bound to this SMS centre")
        body = _packed(phone, to, esm, coding, octets)
        status = await self._bound[-1].ask(_DELIVER, body)
        if status != 0:
            raise ConnectionError(f"the client answered {status:#x}")

    # -- what a client asks

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wires, task = _Wires(reader, writer), asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._obey(wires):
                    await writer.drain()
        finally:
            wires.end()
            self._bound = [w for w in self._bound if w is not wires]
            self._tasks.discard(task)  # type: ignore[arg-type]

    async def _obey(self, wires: _Wires) -> bool:
        """Carries out one frame; whether the connection goes on."""
        command, status, number, body = await wires.read()
        if command & _ANSWER:
            wires.answered(number, status)
        elif command == _BIND:
            wires.write(_BIND | _ANSWER, number, b"centre\0")
            self._bound.append(wires)
        elif command == _SUBMIT:
            self._submitted(wires, number, _unpacked(body))
        elif command in (_ENQUIRE, _UNBIND):
            wires.write(command | _ANSWER, number)
        else:
            wires.write(_GENERIC_NACK, number, status=_UNKNOWN_COMMAND)
        return command != _UNBIND

    def _submitted(self, wires: _Wires, number: int, message: _Message) -> None:
        self.submitted[message.number] += 1
        own_id = f"{id(self):x}-{self.submitted.total()}"
        wires.write(_SUBMIT | _ANSWER, number, own_id.encode() + b"\0")
        self._arrived(message)
        if message.registered & _ASKED and self.says is not None:
            body = _receipt(message, own_id, self.says)
            task = asyncio.get_running_loop().create_task(self._report(wires, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _report(self, wires: _Wires, body: bytes) -> None:
        with suppress(ConnectionError, TimeoutError):
            await wires.ask(_DELIVER, body)

    def _arrived(self, message: _Message) -> None:
        """The phone shows the text when it has all its parts."""
        if not message.esm_class & _UDHI:
            self.texts.append(_shown([message]))
            return
        head = message.octets[: message.octets[0] + 1]
        reference, total, part = head[-3:]
        halves = self._halves[message.number, reference]
        halves[part] = msgspec.structs.replace(message, octets=message.octets[len(head) :])
        if len(halves) == total:
            del self._halves[message.number, reference]
            self.texts.append(_shown([halves[n] for n in sorted(halves)]))


def _shown(parts: list[_Message]) -> Text:
    first, octets = parts[0], b"".join(p.octets for p in parts)
    gsm = first.coding == _GSM
    text = _CODEC.decode(octets)[0] if gsm else octets.decode("utf-16-be")
    coding = "GSM-7" if gsm else "UCS-2"
    return Text(first.number, first.sender, text, coding, len(parts), first.valid)


def _split(text: str) -> tuple[int, list[bytes]]:
    """A phone's coding of a text, and its parts: one, or several with room for a header."""
    try:
        units, coding, part = [_CODEC.encode(c)[0] for c in text], _GSM, _GSM_PART
    except UnicodeEncodeError:
        units, coding, part = [c.encode("utf-16-be") for c in text], _UCS2, _UCS2_PART
    whole = b"".join(units)
    if len(whole) <= (160 if coding == _GSM else 140):
        return coding, [whole]
    parts = [b""]
    for unit in units:
        if len(parts[-1]) + len(unit) > part:
            parts.append(b"")
        parts[-1] += unit
    return coding, parts


def _packed(sender: str, number: str, esm: int, coding: int, octets: bytes) -> bytes:
    """The body of a deliver_sm: addresses, flags, no times, the text."""
    addresses = b"".join(_address(a) for a in (sender, number))
    flags = bytes([esm, 0, 0, 0, 0, 0, 0, coding, 0, len(octets)])
    return b"\0" + addresses + flags + octets


def _address(number: str) -> bytes:
    """Type of number, numbering plan, digits."""
    kind = _INTERNATIONAL if number.startswith("+") else 0
    return bytes([kind, 1]) + number.removeprefix("+").encode() + b"\0"


def _unpacked(body: bytes) -> _Message:
    """A submit_sm."""
    _, rest = _string(body)
    sender, rest = _number(rest)
    number, rest = _number(rest)
    esm_class, rest = rest[0], rest[3:]
    _, rest = _string(rest)
    valid, rest = _string(rest)
    registered, coding, size = rest[0], rest[2], rest[4]
    return _Message(sender, number, esm_class, valid, registered, coding, rest[5 : 5 + size])


def _number(rest: bytes) -> tuple[str, bytes]:
    digits, after = _string(rest[2:])
    return ("+" if rest[0] == _INTERNATIONAL else "") + digits, after


def _string(rest: bytes) -> tuple[str, bytes]:
    text, _, after = rest.partition(b"\0")
    return text.decode("latin-1"), after


def _receipt(message: _Message, own_id: str, says: str) -> bytes:
    """A receipt comes from the phone, to the sender, in the words of the specification."""
    now = datetime.now(UTC).strftime("%y%m%d%H%M")
    arrived = "001" if says == "DELIVRD" else "000"
    words = (
        f"id:{own_id} sub:001 dlvrd:{arrived} submit date:{now} done date:{now} stat:{says} "
        "err:000 text:"
    )
    return _packed(message.number, message.sender, _RECEIPT, _GSM, words.encode())
