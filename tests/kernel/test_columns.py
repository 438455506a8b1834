"""Array literals come out of the database as they went in."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.columns import literal

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@pytest.fixture
async def con(database: str) -> Any:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(values=st.lists(st.none() | TEXT | st.sampled_from(["NULL", "", '"', "\\", "{a,b}"])))
async def test_any_text_survives(con: Any, values: list[str | None]) -> None:
    assert await con.fetchval("SELECT $1::text::text[]", literal(values)) == values


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("uuid", [uuid4(), None, UUID(int=0)]),
        ("int", [1, -5, None]),
        ("float8", [1.5, -1e-300, 1e308]),
        ("boolean", [True, False, None]),
        ("bytea", [b"", b"\x00\xff", None]),
        ("timestamptz", [datetime(2026, 11, 23, 10, 42, 0, 123456, UTC), None]),
    ],
)
async def test_each_kind_survives(con: Any, kind: str, values: list[Any]) -> None:
    assert await con.fetchval(f"SELECT $1::text::{kind}[]", literal(values)) == values


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        literal(["a\x00b"])
