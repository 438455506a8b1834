"""Gateways with an HTTP API of their own: Twilio, Africa's Talking, a phone as gateway.

Only a code that speaks of the number makes a text fail for good. All else (credit, credentials,
our sender's name) is ours to mend, and another route may carry it meanwhile.
"""

import msgspec

from server.alerts.channels import Outcome, accepted, permanent
from server.alerts.channels.sms.letters import (
    Letter,
    Posted,
    basic,
    held_against_us,
    no_word,
)
from server.gateways import decoded
from server.texting import SmsRoute

_TWILIO_LONGEST_S = 36_000
_TWILIO_NUMBER = frozenset({21211, 21214, 21217, 21219, 21265, 21401, 21407, 21421, 21610, 21614})
_AFRICAS_TAKEN = frozenset({100, 101, 102})
_AFRICAS_NUMBER = frozenset({403, 404, 406, 409})
_AFRICAS_CREDIT = 405
_ID_LENGTH = 200


class _Recipient(msgspec.Struct, frozen=True):
    code: int = msgspec.field(name="statusCode")
    message_id: str | None = msgspec.field(name="messageId", default=None)


class _Data(msgspec.Struct, frozen=True):
    recipients: list[_Recipient] = msgspec.field(name="Recipients", default_factory=list)


class _AfricasAnswer(msgspec.Struct, frozen=True):
    data: _Data = msgspec.field(name="SMSMessageData")


def post_twilio(route: SmsRoute, letter: Letter) -> Posted:
    """A form. A sender that begins with MG is a messaging service."""
    sender = "MessagingServiceSid" if route.sender.startswith("MG") else "From"
    form = {
        "To": letter.number,
        sender: route.sender,
        "Body": letter.text,
        "StatusCallback": letter.report_url(route),
        "ValidityPeriod": str(max(1, min(int(letter.valid_s), _TWILIO_LONGEST_S))),
    }
    return Posted("POST", route.address, data=form, headers=basic(route))


def read_twilio(route: SmsRoute, status: int, raw: bytes) -> Outcome:
    """201 with a sid, or an error with a code."""
    answer = decoded(raw)
    if 200 <= status < 300:
        return _taken(route, answer.get("sid"))
    code = answer.get("code")
    if code in _TWILIO_NUMBER:
        return permanent(f"SMS route {route.name} cannot text this number ({code})")
    return held_against_us(route, f"answered {status} ({code if type(code) is int else 'no code'})")


def post_africastalking(route: SmsRoute, letter: Letter) -> Posted:
    """A form with the key in a header. It knows no validity; reports come by its own id."""
    form = {"username": route.username, "to": letter.number, "message": letter.text}
    if route.sender:
        form["from"] = route.sender
    headers = {"apiKey": route.password, "Accept": "application/json"}
    return Posted("POST", route.address, data=form, headers=headers)


def read_africastalking(route: SmsRoute, status: int, raw: bytes) -> Outcome:
    """One recipient with a status code of its own."""
    if not 200 <= status < 300:
        return held_against_us(route, f"answered {status}")
    try:
        answer = msgspec.json.decode(raw, type=_AfricasAnswer)
    except (msgspec.MsgspecError, UnicodeError):
        return no_word(route)
    if len(answer.data.recipients) != 1:
        return held_against_us(route, "took the text for nobody")
    return _africas_word(route, answer.data.recipients[0])


def _africas_word(route: SmsRoute, found: _Recipient) -> Outcome:
    """The status code of the one recipient."""
    if found.code in _AFRICAS_TAKEN:
        return _taken(route, found.message_id)
    if found.code in _AFRICAS_NUMBER:
        return permanent(f"SMS route {route.name} cannot text this number ({found.code})")
    if found.code == _AFRICAS_CREDIT:
        return held_against_us(route, "has no credit left")
    return held_against_us(route, f"did not take it ({found.code})")


def post_android(route: SmsRoute, letter: Letter) -> Posted:
    """JSON under our own id, so that a repeat is the same message to the phone."""
    body = {
        "id": str(letter.delivery_id),
        "textMessage": {"text": letter.text},
        "phoneNumbers": [letter.number],
        "ttl": max(1, int(letter.valid_s)),
        "withDeliveryReport": True,
    }
    headers = {**basic(route), "Content-Type": "application/json"}
    return Posted("POST", route.address, data=msgspec.json.encode(body), headers=headers)


def read_android(route: SmsRoute, status: int, raw: bytes) -> Outcome:
    """202; 409 where the phone has this id already; 400 for a number it cannot read."""
    if status == 409:
        return Outcome("accepted")
    if 200 <= status < 300:
        return _taken(route, decoded(raw).get("id"))
    if status == 400 and b"phone number" in raw.lower():
        return permanent(f"SMS route {route.name} cannot text this number")
    return held_against_us(route, f"answered {status}")


def _taken(route: SmsRoute, provider_id: object) -> Outcome:
    if not isinstance(provider_id, str) or not provider_id or "\x00" in provider_id:
        return no_word(route)
    return accepted(provider_id[:_ID_LENGTH])
