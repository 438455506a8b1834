"""The signed text a phone makes by itself:

    M1 <id5> <counter> <minutes> <S|H|A|P|B12|R|V> <mac8> [lat,lon]

The MAC is HMAC-SHA256 over all fields with the device's key, cut to 40 bits and written as
eight letters of base 32; each counter counts once. Minutes since 1970 are in base 36. Pure.
"""

import base64
import hmac
import re
from datetime import UTC, datetime, timedelta

import msgspec

MEANING: dict[str, str] = {"S": "safe", "H": "need_help", "A": "away", "P": "panic"}
STAGES: dict[str, str] = {
    "B": "boarded",
    "R": "ready",
    "V": "arrived",
}  # B with the vehicle's number
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BITS = 40
_LATEST_MINUTE = 68_374_080  # the year 2100
_EXPIRED = re.compile(r"M1( [^ ]+){3} ([HP]) [^ ]+ \[PLACE\]")
_FORM = re.compile(
    r"M1 +([0-9A-Z]{5}) +([0-9]{1,15}) +([0-9A-Z]{1,6}) +([SHAPRV]|B[1-9][0-9]{0,3})"
    r" +([A-Z2-7]{8})(?: +(-?[0-9]{1,2}(?:\.[0-9]{1,5})?),(-?[0-9]{1,3}(?:\.[0-9]{1,5})?))? *"
)


class Signed(msgspec.Struct, frozen=True):
    """A signed text, read but not yet verified. `place` as written: it is part of the MAC."""

    id5: str
    counter: int
    minutes: int
    letter: str
    mac: str
    lat: str | None = None
    lon: str | None = None

    @property
    def at(self) -> datetime:
        """When it was written, by the phone's clock, to the minute."""
        return _EPOCH + timedelta(minutes=self.minutes)

    @property
    def tells_stage(self) -> bool:
        """Whether it is about a stage of a movement."""
        return self.letter[0] in STAGES

    @property
    def stage(self) -> tuple[str, int | None]:
        """The stage, and the vehicle's number of who boarded. Raises KeyError where it is none."""
        return STAGES[self.letter[0]], int(self.letter[1:]) if self.letter[1:] else None

    @property
    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees, if given and on this planet."""
        if self.lat is None or self.lon is None:
            return None
        lat, lon = float(self.lat), float(self.lon)
        return (lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


def looks_signed(text: str) -> bool:
    """Whether a text means to be of this form, well made or not."""
    return text.lstrip().upper().startswith("M1 ")


def read(text: str) -> Signed | None:
    """A text of this form. None if it is not well made."""
    match = _FORM.fullmatch(" ".join(text.upper().split()))
    if match is None:
        return None
    id5, counter, minutes36, letter, mac, lat, lon = match.groups()
    minutes = int(minutes36, 36)
    if minutes > _LATEST_MINUTE:
        return None
    return Signed(id5, int(counter), minutes, letter, mac, lat, lon)


def mac_of(key: bytes, id5: str, counter: int, minutes: int, letter: str, place: str = "") -> str:
    """The eight letters that vouch for the other fields. `place` is `lat,lon` as written."""
    said = f"M1 {id5} {counter} {_base36(minutes)} {letter} {place}".rstrip()
    cut = hmac.digest(key, said.encode("ascii"), "sha256")[: _BITS // 8]
    return base64.b32encode(cut).decode()


def is_genuine(key: bytes, signed: Signed) -> bool:
    """Whether the device with this key wrote it. Takes the same time either way."""
    place = "" if signed.lat is None else f"{signed.lat},{signed.lon}"
    right = mac_of(key, signed.id5, signed.counter, signed.minutes, signed.letter, place)
    return hmac.compare_digest(right, signed.mac)


def write(key: bytes, id5: str, counter: int, at: datetime, letter: str, place: str = "") -> str:
    """The text a phone sends. What the phone's own code makes must be equal to this."""
    minutes = int((at - _EPOCH).total_seconds() // 60)
    mac = mac_of(key, id5, counter, minutes, letter, place)
    return f"M1 {id5} {counter} {_base36(minutes)} {letter} {mac} {place}".rstrip()


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    while True:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
        if number == 0:
            return text


def means_panic(text: str) -> bool:
    """Whether a text of this form is a call for help, well made or not: never passed over."""
    return looks_signed(text) and "P" in text.upper().split()[2:6]


def called_long_ago(text: str) -> bool:
    """Whether a text called for help before its place expired, and its signature with it."""
    return _EXPIRED.fullmatch(" ".join(text.upper().split())) is not None
