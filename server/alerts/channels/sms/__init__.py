"""SMS: texts to people whom no push reaches, over the routes of the settings.

A route answers that it took a text; whether it arrived is told later by its delivery report.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import msgspec

from server import log
from server.alerts.channels import Carried, Health, Outcome, Push, held, permanent, transient
from server.alerts.channels.sms.letters import REPORT_WINDOW_S, Letter, Posted
from server.alerts.channels.sms.routes import Fleet, Wish, rank_of
from server.alerts.channels.sms.shapes import post, read
from server.alerts.channels.wording import text
from server.alerts.segments import segments
from server.errors import Unavailable
from server.texting import SmsRoute

LOGGER = log.get("sms")
REQUEST_S = 8.0
CONNECT_S = 3.0
DEFAULT_VALID_S = 24 * 3600.0
LEARN_EVERY_S = 5.0
MOST_PARTS = 10
_DAY_S = 86_400

Spent = Callable[[], Awaitable[dict[str, int]]]


class SmsChannel:
    """Sends texts. One instance a process: it holds connections, rates and health of routes."""

    name = "sms"

    def __init__(
        self,
        routes: tuple[SmsRoute, ...],
        public_url: str,
        spent: Spent | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spent` gives each route's spending of this day in micros, from the record."""
        self.fleet = Fleet(routes, clock)
        self._public_url = public_url.rstrip("/")
        self._spent = spent
        self._clock = clock
        self._learn_at = clock()
        self._learning = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    def held_s(self) -> float:
        """Never: a route that rests holds back its own texts only."""
        return 0.0

    def wait_s(self) -> float:
        """Never, as above: `send` holds a text back itself."""
        return 0.0

    def health(self) -> dict[str, Health]:
        """Each route: its circuit, its cap, its rate."""
        return self.fleet.health()

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, push: Push) -> Outcome:
        """One try over one route; held where none has room. What is too late is not sent."""
        valid_s = lifetime_s(push.expires_at)
        if valid_s <= 0:
            return held("the alert's time is over", 60.0)
        words = text(push.language, push.line, push.exercise, push.purpose, push.code)
        size = segments(words)
        if size.count > MOST_PARTS:
            return permanent(f"the text takes {size.count} messages, more than {MOST_PARTS}")
        await self._learn()
        urgent = push.severity == "life_safety" or push.lane == 0
        rank = rank_of(push.lane, push.purpose)
        choice = self.fleet.choose(Wish(push.address, size.count, urgent, rank))
        if choice.route is None:
            never = choice.wait_s == float("inf")
            return permanent(choice.why) if never else held(choice.why, choice.wait_s)
        letter = Letter(
            push.address, words, size.encoding, valid_s, push.delivery_id, self._public_url
        )
        outcome = await self._try(choice.route, letter)
        return self._noted(choice.route, push.address, size.count, outcome)

    async def _try(self, route: SmsRoute, letter: Letter) -> Outcome:
        try:
            answer = await self._post(post(route, letter))
        except aiohttp.ClientConnectorError as error:
            return transient(f"no connection to SMS route {route.name}: {type(error).__name__}")
        except aiohttp.ConnectionTimeoutError:
            return transient(f"no connection to SMS route {route.name}: it does not answer")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = f"no answer from SMS route {route.name}: {type(error).__name__}"
            return Outcome("unknown", reason=reason, retry_after=REPORT_WINDOW_S)
        return read(route, *answer)

    async def _post(self, posted: Posted) -> tuple[int, bytes, float | None]:
        """Status, body and Retry-After of the gateway's answer. Redirects are not followed."""
        async with self._pool().request(
            posted.method,
            posted.url,
            params=posted.params or None,
            data=posted.data,
            headers=posted.headers,
            allow_redirects=False,
        ) as response:
            raw = await response.content.read(65_536)
            return response.status, raw, _seconds(response.headers.get("Retry-After"))

    def _noted(self, route: SmsRoute, number: str, parts: int, outcome: Outcome) -> Outcome:
        """Tells the fleet what came of it, and the record what it cost."""
        circuit = self.fleet.way(route.name).circuit
        if outcome.kind in ("accepted", "permanent"):
            circuit.succeeded()
        else:
            LOGGER.warning("route_failed", route=route.name, reason=outcome.reason)
            circuit.failed(outcome.retry_after if outcome.kind == "transient" else None)
        if outcome.kind in ("accepted", "unknown"):
            price = parts * route.price_micro
            carried = Carried(route.name, parts, price, route.currency)
            return msgspec.structs.replace(outcome, carried=carried)
        self.fleet.unsent(route.name, number, parts)
        # the route rests as long as it asked; the text itself may go another way at once
        return msgspec.structs.replace(outcome, retry_after=None)

    async def _learn(self) -> None:
        """Reads the day's spending now and then; without a database what is known stands."""
        if self._spent is None:
            return
        async with self._learning:  # at the start nothing goes out before the record is read
            if self._clock() < self._learn_at:
                return
            self._learn_at = self._clock() + LEARN_EVERY_S
            try:
                self.fleet.spent(int(time.time() // _DAY_S), await self._spent())
            except Unavailable:
                LOGGER.warning("spending_not_read")

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=75),
                timeout=aiohttp.ClientTimeout(total=REQUEST_S, sock_connect=CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def lifetime_s(expires_at: datetime | None) -> float:
    """Seconds for which the network may still try; 0 or less: too late. A late "move now"
    can kill."""
    if expires_at is None:
        return DEFAULT_VALID_S
    return (expires_at - datetime.now(UTC)).total_seconds()


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, min(float(retry_after or ""), 3600.0))
    except ValueError:
        return None
