"""Leave, travel, visits: imported, said over HTTP, and what follows for wardens."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import openpyxl
import pytest

from clients.simulator import station
from tests.people.house import House
from tests.people.roster import complaints, good, numbers, run, write

LINES = [
    "P1,leave,,2026-11-20,2027-12-05,",
    "P4,visit,GIG,2026-11-01,2027-11-30,meeting",
    "P3,travel,,2026-11-24T08:00:00+03:00,2027-11-26,",
]


async def file(house: House, folder: Path, *lines: str) -> Any:
    return await run(house, write(folder / "p", presence=lines))


async def kept(house: House) -> list[Any]:
    sql = (
        "SELECT array_agg(concat_ws(' ', p.ref, r.kind, a.code, r.note) ORDER BY p.ref)"
        " FROM presence r JOIN person p USING (operation_id, person_id)"
        " LEFT JOIN area a ON a.area_id = r.area_id"
    )
    return list(await house.sql(sql) or [])


async def test_the_same_file_twice_changes_nothing(empty: House, tmp_path: Path) -> None:
    await run(empty, good(tmp_path))
    assert numbers(await file(empty, tmp_path, *LINES)) == {"presence.csv": (3, 0, 0, 0, 0)}
    assert numbers(await file(empty, tmp_path, *LINES)) == {"presence.csv": (0, 0, 3, 0, 0)}
    assert await kept(empty) == ["P1 leave", "P3 travel", "P4 visit GIG meeting"]


async def test_a_changed_row_updates_and_a_vanished_one_is_reported(
    empty: House, tmp_path: Path
) -> None:
    await run(empty, good(tmp_path))
    await file(empty, tmp_path, *LINES, "P2,leave,,2020-01-01,2020-02-01,")
    report = await file(empty, tmp_path, LINES[1].replace("GIG", "WES").replace("meeting", ""))
    assert numbers(report) == {"presence.csv": (0, 1, 0, 2, 0)}
    assert [v.key.split()[:2] for v in report.vanished] == [["P1", "leave"], ["P3", "travel"]]
    assert await kept(empty) == ["P1 leave", "P2 leave", "P3 travel", "P4 visit WES"]


async def test_all_refusals_at_once_and_nothing_written(empty: House, tmp_path: Path) -> None:
    await run(empty, good(tmp_path))
    report = await file(
        empty, tmp_path,
        *LINES,
        "P9,leave,,2026-11-20,2026-12-05,",
        "P1,visit,,2026-11-20,soon,",
        "P1,leave,GIG,2026-11-21,2026-11-20,",
        "P1,leave,,2026-11-20,2026-12-24,",
    )  # fmt: skip
    assert not report.written
    assert sorted(complaints(report)) == [
        ("presence.csv", 2, "ref", "is also on row 8"),
        ("presence.csv", 5, "ref", "there is no person P9 in the files or on record"),
        ("presence.csv", 6, "area", "a visit without an area"),
        ("presence.csv", 6, "until", "is no date or time"),
        ("presence.csv", 7, "area", "leave has no area"),
        ("presence.csv", 7, "until", "is not after from"),
        ("presence.csv", 8, "ref", "is also on row 2"),
    ]
    assert await kept(empty) == []


async def test_a_workbook_may_hold_real_dates(empty: House, tmp_path: Path) -> None:
    await run(empty, good(tmp_path))
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "presence"
    sheet.append(["ref", "kind", "area", "from", "until"])
    sheet.append(["P1", "Leave", None, date(2026, 11, 20), date(2026, 11, 24)])
    book.save(tmp_path / "away.xlsx")
    report = await run(empty, tmp_path / "away.xlsx")
    assert report.written, report.refused
    until = await empty.sql("SELECT until_at FROM presence")
    assert until == datetime(2026, 11, 24, 21, tzinfo=UTC)  # 24:00 in Nairobi


async def test_with_accept_partial_a_row_of_a_refused_person_is_left_out(
    empty: House, tmp_path: Path
) -> None:
    folder = good(tmp_path)
    write(folder, people=["P1,,national,Health,GIG,,,,,", "P4,Dan,local,Food,WES,,,,,"],
          tree=["ROOT,,Nairobi,NBO,P4,,"], presence=LINES[:2])  # fmt: skip
    report = await run(empty, folder, accept_partial=True)
    assert ("presence.csv", 2, "ref", "its person P1 was refused (people.csv row 2)") in complaints(
        report
    )
    assert await kept(empty) == ["P4 visit GIG meeting"]


# -- over HTTP


def visit(**more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()), "ref": "P4", "kind": "visit", "area": "GIG", "from": "2026-11-01",
        "until": "2026-11-30", **more,
    }  # fmt: skip


async def say(house: House, token: str, **more: Any) -> httpx.Response:
    return await house.call("POST", "/v1/presence", token, json=visit(**more))


async def now(house: House) -> tuple[str, str]:
    """Yesterday and tomorrow by the database."""
    days = "(now() + %s * interval '1 day')::date::text"
    return await house.sql(f"SELECT {days % -1}"), await house.sql(f"SELECT {days % 1}")


async def test_a_visitor_belongs_to_the_zones_warden_meanwhile(house: House) -> None:
    desk = await house.operator()
    warden = (await house.device(desk, "P1"))["token"]
    before, after = await now(house)

    async def branch() -> list[str]:
        return sorted(p["ref"] for p in (await house.get("/v1/people", warden))["items"])

    assert await branch() == ["P1", "P2", "P3"]
    made = await say(house, desk, **{"from": before, "until": after})
    assert made.status_code == 201, made.text
    assert await branch() == ["P1", "P2", "P3", "P4"]
    assert (await house.get("/v1/self", warden))["branch"]["members"] == 4
    listed = (await house.get("/v1/presence?now=true", warden))["items"]
    assert [(p["ref"], p["area"]["code"], p["said_by"]) for p in listed] == [("P4", "GIG", "Desk")]
    one = f"/v1/presence/{made.json()['id']}"
    assert (await house.call("DELETE", one, desk)).status_code == 204
    assert await branch() == ["P1", "P2", "P3"]
    assert (await house.call("DELETE", one, desk)).status_code == 404
    assert await house.sql("SELECT count(*) FROM audit WHERE action LIKE 'presence.%'") == 2


async def test_a_warden_attaches_a_visitor_to_her_own_zone_only(house: House) -> None:
    desk = await house.operator()
    warden = (await house.device(desk, "P1"))["token"]
    before, after = await now(house)
    window = {"from": before, "until": after}
    assert (await say(house, warden, area="WES", ref="P2", **window)).status_code == 422
    assert (await say(house, warden, area="KE", **window)).status_code == 422
    assert (await say(house, warden, kind="travel", **window)).status_code == 403
    assert (await say(house, warden, ref="P9", **window)).status_code == 422
    long = await say(house, warden, **{"from": before, "until": "2027-12-31"})
    assert long.json()["errors"][0]["path"] == "until"
    made = await say(house, warden, **window)
    assert made.status_code == 201, made.text
    others = (await house.device(desk, "P5"))["token"]
    one = f"/v1/presence/{made.json()['id']}"
    assert (await house.call("DELETE", one, others)).status_code == 404
    assert (await house.call("DELETE", one, warden)).status_code == 204
    colleague = (await house.device(desk, "P2"))["token"]
    assert (await say(house, colleague, **window)).status_code == 403


async def test_a_warden_makes_nobody_her_own_by_calling_her_a_visitor(house: House) -> None:
    desk = await house.operator()
    warden = (await house.device(desk, "P1"))["token"]
    before, after = await now(house)
    made = await say(house, warden, **{"from": before, "until": after})
    assert made.status_code == 201
    wish = {"json": {"person_ref": "P4"}}
    assert (await house.call("GET", "/v1/people/P4", warden)).status_code == 200
    assert (await house.call("POST", "/v1/enrolments", warden, **wish)).status_code == 403
    assert (await house.call("POST", "/v1/enrolments", desk, **wish)).status_code == 201
    own = {"json": {"person_ref": "P2"}}
    assert (await house.call("POST", "/v1/enrolments", warden, **own)).status_code == 201


async def test_a_repeat_is_safe_and_a_clash_is_told(house: House) -> None:
    desk = await house.operator()
    body = visit()
    for status in (201, 200):
        answer = await house.call("POST", "/v1/presence", desk, json=body)
        assert answer.status_code == status, answer.text
    other = await house.call("POST", "/v1/presence", desk, json={**body, "note": "x"})
    assert other.json()["code"] == "id_reused"
    twin = await house.call("POST", "/v1/presence", desk, json=visit())
    assert twin.json()["code"] == "conflict"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"area": None}, "area"),
        ({"kind": "leave"}, "area"),
        ({"area": "MOON"}, "area"),
        ({"ref": "P9"}, "ref"),
        ({"until": "2026-10-31"}, "until"),
        ({"until": "soon"}, "until"),
        ({"from": "1926-11-01"}, "from"),
        ({"kind": "holiday"}, "kind"),
    ],
)
async def test_what_cannot_be_is_refused(house: House, wrong: dict[str, Any], field: str) -> None:
    answer = await say(house, await house.operator(), **wrong)
    assert answer.status_code == 422, answer.text
    assert [e["path"] for e in answer.json()["errors"]] == [field]


async def test_an_operator_of_an_area_speaks_of_her_people_and_her_visitors(house: House) -> None:
    gigiri = await house.operator(area="GIG")
    leave: dict[str, Any] = {"kind": "leave", "area": None, "from": "2026-11-01"}
    assert (await say(house, gigiri)).status_code == 201
    assert (await say(house, gigiri, **leave)).status_code == 422
    assert (await say(house, gigiri, **leave, ref="P1")).status_code == 201
    assert (await say(house, gigiri, area="WES", ref="P1")).status_code == 422
    west = await house.operator(area="WES")
    refs = [p["ref"] for p in (await house.get("/v1/presence", west))["items"]]
    assert refs == ["P4"]  # of her own, wherever they go


async def test_pages_of_presences_join(house: House) -> None:
    desk = await house.operator()
    for day in ("02", "03", "04"):
        assert (await say(house, desk, **{"from": f"2026-11-{day}"})).status_code == 201
    whole = (await house.get("/v1/presence", desk))["items"]
    pages, at = [], "/v1/presence?limit=1"
    while at:
        page = await house.get(at, desk)
        pages += page["items"]
        at = page["next"]
    assert pages == whole
    assert len(whole) == 3


@pytest.mark.parametrize("seed", range(5))
async def test_the_size_of_a_branch_counts_its_visitors(house: House, seed: int) -> None:
    """However visits overlap: the phone's own figure is the number of people it may see."""
    chance, desk = random.Random(seed), await house.operator()
    phones = [(await house.device(desk, ref))["token"] for ref in ("P1", "P5")]
    moment = datetime.now(UTC)
    for _ in range(12):
        kind = chance.choice(["leave", "travel", "visit"])
        area = {"leave": None, "travel": chance.choice([None, "GIG"])}.get(kind, "WES")
        if kind == "visit":
            area = chance.choice(["GIG", "WES", "NBO"])
        begins = moment + timedelta(minutes=chance.randrange(-9, 3) * 10)
        ends = begins + timedelta(minutes=chance.randrange(1, 20) * 10)
        window = {"from": begins.isoformat(), "until": ends.isoformat()}
        await say(
            house, desk, kind=kind, area=area, ref=chance.choice(["P1", "P3", "P4"]), **window
        )
    for phone in phones:
        size = (await house.get("/v1/self", phone))["branch"]["members"]
        assert size == len((await house.get("/v1/people", phone))["items"])


async def test_the_demo_station_is_taken_with_who_is_away(empty: House, tmp_path: Path) -> None:
    station.write_csv(tmp_path, 120, seed=1, today=datetime.now(UTC).date())
    report = await run(empty, tmp_path)
    assert report.written, report.refused
    added = {f.file: f.added for f in report.files}["presence.csv"]
    now_away = (await empty.get("/v1/presence?now=true", await empty.operator()))["items"]
    assert len(now_away) == added > 4
