"""Delivery reports: what they say. Pure. Whose they are is told by `server.gateways`."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from server.gateways import Received, decoded
from server.texting import SmsRoute

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


class Report(msgspec.Struct, frozen=True):
    """What is said of which text: by our id, or by the provider's."""

    said: Said
    delivery_id: UUID | None
    provider_id: str | None = None


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
