"""Web Push (RFC 8030, 8291, 8292): pywebpush encrypts and signs, one pooled session sends.

201 means stored by the push service, never delivered. The subscription's address came from a
phone: only listed services are spoken to, and redirects are not followed.
"""

import base64
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
from pywebpush import WebPushException, webpush_async

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
from server.vapid import PushHosts, PushKey

REQUEST_S = 10.0
CONNECTIONS = 100
DEFAULT_TTL_S = 24 * 3600  # as with FCM: a day later an alert without an end is only noise
LONGEST_TTL_S = 2_419_200
DEAD = (404, 410)
_CLAIM_S = 12 * 3600  # RFC 8292 allows 24 hours


class _Subscription(msgspec.Struct, frozen=True):
    endpoint: str
    keys: dict[str, str]


class _Session:
    """The pooled session as pywebpush uses one; it never follows a redirect."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, url: str, *, timeout: Any = None, **more: Any) -> Any:  # noqa: ASYNC109
        """One request under the session's own deadline, the answer's body read."""
        response = await self._session.post(url, allow_redirects=False, **more)
        await response.read()
        return response


class WebPushChannel:
    """Sends to browsers' push services. One instance a process: connections and gates.

    Each service has a gate of its own: one that refuses holds up no other.
    """

    name = "webpush"

    def __init__(self, key: PushKey, contact: str, hosts: PushHosts) -> None:
        self._key = key
        self._contact = contact
        self._hosts = hosts
        self._gates: dict[str, Gate] = {}
        self._session: aiohttp.ClientSession | None = None

    def held_s(self) -> float:
        """Never: a service that wants nothing holds back its own messages only."""
        return 0.0

    def wait_s(self) -> float:
        """Never, as above: `send` answers for a closed gate itself."""
        return 0.0

    def health(self) -> dict[str, Health]:
        """The longest pause that one of the services has asked for."""
        pause = max((gate.held_s() for gate in self._gates.values()), default=0.0)
        return {"": Health(pause, "gate") if pause > 0 else Health()}

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, push: Push) -> Outcome:
        """One try."""
        try:
            where = msgspec.json.decode(push.address, type=_Subscription)
        except msgspec.MsgspecError:
            return permanent("the stored subscription cannot be read")
        if not self._hosts.allows(where.endpoint):
            return permanent("its push service is not among those this server speaks to")
        service = where.endpoint.split("/", 3)[2]
        gate = self._gates.setdefault(service, Gate())
        wait = gate.wait_s()
        if wait > 0:
            return transient("the push service asked for a pause", wait)
        return await self._try(where, push, gate)

    async def _try(self, where: _Subscription, push: Push, gate: Gate) -> Outcome:
        try:
            response = await webpush_async(
                subscription_info={"endpoint": where.endpoint, "keys": dict(where.keys)},
                data=payload(push),
                vapid_private_key=self._key.vapid,
                vapid_claims={"sub": self._contact, "exp": int(time.time()) + _CLAIM_S},
                ttl=lifetime_s(push.expires_at),
                headers={"Urgency": "high", "Topic": topic(push.thread)},
                aiohttp_session=self._pool(),
            )
        except WebPushException as error:
            return self._refused(error, gate)
        except aiohttp.ClientConnectorError as error:
            gate.refused(None)  # never reached them, so nothing was taken
            return transient(f"no connection to the push service: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return unknown(f"no answer from the push service: {type(error).__name__}")
        except (ValueError, TypeError, LookupError) as error:
            return permanent(f"the subscription's keys are no keys: {type(error).__name__}")
        gate.taken()
        location: str = getattr(response, "headers", {}).get("Location", "")
        return accepted(location.rsplit("/", 1)[-1][:200])

    def _refused(self, error: WebPushException, gate: Gate) -> Outcome:
        status = error.status_code
        if status is None:
            return permanent("the subscription cannot be used")
        if status == 429 or status >= 500:
            retry_after = _seconds(error.retry_after)
            gate.refused(retry_after)
            return transient(f"the push service answered {status}", retry_after)
        gate.taken()
        if status in DEAD:
            return endpoint_dead(f"the browser's subscription has ended ({status})")
        if status in (401, 403):
            return transient(f"the push service refuses our key ({status})", 30.0)
        return permanent(f"the push service answered {status}")

    def _pool(self) -> _Session:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=75),
                timeout=aiohttp.ClientTimeout(total=REQUEST_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return _Session(self._session)


def payload(push: Push) -> str:
    """Opaque ids alone: the service worker says the neutral line in the phone's own language."""
    return msgspec.json.encode(push.ids).decode()


def topic(thread: UUID) -> str:
    """A waiting push gives way to the next one about the same alert; at most 32 letters."""
    return base64.urlsafe_b64encode(thread.bytes).decode().rstrip("=")


def lifetime_s(expires_at: datetime | None) -> int:
    """How long the service may keep it: until the alert ends."""
    if expires_at is None:
        return DEFAULT_TTL_S
    left = (expires_at - datetime.now(UTC)).total_seconds()
    return int(min(max(left, 0), LONGEST_TTL_S))


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, min(float(retry_after or ""), 3600.0))
    except ValueError:
        return None
