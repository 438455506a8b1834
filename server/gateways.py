"""Requests of gateways, delivery reports and texts alike: whether they are genuine. Pure.

Each gateway proves itself in its own way; nothing is believed of a route without a secret.
"""

import base64
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec

from server.errors import Unauthenticated
from server.texting import REPORT_USER, SmsRoute
from server.web import Call


class Named(Protocol):
    """A configured route."""

    @property
    def name(self) -> str:
        """What its address ends with."""


Route = TypeVar("Route", bound=Named)


class Received(msgspec.Struct, frozen=True):
    """A request as it came. `url` is the public address with its query, headers are lower case."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    raw: bytes

    def form(self) -> list[tuple[str, str]]:
        """The body as form fields."""
        return parse_qsl(self.raw.decode("utf-8", "replace"), keep_blank_values=True)


def received(public_url: str, target: str, headers: Mapping[bytes, bytes], raw: bytes) -> Received:
    """A request to this server. `target`: path and query as they came."""
    query = target.partition("?")[2]
    fields = dict(parse_qsl(query, keep_blank_values=True, errors="replace"))
    return Received(public_url.rstrip("/") + target, fields, headers, raw)


class Doors(Generic[Route]):
    """Where the gateways of some configured routes send to."""

    def __init__(self, routes: Iterable[Route], public_url: str) -> None:
        self._routes = {r.name: r for r in routes}
        self._public_url = public_url

    def opened(self, call: Call) -> tuple[Route | None, Received]:
        """The route that a call's address names, if there is such a one, and the request."""
        request = received(self._public_url, call.target, call.headers, call.body or b"")
        return self._routes.get(call.path["route"]), request


def of_gateway(doors: Doors[SmsRoute], call: Call) -> tuple[SmsRoute, Received]:
    """The SMS route whose gateway made a call. Raises Unauthenticated for anybody else."""
    route, request = doors.opened(call)
    if route is None or not genuine(route, request):
        raise Unauthenticated("This is not signed by the gateway of a configured SMS route.")
    return route, request


def genuine(route: SmsRoute, request: Received) -> bool:
    """Whether the route's gateway sent this."""
    if not route.reporting:
        return False
    if route.kind == "twilio":
        return _same(request, b"x-twilio-signature", twilio_signature(route.reporting, request))
    if route.kind == "android":
        stamp = request.headers.get(b"x-timestamp", b"")
        wanted = hmac.new(route.reporting.encode(), request.raw + stamp, "sha256").hexdigest()
        return _same(request, b"x-signature", wanted)
    return by_password(request, route.reporting)


def by_password(request: Received, secret: str) -> bool:
    """Whether a request carries a secret: as the password of user `muster` (Basic), or as bearer
    token."""
    user = base64.b64encode(f"{REPORT_USER}:{secret}".encode()).decode()
    scheme, _, given = request.headers.get(b"authorization", b"").partition(b" ")
    wanted = user if scheme.lower() == b"basic" else secret
    return hmac.compare_digest(given.strip(), wanted.encode())


def twilio_signature(token: str, request: Received) -> str:
    """HMAC-SHA1 over the exact address and all fields of the form, by name."""
    fields = "".join(name + value for name, value in sorted(request.form()))
    made = hmac.new(token.encode(), (request.url + fields).encode(), "sha1")
    return base64.b64encode(made.digest()).decode()


def _same(request: Received, header: bytes, wanted: str) -> bool:
    return hmac.compare_digest(request.headers.get(header, b""), wanted.encode())


def decoded(raw: bytes) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}


def loose(raw: bytes) -> Any:
    """JSON as strictly as it is written, else as anybody reads it: half a surrogate or a NaN in
    some field is no reason to refuse a call for help. Raises DecodeError where it is none."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        strict = error
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise msgspec.DecodeError(str(strict)) from strict
