"""Manifests as files and on paper: out, back in, ticked, and entered again."""

import asyncio
import base64
import csv
import io
import threading
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import openpyxl
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import typeset
from server.relocation import tables
from tests.relocation.moving import Moving, moving


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    """Vehicle 1 with P2, P4 and somebody whose name would be a formula and a script."""
    async with moving(database) as made:
        await made.sql("UPDATE person SET name = '=1+1<script>' WHERE ref = 'P5'")
        await made.vehicle(1, seats=4)
        await made.ask("PUT", f"{manifest(made)}", {"people": ["P2", "P4", "P5"]})
        yield made


def manifest(own: Moving, number: int = 1) -> str:
    return f"/vehicles/{own.id[str(number)]}/manifest"


async def file(own: Moving, form: str) -> bytes:
    answer = await own.desk.call("GET", f"{own.path}{manifest(own)}/{form}")
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_a_list_goes_out_and_comes_back_the_same(own: Moving) -> None:
    text = (await file(own, "csv")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["seat"], r["ref"]) for r in rows] == [("1", "P2"), ("2", "P4"), ("3", "P5")]
    assert rows[2]["name"] == "'=1+1<script>", "no program takes it for a formula"
    book = await file(own, "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(book)).worksheets[0]
    assert (sheet["B2"].value, sheet["C4"].value, sheet["C4"].data_type) == (
        "P2",
        "=1+1<script>",
        "s",
    )
    for body in ({"csv": text}, {"xlsx": base64.b64encode(book).decode()}):
        back = await own.ask("POST", f"{manifest(own, 2)}/import", {**body, "move": True})
        assert [s["person"]["ref"] for s in back["seats"]] == ["P2", "P4", "P5"]
        await own.ask("PUT", manifest(own), {"people": ["P2", "P4", "P5"], "move": True})


async def test_a_list_that_cannot_be_is_refused_by_ref(own: Moving) -> None:
    async def refused(**body: Any) -> list[str]:
        answer = await own.desk.call("POST", f"{own.path}{manifest(own, 2)}/import", body)
        assert answer.status_code == 422, answer.text
        return [e["path"] for e in answer.json()["errors"]]

    assert await refused(csv="ref\nP8\nP7\nP2\n") == ["ref P7", "ref P2"]
    assert await refused(csv="name;seat\nx;1\n") == ["(file)"]
    assert await refused() == ["csv"]
    assert await refused(xlsx=base64.b64encode(b"PK no book").decode()) == ["xlsx"]
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sharedStrings.xml", b" " * (60 << 20))
    assert await refused(xlsx=base64.b64encode(bomb.getvalue()).decode()) == ["xlsx"]


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
                         min_size=1, max_size=4), max_size=6))  # fmt: skip
def test_any_text_can_be_written(rows: list[list[str]]) -> None:
    assert tables.to_csv(rows).startswith(b"\xef\xbb\xbf")
    assert openpyxl.load_workbook(io.BytesIO(tables.to_book({"a": rows}))).sheetnames == ["a"]


async def test_a_page_for_a_clipboard_names_its_list_and_holds_no_script(own: Moving) -> None:
    text = (await file(own, "print")).decode()
    mark = (await own.ask("GET", manifest(own)))["mark"]
    assert f"list {mark}" in text
    assert "=1+1&lt;script&gt;" in text
    assert "<script" not in text
    assert "style=" not in text, "the page's own policy would drop it"
    assert "EXERCISE" not in text


async def test_what_was_ticked_comes_back_once(own: Moving) -> None:
    mark = (await own.ask("GET", manifest(own)))["mark"]
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    form = {
        "id": str(uuid4()),
        "stage": "boarded",
        "at": at,
        "mark": mark,
        "seats": [1, 3],
        "people": ["P8"],
    }
    first = await own.ask("POST", f"{manifest(own)}/ticked", form)
    assert first == {"made": 3, "people": ["P2", "P5", "P8"]}
    assert (await own.ask("POST", f"{manifest(own)}/ticked", form))["made"] == 0
    stages = await own.exact()
    assert stages["boarded"] == 3
    now = await own.ask("GET", manifest(own))
    assert [s["aboard"] for s in now["seats"]] == [True, False, True]
    assert [u["person"]["ref"] for u in now["unlisted"]] == ["P8"]


async def test_a_form_sent_again_is_answered_though_seats_changed_hands_since(own: Moving) -> None:
    """Its first answer was lost; somebody else has seat 1 by now."""
    mark = (await own.ask("GET", manifest(own)))["mark"]
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    form = {"id": str(uuid4()), "stage": "boarded", "at": at, "mark": mark, "seats": [1, 3]}
    path = f"{manifest(own)}/ticked"
    assert (await own.ask("POST", path, form))["made"] == 2
    await own.ask("PUT", manifest(own), {"people": ["P4", "P6"]})
    assert await own.ask("POST", path, form) == {"made": 0, "people": ["P2", "P5"]}
    for other in ({"seats": [1]}, {"stage": "arrived"}, {"id": str(uuid4())}):
        refused = await own.desk.call("POST", own.path + path, {**form, **other})
        assert refused.status_code == 409, other
    assert (await own.exact())["boarded"] == 2


async def test_while_a_file_is_made_others_are_answered(
    own: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workbook of 100,000 people takes long: a call for help must not wait for it."""
    begun, answered = threading.Event(), threading.Event()
    make = tables.to_book

    def slow(sheets: Any) -> bytes:
        begun.set()
        assert answered.wait(30), "nobody was answered meanwhile"
        return make(sheets)

    monkeypatch.setattr(tables, "to_book", slow)
    for path in ("/report/xlsx", f"{manifest(own)}/xlsx"):
        begun.clear()
        answered.clear()
        making = asyncio.create_task(own.desk.call("GET", own.path + path))
        assert await asyncio.to_thread(begun.wait, 30)
        board = await own.desk.call("GET", own.path)
        answered.set()
        assert ((await making).status_code, board.status_code) == (200, 200)


async def test_numbers_of_an_older_list_are_nobody_s(own: Moving) -> None:
    mark = (await own.ask("GET", manifest(own)))["mark"]
    await own.ask("PUT", manifest(own), {"people": ["P4", "P6"]})
    at = datetime.now(UTC).isoformat()
    form = {"id": str(uuid4()), "stage": "boarded", "at": at, "mark": mark, "seats": [1]}
    path = f"{own.path}{manifest(own)}/ticked"
    answer = await own.desk.call("POST", path, form)
    assert (answer.status_code, answer.json()["code"]) == (409, "manifest_changed")
    wrong = {
        **form,
        "mark": (await own.ask("GET", manifest(own)))["mark"],
        "seats": [4],
        "people": ["P7"],
    }
    answer = await own.desk.call("POST", path, wrong)
    assert [e["path"] for e in answer.json()["errors"]] == ["seats[0]", "people[0]"]
    by_ref = {**form, "seats": [], "people": ["P4"]}
    assert (await own.ask("POST", f"{manifest(own)}/ticked", by_ref))["made"] == 1


async def test_the_report_says_the_same_as_a_workbook_and_on_paper(own: Moving) -> None:
    await own.ask("POST", "/activate")
    await own.say(own.said("P2", "boarded", 60, vehicle=1))
    told = await own.ask("GET", "/report")
    answer = await own.desk.call("GET", f"{own.path}/report/xlsx")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    rows = {
        s.title: [[c.value for c in r] for r in s.iter_rows(min_row=2)] for s in book.worksheets
    }
    assert {r[0]: r[1] for r in rows["movement"]}["people"] == told["board"]["population"]
    assert [r[1] for r in rows["timeline"]] == [f["what"] for f in told["timeline"]]
    everybody, *groups = rows["counts"]
    assert everybody[2:] == [told["board"]["population"], *told["board"]["counts"].values()]
    categories = [r for r in groups if r[0] == "category"]
    assert sum(r[2] for r in categories) == told["board"]["population"]
    assert {r[0] for r in rows["not reached"]} == {p["person"]["ref"] for p in told["not_reached"]}
    page = (await own.desk.call("GET", f"{own.path}/report/print")).text
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    paper = await read_pdf(own, "/report/pdf")
    assert "=1+1<script>" in paper
    for person in told["not_reached"]:
        assert f">{person['person']['ref']}<" in page
        assert person["person"]["ref"] in paper
    assert f"{told['board']['population']}" in paper


async def test_paper_is_set_in_every_script(own: Moving) -> None:
    names = {"P2": "زينب الطيب", "P4": "王小明", "P5": "#panic() *Ольга* $x$"}
    for ref, name in names.items():
        await own.sql("UPDATE person SET name = $1 WHERE ref = $2", name, ref)
    paper = await read_pdf(own, f"{manifest(own)}/pdf")
    for name in names.values():
        # the reader gives Arabic in the order of its shapes: so by letters
        assert set(name) <= set(paper), "each letter has its shape, and none is read as markup"
    assert "EXERCISE" not in paper
    assert "3 of 4 seats, not sealed" in paper


async def test_paper_that_cannot_be_set_is_an_error_that_may_be_asked_again(
    own: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typeset, "_SECONDS", 0.0)
    answer = await own.desk.call("GET", f"{own.path}/report/pdf")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_set")
    assert "Retry-After" in answer.headers
    monkeypatch.undo()
    assert await read_pdf(own, "/report/pdf")


async def read_pdf(own: Moving, path: str) -> str:
    answer = await own.desk.call("GET", own.path + path)
    assert answer.status_code == 200, answer.text
    file = pypdf.PdfReader(io.BytesIO(answer.content))
    assert file.trailer["/Root"]["/MarkInfo"]["/Marked"], "tagged, for screen readers"
    return "\n".join(page.extract_text() for page in file.pages)
