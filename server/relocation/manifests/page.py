"""A manifest for a clipboard: a page that any browser prints, in any script, and the same as PDF.

Its QR says which list of which vehicle it is, for whoever enters it again; it names nobody.
"""

import io
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any
from uuid import UUID

import segno

from server.relocation.manifests.messages import Manifest, Seat
from server.relocation.movements.messages import MovementOut
from server.typeset import text

HTML = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
TEMPLATE = Path(__file__).with_name("manifest.typ")
_BOX = "&#9744;"
_BLANK = 5  # lines for who was not listed
_TIME = "%Y-%m-%d %H:%M UTC"


def page(movement: MovementOut, found: Manifest, as_of: datetime) -> bytes:
    """The page. Everything that people wrote is escaped and set in its own direction."""
    exercise = "<h1>EXERCISE EXERCISE EXERCISE</h1>" if movement.exercise else ""
    title, told = _title(found), _told(found)
    lines = "".join(map(_line, found.seats)) + _blank() * _BLANK
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head><body>{exercise}"
        f'<table width="100%"><tr><td><h1 dir="auto">{escape(title)}</h1>'
        f'<h2 dir="auto">{escape(movement.title)}</h2><p>{told}</p>'
        f"<p>{as_of.strftime(_TIME)}</p></td>"
        f'<td align="right" width="180">{_drawn(movement.id, found)}</td></tr></table>'
        '<table border="1" cellspacing="0" cellpadding="6" width="100%"><thead><tr>'
        "<th>No</th><th>Boarded</th><th>Arrived</th><th>Name</th><th>Ref</th><th>Household</th>"
        f"<th></th></tr></thead><tbody>{lines}</tbody></table>"
        "<p>Date and time: ____________________ Signed: ____________________</p></body></html>"
    ).encode()


def typed(movement: MovementOut, found: Manifest, as_of: datetime) -> dict[str, Any]:
    """The same for the PDF's template."""
    return {
        "title": text(_title(found)),
        "movement": text(movement.title),
        "exercise": movement.exercise,
        "told": _told(found),
        "as_of": as_of.strftime(_TIME),
        "qr": _drawn(movement.id, found),
        "blank": _BLANK,
        "seats": [
            {
                "seat": s.seat,
                "name": text(s.person.name),
                "ref": s.person.ref,
                "household": text(s.household),
                "flags": _flags(s),
            }
            for s in found.seats
        ],
    }


def _title(found: Manifest) -> str:
    return f"{found.number} {found.label}"


def _told(found: Manifest) -> str:
    sealed = "sealed" if found.seal else "not sealed"
    return f"{found.given} of {found.seats_in_all} seats, {sealed}, list {found.mark}"


def said_by_qr(movement_id: UUID, found: Manifest) -> str:
    """What the page's QR says."""
    return f"MUSTER-LIST:{movement_id}:{found.number}:{found.mark}".upper()


def _drawn(movement_id: UUID, found: Manifest) -> str:
    drawn = segno.make_qr(said_by_qr(movement_id, found), error="m")
    out = io.BytesIO()
    drawn.save(out, kind="svg", xmldecl=False, nl=False, scale=4, border=4, light="#fff")
    return out.getvalue().decode()


def _flags(seat: Seat) -> str:
    flags = ["medical"] if seat.medical else []
    if seat.papers not in (None, "held"):
        flags.append(f"papers {seat.papers}")
    return ", ".join(flags)


def _line(seat: Seat) -> str:
    return (
        f'<tr><td align="right">{seat.seat}</td><td align="center">{_BOX}</td>'
        f'<td align="center">{_BOX}</td><td dir="auto">{escape(seat.person.name)}</td>'
        f"<td>{escape(seat.person.ref)}</td><td>{escape(seat.household)}</td>"
        f"<td>{_flags(seat)}</td></tr>"
    )


def _blank() -> str:
    boxes = f'<td align="center">{_BOX}</td>' * 2
    return f"<tr><td>&nbsp;</td>{boxes}<td></td><td></td><td></td><td></td></tr>"
