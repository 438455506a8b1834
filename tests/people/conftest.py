"""What the tests of people share: one database, in which each test has its own operations."""

from collections.abc import AsyncIterator, Iterator

import pytest

from server.auth import Authenticator
from server.db import Database
from tests.people.house import House, client, new_operation, settings
from tests.support.postgres import TestServer


@pytest.fixture(scope="session")
def shared_dsn(postgres: TestServer) -> Iterator[str]:
    """A database for all tests of people; operations keep them apart."""
    dsn = postgres.fresh()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
async def empty(shared_dsn: str) -> AsyncIterator[House]:
    """A new operation without people."""
    db = Database(shared_dsn, 6)
    await db.open()
    auth = Authenticator(db)
    async with client(db, auth, settings()) as web:
        yield House(shared_dsn, db, auth, web, await new_operation(shared_dsn))
    await db.close()


@pytest.fixture
async def house(empty: House) -> House:
    """A new operation with the people of `STATION`."""
    await empty.furnish()
    return empty
