"""PDFs: a Typst template and data, set by a child process.

What people wrote reaches the template as JSON and is set as text, never read as markup. Fonts come
with the package, so that a page looks the same on every machine: Latin, Cyrillic and Greek, Arabic,
Chinese, Japanese and Korean. The file is tagged (PDF/UA-1), for screen readers.

A child, because setting takes all cores for a second and keeps hundreds of MB: it yields to the
server that takes panics, ends when it is late, and takes its memory with it.
"""

import asyncio
import os
import sys
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import structlog

from server.errors import Unavailable

TYPE = "application/pdf"
HEADERS = [(b"content-type", TYPE.encode()), (b"cache-control", b"no-store")]
_FONTS = ("fontpkg_noto_sans", "fontpkg_noto_sans_arabic", "manimgx_fonts_cjk")
_SECONDS = 30.0
_RIGHT_TO_LEFT = ("R", "AL")

log = structlog.get_logger(area="typeset")


class Text(msgspec.Struct, frozen=True):
    """A text with the direction of its first letter that has one: `rtl` or `ltr`."""

    t: str
    dir: str


def text(value: object) -> Text:
    """What a template sets; nothing for None."""
    said = "" if value is None else str(value)
    ways = (unicodedata.bidirectional(letter) for letter in said)
    first = next((w for w in ways if w == "L" or w in _RIGHT_TO_LEFT), "L")
    return Text(said, "rtl" if first in _RIGHT_TO_LEFT else "ltr")


class NotSet(Unavailable):
    """A PDF that was not made; nothing was lost."""

    title = "Not made, ask again"


class Typesetter:
    """Sets one PDF at a time for this process."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def pdf(self, template: Path, data: Any) -> bytes:
        """The file. Raises NotSet when it is not set in time."""
        async with self._turn:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "server.typeset", str(template)),
                cwd=Path(__file__).parent.parent,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                told = child.communicate(msgspec.json.encode(data))
                found, complaint = await asyncio.wait_for(told, _SECONDS)
            except TimeoutError:
                complaint = b"late"
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        if child.returncode:
            # the complaint names lines of the template, never what was set
            log.error("not_set", template=template.name, reason=complaint.decode()[-300:])
            said = "The PDF could not be made. Take the workbook or the page, or ask again."
            raise NotSet(said, code="not_set", retry_after=30)
        return found


def _main() -> None:
    import typst  # noqa: PLC0415 - only the child carries it

    os.nice(10)
    specs = [find_spec(name) for name in _FONTS]
    places = [p for s in specs if s for p in s.submodule_search_locations or ()]
    found = typst.compile(
        Path(sys.argv[1]),
        font_paths=[Path(p) for p in places],
        ignore_system_fonts=True,
        sys_inputs={"data": sys.stdin.read()},
        pdf_standards=["ua-1"],
    )
    sys.stdout.buffer.write(found)


if __name__ == "__main__":
    _main()
