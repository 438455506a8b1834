"""Runs every check, also after a failure, and ends with a summary and what failed said last.

.venv/bin/python tools/check.py                      all
.venv/bin/python tools/check.py --only lint,python   some

What checks the clients runs beside what checks the server's text; the tests run alone.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bootstrap

BIN = bootstrap.VENV / "bin"
WORKERS = "2"
LAST_LINES = 40  # of what a check said that failed; several share them
BROWSER = ("vitest", "run", "--config", "tests/browser/vitest.config.ts")


def _tool(name: str, *words: str) -> Callable[[], int]:
    command = [str(BIN / name), *words]
    return lambda: subprocess.run(command, cwd=bootstrap.ROOT, check=False).returncode


def _npm(*words: str) -> int:
    try:
        bootstrap.npm(*words)
    except bootstrap.SetupError as error:
        print(error)
        return 1
    return 0


def _browser() -> int:
    try:
        bootstrap.build_clients()
        bootstrap.npm("exec", "--", *BROWSER, **bootstrap.browser_environment())
    except bootstrap.SetupError as error:
        print(error)
        return 1
    return 0


CHECKS: dict[str, tuple[str, Callable[[], int]]] = {
    "format": ("formatting", _tool("ruff", "format", "--check", ".")),
    "lint": ("lint", _tool("ruff", "check", ".")),
    "types": ("types", _tool("mypy", "--strict", "server")),
    "imports": ("import contracts", _tool("lint-imports")),
    "clients": ("clients: format, lint, types", lambda: _npm("run", "--silent", "check")),
    "units": ("clients: unit tests", lambda: _npm("run", "--silent", "test")),
    "python": ("Python tests", _tool("pytest", "-n", WORKERS, "--dist", "worksteal")),
    "browser": ("clients: browser tests", _browser),
}
BESIDE = ("clients", "units")  # one after the other: both make the same files first


@dataclass
class Outcome:
    """How a check went, and the last lines of what it said."""

    title: str
    passed: bool
    seconds: float
    last: deque[str]


def main(arguments: list[str]) -> int:
    """Runs the checks named, or all; 0 only if every one passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(CHECKS), help=f"of {', '.join(CHECKS)}")
    parser.add_argument("--run", choices=CHECKS, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.run:
        return CHECKS[chosen.run][1]()
    names = chosen.only.split(",")
    unknown = sorted(set(names) - set(CHECKS))
    if unknown:
        parser.error(f"no check is called {', '.join(unknown)}")
    outcomes = list(_outcomes(names))
    _summarise(outcomes)
    return 0 if all(one.passed for one in outcomes) else 1


def _outcomes(names: list[str]) -> Iterator[Outcome]:
    """Each check's outcome. What runs beside others is shown when its turn comes."""
    with ThreadPoolExecutor(1) as lane:
        beside: dict[str, Future[tuple[Outcome, list[str]]]] = {
            name: lane.submit(_aside, name) for name in names if name in BESIDE
        }
        for name in names:
            print(f"\n-- {CHECKS[name][0]}", flush=True)
            if name not in beside:
                yield _check(name, lambda line: print(line, end="", flush=True))
                continue
            outcome, said = beside[name].result()
            print("".join(said), end="", flush=True)
            yield outcome


def _aside(name: str) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    return _check(name, said.append), said


def _check(name: str, hear: Callable[[str], object]) -> Outcome:
    """Runs one check as a process of its own; `hear` gets each line as it is said."""
    began, last = time.monotonic(), deque[str](maxlen=LAST_LINES)
    colours = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
    process = subprocess.Popen(
        [sys.executable, "-u", __file__, "--run", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **colours},
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            hear(line)
            last.append(line)
    passed = process.returncode == 0
    return Outcome(CHECKS[name][0], passed, time.monotonic() - began, last)


def _summarise(outcomes: list[Outcome]) -> None:
    """The summary, then the last words of what failed: the end of a log is all some can see."""
    print("\n-- Summary")
    for one in outcomes:
        print(f"{'ok    ' if one.passed else 'FAILED'}  {one.title:<30} {one.seconds:6.1f} s")
    failed = [one for one in outcomes if not one.passed]
    for one in failed:
        print(f"\n-- {one.title} FAILED, and said at its end")
        print("".join(list(one.last)[-LAST_LINES // len(failed) :]), end="", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
