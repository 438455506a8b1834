"""One cell: what people and spreadsheets put in it, made clean or refused. Pure."""

import re
import unicodedata
from functools import lru_cache

from server.people.phones import AS_TEXT, BadPhone, to_e164

# Invisible marks that ride along in copied text. Joiners stay: names in Persian need them.
_DROPPED = dict.fromkeys(
    [0xAD, 0xFEFF, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A)]
)
_SHEET_ERRORS = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}
)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]?\d+")
_DEGREES = re.compile(r"[+-]?\d{1,3}(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3},\d+")
_EMAIL = re.compile(r"[^@\s,;<>()]{1,64}@[^@\s,;<>()]+\.[^@\s,;<>().]{2,}")
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_]([a-z0-9]{2,8}))*", re.IGNORECASE)
_KEY_TRAPS = frozenset(";/\\")

# ISO 639-1; three-letter codes (ISO 639-3) have no list here and are taken by their form.
_LANGUAGES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy
da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu
hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb
lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om
or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw
ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
LANGUAGES = frozenset(_LANGUAGES.split())


# Stands before what a spreadsheet holds as a date; no column of a roster has dates.
DATE = "\ue000"


class BadCell(Exception):
    """A value that is refused: why, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def clean(raw: str, limit: int) -> str:
    """A cell's text in one form: trimmed, inner space single, NFC. Raises BadCell."""
    if raw.isascii() and raw.isprintable():
        text = raw.strip()
        if "  " in text:
            text = " ".join(text.split())
    else:
        text = _clean_unusual(raw)
    if len(text) > limit:
        raise BadCell(f"is longer than {limit} characters", f"Shorten it to {limit} characters.")
    if text and text[0] == "#" and text in _SHEET_ERRORS:
        raise BadCell("is a formula's error", "Correct the formula, or enter the value itself.")
    return text


def _clean_unusual(raw: str) -> str:
    if raw.startswith(DATE):
        raise BadCell("a spreadsheet has turned this into a date", AS_TEXT)
    text = " ".join(raw.translate(_DROPPED).split())
    for c in text:
        if unicodedata.category(c) in ("Cc", "Cs"):
            name = "a NUL" if c == "\x00" else "a control character"
            raise BadCell(f"holds {name}", "Enter the value again by hand.")
    if "\ufffd" in text:
        raise BadCell("was damaged when the file was saved", "Enter the value again by hand.")
    return unicodedata.normalize("NFC", text)


def key(text: str) -> str:
    """A ref, code or node name. Raises BadCell for what can't serve as a name everywhere."""
    if not text:
        raise BadCell("is empty", "Give it a value of its own.")
    if _SCIENTIFIC.fullmatch(text):
        raise BadCell("a spreadsheet has turned this into a number", AS_TEXT)
    if text in (".", "..") or not _KEY_TRAPS.isdisjoint(text):
        raise BadCell(
            "holds a character that lists and addresses need", "Use - in place of ; / \\."
        )
    return text


@lru_cache(maxsize=1024)
def choice(text: str, allowed: frozenset[str]) -> str:
    """One of a few words, in any case and spacing. Raises BadCell."""
    word = text.casefold().replace(" ", "_").replace("-", "_")
    if word in allowed:
        return word
    reason = "is unknown" if text else "is empty"
    raise BadCell(reason, f"Use one of {', '.join(sorted(allowed))}.")


def phone(text: str, region: str) -> tuple[str, bool]:
    """E.164, and whether the number is in a plan known to be in use. Raises BadCell."""
    try:
        return to_e164(text, region)
    except BadPhone as error:
        raise BadCell(error.reason, error.remedy) from None


def email(text: str) -> str:
    """An address as it is. Raises BadCell."""
    if not _EMAIL.fullmatch(text):
        raise BadCell("is no e-mail address", "Write one address, such as name@example.org.")
    return text


@lru_cache(maxsize=1024)
def language(text: str) -> str:
    """A language tag in one form: `fr`, `pt-BR`. Raises BadCell."""
    found = _LANGUAGE.fullmatch(text)
    primary = found[1].lower() if found else ""
    if not found or (len(primary) == 2 and primary not in LANGUAGES):
        raise BadCell("is no language code", "Use a code such as en, fr, es, ar, ru, zh or sw.")
    rest = text.replace("_", "-").split("-")[1:]
    return "-".join([primary, *(r.upper() if len(r) == 2 else r.lower() for r in rest)])


def degrees(text: str, most: float) -> float | None:
    """Decimal degrees within -most..most, or None if empty. Raises BadCell."""
    if not text:
        return None
    if _DECIMAL_COMMA.fullmatch(text):
        raise BadCell("has a decimal comma", "Write a decimal point, such as -1.2326.")
    if not _DEGREES.fullmatch(text):
        raise BadCell("is no number of degrees", "Give decimal degrees, such as -1.2326.")
    value = float(text)
    if not -most <= value <= most:
        raise BadCell(f"is outside -{most:g} to {most:g}", "Check lat and lon are not exchanged.")
    return value


def keys(text: str) -> list[str]:
    """A list of refs separated by `;`. Raises BadCell where one is named twice."""
    found = [key(part.strip()) for part in text.split(";") if part.strip()]
    if len(set(found)) < len(found):
        twice = next(ref for ref in found if found.count(ref) > 1)
        raise BadCell(f"names {twice} twice", "Name each person once.")
    return found
