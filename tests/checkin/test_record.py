"""A batch on real PostgreSQL: exact counts, repeats, bad neighbours, late arrivals."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from server import db, stream
from server.checkin import actions, rules
from server.checkin.rules import Report
from server.errors import BadInput, Clash, NotFound
from tests.support.seed import Station, station


@pytest.fixture
async def place(database: str) -> AsyncIterator[Station]:
    own = db.Database(database, 12)
    await own.open()
    yield await station(own, people=60)
    await own.close()


def say(place: Station, n: int, status: str = "safe", /, **changes: Any) -> Report:
    now = datetime.now(UTC)
    person = place.people[n]
    fields: dict[str, Any] = {
        "checkin_id": uuid4(), "person_id": person, "person_ref": f"P{n + 1}", "status": status,
        "at": now, "sent_at": now, "alert_id": None, "place": None, "note": None,
        "battery": None, "reporter": "self", "actor": "device:test",
    }  # fmt: skip
    fields.update(changes)
    said = (f"P{n + 1}", status, fields["at"], fields["alert_id"], fields["place"], fields["note"])
    return Report(**fields, body_hash=rules.body_hash(*said))


async def record(place: Station, *reports: Report) -> list[Any]:
    recorder = actions.collector(place.database, lambda _: None)
    return await recorder.in_halves(place.operation_id, reports)


async def counts(place: Station, alert_id: UUID) -> dict[str, int]:
    kept, fresh = await place.cells(alert_id)
    assert kept == fresh
    totals: dict[str, int] = {}
    for *_, status, number in kept:
        totals[status] = totals.get(status, 0) + number
    return totals


async def test_an_answer_moves_its_person_to_another_cell(place: Station) -> None:
    alert_id = await place.open_rollcall()
    await record(place, say(place, 0), say(place, 1, "need_help"), say(place, 2, "away"))
    assert await counts(place, alert_id) == {
        "safe": 1, "need_help": 1, "away": 1, "unaccounted": 57,
    }  # fmt: skip


async def test_the_same_report_again_is_answered_with_the_first_answer(place: Station) -> None:
    alert_id = await place.open_rollcall()
    said = say(place, 0)
    [(first, made)] = await record(place, said)
    [(again, made_again)] = await record(place, said)
    assert (made, made_again) == (True, False)
    assert first == again
    assert (await counts(place, alert_id))["safe"] == 1


async def test_twice_in_one_batch_is_once_on_record(place: Station) -> None:
    said = say(place, 0)
    outcomes = await record(place, said, said)
    assert [made for _, made in outcomes] == [True, False]


async def test_the_same_id_with_other_words_is_refused(place: Station) -> None:
    said = say(place, 0)
    await record(place, said)
    [clash] = await record(place, say(place, 0, "need_help", checkin_id=said.checkin_id))
    assert isinstance(clash, Clash)


async def test_what_is_on_record_answers_before_any_refusal(place: Station) -> None:
    said = say(place, 0)
    [(first, _)] = await record(place, said)
    other = say(place, 0, checkin_id=said.checkin_id, alert_id=uuid4())
    clash, (again, made) = await record(place, other, said)
    assert isinstance(clash, Clash)
    assert (again, made) == (first, False)


async def test_a_bad_row_never_fails_its_neighbours(place: Station) -> None:
    alert_id = await place.open_rollcall()
    poison = [
        say(place, 3, note="nul \x00 byte"),
        say(place, 4, battery=70_000),
        say(place, 5, status="dancing"),
    ]
    unknown = say(place, 6, alert_id=uuid4())
    outcomes = await record(
        place, say(place, 0), poison[0], say(place, 1), poison[1], unknown, poison[2], say(place, 2)
    )
    good = [o for o in outcomes if isinstance(o, tuple)]
    assert [r.person for r, _ in good] == ["P1", "P2", "P3"]
    assert [type(o) for o in outcomes if not isinstance(o, tuple)] == [
        BadInput, BadInput, NotFound, BadInput,
    ]  # fmt: skip
    assert (await counts(place, alert_id))["safe"] == 3


async def test_a_trouble_of_the_server_is_never_called_a_fault_of_the_report(
    place: Station,
) -> None:
    """A phone gives up what is refused as bad; the server's own trouble it must outlive."""
    alert_id = await place.open_rollcall()
    con = await asyncpg.connect(place.database.dsn)
    own = [say(place, 0, "need_help"), say(place, 1)]
    for trouble, mended in [
        ("ALTER FUNCTION answer_wins RENAME TO gone", "ALTER FUNCTION gone RENAME TO answer_wins"),
        ("UPDATE cell SET count = 0", None),
    ]:
        await con.execute(trouble)
        outcomes = await record(place, *own)
        assert {(o.status, o.retryable) for o in outcomes} == {(500, True)}
        if mended:
            await con.execute(mended)
    await con.close()
    assert await place.database.fetch(place.operation_id, "SELECT FROM checkin") == []
    assert alert_id


async def test_a_late_safe_never_hides_a_newer_need_for_help(place: Station) -> None:
    alert_id = await place.open_rollcall()
    asked = datetime.now(UTC)
    await asyncio.sleep(0.05)
    await record(place, say(place, 0, "need_help"))
    await record(place, say(place, 0, "safe", at=asked, sent_at=datetime.now(UTC)))
    assert (await counts(place, alert_id))["need_help"] == 1


async def test_what_was_said_before_the_opening_does_not_count(place: Station) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    alert_id = await place.open_rollcall()
    await record(place, say(place, 0, at=hour_ago))
    assert (await counts(place, alert_id))["unaccounted"] == 60


async def test_an_exercise_and_an_actual_roll_call_never_mix(place: Station) -> None:
    actual = await place.open_rollcall()
    drill = await place.open_rollcall(exercise=True)
    await record(place, say(place, 0, alert_id=drill), say(place, 1), say(place, 2, "need_help"))
    assert await counts(place, drill) == {"safe": 1, "unaccounted": 59}
    assert await counts(place, actual) == {"safe": 1, "need_help": 1, "unaccounted": 58}


async def test_a_late_answer_still_counts_and_is_marked(place: Station) -> None:
    alert_id = await place.open_rollcall()
    async with place.database.transaction(place.operation_id) as con:
        await con.execute("UPDATE alert SET state = 'closed', closed_at = clock_timestamp()")
    await record(place, say(place, 0, alert_id=alert_id))
    assert (await counts(place, alert_id))["safe"] == 1
    rows = await place.database.fetch(place.operation_id, "SELECT late FROM alert")
    assert rows[0]["late"] == 1


async def test_an_exercise_leaves_no_position(place: Station) -> None:
    drill = await place.open_rollcall(exercise=True)
    here = rules.Place(1.5, 30.5, 8.0)
    await record(place, say(place, 0, alert_id=drill, place=here), say(place, 1, place=here))
    rows = await place.database.fetch(place.operation_id, "SELECT person_id FROM position")
    assert [r[0] for r in rows] == [place.people[1]]


async def test_any_order_of_arrival_ends_alike(place: Station) -> None:
    """Six reports of one person, in twelve orders and batch cuts: one result."""
    start = datetime.now(UTC)
    results = set()
    for seed in range(12):
        alert_id = await place.open_rollcall(exercise=True)
        rng = random.Random(seed)
        await asyncio.sleep(0.02)
        base = datetime.now(UTC)
        reports = [
            say(place, 0, ("safe", "away", "need_help")[n % 3], alert_id=alert_id,
                at=base + timedelta(microseconds=n // 2), sent_at=None, checkin_id=uuid4())
            for n in range(6)
        ]  # fmt: skip
        rng.shuffle(reports)
        await asyncio.sleep(0.01)
        cut = rng.randrange(7)
        for part in (reports[:cut], reports[cut:]):
            if part:
                await record(place, *part)
        results.add(tuple(sorted((await counts(place, alert_id)).items())))
        await place.database.fetch(
            place.operation_id, "UPDATE alert SET state = 'cancelled' RETURNING 1"
        )
    assert results == {(("need_help", 1), ("unaccounted", 59))}
    assert datetime.now(UTC) > start


class Broken(Exception):
    """Ends a transaction from within, as a crash would."""


async def _writer(place: Station, alerts: list[UUID], seed: int, rounds: int) -> None:
    rng = random.Random(seed)
    for _ in range(rounds):
        reports = [
            say(place, rng.randrange(60), rng.choice(rules.STATUSES),
                alert_id=rng.choice([None, *alerts]),
                at=datetime.now(UTC) - timedelta(milliseconds=rng.randrange(50)))
            for _ in range(rng.randrange(1, 12))
        ]  # fmt: skip
        try:
            await actions.record_batch(place.database, place.operation_id, reports)
        except Broken:
            continue


def unsteady(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Some transactions hold their locks for a while, some die just before their commit."""
    append, rng = stream.append, random.Random(seed)

    async def held(con: Any, drafts: Any) -> int:
        if rng.random() < 0.2:
            await asyncio.sleep(rng.random() * 0.02)
        seq = await append(con, drafts)
        if rng.random() < 0.15:
            raise Broken
        return seq

    monkeypatch.setattr(stream, "append", held)


async def test_cells_equal_a_fresh_count_under_32_writers(
    place: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = [await place.open_rollcall(), await place.open_rollcall()]
    unsteady(monkeypatch, seed=1)
    writers = [_writer(place, alerts, seed, rounds=12) for seed in range(32)]
    watching = asyncio.create_task(_watch_cells(place, alerts))
    await asyncio.gather(*writers)
    assert not watching.done()  # it would have ended by its own assertion
    watching.cancel()
    for alert_id in alerts:
        kept, fresh = await place.cells(alert_id)
        assert kept == fresh
        assert sum(c[4] for c in kept) == 60
    rows = await place.database.fetch(
        place.operation_id, "SELECT count(*) AS n, max(seq) AS last FROM event"
    )
    assert rows[0]["n"] == rows[0]["last"]


async def _watch_cells(place: Station, alerts: list[UUID]) -> None:
    while True:
        for alert_id in alerts:
            kept, fresh = await place.cells(alert_id)
            assert kept == fresh
        await asyncio.sleep(0.01)


async def test_without_the_cell_move_the_comparison_fails(
    place: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check above bites: cells not moved in the same transaction are found out."""
    alert_id = await place.open_rollcall()

    async def nothing(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr("server.checkin.store.move_cells", nothing)
    await _writer(place, [alert_id], seed=1, rounds=5)
    kept, fresh = await place.cells(alert_id)
    assert kept != fresh
