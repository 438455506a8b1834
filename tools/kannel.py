"""Kannel, which the tests run: found on this machine, installed, or unpacked into a folder.

Standard library only, for tools/bootstrap.py calls it before anything is installed. Nothing here
starts a Kannel; tests/support/kannel.py does, from what `find` finds.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("bearerbox", "smsbox", "fakesmsc")
PACKAGES = ("kannel", "kannel-extras")
PLACES = ("usr/sbin", "usr/local/sbin", "usr/lib/kannel/test", "usr/local/lib/kannel/test")
POLICY = Path("/usr/sbin/policy-rc.d")
SERVICE = Path("/etc/init.d/kannel")
REMEDY = (
    "The tests need Kannel's bearerbox, smsbox and fakesmsc on PATH. Install them (Debian: "
    "apt-get install --no-install-recommends kannel kannel-extras), or give this machine "
    "apt-get and a package mirror; then run it again."
)


@dataclass(frozen=True)
class Kannel:
    """Where the programs are, and the folders of libraries that the system does not have."""

    programs: dict[str, Path]
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        """The environment to run them in."""
        if not self.libraries:
            return dict(os.environ)
        path = os.pathsep.join(map(str, self.libraries))
        return {**os.environ, "LD_LIBRARY_PATH": path}


def find(folder: Path) -> Kannel | None:
    """What can be run: the system's programs, else those unpacked into `folder`."""
    system = _programs(os.environ.get("PATH", "").split(os.pathsep), Path("/"))
    root = folder / "root"
    found = [Kannel(system), Kannel(_programs([], root), _libraries(root))]
    return next((k for k in found if _runs(k)), None)


def _programs(path: list[str], root: Path) -> dict[str, Path]:
    places = os.pathsep.join([*path, *(str(root / place) for place in PLACES)])
    found = {name: shutil.which(name, path=places) for name in PROGRAMS}
    return {name: Path(where) for name, where in found.items() if where}


def _libraries(root: Path) -> tuple[Path, ...]:
    return tuple(sorted({file.parent for file in root.rglob("*.so*")}))


def _runs(kannel: Kannel) -> bool:
    """Whether all three are there with every library they are linked to."""
    if set(kannel.programs) != set(PROGRAMS):
        return False
    command = ["ldd", *map(str, kannel.programs.values())]
    try:
        told = subprocess.run(
            command, env=kannel.environment(), check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return True  # nothing here can tell; starting it will
    return told.returncode == 0 and not missing(told.stdout)


def missing(linked: str) -> list[str]:
    """The libraries that ldd's output calls not found."""
    return re.findall(r"^\s*(\S+) => not found", linked, re.MULTILINE)


# -- as system packages


def install() -> None:
    """Installs the packages, if this is root and a Debian. None of their services is started."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ours = not SERVICE.exists()
    with _no_service_starts():
        _run(["apt-get", "update", "-qq"], env=quiet)
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], env=quiet)
    if ours and SERVICE.exists():  # nobody asked for a gateway at the next boot
        subprocess.run(["update-rc.d", "kannel", "disable"], check=False, capture_output=True)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian asks this file before it starts a service; one that is there already stays."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\n# for a moment, by tools/kannel.py; may be removed\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


# -- unpacked into a folder


def unpack(folder: Path) -> None:
    """Unpacks the packages, and libraries they need that are not installed, below `folder`."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("root", "lists/partial", "cache/archives/partial", "debs"):
        (folder / name).mkdir(parents=True)
    # lists of its own: only root may bring the system's up to date
    own = {"Dir::State::Lists": folder / "lists", "Dir::Cache": folder / "cache"}
    options = [word for name, where in own.items() for word in ("-o", f"{name}={where}")]
    if os.geteuid() == 0:
        options += ["-o", "APT::Sandbox::User=root"]  # apt's own user may not reach this folder
    apt = ["apt-get", "-qq", *options]
    if not _run([*apt, "update"]):
        return
    wanted, seen = list(PACKAGES), set(PACKAGES)
    while wanted:
        needed = _unpack_one(apt, wanted.pop(), folder)
        new = [name for name in needed if name not in seen and not _installed(name)]
        seen.update(new)
        wanted += new
    for name in ("lists", "cache", "debs"):
        shutil.rmtree(folder / name)


def _unpack_one(apt: list[str], package: str, folder: Path) -> list[str]:
    """The libraries it depends on. One that is not to be had may not be needed: `find` judges."""
    debs = folder / "debs"
    if not _run([*apt, "download", package], cwd=debs):
        return []
    [deb] = debs.glob(f"{package}_*.deb")
    if not _run(["dpkg", "-x", str(deb), str(folder / "root")]):
        return []
    asked = ["dpkg-deb", "-f", str(deb), "Depends"]
    return libraries(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)


def libraries(depends: str) -> list[str]:
    """The libraries among a package's dependencies, the first of each set of alternatives."""
    names = [re.split(r"[ (:|]", choice.strip(), maxsplit=1)[0] for choice in depends.split(",")]
    return [name for name in names if name.startswith("lib")]


def _installed(package: str) -> bool:
    asked = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    told = subprocess.run(asked, check=False, capture_output=True, text=True)
    return told.returncode == 0 and told.stdout.startswith("installed")


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> bool:
    return subprocess.run(command, cwd=cwd, env=env, check=False).returncode == 0
