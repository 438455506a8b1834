"""What a panic is and may become, how its re-alerts rise, and where to look for help. Pure."""

import math
from datetime import datetime, timedelta

import msgspec

from server.errors import Clash

LIVE = frozenset({"open", "acknowledged"})
SHOWN = LIVE | {"cancelled"}  # until a human has looked at it
OVER = frozenset({"resolved", "closed"})
ENDINGS = frozenset({"resolve", "close"})  # each finds done what the other has ended
COUNTDOWN_S = 10.0  # from the press: taken back within it, it was probably a slip
RISING_S = (60.0, 120.0, 180.0)  # after the press, while nobody has it
THEN_EVERY_S = 120.0
AGAIN_S = 2.0  # between two words to consoles about further presses
MOST_NEARBY = 20  # colleagues who are told
SQUARES = 10  # to a degree, as of the database's index
DEGREE_M = 110_500.0  # of latitude, at its shortest

# verb -> state before -> state after. All there is; docs/panic.md draws it.
TRANSITIONS: dict[str, dict[str, str]] = {
    "acknowledge": {"open": "acknowledged"},
    "hand_over": {"acknowledged": "acknowledged"},
    "resolve": {"open": "resolved", "acknowledged": "resolved"},
    "cancel": {"open": "cancelled", "acknowledged": "cancelled"},
    "close": {"cancelled": "closed"},
}


class Reach(msgspec.Struct, frozen=True):
    """Whom a word about a panic goes to, beside the consoles."""

    desk: bool = True
    leaders: bool = False  # the warden and the alternates of the person's node
    above: bool = False  # those of the node above it


class Kind(msgspec.Struct, frozen=True):
    """What decides who may know of a panic."""

    covert: bool = False
    duress: bool = False
    verified: bool = True

    @property
    def counts(self) -> bool:
        """Whether it makes its person need_help, and whether wardens are told."""
        return self.verified and not self.covert and not self.duress


def step(state: str, verb: str) -> str:
    """The state after a verb; the same where it was carried out already.

    Raises Clash where it does not apply: what is over stays as it ended.
    """
    after = TRANSITIONS[verb]
    if state in after:
        return after[state]
    if state in after.values() or (verb in ENDINGS and state in OVER):
        return state
    if state == "cancelled":
        raise Clash("Its person took this panic back. Close it.", code="panic_over")
    if state in OVER:
        raise Clash("This panic is over.", code="panic_over")
    raise Clash("Nobody has this panic yet, or it was not taken back.", code="panic_live")


def due_after(number: int) -> timedelta:
    """How long after the press the re-alert of this number (1, 2, ..) is due."""
    if number <= len(RISING_S):
        return timedelta(seconds=RISING_S[number - 1])
    return timedelta(seconds=RISING_S[-1] + THEN_EVERY_S * (number - len(RISING_S)))


def reach(number: int, kind: Kind) -> Reach:
    """Whom the re-alert of this number goes to; 0 is the panic itself.

    What wardens must not learn of, and what nothing vouches for, is the desk's alone.
    """
    if not kind.counts:
        return Reach()
    return Reach(desk=True, leaders=number != 1, above=number >= len(RISING_S))


def in_countdown(event_at: datetime, moment: datetime) -> bool:
    """Whether a panic was taken back within the countdown its phone shows."""
    return moment - event_at <= timedelta(seconds=COUNTDOWN_S)


def squares(lat: float, lon: float, metres: float) -> tuple[list[int], list[int]]:
    """The squares of a tenth of a degree that hold all places so near: their rows and columns.

    More than those, never fewer: whoever asks measures the distance then.
    """
    high = metres / DEGREE_M
    rows = range(math.floor((lat - high) * SQUARES), math.floor((lat + high) * SQUARES) + 1)
    narrowest = math.cos(math.radians(min(90.0, abs(lat) + high)))
    wide = 180.0 if narrowest * 180.0 <= high else high / narrowest
    if wide >= 180.0:
        return list(rows), list(range(-180 * SQUARES, 180 * SQUARES + 1))
    around = range(math.floor((lon - wide) * SQUARES), math.floor((lon + wide) * SQUARES) + 1)
    columns = {(n + 180 * SQUARES) % (360 * SQUARES) - 180 * SQUARES for n in around}
    if -180 * SQUARES in columns:  # the same meridian, written otherwise
        columns.add(180 * SQUARES)
    return list(rows), sorted(columns)


def rounded(metres: float) -> int:
    """A distance as colleagues are told it: to 100 m, and never less."""
    return max(100, round(metres / 100) * 100)
