"""Pushes: the real sender against the same bytes posted by hand, and against two libraries.

The sender's side is all of it: rows claimed, messages made, sent, outcomes written, and the
clock stops when the last outcome is on record. The others read nothing and write nothing.
All send to one stand-in process, in turns; the ratio is that of the medians.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import aiohttp
import uvloop
from pyfcm import FCMNotification

from clients.simulator.measure import access_token
from loadtests.harness import Bench, Figure
from loadtests.pushing import Fcm, Outbox, fcm, outbox
from server.alerts.channels import Push
from server.alerts.channels.fcm import FcmChannel, payload
from server.alerts.sender import Sender

MESSAGES = 3_500  # a round, so 10,500 deliveries of one alert at each latency
CONNECTIONS = 250  # more than the default: at 100 ms a connection carries 10 a second
FEW = 2_000
FEW_CONNECTIONS = 100  # as many as firebase-admin opens
LATENCY_MS = 100
ROUNDS = 3
ROUND_S = 6.0  # a library begins no other batch after that
_FIREBASE_BATCH = 250  # its limit is 500, which is no faster and takes a round too long
Way = Callable[[], Awaitable[float]]


async def against_raw(bench: Bench) -> list[Figure]:
    """push_vs_raw_aiohttp, without latency and with 100 ms of it."""
    async with outbox(bench, MESSAGES) as box, fcm() as provider:
        sender = _sending(box, provider, MESSAGES, CONNECTIONS)
        return await _at_latencies(
            "push_vs_raw_aiohttp", provider, sender, Raw(provider, MESSAGES).send
        )


async def against_pyfcm(bench: Bench) -> list[Figure]:
    """push_vs_pyfcm_async: pyfcm's call for many devices, as many messages a call as we have
    connections."""
    async with outbox(bench, FEW) as box, fcm() as provider:
        sender = _sending(box, provider, FEW, FEW_CONNECTIONS)
        rival = Pyfcm(provider, FEW)
        return await _at_latencies("push_vs_pyfcm_async", provider, sender, rival.send)


async def against_firebase(bench: Bench) -> list[Figure]:
    """push_vs_firebase_admin: send_each_async, 250 messages a call."""
    async with outbox(bench, FEW) as box, fcm() as provider:
        sender = _sending(box, provider, FEW, FEW_CONNECTIONS)
        rival = Firebase(provider, FEW)
        figures = await _at_latencies("push_vs_firebase_admin", provider, sender, rival.send)
        await rival.close()
    return figures


async def _at_latencies(name: str, provider: Fcm, sender: Way, rival: Way) -> list[Figure]:
    """The sender against a rival, with a provider that answers at once and one that does not."""
    figures = []
    for suffix, latency in (("", 0), (f"_{LATENCY_MS}ms", LATENCY_MS)):
        await provider.latency(latency)
        rates = await _in_turns({"sender": sender, "rival": rival})
        figures.append(Figure(f"{name}{suffix}", rates["sender"], "pushes/s", rates["rival"]))
    return figures


async def _in_turns(ways: dict[str, Way]) -> dict[str, float]:
    """The median rate of each way; each returns its own, of one round."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            rates[name].append(await way())
    return {name: statistics.median(found) for name, found in rates.items()}


def _sending(box: Outbox, provider: Fcm, messages: int, connections: int) -> Way:
    """Rounds of the real sender: from its start until the last outcome is on record."""

    async def send() -> float:
        await box.fill(messages)
        channel = FcmChannel(provider.credentials, provider.fcm_url, connections)
        sender = Sender(box.database, channel, connections)
        await channel._access_token()  # once an hour, and the others have theirs already
        started = time.perf_counter()
        running = asyncio.create_task(sender.run())
        await box.emptied()
        seconds = time.perf_counter() - started
        await sender.stop_claiming()
        await sender.finish()
        running.cancel()
        await asyncio.wait([running])
        return messages / seconds

    return send


def _pushes(count: int) -> Iterator[Push]:
    """What the sender sends, to other phones."""
    alert_id = uuid4()
    for _ in range(count):
        token = f"sim:{uuid4().hex}"
        yield Push(uuid4(), alert_id, token, "urgent", False, None, None, None)


async def _by_batch(
    messages: list[Any], size: int, send: Callable[[list[Any]], Awaitable[None]]
) -> float:
    """Sends a library's messages until all have gone or the round is over; messages a second."""
    done, started = 0, time.perf_counter()
    while done < len(messages) and time.perf_counter() - started < ROUND_S:
        batch = messages[done : done + size]
        await send(batch)
        done += len(batch)
    return done / (time.perf_counter() - started)


class Raw:
    """The bytes, made beforehand, posted by a bare loop on as many connections."""

    def __init__(self, provider: Fcm, count: int) -> None:
        api = FcmChannel(provider.credentials, provider.fcm_url, CONNECTIONS)
        self._url = api.fcm_end_point
        self._bodies = [payload(api, push) for push in _pushes(count)]
        token = access_token(provider.credentials)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def send(self) -> float:
        """One round; messages a second."""
        left = iter(self._bodies)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        jar = aiohttp.DummyCookieJar()
        started = time.perf_counter()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:

            async def post() -> None:
                for body in left:
                    async with session.post(self._url, data=body, headers=self._headers) as got:
                        await got.read()
                        if got.status != 200:
                            raise AssertionError(f"the stand-in answered {got.status}")

            await asyncio.gather(*(post() for _ in range(CONNECTIONS)))
        return len(self._bodies) / (time.perf_counter() - started)


class Pyfcm:
    """pyfcm as it comes. Its call makes an event loop of its own, so it runs in a thread."""

    def __init__(self, provider: Fcm, count: int) -> None:
        self._api = FCMNotification(service_account_file=str(provider.credentials))
        self._api.FCM_END_POINT_BASE = provider.fcm_url
        self._wanted = [_as_parameters(p) for p in _pushes(count)]

    async def send(self) -> float:
        """One round; messages a second."""
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # the loop that we have too
        return await _by_batch(self._wanted, FEW_CONNECTIONS, self._batch)

    async def _batch(self, wanted: list[Any]) -> None:
        call = self._api.async_notify_multiple_devices
        answers = await asyncio.to_thread(call, wanted, timeout=30)
        if not all("name" in answer for answer in answers):
            raise AssertionError("pyfcm was refused")


class Firebase:
    """firebase-admin as it comes, but for the address. HTTP/1.1: the stand-in has no TLS."""

    def __init__(self, provider: Fcm, count: int) -> None:
        import firebase_admin  # noqa: PLC0415 - half a second, and only this row needs it
        from firebase_admin import credentials, messaging  # noqa: PLC0415

        messaging._MessagingService.FCM_URL = f"{provider.fcm_url}/{{0}}/messages:send"
        account = credentials.Certificate(str(provider.credentials))
        self._app = firebase_admin.initialize_app(account, name=f"bench {uuid4()}")
        self._messaging = messaging
        self._messages = [_as_firebase(messaging, p) for p in _pushes(count)]

    async def send(self) -> float:
        """One round; messages a second. The access token is not its part."""
        await self._batch(self._messages[:1])
        return await _by_batch(self._messages, _FIREBASE_BATCH, self._batch)

    async def _batch(self, messages: list[Any]) -> None:
        answer = await self._messaging.send_each_async(messages, app=self._app)
        if answer.failure_count:
            raise AssertionError(f"firebase-admin: {answer.responses[0].exception}")

    async def close(self) -> None:
        """Closes its connections. Deleting the app would start a second event loop."""
        await self._messaging._get_messaging_service(self._app)._async_client.aclose()


def _as_parameters(push: Push) -> dict[str, Any]:
    """A push in pyfcm's words, with all that ours carries."""
    recorder = _Recorder()
    payload(recorder, push)  # type: ignore[arg-type]
    return recorder.parameters


class _Recorder:
    """Takes what our channel gives to pyfcm."""

    def parse_payload(self, **parameters: Any) -> bytes:
        self.parameters = parameters
        return b""


def _as_firebase(messaging: Any, push: Push) -> Any:
    """A push in firebase-admin's words, with all that ours carries."""
    said = _as_parameters(push)
    tag = str(push.alert_id)
    return messaging.Message(
        token=push.address,
        data=said["data_payload"],
        notification=messaging.Notification(said["notification_title"], said["notification_body"]),
        android=messaging.AndroidConfig(
            priority="high",
            ttl=int(said["android_config"]["ttl"].rstrip("s")),
            notification=messaging.AndroidNotification(channel_id=push.severity, tag=tag),
        ),
        apns=messaging.APNSConfig(
            headers=said["apns_config"]["headers"],
            payload=messaging.APNSPayload(messaging.Aps(sound="default")),
        ),
        webpush=messaging.WebpushConfig(headers=said["webpush_config"]["headers"]),
    )
