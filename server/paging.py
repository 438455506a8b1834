"""Lists a page at a time: `?limit=&cursor=` in, `{items, next}` out.

Pages are cut by key, not by offset: a row added meanwhile never shifts the others, and page
1,000 costs what page 1 does. Fetch `limit + 1` rows after the cursor's key and give them to
`page`.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from server.errors import refuse_field

Item = TypeVar("Item")
Row = TypeVar("Row")
Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Cursor = Annotated[str, msgspec.Meta(max_length=2000)]


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of a list. `next`: the address of the next one, null on the last."""

    items: list[Item]
    next: str | None


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What every list takes; lists with filters extend it."""

    limit: Limit = 200
    cursor: Cursor | None = None

    def after(self, *types: type) -> list[Any]:
        """The key the page begins after, one value a type; as many None on the first page."""
        return [None] * len(types) if self.cursor is None else _opened(self.cursor, types)


def page(
    path: str,
    query: PageQuery,
    rows: Sequence[Row],
    key: Callable[[Row], Sequence[Any]],
    item: Callable[[Row], Item],
) -> Page[Item]:
    """The page of up to `limit + 1` rows in order. `key` gives what the next page begins after."""
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return Page([item(r) for r in shown], _link(path, query, key(shown[-1])) if more else None)


def _link(path: str, query: PageQuery, key: Sequence[Any]) -> str:
    given = {name: value for name, value in msgspec.to_builtins(query).items() if value is not None}
    return f"{path}?{urlencode({**given, 'cursor': _closed(key)})}"


def _closed(key: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(list(key))).decode().rstrip("=")


def _opened(cursor: str, types: tuple[type, ...]) -> list[Any]:
    """Raises BadInput for anything that is not a cursor of this list."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        values: list[Any] = msgspec.json.decode(raw, type=list[Any])
        if len(values) != len(types) or b"\\u0000" in raw:
            raise ValueError(cursor)
        pairs = zip(values, types, strict=True)
        found: list[Any] = [msgspec.convert(v, t, strict=False) for v, t in pairs]
        if not all(map(_is_of_a_row, found)):
            raise ValueError(cursor)
        return found
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        raise refuse_field("cursor", "Take the cursor from `next`, or leave it out.") from None


def _is_of_a_row(value: Any) -> bool:
    """Whether a column can hold it: a number of 32 bits; a time with a zone, of our centuries."""
    if isinstance(value, int):
        return -(2**31) <= value < 2**31
    if isinstance(value, datetime):
        return value.tzinfo is not None and 1900 < value.year < 2200
    return True
