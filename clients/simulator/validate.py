"""FCM's checks of a message, in the order in which it makes them."""

import re
from typing import Any

import msgspec

from . import answers
from .answers import Answer

MAX_BYTES = 4096
MAX_TTL_S = 2_419_200
FIELDS = {
    "name",
    "data",
    "notification",
    "android",
    "webpush",
    "apns",
    "fcm_options",
    "fcmOptions",
    "token",
    "topic",
    "condition",
}
TARGETS = ("token", "topic", "condition")
_RESERVED = re.compile(r"^(from|gcm|message_type|google.*|gcm\..*)$")
_TOKEN = re.compile(r"^[\w:.~-]{8,4096}$")
_TTL = re.compile(r"^(\d+)(\.\d{1,9})?s$")


class MessageRefusedError(Exception):
    """The message is not acceptable; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


class Message(msgspec.Struct):
    """What the stand-in needs of an accepted message."""

    token: str
    data: dict[str, str]
    notification: dict[str, str]
    high_priority: bool
    dry_run: bool


def message(body: bytes) -> Message:
    """The message in a request's body; raises MessageRefusedError with FCM's own answer."""
    envelope = _envelope(body)
    fields = _object(envelope.get("message"), "message")
    if unknown := fields.keys() - FIELDS:
        raise MessageRefusedError(_unknown(sorted(unknown)[0], "message"))
    data = string_map(fields.get("data"), "message.data")
    notification = string_map(fields.get("notification"), "message.notification")
    android = _object(fields.get("android"), "message.android")
    _check_platforms(fields, android)
    token = _token(fields)
    _check_keys(data)
    _check_size(data, notification, android)
    return Message(
        token=token,
        data=data,
        notification=notification,
        high_priority=str(android.get("priority", "")).lower() == "high",
        dry_run=bool(envelope.get("validate_only") or envelope.get("validateOnly")),
    )


def string_map(value: object, path: str) -> dict[str, str]:
    """`value` if it is an object of strings only (or absent: {}), else MessageRefusedError."""
    fields = _object(value, path)
    for index, item in enumerate(fields.values()):
        if type(item) is not str:
            where = f"{path}[{index}].value" if "notification" not in path else path
            raise MessageRefusedError(_not_a_string(where, item))
    return fields


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        envelope = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = "Invalid JSON payload received. Unexpected token."
        raise MessageRefusedError(answers.invalid("", text)) from None
    if type(envelope) is not dict:
        text = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
        raise MessageRefusedError(answers.invalid("", text))
    if unknown := envelope.keys() - {"message", "validate_only", "validateOnly"}:
        raise MessageRefusedError(_unknown(sorted(unknown)[0], ""))
    return envelope


def _object(value: object, path: str) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is dict:
        return value
    text = f"Invalid value at '{path}' (type.googleapis.com/google.firebase.fcm.v1.Message)"
    raise MessageRefusedError(answers.invalid(path, text))


def _unknown(name: str, path: str) -> Answer:
    at = f" at '{path}'" if path else ""
    text = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
    return answers.invalid(path, text)


def _not_a_string(path: str, value: object) -> Answer:
    shown = msgspec.json.encode(value).decode()
    return answers.invalid(path, f"Invalid value at '{path}' (TYPE_STRING), {shown}")


def _token(fields: dict[str, Any]) -> str:
    named = [target for target in TARGETS if fields.get(target) is not None]
    if not named:
        raise MessageRefusedError(answers.no_recipient())
    if len(named) > 1:
        text = (
            "Invalid value at 'message' (oneof), oneof field 'target' is already set. "
            f"Cannot set '{named[1]}'"
        )
        raise MessageRefusedError(answers.invalid("message", text))
    if named != ["token"]:
        # Muster never sends to a topic: a topic cannot say who received an alert.
        text = "The stand-in takes messages to single tokens only."
        raise MessageRefusedError(answers.invalid(f"message.{named[0]}", text, fcm=True))
    token = fields["token"]
    if type(token) is not str:
        raise MessageRefusedError(_not_a_string("message.token", token))
    if not _TOKEN.match(token):
        raise MessageRefusedError(answers.bad_token())
    return token


def _check_platforms(fields: dict[str, Any], android: dict[str, Any]) -> None:
    string_map(android.get("data"), "message.android.data")
    ttl = android.get("ttl")
    if ttl is not None:
        _check_ttl(ttl)
    if str(android.get("priority", "high")).lower() not in ("high", "normal"):
        path = "message.android.priority"
        kind = "type.googleapis.com/google.firebase.fcm.v1.AndroidMessagePriority"
        shown = msgspec.json.encode(android["priority"]).decode()
        text = f"Invalid value at '{path}' ({kind}), {shown}"
        raise MessageRefusedError(answers.invalid(path, text))
    for platform in ("apns", "webpush"):
        part = _object(fields.get(platform), f"message.{platform}")
        if part:
            string_map(part.get("headers"), f"message.{platform}.headers")


def _check_ttl(ttl: object) -> None:
    path = "message.android.ttl"
    match = _TTL.match(ttl) if isinstance(ttl, str) else None
    if match is None:
        text = (
            f"Invalid value at '{path}' (type.googleapis.com/google.protobuf.Duration), "
            f"{msgspec.json.encode(ttl).decode()}"
        )
        raise MessageRefusedError(answers.invalid(path, text))
    if int(match[1]) > MAX_TTL_S:
        text = f"TTL must lie between 0 and {MAX_TTL_S} seconds."
        raise MessageRefusedError(answers.invalid(path, text, fcm=True))


def _check_keys(data: dict[str, str]) -> None:
    for key in data:
        if _RESERVED.match(key):
            text = f"Invalid data payload key: {key}"
            raise MessageRefusedError(answers.invalid("message.data", text, fcm=True))


def _check_size(
    data: dict[str, str], notification: dict[str, str], android: dict[str, Any]
) -> None:
    # A platform's own data replaces the common one.
    used = 0
    for part in (android.get("data") or data, notification):
        used += sum(len(k.encode()) + len(v.encode()) for k, v in part.items())
    if used > MAX_BYTES:
        raise MessageRefusedError(answers.too_big())
