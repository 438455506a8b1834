"""The `muster` command. `muster --help` lists its verbs."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import uvloop
from cyclopts import App, Parameter
from rich.console import Console

from server import db, launch, log
from server.config import Settings
from server.embedded import EmbeddedError, EmbeddedPostgres
from server.errors import Problem

Result = TypeVar("Result")
cli = App(name="muster", help="Incident alerting, check-in and headcount.")
operation_cli = App(name="operation", help="Operations: the countries or missions served.")
operator_cli = App(name="operator", help="Operators of an operation.")
cli.command(operation_cli)
cli.command(operator_cli)
COMPLAINT = Console(stderr=True)


def _run(work: Awaitable[Result]) -> Result:
    async def awaited() -> Result:
        return await work

    return uvloop.run(awaited())


@cli.command
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    processes: int = 1,
    role: Literal["all", "api", "worker"] = "all",
) -> None:
    """Serve until interrupted. Without MUSTER_DATABASE_URL an embedded server is started."""
    settings = Settings()
    log.configure(settings.log_format)
    sys.exit(_run(launch.serve(settings, host=host, port=port, processes=processes, role=role)))


@cli.command(show=False)
def child(role: Literal["api", "worker"], *, life_fd: int, listen_fd: int = -1) -> None:
    """One process of a server: started by `serve`, never by hand."""
    settings = Settings()
    log.configure(settings.log_format)
    orderly = _run(_child(settings, role, life_fd, listen_fd))
    sys.exit(0 if orderly else 1)


async def _child(settings: Settings, role: str, life_fd: int, listen_fd: int) -> bool:
    from server.app import run_api
    from server.worker import run_worker

    def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    watching = asyncio.create_task(launch.until_parent_gone(life_fd, end), name="parent")
    dsn = str(settings.database_url)
    if role == "api":
        orderly = await run_api(settings, dsn, socket.socket(fileno=listen_fd))
    else:
        orderly = await run_worker(settings, dsn)
    watching.cancel()
    return orderly


@cli.command
def migrate() -> None:
    """Bring the database to this version's schema."""
    applied = _with_database(db.migrate)
    Console().print("Applied: " + (", ".join(applied) or "nothing, it is up to date") + ".")


@cli.command
def doctor() -> None:
    """Check database, provider credentials, SMS route, clock and disk. Non-zero if broken."""
    from server import doctor as checks

    settings = Settings()
    log.configure("console")
    if settings.database_url is not None:
        findings = _run(checks.examine(settings, settings.database_url))
    else:
        with EmbeddedPostgres(settings.data_dir) as server:
            findings = _run(checks.examine(settings, server.dsn))
    checks.show(findings)
    sys.exit(1 if any(f.broken for f in findings) else 0)


@operation_cli.command(name="add")
def operation_add(code: str, name: str, *, timezone: str, region: str | None = None) -> None:
    """Add an operation. The region of phone numbers comes from the time zone unless given."""
    from server.people import operations

    async def work(dsn: str) -> Any:
        return await operations.add_operation(dsn, code, name, timezone, region)

    made = _with_database(work)
    Console().print_json(msgspec.json.encode(made).decode())


@operator_cli.command(name="add")
def operator_add(
    name: str,
    *,
    operation: str,
    role: Literal["admin", "operator", "auditor", "warden"],
    area: str | None = None,
    person: str | None = None,
) -> None:
    """Add an operator; prints JSON with the token, once, as its last line."""
    from server.people import operations

    async def work(dsn: str) -> Any:
        async with _opened(dsn) as database:
            return await operations.add_operator(
                database, operation, name, role, area=area, person=person
            )

    made = _with_database(work)
    sys.stdout.write(msgspec.json.encode(made).decode() + "\n")


@cli.command(name="import")
def import_(
    paths: Annotated[list[Path], Parameter(negative=())],
    *,
    operation: str,
    dry_run: bool = False,
    accept_partial: bool = False,
) -> None:
    """Import areas, people and tree from a directory or files. Nothing is written unless all is
    good, or --accept-partial is given."""
    from server.people import importing

    async def work(dsn: str) -> Any:
        async with _opened(dsn) as database:
            return await importing.run(
                database, operation, paths, dry_run=dry_run, accept_partial=accept_partial
            )

    report = _with_database(work)
    importing.show(report)
    sys.exit(0 if report.accepted else 1)


@cli.command
def demo(*, port: int = 8000, people: int = 500, moves_after: float = 75.0) -> None:
    """A fictional duty station with simulated phones: a whole roll call to look at, and so many
    seconds after it begins a relocation."""
    from server import demo as show

    sys.exit(_run(show.run(port=port, people=people, moves_after=moves_after)))


class _opened:  # noqa: N801 - reads as a word in an async with statement
    """A database with its pools open for the length of a block."""

    def __init__(self, dsn: str) -> None:
        self._database = db.Database(dsn, 4)

    async def __aenter__(self) -> db.Database:
        await self._database.open()
        return self._database

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()


def _with_database(work: Any) -> Any:
    """Runs `work(dsn)` on the configured database, or on the embedded one, migrated."""
    settings = Settings()
    log.configure("console")

    async def on(dsn: str) -> Any:
        await db.wait_ready(dsn)
        await db.migrate(dsn)
        return await work(dsn)

    if settings.database_url is not None:
        return _run(on(settings.database_url))
    with EmbeddedPostgres(settings.data_dir) as server:
        return _run(on(server.dsn))


def main() -> None:
    """Entry point: refusals are said in a sentence, never as a traceback."""
    try:
        cli()
    except (Problem, EmbeddedError, db.SchemaTooNew, OSError) as error:
        COMPLAINT.print(f"[bold red]{error}[/]")
        for field in getattr(error, "errors", None) or []:
            COMPLAINT.print(f"  {field.path}: {field.message}")
        sys.exit(1)


if __name__ == "__main__":
    main()
