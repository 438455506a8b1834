"""Satellite messengers, from the provider's request to the panic and the headcount."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from clients.simulator.satellite import event, fields, inreach, rockblock, unsigned
from server.people.places.expiring import expire
from tests.support.http import Site
from tests.support.satellites import (
    ANN,
    BEN,
    HERE,
    KEY,
    PASSWORD,
    STRANGER,
    TOKEN,
    Sky,
    sky,
    url,
)
from tests.support.seed import station
from tests.support.texts import App

COUNT = "SELECT count(*) FROM satellite_message"


async def test_an_sos_is_a_verified_panic_with_its_time_and_place(database: str) -> None:
    async with sky(database) as s:
        alert_id = await s.here.station.open_rollcall()
        await s.give(ANN, 0)
        await s.garmin(ANN, 4, ago_s=30)
        [panic] = await s.panics()
        assert (panic["person_id"], panic["source"], panic["verified"], panic["state"]) == (
            s.people[0], "satellite", True, "open",
        )  # fmt: skip
        assert panic["received_at"] - panic["event_at"] >= timedelta(seconds=29)
        assert await s.trail() == [(*HERE, None)]
        assert await s.status(alert_id, 0) == "need_help"
        assert await s.calls() == [], "a panic has its own list"
        message = await s.last()
        assert (message["state"], message["said"]) == ("counted", "panic")
        await s.garmin(ANN, 6)
        [panic] = await s.panics()
        assert panic["presses"] == 2, "confirmed: it joins"


async def test_a_rockblock_says_it_in_words_and_how_sure_its_place_is(database: str) -> None:
    async with sky(database) as s:
        await s.give(BEN, 1, "rockblock")
        await s.ground(BEN, b"SOS")
        [panic] = await s.panics()
        assert (panic["person_id"], panic["verified"]) == (s.people[1], True)
        assert await s.trail() == [(*HERE, 8000.0)]


@pytest.mark.parametrize("words", [b"CANCEL SOS", None])
async def test_taken_back_on_the_device_the_panic_stays_until_a_human_ends_it(
    database: str, words: bytes | None
) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        await s.garmin(ANN, 4, ago_s=60)
        again = await (s.garmin(ANN, 7) if words is None else s.ground(ANN, words))
        [panic] = await s.panics()
        assert panic["state"] == "open"
        assert (await s.facts())[:2] == ["raised", "cancelled_on_device"]
        told = await s.sql("SELECT data->>'what' AS what FROM event WHERE kind = 'panic'")
        assert "cancelled_on_device" in {r["what"] for r in told}, "consoles hear of it"
        await s.taken(again)
        assert (await s.facts()).count("cancelled_on_device") == 1
        one = f"/v1/panics/{panic['panic_id']}"
        assert (await s.desk.call("POST", f"{one}/acknowledge")).status_code == 200
        ended = await s.desk.call("POST", f"{one}/resolve", {"outcome": "false_alarm"})
        assert ended.json()["state"] == "resolved"


async def test_positions_join_the_trail_while_a_panic_lasts_and_no_longer(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        phone = await s.here.phone(0)
        await s.garmin(ANN, 0, ago_s=90, place=(1.0, 30.0))
        pressed = await phone.call("POST", "/v1/panics", {})
        await s.settle()
        await s.garmin(ANN, 0, ago_s=-1, place=(2.0, 31.0))
        await s.ground(ANN, b"", ago_s=-1)
        assert await s.trail() == [(2.0, 31.0, None), (*HERE, 8000.0)]
        one = f"/v1/panics/{pressed.json()['panic_id']}"
        await s.desk.call("POST", f"{one}/resolve", {"outcome": "helped"})
        await s.garmin(ANN, 0, ago_s=-5, place=(3.0, 32.0))
        assert len(await s.trail()) == 2, "it is over"


async def test_what_came_before_its_sos_joins_it(database: str) -> None:
    """Out of order: a place, the cancelling, then the SOS itself."""
    async with sky(database) as s:
        await s.give(ANN, 0)
        await s.garmin(ANN, 0, ago_s=100, place=(9.0, 39.0))
        await s.garmin(ANN, 7, ago_s=10, place=(2.0, 31.0))
        await s.garmin(ANN, 0, ago_s=20, place=(1.0, 30.0))
        await s.garmin(ANN, 4, ago_s=40)
        [panic] = await s.panics()
        assert panic["state"] == "open"
        assert await s.trail() == [(*HERE, None), (1.0, 30.0, None), (2.0, 31.0, None)]
        assert await s.facts() == ["raised", "cancelled_on_device"]


async def test_a_place_that_is_read_before_its_sos_is_pressed_waits_for_it(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        now = datetime.now(UTC)
        for code, later_s in ((4, 0), (0, 5)):
            at = now - timedelta(seconds=60 - later_s)
            await s.bring(inreach(url("inreach"), TOKEN, [event(ANN, code, at, "", HERE)]))
        only = {kind: run for kind, run in s.runner._handlers.items() if kind != "panic.satellite"}
        runner = type(s.runner)(s.here.api.db, only)
        while await runner.turn():
            pass
        assert await s.value("SELECT count(*) FROM job WHERE kind = 'panic.heard'") == 1
        await s.sql("UPDATE job SET due_at = clock_timestamp()")
        await s.settle()
        await s.sql("UPDATE job SET due_at = clock_timestamp() WHERE kind = 'panic.heard'")
        await s.settle()
        assert len(await s.trail()) == 2


async def test_an_sos_of_a_device_nobody_has_is_a_call_for_help_and_pages_the_desk(
    database: str,
) -> None:
    async with sky(database) as s:
        await s.garmin(STRANGER, 4)
        await s.garmin(STRANGER, 6)
        [call] = await s.calls()
        assert (call["kind"], call["verified"], call["person_id"]) == ("panic", False, None)
        assert (call["sender"], call["repeated"]) == (f"IMEI {STRANGER}", 1)
        [shown] = (await s.desk.call("GET", "/v1/help-calls?open=true")).json()["items"]
        assert (shown["placed"], "location" in shown) == (True, False)
        asked = f"/v1/help-calls/{shown['id']}/position?reason=respond"
        place = (await s.desk.call("GET", asked)).json()["location"]
        assert place == {"lat": HERE[0], "lon": HERE[1], "accuracy": None}
        assert await s.panics() == []
        events = await s.sql("SELECT FROM event WHERE kind = 'help_call'")
        assert len(events) == 2, "consoles are told of each"
        paged = await s.value("SELECT count(*) FROM delivery WHERE purpose = 'duty'")
        assert paged == 1, "the desk's own channels once"
        assert [m["state"] for m in await s.inbound()] == ["unverified", "unverified"]


# -- check-ins


async def long_open(s: Sky) -> UUID:
    """A roll call that asks since nine hours ago."""
    alert_id = await s.here.station.open_rollcall()
    await s.sql("UPDATE alert SET counts_from = counts_from - interval '9 hours'")
    return alert_id


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        (14, "", "safe"),
        (15, "Checking in. Everything is okay.", "safe"),
        (9, "check in", "safe"),
        (3, "I am safe at the camp", "safe"),
        (3099, "Estoy bien", "safe"),
        (3, "away until monday", "away"),
        (24, "HELP we are stuck", "need_help"),
        (14, "send help", "need_help"),
        (14, "I am not ok", "unaccounted"),
        (16, "Starting from this location", "unaccounted"),
        (3, "the road is wet", "unaccounted"),
        (3, "", "unaccounted"),
        (0, "", "unaccounted"),
        (66, "", "unaccounted"),
    ],
)
async def test_words_and_preset_messages_are_check_ins(
    database: str, code: int, text: str, status: str
) -> None:
    async with sky(database) as s:
        alert_id = await s.here.station.open_rollcall()
        await s.give(ANN, 0)
        await s.garmin(ANN, code, text)
        assert await s.status(alert_id, 0) == status
        kept, fresh = await s.here.station.cells(alert_id)
        assert kept == fresh
        reporters = {r["reporter"] for r in await s.sql("SELECT reporter FROM checkin")}
        assert reporters == ({"satellite"} if status != "unaccounted" else set())
        assert [c["verified"] for c in await s.calls()] == [True] * (status == "need_help")
        assert await s.panics() == []


async def test_a_rockblocks_words_and_the_apps_signed_form_count(database: str) -> None:
    async with sky(database) as s:
        alert_id = await long_open(s)
        app = await signed_app(s, 2)
        await s.give(BEN, 1, "rockblock")
        await s.ground(BEN, "В безопасности".encode())
        await s.ground(STRANGER, app.text("S").encode())
        assert [await s.status(alert_id, n) for n in (1, 2)] == ["safe", "safe"]
        words = app.text("P", place="-1.5,36.5").encode()
        await s.ground(BEN, words)
        [panic] = await s.panics()
        assert (panic["person_id"], panic["verified"]) == (s.people[2], True), "by its signature"
        assert await s.trail() == [(-1.5, 36.5, None)]
        await s.ground(STRANGER, words)
        [panic] = await s.panics()
        assert panic["presses"] == 2, "the same once more over another device: shown, not dropped"


async def signed_app(s: Sky, n: int) -> App:
    """A phone with the app, of person n."""
    phone = (await s.desk.call("POST", "/v1/enrolments", {"person_ref": f"P{n + 1}"})).json()
    body = {"code": phone["code"], "platform": "sim"}
    made = (await s.here.client.post("/v1/devices", json=body)).json()["sms"]
    return App(made["id5"], base64.urlsafe_b64decode(made["key"] + "="))


async def test_an_old_message_stands_where_it_was_written_and_may_be_late(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        alert_id = await long_open(s)
        await s.garmin(ANN, 3, "need help", ago_s=3600)
        await s.garmin(ANN, 3, "safe", ago_s=7200)
        assert await s.status(alert_id, 0) == "need_help", "the older one hides nothing"
        await s.desk.call("POST", f"/v1/alerts/{alert_id}/close")
        await s.garmin(ANN, 3, "safe", ago_s=1800)
        assert await s.status(alert_id, 0) == "safe"
        assert await s.value("SELECT late FROM alert") == 1


async def test_places_are_kept_as_those_of_check_ins_are(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        await s.garmin(ANN, 0, ago_s=10, place=(1.0, 30.0))
        await s.garmin(ANN, 0, ago_s=60, place=(2.0, 31.0))
        await s.garmin(ANN, 8, "camp", place=(5.0, 35.0))
        await s.garmin(STRANGER, 0, place=(6.0, 36.0))
        rows = await s.sql("SELECT person_id, lat, lon FROM position")
        assert [tuple(r) for r in rows] == [(s.people[0], 1.0, 30.0)], "the newest of hers alone"
        await s.sql("UPDATE satellite_message SET received_at = received_at - interval '2 hours'")
        await expire(s.here.api.db)
        assert await s.value("SELECT count(*) FROM satellite_message WHERE lat IS NOT NULL") == 0
        await s.sql("UPDATE satellite_message SET received_at = received_at - interval '40 days'")
        await expire(s.here.api.db)
        assert [m["code"] for m in await s.sql("SELECT code FROM satellite_message")] == [8]


# -- whose it is


async def test_a_late_message_is_of_who_had_the_device_when_it_was_written(database: str) -> None:
    async with sky(database) as s:
        alert_id = await long_open(s)
        await s.give(ANN, 0, hours=8)
        await s.give(ANN, 1, hours=0)
        await s.garmin(ANN, 3, "safe", ago_s=7200)
        assert [await s.status(alert_id, n) for n in (0, 1)] == ["safe", "unaccounted"]
        await s.garmin(ANN, 3, "safe")
        assert await s.status(alert_id, 1) == "safe"


async def test_what_was_written_before_anybody_had_the_device_vouches_for_nobody(
    database: str,
) -> None:
    async with sky(database) as s:
        alert_id = await s.here.station.open_rollcall()
        await s.give(ANN, 0, hours=0)
        await s.garmin(ANN, 3, "safe", ago_s=7200)
        assert await s.status(alert_id, 0) == "unaccounted"
        await s.garmin(ANN, 4, ago_s=7100)
        [panic] = await s.panics()
        assert (panic["verified"], panic["counts"]) == (False, False), "shown, UNVERIFIED"
        assert {m["state"] for m in await s.inbound()} == {"unverified"}


async def test_devices_are_assigned_listed_moved_and_removed(database: str) -> None:
    async with sky(database) as s:
        one, kind = f"/v1/satellite-devices/{ANN}", {"kind": "inreach"}
        made = await s.desk.call("PUT", one, {"person": "P1", "label": "Car 7", **kind})
        same = await s.desk.call("PUT", one, {"person": "P1", "label": "Car 7", **kind})
        moved = await s.desk.call("PUT", one, {"person": "P2", **kind})
        assert [a.status_code for a in (made, same, moved)] == [201, 200, 201]
        [shown] = (await s.desk.call("GET", "/v1/satellite-devices")).json()["items"]
        assert (shown["imei"], shown["person"]["ref"], shown["heard_at"]) == (ANN, "P2", None)
        for body, field in (({"person": "P99", **kind}, "person"), ({"person": "P1"}, "kind")):
            refused = await s.desk.call("PUT", one, body)
            assert refused.status_code == 422
            assert field in refused.text
        assert (await s.desk.call("PUT", f"{one}0", {"person": "P1", **kind})).status_code == 422
        gone = [(await s.desk.call("DELETE", one)).status_code for _ in range(2)]
        never = await s.desk.call("DELETE", f"/v1/satellite-devices/{BEN}")
        assert (gone, never.status_code) == ([204, 204], 404)
        acts = await s.sql("SELECT action FROM audit WHERE subject = $1 ORDER BY audit_id", ANN)
        assert [a["action"] for a in acts] == [
            "satellite.assign", "satellite.assign", "satellite.remove",
        ]  # fmt: skip
        auditor = await s.here.operator("auditor")
        assert (await auditor.call("DELETE", one)).status_code == 403


async def test_an_operator_of_an_area_sees_and_moves_only_her_own_peoples(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        await s.give(BEN, 1)
        area_id = await s.value("SELECT area_id FROM person WHERE ref = 'P1'")
        own = await s.here.operator("operator", area_id=area_id)
        listed = (await own.call("GET", "/v1/satellite-devices")).json()["items"]
        assert [d["imei"] for d in listed] == [ANN]
        take = {"person": "P1", "kind": "inreach"}
        answers = [
            await own.call("PUT", f"/v1/satellite-devices/{BEN}", take),
            await own.call("PUT", f"/v1/satellite-devices/{ANN}", {**take, "person": "P2"}),
            await own.call("DELETE", f"/v1/satellite-devices/{BEN}"),
        ]
        assert [a.status_code for a in answers] == [404, 422, 404]


async def test_whose_it_is_with_several_operations(database: str) -> None:
    async with sky(database) as s:
        other = await station(s.here.api.db, 3, code="OTHER")
        there = Sky(Site(s.here.api, s.here.client, other), s.desk)
        await s.give(ANN, 0)
        await s.garmin(ANN, 3, "safe")
        assert (await s.value(COUNT), await there.value(COUNT)) == (1, 0), "who has the device"
        await s.garmin(STRANGER, 4)
        await s.garmin(STRANGER, 4)
        assert [len(await x.calls()) for x in (s, there)] == [1, 1], "somebody must see it"


async def test_a_route_may_say_whose_it_is(database: str) -> None:
    async with sky(database, operation="OTHER") as s:
        other = await station(s.here.api.db, 3, code="OTHER")
        there = Sky(Site(s.here.api, s.here.client, other), s.desk)
        await s.give(ANN, 0)
        await s.garmin(ANN, 4)
        assert (await s.value(COUNT), await there.value(COUNT)) == (0, 1)
        assert [c["verified"] for c in await there.calls()] == [False], "nobody has it there"


# -- who may bring messages


async def test_only_the_provider_may_bring_messages(database: str) -> None:
    other = generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    async with sky(database) as s:
        said = fields(ANN, 1, now, b"SOS")
        forged = [
            inreach(url("inreach"), "guessed-secret", [event(ANN, 4, now)]),
            inreach(url("inreach"), "", [event(ANN, 4, now)]),
            inreach(url("other"), TOKEN, [event(ANN, 4, now)]),
            rockblock(url("rockblock"), "guessed", said),
            rockblock(url("rockblock"), "", said, key=KEY),
            rockblock(url("signed"), PASSWORD, said),
            rockblock(url("signed"), "", said, key=other),
            rockblock(url("signed"), "", {**said, "JWT": "a.b.c"}),
            rockblock(url("signed"), "", {**said, "JWT": unsigned(said)}),
            rockblock(url("signed"), "", {**said, "JWT": 17}),
        ]
        for request in forged:
            answer = await s.bring(request)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert await s.value(COUNT) == 0
        metrics = (await s.here.client.get("/metrics")).text
        assert 'muster_satellite_refused_total{route="signed"}' in metrics


async def test_of_a_signed_message_only_what_is_signed_is_believed(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        await s.give(BEN, 1)
        said = fields(ANN, 5, datetime.now(UTC), b"SOS", HERE)
        request = rockblock(url("signed"), "", said, key=KEY, form=True)
        request["data"] |= {"imei": BEN, "data": b"SAFE".hex()}
        await s.taken(request)
        [panic] = await s.panics()
        assert panic["person_id"] == s.people[0]


async def test_the_desk_sees_what_could_not_be_understood_and_few_positions(database: str) -> None:
    async with sky(database) as s:
        await s.give(ANN, 0)
        await s.garmin(ANN, 0)
        await s.garmin(ANN, 3, "the road is wet", ago_s=3600)
        [shown] = await s.inbound()
        assert (shown["source"], shown["sender"], shown["state"]) == (
            "satellite", f"IMEI {ANN}", "not_understood",
        )  # fmt: skip
        assert (shown["body"], shown["person"]["ref"]) == ("the road is wet", "P1")
        assert shown["at"] < shown["received_at"]
        assert [m["said"] for m in await s.inbound("?state=noted")] == ["position"]
        assert len(await s.inbound("?unverified=true")) == 1
        assert UUID(shown["id"])
