"""What is broken, before it matters: the checks behind `muster doctor`."""

import asyncio
import shutil
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg
import msgspec
from rich.console import Console
from rich.table import Table

from server import db
from server.config import Settings
from server.satellites import satellite_routes
from server.texting import SmsRoute, sms_routes

LEAST_DISK = 2 * 1024**3
MOST_SKEW_S = 2.0
MOST_WAIT_S = 15.0


class Finding(msgspec.Struct, frozen=True):
    """One check: `broken` needs a person, the text says what to do."""

    check: str
    broken: bool
    text: str


async def examine(settings: Settings, dsn: str) -> list[Finding]:
    """All checks, each independent of the others. `dsn`: the configured or embedded database."""
    return [
        *await _database(dsn),
        _credentials(settings),
        _disk(settings),
        *await _sms(settings),
        *_satellites(settings),
    ]


async def _database(dsn: str) -> list[Finding]:
    try:
        con = await asyncpg.connect(dsn, timeout=5)
    except (*db.UNAVAILABLE, asyncpg.PostgresError) as error:
        return [
            Finding(
                "database",
                True,
                f"no connection ({type(error).__name__}): check the "
                "address in MUSTER_DATABASE_URL and that the server runs",
            )
        ]
    try:
        return [
            await _durability(con),
            await _schema(con),
            await _clock(con),
            await _worker(con),
        ]
    finally:
        await con.close()


async def _durability(con: asyncpg.Connection) -> Finding:
    off = [
        name
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if await con.fetchval("SELECT current_setting($1)", name) == "off"
    ]
    if off:
        return Finding("durability", True, f"turn on {', '.join(off)} in the database server")
    return Finding("durability", False, "commits wait for the disk")


async def _schema(con: asyncpg.Connection) -> Finding:
    try:
        done = {r[0] for r in await con.fetch("SELECT name FROM migration")}
    except asyncpg.UndefinedTableError:
        done = set()
    missing = [f.stem for f in sorted(db.SCHEMA.glob("[0-9]*.sql")) if f.stem not in done]
    if missing:
        return Finding("schema", True, f"run `muster migrate`: {', '.join(missing)} missing")
    return Finding("schema", False, "up to date")


async def _clock(con: asyncpg.Connection) -> Finding:
    before = time.time()
    there: datetime = await con.fetchval("SELECT clock_timestamp()")
    skew = there.astimezone(UTC).timestamp() - (before + time.time()) / 2
    text = f"{skew:+.3f} s between the database's clock and this machine's"
    return Finding("clock", abs(skew) > MOST_SKEW_S, text)


async def _worker(con: asyncpg.Connection) -> Finding:
    try:
        waits = float(await con.fetchval("SELECT jobs_overdue_s()"))
    except asyncpg.UndefinedFunctionError:
        return Finding("worker", False, "not known before the schema is there")
    if waits > MOST_WAIT_S:
        text = f"a job has waited {waits:.0f} s for a worker: start one (`muster serve`)"
        return Finding("worker", True, text)
    return Finding("worker", False, "nothing waits for a worker")


def _credentials(settings: Settings) -> Finding:
    file = settings.fcm_credentials
    if file is None:
        return Finding("FCM", False, "not configured: no push to Google's phones")
    try:
        content = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
        missing = {"project_id", "private_key", "client_email", "token_uri"} - content.keys()
    except (OSError, msgspec.MsgspecError) as error:
        return Finding("FCM", True, f"MUSTER_FCM_CREDENTIALS cannot be read: {error}")
    if missing:
        return Finding("FCM", True, f"the credentials file lacks {', '.join(sorted(missing))}")
    return Finding("FCM", False, "credentials file is complete")


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.absolute().parent
    free = shutil.disk_usage(folder).free
    return Finding(
        "disk", free < LEAST_DISK, f"{free / 1024**3:.1f} GiB free under the data folder"
    )


async def _sms(settings: Settings) -> list[Finding]:
    try:
        routes = sms_routes(settings)
    except ValueError as error:
        return [Finding("SMS", True, str(error))]
    if not routes:
        return [Finding("SMS", False, "not configured: no text goes out")]
    return list(await asyncio.gather(*(_route(r) for r in routes)))


async def _route(route: SmsRoute) -> Finding:
    """Whether the gateway of a route takes connections. Nothing is sent."""
    check = f"SMS {route.name}"
    where = urlsplit(route.address)
    port = where.port or (443 if where.scheme == "https" else 80)
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(where.hostname, port)
    except (OSError, TimeoutError) as error:
        text = f"no connection to {where.hostname}:{port} ({type(error).__name__})"
        return Finding(check, True, text)
    writer.close()
    text = f"{where.hostname}:{port} answers; serves {' '.join(route.prefixes)}"
    if not route.reporting:
        text += "; without report_secret nobody learns what arrived"
    return Finding(check, False, text)


def _satellites(settings: Settings) -> list[Finding]:
    """What each provider of satellite messengers must bring; none can be asked whether it would."""
    try:
        routes = satellite_routes(settings)
    except ValueError as error:
        return [Finding("satellites", True, str(error))]
    if not routes:
        return [Finding("satellites", False, "not configured: no message of theirs is taken")]
    findings = []
    for route in routes:
        ways = [("its secret", route.secret), ("its signature", route.public_key)]
        proof = " and ".join(word for word, given in ways if given)
        text = f"{route.kind}: taken with {proof}"
        findings.append(Finding(f"satellite {route.name}", False, text))
    return findings


def show(findings: list[Finding]) -> None:
    """Prints the findings for a person."""
    table = Table("check", "state", "what")
    for f in findings:
        table.add_row(f.check, "[red]broken[/]" if f.broken else "[green]ok[/]", f.text)
    Console().print(table)
