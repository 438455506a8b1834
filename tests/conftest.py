"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import TestServer


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[TestServer]:
    """The Postgres of this run, shared by its workers."""
    folder = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        folder = folder.parent  # each worker's folder lies in the one of the run
    with TestServer(folder) as server:
        yield server


@pytest.fixture
def database(postgres: TestServer) -> Iterator[str]:
    """The address of a fresh, migrated database of this test's own (superuser `muster`)."""
    dsn = postgres.fresh()
    yield dsn
    postgres.drop(dsn)
