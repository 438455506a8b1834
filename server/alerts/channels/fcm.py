"""FCM HTTP v1: pyfcm for payload, endpoint and credentials; one pooled aiohttp session sends.

FCM is best effort: a 200 means accepted by Google, never delivered. It has no idempotency key,
so `delivery_id` rides in the data and the phone deduplicates. What errors mean is read from
the `FcmError` detail alone; a status or a text misleads (a 404 may be a missing project).
"""

import asyncio
import functools
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import google.auth.transport.requests
import msgspec
from google.auth.exceptions import GoogleAuthError
from pyfcm.baseapi import BaseAPI
from pyfcm.errors import FCMError

from server import log
from server.alerts.channels import (
    Health,
    Outcome,
    Push,
    accepted,
    endpoint_dead,
    permanent,
    transient,
    unknown,
)
from server.alerts.channels.gate import Gate
from server.alerts.channels.pacing import Bucket, Circuit, health_of
from server.alerts.channels.wording import notification

LOGGER = log.get("fcm")
MOST_BYTES = 4096
LONGEST_TTL_S = 2_419_200  # FCM's own limit: four weeks
DEFAULT_TTL_S = 24 * 3600  # an alert without an end: a day later its push is only noise
REQUEST_S = 10.0
REFRESH_S = 10.0
PER_S = 8000.0  # FCM allows a project 600,000 a minute
BURST_S = 0.1  # so much of a second's rate may go out at once
FAILURES = 20  # unanswered in a row: one provider's silence holds so many connections at a time
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0
REFRESH_EARLY_S = 300.0  # google-auth itself calls a token stale that long before its end
_NO_WORD = re.compile(r"[^A-Z_]")  # a provider's words go on record, so only words may
_FCM_ERROR = "google.firebase.fcm.v1.FcmError"


class _Fault(msgspec.Struct, frozen=True):
    status: str = ""
    details: list[dict[str, Any]] = []

    def code(self) -> str | None:
        """FCM's own error code, where there is one."""
        for detail in self.details:
            if str(detail.get("@type", "")).endswith(_FCM_ERROR):
                return str(detail.get("errorCode", ""))
        return None


class _Answer(msgspec.Struct, frozen=True):
    name: str | None = None
    error: _Fault = _Fault()


_DECODER = msgspec.json.Decoder(_Answer)


class FcmChannel(BaseAPI):  # type: ignore[misc]
    """Sends to FCM. One instance a process: it holds the connections, the token and the gate."""

    name = "fcm"

    def __init__(
        self, credentials: Path, base_url: str, connections: int, per_s: float = PER_S
    ) -> None:
        """`per_s` messages a second at most, of all workers together (`share`).

        Raises FCMError or ValueError for a credentials file that is none.
        """
        super().__init__(service_account_file=str(credentials))
        self.FCM_END_POINT_BASE = base_url.rstrip("/")
        self._url = self.fcm_end_point
        self._connections = connections
        self._gate = Gate()
        self._answered_at = 0.0
        self._circuit = Circuit(time.monotonic, FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._per_s = per_s
        self._bucket = Bucket(per_s, per_s * BURST_S, time.monotonic)
        self._session: aiohttp.ClientSession | None = None
        self._token: str | None = None
        self._token_ends = 0.0
        self._refreshing: asyncio.Task[None] | None = None

    def held_s(self) -> float:
        """Seconds until FCM wants to hear of us again."""
        return max(self._gate.held_s(), self._circuit.wait_s())

    def wait_s(self) -> float:
        """Seconds before the next try may be asked for; 0 lets one pass."""
        wait = self._circuit.wait_s() or self._bucket.wait_s() or self._gate.wait_s()
        if wait == 0:
            self._bucket.take(1)
            self._circuit.used()
        return wait

    def share(self, workers: int) -> None:
        """So many workers send for this project: each takes its part of the rate."""
        part = self._per_s / max(workers, 1)
        self._bucket.pace(part, part * BURST_S)

    def health(self) -> dict[str, Health]:
        """What holds it back, if anything does."""
        return {"": health_of(self._circuit, self._gate, self._bucket)}

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, push: Push) -> Outcome:
        """One try; a refused access token is renewed and the try repeated once."""
        body = payload(self, push)
        if body is None:
            return permanent("the message is over FCM's 4,096 bytes")
        outcome = await self._try(body)
        if outcome is None:
            outcome = await self._try(body) or transient("FCM refuses our credentials", 30.0)
        return outcome

    async def _try(self, body: bytes) -> Outcome | None:
        """One request. None where the access token was refused and has been dropped."""
        try:
            token = await self._access_token()
        except (FCMError, GoogleAuthError, TimeoutError, OSError) as error:
            self._gate.refused(None)
            self._circuit.failed()
            return transient(f"no access token from Google: {type(error).__name__}")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        began = time.monotonic()
        try:
            async with self._pool().post(self._url, data=body, headers=headers) as response:
                raw = await response.read()
        except aiohttp.ClientConnectorError as error:
            self._gate.refused(None)  # never reached them, so nothing was taken
            self._circuit.failed()
            return transient(f"no connection to FCM: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if began > self._answered_at:  # who has answered others since is there
                self._circuit.failed()
            return unknown(f"no answer from FCM: {type(error).__name__}")
        return self._judge(response.status, raw, _retry_after(response.headers), token)

    def _judge(
        self, status: int, raw: bytes, retry_after: float | None, token: str
    ) -> Outcome | None:
        answer = _decode(raw)
        self._answered_at = time.monotonic()
        self._circuit.succeeded()  # it answers; what a refusal asks for is the gate's to keep
        if status == 429 or status >= 500:
            self._gate.refused(retry_after)
            return transient(_reason(status, answer), retry_after)
        self._gate.taken()
        if status == 200:
            if answer is None or not answer.name or "\x00" in answer.name:
                return unknown("FCM's answer could not be read")
            return accepted(answer.name[:300])
        if status == 401 and (answer is None or answer.error.code() is None):
            self._drop(token)
            return None
        return refusal(status, answer)

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=75),
                timeout=aiohttp.ClientTimeout(total=REQUEST_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _access_token(self) -> str:
        """The current access token; one refresh at a time, in a thread, shared by all."""
        if self._token is None or time.time() > self._token_ends - REFRESH_EARLY_S:
            if self._refreshing is None:
                self._refreshing = asyncio.create_task(self._refresh(), name="FCM access token")
                self._refreshing.add_done_callback(_consume)
            usable = self._token is not None and time.time() < self._token_ends
            if not usable:
                async with asyncio.timeout(REFRESH_S + 1):
                    await asyncio.shield(self._refreshing)
        if self._token is None:
            raise TimeoutError("the access token was refused again meanwhile")
        return self._token

    async def _refresh(self) -> None:
        try:
            self._token = await asyncio.to_thread(self._get_access_token)
            expiry: datetime | None = self.credentials.expiry  # naive, in UTC
            ends = expiry.replace(tzinfo=UTC).timestamp() if expiry else time.time() + 1800
            # a lifetime shorter than our margin must not make every send refresh
            self._token_ends = max(ends, time.time() + REFRESH_EARLY_S + 5)
        except Exception as error:
            LOGGER.warning("access_token_refused", kind=type(error).__name__)
            raise
        finally:
            self._refreshing = None

    def _get_access_token(self) -> str:
        """pyfcm's own, with a deadline: google-auth's default is two minutes."""
        request = functools.partial(google.auth.transport.requests.Request(), timeout=REFRESH_S)
        self.credentials.refresh(request)
        return str(self.credentials.token)

    def json_dumps(self, data: Any) -> bytes:
        """pyfcm's hook for encoding; its own takes as long as all the rest of a message."""
        return msgspec.json.encode(data)

    def _drop(self, token: str) -> None:
        if self._token == token:
            self._token = None


def _consume(task: asyncio.Task[None]) -> None:
    """Marks a refresh's failure as seen: whoever needs a token meets it by himself."""
    if not task.cancelled():
        task.exception()


def payload(api: BaseAPI, push: Push) -> bytes | None:
    """The request's body; None if it is larger than FCM takes.

    It carries opaque ids and a neutral line, or the line the operator wrote for lock screens.
    """
    title, body = notification(push.language, push.line, push.exercise, push.purpose)
    data = push.ids
    used = sum(len(k.encode()) + len(v.encode()) for k, v in data.items())
    if used + len(title.encode()) + len(body.encode()) > MOST_BYTES - 64:
        return None
    ttl = lifetime_s(push.expires_at)
    made: bytes = api.parse_payload(
        fcm_token=push.address,
        notification_title=title,
        notification_body=body,
        data_payload=data,
        android_config=_android(push, ttl),
        apns_config=_apns(push, ttl),
        webpush_config={"headers": {"TTL": str(ttl), "Urgency": "high"}},
    )
    return made


def lifetime_s(expires_at: datetime | None) -> int:
    """How long FCM may keep trying: until the alert ends. A late "move now" can kill."""
    if expires_at is None:
        return DEFAULT_TTL_S
    left = (expires_at - datetime.now(UTC)).total_seconds()
    return int(min(max(left, 0), LONGEST_TTL_S))


def _android(push: Push, ttl: int) -> dict[str, Any]:
    return {
        "priority": "high",
        "ttl": f"{ttl}s",
        "notification": {"channel_id": push.severity, "tag": str(push.thread)},
    }


def _apns(push: Push, ttl: int) -> dict[str, Any]:
    loud = {"critical": 1, "name": "default", "volume": 1.0}
    return {
        "headers": {
            "apns-priority": "10",
            "apns-expiration": str(int(time.time()) + ttl),
            "apns-collapse-id": str(push.thread),
        },
        "payload": {"aps": {"sound": loud if push.severity == "life_safety" else "default"}},
    }


def refusal(status: int, answer: _Answer | None) -> Outcome:
    """What a 4xx other than 429 means. Only 404 with UNREGISTERED says that the token is dead."""
    code = None if answer is None else answer.error.code()
    reason = _reason(status, answer)
    if status == 404 and code == "UNREGISTERED":
        return endpoint_dead("the app is gone from this device (UNREGISTERED)")
    if code == "SENDER_ID_MISMATCH":
        return permanent("the device's token belongs to another Firebase project")
    if status == 400:
        return permanent(reason)
    # no project, no permission, Apple's key refused: ours to mend, and no fault of the message
    return transient(reason, 30.0)


def _reason(status: int, answer: _Answer | None) -> str:
    if answer is None:
        return f"FCM answered {status}"
    word = answer.error.code() or answer.error.status
    return f"FCM answered {status} {_NO_WORD.sub('', word)[:60]}".rstrip()


def _decode(raw: bytes) -> _Answer | None:
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _retry_after(headers: Any) -> float | None:
    """Seconds of a Retry-After header; its rare date form counts as absent."""
    try:
        return max(0.0, min(float(headers.get("Retry-After", "")), 3600.0))
    except ValueError:
        return None
