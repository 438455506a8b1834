"""HTTP: endpoints as data, one ASGI shell around each, one renderer of refusals.

An `Endpoint` says everything about a call: address, who may, what it takes and gives. The
shell authenticates, authorises, decodes strictly and encodes; the OpenAPI document is made
from the same list. Handlers see typed structs only.
"""

import asyncio
import hmac
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import errors, log
from server.auth import COOKIE, Authenticator, Principal, csrf_of

LOGGER = log.get("web")
SMALL_BODY = 64 * 1024
SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(self), camera=(self), microphone=()"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; manifest-src 'self'; worker-src 'self'; font-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
JSON_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
PROBLEM_HEADERS = [
    (b"content-type", b"application/problem+json"),
    (b"cache-control", b"no-store"),
]
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint without query parameters."""


@dataclass(slots=True)
class Call:
    """What a handler gets. `who` is None only on public endpoints; body and query are structs
    of the types the endpoint declares."""

    who: Principal | None
    path: dict[str, str]
    query: Any
    body: Any
    headers: dict[bytes, bytes]
    token: str | None
    auth: Authenticator
    client: str = ""  # the peer's address
    target: str = ""  # path and query as they came: what some gateways sign

    @property
    def me(self) -> Principal:
        """The caller of an endpoint that is not public."""
        assert self.who is not None  # noqa: S101 - the shell has authenticated
        return self.who

    def uuid(self, name: str) -> uuid.UUID:
        """A path parameter as UUID. Raises NotFound: no such thing can exist."""
        try:
            return uuid.UUID(self.path[name])
        except ValueError:
            raise errors.NotFound("No such record.") from None


@dataclass(slots=True)
class Reply:
    """A handler's answer: a struct (encoded as JSON), or raw bytes, or an ASGI response."""

    status: int
    value: Any = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    app: ASGIApp | None = None


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class Endpoint:
    """One call of the API. `action` is a key of auth.ALLOWED, or None for public.

    `decode` replaces the strict decoder of `body` where one type can't say what is taken; it
    gets the raw bytes, answers for NULs and raises Problem. `lenient` endpoints must take
    anything: panics. After `within_s` seconds, the sending of the body aside, the caller is told
    to send it again, whatever is stuck.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    action: str | None
    replies: dict[int, Any]
    body: Any = None
    query: type[msgspec.Struct] = NoQuery
    body_limit: int = SMALL_BODY
    decode: Callable[[bytes], Any] | None = None
    lenient: bool = False
    media: str = "application/json"
    within_s: float = 30.0


class Shell:
    """The ASGI application of all endpoints that share one path."""

    def __init__(self, endpoints: Sequence[Endpoint], auth: Authenticator) -> None:
        self._path = endpoints[0].path  # as documented: an address may name a person
        self._by_method = {e.method: e for e in endpoints}
        self._auth = auth
        self._decoders: dict[str, Callable[[bytes], Any]] = {
            e.method: e.decode or msgspec.json.Decoder(e.body).decode for e in endpoints if e.body
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; every refusal goes through `answer_problem`."""
        request_id = uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request=request_id)
        line = _Line(send, request_id)
        try:
            reply = await self._serve(scope, receive, line)
            await _answer(reply, scope, receive, line, request_id)
        except errors.Problem as problem:
            await answer_problem(problem, line, request_id)
        except asyncio.CancelledError:
            if not line.late:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        except Exception:
            LOGGER.exception("unexpected", path=self._path, method=scope["method"])
            if not line.started:
                await _send_json(
                    line, 500, errors.unexpected(request_id), PROBLEM_HEADERS, request_id
                )
        finally:
            line.end()
            structlog.contextvars.clear_contextvars()

    async def _serve(self, scope: Scope, receive: Receive, line: "_Line") -> Reply:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = self._by_method.get(method)
        if endpoint is None:
            raise errors.MethodNotAllowed(f"Use {' or '.join(sorted(self._by_method))}.")
        line.run(endpoint.within_s)
        headers = dict(scope["headers"])
        token, by_cookie = _token(headers)
        who = await self._who(endpoint, token, by_cookie, headers)
        body: Any = None
        if endpoint.body is not None:
            left = line.hold()
            raw = await read_body(receive, headers, endpoint.body_limit)
            line.run(left)
            body = self._decode(endpoint, headers, raw)
        call = Call(
            who=who,
            path=_path(scope),
            query=_query(endpoint, scope),
            body=body,
            headers=headers,
            token=token,
            auth=self._auth,
            client=(scope.get("client") or ("",))[0],
            target=_target(scope),
        )
        return await endpoint.handler(call)

    async def _who(
        self, endpoint: Endpoint, token: str | None, by_cookie: bool, headers: dict[bytes, bytes]
    ) -> Principal | None:
        if endpoint.action is None:
            return None
        if token is None:
            raise errors.Unauthenticated("Send Authorization: Bearer TOKEN, or sign in.")
        who = await self._auth.principal(token)
        if by_cookie != (who.kind == "session"):
            raise errors.Unauthenticated("A session is used by its cookie, a token as Bearer.")
        if by_cookie and endpoint.method != "GET":
            check_csrf(token, headers)
        await self._auth.authorize(who, endpoint.action)
        return who

    def _decode(self, endpoint: Endpoint, headers: dict[bytes, bytes], raw: bytes) -> Any:
        media = headers.get(b"content-type", b"")
        if not endpoint.lenient and not media.startswith(b"application/json"):
            raise errors.WrongMediaType("Send the body as Content-Type: application/json.")
        try:
            body = self._decoders[endpoint.method](raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            if isinstance(error, msgspec.MsgspecError):
                raise errors.from_decoding(error) from None
            raise errors.Malformed("The body is not valid JSON text in UTF-8.") from None
        if b"\\u0000" in raw and endpoint.decode is None:
            _refuse_nul(msgspec.json.decode(raw))
        return body


class _Line:
    """The way back to one caller: for the handler's answer, or for a 503 once its time is up.

    Then the handler is cancelled and nothing more is sent; the caller's repeat finds out what
    became of it.
    """

    def __init__(self, send: Send, request_id: str) -> None:
        self.started = False
        self.late = False
        self._send = send
        self._request_id = request_id
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._giving_up: asyncio.Task[None] | None = None

    async def __call__(self, message: Message) -> None:
        if not self.late:
            self.started = True
            await self._send(message)

    def run(self, seconds: float) -> None:
        """Lets the time run: so many seconds are left."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def hold(self) -> float:
        """Stops the time; returns the seconds that were left."""
        if self._timer is None:
            return 0.0
        self._timer.cancel()
        return max(0.0, self._timer.when() - asyncio.get_running_loop().time())

    def end(self) -> None:
        """The handler is done: nothing is left to be cancelled."""
        self.hold()
        self._task = None

    def _expire(self) -> None:
        if not self.started:
            self.late = True
            self._giving_up = asyncio.create_task(self._give_up(), name="late answer")

    async def _give_up(self) -> None:
        LOGGER.warning("request_late", request=self._request_id)
        problem = errors.Unavailable("This takes too long just now. Send it again.")
        await answer_problem(problem, self._send, self._request_id)
        if self._task is not None:
            self._task.cancel()


def check_csrf(token: str, headers: dict[bytes, bytes]) -> None:
    """Raises Forbidden unless the request carries the session's CSRF token."""
    given = headers.get(b"x-csrf-token", b"")
    if not hmac.compare_digest(given, csrf_of(token).encode()):
        raise errors.Forbidden("Send the session's token as X-CSRF-Token.", code="csrf")


def plausible(path: str, moment: datetime | None) -> None:
    """Raises BadInput for a time no clock could honestly show: outside 2000 to 2100."""
    if moment is not None and not _EARLIEST <= moment < _LATEST:
        raise errors.refuse_field(path, "Give a time between the years 2000 and 2100.")


def _refuse_nul(value: Any, path: str = "") -> None:
    """Raises BadInput naming the first string with a NUL, which PostgreSQL can't hold."""
    if isinstance(value, str) and "\x00" in value:
        raise errors.refuse_field(path or "(body)", "Leave out the NUL character.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nul(key, f"{path}.{key}".strip("."))
            _refuse_nul(inner, f"{path}.{key}".strip("."))
    if isinstance(value, list):
        for n, inner in enumerate(value):
            _refuse_nul(inner, f"{path}[{n}]")


def _token(headers: dict[bytes, bytes]) -> tuple[str | None, bool]:
    """The token of a request, and whether it came as the session cookie."""
    given = headers.get(b"authorization")
    if given is not None:
        scheme, _, token = given.decode("latin-1").partition(" ")
        return (token.strip() or None, False) if scheme.lower() == "bearer" else (None, False)
    if b"cookie" not in headers:
        return None, False
    try:
        morsel = SimpleCookie(headers[b"cookie"].decode("latin-1")).get(COOKIE)
    except CookieError:
        return None, False
    return (morsel.value, True) if morsel else (None, False)


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return (path + b"?" + query if query else path).decode("latin-1")


def _path(scope: Scope) -> dict[str, str]:
    """What an address names. Raises NotFound for a NUL: no record can have it."""
    named: dict[str, str] = scope.get("path_params", {})
    if any("\x00" in value for value in named.values()):
        raise errors.NotFound("No such record.")
    return named


def _query(endpoint: Endpoint, scope: Scope) -> Any:
    raw = scope.get("query_string", b"")
    if endpoint.query is NoQuery:
        return None
    values = dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace"))
    if any("\x00" in v for v in values.values()):
        raise errors.refuse_field("(query)", "Leave out the NUL character.")
    try:
        return msgspec.convert(values, endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise errors.from_decoding(error) from None


async def read_body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    """The whole body. Raises TooLarge above `limit` bytes, as early as it shows."""
    declared = headers.get(b"content-length", b"0")
    too_large = errors.TooLarge(f"The most this address takes is {limit} bytes.")
    if not declared.isdigit() or int(declared) > limit:
        raise too_large
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_large
    return body


async def _answer(
    reply: Reply, scope: Scope, receive: Receive, send: Send, request_id: str
) -> None:
    if reply.app is not None:
        await reply.app(scope, receive, send)
        return
    if reply.value is None:
        await _send_raw(send, reply.status, b"", reply.headers, request_id)
        return
    headers = reply.headers if _has_type(reply.headers) else [*JSON_HEADERS, *reply.headers]
    await _send_json(send, reply.status, reply.value, headers, request_id)


def _has_type(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" for name, _ in headers)


async def answer_problem(problem: errors.Problem, send: Send, request_id: str) -> None:
    """The one renderer of refusals."""
    headers = [*PROBLEM_HEADERS, *problem.headers()]
    await _send_json(send, problem.status, problem.body(), headers, request_id)


async def _send_json(
    send: Send, status: int, value: Any, headers: list[tuple[bytes, bytes]], request_id: str
) -> None:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    await _send_raw(send, status, body, headers, request_id)


async def _send_raw(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]], request_id: str
) -> None:
    own = [(b"content-length", str(len(body)).encode()), (b"x-request-id", request_id.encode())]
    all_headers = [*headers, *own, *SECURITY_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


def path_parameters(path: str) -> list[str]:
    """The names in braces of an endpoint's path, in order."""
    return re.findall(r"{(\w+)}", path)
