"""What a text says of a stage of a movement: `BOARD 12`, `ARRIVED`, `AT GATE`. Pure.

Its word must come first: one that stands somewhere in a sentence may be a plan, a question, or of
somebody else.
"""

import re
from collections.abc import Sequence
from uuid import UUID

import msgspec

from server.checkin.sms import words

MOST_NUMBER = 9999
AGAINST = {"boarded": "arrived", "arrived": "boarded"}  # both in one text: neither is clear
_ONESELF = re.compile(r"^(我们|我)?(已经|已)?")


class Stated(msgspec.Struct, frozen=True):
    """A stage, the code beside it, and what follows its word: all the words, and the numbers."""

    stage: str
    code: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def numbers(self) -> list[int]:
        """In their order."""
        return [int(w) for w in self.rest if w.isdigit() and len(w) < 5 and int(w) > 0]


def read(found: Sequence[str], codes: Sequence[str]) -> Stated | None:
    """The stage that the words of a text begin with, as `rules.tidy` gives them; None where they
    begin with none. `codes`: which of them look like an answer code, the last first.

    A vehicle's number may look like one, too: it is the number where there is no other.
    """
    first = _read(found, next(iter(codes), None))
    if first is None or first.stage != "boarded" or first.numbers or not codes:
        return first
    other = next((c for c in codes if not c.isdigit()), None)
    return _read(found, other) if codes[0].isdigit() else first


def _read(found: Sequence[str], code: str | None) -> Stated | None:
    said = [w for w in found if w.upper() != code]
    while said and said[0] in words.ONESELF:
        said = said[1:]
    if said:
        said[0] = _ONESELF.sub("", said[0])
    for stage, phrases in words.STAGES.items():
        for phrase in sorted(phrases, key=len, reverse=True):
            rest = _after(said, phrase)
            if rest is not None:
                clear = not _holds(rest, words.STAGES.get(AGAINST.get(stage, ""), frozenset()))
                return Stated(stage, code, tuple(rest)) if clear else None
    return None


def _after(said: Sequence[str], phrase: str) -> list[str] | None:
    """What follows a phrase that stands first; None where it does not. Chinese has no spaces."""
    parts = phrase.split()
    if list(said[: len(parts)]) == parts:
        return list(said[len(parts) :])
    if said and "\u3400" <= phrase[0] <= "\u9fff" and said[0].startswith(phrase):
        return [said[0][len(phrase) :], *said[1:]]
    return None


def _holds(rest: Sequence[str], phrases: frozenset[str]) -> bool:
    line = f" {' '.join(rest)} "
    return any(f" {phrase} " in line for phrase in phrases)


def point_of(
    rest: Sequence[str], names: Sequence[tuple[UUID, Sequence[str]]]
) -> tuple[UUID | None, list[str]]:
    """Which of some points is named first, by the longest name, and the words after it; None: none,
    or several of that name.

    `names`: each point with the words of its name, in the form of `rest`.
    """
    for size in range(len(rest), 0, -1):
        named = "".join(rest[:size])
        found = [key for key, own in names if "".join(own) == named]
        if found:
            return (found[0] if len(found) == 1 else None), list(rest[size:])
    return None, []
