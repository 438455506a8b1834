"""What a text is taken for, and whose number it came from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from server.checkin.rules import Report
from server.checkin.sms import replies
from server.checkin.sms.store import Holder

WRONG = "wrong code"  # texts are counted by this detail (wrong_lately)
State = Literal["counted", "unverified", "refused", "not_understood", "stop", "loop", "noted"]


class Help(msgspec.Struct, frozen=True):
    """A call for help to be raised; `person_id` None: nobody knows whose."""

    kind: Literal["help", "panic"]
    verified: bool
    person_id: int | None
    place: tuple[float, float] | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the sender is told. `about`: the alert and person whose code it names; `watch_id`: the
    watch whose code it names; `movement`: the movement and person whose code it names. `until`: the
    deadline that stands, by the operation's clocks. `stage`: its word, as it was read."""

    key: replies.Key
    language: str | None = None
    code: str = ""
    n: int = 0
    drill: bool = False
    about: tuple[UUID, int] | None = None
    watch_id: UUID | None = None
    until: str = ""
    movement: tuple[UUID, int] | None = None
    stage: str = ""


class Word(msgspec.Struct, frozen=True):
    """A word about a watch, vouched for: its new deadline, or none: it is done."""

    watch_id: UUID
    due_at: datetime | None


class Stage(msgspec.Struct, frozen=True):
    """A stage of a movement, vouched for: of whom (ids and refs), when by the clock of who said it,
    the vehicle by number."""

    movement_id: UUID
    stage: str
    people: tuple[tuple[int, str], ...]
    at: datetime
    vehicle: int | None = None
    point: UUID | None = None
    reason: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What a text is taken for. `wrong`: a wrong code, counted against this head's household."""

    state: State
    detail: str
    said: str | None = None
    person_id: int | None = None
    alert_id: UUID | None = None
    records: tuple[Report, ...] = ()
    help: Help | None = None
    answer: Answer | None = None
    word: Word | None = None
    wrong: int | None = None
    stage: Stage | None = None
    movement_id: UUID | None = None


def household(people: Sequence[Holder]) -> bool:
    """Whether a number is one person's, or shared within one household."""
    return len({h.head_id for h in people}) == 1


def one(people: Sequence[Holder]) -> int | None:
    """The one a text without a code is about: the sponsor, else the first. None: nobody knows."""
    return people[0].person_id if household(people) else None


def language_of(people: Sequence[Holder]) -> str | None:
    """The language to answer a number in."""
    return people[0].language if people else None
