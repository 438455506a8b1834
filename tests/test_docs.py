"""What is written is true: settings, calls, codes, names, verbs, states, refusals, links.

A document is read by people at night. Each test here fails on what is not documented, and on what
is documented and gone.
"""

import ast
import asyncio
import csv
import importlib
import json
import os
import re
import sys
import tomllib
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cyclopts import App

from loadtests.bench import ROWS
from server import db
from server.__main__ import cli
from server.alerts.rules import TRANSITIONS
from server.app import Api
from server.config import Settings
from server.people import importing, operations
from tests.support.http import settings as settings_of_tests
from tests.support.http import site
from tests.support.live import LiveServer

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FOLDERS = ("server/", "clients/", "tests/", "loadtests/", "tools/", "docs/")
NO_SETTING = {"MUSTER_LONG"}  # read by tests alone


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def outside_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def in_backticks(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", outside_code(text)))


def section(text: str, title: str) -> str:
    """The text below a heading, up to the next heading of its rank or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"there is no heading {title}"
    rest = text[found.end() :]
    return re.split(rf"^#{{1,{len(found[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The rows of a page's tables as cells, without headers and rules."""
    lines = [line for line in outside_code(text).splitlines() if line.startswith("|")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if not re.fullmatch(r"[|\-: ]+", line) and not re.fullmatch(r"[|\-: ]+", following):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


# -- settings


def test_every_setting_is_documented_with_its_default() -> None:
    """And none that is gone; none in any page that is no setting."""
    told = {cells[0].strip("` "): cells[2].strip("` ") for cells in rows(page("docs/settings.md"))}
    real = {
        f"MUSTER_{name.upper()}": "unset" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert told == real
    for file in PAGES:
        named = set(re.findall(r"\bMUSTER_[A-Z_]+\b", file.read_text("utf-8")))
        assert named <= real.keys() | NO_SETTING, f"{file.name} names what is no setting"


# -- the HTTP API


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    api = Api(settings_of_tests(), "postgresql:///nowhere")
    document: dict[str, Any] = json.loads(api.document())
    return document


def test_every_call_is_documented_with_its_roles(openapi: dict[str, Any]) -> None:
    real = {
        f"{method.upper()} {path}": call
        for path, calls in openapi["paths"].items()
        for method, call in calls.items()
    }
    told = {
        cells[0].strip("` "): cells[1] for cells in rows(section(page("docs/api.md"), "All calls"))
    }
    assert set(told) == set(real)
    for call, roles in told.items():
        described = real[call].get("description", "")
        if described:
            wanted = set(described.removeprefix("Roles: ").rstrip(".").split(", "))
            assert set(roles.split(", ")) == wanted, call
        else:
            assert roles.startswith(("any", "this machine")), call


def test_every_code_of_a_refusal_is_documented() -> None:
    real: set[str] = set()
    for file in (ROOT / "server").rglob("*.py"):
        text = file.read_text("utf-8")
        real |= set(re.findall(r'\bcode="([a-z_]+)"', text))
        if file.name == "errors.py":
            real |= set(re.findall(r'status, code, title.* = \d+, "([a-z_]+)"', text))
            real |= set(re.findall(r'^    code = "([a-z_]+)"', text, re.MULTILINE))
    told = {cells[0].strip("` ") for cells in rows(section(page("docs/api.md"), "Refusals"))}
    assert told == real


async def test_the_example_of_the_stream_runs(database: str) -> None:
    """As printed, against a real server: it shows the count before and after an answer."""
    [example] = re.findall(r"^```python\n(.*?)^```", page("docs/api.md"), re.MULTILINE | re.DOTALL)
    async with site(database, people=5) as here:
        alert_id = await here.station.open_rollcall()
        desk, phone = await here.operator(), await here.phone(0)
        with LiveServer(database, role="api") as server:
            told = {"URL": server.url, "ALERT": str(alert_id), "TOKEN": desk.token}
            watching = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", example), env={**os.environ, **told}, stdout=PIPE
            )
            assert watching.stdout
            try:
                before = (await watching.stdout.readline()).decode()
                now = datetime.now(UTC).isoformat()
                said = {"id": str(uuid4()), "status": "safe", "at": now}
                assert (await phone.call("POST", "/v1/checkins", said)).status_code == 201
                after = (await watching.stdout.readline()).decode()
            finally:
                watching.kill()
                await watching.wait()
    assert "'safe': 0" in before
    assert "'safe': 1" in after


# -- names in the architecture


def resolve(name: str) -> object:
    """The thing a dotted name means. Raises ImportError or AttributeError."""
    words = name.split(".")
    for cut in range(len(words), 0, -1):
        try:
            found: object = importlib.import_module(".".join(words[:cut]))
        except ModuleNotFoundError:
            continue
        for word in words[cut:]:
            found = getattr(found, word)
        return found
    raise ImportError(name)


@pytest.mark.parametrize("file", PAGES, ids=lambda p: p.name)
def test_every_name_of_ours_exists(file: Path) -> None:
    words = in_backticks(file.read_text("utf-8"))
    for name in sorted(w for w in words if re.fullmatch(r"server(\.\w+)+", w)):
        resolve(name)
    for path in sorted(w for w in words if w.startswith(FOLDERS) and " " not in w):
        assert (ROOT / path).exists(), f"{file.name} names {path}"


def test_every_module_of_the_kernel_is_named() -> None:
    named = {w.split(".")[1] for w in in_backticks(page("ARCHITECTURE.md")) if "server." in w}
    real = {f.stem for f in (ROOT / "server").glob("*.py")} - {"__init__"}
    assert real <= named, "say in ARCHITECTURE.md what these are for"


def test_every_function_of_the_database_exists() -> None:
    made = "".join(f.read_text("utf-8") for f in (ROOT / "server/schema").glob("*.sql"))
    for name in re.findall(r"`(\w+)\(\)`", page("ARCHITECTURE.md")):
        assert f"CREATE FUNCTION {name}(" in made, name


def test_the_drawn_states_are_the_real_ones() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+) : (\w+)$", page("ARCHITECTURE.md"), re.MULTILINE)
    steps = [(a, b, verb) for verb, steps in TRANSITIONS.items() for a, b in steps.items()]
    assert sorted(drawn) == sorted(steps)

    schema = page("server/schema/0003_alerts.sql")
    table = schema[schema.index("CREATE TABLE delivery") :]
    [listed] = re.findall(r"CHECK \(state IN\s+\(([^)]*)\)\)", table)[:1]
    real = set(re.findall(r"'(\w+)'", listed))
    text = page("docs/deliveries.md")
    drawing = [line.split(" : ")[0] for line in fenced(text) if " --> " in line]
    shown = set(re.findall(r"\w+", " ".join(drawing)))
    told = {cells[0].strip("` ") for cells in rows(section(text, "The states"))}
    assert shown == real == told


# -- verbs, commands, figures, proofs


def test_every_verb_of_make_is_in_the_readme() -> None:
    public = set(re.findall(r"^(\w+):.*##", page("Makefile"), re.MULTILINE))
    every = set(re.findall(r"^(\w+):", page("Makefile"), re.MULTILINE))
    told = set(re.findall(r"\bmake ([a-z]+)\b", " ".join(in_backticks(page("README.md")))))
    assert public <= told, "not in README.md"
    for file in PAGES:
        spans = [*in_backticks(file.read_text("utf-8")), *fenced(file.read_text("utf-8"))]
        named = {m[1] for span in spans if (m := re.match(r"\s*make ([a-z]+)\b", span))}
        assert named <= every, f"{file.name} names verbs that are gone"


def fenced(text: str) -> list[str]:
    """The lines of all blocks of code."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def commands(app: App, words: tuple[str, ...] = ("muster",)) -> Iterator[tuple[str, set[str]]]:
    """Each public command with its options."""
    for name in app:
        command = app[name]
        if name.startswith("-") or not command.show:
            continue
        if any(not inner.startswith("-") for inner in command):
            yield from commands(command, (*words, name))
            continue
        known = command.assemble_argument_collection(parse_docstring=True)
        yield " ".join((*words, name)), {n for a in known for n in a.names if n.startswith("--")}


def test_every_command_of_muster_is_in_the_readme_with_its_options() -> None:
    real = dict(commands(cli))
    told: dict[str, set[str]] = {}
    for cells in rows(section(page("README.md"), "Commands")):
        words = cells[0].strip("` ")
        name = max((n for n in real if words.startswith(n)), key=len, default=words)
        told[name] = set(re.findall(r"--[a-z-]+", words))
    assert told.keys() == real.keys()
    for name, options in told.items():
        assert options <= real[name], name


def test_the_figures_are_the_rows_of_the_bench() -> None:
    told = {cells[0].strip("` ") for cells in rows(section(page("README.md"), "Figures"))}
    assert told == {name for names, _ in ROWS for name in names}


def test_the_proofs_exist() -> None:
    proofs = [cells[-1] for cells in rows(section(page("README.md"), "What is promised"))]
    assert len(proofs) == 18
    files = {f for proof in proofs for f in re.findall(r"`(tests/[\w/.]+)`", proof)}
    assert files
    assert not [f for f in files if not (ROOT / f).is_file()]


def test_the_changelog_knows_this_version() -> None:
    version = tomllib.loads(page("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\] - ", page("CHANGELOG.md"), re.MULTILINE)


# -- the import's refusals


def said_in_code() -> tuple[set[str], set[str]]:
    """Reasons and remedies of the roster import, `{}` where a value stands."""
    makers = {
        "BadCell",
        "BadPhone",
        "refusal",
        "_refuse",
        "_drop",
        "_note",
        "Undecodable",
        "_TooLarge",
    }
    words = {"reason", "remedy", "whole", "_UNREADABLE", "_LENGTHS", "AS_TEXT", "IN_FULL", "REMEDY"}
    found: set[str] = set()
    folder = ROOT / "server/people"
    for file in [*(folder / "roster").glob("*.py"), folder / "phones.py"]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and name_of(node.func) in makers:
                found.update(t for argument in node.args for t in texts(argument))
            elif isinstance(node, ast.Assign) and name_of(node.targets[0]) in words | {"_NAMES"}:
                found.update(texts(node.value))
            elif isinstance(node, ast.FunctionDef) and node.name in ("remedy", "_why"):
                found.update(t for n in ast.walk(node) if isinstance(n, ast.Return) and n.value
                             for t in texts(n.value))  # fmt: skip
    spoken = {t for t in found if " " in t.strip() and t != "is no table"}
    remedies = {t for t in spoken if t[0].isupper()}
    return spoken - remedies, remedies


def name_of(node: ast.expr) -> str | None:
    return getattr(node, "id", None) or getattr(node, "attr", None)


def texts(node: ast.expr) -> Iterator[str]:
    """The strings of an expression, those with values in them as one each."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from texts(child)


def fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".+".join(map(re.escape, pattern.split("{}"))), text) is not None


def test_every_refusal_of_an_import_is_documented() -> None:
    """And every documented one is said by the code."""
    told = list(rows(section(page("docs/import.md"), "Every refusal, and its remedy")))
    reasons, remedies = said_in_code()
    for said, documented in ((reasons, [c[-2] for c in told]), (remedies, [c[-1] for c in told])):
        plain = {d.replace("\\\\", "\\") for d in documented}
        assert not [s for s in said if not any(fits(s, d) for d in plain)], "not documented"
        assert not [d for d in plain if not any(fits(s, d) for s in said)], "not said by any code"


ON_RECORD = """P9,Otto,local,Secretariat,NBO,+254712000009,,,,
P8,Maria,local,Secretariat,NBO,,,,,
P8-F1,Noor,family,,,,,,,P8
"""
WALK_IN = """
    INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, kind)
    SELECT operation_id, 'W-7KQ2', 'Walk-in', category, agency_id, area_id, 'walk_in'
    FROM person WHERE ref = 'P9'
"""


def good_files() -> dict[str, list[list[str]]]:
    """The three tables of the page, as rows."""
    blocks = re.findall(r"^```csv\n(.*?)^```", page("docs/import.md"), re.MULTILINE | re.DOTALL)
    tables = [[line.split(",") for line in block.splitlines()] for block in blocks]
    return dict(zip(("areas", "people", "tree", "presence"), tables, strict=True))


def examples() -> Iterator[tuple[dict[str, list[list[str]]], tuple[str, ...]]]:
    """Each example's files, and the refusal it promises: file, column, reason, remedy."""
    told = section(page("docs/import.md"), "Every refusal, and its remedy")
    for kind, third, fourth, reason, remedy in (c for c in rows(told) if len(c) == 5):
        tables, by_value = good_files(), not third.startswith("`")
        if by_value and not fourth.startswith("`"):
            continue  # said in words: what a table cannot show
        if by_value:
            table = tables[kind]
            row = table[1] if kind == "people" else table[-1]
            row[table[0].index(third)] = fourth.strip("`").encode().decode("unicode_escape")
        else:
            tables[kind] += [line.strip("`").split(",") for line in third.split("<br>")]
        column = third if by_value else fourth
        yield tables, (f"{kind}.csv", column, reason, remedy.replace("\\\\", "\\"))


def write(folder: Path, tables: dict[str, list[list[str]]], more: str = "") -> None:
    for kind, table in tables.items():
        with (folder / f"{kind}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(table)
            file.write(more if kind == "people" else "")


@pytest.fixture
async def own(database: str) -> AsyncIterator[db.Database]:
    opened = db.Database(database, 4)
    await opened.open()
    yield opened
    await opened.close()


async def test_every_example_of_a_refusal_is_refused_as_told(
    own: db.Database, tmp_path: Path
) -> None:
    made = await operations.add_operation(own.dsn, "KEN", "Kenya", "Africa/Nairobi")
    write(tmp_path, good_files(), ON_RECORD)
    report = await importing.run(own, "KEN", [tmp_path])
    assert report.written, report.refused
    await own.fetch(made.operation_id, WALK_IN)
    count, wrong = 0, []
    for tables, promised in examples():
        write(tmp_path, tables)
        said: set[tuple[str, ...]] = set()
        for partial in (False, True):
            if promised not in said:
                report = await importing.run(
                    own, "KEN", [tmp_path], dry_run=True, accept_partial=partial
                )
                said |= {(r.file, r.column, r.reason, r.remedy) for r in report.refused}
        if promised not in said:
            wrong.append((promised, sorted(said)))
        count += 1
    assert not wrong
    assert count > 40


# -- links


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as they are made for them."""
    titles = re.findall(r"^#+ (.+)$", outside_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("file", PAGES, ids=lambda p: p.name)
def test_every_link_leads_somewhere(file: Path) -> None:
    text = outside_code(file.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (file.parent / path).resolve() if path else file
        assert there.is_file(), f"{file.name} links to {target}"
        assert not anchor or anchor in anchors(there.read_text("utf-8")), target
