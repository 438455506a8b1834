"""Whose word on the caller's address is believed."""

import httpx
import pytest

from tests.support.live import LiveServer


@pytest.mark.parametrize(
    ("trusted", "status"), [("127.0.0.1,::1", 404), ("10.0.0.0/8", 200)], ids=["own", "another"]
)
async def test_a_proxy_is_believed_only_if_it_is_ours(
    database: str, trusted: str, status: int
) -> None:
    """/metrics is there for this machine alone: a proxy of ours tells who else is asking."""
    with LiveServer(database, role="api", MUSTER_TRUSTED_PROXIES=trusted) as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            told = await client.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"})
            plain = await client.get("/metrics")
    assert (told.status_code, plain.status_code) == (status, 200)
