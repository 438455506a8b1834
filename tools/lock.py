"""Writes requirements.lock and requirements-dev.lock from pyproject.toml. Needs uv on PATH.

Plain PyPI only, whatever this machine has configured, so that the hashes of every platform
are there and no address of an index gets into a file.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = (
    *("uv", "pip", "compile", "pyproject.toml", "--no-config", "--quiet"),
    *("--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-annotate", "--no-header"),
)
ADDRESS = re.compile(r"://|^\s*--(?!hash)|\s@\s", re.MULTILINE)


def main() -> int:
    """Locks the runtime first, then dev within the versions of the runtime."""
    if not shutil.which("uv"):
        print("Locking needs uv on PATH: pip install uv, in an environment of its own.")
        return 1
    runtime, dev = "requirements.lock", "requirements-dev.lock"
    _compile(runtime, "--extra", "build")
    _compile(dev, "--extra", "build", "--extra", "dev", "--constraint", runtime)
    for name in (runtime, dev):
        found = ADDRESS.search((ROOT / name).read_text())
        if found:
            print(f"{name} holds an address or an option: {found[0]!r}", file=sys.stderr)
            return 1
    return 0


def _compile(name: str, *options: str) -> None:
    subprocess.run([*COMPILE, *options, "--output-file", name], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
