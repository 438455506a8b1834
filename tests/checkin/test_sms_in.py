"""Texts that come in, from the gateway's request to the headcount: what counts, and what never."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from server.checkin.sms import deciding
from server.checkin.sms.replies import LINES
from server.people.asking import AWAY, HELP, SAFE, ask
from tests.support.texts import KINDS, OWN, SITE, Texting, texting

ANN, BEN, STRANGER = "+254700000001", "+254700000002", "+254799999999"
REPLY = {"safe": "safe", "away": "away", "need_help": "help"}


async def asked(t: Texting, **more: Any) -> Any:
    """A roll call; person 0 has the number ANN, person 1 BEN."""
    await t.number(0, ANN)
    await t.number(1, BEN)
    return await t.here.station.open_rollcall(**more)


async def test_each_gateway_brings_a_text_and_only_it_can(database: str) -> None:
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        for n, kind in enumerate(KINDS):
            await t.number(n, f"{ANN[:-1]}{n}")
            words = f"SAFE {await t.code(alert_id, n)}"
            forged = await t.bring(f"{ANN[:-1]}{n}", words, kind, secret="guessed")
            nowhere = await t.bring(ANN, words, kind, url=f"{SITE}/v1/inbound/sms/other")
            assert (forged.status_code, nowhere.status_code) == (401, 401)
            assert await t.value("SELECT count(*) FROM inbound_sms") == n
            answer = await t.bring(f"{ANN[:-1]}{n}", words, kind)
            assert (answer.status_code, answer.text in ("", "<Response/>")) == (200, True)
            assert await t.status(alert_id, n) == "unaccounted", "answered before it is understood"
            await t.understand()
            assert await t.status(alert_id, n) == "safe"
            assert (await t.replies())[-1] == f"Recorded: {words}. In danger, text HELP."
        marked = await t.sql("SELECT route FROM channel_mark WHERE inbound_at IS NOT NULL")
        assert {r["route"] for r in marked} == set(KINDS), "the desk sees that a route lives"


async def test_an_answer_counts_in_any_language(database: str) -> None:
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        for n, language in enumerate(SAFE):
            await t.number(n, f"{ANN[:-1]}{n}")
            await t.sql(
                "UPDATE person SET language = $2 WHERE person_id = $1", t.people[n], language
            )
            code = await t.code(alert_id, n)
            for words, status in ((SAFE, "safe"), (AWAY, "away"), (HELP, "need_help")):
                await t.text(f"{ANN[:-1]}{n}", f"{words[language]} {code.lower()}")
                assert await t.status(alert_id, n) == status, language
                reply = (await t.replies())[-1]
                first = LINES[REPLY[status]][language].partition("{")[0][:8]
                assert reply.startswith(first), "in her language"
        kept, fresh = await t.here.station.cells(alert_id)
        assert kept == fresh


async def test_a_bare_word_accounts_for_nobody_and_is_answered_with_the_code(
    database: str,
) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        row = await t.text(ANN, "I am safe")
        assert (row["state"], row["said"], row["answered"]) == ("unverified", "safe", "reply")
        assert await t.status(alert_id, 0) == "unaccounted"
        code = await t.code(alert_id, 0)
        assert await t.replies() == [f"Not counted yet. {ask('en', code)}"]
        await t.text(ANN, f"SAFE {code}")
        assert await t.status(alert_id, 0) == "safe"


async def test_a_code_counts_from_any_phone(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        row = await t.text(STRANGER, f"SAFE {await t.code(alert_id, 0)}")
        assert (row["state"], row["person_id"]) == ("counted", t.people[0])
        assert await t.status(alert_id, 0) == "safe"


async def test_while_many_guess_no_strangers_code_counts(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        code = await t.code(alert_id, 0)
        for n in range(deciding.MOST_WRONG):
            await t.bring(f"+2547110000{n:02d}", f"SAFE 9{'ACDEFGHJKM'[n]}9A")
        await t.understand()
        row = await t.text(STRANGER, f"SAFE {code}")
        assert (row["state"], await t.status(alert_id, 0)) == ("unverified", "unaccounted")
        await t.text(ANN, f"SAFE {code}")
        assert await t.status(alert_id, 0) == "safe", "her own phone still counts"


async def test_five_wrong_codes_lock_the_code_to_the_warden(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        code = await t.code(alert_id, 0)
        for n in range(5):
            await t.sql("UPDATE delivery SET queued_at = queued_at - interval '2 days'")
            last = await t.text(ANN, f"SAFE 99{'ACDEF'[n]}9")
        assert last["detail"] == "wrong code; the code is locked now"
        page = await (await t.desk()).call("GET", f"/v1/alerts/{alert_id}/people")
        assert [p["ref"] for p in page.json()["items"] if p["code_locked"]] == ["P1"]
        right = await t.text(ANN, f"SAFE {code}")
        other = await t.text(STRANGER, f"SAFE {code}")
        assert [right["state"], other["state"]] == ["refused", "refused"]
        assert await t.status(alert_id, 0) == "unaccounted"
        call = await t.text(ANN, f"HELP {code}")
        assert (call["state"], await t.status(alert_id, 0)) == ("unverified", "need_help")


async def test_help_always_counts_and_says_what_vouches_for_it(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        with_code = await t.text(ANN, f"help {await t.code(alert_id, 0)}")
        bare = await t.text(BEN, "HELP ME")
        nobody = await t.text(STRANGER, "SOS")
        assert [r["state"] for r in (with_code, bare, nobody)] == [
            "counted", "unverified", "unverified",
        ]  # fmt: skip
        assert [await t.status(alert_id, n) for n in (0, 1)] == ["need_help", "need_help"]
        calls = await t.calls()
        assert [(c["verified"], c["person_id"]) for c in calls] == [
            (True, t.people[0]), (False, t.people[1]), (False, None),
        ]  # fmt: skip
        assert len(await t.replies()) == 3
        reporters = await t.sql("SELECT reporter FROM checkin ORDER BY received_at")
        assert [r["reporter"] for r in reporters] == ["sms", "sms_unverified"]


async def test_a_second_help_joins_the_first_and_is_counted(database: str) -> None:
    async with texting(database) as t:
        await asked(t)
        await t.text(BEN, "HELP")
        await t.bring(BEN, "HELP")  # the same words within the minute: one message
        await t.text(BEN, "help, they come closer")
        [call] = await t.calls()
        assert call["repeated"] == 2
        assert await t.value("SELECT count(*) FROM inbound_sms") == 2
        events = await t.sql("SELECT FROM event WHERE kind = 'help_call'")
        assert len(events) == 3, "a desk is told of each"


async def test_a_help_that_came_again_before_it_was_read_is_counted_too(database: str) -> None:
    async with texting(database) as t:
        await asked(t)
        for _ in range(3):
            await t.bring(BEN, "HELP")
        await t.understand()
        [call] = await t.calls()
        assert call["repeated"] == 2


@pytest.mark.parametrize("word", ["HELP", "AWAY {}"])
async def test_the_same_words_after_others_are_the_last_word(database: str, word: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        code = await t.code(alert_id, 0)
        for words in (word.format(code), f"SAFE {code}", word.format(code)):
            await t.text(ANN, words)
        assert await t.status(alert_id, 0) == ("away" if "{" in word else "need_help")
        assert await t.value("SELECT count(*) FROM inbound_sms") == 3


async def test_a_help_after_a_report_by_other_means_is_the_last_word(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        await t.text(ANN, "HELP")
        await t.text(STRANGER, f"SAFE {await t.code(alert_id, 0)}")
        assert await t.status(alert_id, 0) == "safe"
        await t.text(ANN, "HELP")
        assert await t.status(alert_id, 0) == "need_help"
        [call] = await t.calls()
        assert call["repeated"] == 1


@pytest.mark.parametrize("sender", [BEN, STRANGER])
async def test_a_repeat_of_what_joined_a_closed_call_is_a_new_call(
    database: str, sender: str
) -> None:
    async with texting(database) as t:
        await asked(t)
        await t.text(sender, "HELP")
        await t.text(sender, "HELP ME")
        await t.text(sender, "HELP ME")
        [call] = await t.calls()
        assert call["repeated"] == 2, "the open one counts what joined it"
        desk, how = await t.desk(), {"outcome": "helped"}
        closed = await desk.call("POST", f"/v1/help-calls/{call['help_id']}/close", how)
        assert closed.status_code < 300
        await t.text(sender, "HELP ME")
        assert [c["closed_at"] is None for c in await t.calls()] == [False, True]


async def test_the_sponsor_answers_for_all_by_their_number(database: str) -> None:
    async with texting(database) as t:
        await t.family(0, 5, 6, 7)
        alert_id = await asked(t)
        code = await t.code(alert_id, 0)
        await t.text(ANN, f"SAFE 3 {code}")
        assert [await t.status(alert_id, n) for n in (0, 5, 6, 7)] == ["safe"] + ["unaccounted"] * 3
        assert "With you 4 are listed" in (await t.replies())[-1]
        await t.text(ANN, f"SAFE 4 {code}")
        assert [await t.status(alert_id, n) for n in (0, 5, 6, 7)] == ["safe"] * 4
        assert (await t.replies())[-1] == f"Recorded: SAFE {code} for all 4 of your family."
        await t.text(BEN, f"SAFE 4 {await t.code(alert_id, 1)}")
        assert (await t.replies())[-1].startswith("Recorded: SAFE"), "nobody else is asked for"
        await t.text(STRANGER, f"SAFE 4 {await t.code(alert_id, 5)}")
        assert await t.status(alert_id, 1) == "safe"


async def test_one_number_of_several(database: str) -> None:
    """A household's help is its sponsor's; of people who share nothing else nobody is guessed."""
    async with texting(database) as t:
        await t.family(0, 5)
        await t.number(5, ANN)
        await t.number(2, STRANGER)
        await t.number(3, STRANGER)
        alert_id = await asked(t)
        await t.text(ANN, f"SAFE {await t.code(alert_id, 5)}")
        assert [await t.status(alert_id, n) for n in (0, 5)] == ["unaccounted", "safe"]
        await t.text(ANN, "HELP")
        assert [await t.status(alert_id, n) for n in (0, 5)] == ["need_help", "safe"]
        row = await t.text(STRANGER, "HELP")
        assert row["detail"] == "no code; the number of 2 people"
        assert [await t.status(alert_id, n) for n in (2, 3)] == ["unaccounted"] * 2
        assert (await t.calls())[-1]["person_id"] is None


async def test_an_exercise_stays_one_and_a_bare_help_in_it_is_real(database: str) -> None:
    async with texting(database) as t:
        drill = await asked(t, exercise=True)
        real = await t.here.station.open_rollcall()
        await t.text(ANN, f"SAFE {await t.code(drill, 0)}")
        assert [await t.status(a, 0) for a in (drill, real)] == ["safe", "unaccounted"]
        await t.text(BEN, f"HELP {await t.code(drill, 1)}")
        assert [await t.status(a, 1) for a in (drill, real)] == ["need_help", "unaccounted"]
        assert not await t.calls()
        assert all(line.startswith("EXERCISE: ") for line in await t.replies())
        await t.text(BEN, "HELP")
        assert [await t.status(a, 1) for a in (drill, real)] == ["need_help", "need_help"]
        assert len(await t.calls()) == 1


async def test_answers_after_the_end(database: str) -> None:
    async with texting(database) as t:
        closed, off = await asked(t), await t.here.station.open_rollcall()
        one, two = await t.code(closed, 0), await t.code(off, 1)
        end = "UPDATE alert SET state = $2, closed_at = clock_timestamp() WHERE alert_id = $1"
        await t.sql(end, closed, "closed")
        await t.sql(end, off, "cancelled")
        assert (await t.text(ANN, f"SAFE {one}"))["state"] == "counted"
        assert await t.value("SELECT late FROM alert WHERE alert_id = $1", closed) == 1
        assert (await t.text(BEN, f"SAFE {two}"))["state"] == "refused"


async def test_stop_is_answered_once(database: str) -> None:
    async with texting(database) as t:
        await asked(t)
        first, second = await t.text(ANN, "STOP"), await t.text(ANN, "stop.")
        assert [r["answered"] for r in (first, second)] == ["reply", "silence"]
        assert "safety still come" in (await t.replies())[0]


async def test_machines_are_not_answered(database: str) -> None:
    absent = "Automatic reply: I am out of office until Monday, all is ok"
    texts = [("SAFARICOM", "You have 3 MB left"), ("22141", "SAFE now"), (SITE, "hello"),
             (ANN, absent), (OWN, "SAFE")]  # fmt: skip
    async with texting(database) as t:
        alert_id = await asked(t)
        for sender, words in texts:
            assert (await t.text(sender, words))["answered"] == "silence"
        assert not await t.replies()
        assert await t.status(alert_id, 0) == "unaccounted"


async def test_an_echo_of_our_words_ends_there(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        code = await t.code(alert_id, 0)
        quoted = await t.text(ANN, f"Re: Stay inside. {ask('en', code)}")
        assert (quoted["state"], quoted["answered"]) == ("loop", "silence")
        await t.text(ANN, "HELP")
        for _ in range(5):
            last = await t.text(ANN, f"echo: {(await t.replies())[-1]}")
        assert last["state"] == "loop"
        assert len(await t.replies()) == 1
        assert [c["repeated"] for c in await t.calls()] == [0]


@pytest.mark.parametrize("words", ["HELP", "SOS they are inside", "M1 ABCDE 1 ??? P ????????"])
async def test_a_call_for_help_that_quotes_our_answer_counts(database: str, words: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        await t.text(ANN, f"SAFE {await t.code(alert_id, 0)}")
        [answer] = await t.replies()
        assert "text HELP" in answer, "a word for help of ours is none of hers"
        assert (await t.text(ANN, f"{answer}\n{answer} yes"))["state"] == "loop"
        row = await t.text(ANN, f"{words}\n\n{answer}")
        assert (row["state"], row["answered"]) == ("unverified", "reply")
        assert await t.status(alert_id, 0) == "need_help"
        assert len(await t.calls()) == 1


async def test_a_number_is_answered_three_times_in_ten_minutes_and_help_still_counts(
    database: str,
) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        for n in range(5):
            await t.text(ANN, f"what {n}")
        assert len(await t.replies()) == 3
        row = await t.text(ANN, "HELP")
        assert (row["answered"], await t.status(alert_id, 0)) == ("silence", "need_help")


async def test_a_text_is_one_however_often_it_is_brought(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        words = f"SAFE {await t.code(alert_id, 0)}"
        for key in ("a", "a", "b"):
            assert (await t.bring(ANN, words, key=key)).status_code == 200
        await t.sql("UPDATE inbound_sms SET received_at = received_at - interval '59 seconds'")
        await t.bring(ANN, words, key="c")
        assert await t.value("SELECT repeated FROM inbound_sms") == 2
        await t.sql("UPDATE inbound_sms SET received_at = received_at - interval '2 seconds'")
        await t.bring(ANN, words, key="d")
        await t.bring(ANN, words, key="a")
        assert await t.value("SELECT count(*) FROM inbound_sms") == 2


async def test_numbers_come_as_centres_give_them(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        for sender in ("254700000001", "0700000001", "00254700000001", "+254 700 000 001"):
            row = await t.text(sender, f"SAFE {await t.code(alert_id, 0)} {sender[-3:]}")
            assert (row["sender"], row["state"]) == (ANN, "counted")


async def test_kannel_without_recoding_sends_bytes_of_its_charset(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        words = f"آمن {await t.code(alert_id, 0)}".encode("utf-16-be")
        url = f"{SITE}/v1/inbound/sms/kannel?from={quote(ANN)}&id=1&coding=2&charset=UTF-16BE"
        proof = {"authorization": "Bearer reports"}
        answer = await t.here.client.get(f"{url}&text={quote(words)}", headers=proof)
        assert answer.status_code == 200
        await t.understand()
        assert await t.status(alert_id, 0) == "safe"
        posted = await t.here.client.post(
            f"{SITE}/v1/inbound/sms/kannel", content=b"HELP",
            headers={**proof, "content-type": 'text/plain; charset="UTF-8"', "x-kannel-from": BEN},
        )  # fmt: skip
        assert posted.status_code == 200
        await t.understand()
        assert await t.status(alert_id, 1) == "need_help"


async def test_the_app_answers_with_its_own_time_and_place(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        await t.sql("UPDATE alert SET counts_from = counts_from - interval '1 hour'")
        app = await t.app(0)
        then = datetime.now(UTC) - timedelta(minutes=10)
        row = await t.text(STRANGER, app.text("S", then, "-1.2921,36.8219"))
        assert (row["state"], await t.status(alert_id, 0)) == ("counted", "safe")
        [kept] = await t.sql("SELECT lat, lon, event_at FROM checkin")
        assert (kept["lat"], kept["lon"]) == (-1.2921, 36.8219)
        assert timedelta(0) <= then - kept["event_at"] < timedelta(minutes=1)
        await t.text(ANN, app.text("P", place="-1.3,36.9"))
        [call] = await t.calls()
        assert (call["kind"], call["verified"], call["lat"]) == ("panic", True, -1.3)
        assert await t.status(alert_id, 0) == "need_help"


async def test_what_a_phone_signed_long_ago_says_nothing_of_today(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        app = await t.app(0)
        old = datetime.now(UTC) - timedelta(days=4)
        assert (await t.text(ANN, app.text("S", old)))["state"] == "refused"
        assert await t.status(alert_id, 0) == "unaccounted"
        assert (await t.text(ANN, app.text("H", old)))["state"] == "counted"
        assert await t.status(alert_id, 0) == "need_help", "help counts as of when it came"


async def test_an_exercise_is_answered_by_the_app_where_nothing_else_asks(database: str) -> None:
    async with texting(database) as t:
        drill = await asked(t, exercise=True)
        app = await t.app(0)
        await t.text(ANN, app.text("S", place="1,2"))
        assert await t.status(drill, 0) == "safe"
        assert await t.value("SELECT count(*) FROM position") == 0
        await t.text(ANN, app.text("H"))
        assert await t.status(drill, 0) == "safe", "help is real, unless a code says otherwise"
        assert len(await t.calls()) == 1


async def test_a_revoked_phone_can_only_call_for_help(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        app = await t.app(0)
        await t.sql("UPDATE device SET revoked_at = now()")
        assert (await t.text(STRANGER, app.text("S")))["state"] == "refused"
        row = await t.text(STRANGER, app.text("P"))
        assert (row["state"], row["detail"]) == ("unverified", "a device that was revoked")
        [call] = await t.calls()
        assert (call["verified"], call["person_id"]) == (False, t.people[0])
        assert await t.status(alert_id, 0) == "unaccounted", "a claim from an unknown number"


async def test_a_crash_between_record_and_reply_makes_nothing_twice(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        app = await t.app(0)
        await t.bring(ANN, app.text("H"))

        async def crash(*_: Any) -> None:
            raise RuntimeError("the worker was killed here")

        with monkeypatch.context() as broken:
            broken.setattr("server.checkin.sms.understanding.finish", crash)
            await t.reading.turn()
        assert await t.status(alert_id, 0) == "need_help"
        assert not await t.calls()
        await t.sql("UPDATE inbound_sms SET due_at = now()")
        await t.understand()
        [call] = await t.calls()
        assert call["verified"], "its counter is its own"
        assert await t.value("SELECT count(*) FROM checkin") == 1
        assert len(await t.replies()) == 1


async def test_a_crash_before_an_alert_opens_holds_up_no_signed_answer(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is counted in depends on the alerts that are open; what is on record stands."""
    async with texting(database) as t:
        drill = await asked(t, exercise=True)
        app = await t.app(0)
        await t.bring(ANN, app.text("S"))

        async def crash(*_: Any) -> None:
            raise RuntimeError("the worker was killed here")

        with monkeypatch.context() as broken:
            broken.setattr("server.checkin.sms.understanding.finish", crash)
            await t.reading.turn()
        assert await t.status(drill, 0) == "safe"
        real = await t.here.station.open_rollcall()
        await t.sql("UPDATE inbound_sms SET due_at = now()")
        await t.reading.turn()
        [row] = await t.sql("SELECT state, alert_id, said FROM inbound_sms")
        assert tuple(row) == ("counted", drill, "safe")
        assert await t.status(real, 0) == "unaccounted"
        assert await t.value("SELECT count(*) FROM checkin") == 1
        [answer] = await t.replies()
        assert answer.startswith("EXERCISE: ")


async def test_an_unreadable_form_of_the_app_is_refused_but_never_a_panic(database: str) -> None:
    async with texting(database) as t:
        alert_id = await asked(t)
        for words in ("M1 ABCDE", "M1 ABCDE 1 1 S", f"M1 {uuid4()} S"):
            assert (await t.text(BEN, words))["state"] == "refused"
        row = await t.text(BEN, "M1 ABCDE 1 ??? P ????????")
        assert (row["state"], row["said"]) == ("unverified", "panic")
        assert await t.status(alert_id, 1) == "need_help"
        assert (await t.text(ANN, "M1 does not work, HELP"))["said"] == "need_help"
