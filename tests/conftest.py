"""What every test may ask for."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import TestServer, end_dead_runs, end_run, new_run

RUN = pytest.StashKey[Path]()
ALIVE = pytest.StashKey[Any]()


def pytest_configure(config: pytest.Config) -> None:
    """A folder for this run's database, the same for all its workers.

    Not below pytest's own: that is shut again to all but us by every pytest that starts.
    """
    if hasattr(config, "workerinput"):
        config.stash[RUN] = Path(config.workerinput["run"])
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tear down, then go
    end_dead_runs()
    config.stash[RUN], config.stash[ALIVE] = new_run()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of the run where its folder is."""
    node.workerinput["run"] = str(node.config.stash[RUN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run is over: nothing of it stays, even where a worker was killed."""
    if ALIVE in config.stash:
        end_run(config.stash[RUN])
        config.stash[ALIVE].close()


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
