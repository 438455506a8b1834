"""A pool of its own for every kernel test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from server.db import Database
from tests.kernel.watching import Toy, make_toy


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Database]:
    own = Database(database, 40)
    await own.open()
    yield own
    await own.close()


@pytest.fixture
async def toy(pool: Database) -> Toy:
    return await make_toy(pool)
