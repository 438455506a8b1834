"""How the tests come by a Kannel: what is looked for, and what is said when there is none."""

import os
from pathlib import Path
from types import ModuleType

import pytest

from tools import kannel
from tools.kannel import Kannel, libraries, missing

ROOT = Path(__file__).resolve().parent.parent
LINKED = """\
/usr/sbin/bearerbox:
\tlinux-vdso.so.1 (0x00007ffd6c5f2000)
\tlibmariadb.so.3 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f00)
/usr/sbin/smsbox:
\tlibhiredis.so.0.14 => not found
"""
DEPENDS = (
    "adduser, libc6 (>= 2.34), libpam0g (>= 0.99) | libpam, perl:any, libct4:amd64, libpcre3\n"
)


def test_what_a_program_lacks_is_read_from_its_links() -> None:
    assert missing(LINKED) == ["libmariadb.so.3", "libhiredis.so.0.14"]
    assert missing(LINKED.replace("not found", "/lib/x.so")) == []


def test_of_dependencies_only_libraries_are_unpacked() -> None:
    assert libraries(DEPENDS) == ["libc6", "libpam0g", "libct4", "libpcre3"]
    assert libraries("\n") == []


def test_unpacked_libraries_are_on_the_path_of_what_is_run() -> None:
    folders = (Path("/a/lib"), Path("/a/usr/lib"))
    assert Kannel({}, folders).environment()["LD_LIBRARY_PATH"] == "/a/lib:/a/usr/lib"
    assert Kannel({}).environment() == dict(os.environ)


def test_programs_that_lack_a_library_are_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three programs unpacked, one of which cannot be loaded."""
    monkeypatch.setattr(kannel, "PROGRAMS", ("bearerbox-x", "smsbox-x", "fakesmsc-x"))
    place = tmp_path / "root" / "usr" / "sbin"
    place.mkdir(parents=True)
    for name in kannel.PROGRAMS:
        assert kannel.find(tmp_path) is None
        (place / name).symlink_to(Path("/bin/sh").resolve())
    found = kannel.find(tmp_path)
    assert found is not None
    assert found.programs == {name: place / name for name in kannel.PROGRAMS}
    (place / "smsbox-x").unlink()
    (place / "smsbox-x").write_bytes(b"\x7fELF broken")
    (place / "smsbox-x").chmod(0o755)
    assert kannel.find(tmp_path) is None


def test_no_service_starts_while_the_packages_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(kannel, "POLICY", policy)
    with kannel._no_service_starts():
        assert policy.read_text().endswith("exit 101\n")
        assert os.access(policy, os.X_OK)
    assert not policy.exists()
    policy.write_text("the owner's")
    with kannel._no_service_starts():
        assert policy.read_text() == "the owner's"
    assert policy.read_text() == "the owner's"


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import bootstrap

    return bootstrap


@pytest.mark.parametrize("found_after", ["looking", "installing", "unpacking", "nothing"])
def test_each_way_is_tried_in_turn_and_a_failure_names_the_remedy(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, found_after: str
) -> None:
    ways = ["looking"]
    own = bootstrap.kannel
    monkeypatch.setattr(own, "install", lambda: ways.append("installing"))
    monkeypatch.setattr(own, "unpack", lambda _: ways.append("unpacking"))
    monkeypatch.setattr(own, "find", lambda _: Kannel({}) if ways[-1] == found_after else None)
    if found_after != "nothing":
        bootstrap.provide_kannel()
        assert ways[-1] == found_after
        return
    with pytest.raises(bootstrap.SetupError, match=r"apt-get install .* kannel kannel-extras"):
        bootstrap.provide_kannel()
    assert ways == ["looking", "installing", "unpacking"]
