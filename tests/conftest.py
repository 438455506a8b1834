"""What every test may ask for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import TestServer

RUN = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """A folder for this run's database, the same for all its workers.

    Not below pytest's own: that is shut again to all but us by every pytest that starts.
    """
    given = getattr(config, "workerinput", {}).get("run")
    config.stash[RUN] = Path(given or tempfile.mkdtemp(prefix="muster-test-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of the run where its folder is."""
    node.workerinput["run"] = str(node.config.stash[RUN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run is over; its workers have stopped the server."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(config.stash[RUN], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[TestServer]:
    """The Postgres of this run, shared by its workers."""
    with TestServer(pytestconfig.stash[RUN]) as server:
        yield server


@pytest.fixture
def database(postgres: TestServer) -> Iterator[str]:
    """The address of a fresh, migrated database of this test's own (superuser `muster`)."""
    dsn = postgres.fresh()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def folder(pytestconfig: pytest.Config) -> Path:
    """An empty folder for a test that runs a database of its own."""
    return Path(tempfile.mkdtemp(dir=pytestconfig.stash[RUN]))
