"""A text as a gateway hands it over: who sent what. Pure.

Nothing of a genuine request is refused for its contents: what cannot be read is kept as it came.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from server.gateways import Received, decoded
from server.texting import SmsRoute

LONGEST_BODY = 2000
LONGEST_FIELD = 200
NOBODY = "unknown"  # the sender of a text that names none
_E164 = re.compile(r"\+[1-9][0-9]{5,14}")
_PUNCTUATION = re.compile(r"[\s().\-\u00a0\u200e\u200f\u202a-\u202e]")
_KNOWN_CHARSETS = {"utf-16be": "utf-16-be", "utf-8": "utf-8", "iso-8859-1": "latin-1",
                   "latin1": "latin-1", "windows-1252": "cp1252", "ascii": "ascii",
                   "ucs-2": "utf-16-be"}  # fmt: skip
_ANDROID_EVENTS = ("sms:received", "sms:data-received", "")


class Text(msgspec.Struct, frozen=True):
    """One text. `sender` as it came; `provider_id` is None where a gateway's ids may repeat."""

    sender: str
    body: str
    recipient: str | None = None
    provider_id: str | None = None
    sent_at: str | None = None


def text_of(route: SmsRoute, request: Received) -> Text | None:
    """The text in a genuine request; None where it is no text at all."""
    if route.kind == "kannel":
        return _of_kannel(request)
    if route.kind == "android":
        return _of_android(request)
    form = dict(request.form())
    if route.kind == "twilio":
        return _text(form, "From", "To", "Body", "MessageSid")
    return _text(form, "from", "to", "text", "id", "date")


def _text(said: Mapping[str, str], *names: str) -> Text:
    sender, to, body, key, *at = (said.get(name, "") for name in names)
    return Text(
        sender=kept(sender, 40) or NOBODY,
        body=kept(body, LONGEST_BODY),
        recipient=kept(to, 40) or None,
        provider_id=kept(key, LONGEST_FIELD) or None,
        sent_at=kept(at[0], 40) or None if at else None,
    )


def _of_kannel(request: Received) -> Text:
    """The query; a POST has the text as its body. Bytes in the charset that `charset` names."""
    raw = dict(parse_qsl(_query(request), keep_blank_values=True, encoding="latin-1"))
    body = raw.get("text", "").encode("latin-1")
    charset = raw.get("charset", "")
    media = request.headers.get(b"content-type", b"").lower()
    if "text" not in raw and request.raw and b"form" not in media:
        body = request.raw
        charset = charset or media.partition(b"charset=")[2].strip(b' "').decode("latin-1")
    if raw.get("coding") == "2" and not charset:
        charset = "utf-16be"
    said = {**dict(request.query), "text": _decode(body, charset)}
    headed = {"from": b"x-kannel-from", "to": b"x-kannel-to", "ts": b"x-kannel-time"}
    for name, header in headed.items():
        if not said.get(name) and header in request.headers:
            said[name] = request.headers[header].decode("utf-8", "replace")
    return _text(said, "from", "to", "text", "id", "ts")


def _query(request: Received) -> str:
    return request.url.partition("?")[2]


def _decode(raw: bytes, charset: str) -> str:
    return raw.decode(_KNOWN_CHARSETS.get(charset.lower(), "utf-8"), "replace")


def _of_android(request: Received) -> Text | None:
    message = decoded(request.raw)
    event, payload = message.get("event", ""), message.get("payload")
    if event not in _ANDROID_EVENTS or not isinstance(payload, dict):
        return None
    said = {name: value for name, value in payload.items() if isinstance(value, str)}
    said["from"] = said.get("sender") or said.get("phoneNumber") or ""
    return _text(said, "from", "recipient", "message", "", "receivedAt")


def kept(text: str, most: int) -> str:
    """What a record can hold of a text: no NUL, no half of a surrogate pair."""
    whole = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return whole[:most]


def numbers_of(sender: str, prefixes: tuple[str, ...]) -> list[str]:
    """The numbers in E.164 a sender may mean, the likeliest first; none for a name.

    Centres leave the plus out, or give a number as it is dialled at home: then it is one of the
    countries the route serves.
    """
    bare = _PUNCTUATION.sub("", sender)
    digits = bare.removeprefix("+").removeprefix("00")
    if not digits.isdecimal() or not digits.isascii():
        return []
    if bare.startswith("+"):
        return [n for n in [f"+{digits}"] if _E164.fullmatch(n)]
    homes = [p for p in prefixes if len(p) > 1]
    abroad = [f"+{digits}"] if len(digits) >= 8 and not digits.startswith("0") else []
    dialled = [f"{home}{digits.lstrip('0')}" for home in homes if 7 <= len(digits) <= 12]
    own = [n for n in abroad if any(n.startswith(home) for home in homes)]
    return [n for n in dict.fromkeys([*own, *abroad, *dialled]) if _E164.fullmatch(n)]
