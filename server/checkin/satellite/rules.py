"""What a message of a satellite messenger means. Pure.

The codes are Garmin's ("Developer Guide for IPC Outbound", Message Codes Table): 0 position report,
2 locate response, 3 free text, 4 declare SOS, 6 confirm SOS, 7 cancel SOS, 8 reference point,
10 to 12 begin, interval and end of a track, 13 unknown index, 14 to 16 the three preset messages,
17 map share, 20 mail check, 21 "am I alive", 24 to 63 predefined messages, 64 and 66 to 69 binary
and encrypted, 65 pingback, 3099 quick text. 9 is the check-in of earlier devices.

Words decide wherever there are any: a preset message says what its owner wrote into it, and not
that she is safe. An unknown is never taken for a known.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from server.checkin.sms import rules as texts
from server.checkin.sms import signed, words
from server.satellites import Kind

Said = Literal["panic", "cancel", "position", "safe", "need_help", "away"]

REFERENCE_POINT = 8
_SOS = frozenset({4, 6})
_CANCEL = 7
_PRESETS = frozenset({9, 14, 15, 16})
_SILENT = frozenset({0, 2, 10, 11, 12, 13, 20, 21, 65})
SOS_WORDS = frozenset({"sos", "mayday", "panic", "panique", "panico", "сос", "паника"})
_TAKEN_BACK = (["cancel", "sos"], ["sos", "cancel"])
_CHECKED_IN = ("check in", "checking in", "checked in", "checkin")


class Meaning(msgspec.Struct, frozen=True):
    """What a message says; `said` None: nothing clear. `code`: the answer code among its words."""

    said: Said | None
    code: str | None = None


def meaning(kind: Kind, number: int | None, body: str) -> Meaning:
    """The meaning of a message code and words. The app's signed form is not read here."""
    if kind == "inreach" and number in _SOS:
        return Meaning("panic")
    if kind == "inreach" and number == _CANCEL:
        return Meaning("cancel")
    if not body.strip():
        return Meaning(_without_words(kind, number))
    return _of_words(number in _PRESETS, body)


def _of_words(preset: bool, body: str) -> Meaning:
    found = texts.tidy(body)
    if found in _TAKEN_BACK:
        return Meaning("cancel")
    if found and found[0] in SOS_WORDS:
        return Meaning("panic")
    understood = texts.understand(body)
    status = understood.status
    if status == "need_help" or (status is not None and not understood.machine):
        return Meaning(status, understood.code)
    return Meaning("safe" if preset and _has_checked_in(found) else None)


def _without_words(kind: Kind, number: int | None) -> Said | None:
    """What a code alone says; a RockBLOCK that sends nothing looks whether there is mail for it."""
    if kind == "rockblock" or number in _SILENT:
        return "position"
    return "safe" if number in _PRESETS else None


def _has_checked_in(found: Sequence[str]) -> bool:
    if any(w in words.NEGATIONS for w in found):
        return False
    line = f" {' '.join(found)} "
    return any(f" {phrase} " in line for phrase in _CHECKED_IN)


def may_need_help(kind: Kind, number: int | None, body: str) -> bool:
    """Whether a message is to be understood before others: nothing of it is decided by this."""
    if signed.means_panic(body) or texts.may_need_help(body):
        return True
    return meaning(kind, number, body).said in ("panic", "cancel")
