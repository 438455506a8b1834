"""One press as it is understood: what cannot be read is left out and named, never refused."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from server.alerts.panics.messages import Battery, Latitude, Longitude, Metres, Ref
from server.clock import Moment
from server.errors import Problem
from server.gateways import loose
from server.people.rules import storable
from server.web import plausible

MOST_IGNORED = 50
MOST_NAME = 100


class Place(msgspec.Struct, frozen=True):
    """Degrees, and metres of accuracy."""

    lat: float
    lon: float
    accuracy_m: float | None = None


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """One press. Times are the phone's own; `ignored` names what was left out of it."""

    press_id: UUID
    at: datetime | None = None
    sent_at: datetime | None = None
    for_ref: str | None = None
    place: Place | None = None
    covert: bool = False
    battery: int | None = None
    ignored: tuple[str, ...] = ()

    def but(self, *ignored: str, **changes: Any) -> "Press":
        """The same with changes, and with what was left out for them."""
        return msgspec.structs.replace(self, ignored=(*self.ignored, *ignored), **changes)


class _Reader:
    """The fields of an object, one by one; `ignored` gathers what is of no use."""

    def __init__(self, found: dict[str, Any], prefix: str = "") -> None:
        self._left = dict(found)
        self._prefix = prefix
        self.ignored: list[str] = []

    def take(self, name: str, kind: Any, check: Callable[[Any], bool] | None = None) -> Any:
        """A field's value; None where it is missing, null or useless."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        try:
            read = msgspec.convert(value, kind)
        except (msgspec.ValidationError, ValueError, OverflowError):
            self.drop(name)
            return None
        if check is not None and not check(read):
            self.drop(name)
            return None
        return read

    def drop(self, name: str) -> None:
        """Notes a field that is left out."""
        self.ignored.append(_written(self._prefix + name))

    def rest(self) -> list[str]:
        """All that is left out, fields nobody asked for included."""
        for name in self._left:
            self.drop(name)
        return self.ignored[:MOST_IGNORED]


def read_press(raw: bytes) -> Press:
    """Whatever JSON there is, as a press. Raises msgspec.DecodeError where it is none."""
    found = loose(raw)
    if not isinstance(found, dict):
        return Press(press_id=uuid4(), ignored=("(body)",))
    fields = _Reader(found)
    place, inner = _place(fields.take("location", dict[str, Any]))
    press_id = fields.take("id", UUID)
    return Press(
        press_id=press_id or uuid4(),
        at=fields.take("at", Moment, _is_plausible),
        sent_at=fields.take("sent_at", Moment, _is_plausible),
        for_ref=fields.take("for", Ref, storable),
        place=place,
        covert=fields.take("covert", bool) or False,
        battery=fields.take("battery", Battery),
        ignored=tuple([*fields.rest(), *inner][:MOST_IGNORED]),
    )


def _place(found: dict[str, Any] | None) -> tuple[Place | None, list[str]]:
    """A place with what was left out of it; none without both degrees."""
    if found is None:
        return None, []
    inner = _Reader(found, "location.")
    lat, lon = inner.take("lat", Latitude, _is_number), inner.take("lon", Longitude, _is_number)
    accuracy = inner.take("accuracy", Metres, _is_number)
    if lat is None or lon is None:
        return None, ["location"]
    return Place(lat, lon, accuracy), inner.rest()


def _is_plausible(moment: datetime) -> bool:
    try:
        plausible("at", moment)
    except Problem:
        return False
    return True


def _is_number(value: float) -> bool:
    return math.isfinite(value)


def _written(name: str) -> str:
    """A field's name as it can be kept."""
    kept = "".join(c for c in name if c != "\x00" and not "\ud800" <= c <= "\udfff")
    return kept[:MOST_NAME]
