"""Delivery reports: whose they are, and what they say. Pure.

Each gateway proves itself in its own way; nothing is believed of a route without a secret.
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from server.alerts.channels.sms.letters import decoded
from server.texting import REPORT_USER, SmsRoute

Said = Literal["accepted", "delivered", "failed"]

_KANNEL: dict[str, Said] = {
    "1": "delivered", "2": "failed", "4": "accepted", "8": "accepted", "16": "failed",
}  # fmt: skip
_TWILIO: dict[str, Said] = {
    "sent": "accepted", "delivered": "delivered", "read": "delivered", "undelivered": "failed",
    "failed": "failed",
}  # fmt: skip
_AFRICAS: dict[str, Said] = {
    "sent": "accepted", "submitted": "accepted", "buffered": "accepted", "success": "delivered",
    "rejected": "failed", "failed": "failed", "absentsubscriber": "failed", "expired": "failed",
}  # fmt: skip
_ANDROID: dict[str, Said] = {
    "sms:sent": "accepted", "sms:delivered": "delivered", "sms:failed": "failed",
}  # fmt: skip


class Received(msgspec.Struct, frozen=True):
    """A request as it came. `url` is the public address with its query, headers are lower case."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    raw: bytes

    def form(self) -> list[tuple[str, str]]:
        """The body as form fields."""
        return parse_qsl(self.raw.decode("utf-8", "replace"), keep_blank_values=True)


class Report(msgspec.Struct, frozen=True):
    """What is said of which text: by our id, or by the provider's."""

    said: Said
    delivery_id: UUID | None
    provider_id: str | None = None


def genuine(route: SmsRoute, received: Received) -> bool:
    """Whether the route's gateway sent this."""
    if not route.reporting:
        return False
    if route.kind == "twilio":
        return _same(received, b"x-twilio-signature", twilio_signature(route.reporting, received))
    if route.kind == "android":
        stamp = received.headers.get(b"x-timestamp", b"")
        wanted = hmac.new(route.reporting.encode(), received.raw + stamp, "sha256").hexdigest()
        return _same(received, b"x-signature", wanted)
    user = base64.b64encode(f"{REPORT_USER}:{route.reporting}".encode()).decode()
    scheme, _, given = received.headers.get(b"authorization", b"").partition(b" ")
    wanted = user if scheme.lower() == b"basic" else route.reporting
    return hmac.compare_digest(given.strip(), wanted.encode())


def twilio_signature(token: str, received: Received) -> str:
    """HMAC-SHA1 over the exact address and all fields of the form, by name."""
    fields = "".join(name + value for name, value in sorted(received.form()))
    made = hmac.new(token.encode(), (received.url + fields).encode(), "sha1")
    return base64.b64encode(made.digest()).decode()


def _same(received: Received, header: bytes, wanted: str) -> bool:
    return hmac.compare_digest(received.headers.get(header, b""), wanted.encode())


def understand(route: SmsRoute, received: Received) -> Report | None:
    """The report in a genuine request; None where it says nothing that is kept."""
    ours = _uuid(received.query.get("id"))
    if route.kind == "kannel":
        return _report(_KANNEL.get(received.query.get("type", "")), ours, None)
    if route.kind == "android":
        return _of_android(decoded(received.raw))
    form = dict(received.form())
    if route.kind == "twilio":
        said = _TWILIO.get(form.get("MessageStatus", ""))
        return _report(said, ours, form.get("MessageSid"))
    said = _AFRICAS.get(form.get("status", "").lower())
    return _report(said, None, form.get("id"))


def _of_android(message: dict[str, Any]) -> Report | None:
    payload = message.get("payload")
    given = payload.get("messageId") if isinstance(payload, dict) else None
    event = message.get("event")
    said = _ANDROID.get(event) if isinstance(event, str) else None
    return _report(said, _uuid(given), given if isinstance(given, str) else None)


def _report(said: Said | None, ours: UUID | None, theirs: str | None) -> Report | None:
    if said is None or (ours is None and not theirs) or "\x00" in (theirs or ""):
        return None
    return Report(said, ours, theirs)


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
