"""Health of the ways out: a dead worker is seen, finish times are told, alarms come once."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from clients.simulator.fcm import FcmServer
from server.alerts.deliveries import marks
from server.alerts.health.alarms import look
from server.alerts.health.meter import Meter
from server.alerts.health.pulse import Pulse
from server.alerts.sender import Sender
from tests.alerts.test_sender import channel, opened, until
from tests.alerts.world import World, world

LATER = "UPDATE worker_beat SET seen_at = seen_at - interval '1 hour'"
OPEN = (
    "SELECT kind || '/' || subject AS name, detail FROM alarm WHERE cleared_at IS NULL ORDER BY 1"
)


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "EVERY_S", 0.0)


async def fetched(w: World, path: str, token: str = "boss") -> Any:
    async with w.client(token) as api:
        answer = await api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def way(w: World, name: str, route: str = "") -> dict[str, Any]:
    told = await fetched(w, "/v1/channels")
    [found] = [c for c in told["channels"] if (c["channel"], c["route"]) == (name, route)]
    return dict(found)


async def raised(w: World) -> list[str]:
    return [r["name"] for r in await w.sql(OPEN)]


async def test_what_waits_finishes_at_a_time_that_is_told(database: str, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    async with FcmServer() as fcm, world(database, fcm_credentials=file, fcm_per_s=10) as w:
        fcm.script.any_token = True
        alert_id = await opened(w, 600)
        before = await fetched(w, "/v1/channels")
        assert before["workers"] == {"alive": 0, "since": None}
        assert before["alerts"] == [{"alert_id": alert_id, "queued": 600, "finish_at": None}]
        assert (await fetched(w, f"/v1/alerts/{alert_id}"))["finish_at"] is None

        meter, own = Meter(), channel(fcm, tmp_path)
        pulse = Pulse(w.db, [own], meter)
        await pulse.beat()
        told = await fetched(w, "/v1/channels")
        [waiting] = told["alerts"]
        assert told["workers"]["alive"] == 1
        assert _seconds(told["as_of"], waiting["finish_at"]) == pytest.approx(60, abs=1)
        alert = await fetched(w, f"/v1/alerts/{alert_id}")
        assert _seconds(told["as_of"], alert["finish_at"]) == pytest.approx(60, abs=10)

        sender = Sender(w.db, own, 20, meter)
        task = asyncio.create_task(sender.run())
        await until(w, "SELECT count(*) FROM delivery WHERE live", 0, 30)
        await pulse.beat()
        done = await way(w, "fcm")
        assert (done["queued"], done["sending"], done["finish_at"]) == (0, 0, None)
        assert done["per_min"] == 600
        assert done["accepted_at"] is not None
        assert done["receipt_at"] is None
        assert (await fetched(w, "/v1/channels"))["alerts"] == []

        fcm.script.outage = "unavailable"
        await w.sql("UPDATE delivery SET state = 'queued', due_at = now(), attempts = 0")
        await until(w, "SELECT count(*) > 20 FROM delivery WHERE error IS NOT NULL", True)
        await pulse.beat()
        held = await way(w, "fcm")
        assert held["held_why"] == "gate"
        assert held["failures"] > 0
        assert held["fault"] == "transient"
        await sender.stop_claiming()
        await sender.finish()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _seconds(start: str, end: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


async def test_a_dead_worker_is_an_alarm_until_one_lives(database: str) -> None:
    async with world(database) as w:
        await look(w.db, w.op, False)
        assert await raised(w) == [], "where nothing waits and none ever was, none is missed"
        pulse = Pulse(w.db, [], Meter())
        await pulse.beat()
        await look(w.db, w.op, False)
        assert await raised(w) == []
        await w.sql(LATER)
        assert (await fetched(w, "/v1/channels"))["workers"]["alive"] == 0
        await asyncio.gather(*(look(w.db, w.op, True) for _ in range(8)))
        await look(w.db, w.op, True)
        assert await raised(w) == ["worker/worker"]
        assert await w.value("SELECT count(*) FROM alarm") == 1, "once, whoever looks how often"
        assert await w.value("SELECT count(*) FROM delivery WHERE channel = 'duty'") == 1
        assert len(await w.events("alarm")) == 1
        [alarm] = (await fetched(w, "/v1/alarms"))["items"]
        assert alarm["detail"].startswith("No worker since ")
        await pulse.beat()
        await look(w.db, w.op, True)
        assert await raised(w) == []
        assert len(await w.events("alarm")) == 2
        assert (await fetched(w, "/v1/alarms"))["items"] == []
        [over] = (await fetched(w, "/v1/alarms?state=all"))["items"]
        assert over["cleared_at"] is not None


async def test_a_channel_that_takes_nothing_while_things_wait_is_an_alarm(database: str) -> None:
    async with world(database) as w:
        await opened(w, 3)
        pulse = Pulse(w.db, [], Meter())
        await pulse.beat()
        await look(w.db, w.op, False)
        assert await raised(w) == [], "not in the first minutes"
        await w.sql("UPDATE delivery SET queued_at = now() - interval '10 minutes'")
        await look(w.db, w.op, False)
        assert await raised(w) == ["route/fcm"]
        [row] = await w.sql(OPEN)
        assert "3 wait" in row["detail"]
        meter = Meter()
        meter.note(w.op, "fcm", "", "accepted")
        await Pulse(w.db, [], meter).beat()
        await look(w.db, w.op, False)
        assert await raised(w) == [], "it takes something again"


async def test_a_way_of_which_nothing_is_known_to_arrive_is_an_alarm(database: str) -> None:
    async with world(database) as w:
        meter = Meter()
        for _ in range(5):
            meter.note(w.op, "sms", "safaricom", "accepted")
            meter.note(w.op, "email", "", "accepted")
        await Pulse(w.db, [], meter).beat()
        await look(w.db, w.op, False)
        assert await raised(w) == []
        await w.sql("UPDATE channel_mark SET unanswered_since = now() - interval '11 minutes'")
        await look(w.db, w.op, False)
        assert await raised(w) == ["receipts/sms:safaricom"], "nobody says that an e-mail arrived"
        async with w.db.transaction(w.op) as con:
            await marks.heard(con, w.op, "sms", "safaricom")
            await marks.came_in(con, w.op, "sms", "safaricom")
        await look(w.db, w.op, False)
        assert await raised(w) == []
        told = await way(w, "sms", "safaricom")
        assert None not in (told["accepted_at"], told["receipt_at"], told["inbound_at"])
        assert told["configured"] is False


async def test_silent_phones_are_counted_by_area_and_category_and_listed(database: str) -> None:
    async with world(database) as w:
        places = [
            ("A", "KE-N1", "national"),
            ("B", "KE-S", "international"),
            ("C", "KE-S", "local"),
        ]
        devices = {}
        for ref, area, category in places:
            devices[ref] = await w.phone(await w.person(ref, area, category))
        await w.operator("south", area="KE-S")
        assert (await fetched(w, "/v1/phones/silent"))["silent"] == 0
        await w.sql(
            "UPDATE credential SET last_seen_at = now() - interval '25 hours'"
            " WHERE device_id = ANY ($1)",
            [devices["A"], devices["B"]],
        )
        await w.sql("UPDATE device SET created_at = now() - interval '30 hours'")
        told = await fetched(w, "/v1/phones/silent")
        assert (told["phones"], told["silent"]) == (3, 2)
        counted = {(g["area"], g["category"]): (g["phones"], g["silent"]) for g in told["by_area"]}
        assert counted == {
            ("KE-N1", "national"): (1, 1),
            ("KE-S", "international"): (1, 1),
            ("KE-S", "local"): (1, 0),
        }
        assert Counter(i["person"]["ref"] for i in told["items"]) == Counter("AB")
        first = await fetched(w, "/v1/phones/silent?limit=1")
        second = await fetched(w, first["next"])
        refs = [i["person"]["ref"] for page in (first, second) for i in page["items"]]
        assert sorted(refs) == ["A", "B"]
        southern = await fetched(w, "/v1/phones/silent", "south")
        assert [i["person"]["ref"] for i in southern["items"]] == ["B"]
        assert southern["phones"] == 2
        await look(w.db, w.op, True)
        assert await raised(w) == ["phones/phones"]
        assert await w.value("SELECT count(*) FROM delivery") == 0, "the desk is not woken for that"


async def test_a_route_at_its_cap_says_so(database: str) -> None:
    routes = [{"name": "a", "kind": "kannel", "url": "http://127.0.0.1:1/", "per_s": 2,
               "price_micro": 10, "cap_micro_per_day": 5}]  # fmt: skip
    async with world(database, sms_routes=SecretStr(json.dumps(routes))) as w:
        from server.alerts.channels.sms import SmsChannel
        from server.texting import sms_routes

        own = SmsChannel(sms_routes(w.settings), "http://127.0.0.1")
        await Pulse(w.db, [own], Meter()).beat()
        told = await way(w, "sms", "a")
        assert told["held_why"] == "cap"
        assert (told["cap_micro"], told["spent_micro"], told["currency"]) == (5, 0, "USD")


async def test_two_workers_share_fcms_rate(database: str, tmp_path: Path) -> None:
    async with world(database) as w, FcmServer() as fcm:
        ways = [channel(fcm, tmp_path) for _ in range(2)]
        pulses = [Pulse(w.db, [own], Meter()) for own in ways]
        for pulse in pulses * 2:
            await pulse.beat()
        assert [own.health()[""].per_s for own in ways] == [4000, 4000]
