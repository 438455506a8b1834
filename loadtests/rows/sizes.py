"""What a phone downloads before its first screen: the page and what the page names, gzipped."""

import gzip
import re
from pathlib import Path

from loadtests.harness import Bench, Figure

PHONE = Path(__file__).parents[2] / "server" / "static" / "phone"
NAMED = re.compile(r'(?:src|href)="/phone/([^"]+\.(?:js|css))"')


def first_load_bytes() -> int:
    """Gzipped bytes of the page, its scripts and its styles."""
    page = (PHONE / "index.html").read_text()
    files = [page.encode(), *((PHONE / name).read_bytes() for name in NAMED.findall(page))]
    return sum(len(gzip.compress(content, 9)) for content in files)


async def measure(_: Bench) -> list[Figure]:
    """phone_app_gzip_kb."""
    return [Figure("phone_app_gzip_kb", first_load_bytes() / 1000, "kB")]
