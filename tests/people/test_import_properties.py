"""Whatever is in the files: nothing raises, nothing is written by half, nothing twice."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from server.people.roster.tables import COLUMNS
from server.people.store import SQL
from tests.people import roster
from tests.people.house import House
from tests.people.roster import run
from tests.people.test_import import EVERYTHING

RUNS = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
Rows = list[list[str]]
CATEGORIES = ["international", "national", "local", "contractor", "volunteer"]
NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"]
    ),
    min_size=1,
    max_size=12,
).map(lambda text: text.replace("#", "x").replace("\ufffd", "x"))


@st.composite
def presence(draw: st.DrawFn, refs: list[str], areas: list[str], n: int) -> list[str]:
    """A row of presence.csv, none beginning when another does."""
    kind = draw(st.sampled_from(["leave", "travel", "visit"]))
    area = {"leave": "", "visit": areas[0]}.get(kind, draw(st.sampled_from(["", *areas])))
    begins = draw(st.sampled_from([f"2026-11-0{n + 1}", f"2026-11-0{n + 1}T08:00:00+01:00"]))
    ends = draw(st.sampled_from(["2026-11-20", "2027-03-28T02:30"]))
    return [draw(st.sampled_from(refs)), kind, area, begins, ends, draw(st.just("") | NAMES)]


@st.composite
def good_rosters(draw: st.DrawFn) -> dict[str, Rows]:
    """A forest of areas, people with families in them, and a tree over them."""
    areas = [[f"A{n}", draw(NAMES), f"A{draw(st.integers(0, n - 1))}" if n and draw(st.booleans())
              else "", "zone", *draw(st.sampled_from([["", ""], ["-1.5", "36"]])), ""]
             for n in range(draw(st.integers(1, 4)))]  # fmt: skip
    people: Rows = []
    for n in range(draw(st.integers(0, 6))):
        area = draw(st.sampled_from(areas))[0]
        phone = f"071200{n:04d}" if draw(st.booleans()) else ""
        agency = draw(st.sampled_from(["Health", "Food"]))
        people.append([f"P{n}", draw(NAMES), draw(st.sampled_from(CATEGORIES)), agency, area,
                       phone, "", "", draw(st.sampled_from(["", "en", "ar"])), ""])  # fmt: skip
        people += [[f"P{n}F{m}", draw(NAMES), "family", "", "", phone, "", "", "", f"P{n}"]
                   for m in range(draw(st.integers(0, 2)))]  # fmt: skip
    refs = [p[0] for p in people]
    some = st.lists(st.sampled_from(refs), unique=True, max_size=3) if refs else st.just([])
    tree = [[f"N{n}", f"N{draw(st.integers(0, n - 1))}" if n else "", draw(NAMES), areas[0][0], "",
             ";".join(draw(some)), ";".join(draw(some))]
            for n in range(draw(st.integers(0, 3)))]  # fmt: skip
    for node in tree if refs else []:
        node[4] = draw(st.sampled_from(["", *sorted(set(refs) - set(node[5].split(";")))]))
    away = [draw(presence(refs, [a[0] for a in areas], n)) for n in range(3 if refs else 0)]
    return {"areas": areas, "people": people, "tree": draw(st.permutations(tree)), "presence": away}


GARBAGE = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "P0", "P1", "A0", "A1", "N0", "family", "national", "zone", "91", "1e308", "nan",
         "\x00", "P0;P1", "2.5E+11", "#REF!", "0712000001", "x" * 300, '"', ",", "\n", "\u202e",
         "A0;", "leave", "visit", "2026-11-02", "2026-02-30", "2027-03-28T02:30:00Z"]
    ),
)  # fmt: skip


@st.composite
def spoilt_rosters(draw: st.DrawFn) -> dict[str, Rows]:
    """A good roster with some cells replaced and some rows repeated."""
    tables = draw(good_rosters())
    for kind, rows in tables.items():
        spoilt: Rows = [list(row) for row in rows]
        for row in spoilt:
            if draw(st.booleans()):
                row[draw(st.integers(0, len(row) - 1))] = draw(GARBAGE)
        if spoilt and draw(st.booleans()):
            spoilt.append(draw(st.sampled_from(spoilt)))
        if draw(st.booleans()):
            width = len(COLUMNS[kind])
            spoilt.append(draw(st.lists(GARBAGE, min_size=0, max_size=width + 1)))
        tables[kind] = spoilt
    return tables


def written(tables: dict[str, Rows]) -> Path:
    folder = Path(tempfile.mkdtemp())
    for kind, rows in tables.items():
        roster.write_rows(folder, kind, rows)
    return folder


@RUNS
@given(tables=good_rosters())
async def test_a_good_roster_twice_changes_nothing(empty: House, tables: dict[str, Rows]) -> None:
    house = await empty.other()
    folder = written(tables)
    first = await run(house, folder)
    assert first.refused == []
    before = await house.sql(EVERYTHING)
    again = await run(house, folder)
    assert [(f.added, f.updated, f.unchanged) for f in again.files] == [
        (0, 0, f.rows) for f in first.files
    ]
    assert await house.sql(EVERYTHING) == before


@RUNS
@given(first=good_rosters(), then=spoilt_rosters())
async def test_garbage_is_refused_whole_or_left_out(
    empty: House, first: dict[str, Rows], then: dict[str, Rows]
) -> None:
    house = await empty.other()
    await run(house, written(first))
    before = await house.sql(EVERYTHING)
    folder = written(then)
    strict = await run(house, folder)
    if not strict.written:
        assert strict.refused
        assert await house.sql(EVERYTHING) == before
    partial = await run(house, folder, accept_partial=True)
    event(f"whole {strict.written}, part {partial.written}")
    if not partial.written:
        assert await house.sql(EVERYTHING) == before
        return
    assert bool(strict.refused) == bool(partial.refused)
    for f in partial.files:
        assert f.added + f.updated + f.unchanged + f.refused == f.rows, f
    after = await house.sql(EVERYTHING)
    again = await run(house, folder, accept_partial=True)
    assert [(f.added, f.updated) for f in again.files] == [(0, 0) for f in again.files]
    assert await house.sql(EVERYTHING) == after
    await check_invariants(house)


async def check_invariants(house: House) -> None:
    """No circle, no family of family, no number of two households; branches have one size."""
    for person_id in await house.sql("SELECT array_agg(person_id) FROM person") or []:
        size = await house.sql(SQL.branch_size, person_id)
        assert size == await house.sql(
            "SELECT count(*) FROM people_of_nodes(ARRAY(SELECT nodes_of_warden($1)))", person_id
        )  # fmt: skip
    assert await house.sql(
        "SELECT count(*) FROM area WHERE area_id NOT IN (SELECT area_and_below(NULL))"
    ) == 0  # fmt: skip
    assert await house.sql(
        "SELECT count(*) FROM person f JOIN person s ON s.person_id = f.sponsor_id "
        "WHERE s.category = 'family'"
    ) == 0  # fmt: skip
    assert await house.sql(
        "SELECT count(*) FROM (SELECT FROM contact_point JOIN person USING (person_id) "
        "GROUP BY phone HAVING count(DISTINCT coalesce(sponsor_id, person_id)) > 1) shared"
    ) == 0  # fmt: skip
