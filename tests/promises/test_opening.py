"""An answer that arrives while its roll call is being opened is in the count when it opens.

From the moment an operator's request is answered people may know and answer, but freezing a
population of 50,000 takes a while. Whole: a live server, its worker, phones that never stop.
Small: one answer in each gap, and each mechanism taken away.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from server.alerts import opening
from tests.promises import chaos
from tests.promises.crowd import Crowd, Phone, operator, phones
from tests.promises.places import seeded, serving
from tests.promises.record import check_counts, check_reports
from tests.support.http import Site, site
from tests.support.seed import Station

PEOPLE, PHONES, AT_ONCE = 50_000, 6_000, 32
_EVENTS = "SELECT seq, kind, data FROM event ORDER BY seq"
_ALERT = "SELECT counts_from, opened_at FROM alert WHERE alert_id = $1"
_REPORTS = """
    SELECT checkin_id::text, person_id, status, event_at FROM checkin
    WHERE event_at >= (SELECT counts_from FROM alert WHERE alert_id = $1)
"""


def rollcall() -> dict[str, Any]:
    return {
        "id": str(uuid4()), "kind": "rollcall", "audience": {"all": True}, "exercise": False,
        "title": "Are you safe?", "body": "Answer.",
    }  # fmt: skip


@asynccontextmanager
async def answering(crowd: Crowd) -> AsyncIterator[None]:
    """The phones answer one after the other, so many at once."""
    until, turns = asyncio.Event(), cycle(crowd.phones)

    async def answer(turns: Iterator[Phone]) -> None:
        while not until.is_set():
            await crowd.once(crowd.ledger.new(next(turns)))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(answer(turns))
        yield
        until.set()


async def opened(crowd: Crowd, token: str, alert_id: str) -> tuple[dict[str, Any], set[str]]:
    """The first board of the open roll call, and who was acknowledged before it was asked for."""
    path = f"/v1/alerts/{alert_id}"
    state = ""
    async with asyncio.timeout(90):
        while state != "open":
            state = (await crowd.ok("GET", path, token))["state"]
    before = {key for key, said in crowd.ledger.said.items() if said.answer is not None}
    board: dict[str, Any] = await crowd.ok("GET", f"{path}/headcount", token)
    return board, before


async def test_answers_during_the_opening_of_50000_are_counted_when_it_opens(
    database: str,
) -> None:
    async with seeded(database, PEOPLE) as place, serving(database, role="all") as server:
        own, token, body = await phones(place, PHONES), await operator(place), rollcall()
        async with Crowd([server.url], own) as crowd:
            async with answering(crowd):
                await asyncio.sleep(0.5)
                await crowd.ok("POST", "/v1/alerts", token, body)
                board, before = await opened(crowd, token, body["id"])
                await asyncio.sleep(0.5)
            await crowd.settle()
            await check_reports(place, crowd.ledger)
        assert board["population"] == PEOPLE
        reports = await counting(place, body["id"])
        known = {reports[key]["person_id"] for key in before & reports.keys()}
        accounted = PEOPLE - board["counts"]["unaccounted"]
        assert accounted >= len(known), "the open board lacks answers acknowledged before"
        during = await as_it_opened(place, body["id"], reports)
        print(f"{during} answers during the opening, {len(reports)} that count in all")
        assert during > AT_ONCE, "nobody answered while it was opened: nothing was tested"
        await check_counts(place, UUID(body["id"]))


async def counting(place: Station, alert_id: str) -> dict[str, Any]:
    """The reports that count in an alert, by id."""
    rows = await place.database.fetch(place.operation_id, _REPORTS, UUID(alert_id))
    return {r["checkin_id"]: r for r in rows}


async def as_it_opened(place: Station, alert_id: str, reports: dict[str, Any]) -> int:
    """Holds the board of the opening's own commit against the reports committed before it.

    Returns how many people had answered. The opening is the third event of its alert, after
    creation and population; what its commit changed in the headcount is the next event.
    """
    rows = await place.database.fetch(place.operation_id, _EVENTS)
    events = [(r["seq"], r["kind"], json.loads(r["data"])) for r in rows]
    own = [seq for seq, kind, data in events if kind == "alert" and data["alert_id"] == alert_id]
    standing: dict[int, Any] = {}
    cells: dict[tuple[Any, ...], int] = {}
    for seq, kind, data in events:
        if kind == "headcount" and data["alert_id"] == alert_id and seq <= own[2] + 1:
            cells.update({tuple(c[:4]): c[4] for c in data["cells"]})
        if kind == "checkin" and seq < own[2]:
            for report in (reports[i[0]] for i in data["items"] if i[0] in reports):
                standing[report["person_id"]] = max(
                    standing.get(report["person_id"], report), report, key=_order
                )
    board: Counter[str] = Counter()
    for (_, _, _, status), people in cells.items():
        board[status] += people
    assert board.total() == len(place.people)
    assert {s: n for s, n in board.items() if s != "unaccounted" and n} == Counter(
        r["status"] for r in standing.values()
    )
    return len(standing)


def _order(report: Any) -> tuple[Any, ...]:
    return report["event_at"], report["status"] == "need_help", UUID(report["checkin_id"])


# A report that says `wait` stands at the gate after its batch has looked which alerts are open.
GATE = """
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.note = 'wait' THEN PERFORM pg_advisory_xact_lock(991); END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER gate BEFORE INSERT ON checkin FOR EACH ROW EXECUTE FUNCTION gate();
"""


@asynccontextmanager
async def shut(database: str) -> AsyncIterator[None]:
    """Keeps the gate shut."""
    con = await asyncpg.connect(database)
    try:
        await con.execute("SELECT pg_advisory_lock(991)")
        yield
    finally:
        await con.close()


async def open_among_answers(own: Site, database: str) -> None:
    """One answer before the population is there, one begun before and ended after the opening,
    one after; then the board must hold all three."""
    desk, body = await own.operator(), rollcall()
    early, straddling, late = [await own.phone(n) for n in range(3)]
    await chaos.run(database, GATE)
    assert (await desk.call("POST", "/v1/alerts", body)).status_code == 201
    assert (await early.call("POST", "/v1/checkins", said("early"))).status_code == 201
    async with shut(database):
        sending = asyncio.create_task(straddling.call("POST", "/v1/checkins", said("wait")))
        await asyncio.sleep(0.3)
        working = asyncio.create_task(own.work())
        await asyncio.wait([working], timeout=1.5)
    await working
    assert (await sending).status_code == 201
    assert (await late.call("POST", "/v1/checkins", said("late"))).status_code == 201
    counts = await check_counts(own.station, UUID(body["id"]))
    assert counts["safe"] == 3


def said(note: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"id": str(uuid4()), "status": "safe", "at": now, "sent_at": now, "note": note}


async def test_an_answer_in_each_gap_is_counted(database: str) -> None:
    async with site(database) as own:
        await open_among_answers(own, database)


@pytest.mark.parametrize(
    ("mechanism", "instead"),
    [
        ("hold_out_reports", "SELECT"),
        (
            "fold_meanwhile",
            "SELECT 0, 0, '', '', '', 0 FROM alert"
            " WHERE false AND alert_id = $1::uuid AND counts_from = $2::timestamptz",
        ),
    ],
)
async def test_without_either_mechanism_an_answer_is_lost(
    database: str, monkeypatch: pytest.MonkeyPatch, mechanism: str, instead: str
) -> None:
    monkeypatch.setitem(opening.SQL.blocks, mechanism, instead)
    async with site(database) as own:
        with pytest.raises(AssertionError, match="differs from the reports"):
            await open_among_answers(own, database)
