"""Enrolment, and what a phone asks for itself."""

import io

import msgspec
import segno

from server.auth import Authenticator
from server.config import Settings
from server.db import Database
from server.errors import NotFound
from server.people import enrolling, messages, phone
from server.people.attempts import Attempts
from server.people.messages import (
    DeviceIn,
    DeviceOut,
    EnrolmentIn,
    EnrolmentOut,
    Push,
    SelfOut,
    WebPush,
)
from server.texting import numbers, sms_routes
from server.vapid import PushHosts
from server.vault import Vault
from server.web import Call, Endpoint, Reply


class PhoneRoutes:
    """Handlers of /v1/enrolments, /v1/devices and /v1/self."""

    def __init__(
        self,
        db: Database,
        auth: Authenticator,
        settings: Settings,
        vault: Vault,
        attempts: Attempts,
    ) -> None:
        self._db = db
        self._auth = auth
        self._vault = vault
        self._attempts = attempts
        self._hosts = PushHosts(settings.webpush_hosts)
        self._page = settings.public_url.rstrip("/") + "/phone/"
        self._numbers = numbers(sms_routes(settings))

    async def issue(self, call: Call) -> Reply:
        """A code for one person, with its link and the drawing of it."""
        scope = await self._auth.scope(call.me)
        issued = await enrolling.issue(self._db, call.me, scope, call.body)
        url = f"{self._page}#enrol={issued.code}"
        made = EnrolmentOut(issued.enrolment_id, issued.code, issued.expires_at, url, _drawn(url))
        return Reply(201, made)

    async def withdraw(self, call: Call) -> Reply:
        """Makes a code useless: a lost sheet of paper."""
        scope = await self._auth.scope(call.me)
        await enrolling.withdraw(self._db, call.me, scope, call.uuid("enrolment_id"))
        return Reply(204)

    async def enrol(self, call: Call) -> Reply:
        """A code becomes a phone; unknown codes cost their address."""
        self._attempts.check(call.client)
        self._check_service(call.body.push, "push.subscription.endpoint")
        try:
            made = await enrolling.enrol(self._db, self._auth, self._vault, call.body)
        except NotFound:
            self._attempts.failed(call.client)
            raise
        sms = msgspec.structs.replace(made.sms, numbers=self._numbers)
        return Reply(201, msgspec.structs.replace(made, sms=sms))

    async def view(self, call: Call) -> Reply:
        """All a phone shows."""
        return Reply(200, await phone.view(self._db, call.me))

    async def put_push(self, call: Call) -> Reply:
        """Where this phone can be woken."""
        self._check_service(call.body, "subscription.endpoint")
        await phone.put_push(self._db, call.me, call.body)
        return Reply(204)

    def _check_service(self, push: Push | None, path: str) -> None:
        """Raises BadInput for a push service this server may not speak to."""
        if isinstance(push, WebPush):
            self._hosts.require(push.subscription.endpoint, path)

    async def forget(self, call: Call) -> Reply:
        """Forgets this phone."""
        await phone.forget(self._db, self._auth, call.me)
        return Reply(204)

    def endpoints(self) -> list[Endpoint]:
        """The calls of this class."""
        return [
            Endpoint(
                "POST",
                "/v1/enrolments",
                self.issue,
                "A code that enrols one phone of one person",
                "enrolment.issue",
                {201: EnrolmentOut},
                body=EnrolmentIn,
            ),
            Endpoint(
                "DELETE",
                "/v1/enrolments/{enrolment_id}",
                self.withdraw,
                "Withdraw a code that was not used",
                "enrolment.issue",
                {204: None},
            ),
            Endpoint(
                "POST",
                "/v1/devices",
                self.enrol,
                "Enrol this phone with a code",
                None,
                {201: DeviceOut},
                body=DeviceIn,
            ),
            Endpoint("GET", "/v1/self", self.view, "All a phone shows", "self", {200: SelfOut}),
            Endpoint(
                "PUT",
                "/v1/self/push",
                self.put_push,
                "Where this phone can be woken",
                "self",
                {204: None},
                body=messages.Push,
            ),
            Endpoint("DELETE", "/v1/self", self.forget, "Forget this phone", "self", {204: None}),
        ]


def _drawn(url: str) -> str:
    """A QR code as SVG, without fixed size or colours of the page."""
    out = io.BytesIO()
    code = segno.make_qr(url, error="m")
    code.save(out, kind="svg", xmldecl=False, omitsize=True, border=4, light="#fff", nl=False)
    return out.getvalue().decode()
