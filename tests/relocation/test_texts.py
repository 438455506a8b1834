"""Stages by text: the movement's own code moves its person, a bare word moves nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.alerts.segments import segments
from server.checkin.sms import rules, understanding, words
from server.checkin.sms.replies import reply
from server.checkin.sms.rules import understand
from server.people.asking import ASK, HELP, STAGES
from tests.relocation.moving import Moving
from tests.support.texts import Texting, texting

ANN, BEN, STRANGER = "+254700000001", "+254700000002", "+254799999999"
REPORTS = "SELECT * FROM stage_report ORDER BY received_at, report_id"
CODE = "SELECT code FROM movement_code WHERE movement_id = $1 AND person_id = $2"
# Every code of four letters but those that happen to be given: no draw may find one of them.
ALL_CODES = """
    INSERT INTO movement_code (operation_id, code, movement_id, person_id)
    SELECT current_operation(), a.l || b.l || c.l || d.l, $1, $2
    FROM unnest($3::text[]) AS a (l), unnest($3::text[]) AS b (l), unnest($3::text[]) AS c (l),
         unnest($3::text[]) AS d (l)
    WHERE a.l || b.l || c.l || d.l ~ '[34679]'
    ON CONFLICT DO NOTHING
"""
TWICE = """
    SELECT count(*) FROM (SELECT code FROM answer_code UNION ALL SELECT code FROM watch_code
      UNION ALL SELECT code FROM movement_code) c GROUP BY code HAVING count(*) > 1
"""


@dataclass
class Both:
    """Texts that come in, and a movement they may be about; Ann is P1, Ben P2."""

    t: Texting
    m: Moving

    async def code(self, n: int = 0) -> str:
        """Person n's code in the movement."""
        person = self.t.people[n]
        await self.t.sql("SELECT give_movement_codes($1, $2)", self.m.movement, [person])
        return str(await self.t.value(CODE, self.m.movement, person))

    async def say(self, words: str, sender: str = ANN, **more: Any) -> dict[str, Any]:
        """A text that comes in, is understood and recorded; its row."""
        await self.t.sql("UPDATE inbound_sms SET received_at = received_at - interval '2 minutes'")
        row = await self.t.text(sender, words, **more)
        await self.m.here.work()
        return row

    async def reports(self) -> list[Any]:
        """All that is on record."""
        return await self.t.sql(REPORTS)

    async def answer(self) -> str:
        """The last answer."""
        await self.t.sql("UPDATE delivery SET queued_at = queued_at - interval '1 hour' "
                         "WHERE queued_at > now() - interval '20 minutes'")  # fmt: skip
        return (await self.t.replies())[-1]


@asynccontextmanager
async def both(database: str, **more: Any) -> AsyncIterator[Both]:
    async with texting(database, people=12) as t:
        m = Moving(t.here, await t.desk())
        await m.begin(**more)
        await t.number(0, ANN)
        await t.number(1, BEN)
        yield Both(t, m)


async def test_a_text_with_the_code_is_a_report_with_three_times(database: str) -> None:
    async with both(database) as own:
        code = await own.code()
        row = await own.say(f"board 1 {code.lower()}")
        assert (row["state"], row["said"], row["detail"]) == ("counted", "boarded", "by its code")
        assert (row["movement_id"], row["person_id"]) == (own.m.movement, own.t.people[0])
        [made] = await own.reports()
        assert (made["how"], made["stage"], made["vehicle_id"]) == (
            "sms", "boarded", own.m.id["1"])  # fmt: skip
        assert made["actor"] == f"sms:{row['inbound_id']}"
        assert made["at"] == made["event_at"] == row["received_at"] < made["received_at"]
        assert await own.answer() == f"Recorded: BOARD 1 {code}. In danger, text HELP."
        assert await own.m.stage("P1") == "boarded"
        await own.say(f"ARRIVED {code}", STRANGER)
        assert await own.m.stage("P1") == "at_point", "from any phone; the leg ends at no haven"
        await own.m.exact()
        desk = (await own.m.desk.call("GET", "/v1/inbound")).json()["items"]
        assert [i["said"] for i in desk] == ["arrived", "boarded"]
        assert {i["movement_id"] for i in desk} == {str(own.m.movement)}


async def test_a_job_that_runs_twice_makes_one_record(database: str) -> None:
    async with both(database) as own:
        text = f"BOARD 2 {await own.code()}"
        await own.t.text(ANN, text)
        await own.t.text(ANN, text)  # again within the minute
        jobs = await own.t.sql("SELECT kind, run_key, payload FROM job WHERE kind LIKE 'move%'")
        assert len(jobs) == 1
        await own.m.here.work()
        await own.t.sql(
            "INSERT INTO job (operation_id, kind, run_key, payload) "
            "VALUES (current_operation(), $1, $2, $3::text::jsonb)", *jobs[0],
        )  # fmt: skip
        await own.m.here.work()
        assert not await own.t.value("SELECT count(*) FROM job WHERE kind LIKE 'move%'")
        assert len(await own.reports()) == 1
        await own.m.exact()


async def test_a_bare_word_moves_nobody_and_is_answered_with_the_code(database: str) -> None:
    async with both(database) as own:
        row = await own.say("BOARD 1")
        assert (row["state"], row["said"], row["detail"]) == ("unverified", "boarded", "no code")
        assert (row["person_id"], row["movement_id"]) == (own.t.people[0], own.m.movement)
        code = await own.code()
        assert await own.answer() == reply("use_move", "en", code)
        strange = await own.say("Arrived", STRANGER)
        assert (strange["state"], strange["said"]) == ("unverified", "arrived")
        alert_id = await own.t.here.station.open_rollcall()
        other = await own.say(f"BOARD 1 {await own.t.code(alert_id, 0)}")
        assert other["state"] == "unverified", "the code of an alert is not the movement's"
        assert await own.reports() == []
        await own.say(f"BOARD 1 {code}")
        assert await own.m.stage("P1") == "boarded"


@pytest.mark.parametrize("language", list(ASK))
async def test_every_stage_in_every_language(database: str, language: str) -> None:
    async with both(database) as own:
        await own.t.sql("UPDATE person SET language = $2 WHERE person_id = $1",
                        own.t.people[0], language)  # fmt: skip
        code = await own.code()
        said = {stage: own_words[language] for stage, own_words in STAGES.items()}
        for text, stage in (
            (f"{said['staying']} مريض болен ill {code}", "staying"),
            (f"{said['ready']} {code}", "ready"),
            (f"{said['at_point']} Gate {code}", "at_point"),
            (f"{code} {said['boarded']} 1", "boarded"),
            (f"{said['arrived'].lower()} {code}", "at_point"),
        ):
            row = await own.say(text)
            assert row["state"] == "counted", (text, row["detail"])
            assert await own.m.stage("P1") == stage, text
            assert code in await own.answer()
        assert [r["how"] for r in await own.reports()] == ["sms"] * 5


async def test_what_says_too_little_is_answered_with_what_is_missing(database: str) -> None:
    async with both(database) as own:
        code = await own.code()
        for text, key in (
            (f"BOARD {code}", "which_vehicle"), (f"BOARD 77 {code}", "which_vehicle"),
            (f"AT {code}", "which_point"), (f"AT Gateway {code}", "which_point"),
            (f"STAY {code}", "why_stay"),
        ):  # fmt: skip
            row = await own.say(text)
            assert row["state"] == "not_understood", text
            assert await own.answer() == reply(key, "en", code), text  # type: ignore[arg-type]
        for text in ("not boarded 1", "shall I board 1?", "BOARD 1 or ARRIVED", "board 1 not yet"):
            assert (await own.say(f"{text} {code}"))["state"] == "not_understood", text
        assert await own.reports() == []
        await own.say(f"Stay. My mother at -1.2864,36.8172 is ill {code}")
        [made] = await own.reports()
        assert made["reason"] == "Stay. My mother at [place] is ill"


async def test_a_sponsor_speaks_for_all_of_hers_if_the_number_is_right(database: str) -> None:
    async with both(database) as own:
        await own.m.family(0, "F1")
        await own.m.family(0, "F2")
        await own.m.ask("POST", "/people", {"people": ["F1", "F2"]})
        code = await own.code()
        await own.say(f"BOARD 1 2 {code}")
        answer = await own.answer()
        assert answer == reply("moved_some", "en", code, 3, stage="BOARD 1")
        assert len(await own.reports()) == 1
        await own.say(f"BOARD 1 3 {code}")
        assert await own.answer() == reply("moved_family", "en", code, 3, stage="BOARD 1")
        assert (await own.m.exact())["boarded"] == 3
        await own.say(f"ARRIVED 3 {code}")
        assert (await own.m.exact())["at_point"] == 3


async def test_the_apps_signature_vouches_and_each_counts_once(database: str) -> None:
    async with both(database) as own:
        app = await own.t.app(0)
        then = datetime.now(UTC) - timedelta(minutes=50)
        boarded, arrived = app.text("B1", then), app.text("V", then + timedelta(minutes=40))
        for text in (arrived, app.text("R", then - timedelta(minutes=5)), boarded):
            assert (await own.say(text, STRANGER))["detail"] == "by its signature"
        assert await own.m.stage("P1") == "at_point", "by when it was, not when it came"
        again = await own.say(f" {boarded}", BEN)
        assert (again["state"], len(await own.reports())) == ("refused", 3)
        forged = boarded.replace(" B1 ", " B2 ")
        assert (await own.say(forged))["state"] == "refused"
        old = app.text("B1", then - timedelta(hours=80))
        assert (await own.say(old))["detail"] == "signed, but its time cannot be"
        assert (await own.say(app.text("B77")))["state"] == "not_understood"
        moved = {r[0] for r in await own.t.sql("SELECT person_id FROM movement_person")}
        other = await own.t.app(next(n for n, p in enumerate(own.t.people) if p not in moved))
        assert (await own.say(other.text("V")))["detail"] == "in no movement that goes on"
        assert len(await own.reports()) == 3
        await own.m.exact()


async def test_five_wrong_codes_lock_and_help_still_counts(database: str) -> None:
    async with both(database) as own:
        code = await own.code()
        for n in range(5):
            await own.say(f"BOARD 1 9999{'ACDEF'[n]}")
        locked = await own.say(f"BOARD 1 {code}")
        assert (locked["state"], locked["detail"]) == ("refused", "the code is locked")
        assert await own.reports() == []
        called = await own.say("BOARD 1 help")
        assert (called["state"], called["said"]) == ("unverified", "need_help")


async def test_an_exercise_says_so_and_vouches_for_nothing_in_earnest(database: str) -> None:
    async with both(database, exercise=True) as own:
        alert_id = await own.t.here.station.open_rollcall()
        code = await own.code()
        row = await own.say(f"Arrived safe {code}")
        assert (row["state"], row["said"]) == ("counted", "arrived")
        assert (await own.answer()).startswith("EXERCISE: Recorded: ARRIVED")
        await own.say(f"SAFE {code}")
        assert await own.t.status(alert_id, 0) == "unaccounted"
        await own.say(f"HELP {code}")
        assert await own.t.status(alert_id, 0) == "need_help"


async def test_arrived_safe_is_both(database: str) -> None:
    async with both(database) as own:
        alert_id = await own.t.here.station.open_rollcall()
        await own.say(f"Arrived safe {await own.code()}")
        assert await own.t.status(alert_id, 0) == "safe"
        assert [r["stage"] for r in await own.reports()] == ["arrived"]


async def test_no_code_is_of_two_kinds(database: str) -> None:
    async with both(database) as own:
        t, m = own.t, own.m
        letters = list("34679ACDEFGHJKMNPQRTUVWXY")
        await t.sql(ALL_CODES, m.movement, t.people[0], letters)
        alert_id = await t.here.station.open_rollcall()
        await t.sql("SELECT give_codes($1, $2)", alert_id, t.people)
        due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for n in range(8):
            body = {"id": str(uuid4()), "kind": "journey", "due_at": due, "grace_s": 60}
            made = await m.desk.call("POST", "/v1/watches", {**body, "for": f"P{n + 1}"})
            assert made.status_code == 201, made.text
        await t.sql("SELECT give_watch_codes((SELECT array_agg(watch_id) FROM watch))")
        assert await t.value("SELECT count(*) FROM answer_code") == len(t.people)
        assert await t.value("SELECT count(*) FROM watch_code") == 8
        assert await t.sql(TWICE) == []


# -- words


@pytest.mark.parametrize(
    ("text", "stage", "code", "numbers"),
    [
        ("BOARD 12", "boarded", None, [12]), ("board 3467", "boarded", None, [3467]),
        ("BOARD 3467 K7Q3", "boarded", "K7Q3", [3467]), ("BOARD 12 3467", "boarded", "3467", [12]),
        ("BOARD K7Q3 3467", "boarded", "K7Q3", [3467]),
        ("K7Q3 on board 12 4", "boarded", "K7Q3", [12, 4]),
        ("We have arrived K7Q3", "arrived", "K7Q3", []), ("我们已经上车12", "boarded", None, [12]),
        ("I'm ready", "ready", None, []), ("je reste, enfant malade", "staying", None, []),
    ],
)  # fmt: skip
def test_a_stage_that_comes_first_is_read(
    text: str, stage: str, code: str | None, numbers: list[int]
) -> None:
    stated = understand(text).stated
    assert stated is not None
    assert (stated.stage, stated.code, stated.numbers) == (stage, code, numbers)


@pytest.mark.parametrize(
    "text",
    ["when do we board 12?", "the bus arrived", "not ready", "they boarded 12", "Ben is at Gate",
     "не готов", "没有上车", "لم نصل", "board 12, arrived", "safe", "DONE K7Q3"],
)  # fmt: skip
def test_what_is_no_stage_of_the_senders_is_not_read(text: str) -> None:
    assert understand(text).stated is None


def test_the_words_are_in_the_form_texts_are_brought_to() -> None:
    every = [p for phrases in words.STAGES.values() for p in phrases]
    assert len(every) == len(set(every)), "of one stage each"
    for word in [*every, *words.ONESELF]:
        assert " ".join(rules.tidy(word)) == word


@given(text=st.text(max_size=80), stage=st.sampled_from(sorted(words.STAGES)), data=st.data())
def test_a_call_for_help_overrides_and_no_text_breaks_it(
    text: str, stage: str, data: st.DataObject
) -> None:
    word = data.draw(st.sampled_from(sorted(words.STAGES[stage])))
    understand(f"{word} {text}")
    said = understand(f"{word} {text} help")
    assert (said.status, said.stated) == ("need_help", None)


@pytest.mark.parametrize("language", list(ASK))
def test_a_printed_word_is_understood_and_answers_are_short(language: str) -> None:
    for stage, own in STAGES.items():
        stated = understand(f"{own[language]} 12 K7Q3M").stated
        assert stated is not None
        assert (stated.stage, stated.code) == (stage, "K7Q3M")
    longest = max((own[language] for own in STAGES.values()), key=len)
    for key in ("moved", "moved_family", "moved_some"):
        answer = reply(key, language, "K7Q3M9A", 12, drill=True, stage=f"{longest} 1234")
        assert segments(answer).count <= 2, (key, language)
    assert HELP[language] in reply("moved", language, "K7Q3M", stage=longest)


def test_the_job_is_known_where_it_is_run() -> None:
    from server.relocation.jobs import handlers

    assert understanding.STAGE in handlers(None)  # type: ignore[arg-type]
