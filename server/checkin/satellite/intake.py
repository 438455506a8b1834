"""Messages as their provider hands them over: which device said what, when and where. Pure.

Nothing of a genuine request is refused for its contents: what cannot be read is left out and named,
what is no message at all is kept as it came. Names of fields in any case.

inReach: Garmin, "Developer Guide for IPC Outbound", versions 2 to 4 of the event schema: `Events`,
each with imei, messageCode, freeText, timeStamp (milliseconds), point. `gpsFix` 0 is no position.
RockBLOCK: Ground Control, "Receiving MO messages via HTTP Webhook": imei, momsn, transmit_time
(UTC), data (hex), iridium_latitude, iridium_longitude, iridium_cep (km, half of all lie within).
"""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from server.checkin.rules import Place
from server.checkin.satellite.rules import REFERENCE_POINT
from server.checkin.sms.intake import LONGEST_BODY, kept
from server.satellites import Kind

NOBODY = "unknown"  # the device of a message that names none
LONGEST_IMEI = 40
WRAPS = timedelta(days=30)  # a RockBLOCK counts to 65,535 and begins anew
FOREVER = timedelta(days=36500)
UNTIMED = timedelta(hours=1)  # what bears no time of its own may be said again, in the same words
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(?:\d\d)?(\d\d-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?Z?")
_FARTHEST_M = 1e7


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `key` is the same whenever it comes again, `once_in` how long that is so; `at`
    is the device's time; `ignored` names what could not be read."""

    imei: str
    key: str
    body: str
    code: int | None = None
    at: datetime | None = None
    place: Place | None = None
    once_in: timedelta = FOREVER
    ignored: tuple[str, ...] = ()


def events_of(kind: Kind, said: Any, raw: bytes) -> list[Event]:
    """The messages of a genuine request, each once; at least one."""
    found = [_rockblock(said)] if kind == "rockblock" else list(_inreach(said))
    events = [e for e in found if e is not None]
    if len(events) < len(found) or not events:
        events.append(_as_it_came(raw))
    return list({e.key: e for e in reversed(events)}.values())[::-1]


def _as_it_came(raw: bytes) -> Event:
    """What holds no message that could be told from another, in one piece."""
    body = kept(raw[: 4 * LONGEST_BODY].decode("utf-8", "replace"), LONGEST_BODY)
    return Event(imei=NOBODY, key=f"raw:{_digest(raw)}", body=body, once_in=UNTIMED)


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


class _Fields:
    """The fields of an object, by names in lower case; `ignored` gathers what is of no use."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = {name.lower(): value for name, value in found.items()}
        self.ignored: list[str] = []

    def raw(self, name: str) -> Any:
        """The value as it came."""
        return self._found.get(name.lower())

    def text(self, name: str, most: int) -> str:
        """A text, a whole number as one; empty for none."""
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
            value = str(value)
        if value is not None and not isinstance(value, str):
            self.ignored.append(name)
        return kept(value, most).strip() if isinstance(value, str) else ""

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number within bounds, however it is written."""
        value = self.raw(name)
        try:
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                raise ValueError(name)
            read = float(value)
            if not low <= read <= high:  # NaN is not either
                raise ValueError(name)
        except (ValueError, OverflowError):
            if value not in (None, ""):
                self.ignored.append(name)
            return None
        return read

    def whole(self, name: str, high: int) -> int | None:
        """A whole number from 0 on."""
        read = self.number(name, 0, high)
        return None if read is None or not read.is_integer() else int(read)

    def inner(self, name: str) -> "_Fields":
        """An object in it; one without fields for none."""
        value = self.raw(name)
        if value is not None and not isinstance(value, dict):
            self.ignored.append(name)
        return _Fields(value if isinstance(value, dict) else {})


# -- inReach


def _inreach(said: Any) -> Iterator[Event | None]:
    events = _Fields(said).raw("Events") if isinstance(said, dict) else None
    for one in events if isinstance(events, list) else [None]:
        if isinstance(one, dict) and {n.lower() for n in one} & {"imei", "messagecode"}:
            yield _event(_Fields(one), one)
        else:
            yield None


def _event(fields: _Fields, found: dict[str, Any]) -> Event:
    imei = fields.text("imei", LONGEST_IMEI)
    code = fields.whole("messageCode", 65535)
    stamp = fields.whole("timeStamp", int(_LATEST.timestamp() * 1000))
    at = None if stamp is None else datetime.fromtimestamp(stamp / 1000, UTC)
    if at is not None and at < _EARLIEST:
        fields.ignored.append("timeStamp")
        at = None
    place = None if code == REFERENCE_POINT else _fix(fields.inner("point"))
    told = imei and code is not None and at is not None
    key = f"inreach:{imei}:{stamp}:{code}" if told else f"inreach:{_digest(_written(found))}"
    return Event(
        imei=imei or NOBODY,
        key=key,
        body=fields.text("freeText", LONGEST_BODY),
        code=code,
        at=at,
        place=place,
        once_in=UNTIMED if at is None else FOREVER,
        ignored=tuple(fields.ignored),
    )


def _fix(point: _Fields) -> Place | None:
    """Where the device was; how exactly is not said. Without a fix the point is no position, and
    nobody is where both degrees are nought."""
    lat, lon = point.number("latitude", -90, 90), point.number("longitude", -180, 180)
    nowhere = point.number("gpsFix", 0, 3) == 0 or (lat, lon) == (0, 0)
    return None if lat is None or lon is None or nowhere else Place(lat, lon, None)


def _written(found: dict[str, Any]) -> bytes:
    try:
        return json.dumps(found, sort_keys=True).encode()
    except RecursionError:
        return repr(sorted(found)).encode()


# -- RockBLOCK


def _rockblock(said: Any) -> Event | None:
    if not isinstance(said, dict):
        return None
    fields = _Fields(said)
    imei = fields.text("imei", LONGEST_IMEI)
    momsn = fields.whole("momsn", 65535)
    data = fields.text("data", 4 * LONGEST_BODY)
    if not imei and not data:
        return None
    at, place = _transmitted(fields), _near(fields)
    told = imei and momsn is not None
    which = f"{imei}:{momsn}" if told else f"{imei}:{fields.raw('transmit_time')}"
    return Event(
        imei=imei or NOBODY,
        key=f"rockblock:{kept(which, 200)}:{_digest(data.encode())}",
        body=_words(data),
        at=at,
        place=place,
        once_in=WRAPS if told or at is not None else UNTIMED,
        ignored=tuple(fields.ignored),
    )


def _transmitted(fields: _Fields) -> datetime | None:
    """`22-02-01 22:25:31`, in UTC."""
    text = fields.text("transmit_time", 40)
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        return datetime.strptime(f"{match[1]} {match[2]}+0000", "%y-%m-%d %H:%M:%S%z")
    except ValueError:
        if text:
            fields.ignored.append("transmit_time")
        return None


def _near(fields: _Fields) -> Place | None:
    """Where the satellite heard it: some kilometres wrong, as it says."""
    lat = fields.number("iridium_latitude", -90, 90)
    lon = fields.number("iridium_longitude", -180, 180)
    cep = fields.number("iridium_cep", 0, _FARTHEST_M / 1000)
    if lat is None or lon is None or (lat, lon) == (0, 0):
        return None
    return Place(lat, lon, None if cep is None else cep * 1000)


def _words(data: str) -> str:
    """What the bytes say; those that are no text stay in hex."""
    bare = "".join(data.split())
    try:
        text = bytes.fromhex(bare).decode()
    except ValueError:
        return kept(data, LONGEST_BODY)
    readable = all(c.isprintable() or c.isspace() for c in text.rstrip("\x00"))
    return kept(text if readable else bare, LONGEST_BODY).strip()
