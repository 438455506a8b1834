"""A roster goes in whole, in part, again, and changed; never by half."""

from pathlib import Path

import asyncpg
import msgspec
import openpyxl
import pytest
from rich.console import Console

from server.db import Database
from server.errors import NotFound
from server.people import importing
from server.people.roster.tables import COLUMNS
from tests.people import roster
from tests.people.house import House, new_operation
from tests.people.roster import AREAS, PEOPLE, TREE, complaints, good, numbers, run, write

EVERYTHING = """
    SELECT md5(string_agg(t, E'\n' ORDER BY t)) FROM (
      SELECT a::text FROM area a UNION ALL SELECT a::text FROM agency a
      UNION ALL SELECT p::text FROM person p UNION ALL SELECT c::text FROM contact_point c
      UNION ALL SELECT n::text FROM tree_node n UNION ALL SELECT t::text FROM tree_alternate t
      UNION ALL SELECT m::text FROM tree_member m UNION ALL SELECT r::text FROM presence r
      UNION ALL SELECT v::text FROM tree_version v) AS all_rows (t)
"""


async def test_a_good_roster_goes_in_and_the_same_again_changes_nothing(
    empty: House, tmp_path: Path
) -> None:
    first = await run(empty, good(tmp_path))
    assert (first.accepted, first.written, first.refused) == (True, True, [])
    assert numbers(first) == {
        "areas.csv": (4, 0, 0, 0, 0),
        "people.csv": (4, 0, 0, 0, 0),
        "tree.csv": (3, 0, 0, 0, 0),
    }
    assert first.agencies_added == ["Health", "Food"]
    before = await empty.sql(EVERYTHING)
    again = await run(empty, tmp_path)
    assert numbers(again) == {
        "areas.csv": (0, 0, 4, 0, 0),
        "people.csv": (0, 0, 4, 0, 0),
        "tree.csv": (0, 0, 3, 0, 0),
    }
    assert await empty.sql(EVERYTHING) == before


async def test_what_is_written_is_what_the_files_say(empty: House, tmp_path: Path) -> None:
    await run(empty, good(tmp_path))
    desk = await empty.operator()
    ann = await empty.get("/v1/people/P1", desk)
    assert ann["phones"] == ["+254712000001"]
    assert (ann["email"], ann["agency"], ann["area"]["code"]) == (
        "ann@example.org",
        "Health",
        "GIG",
    )
    assert [r["ref"] for r in ann["household"]] == ["P2", "P3"]
    ben = await empty.get("/v1/people/P2", desk)
    cleo = await empty.get("/v1/people/P3", desk)
    assert (ben["agency"], ben["area"]["code"], ben["sponsor"]) == ("Health", "GIG", "P1")
    assert cleo["area"]["code"] == "WES"
    tree = (await empty.get("/v1/tree", desk))["items"]
    assert {k: tree[1][k] for k in COLUMNS["tree"]} == {
        "node": "N-WES",
        "parent": "ROOT",
        "label": "Westlands",
        "area": None,
        "warden": "P4",
        "alternates": ["P1"],
        "members": ["P1", "P4"],
    }


async def test_a_changed_row_updates_and_a_vanished_person_stays(
    empty: House, tmp_path: Path
) -> None:
    await run(empty, good(tmp_path))
    changed = [
        "P1,Ann Otieno,national,Health,WES,0712 000001,,ann@example.org,en,",
        "P2,Ben Otieno,family,,,+254712000022,,,fr,P1",
        "P4,Дан Иванов,international,Food,WES,+254712000004,,,ru,",
    ]
    tree = [TREE[0], "N-GIG,ROOT,Gigiri,GIG,P1,P4;P3,", TREE[2]]
    report = await run(empty, write(tmp_path, areas=[*AREAS[:3], "WES,West,NBO,zone,,,"],
                                   people=changed, tree=tree))  # fmt: skip
    assert numbers(report) == {
        "areas.csv": (0, 1, 3, 0, 0),
        "people.csv": (0, 3, 0, 1, 0),
        "tree.csv": (0, 1, 2, 0, 0),
    }
    assert [(v.file, v.key) for v in report.vanished] == [("people.csv", "P3")]
    assert await empty.sql("SELECT count(*) FROM person") == 4
    assert await empty.sql("SELECT count(*) FROM contact_point WHERE rank = 2") == 0
    assert await empty.sql("SELECT count(*) FROM contact_point WHERE phone = '+254712000022'") == 1
    assert await empty.sql("SELECT string_agg(p.ref, ',' ORDER BY rank) FROM tree_alternate "
                          "JOIN person p USING (person_id) JOIN tree_node n USING (node_id) "
                          "WHERE node = 'N-GIG'") == "P4,P3"  # fmt: skip


async def test_one_bad_row_keeps_everything_out(empty: House, tmp_path: Path) -> None:
    people = [*PEOPLE, "P5,Eve,national,Health,GIG,2.11912E+11,,,,"]
    report = await run(empty, write(tmp_path, areas=AREAS, people=people, tree=TREE))
    assert (report.accepted, report.written) == (False, False)
    (refused,) = report.refused
    assert (refused.file, refused.row, refused.column) == ("people.csv", 6, "phone")
    assert refused.value == "2.11912E+11"
    assert "Format the column as text" in refused.remedy
    assert await empty.sql("SELECT count(*) FROM area") == 0


async def test_a_part_goes_in_without_what_depends_on_the_refused(
    empty: House, tmp_path: Path
) -> None:
    areas = [*AREAS, "BAD,Bad,NBO,zone,91,0,"]
    people = [
        *PEOPLE,
        "P5,Eve,national,Health,BAD,,,,,",
        "P6,Fay,family,,GIG,,,,,P5",
        "P7,Gil,national,Health,GIG,,,,,",
    ]
    tree = [*TREE, "N-BAD,ROOT,Bad,BAD,P7,,", "N-SUB,N-BAD,Sub,,P7,,", "N-OK,ROOT,Ok,,P7,P6,"]
    where = write(tmp_path, areas=areas, people=people, tree=tree)
    strict = await run(empty, where)
    assert complaints(strict) == [("areas.csv", 6, "lat", "is outside -90 to 90")]
    report = await run(empty, where, accept_partial=True)
    assert (report.accepted, report.written) == (True, True)
    assert complaints(report) == [
        ("areas.csv", 6, "lat", "is outside -90 to 90"),
        ("people.csv", 6, "area", "its area BAD was refused (areas.csv row 6)"),
        ("people.csv", 7, "family_of", "its person P5 was refused (people.csv row 6)"),
        ("tree.csv", 5, "area", "its area BAD was refused (areas.csv row 6)"),
        ("tree.csv", 6, "parent", "its node N-BAD was refused (tree.csv row 5)"),
        ("tree.csv", 7, "alternates", "its person P6 was refused (people.csv row 7)"),
    ]
    assert numbers(report) == {
        "areas.csv": (4, 0, 0, 0, 1),
        "people.csv": (5, 0, 0, 0, 2),
        "tree.csv": (3, 0, 0, 0, 3),
    }


async def test_a_dry_run_says_the_same_and_writes_nothing(empty: House, tmp_path: Path) -> None:
    dry = await run(empty, good(tmp_path), dry_run=True)
    assert (dry.accepted, dry.written) == (True, False)
    assert await empty.sql("SELECT count(*) FROM area") == 0
    assert numbers(await run(empty, tmp_path)) == numbers(dry)


async def test_later_files_build_on_what_is_on_record(empty: House, tmp_path: Path) -> None:
    await run(empty, good(tmp_path / "1"))
    people = ["P9,Joy,family,,,+254712000004,,,,P4", "P8,Kim,local,health,KE,,,,sw,"]
    tree = ["N-KE,N-GIG,Kenya,KE,P8,P9,P2"]
    report = await run(empty, write(tmp_path / "2", people=people, tree=tree))
    assert report.refused == []
    assert report.agencies_added == []
    assert [w.message for w in report.warnings] == ["health is counted as Health"]
    assert await empty.sql("SELECT count(*) FROM agency") == 2


async def test_columns_a_file_lacks_keep_what_is_on_record(empty: House, tmp_path: Path) -> None:
    await run(empty, good(tmp_path))
    short = tmp_path / "short"
    short.mkdir()
    lines = ["ref,name,category,agency,area,phone2", "P4,Dan Ivanov,international,Food,WES,"]
    (short / "people.csv").write_text("\n".join(lines))
    report = await run(empty, short)
    assert numbers(report)["people.csv"] == (0, 1, 0, 3, 0)
    missing = {w.column for w in report.warnings}
    assert missing == {"phone", "email", "language", "family_of"}
    row = "SELECT name || language || c.phone FROM person JOIN contact_point c USING (person_id) "
    assert await empty.sql(row + "WHERE ref = 'P4'") == "Dan Ivanovru+254712000004"


async def test_a_workbook_serves_as_well_as_files(empty: House, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for kind, lines in (("Areas", AREAS), ("people", PEOPLE), ("TREE", TREE)):
        sheet = book.create_sheet(kind)
        sheet.append(roster.header(kind.casefold()).split(","))
        for line in lines:
            sheet.append([_typed(v) for v in line.split(",")])
        sheet.append([None] * 3)
    book.save(tmp_path / "roster.xlsx")
    report = await run(empty, tmp_path / "roster.xlsx")
    assert complaints(report) == []
    assert numbers(report)["roster.xlsx/people"] == (4, 0, 0, 0, 0)
    again = await run(empty, good(tmp_path / "csv"))
    assert [f.unchanged for f in again.files] == [4, 4, 3]


def _typed(text: str) -> str | float | int | None:
    """What a spreadsheet makes of a value: numbers where it can."""
    if not text:
        return None
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        return text


async def test_a_report_can_be_kept_and_read(empty: House, tmp_path: Path) -> None:
    people = [PEOPLE[0], "P1,[red]Twin,national,Health,MOON,,,,,"]
    people += [f"Q{n},Q,national,Health,MOON,,,,," for n in range(200)]
    report = await run(empty, write(tmp_path, areas=AREAS, people=people))
    assert msgspec.json.decode(msgspec.json.encode(report))["refused"][0]["row"] == 2
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    console.print(report)
    text = console.export_text()
    assert "Nothing was written" in text
    assert "is also on row 3" in text
    assert all(f"people.csv row {n}, area 'MOON'" in text for n in range(4, 204))
    console.file.close()


async def test_progress_tells_phase_and_share(empty: House, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    await run(empty, good(tmp_path), progress=lambda *now: heard.append(now))
    assert list(dict.fromkeys(phase for phase, _, _ in heard)) == ["reading", "checking", "writing"]
    assert all(0 <= done <= total for _, done, total in heard)


async def test_an_unknown_operation_is_named(house: House, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no operation omega"):
        await importing.run(house.db, "omega", [good(tmp_path)])


async def test_an_import_leaves_its_mark(empty: House, tmp_path: Path) -> None:
    await run(empty, good(tmp_path))
    detail = await empty.sql("SELECT detail->'people'->>'added' FROM audit WHERE action = $1",
                            "roster.import")  # fmt: skip
    assert detail == "4"


async def test_an_import_does_not_depend_on_statistics(database: str, tmp_path: Path) -> None:
    """After a rollback and a vacuum, the planner holds that nobody is on record."""
    people = [f"P{n},Ann,national,Health,GIG,+2547{n:08d},,,," for n in range(2000)]
    tree = [f"N,,All,GIG,P0,,{';'.join(f'P{n}' for n in range(2000))}"]
    where = write(tmp_path, areas=AREAS, people=people, tree=tree)
    made = await new_operation(database)
    db = Database(database, 4)
    await db.open()
    await importing.run(db, made.code, [where], dry_run=True)
    owner = await asyncpg.connect(database)
    await owner.execute("VACUUM (TRUNCATE false, ANALYZE) person")
    assert await owner.fetchval("SELECT relpages > 0 FROM pg_class WHERE relname = 'person'")
    for expected in ((2000, 0, 0), (0, 0, 2000)):
        report = await importing.run(db, made.code, [where])
        assert numbers(report)["people.csv"][:3] == expected
    await db.close()
    await owner.execute("SELECT pg_stat_force_next_flush(), pg_sleep(0.1)")
    read = await owner.fetchval(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'person'"
    )
    await owner.close()
    assert 0 < read < 100 * 2000  # each of some 20 statements once; a bad join reads 4 million
