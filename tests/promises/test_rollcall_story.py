"""A roll call on a bad day, with real parts: roster files and the command line, phones of every
sort of person, a provider, a console that watches, and a power cut in the middle of it all.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from clients.simulator import enrolments, station
from clients.simulator.api import Api
from clients.simulator.fcm import FcmServer
from clients.simulator.phone import Phone, Report
from clients.simulator.phones import Fleet, Owner
from clients.simulator.script import Latency
from tests.promises.console import Console, watching
from tests.promises.crowd import eventually
from tests.support.live import ROOT, LiveServer

STAFF, WITHOUT_PHONE, SEED = 60, 8, 3
SORTS = ("prompt", "prompt", "slow", "offline", "silent", "prompt", "no_push")
PATIENCE_S = 120.0
_LEASES_END = "UPDATE delivery SET attempted_at = now() - interval '1 hour' WHERE state = 'sending'"


class Crew(Fleet):
    """Phones, and what their owners know to have said: status by ref of whom it is about.

    Every sort of person is among them in every run.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        self._sorts = cycle(SORTS)
        super().__init__(*args, **more)
        self.said: dict[str, str] = {}

    def _owner(
        self, seed: int, mix: Mapping[str, float], code: str | None = None, token: str | None = None
    ) -> Owner:
        return super()._owner(seed, {next(self._sorts): 1.0}, code, token)

    async def _upload(self, owner: Owner, reports: list[Report]) -> None:
        await super()._upload(owner, reports)
        self.said.update({r.for_ or str(owner.phone.ref): r.status for r in reports})

    def phone(self, ref: str) -> Phone | None:
        """Somebody's phone, if it has enrolled."""
        return next((o.phone for o in self.owners if o.phone.ref == ref), None)


@dataclass
class Day:
    """The duty officer's desk and everything around it."""

    dsn: str
    api: Api
    token: str
    server: LiveServer
    fcm: FcmServer
    people: list[station.Person] = field(default_factory=lambda: list(station.people(STAFF, SEED)))

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the officer's."""
        return await self.api.call(method, path, self.token, None if body is None else lambda: body)

    async def board(self, alert_id: str) -> Any:
        return await self.ask("GET", f"/v1/alerts/{alert_id}/headcount")

    async def standing(self, alert_id: str, **filters: str) -> dict[str, Any]:
        """The people of an alert by ref, through every page."""
        query = "".join(f"&{k}={v}" for k, v in filters.items())
        page = await self.ask("GET", f"/v1/alerts/{alert_id}/people?limit=40{query}")
        found = page["items"]
        while page["next"]:
            page = await self.ask("GET", page["next"])
            found += page["items"]
        return {p["ref"]: p for p in found}

    async def deliveries(self, alert_id: str) -> list[Any]:
        page = await self.ask("GET", f"/v1/alerts/{alert_id}/deliveries?limit=1000")
        return list(page["items"])


def muster(dsn: str, *words: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "server", *words], cwd=ROOT, check=False, capture_output=True,
        text=True, env={**os.environ, "MUSTER_DATABASE_URL": dsn},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def set_up(dsn: str, folder: Path) -> str:
    """An operation with the station's roster, by the command line; an operator's token."""
    station.write_csv(folder / "roster", STAFF, SEED)
    muster(dsn, "operation", "add", "NBO", "Nairobi", "--timezone", "Africa/Nairobi")
    muster(dsn, "import", "--operation", "NBO", str(folder / "roster"))
    told = muster(dsn, "operator", "add", "Duty", "--operation", "NBO", "--role", "operator")
    return str(json.loads(told.splitlines()[-1])["token"])


@asynccontextmanager
async def day(dsn: str, folder: Path) -> AsyncIterator[Day]:
    token = await asyncio.to_thread(set_up, dsn, folder)
    async with FcmServer() as fcm:
        fcm.service_account("muster-sim", folder / "fcm.json")
        server = LiveServer(
            dsn,
            MUSTER_FCM_CREDENTIALS=str(folder / "fcm.json"),
            MUSTER_FCM_URL=fcm.fcm_url,
            MUSTER_FCM_CONNECTIONS="4",
        )
        await asyncio.to_thread(server.start)
        try:
            async with Api(server.url, 8) as api:
                yield Day(dsn, api, token, server, fcm)
        finally:
            await asyncio.to_thread(server.__exit__, None, None, None)


@asynccontextmanager
async def enrolled(own: Day) -> AsyncIterator[Crew]:
    """All staff but a few have a phone, and are as people are."""
    staff = [p.ref for p in own.people if p.category != "family"][:-WITHOUT_PHONE]
    codes = await enrolments.codes(own.server.url, own.token, staff)
    crew = Crew(
        own.server.url, list(codes.values()), fcm=own.fcm, seed=SEED, time_scale=0.002
    )  # fmt: skip
    living = asyncio.create_task(crew.run())
    await crew.ready.wait()
    assert crew.counts["enrolled"] == len(staff)
    try:
        yield crew
    finally:
        crew.stop()
        await living


async def test_a_roll_call_on_a_bad_day(database: str, tmp_path: Path) -> None:
    async with day(database, tmp_path) as own, enrolled(own) as crew:
        alert_id = await a_roll_call_is_opened(own, crew)
        console = Console([own.server.url], own.token, "the desk's console")
        async with watching(console):
            await the_power_fails_while_it_goes_out(own, crew)
            await everybody_who_can_has_answered(own, crew, alert_id)
            await each_phone_got_it_under_one_id(own, crew, alert_id)
            await the_board_is_what_people_said(own, crew, alert_id)
            await a_warden_answers_for_her_branch(own, crew, alert_id)
            await the_silent_are_reminded_and_nobody_else(own, crew, alert_id)
            await a_stranger_turns_out_to_be_known(own, crew, alert_id)
            await after_the_close_an_answer_is_late(own, crew, alert_id)
            await the_board_is_what_people_said(own, crew, alert_id)
            await console.agrees()
        assert not crew.counts["refused"]
        assert not crew.counts["unreachable"]


async def a_roll_call_is_opened(own: Day, crew: Crew) -> str:
    body = {
        "id": str(uuid4()), "kind": "rollcall", "audience": {"all": True}, "exercise": False,
        "title": "Are you safe?", "body": "Answer for yourself and your family.",
    }  # fmt: skip
    own.fcm.script.latency = Latency(median_ms=100)
    preview = await own.ask("POST", "/v1/alerts/preview", body)
    pushed = sum(owner.phone.push_token is not None for owner in crew.owners)
    assert preview["population"] == len(own.people)
    assert preview["channels"]["push"] == pushed
    await own.ask("POST", "/v1/alerts", body)
    state = ""
    async with asyncio.timeout(PATIENCE_S):
        while state != "open":
            state = (await own.ask("GET", f"/v1/alerts/{body['id']}"))["state"]
    return str(body["id"])


async def the_power_fails_while_it_goes_out(own: Day, crew: Crew) -> None:
    """SIGKILL of the whole server while pushes are under way; what was claimed comes back."""
    await eventually(lambda: own.fcm.stats().requests >= 20, PATIENCE_S)
    await asyncio.to_thread(own.server.kill)
    await asyncio.to_thread(own.server.start)
    own.fcm.script.latency = Latency()
    con = await asyncpg.connect(own.dsn)
    await con.execute(_LEASES_END)
    await con.close()


async def everybody_who_can_has_answered(own: Day, crew: Crew, alert_id: str) -> None:
    """Until no push is on its way and no phone is about to do anything."""
    async with asyncio.timeout(PATIENCE_S):
        states = {"queued"}
        while states & {"queued", "sending"}:
            states = {d["state"] for d in await own.deliveries(alert_id)}
    polling = [o for o in crew.owners if o.phone.push_token is None]
    await eventually(lambda: all(alert_id in o.answering for o in polling), PATIENCE_S)
    await crew.settle(PATIENCE_S)


async def each_phone_got_it_under_one_id(own: Day, crew: Crew, alert_id: str) -> None:
    """Five facts: queued, accepted, delivered, seen, answered, each only where it is so."""
    found = await own.deliveries(alert_id)
    with_push = [o for o in crew.owners if o.phone.push_token is not None]
    assert sorted(d["person"]["ref"] for d in found) == sorted(str(o.phone.ref) for o in with_push)
    assert own.fcm.ledger.accepted.keys() == {d["delivery_id"] for d in found}
    assert {d["state"] for d in found} == {"accepted"}
    answered = {str(o.phone.ref) for o in crew.owners if alert_id in o.answering}
    for d in found:
        assert d["delivered_at"] is not None
        assert (d["seen_at"] is not None) == (d["person"]["ref"] in answered)
        assert (d["answered_at"] is not None) == (d["person"]["ref"] in crew.said)
    print(own.fcm.stats().accepted_twice, "sent twice,", crew.counts["repeated"], "came twice")


async def the_board_is_what_people_said(own: Day, crew: Crew, alert_id: str) -> None:
    """Every status is what its person, family or warden said; the unaccounted are exactly those
    of whom nobody has said anything; every grouping adds up to everybody."""
    everyone, board = await own.standing(alert_id), await own.board(alert_id)
    assert everyone.keys() == {p.ref for p in own.people}
    for ref, person in everyone.items():
        assert person["status"] == crew.said.get(ref, "unaccounted"), person
    counts = Counter(p["status"] for p in everyone.values())
    assert board["counts"] == {s: counts[s] for s in board["counts"]}
    assert board["population"] == len(own.people)
    for groups in board["by"].values():
        assert sum(g["population"] for g in groups) == len(own.people)
        for status, people in board["counts"].items():
            assert sum(g["counts"][status] for g in groups) == people
    assert sum(c["count"] for c in board["cells"]) == len(own.people)


async def a_warden_answers_for_her_branch(own: Day, crew: Crew, alert_id: str) -> None:
    """She sees her branch and no more, and says of one who is silent that he is away."""
    nodes = (await own.ask("GET", "/v1/tree"))["items"]
    path = f"/v1/alerts/{alert_id}/people?limit=1000"
    for warden in filter(None, (crew.phone(node["warden"] or "") for node in nodes)):
        branch = (await own.api.call("GET", path, warden.token))["items"]
        unheard = [p for p in branch if p["status"] == "unaccounted"]
        silent = [p["ref"] for p in unheard if p["category"] != "family" and p["ref"] != warden.ref]
        if silent and len(branch) < len(own.people):
            break
    await warden.answer("away", alert_id=alert_id, for_=silent[0], note="Met him at the gate.")
    crew.said[silent[0]] = "away"
    person = (await own.standing(alert_id, status="away"))[silent[0]]
    assert person["reported_by"]["kind"] == "warden"


async def the_silent_are_reminded_and_nobody_else(own: Day, crew: Crew, alert_id: str) -> None:
    silent = await own.standing(alert_id, status="unaccounted")
    reminded = await own.ask("POST", f"/v1/alerts/{alert_id}/remind")
    assert reminded["reminder"]["silent"] == len(silent)
    again = [d for d in await own.deliveries(alert_id) if d["round"] == 1]
    assert {d["person"]["ref"] for d in again} <= silent.keys()
    assert len(again) == reminded["reminder"]["deliveries"] > 0
    await eventually(
        lambda: own.fcm.ledger.accepted.keys() >= {d["delivery_id"] for d in again}, PATIENCE_S
    )
    await everybody_who_can_has_answered(own, crew, alert_id)


async def a_stranger_turns_out_to_be_known(own: Day, crew: Crew, alert_id: str) -> None:
    """Somebody without papers is counted at once, then found to be on the roster."""
    ref = max(await own.standing(alert_id, status="unaccounted"))
    area = next(p.area for p in own.people if p.ref == ref)
    before = await own.board(alert_id)
    stranger = {"id": str(uuid4()), "kind": "unnamed", "area": area, "status": "need_help"}
    added = await own.ask("POST", f"/v1/alerts/{alert_id}/people", stranger)
    with_stranger = await own.board(alert_id)
    assert with_stranger["population"] == before["population"] + 1
    assert with_stranger["counts"]["need_help"] == before["counts"]["need_help"] + 1
    merged = await own.ask("POST", f"/v1/people/{added['ref']}/merge", {"into": ref})
    assert merged == {"ref": ref, "merged": [added["ref"]]}
    crew.said[ref] = "need_help"
    await the_board_is_what_people_said(own, crew, alert_id)


async def after_the_close_an_answer_is_late(own: Day, crew: Crew, alert_id: str) -> None:
    before = await own.board(alert_id)
    await own.ask("POST", f"/v1/alerts/{alert_id}/close")
    silent = (await own.standing(alert_id, status="unaccounted")).keys()
    ref = next(ref for ref in sorted(silent) if crew.phone(ref) is not None)
    phone = crew.phone(ref)
    assert phone is not None
    await phone.answer("safe", alert_id=alert_id)
    crew.said[ref] = "safe"
    board = await own.board(alert_id)
    assert (board["state"], board["late"], board["at_close"]) == ("closed", 1, before["counts"])
    assert board["counts"]["safe"] == before["counts"]["safe"] + 1
    assert (await own.standing(alert_id, status="safe"))[ref]["late"]
