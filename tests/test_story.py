"""The whole story with real parts: a roster from files, phones, a roll call, its end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from clients.simulator import enrolments, station
from clients.simulator.api import Api
from clients.simulator.fcm import FcmServer
from clients.simulator.phones import Fleet
from server import db
from server.people import importing, operations
from tests.support.live import LiveServer, started

STAFF = 40
PATIENCE_S = 120.0


@dataclass
class Desk:
    """A duty officer with a token, and what surrounds her."""

    api: Api
    token: str
    server: LiveServer
    fcm: FcmServer

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A call in the officer's name; the decoded answer."""
        return await self.api.call(method, path, self.token, None if body is None else lambda: body)

    async def board(self, alert_id: str) -> Any:
        """The headcount now."""
        return await self.ask("GET", f"/v1/alerts/{alert_id}/headcount")

    async def people(self, alert_id: str, **filters: str) -> list[Any]:
        """All people of an alert, through every page."""
        query = "&".join(f"{k}={v}" for k, v in filters.items())
        page = await self.ask("GET", f"/v1/alerts/{alert_id}/people?limit=50&{query}")
        found = page["items"]
        while page["next"]:
            page = await self.ask("GET", page["next"])
            found += page["items"]
        return list(found)


@pytest.fixture
async def desk(database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    own = db.Database(database, 4)
    await own.open()
    await operations.add_operation(database, "NBO", "Nairobi", "Africa/Nairobi", None)
    station.write_csv(tmp_path, STAFF, 3)
    report = await importing.run(own, "NBO", [tmp_path], dry_run=False, accept_partial=False)
    assert report.accepted
    officer = await operations.add_operator(own, "NBO", "Duty officer", "operator")
    await own.close()
    async with FcmServer() as fcm:
        fcm.service_account("muster-sim", tmp_path / "fcm.json")
        server = await started(LiveServer(
            database,
            MUSTER_FCM_CREDENTIALS=str(tmp_path / "fcm.json"),
            MUSTER_FCM_URL=fcm.fcm_url,
        ))  # fmt: skip
        async with Api(server.url, 8) as api:
            yield Desk(api, officer.token, server, fcm)
        await asyncio.to_thread(server.terminate)


async def until(desk: Desk, alert_id: str, true: Any) -> Any:
    """The board, once it is as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            board = await desk.board(alert_id)
            if true(board):
                return board
            await asyncio.sleep(0.2)


def rollcall(**more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()), "kind": "rollcall", "audience": {"all": True},
        "title": "Are you safe?", "body": "Answer for yourself and your family.",
        "exercise": False, **more,
    }  # fmt: skip


async def test_a_roll_call_from_the_roster_to_the_last_late_answer(desk: Desk) -> None:
    everyone = list(station.people(STAFF, 3))
    staff = [p for p in everyone if p.category != "family"]
    with_phone = staff[:-6]
    codes = await enrolments.codes(desk.server.url, desk.token, [p.ref for p in with_phone])
    fleet = Fleet(
        desk.server.url, list(codes.values()), fcm=desk.fcm, seed=5, time_scale=0.002,
        mix={"prompt": 1.0},
    )  # fmt: skip
    living = asyncio.create_task(fleet.run())
    await fleet.ready.wait()
    assert fleet.counts["enrolled"] == len(with_phone)

    wanted = rollcall()
    preview = await desk.ask("POST", "/v1/alerts/preview", wanted)
    assert preview["population"] == len(everyone)
    alert = await desk.ask("POST", "/v1/alerts", wanted)
    alert_id = alert["id"]
    await until(desk, alert_id, lambda b: b["state"] == "open")
    await until(desk, alert_id, lambda _: fleet.counts["answered"] >= len(with_phone))
    await fleet.settle(PATIENCE_S)

    board = await desk.board(alert_id)
    answered = fleet.counts["answered"] + fleet.counts["answered_family"]
    assert board["population"] == len(everyone)
    assert board["counts"]["unaccounted"] == len(everyone) - answered
    for status in ("safe", "need_help", "away"):
        assert board["counts"][status] == fleet.counts[status]
    silent = {p["ref"] for p in await desk.people(alert_id, status="unaccounted")}
    assert {p.ref for p in staff[-6:]} <= silent
    assert not silent & {p.ref for p in with_phone}
    await _the_five_facts_are_told_apart(desk, alert_id, len(with_phone))
    await _a_stranger_is_counted_once(desk, alert_id, staff[-1])
    await _a_late_answer_counts_late(desk, alert_id, staff[-2].ref)
    fleet.stop()
    await living


async def _the_five_facts_are_told_apart(desk: Desk, alert_id: str, phones: int) -> None:
    page = await desk.ask("GET", f"/v1/alerts/{alert_id}/deliveries?limit=200")
    assert len(page["items"]) == phones
    for delivery in page["items"]:
        facts = [delivery[f"{fact}_at"] for fact in ("queued", "accepted", "delivered", "seen")]
        assert all(facts)
        assert facts[0] <= facts[1]
        assert delivery["answered_at"] is not None


async def _a_stranger_is_counted_once(desk: Desk, alert_id: str, found: Any) -> None:
    """A walk-in turns out to be somebody on the roster who had not answered."""
    before = await desk.board(alert_id)
    added = await desk.ask("POST", f"/v1/alerts/{alert_id}/people", {
        "id": str(uuid4()), "kind": "unnamed", "area": found.area, "status": "safe",
    })  # fmt: skip
    with_stranger = await desk.board(alert_id)
    assert with_stranger["population"] == before["population"] + 1
    assert with_stranger["counts"]["safe"] == before["counts"]["safe"] + 1
    await desk.ask("POST", f"/v1/people/{added['ref']}/merge", {"into": found.ref})
    after = await desk.board(alert_id)
    assert after["population"] == before["population"]
    assert after["counts"]["safe"] == before["counts"]["safe"] + 1
    assert after["counts"]["unaccounted"] == before["counts"]["unaccounted"] - 1


async def _a_late_answer_counts_late(desk: Desk, alert_id: str, ref: str) -> None:
    at_close = (await desk.board(alert_id))["counts"]
    await desk.ask("POST", f"/v1/alerts/{alert_id}/close")
    report = {
        "id": str(uuid4()), "status": "away", "at": "2026-11-23T10:00:00Z", "for": ref,
        "alert_id": alert_id,
    }  # fmt: skip
    opened_at = (await desk.ask("GET", f"/v1/alerts/{alert_id}"))["opened_at"]
    await desk.ask("POST", "/v1/checkins", {**report, "at": opened_at})
    board = await desk.board(alert_id)
    assert (board["state"], board["late"]) == ("closed", 1)
    assert board["at_close"] == at_close
    assert board["counts"]["away"] == at_close["away"] + 1
