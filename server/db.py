"""The database: pools, transactions under one operation, named SQL, migrations.

Every transaction belongs to one operation, set with SET LOCAL at its begin; connections run
as `muster_app`, which owns nothing, so forced row-level security always applies.
"""

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import asyncpg
import stamina

from server import log
from server.errors import Unavailable

SCHEMA = Path(__file__).parent / "schema"
LOGGER = log.get("db")
Args = ParamSpec("Args")
Result = TypeVar("Result")
Connection = asyncpg.Connection

# What the server says when it cannot promise a durable write now.
UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection whose last word came while it was idle
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
CONFLICT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

# Seconds after which a write that has not answered counts as not made: promise 2 allows 5.
PATIENCE = 4.0


def _note_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """Logs a retry by its name: stamina's own line holds the arguments, which are personal."""
    cause = type(details.caused_by).__name__
    LOGGER.info("retried", call=details.name, attempt=details.retry_num, kind=cause)


stamina.instrumentation.set_on_retry_hooks([_note_retry])
_again = stamina.retry(on=CONFLICT, attempts=6, wait_initial=0.01, wait_max=0.2, timeout=3.0)


def retried(action: Callable[Args, Awaitable[Result]]) -> Callable[Args, Awaitable[Result]]:
    """Repeats an action whose transaction lost against others (40P01, 40001), for some seconds.

    Raises Unavailable when it keeps losing: nothing was written, and the caller may send again.
    """
    repeated = _again(action)

    @functools.wraps(action)
    async def honest(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        try:
            return await repeated(*args, **kwargs)
        except CONFLICT as error:
            raise Unavailable("Too much is going on at once. Send it again.") from error

    return honest


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """Only SET LOCAL is used, so a released connection needs no reset round trip."""

    def get_reset_query(self) -> str:
        return ""


class _CommitListener:
    """Hears the warnings of one commit: a cancelled replication wait still says COMMIT."""

    def __init__(self) -> None:
        self.warned = False

    def __call__(self, _: Any, message: Any) -> None:
        text = str(getattr(message, "message", message)).lower()
        if "synchronous replication" in text or "might not have been replicated" in text:
            self.warned = True


class NamedSql:
    """The blocks of a queries.sql as attributes.

    A block begins with `-- name: some_name`; the comment lines after it state its intent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.blocks = dict(_blocks(path.read_text()))

    def __getattr__(self, name: str) -> str:
        try:
            return self.blocks[name]
        except KeyError:
            raise AttributeError(f"{self._path} has no block named {name}") from None


def _blocks(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^-- name: (\w+)\s*$", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], (p.strip() for p in parts[2::2]), strict=True))


def named_sql(module_file: str) -> NamedSql:
    """The queries.sql beside a module: `SQL = named_sql(__file__)`."""
    return NamedSql(Path(module_file).with_name("queries.sql"))


def as_app(dsn: str, **extra: str) -> dict[str, Any]:
    """Connection arguments that drop to `muster_app` from the first statement on."""
    settings = {"role": "muster_app", "application_name": "muster", "timezone": "UTC", **extra}
    return {"dsn": dsn, "server_settings": settings, "statement_cache_size": 500}


class Database:
    """Four pools on one database: `main`, and three shares that nothing else can use up.

    `report`: check-ins, and who may make them; five hundred consoles that fetch their boards at
    once must not keep one person's answer out. `panic`: panics, and what a desk is shown of them.
    `stream`: the hub's look at the heads and its reading of events.

    Raises `Unavailable` wherever a durable write can't be promised within PATIENCE seconds.
    """

    def __init__(self, dsn: str, size: int = 20) -> None:
        self.dsn = dsn
        report, panic = max(2, size // 4), max(3, size // 4)
        main = max(3, size - 2 - panic - report)
        self._sizes = {"main": main, "report": report, "panic": panic, "stream": 2}
        self._pools: dict[str, asyncpg.Pool[Any]] = {}

    async def open(self) -> None:
        """Opens the pools; connections are made as they are needed."""
        for lane, size in self._sizes.items():
            self._pools[lane] = await asyncpg.create_pool(
                min_size=0,
                max_size=size,
                max_inactive_connection_lifetime=300,
                connection_class=_Connection,
                timeout=PATIENCE / 2,
                **as_app(
                    self.dsn, statement_timeout="60s", idle_in_transaction_session_timeout="30s"
                ),
            )

    async def close(self) -> None:
        """Waits briefly for what is running, then cuts."""
        for pool in self._pools.values():
            try:
                await asyncio.wait_for(pool.close(), 3)
            except (TimeoutError, *UNAVAILABLE):
                pool.terminate()

    @asynccontextmanager
    async def connection(self, lane: str = "main") -> AsyncIterator[Any]:
        """A connection outside any operation: for SECURITY DEFINER functions only."""
        with _honest():
            con = await self._pools[lane].acquire(timeout=PATIENCE / 2)
        try:
            with _honest():
                yield con
        finally:
            await asyncio.shield(self._release(lane, con))

    async def _release(self, lane: str, con: Any) -> None:
        """Gives a connection back. One that is broken is cut; what was done on it stands."""
        try:
            await self._pools[lane].release(con, timeout=2)
        except Exception as error:  # the driver's own, too: it may meet its end half way
            LOGGER.warning("connection_cut", kind=type(error).__name__)
            with suppress(asyncpg.InterfaceError):  # the pool has let go of it already
                con.terminate()

    @asynccontextmanager
    async def transaction(
        self, operation_id: int, *, lane: str = "main", snapshot: bool = False
    ) -> AsyncIterator[Any]:
        """One transaction of one operation; READ COMMITTED, or one read-only snapshot."""
        mode = " ISOLATION LEVEL REPEATABLE READ READ ONLY" if snapshot else ""
        begin = f"BEGIN{mode}; SET LOCAL muster.operation = {int(operation_id)}"
        async with self.connection(lane) as con:
            try:
                await con.execute(begin)
                yield con
            except BaseException:
                await _roll_back(con)
                raise
            await _commit(con)

    async def fetch(self, operation_id: int, sql: str, *args: Any) -> list[Any]:
        """Rows of one read under an operation."""
        async with self.transaction(operation_id) as con:
            rows: list[Any] = await con.fetch(sql, *args)
            return rows

    async def operations(self) -> list[int]:
        """The ids of all operations."""
        async with self.connection() as con:
            return [r[0] for r in await con.fetch("SELECT list_operations()")]


async def confirm(con: Any) -> None:
    """Makes this transaction's commit wait until all it has seen is durable on the replicas too.

    A repeat that is answered from the record writes nothing, so its commit would wait for
    nothing: but the first write may be one whose replication was never confirmed.
    """
    await con.execute("SELECT pg_logical_emit_message(true, 'muster', '')")


async def _roll_back(con: Any) -> None:
    if con.is_closed():
        return
    try:
        await asyncio.shield(con.execute("ROLLBACK", timeout=2))
    except (*UNAVAILABLE, asyncpg.PostgresError):
        con.terminate()


async def _commit(con: Any) -> None:
    """Commits, or raises Unavailable: an unsure commit is never reported as made."""
    listener = _CommitListener()
    con.add_log_listener(listener)
    try:
        await con.execute("COMMIT", timeout=PATIENCE)
    except UNAVAILABLE:
        con.terminate()  # what it did is unknown; nothing more may run on it
        raise
    finally:
        if not con.is_closed():
            con.remove_log_listener(listener)
    if listener.warned:
        raise Unavailable("The write has not reached its replicas. Send it again.")


class _honest:  # noqa: N801 - reads as a word in a with statement
    """Turns what the driver raises when the database is away into `Unavailable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        # a value the driver can't encode is an InterfaceError too, but waiting won't mend it
        if isinstance(error, UNAVAILABLE) and not isinstance(error, ValueError):
            LOGGER.warning("database_unavailable", kind=type(error).__name__)
            raise Unavailable("The database cannot take this now. Send it again.") from error


_LOCK_TRIES = 20
_MIGRATIONS = """
    CREATE TABLE IF NOT EXISTS migration (
      name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
    ALTER TABLE migration ADD COLUMN IF NOT EXISTS older_runs boolean NOT NULL DEFAULT false
"""


class SchemaTooNew(Exception):
    """The database belongs to a newer Muster; the message says what to do."""


async def migrate(dsn: str) -> list[str]:
    """Applies the numbered files of schema/ that are missing; returns their names.

    Each file is one transaction; an advisory lock lets only one process migrate. `dsn` must
    be a role that may create roles and tables. Raises SchemaTooNew where a newer Muster has made
    a step that this one cannot live with, asyncpg.PostgresError on a bad file.
    """
    con = await asyncpg.connect(dsn)
    try:
        await con.execute("SELECT pg_advisory_lock(3141592)")
        await con.execute(_MIGRATIONS)
        files = {f.stem: f.read_text() for f in sorted(SCHEMA.glob("[0-9]*.sql"))}
        rows = await con.fetch("SELECT name, older_runs FROM migration ORDER BY name")
        foreign = [r["name"] for r in rows if r["name"] not in files and not r["older_runs"]]
        if foreign:
            raise SchemaTooNew(
                f"A newer Muster has made this database its own ({', '.join(foreign)})."
                " Start that version, or restore a backup of before."
            )
        missing = sorted(set(files) - {r["name"] for r in rows})
        for name in missing:
            await _apply(con, name, files[name])
        return missing
    finally:
        await con.close()


async def _apply(con: Any, name: str, text: str) -> None:
    """One file, one transaction. It waits shortly for its locks and tries again, so that calls
    that come meanwhile never queue up behind it for long."""
    older_runs = "-- Older code may still run: yes" in text
    for attempt in range(_LOCK_TRIES):
        try:
            async with con.transaction():
                await con.execute("SET LOCAL lock_timeout = '3s'")
                await con.execute(text)
                await con.execute("INSERT INTO migration VALUES ($1, now(), $2)", name, older_runs)
        except asyncpg.LockNotAvailableError:
            if attempt == _LOCK_TRIES - 1:
                raise
            await asyncio.sleep(1)
        else:
            return


async def wait_ready(dsn: str, seconds: float = 30.0) -> None:
    """Returns once the database answers. Raises Unavailable after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                con = await asyncpg.connect(dsn, timeout=2)
            except UNAVAILABLE:
                await asyncio.sleep(0.2)
            else:
                await con.close()
                return
