"""One simulated phone: it speaks Muster's device API and has a clock of its own.

async with Api("http://127.0.0.1:8000") as api:
    phone = Phone(api, code="ABCD-1234", push_token="sim:1", seed="1")
    await phone.enrol()
    view = await phone.fetch_self()
    await phone.answer("safe", alert_id=view.alerts[0].id)
"""

import base64
import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

import msgspec

from .api import Api, ProblemError

Status = Literal["safe", "need_help", "away"]
Kind = Literal["delivered", "seen"]


class Location(msgspec.Struct, frozen=True):
    """Where the phone believes to be; accuracy in metres."""

    lat: float
    lon: float
    accuracy: float


class Report(msgspec.Struct, omit_defaults=True):
    """One check-in as it waits in the phone; `sent_at` is added at each try."""

    id: str
    status: Status
    at: str
    alert_id: str | None = None
    for_: str | None = msgspec.field(default=None, name="for")
    location: Location | None = None
    note: str | None = None
    battery: int | None = None
    sent_at: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """That a push arrived at the phone, or that its owner saw it."""

    delivery_id: str
    kind: Kind
    at: str


class AreaView(msgspec.Struct, frozen=True):
    """An area in GET /v1/self."""

    code: str
    name: str = ""


class PersonView(msgspec.Struct, frozen=True):
    """The phone's owner in GET /v1/self."""

    ref: str
    name: str
    category: str = ""
    area: AreaView | None = None


class Member(msgspec.Struct, frozen=True):
    """Another member of the household in GET /v1/self."""

    ref: str
    name: str = ""
    role: str = ""
    may_report: bool = False


class AlertView(msgspec.Struct, frozen=True):
    """An alert in GET /v1/self; `answer` is the owner's own, if any."""

    id: str
    kind: str
    state: str
    exercise: bool = False
    answer: dict[str, Any] | None = None


class SelfView(msgspec.Struct, frozen=True):
    """What the simulator reads of GET /v1/self; other fields are ignored."""

    person: PersonView
    household: list[Member] = []
    alerts: list[AlertView] = []

    def alert(self, alert_id: str) -> AlertView | None:
        """The alert of this id, if it is open for the phone."""
        return next((a for a in self.alerts if a.id == alert_id), None)


class Phone:
    """A device. What it draws, ids apart, comes from `seed`: a run can be repeated.

    Give it a `code` to enrol with, or the `token` of an enrolled device. `skew_s` is
    how far its clock is ahead of true time. All calls retry as the Api's patience says,
    with the same ids; they raise ProblemError or UnreachableError.
    """

    def __init__(
        self,
        api: Api,
        *,
        code: str | None = None,
        token: str | None = None,
        push_token: str | None = None,
        seed: str = "0",
        skew_s: float = 0.0,
    ) -> None:
        self.api = api
        self.code = code
        self.token = token
        self.push_token = push_token
        self.seed = seed
        self.skew_s = skew_s
        self.rng = Random(seed)
        self.ref: str | None = None
        self.view: SelfView | None = None
        self.battery = self.rng.randint(8, 100)
        self._device_id = self.new_id()

    def now(self, ago_s: float = 0.0) -> str:
        """The phone's own time `ago_s` seconds ago, RFC 3339."""
        moment = datetime.now(UTC) + timedelta(seconds=self.skew_s - ago_s)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def new_id(self) -> str:
        """A fresh id. Not from the seed: a second run must not repeat the first's."""
        return str(uuid.uuid4())

    async def enrol(self) -> dict[str, Any]:
        """POST /v1/devices; returns {device_id, token, person, sms}."""
        body: dict[str, Any] = {"id": self._device_id, "code": self.code, "platform": "sim"}
        if self.push_token is not None:
            body["push"] = {"kind": "fcm", "token": self.push_token}
        answer: dict[str, Any] = await self._call("POST", "/v1/devices", body)
        self.token = answer["token"]
        self.ref = answer["person"]["ref"]
        return answer

    async def set_push(self) -> None:
        """PUT /v1/self/push with the phone's present push token."""
        await self._call("PUT", "/v1/self/push", {"kind": "fcm", "token": self.push_token})

    async def fetch_self(self) -> SelfView:
        """GET /v1/self."""
        answer = await self._call("GET", "/v1/self")
        self.view = msgspec.convert(answer, SelfView)
        self.ref = self.view.person.ref
        return self.view

    async def answer(
        self,
        status: Status,
        *,
        alert_id: str | None = None,
        for_: str | None = None,
        location: Location | None = None,
        note: str | None = None,
        at: str | None = None,
    ) -> dict[str, Any]:
        """Checks in once; returns {id, person, status, event_at, received_at}."""
        report = self.report(status, alert_id, for_, location, note, at)
        (result,) = await self.upload([report])
        return result

    def report(
        self,
        status: Status,
        alert_id: str | None = None,
        for_: str | None = None,
        location: Location | None = None,
        note: str | None = None,
        at: str | None = None,
    ) -> Report:
        """A check-in that is not yet uploaded; `at` defaults to the phone's now."""
        return Report(
            id=self.new_id(),
            status=status,
            at=at or self.now(),
            alert_id=alert_id,
            for_=for_,
            location=location,
            note=note,
            battery=self.battery,
        )

    async def upload(self, reports: Sequence[Report]) -> list[dict[str, Any]]:
        """POST /v1/checkins: one alone, or several as a batch.

        Items that the server will take later are sent again with the same ids. Raises
        ProblemError with the first item that is refused for good.
        """
        if len(reports) == 1:
            return [await self._call("POST", "/v1/checkins", reports[0])]
        results = await self._batch("/v1/checkins", {r.id: r for r in reports})
        for result in results:
            if "error" in result:
                raise _problem(result)
        return results

    async def stages(self, reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """POST /v1/stage-reports as a batch; an item that is refused for good has `error`."""
        return await self._batch("/v1/stage-reports", {r["id"]: r for r in reports})

    async def codes(self) -> dict[str, str]:
        """POST /v1/self/codes: the owner's code and her family's, by ref."""
        answer = await self._call("POST", "/v1/self/codes")
        return {i["person"]["ref"]: i["code"] for i in answer["items"] if i["code"]}

    async def get(self, path: str) -> Any:
        """Anything the phone may read."""
        return await self._call("GET", path)

    async def _batch(self, path: str, reports: dict[str, Any]) -> list[dict[str, Any]]:
        """A result for each report, by id. What the server will take later is sent again under
        the same id."""
        done: dict[str, dict[str, Any]] = {}
        tried = 0
        while waiting := [report for key, report in reports.items() if key not in done]:
            if tried:
                await self.api.pause(tried, self.rng)
            tried += 1
            answer = await self._call("POST", path, waiting)
            final = [i for i in answer["items"] if "error" not in i or not _problem(i).retryable]
            done.update({item["id"]: item for item in final})
        return [done[key] for key in reports]

    async def receipt(self, delivery_id: str, kind: Kind, at: str | None = None) -> None:
        """POST /v1/receipts for one delivery."""
        await self.receipts([Receipt(delivery_id, kind, at or self.now())])

    async def receipts(self, items: Sequence[Receipt]) -> None:
        """POST /v1/receipts for several."""
        await self._call("POST", "/v1/receipts", {"items": list(items)})

    async def panic(
        self, *, location: Location | None = None, covert: bool = False
    ) -> dict[str, Any]:
        """POST /v1/panics; returns {panic_id, state, merged, ignored}."""
        body: dict[str, Any] = {"id": self.new_id(), "at": self.now(), "covert": covert}
        if location is not None:
            body["location"] = location
        answer: dict[str, Any] = await self._call("POST", "/v1/panics", body)
        return answer

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        make = None if body is None else lambda: self._stamped(body)
        return await self.api.call(method, path, self.token, make, self.rng)

    def _stamped(self, body: Any) -> Any:
        """The body with the time of this very try, where the API knows `sent_at`."""
        if isinstance(body, Report):
            return msgspec.structs.replace(body, sent_at=self.now())
        if isinstance(body, list):
            return {"items": [self._stamped(item) for item in body]}
        if "at" in body:
            return {**body, "sent_at": self.now()}
        return body


def _problem(item: dict[str, Any]) -> ProblemError:
    error = item["error"]
    return ProblemError(int(error.get("status", 400)), error)


def push_token(seed: str) -> str:
    """A registration token in FCM's shape, always the same for the same seed."""
    digest = hashlib.blake2b(seed.encode(), digest_size=24).digest()
    return f"sim:{base64.urlsafe_b64encode(digest).decode()}"
