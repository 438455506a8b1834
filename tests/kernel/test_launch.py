"""The parent of all processes."""

import subprocess
import sys

_AS_A_PARENT = """
import asyncio, resource, subprocess, sys
from server import launch
from server.config import Settings
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
place = Settings(database_url="postgresql://nowhere.invalid/none")
launch.db.wait_ready = lambda dsn: asyncio.sleep(0, sys.exit(0 if enough() else 1))
def enough():
    child = [sys.executable, "-c", "import resource as r; print(*r.getrlimit(r.RLIMIT_NOFILE))"]
    soft, most = map(int, subprocess.run(child, capture_output=True, text=True).stdout.split())
    return soft == (launch.MOST_FILES if most < 0 else min(most, launch.MOST_FILES))
asyncio.run(launch.serve(place, host="127.0.0.1", port=0, processes=1, role="api"))
"""


def test_a_server_may_hold_as_many_connections_as_the_machine_allows() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AS_A_PARENT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
