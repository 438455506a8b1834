"""What is true of people and their codes, whatever the database says. Pure."""

import hashlib
import unicodedata
from collections.abc import Sequence

# Crockford's base 32: no I, L, O or U, so nothing read aloud or off paper is mistaken.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TYPED_CODE = 8  # characters of 5 bits: 40 bits, at most a day
PRINTED_CODE = 26  # 130 bits, at most a week
SMS_ID = 5

_HEARD = str.maketrans({"O": "0", "I": "1", "L": "1"})
_CODE_FILLING = frozenset(" -\u00a0\u2010\u2011\u2012\u2013\u2014\u200e\u200f")
_DIGITS_WORTH_A_SEARCH = 3


def storable(text: str) -> bool:
    """Whether a record can hold this text at all: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def code_text(draws: Sequence[int]) -> str:
    """A code from random numbers of 0 to 31, in groups of four: `7KQ2-M4XP`."""
    text = "".join(ALPHABET[n] for n in draws)
    return "-".join(text[n : n + 4] for n in range(0, len(text), 4))


def bare_code(typed: str) -> str:
    """A code as it was meant: case, spacing, and the look-alikes O, I and L put right."""
    kept = "".join(c for c in typed if c not in _CODE_FILLING)
    return kept.upper().translate(_HEARD)


def code_digest(typed: str) -> bytes:
    """What is stored of an enrolment code (SHA-256), for any way of typing it."""
    return hashlib.sha256(bare_code(typed).encode("utf-8", "surrogatepass")).digest()


def reporter_of(
    me: int | None, person_id: int, sponsor_id: int | None, in_branch: bool
) -> str | None:
    """In what capacity a person may answer for another; None: may not.

    self; family (a sponsor for her own family, not the reverse); warden (own branch).
    """
    if me == person_id:
        return "self"
    if me is not None and sponsor_id == me:
        return "family"
    return "warden" if in_branch else None


def search_text(query: str) -> tuple[str, str | None]:
    """A search as it is compared: the text in one normal form, and its digits as of a number.

    Digits of any script count; leading zeros (a trunk prefix, or 00) are left out, since
    numbers are kept as E.164. None where there are too few digits to search numbers for.
    """
    text = unicodedata.normalize("NFC", query).strip()
    if any(c.isalpha() for c in text):
        return text, None
    digits = "".join(
        str(unicodedata.digit(c)) for c in text if unicodedata.digit(c, None) is not None
    )
    digits = digits.lstrip("0")
    return text, digits if len(digits) >= _DIGITS_WORTH_A_SEARCH else None
