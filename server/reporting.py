"""Reports over HTTP: one, or a batch of which each is taken or refused on its own.

A domain says how its reports are read, whom each is about and what is recorded of it; here they
are handed to the recorder together, and each is answered with what became of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server import errors
from server.auth import Principal
from server.clock import Moment
from server.errors import Problem
from server.recording import Outcome, Recorded, Recorder, Said
from server.web import Call, Reply

BATCH_LIMIT = 512 * 1024
WITHIN_S = 4.7  # promise 2: whoever cannot be recorded is told so within 5 s


class ReportIn(msgspec.Struct, frozen=True, kw_only=True):
    """What every report says. `for` names the person; left out, the caller. Unknown fields are
    passed over: a newer phone must be able to report to an older server."""

    id: UUID
    at: Moment
    sent_at: Moment | None = None
    for_: Annotated[str, Meta(min_length=1, max_length=100)] | None = msgspec.field(
        default=None, name="for"
    )


class ItemError(msgspec.Struct, frozen=True):
    """Why one item of a batch was refused."""

    code: str
    detail: str
    status: int
    retryable: bool


class Result(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One item of a batch: the record, or `error`."""

    id: UUID | None
    person: str | UnsetType = UNSET
    event_at: datetime | UnsetType = UNSET
    received_at: datetime | UnsetType = UNSET
    error: ItemError | UnsetType = UNSET


Item = TypeVar("Item", bound=ReportIn)
Found = TypeVar("Found")  # whom a report is about, and in what capacity it is made
Report = TypeVar("Report", bound=Said)
Shown = TypeVar("Shown", bound=Result)


class Batch(msgspec.Struct, Generic[Item], frozen=True):
    """Up to 500 reports at once, each taken or refused on its own."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=500)]


class Results(msgspec.Struct, Generic[Shown], frozen=True):
    """Results in the order of the items."""

    items: list[Shown]


class _Envelope(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] | UnsetType = UNSET


class _Id(msgspec.Struct, frozen=True):
    id: UUID


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ID = msgspec.json.Decoder(_Id)


class Reader(Generic[Item]):
    """Reads reports of one kind. `checked` looks at what a type can't say, and raises Problem."""

    def __init__(self, kind: type[Item], checked: Callable[[Item], Item]) -> None:
        self._one = msgspec.json.Decoder(kind)
        self._checked = checked

    def decode(self, raw: bytes) -> Item | list[msgspec.Raw]:
        """One report, or the items of a batch undecoded: a bad one must not fail its neighbours."""
        items = _ENVELOPE.decode(raw).items if b'"items"' in raw else UNSET
        if items is UNSET:
            return self._checked(self._one.decode(raw))
        if not 1 <= len(items) <= 500:
            raise errors.refuse_field("items", "Send 1 to 500 items.")
        return items

    def item(self, raw: msgspec.Raw) -> Item | Problem:
        """One item of a batch, or why it is refused."""
        try:
            return self._checked(self._one.decode(raw))
        except msgspec.MsgspecError as error:
            return errors.from_decoding(error)
        except Problem as problem:
            return problem


class Reporting(Generic[Item, Found, Report, Recorded, Shown]):
    """Takes reports of one kind, over one recorder. `about` finds whom each is about, or why it
    may not be; `report` makes of it what is recorded, and raises Problem."""

    def __init__(
        self,
        reader: Reader[Item],
        about: Callable[[Call, list[Item]], Awaitable[list[Found | Problem]]],
        report: Callable[[Principal, Item, Found], Report],
        recorder: Recorder[Report, Recorded],
        result: type[Shown],
    ) -> None:
        self._reader = reader
        self._about = about
        self._report = report
        self._recorder = recorder
        self._result = result

    async def post(self, call: Call) -> Reply:
        """Records one report, or a batch with a result an item."""
        if isinstance(call.body, list):
            return await self._post_batch(call, call.body)
        [found] = await self._about(call, [call.body])
        outcome = await self._submit(call.me, self._named(call.me, call.body, found))
        if isinstance(outcome, Problem):
            raise outcome
        recorded, made = outcome
        return Reply(201 if made else 200, recorded)

    async def _post_batch(self, call: Call, raws: list[msgspec.Raw]) -> Reply:
        """Items are handed in together, so that they are committed in one batch."""
        items = [self._reader.item(raw) for raw in raws]
        about = await self._about(call, [i for i in items if not isinstance(i, Problem)])
        found = iter(about)
        reports = [
            item if isinstance(item, Problem) else self._named(call.me, item, next(found))
            for item in items
        ]
        outcomes = await asyncio.gather(*(self._submit(call.me, r) for r in reports))
        results = [self._shown(raw, o) for raw, o in zip(raws, outcomes, strict=True)]
        made = any(isinstance(o, tuple) and o[1] for o in outcomes)
        return Reply(201 if made else 200, Results(results))

    def _named(self, me: Principal, item: Item, found: Found | Problem) -> Report | Problem:
        """The report to record, or the refusal that stands against it."""
        if isinstance(found, Problem):
            return found
        try:
            return self._report(me, item, found)
        except Problem as problem:
            return problem

    async def _submit(self, me: Principal, report: Report | Problem) -> Outcome[Recorded] | Problem:
        """What became of one report. Raises Unavailable: for a batch, as a whole."""
        if isinstance(report, Problem):
            return report
        try:
            return await self._recorder.submit(me.operation_id, report)
        except errors.Unavailable:
            raise
        except Problem as problem:
            return problem

    def _shown(self, raw: msgspec.Raw, outcome: Outcome[Recorded] | Problem) -> Shown:
        if isinstance(outcome, tuple):
            return msgspec.convert(outcome[0], self._result, from_attributes=True)
        try:
            key = _ID.decode(raw).id
        except msgspec.MsgspecError:
            key = None
        fields = "".join(f" {e.path}: {e.message}" for e in outcome.errors or [])
        detail = outcome.detail + fields
        error = ItemError(outcome.code, detail, outcome.status, outcome.retryable)
        return self._result(id=key, error=error)
