"""The local Postgres, for real: every test starts servers and kills some."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from server import cluster, sysuser
from server.embedded import EmbeddedError, EmbeddedPostgres

HOLDER = """
import sys, time
from pathlib import Path
from server.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print("started", flush=True)
sys.stdin.readline()
print(server.stop(), flush=True)
"""


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder)
    yield made
    made.stop("immediate")


def ask(dsn: str, sql: str) -> object:
    async def go() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(go())


def holder(data_dir: Path) -> subprocess.Popen[str]:
    """Another process that has started the server and waits for a line before it stops it."""
    command = [sys.executable, "-c", HOLDER, str(data_dir)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) != "started\n":
        assert line, "the other process ended"
    return process


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate("\n", timeout=30)
    return said.splitlines()[-1]


def pid_of(server: EmbeddedPostgres) -> int:
    return int((server.cluster.data / "postmaster.pid").read_text().split()[0])


def kill_database(server: EmbeddedPostgres) -> None:
    os.kill(pid_of(server), signal.SIGKILL)
    while server.running():
        time.sleep(0.01)


def processes_of(server: EmbeddedPostgres) -> list[psutil.Process]:
    marks = (str(server.cluster.data), server.cluster.title)
    return [
        p
        for p in psutil.process_iter(["cmdline"])
        if any(mark in " ".join(p.info["cmdline"] or []) for mark in marks)
    ]


def test_it_starts_serves_and_leaves_no_process(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    assert ask(dsn, "SELECT current_user || ' ' || current_database()") == "muster muster"
    assert ask(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    assert server.running()
    assert server.healthy()
    assert server.stop()
    assert not server.running()
    assert not server.healthy()
    assert processes_of(server) == []


def test_what_was_written_is_there_after_a_restart(server: EmbeddedPostgres) -> None:
    ask(server.start(), "CREATE TABLE kept AS SELECT 42 AS n")
    server.stop()
    assert ask(server.start(), "SELECT n FROM kept") == 42


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_durability_is_on_and_stays_on(server: EmbeddedPostgres, name: str) -> None:
    dsn = server.start()
    assert ask(dsn, f"SHOW {name}") == "on"
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        ask(dsn, f"ALTER SYSTEM SET {name} = off")
    server.stop()
    conf = server.cluster.data / "postgresql.conf"
    conf.write_text(conf.read_text() + f"\n{name} = off\n")
    assert ask(server.start(), f"SHOW {name}") == "on"


def test_nothing_listens_on_a_network_and_strangers_stay_out(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    assert ask(dsn, "SHOW listen_addresses") == ""
    assert psutil.Process(pid_of(server)).net_connections("inet") == []
    assert server.cluster.sockets.stat().st_mode & 0o777 == 0o700
    ask(dsn, "CREATE ROLE guest LOGIN")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        ask(dsn.replace("muster@", "guest@"), "SELECT 1")


def test_the_log_holds_no_values_of_rows(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    ask(dsn, "CREATE TABLE person (phone text PRIMARY KEY)")
    with pytest.raises(asyncpg.UniqueViolationError):
        ask(dsn, "INSERT INTO person VALUES ('+254700000001'), ('+254700000001')")
    server.stop()
    log = server.cluster.last_words()
    assert "duplicate key value" in log
    assert "+254700000001" not in log


def test_a_killed_parent_leaves_a_server_that_is_adopted(server: EmbeddedPostgres) -> None:
    other = holder(server.cluster.base.parent)
    ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS n")
    before = pid_of(server)
    other.kill()
    other.communicate()
    assert ask(server.start(), "SELECT n FROM kept") == 42
    assert pid_of(server) == before
    assert server.stop(), "the dead process still counts as a user"
    assert processes_of(server) == []


def test_a_server_of_other_settings_is_replaced(server: EmbeddedPostgres) -> None:
    other = holder(server.cluster.base.parent)
    before = pid_of(server)
    other.kill()
    other.communicate()
    conf = server.cluster.data / "postgresql.conf"
    conf.write_text("# 18.0\n" + conf.read_text())
    server.start()
    assert pid_of(server) != before


def test_a_killed_database_comes_back_whole(server: EmbeddedPostgres) -> None:
    dsn = server.start()

    async def kill_it_while_busy() -> None:
        busy, writer = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        await writer.execute("CREATE TABLE kept AS SELECT 42 AS n")
        sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(600)"))
        await asyncio.sleep(0.2)
        kill_database(server)
        await server.revive()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await sleeping
        busy.terminate()
        writer.terminate()

    asyncio.run(kill_it_while_busy())
    assert ask(server.dsn, "SELECT n FROM kept") == 42


def test_revive_leaves_a_living_server_alone(server: EmbeddedPostgres) -> None:
    server.start()
    before = pid_of(server)
    asyncio.run(server.revive())
    assert pid_of(server) == before


def test_the_last_process_to_stop_ends_the_server(server: EmbeddedPostgres) -> None:
    server.start()
    other = holder(server.cluster.base.parent)
    assert server.stop() is False
    assert server.running()
    assert finish(other) == "True"
    assert not server.running()


def test_simultaneous_starts_make_one_server(server: EmbeddedPostgres) -> None:
    others = [EmbeddedPostgres(server.cluster.base.parent) for _ in range(4)]

    async def start_all() -> None:
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in [server, *others]))

    asyncio.run(start_all())
    masters = [p for p in processes_of(server) if str(server.cluster.data) in p.info["cmdline"]]
    assert len(masters) == 1
    assert [each.stop() for each in others] == [False] * 4
    assert server.stop()


def test_a_pid_file_that_names_a_living_stranger_is_stale(server: EmbeddedPostgres) -> None:
    server.start()
    pid_file = server.cluster.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    kill_database(server)
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert ask(server.start(), "SELECT 1") == 1


def test_a_half_made_cluster_is_made_anew(server: EmbeddedPostgres) -> None:
    half = server.cluster.base / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert ask(server.start(), "SELECT 1") == 1


def test_data_of_another_major_version_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.cluster.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="written by PostgreSQL 17; this is 18") as raised:
        server.start()
    assert "Dump it" in raised.value.remedy


def test_a_copy_of_a_live_servers_files_is_refused(server: EmbeddedPostgres, folder: Path) -> None:
    server.start()
    copy = EmbeddedPostgres(folder / "copy")
    shutil.copytree(server.cluster.data, copy.cluster.data, ignore=shutil.ignore_patterns(".s.*"))
    for path in [copy.cluster.data, *copy.cluster.data.rglob("*")]:
        os.chown(path, server.cluster.user.uid, server.cluster.user.gid)
    with pytest.raises(EmbeddedError, match="belongs to a running server of") as raised:
        copy.start()
    assert "pg_basebackup" in raised.value.remedy
    assert server.healthy()


def test_a_folder_of_something_else_is_refused(server: EmbeddedPostgres) -> None:
    server.cluster.data.mkdir(parents=True)
    (server.cluster.data / "letters.txt").write_text("not a database")
    with pytest.raises(EmbeddedError, match="holds files, but no PostgreSQL data"):
        server.start()
    assert (server.cluster.data / "letters.txt").exists()


def test_damaged_data_is_refused_with_what_postgres_said(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.cluster.data / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match="could not find the database system") as raised:
        server.start()
    assert "log" in raised.value.remedy


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be written") as raised:
        EmbeddedPostgres(tmp_path / "file" / "data").start()
    assert "MUSTER_DATA_DIR" in raised.value.remedy


def test_a_full_disk_is_called_full(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="is full"), cluster.explained(tmp_path):
        Path("/dev/full").write_text("x")
    said = 'FATAL:  could not write to file "pg_wal/xlogtemp.29": No space left on device'
    assert "is full" in str(cluster.failure(said, tmp_path))
    with pytest.raises(EmbeddedError, match="has 10 MB left"):
        cluster.need_space(tmp_path, 10 << 20)


def test_a_deep_folder_gets_a_short_socket_path(folder: Path) -> None:
    deep = EmbeddedPostgres(folder / ("d" * 100))
    try:
        assert ask(deep.start(), "SELECT 1") == 1
    finally:
        deep.stop("immediate")
        shutil.rmtree(deep.cluster.sockets)


def test_a_socket_folder_made_by_a_stranger_is_refused(server: EmbeddedPostgres) -> None:
    server.cluster.base.mkdir(parents=True)
    elsewhere = server.cluster.base / "elsewhere"
    elsewhere.mkdir()
    server.cluster.sockets.symlink_to(elsewhere)
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        server.start()


def test_a_closed_folder_is_opened_for_one_user_only(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    user = sysuser.SystemUser("someone", 54321, 54321, other=True)
    assert str(closed) in sysuser.let_pass(user, closed / "data")
    assert closed.stat().st_mode & 0o007 == 0, "the rest of the world may not enter"
    assert str(closed) not in sysuser.let_pass(user, closed / "data")
