"""Signing in to the console: a token or a one-time code becomes a session."""

from typing import Any

import msgspec

from server import auth
from server.db import Database
from server.errors import NotFound, Unauthenticated
from server.people import store

LOGIN_CODE_S = 600.0


class Session(msgspec.Struct, frozen=True):
    """A session just made, or the one a request came with."""

    token: str
    operator: store.Operator
    operation: store.Operation


async def new_login_code(db: Database, operation_id: int, operator_id: int) -> str:
    """A code that signs an operator in once, within 10 minutes. For the fragment of a link.

    Raises NotFound where there is no such operator.
    """
    code = auth.new_token()
    async with db.transaction(operation_id) as con:
        if await store.operator(con, operator_id) is None:
            raise NotFound("There is no such operator.")
        await _add(con, code, "login", operator_id, LOGIN_CODE_S)
    return code


async def sign_in(db: Database, token: str) -> Session:
    """A new session for a bearer token or one-time code. Raises Unauthenticated."""
    key = auth.digest(token)
    async with db.connection() as con:
        found = await con.fetchrow(store.SQL.principal, key)
    if found is None or found["kind"] not in ("operator", "login"):
        raise _refused()
    session = auth.new_token()
    async with db.transaction(found["operation_id"]) as con:
        operator_id = found["operator_id"]
        if found["kind"] == "login":
            operator_id = await con.fetchval(store.SQL.use_login_code, key)
        who = None if operator_id is None else await store.operator(con, operator_id)
        if who is None:
            raise _refused()
        await _add(con, session, "session", who.operator_id, None)
        await store.audit(con, f"operator:{who.operator_id}", "session.begin", "session")
        return Session(session, who, await store.operation(con))


async def current(db: Database, who: auth.Principal, token: str) -> Session:
    """The session of a request. Raises NotFound for callers who are no operator."""
    if who.operator_id is None:
        raise NotFound("A phone has no session. Ask /v1/self.")
    async with db.transaction(who.operation_id, snapshot=True) as con:
        operator = await store.operator(con, who.operator_id)
        if operator is None:
            raise _refused()
        return Session(token, operator, await store.operation(con))


async def sign_out(db: Database, who: auth.Principal) -> None:
    """Ends the session. Raises NotFound for anything but a session."""
    if who.kind != "session":
        raise NotFound("This is no session. Only a console's session is ended here.")
    async with db.transaction(who.operation_id) as con:
        await con.execute(store.SQL.revoke_credential, who.token_sha256)
        await store.audit(con, who.actor, "session.end", "session")


async def _add(con: Any, secret: str, kind: str, operator_id: int, lives_s: float | None) -> None:
    await con.execute(
        store.SQL.add_credential, auth.digest(secret), kind, None, operator_id, lives_s
    )


def _refused() -> Unauthenticated:
    return Unauthenticated("This token or code is unknown, used or expired. Ask for a new one.")
