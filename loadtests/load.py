"""`make load`: a bounded crowd over real HTTP, and what must be true when it has gone.

USERS phones and a few consoles (200 and 4) for SECONDS (60), played by Locust against a server
and a database of this run's own, on loopback. Ends with 1 if any request failed, or if

- a report that was acknowledged is not on record as it was acknowledged;
- the kept headcount differs from a fresh count.
"""

import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console

from loadtests.harness import Bench, Stage
from server import log
from server.embedded import EmbeddedPostgres

SCENARIO = Path(__file__).parent / "scenarios" / "answering.py"
CONSOLES = 4
FEWEST_PEOPLE = 2000
SPAWNED_IN_S = 5
ENDING_S = 20  # for requests under way, and for consoles to hear that nothing is new
_DIFFERENT = """
    SELECT count(*)::int FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
                              AS told (id, ref, status, event_at)
    LEFT JOIN (checkin c JOIN person p USING (operation_id, person_id)) ON c.checkin_id = told.id
    WHERE (p.ref, c.status, c.event_at)
          IS DISTINCT FROM (told.ref, told.status, told.event_at::timestamptz)
"""
_ON_RECORD = "SELECT count(*)::int FROM checkin"


async def run(dsn: str, folder: Path, users: int, seconds: int) -> list[str]:
    """Plays the scenario; what was wrong, in sentences."""
    async with Stage(Bench(dsn), people=max(users, FEWEST_PEOPLE), rollcall=True) as stage:
        acknowledged = folder / "acknowledged.json"
        told = {
            "alert_id": str(stage.alert_id),
            "desk": await stage.operator(),
            "tokens": stage.tokens,
            "consoles": CONSOLES,
            "acknowledged": str(acknowledged),
        }
        where = folder / "stage.json"
        where.write_bytes(msgspec.json.encode(told))
        status = await _play(f"http://127.0.0.1:{stage.port}", where, users, seconds)
        wrong = [f"Locust ended with {status}: see its list of failures."] if status else []
        if acknowledged.exists():
            return wrong + await _check(stage, msgspec.json.decode(acknowledged.read_bytes()))
        return [*wrong, "Nothing was acknowledged."]


async def _play(url: str, where: Path, users: int, seconds: int) -> int:
    """Locust's exit status. It is a process of its own, for it patches the sockets it uses."""
    command = [sys.executable, "-m", "locust", "-f", str(SCENARIO), "--headless", "--host", url]
    command += ["-u", str(users + CONSOLES), "-r", str(max(1, users // SPAWNED_IN_S))]
    command += ["-t", f"{seconds}s", "--stop-timeout", str(ENDING_S), "--only-summary"]
    locust = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "LOAD_STAGE": str(where)}, stdin=asyncio.subprocess.DEVNULL
    )
    return await locust.wait()


async def _check(stage: Stage, told: list[dict[str, str]]) -> list[str]:
    """What is on record, held against what phones were told."""
    columns = [[t[name] for t in told] for name in ("id", "person", "status", "event_at")]
    operation_id = stage.station.operation_id
    [[different]] = await stage.database.fetch(operation_id, _DIFFERENT, *columns)
    [[on_record]] = await stage.database.fetch(operation_id, _ON_RECORD)
    kept, fresh = await stage.station.cells(stage.alert_id)
    reports = len({t["id"] for t in told})
    say = Console().print
    say(f"acknowledged {reports:,} reports; on record {on_record:,}; missing or other {different}")
    say(f"headcount cells: {len(kept):,} kept, {len(fresh):,} counted, {len(kept ^ fresh)} differ")
    wrong = []
    if different or not reports:
        wrong.append(f"{different} of {reports} acknowledged reports are not on record as told.")
    if kept != fresh:
        wrong.append(f"{len(kept ^ fresh)} cells of the headcount differ from a fresh count.")
    return wrong


def main() -> int:
    """The exit status."""
    log.configure("console")
    os.environ.setdefault("MUSTER_SECRET_KEY", "load")  # or the server would keep one in ./data
    users, seconds = int(os.environ.get("USERS", "200")), int(os.environ.get("SECONDS", "60"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="muster-load-")))
        dsn = stack.enter_context(EmbeddedPostgres(folder / "data")).dsn
        wrong = uvloop.run(run(dsn, folder, users, seconds))
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Interrupted: nothing was held against the record.")
