"""Who is calling, and what they may do: decided here and nowhere else.

Tokens are random 256-bit strings kept as SHA-256. A principal found by one is remembered for
CACHE_S seconds, which bounds how long a revoked token can outlive its revocation in another
process; the process that revokes forgets it at once.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from uuid import UUID

import msgspec

from server.batch import Batcher
from server.db import Database
from server.errors import Forbidden, Unauthenticated
from server.supervise import every

CACHE_S = 5.0
SEEN_AT_ONCE = 1000  # tokens a transaction: each holds its rows for a moment only
CACHE_SIZE = 100_000
SESSION_IDLE_S = 12 * 3600.0
COOKIE = "muster_session"

_STAFF = frozenset({"admin", "operator"})
_READERS = _STAFF | {"auditor"}
_ANYONE = _READERS | {"warden", "device"}

# The whole permission table. A device whose person is a warden passes where "warden" does.
ALLOWED: dict[str, frozenset[str]] = {
    "session.read": _READERS | {"warden"},
    "operator.read": _READERS,
    "self": frozenset({"device"}),
    "checkin.report": _STAFF | {"warden", "device"},
    "receipt.give": frozenset({"device"}),
    "enrolment.issue": _STAFF | {"warden"},
    "person.read": _READERS | {"warden"},
    "person.write": _STAFF,
    "roster.import": frozenset({"admin"}),
    "area.read": _ANYONE,
    "tree.read": _READERS | {"warden"},
    "tree.history": _READERS,
    "branch.read": frozenset({"warden"}),
    "score.read": _READERS,
    "presence.read": _READERS | {"warden"},
    "presence.write": _STAFF | {"warden"},
    "tree.write": _STAFF,
    "alert.read": _ANYONE,
    "alert.open": _STAFF,
    "alert.steer": _STAFF,
    "alert.people": _STAFF | {"warden"},
    "alert.acknowledge": frozenset({"warden"}),
    "policy.read": _READERS,
    "policy.write": frozenset({"admin"}),
    "headcount.read": _READERS | {"warden"},
    "delivery.read": _READERS,
    "unreached.read": _READERS | {"warden"},
    "inbound.read": _READERS,
    "panic.raise": _STAFF | {"warden", "device"},
    "panic.own": frozenset({"device"}),
    "panic.read": _READERS | {"warden"},
    "panic.steer": _STAFF,
    "panic.export": _STAFF,
    "panic.settings.read": _READERS,
    "panic.settings.write": frozenset({"admin"}),
    "pin.reset": _STAFF,
    "help.read": _READERS,
    "help.close": _STAFF,
    "help.locate": _STAFF,
    "satellite.read": _READERS,
    "satellite.write": _STAFF,
    "watch.keep": _STAFF | {"warden", "device"},
    "watch.read": _ANYONE,
    "watch.steer": _STAFF,
    "watch.locate": _STAFF,
    "watch.dark": _READERS | {"warden"},
    "curfew.read": _READERS,
    "movement.read": _READERS | {"warden"},
    "movement.steer": _STAFF,
    "movement.plan": _STAFF,
    "movement.people": _STAFF | {"warden"},
    "movement.functions": _READERS,
    "movement.resolve": _STAFF,
    "movement.report": _STAFF | {"warden", "device"},
    "manifest.write": _STAFF,
    "code.issue": _STAFF | {"warden"},
    "checker.read": _READERS,
    "checker.name": _STAFF,
    "checker.list": frozenset({"device"}),
    "channel.read": _READERS,
    "phone.read": _READERS,
    "incident.read": _READERS,
    "incident.write": _STAFF,
    "stream.read": _READERS | {"warden"},
}


class Principal(msgspec.Struct, frozen=True):
    """One authenticated caller. `kind`: device, operator (API token) or session (console)."""

    kind: str
    operation_id: int
    role: str
    token_sha256: bytes
    person_id: int | None = None
    person_ref: str | None = None
    device_id: UUID | None = None
    operator_id: int | None = None
    area_id: int | None = None
    name: str | None = None

    @property
    def actor(self) -> str:
        """How records name this caller."""
        if self.kind == "device":
            return f"device:{self.device_id}"
        return f"operator:{self.operator_id}"


class Scope(msgspec.Struct, frozen=True):
    """What part of an operation a caller sees. All of the first three None: the whole of it.

    areas: an area-scoped operator's area ids, with all below. nodes and people: a warden's
    tree nodes and the person ids of her branch. silent: covert and duress panics are shown too,
    to admins and operators of the whole operation.
    """

    areas: tuple[int, ...] | None = None
    nodes: tuple[int, ...] | None = None
    people: frozenset[int] | None = None
    silent: bool = False

    @property
    def whole(self) -> bool:
        """True where nothing is hidden."""
        return self.areas is None and self.people is None

    def sees(self, person_id: int, area_id: int) -> bool:
        """Whether a person who is in an area is within this scope."""
        if self.areas is not None and area_id not in self.areas:
            return False
        return self.people is None or person_id in self.people

    def area_list(self) -> list[int] | None:
        """`areas` as a query argument."""
        return None if self.areas is None else list(self.areas)

    def people_list(self) -> list[int] | None:
        """`people` as a query argument."""
        return None if self.people is None else sorted(self.people)


def new_token() -> str:
    """A fresh bearer token: 256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def csrf_of(session_token: str) -> str:
    """The CSRF token of a session: derivable from the cookie's secret alone."""
    return hmac.new(session_token.encode(), b"muster csrf", "sha256").hexdigest()


class Authenticator:
    """Finds principals and scopes, with lookups batched and briefly remembered."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._scopes: dict[tuple[int, int | None, int | None], tuple[Scope, float]] = {}
        self._seen: dict[int, set[bytes]] = {}
        self._lookup: Batcher[bytes, Principal | None] = Batcher(self._find, name="token lookup")

    async def principal(self, token: str) -> Principal:
        """The caller behind a token. Raises Unauthenticated, or Unavailable without a database."""
        key = digest(token)
        known = self._known.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        found = await self._lookup.submit(key)
        if found is None:
            raise Unauthenticated("This token is unknown, expired or revoked. Sign in again.")
        self._remember(key, found)
        return found

    async def scope(self, who: Principal) -> Scope:
        """The part of the operation this caller sees.

        Raises Forbidden for a device whose person is no warden.
        """
        if who.kind != "device" and who.role != "warden" and who.area_id is None:
            return Scope(silent=who.role in _STAFF)
        key = (who.operation_id, who.person_id, who.area_id)
        known = self._scopes.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        scope = await self._load_scope(who)
        self._scopes[key] = (scope, time.monotonic() + CACHE_S)
        return scope

    async def authorize(self, who: Principal, action: str) -> None:
        """Returns if the role may do this. Raises Forbidden if not."""
        roles = ALLOWED[action]
        if who.role in roles:
            return
        if who.role == "device" and "warden" in roles:
            await self.scope(who)
            return
        raise Forbidden(f"The role {who.role} may not do this ({action}).")

    def forget(self, *token_sha256: bytes) -> None:
        """Drops principals at once in this process, after a revocation."""
        for key in token_sha256:
            self._known.pop(key, None)

    def forget_scopes(self) -> None:
        """Drops remembered scopes, after a change of tree or areas in this process."""
        self._scopes.clear()

    async def write_last_seen(self) -> None:
        """Stores when tokens were last used. Called every half minute by a supervised task."""
        for operation_id in list(self._seen):
            tokens = sorted(self._seen.pop(operation_id))
            try:
                while tokens:
                    async with self._db.transaction(operation_id) as con:
                        await con.execute(
                            "UPDATE credential SET last_seen_at = now()"
                            " WHERE token_sha256 = ANY ($1)",
                            tokens[:SEEN_AT_ONCE],
                        )
                    del tokens[:SEEN_AT_ONCE]
            except BaseException:
                self._seen.setdefault(operation_id, set()).update(tokens)
                raise

    def _remember(self, key: bytes, found: Principal) -> None:
        if len(self._known) >= CACHE_SIZE:
            self._known.clear()
        self._known[key] = (found, time.monotonic() + CACHE_S)
        self._seen.setdefault(found.operation_id, set()).add(key)

    async def _find(self, keys: Sequence[bytes]) -> Sequence[Principal | None]:
        async with self._db.connection("report") as con:
            rows = await con.fetch("SELECT * FROM principals($1)", list(set(keys)))
        found = {r["token_sha256"]: _principal(r) for r in rows if _is_live(r)}
        return [found.get(k) for k in keys]

    async def _load_scope(self, who: Principal) -> Scope:
        async with self._db.transaction(who.operation_id, lane="report") as con:
            if who.area_id is not None and who.role != "warden":
                rows = await con.fetch("SELECT area_and_below($1)", who.area_id)
                return Scope(areas=tuple(r[0] for r in rows))
            nodes = [r[0] for r in await con.fetch("SELECT nodes_of_warden($1)", who.person_id)]
            if not nodes:
                raise Forbidden("Only a warden or an alternate of the communication tree may.")
            people = await con.fetch("SELECT people_of_nodes($1)", nodes)
            return Scope(nodes=tuple(nodes), people=frozenset(r[0] for r in people))


def _is_live(row: object) -> bool:
    r: dict[str, float | str] = row  # type: ignore[assignment]
    return r["kind"] in ("device", "operator") or (
        r["kind"] == "session" and float(r["idle_s"]) < SESSION_IDLE_S
    )


def _principal(r: object) -> Principal:
    row: dict[str, object] = dict(r)  # type: ignore[call-overload]
    row.pop("idle_s")
    row["role"] = row["role"] or "device"
    return msgspec.convert(row, Principal)


async def keep_last_seen(auth: Authenticator, every_s: float = 30.0) -> None:
    """The supervised task behind `write_last_seen`."""
    await every("last seen", every_s, auth.write_last_seen)
