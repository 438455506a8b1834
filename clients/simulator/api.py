"""How a phone talks to Muster: one pooled session, patient retries, its own errors."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any

import aiohttp
import msgspec

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class Patience(msgspec.Struct, frozen=True):
    """How long a phone keeps trying: `tries` None is for ever, as a real one does.

    The wait doubles from `first_s` to `longest_s`, give or take half; a Retry-After
    in an answer replaces it.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    tries: int | None = None


class ProblemError(Exception):
    """Muster refused: `status`, `code` and the whole problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.code = problem.get("code")
        self.problem = problem

    @property
    def retryable(self) -> bool:
        """Whether to try again: a phone never drops an answer over a server's fault."""
        return self.status in RETRIED or self.problem.get("retryable") is True


class UnreachableError(Exception):
    """Patience ran out without an answer; the outcome is unknown."""


class Api:
    """A Muster server as its clients see it. Use as an async context manager.

    `connections` bounds both the sockets and the requests under way, so that thousands
    of phones wait here and not inside a request's timeout. `counts` has requests,
    retries, broken connections and answers by status.
    """

    def __init__(
        self,
        base_url: str,
        connections: int = 100,
        patience: Patience | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.counts: Counter[str] = Counter()
        self._patience = patience or Patience()
        self._slots = asyncio.Semaphore(connections)
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Api":
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=75)
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: Callable[[], object] | None = None,
        rng: Random | None = None,
    ) -> Any:
        """The decoded JSON answer (None if empty).

        `body` is called again for each try, so that `sent_at` is that of the try.
        Raises ProblemError for a final refusal, UnreachableError when out of patience.
        """
        patience, tried = self._patience, 0
        while True:
            tried += 1
            wait_s: float | None = None
            try:
                return await self._once(method, path, token, body)
            except (aiohttp.ClientError, TimeoutError) as error:
                self.counts["broken"] += 1
                last: Exception = UnreachableError(str(error) or type(error).__name__)
            except _LaterError as later:
                wait_s, last = later.wait_s, later.problem
            if patience.tries is not None and tried >= patience.tries:
                raise last
            self.counts["retries"] += 1
            if wait_s is None:
                await self.pause(tried, rng)
            else:
                await asyncio.sleep(wait_s)

    async def pause(self, tried: int, rng: Random | None = None) -> None:
        """Waits as long as patience says after the `tried`th failure."""
        patience = self._patience
        wait = min(patience.first_s * 2.0 ** min(tried - 1, 30), patience.longest_s)
        await asyncio.sleep(wait * (rng or Random()).uniform(0.5, 1.5))

    async def _once(
        self,
        method: str,
        path: str,
        token: str | None,
        body: Callable[[], object] | None,
    ) -> Any:
        if self._session is None:
            raise RuntimeError("use the API inside `async with`")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._slots:
            self.counts["requests"] += 1
            data = None
            if body is not None:
                data = msgspec.json.encode(body())
                headers["Content-Type"] = "application/json"
            url = self.base_url + path
            async with self._session.request(method, url, data=data, headers=headers) as answer:
                content = await answer.read()
        self.counts[str(answer.status)] += 1
        if answer.status < 400:
            return msgspec.json.decode(content) if content else None
        raise _refusal(answer.status, content, answer.headers.get("Retry-After"))


class _LaterError(Exception):
    """The server asked to come again, after `wait_s` if it said when."""

    def __init__(self, problem: ProblemError, wait_s: float | None) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.wait_s = wait_s


def _refusal(status: int, content: bytes, retry_after: str | None) -> Exception:
    try:
        problem = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.MsgspecError:
        problem = {"detail": "the answer is no problem document"}
    error = ProblemError(status, problem)
    return _LaterError(error, seconds(retry_after)) if error.retryable else error


def seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds, written as a number or as a date; None if neither."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
