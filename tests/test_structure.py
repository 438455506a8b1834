"""The limits of the house: what a reader must be able to hold on one screen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES = 60
FILE_LINES = 400
TEST_FILE_LINES = 600
DOMAINS = ("people", "alerts", "checkin", "relocation")
ROOMS = ("__init__.py", "rules.py", "queries.sql", "store.py", "actions.py", "routes.py")


def _python(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


OURS = _python("server", "clients/simulator", "loadtests", "tools")
TESTS = _python("tests")
QUERIES = sorted((ROOT / "server").rglob("queries.sql"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(file: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("file", OURS + TESTS, ids=_name)
def test_a_function_fits_on_a_screen(file: Path) -> None:
    long = [f"{name}: {lines}" for name, lines in _functions(file) if lines > FUNCTION_LINES]
    assert not long, f"over {FUNCTION_LINES} lines, split them: {long}"


@pytest.mark.parametrize("file", OURS + TESTS, ids=_name)
def test_a_file_is_read_in_one_sitting(file: Path) -> None:
    limit = TEST_FILE_LINES if file in TESTS else FILE_LINES
    assert len(file.read_text().splitlines()) <= limit, f"over {limit} lines, split it by noun"


@pytest.mark.parametrize("file", QUERIES, ids=_name)
def test_every_query_states_its_intent(file: Path) -> None:
    parts = re.split(r"^-- name: (\w+)[^\n]*\n", file.read_text(), flags=re.MULTILINE)
    names, bodies = parts[1::2], parts[2::2]
    assert names, "no block begins with `-- name: ..`"
    assert len(set(names)) == len(names), "two blocks of one name"
    mute = [n for n, body in zip(names, bodies, strict=True) if not re.match(r"-- \S+ ", body)]
    assert not mute, f"say in a comment under the name what these are for: {mute}"


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_the_same_rooms(domain: str) -> None:
    folder = ROOT / "server" / domain
    if domain == "relocation" and not folder.exists():
        return  # named in the design, its work has not begun
    missing = [room for room in ROOMS if not (folder / room).is_file()]
    assert not missing, f"server/{domain} lacks {missing}"


def test_rules_are_pure() -> None:
    for file in (ROOT / "server").glob("*/rules.py"):
        waits = [
            node.lineno
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.AsyncFunctionDef | ast.Await)
        ]
        assert not waits, f"{_name(file)} awaits at lines {waits}; move that to actions.py"
