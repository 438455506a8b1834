"""What the tests of people share."""

from collections.abc import AsyncIterator

import pytest

from server.auth import Authenticator
from server.db import Database
from tests.people.house import House, client, settings


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    """Operation alpha, furnished."""
    db = Database(database, 6)
    await db.open()
    auth = Authenticator(db)
    async with client(db, auth, settings()) as web:
        made = House(database, db, auth, web, 0)
        made.operation_id = await made.add_operation("alpha")
        await made.furnish(made.operation_id)
        yield made
    await db.close()


@pytest.fixture
async def beta(house: House) -> House:
    """The same house with a second operation, `beta`, that is still empty and is its own."""
    house.operation_id = await house.add_operation("beta")
    return house
