"""What can keep a database from writing: each as a block during which it is so."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import psutil

from server.embedded import EmbeddedPostgres
from tests.promises.places import postmaster

Trouble = Callable[[EmbeddedPostgres], AbstractAsyncContextManager[None]]

_CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'muster'
"""
_DISK_FULL = """
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '{code}';
    END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON checkin FOR EACH ROW EXECUTE FUNCTION no_room();
"""


async def say(postgres: EmbeddedPostgres, *statements: str) -> None:
    """Test SQL of the superuser, whatever the database's defaults are by now."""
    settings = {"default_transaction_read_only": "off"}
    con = await asyncpg.connect(postgres.dsn, server_settings=settings)
    try:
        for statement in statements:
            await con.execute(statement)
    finally:
        await con.close()


@asynccontextmanager
async def frozen(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """Every process of the database gets SIGSTOP: connections stay open, nothing answers."""
    master = psutil.Process(postmaster(postgres))
    everyone = [master, *master.children(recursive=True)]
    for process in everyone:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in everyone:
            os.kill(process.pid, signal.SIGCONT)


@asynccontextmanager
async def stopped(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """The database is down: nothing listens."""
    await asyncio.to_thread(postgres.stop, "immediate")
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.start)


@asynccontextmanager
async def read_only(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """Every transaction is read-only, as after a failover to a standby."""
    await say(postgres, "ALTER DATABASE muster SET default_transaction_read_only = on", _CUT_OFF)
    try:
        yield
    finally:
        await say(postgres, "ALTER DATABASE muster RESET default_transaction_read_only", _CUT_OFF)


@asynccontextmanager
async def full_disk(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """The server says what it says when a file cannot grow (53100)."""
    await say(postgres, _DISK_FULL.format(code="53100"))
    try:
        yield
    finally:
        await say(postgres, "DROP FUNCTION no_room CASCADE")


@asynccontextmanager
async def broken_disk(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """The server says what it says when a disk fails (58030)."""
    await say(postgres, _DISK_FULL.format(code="58030"))
    try:
        yield
    finally:
        await say(postgres, "DROP FUNCTION no_room CASCADE")


@asynccontextmanager
async def locked(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """Somebody holds the table, as a careless migration does."""
    con = await asyncpg.connect(postgres.dsn)
    try:
        async with con.transaction():
            await con.execute("LOCK TABLE checkin, person IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await con.close()


@asynccontextmanager
async def without_its_replica(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """Every commit waits for a standby that is not there."""
    config = postgres.cluster.data / "postgresql.conf"
    before = config.read_text()
    config.write_text(f"{before}\nsynchronous_standby_names = 'nobody'\n")
    await say(postgres, "SELECT pg_reload_conf()")
    await until_setting(postgres, "synchronous_standby_names", "nobody")
    try:
        yield
    finally:
        config.write_text(before)
        await say(postgres, "SELECT pg_reload_conf()")
        await until_setting(postgres, "synchronous_standby_names", "")


async def until_setting(postgres: EmbeddedPostgres, name: str, value: str) -> None:
    """Waits until new connections see a setting."""
    async with asyncio.timeout(20):
        while True:
            con = await asyncpg.connect(postgres.dsn)
            found = await con.fetchval("SELECT current_setting($1)", name)
            await con.close()
            if found == value:
                return
            await asyncio.sleep(0.05)
