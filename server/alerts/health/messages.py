"""What the calls of health answer."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from server.paging import PageQuery
from server.people.messages import PersonName


class WorkerOut(msgspec.Struct, frozen=True):
    """Whether anything goes out at all. `since`: the last sign of life; null: never one."""

    alive: int
    since: datetime | None


class ChannelOut(msgspec.Struct, frozen=True):
    """One way out. `per_min`: taken in the last minute. `finish_at`: when what waits will have
    been handed over, by what it took lately or may take; null where nothing waits or nobody can
    say. `held_why`: gate (it asked for a pause), circuit (it failed), cap, rate."""

    channel: str
    route: str
    configured: bool
    queued: int
    sending: int
    oldest_at: datetime | None
    per_min: int
    held_until: datetime | None
    held_why: str | None
    finish_at: datetime | None
    spent_micro: int | None
    cap_micro: int | None
    currency: str | None
    accepted_at: datetime | None
    receipt_at: datetime | None
    inbound_at: datetime | None
    failures: int
    fault: str | None


class AlertWaiting(msgspec.Struct, frozen=True):
    """What of one alert still waits, and until when."""

    alert_id: UUID
    queued: int
    finish_at: datetime | None


class ChannelsOut(msgspec.Struct, frozen=True):
    """All ways out as they stand. What has no route yet stands under the route ''."""

    as_of: datetime
    workers: WorkerOut
    channels: list[ChannelOut]
    alerts: list[AlertWaiting]


class AlarmOut(msgspec.Struct, frozen=True):
    """Something to look at. `cleared_at` null: it is not over."""

    id: UUID
    kind: Literal["worker", "route", "receipts", "phones"]
    subject: str
    detail: str
    raised_at: datetime
    cleared_at: datetime | None


class AlarmsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`state`: open (default) or all."""

    state: Literal["open", "all"] = "open"


class PhonesOf(msgspec.Struct, frozen=True):
    """How many phones there are in an area among one category, and how many are silent."""

    area: str
    area_name: str
    category: str
    phones: int
    silent: int


class SilentPhone(msgspec.Struct, frozen=True):
    """A phone that has said nothing for a day."""

    device_id: UUID
    person: PersonName
    category: str
    area: str
    platform: str
    seen_at: datetime


class SilentPhones(msgspec.Struct, frozen=True):
    """Phones that have said nothing for a day, the longest silent first; counts of all."""

    phones: int
    silent: int
    by_area: list[PhonesOf]
    items: list[SilentPhone]
    next: str | None
