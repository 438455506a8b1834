"""What callers send and get about cascades and policies."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from server.alerts.escalation.rules import Act, Policy
from server.people.headcount import Counts
from server.people.messages import PersonName


class NextStep(msgspec.Struct, frozen=True):
    """What will be done next if people are silent then."""

    act: Act
    due_at: datetime


class NodeOut(msgspec.Struct, frozen=True):
    """A node as this alert saw it, and what it did. `node` is empty for the duty desk's own:
    those whom no node answers for.

    state: waiting (for the node above), asked (her warden may open it), open, skipped. people
    and counts: directly in this node, in the caller's sight. in_charge: who chases the silent;
    null: nobody yet. passed_up_at: handed to the node above; desk_at: to the duty desk.
    """

    node: str
    label: str
    parent: str | None
    warden: PersonName | None
    alternates: list[PersonName]
    state: Literal["waiting", "asked", "open", "skipped"]
    state_why: str | None
    asked_at: datetime | None
    acknowledged_at: datetime | None
    opened_at: datetime | None
    in_charge: PersonName | None
    charged_at: datetime | None
    passed_up_at: datetime | None
    desk_at: datetime | None
    people: int
    counts: Counts
    next: NextStep | None


class TakenOut(msgspec.Struct, frozen=True):
    """A step that ended: done, or stopped because nobody was silent or the alert had ended."""

    act: Act
    node: str
    due_at: datetime
    ended_at: datetime
    state: Literal["done", "stopped"]
    result: str | None


class CascadeOut(msgspec.Struct, frozen=True):
    """The tree of an alert at work. `as_of`: the database's time of this reading."""

    alert_id: UUID
    as_of: datetime
    mode: Literal["broadcast", "cascade"]
    policy: Policy
    nodes: list[NodeOut]
    taken: list[TakenOut]


class OpenedOut(msgspec.Struct, frozen=True):
    """The branches that this call opened; none if they were open already."""

    opened: list[str]


class PolicyOut(msgspec.Struct, frozen=True):
    """How an operation escalates alerts of a severity. `own` False: the default."""

    severity: Literal["life_safety", "urgent", "routine"]
    own: bool
    policy: Policy
    updated_at: datetime | None
    updated_by: str | None


class PoliciesOut(msgspec.Struct, frozen=True):
    """The policies of all severities, the gravest first."""

    items: list[PolicyOut]
