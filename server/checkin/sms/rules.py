"""What a text message means. Pure.

An unknown is never taken for a known: only a text that says one thing clearly is a status. A
word for help anywhere is a call for help, whatever else the text says.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import time
from typing import Literal

import msgspec

from server.checkin.sms import stages, words
from server.checkin.sms.stages import Stated
from server.people.asking import CODE_ALPHABET, LONGEST_CODE, SHORTEST_CODE, without_our_words

MOST_PEOPLE = 30
MOST_MINUTES = 1440  # a deadline is moved by a day at most
Status = Literal["safe", "need_help", "away"]

_CODE = re.compile(rf"[{CODE_ALPHABET.lower()}]{{{SHORTEST_CODE},{LONGEST_CODE}}}")
_WALL = re.compile(r"(?<!\d)([01]?\d|2[0-3])\s?[:：h]\s?([0-5]\d)(?!\d)", re.IGNORECASE)
_LENGTH = re.compile(r"\d\s?h.*", re.IGNORECASE)  # 1h30: half past one, or an hour and a half?
_HOURS = re.compile(r"(\d+)(h|ч)")
_ANSWERABLE = re.compile(r"\+[1-9][0-9]{7,14}")
_QUESTION = re.compile(r"[?？؟]")
_CHINESE = re.compile(r"([\u3400-\u9fff]+)")
_ARABIC = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ة": "ه", "ى": "ي", "ـ": None})


class Understood(msgspec.Struct, frozen=True):
    """What a text says.

    status None: nothing clear. code: the answer code given, in capitals. people: how many the
    sender answers for, herself included ("SAFE 4"). stop: wants no more texts. machine: no
    human seems to have written it (our own words come back, a notice of absence). watch: a word
    about a timer; of extend `minutes` or `wall` say for how long, or until when. stated: a stage
    of a movement.
    """

    status: Status | None = None
    code: str | None = None
    people: int | None = None
    stop: bool = False
    machine: bool = False
    watch: Literal["done", "extend"] | None = None
    minutes: int | None = None
    wall: time | None = None
    stated: Stated | None = None


def tidy(text: str) -> list[str]:
    """The words of a text: lower case, no accents, no marks of direction, digits as 0-9.

    Chinese has no spaces: a run of it is one word, and its pieces are looked for in it.
    """
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_ARABIC)
    letters = (_letter(c) for c in plain)
    spaced = _CHINESE.sub(r" \1 ", "".join(letters))
    return spaced.split()


def _letter(c: str) -> str:
    kind = unicodedata.category(c)
    if kind in ("Mn", "Cf", "Cc", "Lm") and c not in "\n\t\r":
        return ""
    if kind == "Nd":
        return str(unicodedata.digit(c))
    return c if kind[0] == "L" else " "


def understand(text: str) -> Understood:
    """Reads a text in any of the six languages. What it quotes of ours says nothing."""
    own, quoted = without_our_words(text)
    found = tidy(own)
    codes = [w.upper() for w in reversed(found) if _is_code(w)]
    code = next(iter(codes), None)
    people = next((int(w) for w in found if w.isdigit() and 0 < int(w) <= MOST_PEOPLE), None)
    said = [w for w in found if not w.isdigit() and w.upper() != code]
    if len(said) == 1 and said[0] in words.STOP:
        return Understood(stop=True)
    status, watch = _status(said), _watch(said)
    echo = quoted or status == "need_help"  # what stands before our own words is ours, too
    stated = None if echo else _stated(own, found, codes)
    nothing = status is None and watch is None and stated is None
    machine = (quoted and nothing) or _holds(said, words.MACHINES)
    plain = Understood(
        status=status,
        code=code if stated is None else stated.code,
        people=people,
        machine=machine,
        watch=watch,
        stated=stated,
    )
    if watch != "extend":
        return plain
    wall = _wall(own, code)
    minutes = None if wall else _minutes([w for w in found if w.upper() != code], said)
    return msgspec.structs.replace(plain, wall=wall, minutes=minutes)


def is_answerable(sender: str, own: Sequence[str]) -> bool:
    """Whether a text may be answered: no names, no short codes, none of our own numbers."""
    ours = {number.lstrip("+") for number in own}
    return _ANSWERABLE.fullmatch(sender) is not None and sender.lstrip("+") not in ours


def may_need_help(text: str) -> bool:
    """Whether a text is to be understood before others: nothing of it is decided by this."""
    return understand(text).status == "need_help" or " P " in f"{text.upper()} "


def _is_code(word: str) -> bool:
    """Four to seven letters of the alphabet, at least one a digit: no word of any language."""
    return bool(_CODE.fullmatch(word)) and any(c.isdigit() for c in word)


def _status(said: Sequence[str]) -> Status | None:
    if _holds(said, words.HELP):
        return "need_help"
    if _holds(said, words.NEGATIONS, chinese=True):
        return None
    safe, away = _holds(said, words.SAFE), _holds(said, words.AWAY)
    if safe == away:
        return None  # neither, or both at once
    return "safe" if safe else "away"


def _watch(said: Sequence[str]) -> Literal["done", "extend"] | None:
    """A word about a timer; never beside a call for help, a negation, or AWAY."""
    against = words.HELP | words.AWAY
    if _holds(said, against) or _holds(said, words.NEGATIONS, chinese=True):
        return None
    done, extend = _holds(said, words.DONE), _holds(said, words.EXTEND)
    if done == extend:
        return None
    return "done" if done else "extend"


def _stated(own: str, found: Sequence[str], codes: Sequence[str]) -> Stated | None:
    """A stage of a movement; never in a question, nor beside a negation, but of what keeps her."""
    stated = None if _QUESTION.search(own) else stages.read(found, codes)
    if stated is None or stated.stage == "staying":
        return stated
    return None if _holds(stated.rest, words.NEGATIONS, chinese=True) else stated


def _wall(text: str, code: str | None) -> time | None:
    """A wall time that stands in a text beside its code."""
    plain = "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)
    rest = plain if code is None else re.sub(rf"\b{code}\b", " ", plain, flags=re.IGNORECASE)
    found = _WALL.search(rest)
    if found is None or _LENGTH.fullmatch(found[0]):
        return None
    return time(int(found[1]), int(found[2]))


def _minutes(found: Sequence[str], said: Sequence[str]) -> int | None:
    """How many minutes: the one number of a text beside its code (which may be all digits), or as
    many hours. None: not clear."""
    numbers = [int(w) for w in found if w.isdigit() and len(w) < 5]
    hours = [int(m[1]) for w in said if (m := _HOURS.fullmatch(w)) and len(m[1]) < 5]
    if len(numbers) + len(hours) != 1:
        return None
    many = numbers[0] if numbers else 0
    by_hour = bool(hours) or _holds(said, words.HOURS)
    minutes = (hours[0] if hours else many) * (60 if by_hour else 1)
    return minutes if 0 < minutes <= MOST_MINUTES else None


def _holds(said: Sequence[str], phrases: frozenset[str], *, chinese: bool = False) -> bool:
    """Whether a phrase stands among the words, or within a run of Chinese."""
    line = f" {' '.join(said)} "
    runs = [w for w in said if _CHINESE.fullmatch(w)]
    for phrase in phrases:
        if f" {phrase} " in line:
            return True
        if any(phrase in run and (not chinese or run not in words.AWAY) for run in runs):
            return True
    return False
