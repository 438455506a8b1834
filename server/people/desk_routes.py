"""The desk signs in and out, and knows who else it is."""

from server.auth import COOKIE, Authenticator, csrf_of
from server.config import Settings
from server.db import Database
from server.errors import Unauthenticated
from server.people import sessions, store
from server.people.attempts import Attempts
from server.people.messages import OperationOut, OperatorOut, Operators, SessionIn, SessionOut
from server.web import Call, Endpoint, Reply


class DeskRoutes:
    """Handlers of /v1/sessions and /v1/operators."""

    def __init__(
        self, db: Database, auth: Authenticator, settings: Settings, attempts: Attempts
    ) -> None:
        self._db = db
        self._auth = auth
        self._attempts = attempts
        self._secure = "; Secure" if settings.public_url.startswith("https:") else ""

    async def sign_in(self, call: Call) -> Reply:
        """A token or one-time code becomes a session; wrong ones cost their address.

        A right one is always taken: 256 bits are not guessed, and behind a proxy one address may
        be everybody's, so that a flood of wrong ones would shut out the desk.
        """
        body: SessionIn = call.body
        try:
            session = await sessions.sign_in(self._db, body.token)
        except Unauthenticated:
            self._attempts.check(call.client)
            self._attempts.failed(call.client)
            raise
        return Reply(201, _out(session), headers=[self._cookie(session.token)])

    async def show(self, call: Call) -> Reply:
        """Who is signed in: restores a console after a reload."""
        session = await sessions.current(self._db, call.me, call.token or "")
        return Reply(200, _out(session))

    async def operators(self, call: Call) -> Reply:
        """Whom work may be handed to."""
        async with self._db.transaction(call.me.operation_id, snapshot=True) as con:
            found = await store.operators(con)
        return Reply(200, Operators([_operator(who) for who in found]))

    async def sign_out(self, call: Call) -> Reply:
        """Ends the session and takes its cookie back."""
        await sessions.sign_out(self._db, call.me)
        self._auth.forget(call.me.token_sha256)
        return Reply(204, headers=[self._cookie("", "; Max-Age=0")])

    def _cookie(self, token: str, more: str = "") -> tuple[bytes, bytes]:
        value = f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/{self._secure}{more}"
        return b"set-cookie", value.encode()

    def endpoints(self) -> list[Endpoint]:
        """The calls of this class."""
        path = "/v1/sessions"
        return [
            Endpoint(
                "POST",
                path,
                self.sign_in,
                "Sign in with a token or a one-time code; sets the session cookie",
                None,
                {201: SessionOut},
                body=SessionIn,
            ),
            Endpoint("GET", path, self.show, "Who is signed in", "session.read", {200: SessionOut}),
            Endpoint("DELETE", path, self.sign_out, "Sign out", "session.read", {204: None}),
            Endpoint(
                "GET",
                "/v1/operators",
                self.operators,
                "Operators who may sign in",
                "operator.read",
                {200: Operators},
            ),
        ]


def _out(session: sessions.Session) -> SessionOut:
    who, operation = session.operator, session.operation
    return SessionOut(
        operator=_operator(who),
        operation=OperationOut(operation.code, operation.name, operation.timezone),
        csrf=csrf_of(session.token),
    )


def _operator(who: store.Operator) -> OperatorOut:
    return OperatorOut(who.operator_id, who.name, who.role, who.area, who.person)
