"""DONE and EXTEND by text: only the watch's own code ends or moves it, each text once."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.alerts.segments import segments
from server.checkin.sms import rules, understanding, watching, words
from server.checkin.sms.replies import LINES, reply
from server.checkin.sms.rules import Understood, understand
from server.checkin.watches.looker import look
from server.people.asking import ASK_WATCH, DONE, EXTEND, HELP, ask, ask_watch
from tests.support.texts import Texting, texting

ANN, BEN, STRANGER = "+254700000001", "+254700000002", "+254799999999"
NAIROBI = ZoneInfo("Africa/Nairobi")
_OLDER = """
    UPDATE watch SET counts_from = counts_from - $1::interval, due_at = due_at - $1::interval,
      turn_at = turn_at - $1::interval, said_at = said_at - $1::interval
"""
_LINES = "SELECT channel, line FROM delivery WHERE purpose = 'watch' ORDER BY queued_at"


async def begun(t: Texting, n: int = 0, due_s: float = 3600, **more: Any) -> str:
    """A journey of person n, whose number is ANN's or BEN's."""
    await t.number(n, (ANN, BEN)[n])
    due = (datetime.now(UTC) + timedelta(seconds=due_s)).isoformat()
    body = {"id": str(uuid4()), "kind": "journey", "due_at": due, "grace_s": 60, **more}
    answer = await (await t.desk()).call("POST", "/v1/watches", {**body, "for": f"P{n + 1}"})
    assert answer.status_code == 201, answer.text
    return str(body["id"])


async def after(t: Texting, seconds: float) -> None:
    """So much time goes by, then a worker looks."""
    await t.sql(_OLDER, timedelta(seconds=seconds))
    while await look(t.here.api.db, t.operation_id, ("+254", "!")):
        pass


async def code(t: Texting, key: str) -> str:
    await t.sql("SELECT give_watch_codes($1)", [key])
    return str(await t.value("SELECT code FROM watch_code WHERE watch_id = $1", key))


async def state(t: Texting, key: str) -> str:
    return str(await t.value("SELECT state FROM watch WHERE watch_id = $1", key))


async def facts(t: Texting, key: str) -> list[str]:
    sql = "SELECT what FROM watch_fact WHERE watch_id = $1 ORDER BY at, fact_id"
    return [r[0] for r in await t.sql(sql, key)]


async def due(t: Texting, key: str) -> datetime:
    found: datetime = await t.value("SELECT due_at FROM watch WHERE watch_id = $1", key)
    return found


def nearly(one: datetime, other: datetime) -> bool:
    return abs(one - other) < timedelta(seconds=30)


async def test_the_text_of_a_watch_carries_a_code_and_done_with_it_ends_it(database: str) -> None:
    async with texting(database) as t:
        key = await begun(t)
        await after(t, 3001)
        [(channel, line)] = [tuple(r) for r in await t.sql(_LINES)]
        own = await t.value("SELECT code FROM watch_code WHERE watch_id = $1", key)
        assert channel == "sms"
        assert line.endswith(ask_watch("en", own))
        row = await t.text(ANN, f"done {own.lower()}")
        assert (row["state"], row["said"], row["detail"]) == ("counted", "done", "by its code")
        assert str(row["watch_id"]) == key
        assert await state(t, key) == "done"
        assert (await t.replies())[-1] == f"Recorded: DONE {own}. In danger, text HELP."
        assert await t.value("SELECT count(*) FROM event WHERE kind = 'watch'") == 3
        await t.sql("UPDATE inbound_sms SET received_at = received_at - interval '5 minutes'")
        await t.text(ANN, f"DONE {own}")
        assert (await t.replies())[-1] == "Noted. It had ended before. In danger, text HELP."
        assert await facts(t, key) == ["created", "reminded", "done", "done"]


async def test_no_push_says_the_code(database: str) -> None:
    async with texting(database) as t:
        phone = await t.here.phone(0)
        await phone.call("PUT", "/v1/self/push", {"kind": "fcm", "token": "t"})
        key = await begun(t)
        await after(t, 3700)
        own = await t.value("SELECT code FROM watch_code WHERE watch_id = $1", key)
        lines = dict(tuple(r) for r in await t.sql(_LINES))
        assert own in lines["sms"]
        assert own not in lines["fcm"]


async def test_a_bare_word_ends_nothing_and_is_answered_with_the_code(database: str) -> None:
    async with texting(database) as t:
        key = await begun(t)
        before = await due(t, key)
        for said in ("Done", "EXTEND 60"):
            row = await t.text(ANN, said)
            assert (row["state"], row["detail"]) == ("unverified", "no code")
            own = await t.value("SELECT code FROM watch_code WHERE watch_id = $1", key)
            assert (await t.replies())[-1] == f"Not counted yet. {ask_watch('en', own)}"
        assert (await state(t, key), await due(t, key)) == ("running", before)
        assert await facts(t, key) == ["created"]
        stranger = await t.text(STRANGER, "DONE")
        assert (stranger["state"], stranger["detail"]) == ("unverified", "no code, unknown number")
        none = await t.text(BEN, "DONE") if await t.number(1, BEN) is None else {}
        assert none["detail"] == "no code, no watch"


async def test_a_bare_word_is_of_the_watch_that_is_overdue(database: str) -> None:
    async with texting(database) as t:
        missed = await begun(t, due_s=7200)
        await after(t, 7300)
        await t.sql("DELETE FROM contact_point")
        soon = await begun(t, due_s=600)
        assert await state(t, missed) == "overdue"
        await t.text(ANN, "DONE")
        assert await code(t, missed) in (await t.replies())[-1]
        assert await state(t, soon) == "running"


async def test_nobody_is_told_that_nobody_asks_while_an_alert_does(database: str) -> None:
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        await t.number(0, ANN)
        own = await t.code(alert_id, 0)
        for said in ("Done", f"DONE {own}"):
            row = await t.text(ANN, said)
            assert (row["state"], row["detail"]) == ("unverified", "no code, no watch")
            assert (await t.replies())[-1] == f"Not counted yet. {ask('en', own)}"
        assert await t.status(alert_id, 0) == "unaccounted"


@pytest.mark.parametrize("language", list(ASK_WATCH))
async def test_both_words_work_in_any_language(database: str, language: str) -> None:
    async with texting(database) as t:
        key = await begun(t)
        await t.sql("UPDATE person SET language = $2 WHERE person_id = $1", t.people[0], language)
        own = await code(t, key)
        await t.text(ANN, f"{EXTEND[language]} 90 {own}")
        assert nearly(await due(t, key), datetime.now(UTC) + timedelta(minutes=90))
        local = (await due(t, key)).astimezone(NAIROBI)
        assert f"{local:%H:%M} EAT" in (await t.replies())[-1], "by the operation's clocks"
        await t.text(ANN, f"{DONE[language]} {own}")
        assert await state(t, key) == "done"
        first = LINES["watch_done"][language].partition("{")[0][:8]
        assert (await t.replies())[-1].startswith(first)


async def test_extend_until_a_wall_time_is_the_operations_own(database: str) -> None:
    async with texting(database) as t:
        key = await begun(t)
        wall = (datetime.now(NAIROBI) + timedelta(hours=3)).replace(second=0, microsecond=0)
        row = await t.text(ANN, f"EXTEND {wall:%H:%M} {await code(t, key)}")
        assert row["state"] == "counted"
        assert await due(t, key) == wall.astimezone(UTC)
        unclear = await t.text(ANN, f"EXTEND {await code(t, key)}")
        assert (unclear["state"], unclear["detail"]) == ("not_understood", "says not for how long")
        assert "EXTEND 60" in (await t.replies())[-1]
        assert await due(t, key) == wall.astimezone(UTC)


async def test_the_latest_text_stands_in_whatever_order_they_are_understood(database: str) -> None:
    async with texting(database) as t:
        key = await begun(t)
        own = await code(t, key)
        await t.bring(ANN, f"EXTEND 30 {own}")
        await t.sql("UPDATE inbound_sms SET due_at = now() + interval '1 hour'")
        await t.sql("SELECT pg_sleep(0.01)")
        await t.bring(BEN, f"EXTEND 90 {own}")
        while not await t.value("SELECT count(*) FROM inbound_sms WHERE state = 'counted'"):
            await t.reading.turn()
        assert nearly(await due(t, key), datetime.now(UTC) + timedelta(minutes=90))
        await t.sql("UPDATE inbound_sms SET due_at = now() WHERE state = 'received'")
        await t.understand()
        assert nearly(await due(t, key), datetime.now(UTC) + timedelta(minutes=90))
        assert await facts(t, key) == ["created", "extended", "superseded"]


async def test_a_text_counts_once_though_its_gateway_brings_it_twice_or_a_worker_dies(
    database: str,
) -> None:
    async with texting(database) as t:
        made = await begun(t, kind="interval", interval_s=3600, due_s=3600)
        own = await code(t, made)
        for _ in range(2):
            await t.bring(ANN, f"DONE {own}", key="same-id")
        await t.sql("UPDATE inbound_sms SET due_at = now()")

        async def dies(*args: Any) -> Any:
            raise RuntimeError("killed")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(understanding, "record_reports", dies)
            await t.reading.turn()
        await t.sql("UPDATE inbound_sms SET due_at = now()")
        await t.understand()
        assert await facts(t, made) == ["created", "done"]
        assert await state(t, made) == "running", "the next interval has begun"
        local = (await due(t, made)).astimezone(NAIROBI)
        last = (await t.replies())[-1]  # with the date, where that is another day
        assert "Check in by" in last
        assert f"{local:%H:%M} EAT" in last


async def test_guessing_ends_no_watch_and_five_wrong_codes_lock_it(database: str) -> None:
    async with texting(database) as t:
        key = await begun(t)
        own = await code(t, key)
        for n in range(5):
            await t.sql("UPDATE delivery SET queued_at = queued_at - interval '2 days'")
            last = await t.text(ANN, f"DONE 99{'ACDEF'[n]}9")
            assert last["state"] == "refused"
        assert last["detail"] == "wrong code; the code is locked now"
        right = await t.text(ANN, f"DONE {own}")
        assert (right["state"], right["detail"]) == ("refused", "the code is locked")
        assert await state(t, key) == "running"
        ben = await begun(t, 1)
        other = await t.text(BEN, f"DONE {await code(t, ben)}")
        assert other["state"] == "counted", "hers alone is locked"


async def test_an_alerts_code_ends_no_watch_and_a_watchs_code_vouches_for_a_report(
    database: str,
) -> None:
    async with texting(database) as t:
        alert_id = await t.here.station.open_rollcall()
        key = await begun(t)
        theirs = await t.text(ANN, f"DONE {await t.code(alert_id, 0)}")
        assert (theirs["state"], await state(t, key)) == ("unverified", "running")
        safe = await t.text(ANN, f"Done, we are safe {await t.code(alert_id, 0)}")
        assert (safe["said"], await t.status(alert_id, 0)) == ("safe", "safe")
        own = await code(t, key)
        away = await t.text(ANN, f"AWAY {own}")
        assert (away["state"], await t.status(alert_id, 0)) == ("counted", "away")
        help_ = await t.text(ANN, f"HELP not DONE {own}")
        assert (help_["state"], help_["said"]) == ("counted", "need_help")
        assert await state(t, key) == "running", "a call for help ends no watch"


@pytest.mark.parametrize(
    ("text", "watch", "minutes", "wall"),
    [
        ("DONE K7Q3", "done", None, None),
        ("extend 60 K7Q3", "extend", 60, None),
        ("EXTEND 2 hours K7Q3", "extend", 120, None),
        ("Extend 2h K7Q3", "extend", 120, None),
        ("EXTEND 18:30 K7Q3", "extend", None, time(18, 30)),
        ("Prolongez 18h30 K7Q3", "extend", None, time(18, 30)),
        ("Prolongez 09h30 K7Q3", "extend", None, time(9, 30)),
        ("EXTEND 9:30 K7Q3", "extend", None, time(9, 30)),
        ("Prolongez 1h30 K7Q3", "extend", None, None),
        ("تمديد ٦٠ K7Q3", "extend", 60, None),
        ("تمديد ١٨:٣٠ K7Q3", "extend", None, time(18, 30)),
        ("延长60 K7Q3", "extend", 60, None),
        ("延长2小时 K7Q3", "extend", 120, None),
        ("Продлить 60 K7Q3", "extend", 60, None),
        ("EXTEND K7Q3", "extend", None, None),
        ("EXTEND 60 90 K7Q3", "extend", None, None),
        ("EXTEND 99999 K7Q3", "extend", None, None),
        ("EXTEND 0 K7Q3", "extend", None, None),
        ("not done K7Q3", None, None, None),
        ("未完成 K7Q3", None, None, None),
        ("done extend 60 K7Q3", None, None, None),
        ("away, done K7Q3", None, None, None),
        ("done help K7Q3", None, None, None),
    ],
)  # fmt: skip
def test_what_is_understood(
    text: str, watch: str | None, minutes: int | None, wall: time | None
) -> None:
    found = understand(text)
    assert (found.watch, found.minutes, found.wall) == (watch, minutes, wall)
    assert found.code == "K7Q3"


@pytest.mark.parametrize(("said", "minutes"), [("60", 60), ("2h", 120), ("2 hours", 120)])
def test_a_code_of_digits_alone_is_no_time(said: str, minutes: int) -> None:
    for text in (f"EXTEND {said} 3467", f"EXTEND 3467 {said}"):
        assert (understand(text).minutes, understand(text).code) == (minutes, "3467")


@pytest.mark.parametrize("language", list(ASK_WATCH))
def test_what_a_text_asks_for_comes_back_as_nothing_said(language: str) -> None:
    asked = ask_watch(language, "K7Q3M")
    assert understand(f"Check in soon. {asked}") == Understood(machine=True)
    assert understand(f"{HELP[language]}! > {asked}").status == "need_help"
    assert segments(asked).count == 1
    answer = reply("watch_on", language, "K7Q3M9A", until="2026-11-24 18:30 EAT")
    assert segments(answer).count <= (1 if language in ("en", "fr", "es") else 2)


def test_the_words_are_in_the_form_texts_are_brought_to() -> None:
    for word in words.DONE | words.EXTEND | words.HOURS:
        assert " ".join(rules.tidy(word)) == word


@given(word=st.sampled_from(sorted(words.DONE | words.EXTEND)),
       no=st.sampled_from(sorted(words.NEGATIONS)),
       help_word=st.sampled_from(sorted(words.HELP)))  # fmt: skip
def test_a_negation_undoes_and_help_overrides(word: str, no: str, help_word: str) -> None:
    assert understand(f"{no} {word}").watch is None
    assert understand(f"{word} {help_word}") == Understood("need_help")


def test_a_wall_time_is_the_next_one_but_one_just_past_is_past() -> None:
    at = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)  # six in the evening in Nairobi
    for wall, hours in ((time(18, 30), 0.5), (time(7), 13), (time(17, 30), -0.5), (time(16), 22)):
        found = watching.next_wall(wall, NAIROBI, at)
        assert found - at == timedelta(hours=hours)
    berlin = ZoneInfo("Europe/Berlin")
    skipped = watching.next_wall(time(2, 30), berlin, datetime(2026, 3, 29, 0, 10, tzinfo=UTC))
    assert skipped == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    half = timedelta(minutes=30)
    turned = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # from three back to two in the morning
    for sent, due_at in (
        (turned - half, turned),  # the first time: two in the morning, once more
        (turned + half / 2, turned + half),  # 02:15 the second time: 02:30 is still to come
        (turned + half * 1.5, turned + half),  # 02:45 the second time: 02:30 is past
    ):
        wall = time(2) if sent < turned else time(2, 30)
        assert watching.next_wall(wall, berlin, sent) == due_at
    assert watching.shown(at, NAIROBI, at) == "18:00 EAT"
    assert watching.shown(at + timedelta(hours=7), NAIROBI, at) == "2026-11-25 01:00 EAT"
