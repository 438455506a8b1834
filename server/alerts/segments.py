"""How many SMS a text becomes: GSM-7 at 160 or 153 units, UCS-2 at 70 or 67.

A part of a long message never splits an escape pair (`€` is two units) or a surrogate pair.
"""

import msgspec
from gsm0338 import Codec

_GSM = Codec()
_SINGLE = {"GSM-7": 160, "UCS-2": 70}
_PART = {"GSM-7": 153, "UCS-2": 67}


class Segments(msgspec.Struct, frozen=True):
    """`count` messages in one `encoding`, `units` septets or UTF-16 words in all."""

    encoding: str
    count: int
    units: int


def segments(text: str) -> Segments:
    """What sending `text` as SMS takes. An empty text is no message."""
    try:
        sizes = [_gsm_units(c) for c in text]
        encoding = "GSM-7"
    except UnicodeEncodeError:
        sizes = [2 if ord(c) > 0xFFFF else 1 for c in text]
        encoding = "UCS-2"
    units = sum(sizes)
    if units <= _SINGLE[encoding]:
        return Segments(encoding, 1 if text else 0, units)
    return Segments(encoding, _parts(sizes, _PART[encoding]), units)


def _gsm_units(character: str) -> int:
    if character == "\x1b":  # the escape itself is no text
        raise UnicodeEncodeError("gsm03.38", character, 0, 1, "an escape")
    return len(_GSM.encode(character)[0])


def _parts(sizes: list[int], room: int) -> int:
    """Parts of at most `room` units, filled in order without splitting a character."""
    parts, used = 1, 0
    for size in sizes:
        if used + size > room:
            parts, used = parts + 1, 0
        used += size
    return parts
