"""Ways out of the house. Each is a Channel; what it sends is a Push, what comes of it an Outcome.

A channel answers for one try only. Retries, leases and records are the sender's.
"""

from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec

Kind = Literal["accepted", "endpoint_dead", "permanent", "transient", "unknown", "held"]


_PAGES = {  # of the app, by purpose
    "ask": "branch",
    "chase": "branch",
    "panic": "panic",
    "watch": "watch",
}


class Push(msgspec.Struct, frozen=True):
    """One message to one endpoint. `line` is what was written for it: for the lock screen, or as
    the text. `address` is a token, a subscription or a number. `purpose` as of deliveries."""

    delivery_id: UUID
    alert_id: UUID | None
    address: str
    severity: str
    exercise: bool
    expires_at: datetime | None
    language: str | None
    line: str | None
    purpose: str = "alert"
    code: str | None = None  # by which its person answers, where the alert is texted
    lane: int = 3  # 0 panic, 1 life safety, 2 urgent, 3 the rest

    @property
    def thread(self) -> UUID:
        """What a later message may replace: the alert; a word to a warden stands alone."""
        about = self.alert_id if self.purpose in ("alert", "remind") else None
        return about or self.delivery_id

    @property
    def ids(self) -> dict[str, str]:
        """What a push carries: opaque ids, and which of the app's pages is meant."""
        return {
            "kind": _PAGES.get(self.purpose, "alert"),
            "alert_id": str(self.thread if self.alert_id is None else self.alert_id),
            "delivery_id": str(self.delivery_id),
            "exercise": "1" if self.exercise else "0",
        }


class Carried(msgspec.Struct, frozen=True):
    """Which route had a text, as how many parts, and what it charges for them."""

    route: str
    parts: int
    price_micro: int
    currency: str


class Outcome(msgspec.Struct, frozen=True):
    """What came of one try.

    accepted: the provider has it (`provider_id` if it named one); nothing is said of delivery.
    endpoint_dead: this address is gone for good. permanent: this message will never be taken.
    transient: not taken, later perhaps (`retry_after` seconds where the provider said so).
    unknown: nobody can say whether it was taken (a report may tell within `retry_after` s).
    held: not tried at all, to be asked for again after `retry_after` seconds.
    """

    kind: Kind
    provider_id: str | None = None
    reason: str | None = None
    retry_after: float | None = None
    carried: Carried | None = None


def accepted(provider_id: str) -> Outcome:
    """The provider has it."""
    return Outcome("accepted", provider_id=provider_id)


def endpoint_dead(reason: str) -> Outcome:
    """The address is gone for good."""
    return Outcome("endpoint_dead", reason=reason)


def permanent(reason: str) -> Outcome:
    """This message will never be taken."""
    return Outcome("permanent", reason=reason)


def transient(reason: str, retry_after: float | None = None) -> Outcome:
    """Not taken now."""
    return Outcome("transient", reason=reason, retry_after=retry_after)


def unknown(reason: str) -> Outcome:
    """Nobody can say."""
    return Outcome("unknown", reason=reason)


def held(reason: str, wait_s: float) -> Outcome:
    """Not tried: there is no room for it yet."""
    return Outcome("held", reason=reason, retry_after=wait_s)


class Health(msgspec.Struct, frozen=True):
    """What one process knows of a way out. `why` it is held for `held_s` seconds: gate (it asked
    for a pause), circuit (it failed in a row), cap or rate; None where it is not."""

    held_s: float = 0.0
    why: str | None = None
    failures: int = 0
    per_s: float | None = None
    spent_micro: int | None = None


class Channel(Protocol):
    """One way out, with its own gate before the provider."""

    name: str

    async def send(self, push: Push) -> Outcome:
        """One try. Never raises for what a network or a provider can do."""
        ...

    def held_s(self) -> float:
        """Seconds for which the provider wants nothing at all; 0: it may be sent to."""
        ...

    def wait_s(self) -> float:
        """Seconds to wait before asking again; 0 lets one push pass."""
        ...

    def health(self) -> dict[str, Health]:
        """What this process knows of it, by route; '' where it has none."""
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...
