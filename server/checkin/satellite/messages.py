"""What callers send and get of satellite messengers."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.paging import PageQuery
from server.people.messages import PersonName

DeviceKind = Literal["inreach", "rockblock"]


class MessengerIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose a device is, by her ref. `label`: what is written on it."""

    person: Annotated[str, Meta(min_length=1, max_length=100)]
    kind: DeviceKind
    label: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class MessengerOut(msgspec.Struct, frozen=True):
    """A device that somebody has. `heard_at`: when its last message came; null: none ever did."""

    imei: str
    kind: DeviceKind
    label: str | None
    person: PersonName
    since: datetime
    set_by: str | None
    heard_at: datetime | None


class MessengersQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices by IMEI."""
