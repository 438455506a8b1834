"""A P by text raises a panic, UNVERIFIED where nothing vouches for it, and joins what is open."""

from typing import Any

from server import jobs
from server.alerts import jobs as alert_jobs
from tests.support.texts import Texting, texting

ANN, BOB = "+254700000001", "+254700000002"


async def settle(t: Texting) -> list[dict[str, Any]]:
    """Runs every job that is due; the panics there are."""
    runner = jobs.Runner(t.here.api.db, alert_jobs.handlers(t.here.api.db, ("+254",)))
    while await runner.turn():
        pass
    return [dict(r) for r in await t.sql("SELECT * FROM panic ORDER BY received_at")]


async def test_a_signed_p_is_a_panic_with_its_time_and_place(database: str) -> None:
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        await t.number(0, ANN)
        app = await t.app(0)
        await t.text(ANN, app.text("P", place="-1.29,36.82"))
        [panic] = await settle(t)
        assert (panic["person_id"], panic["source"], panic["verified"]) == (
            t.people[0],
            "sms",
            True,
        )
        assert panic["state"] == "open"
        place = await t.sql("SELECT lat, lon FROM panic_position")
        assert [tuple(p) for p in place] == [(-1.29, 36.82)]
        assert await t.status(alert_id, 0) == "need_help"
        assert len(await t.calls()) == 1, "the list of calls keeps it too"
        again = await t.text(ANN, app.text("P"))
        [panic] = await settle(t)
        assert (again["said"], panic["presses"]) == ("panic", 2)


async def test_a_forged_p_is_shown_unverified_and_a_press_vouches_for_it(database: str) -> None:
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        await t.number(0, ANN)
        app = await t.app(0)
        words = app.text("P").split()
        words[5] = "AAAAAAAA"
        await t.text(BOB, " ".join(words))
        [panic] = await settle(t)
        assert (panic["person_id"], panic["verified"], panic["counts"]) == (
            t.people[0],
            False,
            False,
        )
        assert await t.status(alert_id, 0) == "unaccounted"
        assert await t.value("SELECT count(*) FROM delivery WHERE purpose = 'panic'") == 0
        desk = await t.desk()
        [shown] = (await desk.call("GET", "/v1/panics?open=true")).json()["items"]
        assert (shown["verified"], shown["source"]) == (False, "sms")
        phone = await t.here.phone(0)
        joined = (await phone.call("POST", "/v1/panics", {})).json()
        assert (joined["merged"], joined["panic_id"]) == (True, shown["id"])
        [panic] = await settle(t)
        assert (panic["verified"], panic["counts"]) == (True, True)
        assert await t.status(alert_id, 0) == "need_help"


async def test_a_text_does_not_uncover_a_covert_one(database: str) -> None:
    async with texting(database) as t:
        await t.number(0, ANN)
        app, phone = await t.app(0), await t.here.phone(0)
        await phone.call("POST", "/v1/panics", {"covert": True})
        words = app.text("P").split()
        words[5] = "AAAAAAAA"
        for text in (" ".join(words), app.text("P")):
            await t.text(ANN, text)
        [panic] = await settle(t)
        assert (panic["covert"], panic["verified"], panic["presses"]) == (True, True, 3)


async def test_a_number_that_is_nobodys_stays_a_call_alone(database: str) -> None:
    async with texting(database) as t:
        await t.text(BOB, "M1 Y9999 5 zzz P AAAAAAAA")
        assert await settle(t) == []
        assert [c["kind"] for c in await t.calls()] == ["panic"]


async def test_understood_twice_it_is_pressed_once(database: str) -> None:
    """A worker that died before the end: the text comes again, and its job too."""
    async with texting(database) as t:
        await t.number(0, ANN)
        await t.text(ANN, (await t.app(0)).text("P"))
        payload = await t.value("SELECT payload FROM job WHERE kind = 'panic.raise'")
        await settle(t)
        await t.sql(
            "INSERT INTO job (operation_id, kind, run_key, payload)"
            " VALUES (current_operation(), 'panic.raise', 'again', $1)",
            payload,
        )
        [panic] = await settle(t)
        assert panic["presses"] == 1


async def test_a_call_whose_place_has_expired_is_raised_unverified(database: str) -> None:
    """It could not be understood for 72 hours: without its place its signature is no good."""
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        await t.number(0, ANN)
        app = await t.app(0)
        for letter, said in (("S", "safe"), ("H", "need_help"), ("P", "panic")):
            await t.bring(ANN, app.text(letter, place="-1.286412,36.817273"))
            await t.sql("UPDATE inbound_sms SET body = without_place(body)")
            await t.understand()
            rows = await t.sql("SELECT * FROM inbound_sms ORDER BY received_at DESC LIMIT 1")
            assert rows[0]["state"] == ("refused" if letter == "S" else "unverified")
            assert rows[0]["said"] == (None if letter == "S" else said)
        assert await t.status(alert_id, 0) == "need_help"
        [call] = await t.calls()
        assert (call["kind"], call["verified"], call["repeated"]) == ("panic", False, 1)
        [panic] = await settle(t)
        assert not panic["verified"]
