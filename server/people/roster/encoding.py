"""Bytes of a text file as text: UTF-8 and UTF-16 surely, three Windows code pages by proof.

A code page is accepted only where the words written with it look like words of its script and
no other candidate's reading does; else the file is refused. A name read wrongly would be worse
than a file refused. Pure.
"""

import re
from collections.abc import Callable

import msgspec

REMEDY = "Save the file as `CSV UTF-8` (or .xlsx) and import it again."
_SAMPLE = 4000  # words looked at
_NEARLY_ALL = 0.97
# Bytes that are dashes, quotes or spaces in all three pages part words.
_WORD = re.compile(rb"[A-Za-z\x80-\x90\x98-\x9f\xa1-\xaa\xac-\xba\xbc-\xff]+")
# The accented letters of Western European names. What else Windows-1252 has would more probably
# be Turkish, Polish or Baltic in a sister code page.
_ACCENTED = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœŸ")
_CYRILLIC = re.compile(
    "[\u0400-\u042f\u0490]?[\u0430-\u045f\u0491]+|[\u0400-\u042f\u0490]+"  # Name, name, NAME
)
_ARABIC = re.compile("[\u060c\u061b\u061f\u0621-\u0652\u0679-\u06d2\u200c-\u200f]+")


class Decoded(msgspec.Struct, frozen=True):
    """A file's text. `sure` is False where the code page was inferred."""

    text: str
    encoding: str
    sure: bool


class Undecodable(Exception):
    """The bytes are text of no encoding that can be told for certain."""


def decode(data: bytes) -> Decoded:
    """The text of a file. Raises Undecodable."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _utf16(data, "utf-16")
    if data.startswith(b"\xef\xbb\xbf"):
        return _utf8(data[3:])
    head = data[:2000]
    if head.count(0) > len(head) // 4:  # UTF-16 without its mark: every other byte is zero
        return _utf16(
            data, "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
        )
    try:
        return _utf8(data)
    except Undecodable:
        return _code_page(data)


def _utf8(data: bytes) -> Decoded:
    try:
        return Decoded(data.decode("utf-8"), "UTF-8", True)
    except UnicodeDecodeError as error:
        raise Undecodable(f"is not UTF-8 (byte {error.start + 1})") from None


def _utf16(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(data.decode(encoding), "UTF-16", True)
    except UnicodeDecodeError:
        raise Undecodable("looks like UTF-16 but is damaged") from None


def _code_page(data: bytes) -> Decoded:
    words = [w for w in _WORD.findall(data) if not w.isascii()][:_SAMPLE]
    fitting = [page for page, looks_right in _PAGES.items() if _share(words, page, looks_right)]
    if len(fitting) != 1:
        raise Undecodable("is neither UTF-8 nor in a code page that can be told for certain")
    try:
        return Decoded(data.decode(fitting[0]), f"Windows-{fitting[0][2:]}", False)
    except UnicodeDecodeError:
        raise Undecodable("is neither UTF-8 nor wholly in one code page") from None


def _share(words: list[bytes], page: str, looks_right: Callable[[str], bool]) -> bool:
    """Whether nearly all words look right, read in this code page."""
    fine = sum(1 for word in words if looks_right(word.decode(page, "replace")))
    return bool(words) and fine / len(words) >= _NEARLY_ALL


def _looks_western(word: str) -> bool:
    """Accents among plain letters, as in `été` or `Muñoz`; never a word of accents alone."""
    plain = sum(1 for c in word if c.isascii())
    return plain > 0 and len(word) <= 3 * plain and _ACCENTED.issuperset(c for c in word if c > "z")


def _looks_cyrillic(word: str) -> bool:
    return _CYRILLIC.fullmatch(word) is not None


def _looks_arabic(word: str) -> bool:
    return _ARABIC.fullmatch(word) is not None


_PAGES: dict[str, Callable[[str], bool]] = {
    "cp1252": _looks_western,
    "cp1251": _looks_cyrillic,
    "cp1256": _looks_arabic,
}
