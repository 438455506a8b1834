"""The system user Postgres runs as when Muster runs as root, and its way to the files it needs.

Postgres refuses to run as root. A user without a login is made for it once, and each folder
above its files lets that one user pass through (an access control entry, not a wider mode).
"""

import os
import pwd
import stat
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "muster-db"

# The binary form of a POSIX access control list, as Linux keeps it in an extended attribute.
_ACL = "system.posix_acl_access"
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_NOBODY = 0xFFFFFFFF
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_SEARCH = 0x1


@dataclass(frozen=True)
class SystemUser:
    """Whom a Postgres program runs as: ourselves, or as root the user of its own."""

    name: str
    uid: int
    gid: int
    other: bool  # not the user we are

    def identity(self) -> dict[str, Any]:
        """The arguments of `subprocess` that make a child this user."""
        if not self.other:
            return {"umask": 0o077}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}


def choose(existing: Path) -> SystemUser:
    """Ourselves; as root the owner of `existing`, else the user of its own, made if missing.

    Raises LookupError if the user has no name on this system, OSError if it can't be made.
    """
    if os.geteuid() != 0:
        return _named(os.geteuid())
    if existing.exists() and existing.stat().st_uid != 0:
        return _named(existing.stat().st_uid)
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        _make()
        entry = pwd.getpwnam(NAME)
    return _named(entry.pw_uid)


def _named(uid: int) -> SystemUser:
    entry = pwd.getpwuid(uid)
    return SystemUser(entry.pw_name, uid, entry.pw_gid, uid != os.geteuid())


def _make() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", NAME]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode not in {0, 9}:  # 9: another process made it at the same moment
        raise OSError(f"useradd {NAME}: {made.stderr.strip()}")


def let_pass(user: SystemUser, *paths: Path) -> list[str]:
    """Lets the user pass through every folder above the paths; returns those it opened."""
    if not user.other:
        return []
    above = {folder for path in paths for folder in path.resolve().parents}
    return [str(folder) for folder in sorted(above) if _open_folder(user, folder)]


def let_read(user: SystemUser, *trees: Path) -> None:
    """Lets everyone read program files that were installed under a narrow umask."""
    if not user.other:
        return
    for path in _inside(trees):
        mode = path.stat().st_mode
        wanted = 0o555 if path.is_dir() or mode & stat.S_IXUSR else 0o444
        if mode & wanted != wanted:
            path.chmod(stat.S_IMODE(mode) | wanted)


def _inside(trees: tuple[Path, ...]) -> Iterator[Path]:
    for tree in trees:
        for folder, _, files in os.walk(tree):
            yield Path(folder)
            yield from (path for name in files if not (path := Path(folder, name)).is_symlink())


def _open_folder(user: SystemUser, folder: Path) -> bool:
    at = folder.stat()
    if at.st_mode & stat.S_IXOTH or at.st_uid == user.uid:
        return False
    try:
        return _grant_search(folder, user.uid)
    except OSError:
        # A file system without access control lists. Passing through is not listing.
        folder.chmod(stat.S_IMODE(at.st_mode) | stat.S_IXOTH)
        return True


def _grant_search(folder: Path, uid: int) -> bool:
    """Adds the search right of one user to the folder's list. False if it was there."""
    entries = _read_list(folder)
    rights = entries.get((_USER, uid), 0)
    mask = entries.get((_MASK, _NOBODY), entries[_GROUP, _NOBODY])
    if rights & mask & _SEARCH:
        return False
    entries[_USER, uid] = rights | _SEARCH
    entries[_MASK, _NOBODY] = mask | _SEARCH
    packed = (_ENTRY.pack(tag, right, who) for (tag, who), right in sorted(entries.items()))
    os.setxattr(folder, _ACL, _VERSION + b"".join(packed))
    return True


def _read_list(folder: Path) -> dict[tuple[int, int], int]:
    """The folder's list as {(tag, id): rights}; the plain mode in that form if it has none."""
    try:
        raw = os.getxattr(folder, _ACL)[len(_VERSION) :]
    except OSError:
        mode = folder.stat().st_mode
        shifts = {_OWNER: 6, _GROUP: 3, _OTHER: 0}
        return {(tag, _NOBODY): mode >> shift & 7 for tag, shift in shifts.items()}
    return {(tag, who): right for tag, right, who in _ENTRY.iter_unpack(raw)}
