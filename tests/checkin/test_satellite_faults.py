"""Satellite messengers where things go wrong: repeats, any order, garbage, no database."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.simulator.satellite import Provider, Request, event, fields, inreach, rockblock
from server import jobs, worker
from server.alerts import jobs as alert_jobs
from server.checkin.satellite import actions
from server.checkin.satellite.intake import events_of
from server.checkin.satellite.understanding import handlers
from server.errors import Unavailable
from server.supervise import forever
from server.vault import open_vault
from tests.promises import troubles
from tests.promises.places import own_postgres, seeded, serving
from tests.support.http import settings as own_settings
from tests.support.satellites import (
    ANN,
    BEN,
    HERE,
    PASSWORD,
    STRANGER,
    TOKEN,
    Sky,
    routes,
    sky,
    url,
)

# -- any order, any number of times

# What one device says, by seconds after its SOS: message code, words, longitude.
STORY = {
    -60: (0, "", 30.0),
    0: (4, "", 31.0),
    20: (6, "", 32.0),
    40: (0, "", 33.0),
    60: (7, "", 34.0),
    80: (3, "away", 35.0),
    100: (14, "", 36.0),
}
ORDERS = st.lists(st.sampled_from(sorted(STORY)), max_size=12).flatmap(
    lambda more: st.permutations([*STORY, *more])
)


async def told(s: Sky, n: int, order: list[int], rests: list[bool]) -> dict[str, Any]:
    """What became of a story told in an order, a worker reading now and then."""
    imei, person = f"3004340634{n:05d}", s.people[n]
    await s.give(imei, n)
    begin = datetime.now(UTC) - timedelta(seconds=200)
    for second, rest in zip(order, rests, strict=True):
        code, words, lon = STORY[second]
        at = begin + timedelta(seconds=second)
        one = event(imei, code, at, words, (1.0, lon))
        answer = await s.bring(inreach(url("inreach"), TOKEN, [one, one]))
        assert answer.status_code == 200
        if rest:
            await s.settle()
    await s.settle()
    [panic] = await s.sql("SELECT panic_id, state, presses FROM panic WHERE person_id = $1", person)
    sql = "SELECT lon FROM panic_position WHERE panic_id = $1 ORDER BY event_at"
    trail = [r["lon"] for r in await s.sql(sql, panic["panic_id"])]
    sql = "SELECT count(*) FROM panic_fact WHERE panic_id = $1 AND kind = 'cancelled_on_device'"
    messages = await s.sql("SELECT repeated FROM satellite_message WHERE imei = $1", imei)
    return {
        "panic": (panic["state"], panic["presses"]),
        "trail": trail,
        "taken back": await s.value(sql, panic["panic_id"]),
        "messages": len(messages),
        "repeats": sum(m["repeated"] for m in messages),
        "reports": await s.value("SELECT count(*) FROM checkin WHERE person_id = $1", person),
        "last place": await s.value("SELECT lon FROM position WHERE person_id = $1", person),
    }


async def test_whatever_the_order_and_the_repeats_it_comes_to_the_same(database: str) -> None:
    async with sky(database, people=1000) as s:
        alert_id = await s.here.station.open_rollcall()
        await s.sql("UPDATE alert SET counts_from = counts_from - interval '1 hour'")
        loop, seen = asyncio.get_running_loop(), [0]

        @settings(max_examples=25, deadline=None, database=None, derandomize=True)
        @given(order=ORDERS, data=st.data())
        def run(order: list[int], data: st.DataObject) -> None:
            rests = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
            n, seen[0] = seen[0], seen[0] + 1
            work = asyncio.run_coroutine_threadsafe(told(s, n, order, rests), loop)
            assert work.result(60) == {
                "panic": ("open", 2),
                "trail": [31.0, 32.0, 33.0, 34.0, 35.0, 36.0],
                "taken back": 1,
                "messages": len(STORY),
                "repeats": len(order) - len(STORY),
                "reports": 2,
                "last place": 36.0,
            }

        await asyncio.to_thread(run)
        assert await s.status(alert_id, 0) == "need_help"
        panic_id = await s.value("SELECT panic_id FROM panic WHERE person_id = $1", s.people[0])
        ended = await s.desk.call("POST", f"/v1/panics/{panic_id}/resolve", {"outcome": "helped"})
        assert ended.status_code == 200
        assert await s.status(alert_id, 0) == "safe", "her last word stands again"
        kept, fresh = await s.here.station.cells(alert_id)
        assert kept == fresh


async def test_a_rockblocks_number_is_once_and_begins_anew(database: str) -> None:
    async with sky(database) as s:
        await s.give(BEN, 1, "rockblock")
        for data, seconds in ((b"SAFE", 0), (b"SAFE", 60), (b"SOS", 120)):
            await s.ground(BEN, data, ago_s=seconds, momsn=65535)
        count = "SELECT count(*) FROM satellite_message"
        assert await s.value(count) == 2, "the same number with other bytes is another message"
        await s.sql("UPDATE satellite_message SET received_at = received_at - interval '40 days'")
        await s.ground(BEN, b"SAFE", momsn=65535)
        assert await s.value(count) == 3, "a year later it is the same number again"


async def test_an_sos_waits_for_no_work_that_takes_long(database: str) -> None:
    """As many openings are under way as there are runners."""
    async with sky(database) as s:
        await s.give(ANN, 0)
        begun, over = asyncio.Semaphore(0), asyncio.Event()

        async def opening(_: jobs.Job) -> None:
            begun.release()
            await over.wait()

        db = s.here.api.db
        of_all = {**alert_jobs.handlers(db, ("+254",)), **handlers(db, open_vault(own_settings()))}
        turns = worker.claiming(db, {**of_all, "slow": opening})
        async with db.transaction(s.operation_id) as con:
            for n in range(worker.RUNNERS):
                await jobs.enqueue(con, s.operation_id, "slow", str(n))
        tasks = [asyncio.create_task(forever(name, turn, 0.05)) for name, turn in turns]
        try:
            async with asyncio.timeout(60):
                for _ in range(worker.RUNNERS):
                    await begun.acquire()
                now = datetime.now(UTC)
                answer = await s.bring(inreach(url("inreach"), TOKEN, [event(ANN, 4, now)]))
                assert answer.status_code == 200
                while not await s.panics():  # noqa: ASYNC110 - a row, of another connection
                    await asyncio.sleep(0.05)
        finally:
            over.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_messages_that_can_wait_are_read_a_batch_a_turn(database: str) -> None:
    """What comes meanwhile and cannot wait is claimed before the next."""
    async with sky(database) as s:
        now = datetime.now(UTC)
        many = [event(BEN, 0, now - timedelta(seconds=n)) for n in range(150)]
        await s.bring(inreach(url("inreach"), TOKEN, many))
        assert await s.runner.turn()
        waiting = "SELECT count(*) FROM satellite_message WHERE state = 'received'"
        assert await s.value(waiting) == 50
        await s.settle()
        assert await s.value(waiting) == 0
        assert await s.value("SELECT count(*) FROM job WHERE kind = 'satellite.read'") == 0


UNSET = datetime(1970, 1, 1, tzinfo=UTC)  # a clock that was never set


@pytest.mark.parametrize("way", ["inreach", "rockblock", "raw"])
async def test_an_sos_without_a_time_is_not_taken_for_one_of_last_week(
    database: str, way: str
) -> None:
    """Word for word the same: a repeat within the hour, a call for help of its own after that."""
    said = {"imei": ANN, "data": b"SOS".hex()}
    requests = {
        "inreach": inreach(url("inreach"), TOKEN, [event(ANN, 4, UNSET)]),
        "rockblock": rockblock(url("rockblock"), PASSWORD, said),
        "raw": {**inreach(url("inreach"), TOKEN, []), "content": b"SOS"},
    }
    async with sky(database) as s:
        await s.give(ANN, 0)
        for _ in range(2):
            await s.taken(requests[way])
        assert await s.value("SELECT count(*) FROM satellite_message") == 1
        await s.sql("UPDATE satellite_message SET received_at = received_at - interval '2 hours'")
        await s.taken(requests[way])
        assert await s.value("SELECT count(*) FROM satellite_message") == 2
        presses = await s.value("SELECT sum(presses) FROM panic")
        calls = await s.value("SELECT sum(repeated + 1) FROM help_call")
        assert (presses, calls) == ((None, 2) if way == "raw" else (2, None))


async def test_two_requests_at_once_make_one_message(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        request = inreach(url("inreach"), TOKEN, [event(ANN, 4, datetime.now(UTC), "", HERE)])
        answers = await asyncio.gather(*(s.bring(request) for _ in range(8)))
        assert {a.status_code for a in answers} <= {200, 503}
        await s.settle()
        [panic] = await s.panics()
        assert panic["presses"] == 1


async def test_a_message_that_fails_is_tried_again_and_holds_up_no_other(database: str) -> None:
    """A fault of one device's rows alone, made by test SQL and taken away again."""
    async with sky(database) as s:
        alert_id = await s.here.station.open_rollcall()
        for n, imei in enumerate((ANN, BEN)):
            await s.give(imei, n)
        now = datetime.now(UTC)
        said = [event(imei, 3, now, "safe") for imei in (ANN, BEN)]
        await s.bring(inreach(url("inreach"), TOKEN, said))
        await as_superuser(database, _FAULT)
        await s.settle()
        assert [await s.status(alert_id, n) for n in (0, 1)] == ["safe", "safe"]
        waiting = {m["sender"]: m["detail"] for m in await s.inbound("?state=received")}
        assert list(waiting) == [f"IMEI {ANN}"]
        assert waiting[f"IMEI {ANN}"].startswith("again: ")
        await as_superuser(database, "DROP TRIGGER fault ON satellite_message")
        await s.sql("UPDATE job SET due_at = clock_timestamp()")
        await s.settle()
        assert {m["state"] for m in await s.inbound()} == {"counted"}
        assert await s.value("SELECT count(*) FROM checkin") == 2, "recorded once"


_FAULT = f"""
    CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF new.imei = '{ANN}' AND new.state <> 'received' THEN RAISE EXCEPTION 'fault'; END IF;
      RETURN new;
    END $$;
    CREATE TRIGGER fault BEFORE UPDATE ON satellite_message
    FOR EACH ROW EXECUTE FUNCTION fault()
"""


async def as_superuser(dsn: str, sql: str) -> None:
    con = await asyncpg.connect(dsn)
    try:
        await con.execute(sql)
    finally:
        await con.close()


# -- garbage

GOOD = event(ANN, 3, datetime.now(UTC), "safe", HERE)
WRONG: list[Any] = [
    None, True, "", "x", "\x00", "\ud800", -1, 0, 1e308, float("nan"), float("inf"), 10**400, [],
    {}, [[]], {"a": {}}, "9" * 5000, "\u202e" * 300,
]  # fmt: skip


def garbled(good: dict[str, Any]) -> list[dict[str, Any]]:
    """Each field missing, and each of each wrong kind, one level down too."""
    found = []
    for name, value in good.items():
        found.append({k: v for k, v in good.items() if k != name})
        found += [{**good, name: wrong} for wrong in WRONG]
        if isinstance(value, dict):
            found += [{**good, name: inner} for inner in garbled(value)]
    return found


BODIES: list[bytes] = [
    b"", b"null", b"17", b"[]", b"{}", b'"x"', b"\xff\xfe", b"\x00" * 100, b"{" * 50_000,
    b"[" * 50_000, b'{"Events": null}', b'{"Events": {}}', b'{"Events": [null, 1, "x", [], {}]}',
    b'{"Events": [' + b"1," * 200_000 + b"1]}", b"imei=&data=&momsn=", b"imei=1&imei=2&data=zz",
    b"a=b", b"%00=%ff&imei=%00", b'{"imei": ["1"], "data": {"a": 1}}',
    json.dumps({"Events": [{"imei": str(n)} for n in range(20_000)]}).encode(),
    json.dumps({"events": [{"IMEI": ANN, "MessageCode": "4", "TIMESTAMP": "17" * 6}]}).encode(),
]  # fmt: skip


async def test_nothing_genuine_is_refused_for_what_it_says(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        requests: list[Request] = []
        for kind, secret in (("inreach", TOKEN), ("rockblock", PASSWORD)):
            empty = rockblock(url(kind), secret, {})["headers"]
            headers = {**empty, "x-outbound-auth-token": TOKEN}
            requests += [
                {"method": "POST", "url": url(kind), "headers": headers, "content": body}
                for body in BODIES
            ]
        for wrong in garbled(GOOD):
            requests.append(inreach(url("inreach"), TOKEN, [wrong]))
        for wrong in garbled(fields(BEN, 7, datetime.now(UTC), b"SAFE", HERE)):
            requests.append(rockblock(url("rockblock"), PASSWORD, wrong))
        for request in requests:
            for _ in range(25):  # a portion at least is on record each time
                answer = await s.bring(request)
                if answer.status_code != 503:
                    break
            assert answer.status_code == 200, (answer.text, request["content"][:300])
        assert await s.value("SELECT count(*) FROM satellite_message") > 20_000
        await s.sql("DELETE FROM satellite_message WHERE length(imei) < 6")
        await s.settle()
        left = await s.value("SELECT count(*) FROM satellite_message WHERE state = 'received'")
        assert left == 0
        assert len(await s.panics()) == 1, "the SOS among it, however it was written"
        assert (await s.desk.call("GET", "/v1/inbound?limit=1000")).status_code == 200


async def test_many_at_once_are_kept_in_portions_and_help_is_asked_for_first(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "PORTION", 10)
    kept, broken = actions.keep, asyncio.Event()

    async def breaks_at_the_third(db: Any, operation: int, route: Any, some: Any) -> None:
        if await s.value("SELECT count(*) FROM satellite_message") == 20 and not broken.is_set():
            broken.set()
            raise Unavailable("The database is away.")
        await kept(db, operation, route, some)

    async with sky(database) as s:
        await s.give(ANN, 0)
        began = datetime.now(UTC) - timedelta(minutes=2)
        said = [event(ANN, 0, began + timedelta(seconds=n), HERE) for n in range(34)]
        request = inreach(url("inreach"), TOKEN, [*said, event(ANN, 4, began, HERE)])
        monkeypatch.setattr(actions, "keep", breaks_at_the_third)
        assert (await s.bring(request)).status_code == 503
        kept_codes = "SELECT count(*), max(code) FROM satellite_message"
        assert tuple((await s.sql(kept_codes))[0]) == (20, 4), "the SOS, said last, among the first"
        assert (await s.bring(request)).status_code == 200
        assert await s.value("SELECT count(*) FROM satellite_message") == 35


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*GOOD, *GOOD["point"], "Events", "momsn", "data", "transmit_time"])
            | st.text(max_size=5),
            inner,
            max_size=8,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(said=JSON | st.fixed_dictionaries({"Events": st.lists(JSON, max_size=3)}))
@pytest.mark.parametrize("kind", ["inreach", "rockblock"])
def test_whatever_json_there_is_becomes_messages_that_can_be_kept(kind: Any, said: Any) -> None:
    raw = json.dumps(said).encode()
    events = events_of(kind, said, raw)
    assert events
    assert [e.key for e in events] == [e.key for e in events_of(kind, said, raw)]
    assert len({e.key for e in events}) == len(events)
    for one in events:
        for text in (one.imei, one.key, one.body, *one.ignored):
            assert "\x00" not in text
            text.encode()  # no half of a surrogate pair
        assert one.code is None or 0 <= one.code < 2**31
        if one.place is not None:
            assert abs(one.place.lat) <= 90
            assert abs(one.place.lon) <= 180
            assert one.place.accuracy_m is None or 0 <= one.place.accuracy_m <= 1e7


# -- a database that is away


async def test_while_the_database_is_away_the_provider_repeats_and_nothing_is_lost() -> None:
    at = datetime.now(UTC)
    async with own_postgres() as postgres, seeded(postgres.dsn, 3) as place:
        env = {"MUSTER_SATELLITE_ROUTES": routes()}
        async with serving(postgres.dsn, **env) as server, aiohttp.ClientSession() as session:
            waits: list[str | None] = []

            async def post(request: Request) -> int:
                body = {"data": request["content"], "headers": request["headers"]}
                async with session.post(server.url + request["url"], **body) as answer:
                    waits.append(answer.headers.get("retry-after"))
                    return answer.status

            provider = Provider(post, pace=0.02)
            request = inreach(url("inreach"), TOKEN, [event(STRANGER, 4, at, "", HERE)])
            async with troubles.stopped(postgres):
                bringing = asyncio.create_task(provider.deliver(request))
                async with asyncio.timeout(60):
                    while len(provider.statuses) < 3:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            await bringing
            assert set(provider.statuses) == {503, 200}
            assert all(int(wait or 0) > 0 for wait in waits[:-1]), "and says when to try again"
            assert await provider.deliver(request) == 1
            await asyncio.to_thread(server.kill)
        async with serving(postgres.dsn, role="worker", **env):
            sql = "SELECT kind, repeated, lat FROM help_call"
            async with asyncio.timeout(60):
                while not await place.database.fetch(place.operation_id, sql):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        calls = await place.database.fetch(place.operation_id, sql)
        assert [tuple(c) for c in calls] == [("panic", 1, HERE[0])], "one, though taken twice"
