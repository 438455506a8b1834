"""How simulated phones hear of a push: from a stand-in here, or in another process."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp
import msgspec

from .fcm import FcmServer
from .hub import Push

_REGISTER = 5_000
_AGAIN_S = 1.0
# The stand-in sends an empty line every ten seconds.
_SILENCE_S = 35.0


class Pushes(Protocol):
    """Where phones register their tokens, and what hands them their pushes."""

    async def register(self, tokens: Sequence[str]) -> None:
        """Makes the tokens known; may be called again with more."""

    async def listen(self, function: Callable[[Push], None]) -> None:
        """Calls `function` for each push until it is cancelled."""


class LocalPushes:
    """From a stand-in in this process."""

    def __init__(self, fcm: FcmServer, project: str) -> None:
        self._fcm = fcm
        self._project = project
        self._function: Callable[[Push], None] | None = None

    async def register(self, tokens: Sequence[str]) -> None:
        """Makes the tokens known."""
        self._fcm.on_push(self._project, tokens, self._pass_on)

    async def listen(self, function: Callable[[Push], None]) -> None:
        """Calls `function` for each push until it is cancelled."""
        self._function = function
        try:
            await asyncio.Event().wait()
        finally:
            self._function = None

    def _pass_on(self, push: Push) -> None:
        if self._function is not None:
            self._function(push)


class RemotePushes:
    """From a stand-in at `url`, over one stream that is opened again if it breaks."""

    def __init__(self, url: str, project: str, group: str) -> None:
        self._url = url.rstrip("/")
        self._project = project
        self._group = group

    async def register(self, tokens: Sequence[str]) -> None:
        """Makes the tokens known, some thousands at a time."""
        async with aiohttp.ClientSession() as session:
            for start in range(0, len(tokens), _REGISTER):
                part = list(tokens[start : start + _REGISTER])
                body = {"project": self._project, "tokens": part, "group": self._group}
                async with session.post(f"{self._url}/_phones/register", json=body) as answer:
                    answer.raise_for_status()

    async def listen(self, function: Callable[[Push], None]) -> None:
        """Calls `function` for each push until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    await self._stream(session, function)
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(_AGAIN_S)

    async def _stream(
        self, session: aiohttp.ClientSession, function: Callable[[Push], None]
    ) -> None:
        params = {"group": self._group}
        async with session.get(f"{self._url}/_phones/stream", params=params) as stream:
            async for line in stream.content:
                if line.strip():
                    function(msgspec.json.decode(line, type=Push))


def pushes(fcm: FcmServer | str, project: str, group: str) -> Pushes:
    """The pushes of a stand-in, given as such or by its address."""
    if isinstance(fcm, str):
        return RemotePushes(fcm, project, group)
    return LocalPushes(fcm, project)
