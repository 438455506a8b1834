"""Runs every check in turn, also after a failure, and ends with a summary.

.venv/bin/python tools/check.py                      all
.venv/bin/python tools/check.py --only lint,python   some
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bootstrap

BIN = bootstrap.VENV / "bin"
WORKERS = "2"


def _tool(name: str, *words: str) -> Callable[[], bool]:
    command = [str(BIN / name), *words]
    return lambda: subprocess.run(command, cwd=bootstrap.ROOT, check=False).returncode == 0


def _npm(script: str, environment: Callable[[], dict[str, str]] = dict) -> Callable[[], bool]:
    def run() -> bool:
        try:
            bootstrap.npm("run", "--silent", script, **environment())
        except bootstrap.SetupError as error:
            print(error)
            return False
        return True

    return run


CHECKS: dict[str, tuple[str, Callable[[], bool]]] = {
    "format": ("formatting", _tool("ruff", "format", "--check", ".")),
    "lint": ("lint", _tool("ruff", "check", ".")),
    "types": ("types", _tool("mypy", "--strict", "server")),
    "imports": ("import contracts", _tool("lint-imports")),
    "python": ("Python tests", _tool("pytest", "-n", WORKERS)),
    "clients": ("clients: format, lint, types", _npm("check")),
    "units": ("clients: unit tests", _npm("test")),
    "browser": ("clients: browser tests", _npm("browser", bootstrap.browser_environment)),
}


def main(arguments: list[str]) -> int:
    """Runs the checks named, or all; 0 only if every one passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(CHECKS), help=f"of {', '.join(CHECKS)}")
    names = parser.parse_args(arguments).only.split(",")
    unknown = sorted(set(names) - set(CHECKS))
    if unknown:
        parser.error(f"no check is called {', '.join(unknown)}")
    results = [_check(name) for name in names]
    print("\n-- Summary")
    for title, passed, seconds in results:
        print(f"{'ok    ' if passed else 'FAILED'}  {title:<30} {seconds:6.1f} s")
    return 0 if all(passed for _, passed, _ in results) else 1


def _check(name: str) -> tuple[str, bool, float]:
    title, run = CHECKS[name]
    print(f"\n-- {title}", flush=True)
    began = time.monotonic()
    passed = run()
    return title, passed, time.monotonic() - began


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
