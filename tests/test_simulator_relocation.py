"""The demo's relocation, against a real server: what comes of it hangs on no order of arrival."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.simulator import enrolments, journey, plan, station
from clients.simulator.api import Api
from clients.simulator.checkers import unbase45
from clients.simulator.journey import Mover
from clients.simulator.phone import Phone
from clients.simulator.relocation import Relocation
from server import db
from server.people import importing, operations
from server.relocation.codes.rules import base45
from tests.promises.places import serving

STAFF, SEED, MOST = 30, 7, 44
FASTER = 0.005  # of the time it takes in the demo
LEFT_TO_THE_DESK = {"two_vehicles": 2, "arrived_without_boarding": 1, "two_places": 1}
SETTLED = {"accommodated", "staying", "hibernating"}
Here = tuple[Api, str, dict[str, Phone]]


@asynccontextmanager
async def placed(dsn: str, folder: Path) -> AsyncIterator[Here]:
    """The fictional station behind a whole server; the desk's token, and phones of most."""
    database = db.Database(dsn, 4)
    await database.open()
    await operations.add_operation(dsn, "DEMO", "Demo", "Africa/Nairobi", None)
    station.write_csv(folder, STAFF, SEED)
    report = await importing.run(database, "DEMO", [folder], dry_run=False, accept_partial=False)
    assert report.accepted
    operator = await operations.add_operator(database, "DEMO", "Duty officer", "admin")
    await database.close()
    async with serving(dsn, role="all") as server, Api(server.url, 16) as api:
        staff = [p.ref for p in station.people(STAFF, SEED) if not p.family_of]
        with_app = [ref for n, ref in enumerate(staff) if n % 4]
        codes = await enrolments.codes(server.url, operator.token, with_app)
        phones = {ref: Phone(api, code=code, seed=ref, skew_s=90) for ref, code in codes.items()}
        await asyncio.gather(*(phone.enrol() for phone in phones.values()))
        yield api, operator.token, phones


@pytest.fixture
async def here(database: str, tmp_path: Path) -> AsyncIterator[Here]:
    async with placed(database, tmp_path) as found:
        yield found


def relocation(here: Here, scale: float = 0.0) -> tuple[Relocation, list[str]]:
    """A relocation of some of the station's people, and the staff among them."""
    api, desk, phones = here
    people = list(station.people(STAFF, SEED))
    refs = plan.whom(people, {p.ref for p in people}, MOST)
    wardens = station.wardens(STAFF, SEED)
    return Relocation(api, desk, phones, wardens, seed=SEED, scale=scale), refs


async def test_everybody_is_accounted_for_whatever_order_it_comes_in(here: Here) -> None:
    for scale in (0.0, FASTER):
        own, refs = relocation(here, scale)
        async with asyncio.timeout(300):
            await own.run(refs)
        board = own.board
        assert board is not None
        stages = {stage: n for stage, n in board["counts"].items() if n}
        assert stages == {"accommodated": 38, "staying": 2, "hibernating": 3, "in_question": 1}
        assert board["population"] == MOST
        assert await kinds(own, "open") == LEFT_TO_THE_DESK
        assert (board["conflicts"], board["split_households"]) == (4, 0)
        assert [v["number"] for v in board["vehicles"] if v["missing"]] == [7], "who was misread"
        assert own.counts == {"reports": 123, "refused": 0}
        seen = {name: c.counts for name, c in own.checkers.items()}
        assert sum(c["scanned"] for c in seen.values()) == 154
        assert sum(c["by_name"] for c in seen.values()) == 33
        assert not any(c["refused"] for c in seen.values())
        assert own.hint.startswith("Yours: ")


async def kinds(own: Relocation, state: str) -> Counter[str]:
    """The conflicts in a state, by kind."""
    return Counter(c["kind"] for c in (await own.call("GET", f"/conflicts?state={state}"))["items"])


async def test_a_desk_that_calls_it_off_stops_no_report(here: Here) -> None:
    own, refs = relocation(here, FASTER)
    running = asyncio.create_task(own.run(refs))
    async with asyncio.timeout(300):
        while not own.counts["reports"] and not running.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while (await own.call("GET", ""))["movement"]["state"] != "active":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await own.call("POST", "/cancel")
        await running
    assert own.board is not None
    assert own.board["counts"]["accommodated"] == 38
    assert own.board["late"] > 100
    assert own.counts["refused"] > 0, "the plan of what is called off stays as it is"


async def test_a_checker_takes_no_code_but_a_good_one(here: Here) -> None:
    own, refs = relocation(here)
    await own.prepare(refs)
    api, desk, phones = here
    ref, other = (r for r in refs if r in phones and r != refs[-1]), refs[-1]
    whose = next(iter(ref))
    checker = own.checkers["gate-1"]
    good = (await phones[whose].codes())[whose]
    await checker.fetch()
    assert checker.whose(good) == whose
    forged = good[:60] + ("A" if good[60] != "A" else "B") + good[61:]
    assert [checker.whose(code) for code in (forged, good[:-3], "M:", "", "é")] == [None] * 5
    wish = {"do": "reissue", "counter": 1}
    await api.call("POST", f"/v1/people/{whose}/code", desk, lambda: wish)
    assert checker.whose(good) == whose, "her list is of before"
    await checker.fetch()
    assert checker.whose(good) is None
    checker.see({"for": other}, good)
    assert checker.counts == {"by_name": 1}


@given(st.binary().filter(lambda raw: len(raw) % 2 == 0))
def test_base45_is_read_as_the_server_writes_it(raw: bytes) -> None:
    assert unbase45(base45(raw)) == raw


def test_the_story_of_any_number_of_people_has_an_end_for_each() -> None:
    """Nobody is forgotten: her last word settles her, but for one who was misread."""
    for most in (1, 2, 7, 40, 300):
        people = list(station.people(260, SEED))
        refs = plan.whom(people, {p.ref for p in people}, most)
        homes = [p for p in people if (p.family_of or p.ref) in refs]
        movers = [mover(p, 1 + n * 6 // len(homes)) for n, p in enumerate(homes)]
        roles = journey.cast(movers, spare=6)
        last = {w.ref: w for w in journey.words(movers, roles, SEED)}
        assert last.keys() == {m.ref for m in movers}
        unsettled = {r for r, w in last.items() if w.stage not in SETTLED}
        assert unsettled <= {roles.misread}
        assert all(w.at <= journey.LASTS_S for w in last.values())


def mover(person: station.Person, number: int) -> Mover:
    home = person.family_of or person.ref
    return Mover(person.ref, home, None, None, True, (number, number + 6))
