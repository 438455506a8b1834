"""A manifest for a clipboard: a page that any browser prints, in any script, without a style sheet.

Its QR says which list of which vehicle it is, for whoever enters it again; it names nobody.
"""

from datetime import datetime
from html import escape
from uuid import UUID

import segno

from server.relocation.manifests.messages import Manifest, Seat
from server.relocation.movements.messages import MovementOut

HTML = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
_BOX = "&#9744;"
_BLANK = 5  # lines for who was not listed


def page(movement: MovementOut, found: Manifest, as_of: datetime) -> bytes:
    """The page. Everything that people wrote is escaped and set in its own direction."""
    exercise = "<h1>EXERCISE EXERCISE EXERCISE</h1>" if movement.exercise else ""
    title = f"{found.number} {found.label}"
    sealed = "sealed" if found.seal else "not sealed"
    told = f"{found.given} of {found.seats_in_all} seats, {sealed}, list {found.mark}"
    lines = "".join(map(_line, found.seats)) + _blank() * _BLANK
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head><body>{exercise}"
        f'<table width="100%"><tr><td><h1 dir="auto">{escape(title)}</h1>'
        f'<h2 dir="auto">{escape(movement.title)}</h2><p>{told}</p>'
        f"<p>{as_of.strftime('%Y-%m-%d %H:%M')} UTC</p></td>"
        f'<td align="right" width="180">{_drawn(movement.id, found)}</td></tr></table>'
        '<table border="1" cellspacing="0" cellpadding="6" width="100%"><thead><tr>'
        "<th>No</th><th>Boarded</th><th>Arrived</th><th>Name</th><th>Ref</th><th>Household</th>"
        f"<th></th></tr></thead><tbody>{lines}</tbody></table>"
        "<p>Date and time: ____________________ Signed: ____________________</p></body></html>"
    ).encode()


def said_by_qr(movement_id: UUID, found: Manifest) -> str:
    """What the page's QR says."""
    return f"MUSTER-LIST:{movement_id}:{found.number}:{found.mark}".upper()


def _drawn(movement_id: UUID, found: Manifest) -> str:
    drawn = segno.make_qr(said_by_qr(movement_id, found), error="m")
    return str(drawn.svg_inline(scale=4, border=4, light="#fff"))


def _line(seat: Seat) -> str:
    flags = ["medical"] if seat.medical else []
    if seat.papers not in (None, "held"):
        flags.append(f"papers {seat.papers}")
    return (
        f'<tr><td align="right">{seat.seat}</td><td align="center">{_BOX}</td>'
        f'<td align="center">{_BOX}</td><td dir="auto">{escape(seat.person.name)}</td>'
        f"<td>{escape(seat.person.ref)}</td><td>{escape(seat.household)}</td>"
        f"<td>{', '.join(flags)}</td></tr>"
    )


def _blank() -> str:
    boxes = f'<td align="center">{_BOX}</td>' * 2
    return f"<tr><td>&nbsp;</td>{boxes}<td></td><td></td><td></td><td></td></tr>"
