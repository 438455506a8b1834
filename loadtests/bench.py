"""`make bench`: every figure with its baseline, in one run on one machine.

Writes bench.json, a list of {name, value, unit, baseline, ratio, note}, and prints it as a table.
`python -m loadtests.bench --only NAME,..` runs the rows that make the named figures.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from loadtests.harness import Bench, Figure, Row
from loadtests.rows import (
    checkins,
    claims,
    fanout,
    handing,
    panics,
    pins,
    pushes,
    queue,
    rollcall,
    roster,
    sizes,
    stages,
    watches,
)
from server import log
from server.embedded import EmbeddedPostgres

# Which measurement makes which figures.
ROWS: list[tuple[tuple[str, ...], Row]] = [
    (("checkin_vs_noop", "checkin_vs_single_insert"), checkins.measure),
    (("rollcall_100k_seconds", "rollcall_100k_open_seconds"), rollcall.measure),
    (("import_100k_seconds",), roster.measure),
    (("push_vs_raw_aiohttp", "push_vs_raw_aiohttp_100ms"), pushes.against_raw),
    (("push_vs_pyfcm_async", "push_vs_pyfcm_async_100ms"), pushes.against_pyfcm),
    (("push_vs_firebase_admin", "push_vs_firebase_admin_100ms"), pushes.against_firebase),
    (("handed_50k_seconds",), handing.measure),
    (("claim_vs_pgqueuer",), claims.measure),
    (("claim_p99_flat",), queue.under_a_long_read),
    (("recipients_flat", "recipients_50k_seconds"), queue.over_size),
    (("watches_10k_seconds",), watches.measure),
    (("panic_p50_idle_ms", "panic_p99_idle_ms", "panic_p99_loaded_ms"), panics.measure),
    (("panic_p99_slow_commits_ms",), panics.slow_commits),
    (("panic_p99_flooded_ms",), panics.flooded),
    (("pin_duress_vs_normal", "pin_duress_vs_normal_verify"), pins.measure),
    (("stage_vs_checkin",), stages.measure),
    (("movement_delta_flat",), stages.deltas),
    (("fill_100k",), stages.seats),
    (("sse_vs_raw",), fanout.measure),
    (("phone_app_gzip_kb",), sizes.measure),
]


def wanted_rows(names: list[str]) -> list[Row]:
    """The rows to run. Raises SystemExit for a name that no row makes."""
    known = {name for made, _ in ROWS for name in made}
    unknown = set(names) - known
    if unknown:
        sys.exit(
            f"No such figure: {', '.join(sorted(unknown))}. Known: {', '.join(sorted(known))}."
        )
    return [row for made, row in ROWS if not names or set(made) & set(names)]


async def run(dsn: str, rows: list[Row]) -> list[Figure]:
    """Runs rows one after another on one database server."""
    bench, figures = Bench(dsn), []
    for row in rows:
        started = time.monotonic()
        figures += await row(bench)
        took = time.monotonic() - started
        Console(stderr=True).print(f"{row.__module__.rsplit('.', 1)[1]}: {took:.0f} s")
    return figures


def show(figures: list[Figure]) -> None:
    """Prints the table."""
    table = Table("figure", "value", "unit", "baseline", "ratio", "meanwhile")
    for f in figures:
        baseline = "" if f.baseline is None else f"{f.baseline:,.1f}"
        ratio = "" if f.ratio is None else f"{f.ratio:.2f}"
        table.add_row(f.name, f"{f.value:,.1f}", f.unit, baseline, ratio, f.note or "")
    Console().print(table)


def main() -> None:
    """Starts a database server of its own unless MUSTER_DATABASE_URL names one."""
    log.configure("console")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="figures to make, by name, with commas")
    rows = wanted_rows([n for n in parser.parse_args().only.split(",") if n])
    with ExitStack() as stack:
        dsn = os.environ.get("MUSTER_DATABASE_URL")
        if dsn is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="muster-bench-"))
            dsn = stack.enter_context(EmbeddedPostgres(Path(folder) / "data")).dsn
        figures = uvloop.run(run(dsn, rows))
    rendered = [{**msgspec.structs.asdict(f), "ratio": f.ratio} for f in figures]
    Path("bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(rendered)))
    show(figures)


if __name__ == "__main__":
    main()
