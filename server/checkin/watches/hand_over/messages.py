"""What radio rooms send of a hand-over."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from server.checkin.watches.messages import Note, Way
from server.clock import Moment


class HandOverIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To whom a convoy is offered: an area's radio room, or with null the whole operation's desk;
    and by when that room should have heard it."""

    id: UUID
    to_area: Annotated[str, Meta(min_length=1, max_length=200)] | None
    expect_by: Moment
    note: Note | None = None


class HeardByIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next room has heard the convoy itself: by which contact, and when, by the room's clock.
    `hand_over` is the id of the offer it accepts."""

    hand_over: UUID
    contact: Way
    at: Moment | None = None
    sent_at: Moment | None = None
    note: Note | None = None


class SettleIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which offer is refused, or taken back, and why."""

    hand_over: UUID
    note: Note | None = None
