"""A text, and the request that hands it to a gateway."""

import base64
from urllib.parse import quote
from uuid import UUID

import msgspec

from server.alerts.channels import Outcome
from server.texting import SmsRoute

REPORT_WINDOW_S = 60.0  # after no answer: its report may still say that it went out


class Letter(msgspec.Struct, frozen=True):
    """One text. `encoding` is GSM-7 or UCS-2; `valid_s` seconds the network may try."""

    number: str
    text: str
    encoding: str
    valid_s: float
    delivery_id: UUID
    public_url: str

    def report_url(self, route: SmsRoute) -> str:
        """Where its reports go; the id in it is opaque, the proof is the gateway's own."""
        return f"{self.public_url}/v1/inbound/dlr/{quote(route.name)}?id={self.delivery_id}"


class Posted(msgspec.Struct, frozen=True):
    """A request to a gateway."""

    method: str
    url: str
    params: dict[str, str] = {}
    data: bytes | dict[str, str] | None = None
    headers: dict[str, str] = {}


def basic(route: SmsRoute) -> dict[str, str]:
    """The header with the route's user and password."""
    proof = base64.b64encode(f"{route.username}:{route.password}".encode()).decode()
    return {"Authorization": f"Basic {proof}"}


def held_against_us(route: SmsRoute, what: str, retry_after: float | None = 60.0) -> Outcome:
    """Out of credit, wrong credentials, a wrong setting: ours to mend, never the number's fault.

    So it is transient, in the log and on the delivery, and the route rests.
    """
    return Outcome("transient", reason=f"SMS route {route.name} {what}", retry_after=retry_after)


def no_word(route: SmsRoute) -> Outcome:
    """An answer that cannot be read: it may have been taken."""
    reason = f"the answer of SMS route {route.name} cannot be read"
    return Outcome("unknown", reason=reason, retry_after=REPORT_WINDOW_S)
