"""Files as offices save them: read rightly, or refused with one clear word."""

import datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.people.roster import encoding, files, rows, tables
from tests.people.roster import header

ANN = "P1,{name},national,Health,GIG,,,,,"
LATIN = ["Zoé Müller", "José Muñoz", "François Côté", "Åse Bjørnsen", "Renée Lefèvre"]
CYRILLIC = ["Дан Иванов", "Ольга Петренко", "Їжак Ґалаґан", "Анна-Мария Ёлкина"]
ARABIC = ["نور الدين", "محمد علي", "فاطمة الزهراء", "گل چمران"]


def names(folder: Path) -> list[str]:
    found = files.read([folder])
    assert found.refused == []
    (sheet,) = found.sheets
    return [values[1] for _, values in sheet.rows]


def save(folder: Path, data: bytes, name: str = "people.csv") -> Path:
    (folder / name).write_bytes(data)
    return folder


def text_of(people: list[str], delimiter: str = ",", end: str = "\n") -> str:
    lines = [header("people"), *(ANN.format(name=n) for n in people)]
    return "".join(line.replace(",", delimiter) + end for line in lines)


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_usual_dresses_are_all_read(
    tmp_path: Path, code: str, delimiter: str, end: str
) -> None:
    people = [*LATIN, *CYRILLIC, *ARABIC]
    save(tmp_path, text_of(people, delimiter, end).encode(code))
    assert names(tmp_path) == people
    assert files.read([tmp_path]).warnings == []


@pytest.mark.parametrize(
    ("page", "people"), [("cp1252", LATIN), ("cp1251", CYRILLIC), ("cp1256", ARABIC)]
)
def test_a_code_page_that_can_be_told_is_read_and_reported(
    tmp_path: Path, page: str, people: list[str]
) -> None:
    save(tmp_path, text_of(people).encode(page))
    assert names(tmp_path) == people
    (warned,) = files.read([tmp_path]).warnings
    assert f"Windows-{page[2:]}" in warned.message
    assert people[0].split()[0] in warned.message


@pytest.mark.parametrize(
    "data",
    [
        text_of(CYRILLIC[:2]).upper().encode("cp1251"),  # capitals look Arabic too
        text_of(LATIN).encode("cp1252") + text_of(CYRILLIC).encode("cp1251"),
        text_of(["Łukasz Żółć", "Żaneta Źdźbło"]).encode("cp1250"),
        text_of(["山田太郎", "鈴木花子"]).encode("shift_jis"),
        b"\xff\xfeP\x00,",
        bytes(range(128, 256)) * 20,
    ],
)
def test_what_cannot_be_told_is_refused_with_the_remedy(tmp_path: Path, data: bytes) -> None:
    found = files.read([save(tmp_path, data)])
    assert found.sheets == []
    (refused,) = found.refused
    assert (refused.file, refused.row) == ("people.csv", 0)
    assert "CSV UTF-8" in refused.remedy


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        assert isinstance(encoding.decode(data).text, str)
    except encoding.Undecodable:
        return


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=60))
def test_utf8_is_always_taken_as_it_is(text: str) -> None:
    data = text.encode()
    if b"\x00" not in data and not data.startswith(b"\xef\xbb\xbf"):
        assert encoding.decode(data).text == text


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    text = f"\n{header('people')}\n\n{ANN.format(name='Ann')}\n;\n" + ANN.format(name='"A\nB"')
    found = files.read([save(tmp_path, text.encode())])
    assert [number for number, _ in found.sheets[0].rows] == [4, 5, 6]


def test_a_spreadsheets_hint_of_its_delimiter_is_taken(tmp_path: Path) -> None:
    save(tmp_path, ("sep=;\n" + text_of(["Ann; B"], "|")).replace("|", ";").encode())
    assert len(files.read([tmp_path]).sheets[0].rows) == 1


def arranged(tmp_path: Path, text: str, name: str = "people.csv") -> tables.Arranged:
    found = files.read([save(tmp_path, text.encode(), name)])
    assert found.refused == []
    return tables.arrange(found.sheets[0])


def test_a_header_in_any_order_and_dress_is_understood(tmp_path: Path) -> None:
    text = "AREA ;Agency;category; Name;REF;Family Of;shoe size\nGIG;Health;local;Ann;P1;;44\n"
    made = arranged(tmp_path, text)
    assert made.table is not None
    assert made.table.rows == [(2, ["P1", "Ann", "local", "Health", "GIG", "", "", "", "", ""])]
    assert [w.column for w in made.warnings] == [
        "shoe_size",
        "phone",
        "phone2",
        "email",
        "language",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ref,name\nP1,Ann\n", [("category", "the column is missing")] * 1),
        (f"{header('people')},ref\n", [("ref", "the column is there twice")]),
        ("P1,Ann,national,Health,GIG,,,,,\n", [("ref", "the column is missing")]),
    ],
)
def test_a_header_that_lacks_a_column_is_refused(
    tmp_path: Path, text: str, said: list[tuple[str, str]]
) -> None:
    made = arranged(tmp_path, text)
    assert made.table is None
    assert said[0] in [(r.column, r.reason) for r in made.refused]
    assert all(header("people") in r.remedy for r in made.refused)


def test_a_row_of_another_width_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [
        header("people"),
        ANN.format(name="Otieno, Ann"),
        "P2,Ben",
        ANN.format(name="Cy"),
    ]
    made = arranged(tmp_path, "\n".join(lines))
    assert [(r.row, r.reason) for r in made.refused] == [
        (2, "has 11 values where the header has 10"),
        (3, "has 2 values where the header has 10"),
    ]
    assert made.table is not None
    assert [number for number, _ in made.table.rows] == [4]


@pytest.mark.parametrize("cell", ['"Ann', '"Ann" Otieno'])
def test_broken_quotes_are_refused_where_they_are(tmp_path: Path, cell: str) -> None:
    text = text_of(["Ben"]) + ANN.format(name=cell) + "\n"
    (refused,) = files.read([save(tmp_path, text.encode())]).refused
    assert (refused.row, "quote" in refused.reason) == (3, True)


@pytest.mark.parametrize("data", [b"", b"\n\n", b",,,\n"])
def test_an_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (refused,) = files.read([save(tmp_path, data)]).refused
    assert refused.reason == "is empty"


def test_two_files_for_one_table_are_refused(tmp_path: Path) -> None:
    save(tmp_path, text_of(["Ann"]).encode())
    save(tmp_path, text_of(["Ben"]).encode(), "people.tsv")
    refused = files.read([tmp_path]).refused
    assert [r.file for r in refused] == ["people.csv", "people.tsv"]


def test_what_is_no_roster_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "people.xlsx").write_bytes(b"PK\x03\x04 but no archive")
    save(tmp_path, b"x", "notes.txt")
    save(tmp_path, b"x", "staff.csv")
    paths = [tmp_path / n for n in ("gone.csv", "people.csv", "people.xlsx", "staff.csv", "empty")]
    refused = files.read([*paths, tmp_path / "notes.txt"]).refused
    assert [r.file for r in refused] == [
        "gone.csv",
        "people.csv",
        "people.xlsx",
        "staff.csv",
        "empty",
        "notes.txt",
    ]
    assert all(r.remedy for r in refused)


def test_a_workbooks_values_are_read_as_typed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(header("people").split(","))
    sheet.append(["P1", "Ann", "national", "Health", "GIG", 254712000001, 254712000002.0])
    sheet.append([datetime.date(2026, 1, 2), "Ben", "national", "Health", "GIG", 2.5e-7, "#N/A"])
    book.save(tmp_path / "people.xlsx")
    found = files.read([tmp_path])
    made = tables.arrange(found.sheets[0])
    assert made.table is not None
    assert made.table.rows[0][1][5:7] == ["254712000001", "254712000002"]
    checked = rows.check(made.table, "KE", lambda *_: None)
    assert {(r.row, r.column, r.value) for r in checked.refused} == {
        (3, "ref", "2026-01-02 00:00:00"),
        (3, "phone", "0.00000025"),
        (3, "phone2", "#N/A"),
    }
