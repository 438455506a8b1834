"""The board: parity that never shows an unknown as a known, scopes, groupings."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from server import db
from server.auth import Scope
from server.checkin import actions, board
from server.checkin.messages import Headcount
from server.checkin.rules import Report
from server.errors import NotFound
from server.people.headcount import Gap, Side, gap
from tests.support.seed import Station, station

EVERYTHING = Scope()


@pytest.fixture
async def place(database: str) -> AsyncIterator[Station]:
    own = db.Database(database, 6)
    await own.open()
    yield await station(own, people=50)
    await own.close()


async def answer(place: Station, *people: int) -> None:
    now = datetime.now(UTC)
    reports = [
        Report(uuid4(), place.people[n], f"P{n + 1}", "safe", now, now, None, None, None, None,
               "self", "device:test", b"")
        for n in people
    ]  # fmt: skip
    await actions.record_batch(place.database, place.operation_id, reports)


def people_of(place: Station, category: str) -> list[int]:
    order = ("national", "local", "international", "contractor", "volunteer")
    return [n for n in range(50) if order[(n + 1) % 5] == category]


async def show(place: Station, alert_id: object, scope: Scope = EVERYTHING) -> Headcount:
    return await board.headcount(place.database, place.operation_id, alert_id, scope)  # type: ignore[arg-type]


async def test_while_more_than_half_are_silent_the_median_is_unknown(place: Station) -> None:
    alert_id = await place.open_rollcall()
    international = people_of(place, "international")
    await answer(place, *international[:4])
    shown = (await show(place, alert_id)).parity
    assert shown.international is not None
    assert shown.local is not None
    assert (shown.international.answered, shown.international.median_s) == (4, None)
    assert (shown.local.answered, shown.local.median_s) == (0, None)
    await answer(place, *international[4:6])
    shown = (await show(place, alert_id)).parity
    assert shown.international is not None
    assert shown.international.median_s is not None
    assert shown.gap == Gap(share=-0.6, median_s=None)


async def test_a_side_without_people_is_null_never_zero(place: Station) -> None:
    async with place.database.transaction(place.operation_id) as con:
        await con.execute("UPDATE person SET category = 'local' WHERE category = 'international'")
    alert_id = await place.open_rollcall()
    shown = (await show(place, alert_id)).parity
    assert shown.international is None
    assert shown.gap is None


def test_the_gap_is_local_less_international() -> None:
    local, international = Side(10, 5, 0.5, 90.0), Side(4, 3, 0.75, 60.0)
    assert gap(local, international) == Gap(share=-0.25, median_s=30.0)


async def test_every_grouping_sums_to_the_population(place: Station) -> None:
    alert_id = await place.open_rollcall()
    await answer(place, 1, 2, 3)
    shown = await show(place, alert_id)
    assert shown.population == 50
    for lines in (shown.by.area, shown.by.agency, shown.by.category):
        assert sum(line.population for line in lines) == 50
        assert sum(line.counts.safe for line in lines) == 3
    assert sum(c.count for c in shown.cells) == 50


async def test_an_area_scope_counts_only_its_area(place: Station) -> None:
    alert_id = await place.open_rollcall()
    rows = await place.database.fetch(place.operation_id, "SELECT area_id FROM area ORDER BY 1")
    shown = await show(place, alert_id, Scope(areas=(rows[0][0],)))
    assert [line.key for line in shown.by.area] == ["A1"]
    assert shown.population == shown.by.area[0].population < 50
    with pytest.raises(NotFound):
        await show(place, alert_id, Scope(areas=()))


async def test_a_warden_counts_her_branch_and_nobody_else(place: Station) -> None:
    alert_id = await place.open_rollcall()
    branch = frozenset(place.people[:7])
    await answer(place, 0, 1, 20)
    shown = await show(place, alert_id, Scope(nodes=(1,), people=branch))
    assert (shown.population, shown.counts.safe) == (7, 2)


async def test_a_board_of_another_operation_is_not_there(place: Station) -> None:
    other = await station(place.database, people=5, code="OTHER")
    alert_id = await other.open_rollcall()
    with pytest.raises(NotFound):
        await show(place, alert_id)
