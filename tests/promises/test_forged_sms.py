"""Promise 10: a forged text marks nobody safe.

Forged, replayed and genuine texts come to the gateway's address in any order: of each genuine one
exactly one copy counts, of the forged ones none, and every forged panic is shown UNVERIFIED. The
short form brings 800 of each, `MUSTER_LONG=1` brings 10,000; 50 come through a real Kannel.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clients.simulator.smpp import SmsCentre
from server.checkin.sms import deciding, signed
from server.checkin.sms.store import SQL
from server.people.asking import CODE_ALPHABET
from tests.promises.places import LONG
from tests.promises.test_kannel import served
from tests.relocation.moving import Moving
from tests.support.kannel import quiet_port, running
from tests.support.texts import SECRET, App, Texting, texting

EACH = 10_000 if LONG else 800
FEW = 200  # for the controls
PEOPLE = 30
AT_ONCE = 16
CHANCE = random.Random(10)
NO_COUNTER = "SELECT $3::uuid WHERE $1::uuid IS NOT NULL AND $2::bigint IS NOT NULL"
COUNTED = "SELECT count(*)::int FROM checkin"
WATCHES = """
    INSERT INTO watch (operation_id, watch_id, kind, person_id, counts_from, due_at, grace_s,
                       turn_at, said_at, created_by)
    SELECT current_operation(), gen_random_uuid(), 'journey', p.person_id, now(),
           now() + interval '1 hour', 0, now() + interval '1 hour', now(), 'test' FROM person p
"""
CODES = "SELECT give_watch_codes((SELECT array_agg(watch_id) FROM watch))"
MOVED = "SELECT count(*)::int FROM watch_fact WHERE what IN ('done', 'extended', 'superseded')"
STAND = "SELECT count(*) FROM watch WHERE state = 'running' AND round = 0"
PANICS = """
    SELECT count(*) FROM inbound_sms i WHERE said = 'panic' AND state = 'unverified'
      AND EXISTS (SELECT FROM help_call h WHERE NOT h.verified
                  AND (h.person_id = i.person_id OR h.person_id IS NULL AND h.sender = i.sender))
"""


@dataclass
class Said:
    """One text on its way: from whom, and its words."""

    sender: str
    words: str


def number(n: int) -> str:
    return f"+2547000{n:05d}"


def stranger() -> str:
    return f"+2547999{CHANCE.randrange(100_000):05d}"


def genuine(apps: list[App]) -> list[Said]:
    """Three texts of each phone: safe, then in need of help, then away."""
    now = datetime.now(UTC)
    return [
        Said(number(n), app.text(letter, now - timedelta(minutes=ago)))
        for n, app in enumerate(apps)
        for letter, ago in (("S", 30), ("H", 20), ("A", 10))
    ]


def forged_signed(apps: list[App], letter: str) -> str:
    """A text of the app's form that its phone did not sign: one of the ways to try."""
    app, other = CHANCE.sample(apps, 2)
    counter, at = CHANCE.randrange(10**9), datetime.now(UTC)
    good = signed.write(app.key, app.id5, counter, at, "H", "").split()
    tries: list[Any] = [
        lambda: signed.write(other.key, app.id5, counter, at, letter),  # type: ignore[arg-type]
        lambda: signed.write(b"", "Y9999", counter, at, letter),  # type: ignore[arg-type]
        lambda: " ".join([*good[:4], letter if letter != "H" else "S", good[5]]),
        lambda: " ".join([*good[:2], str(counter + 1), good[3], letter, good[5]]),
        lambda: " ".join([*good[:4], letter, "".join(CHANCE.choices("ABCDEFGHIJ234567", k=8))]),
        lambda: " ".join([*good[:4], letter, good[5], "-1.29,36.82"]),
    ]
    return str(CHANCE.choice(tries)())


def forged(apps: list[App], each: int) -> list[Said]:
    """Signed forms that are not, guessed codes, words without one. Panics: one in five."""
    made: list[Said] = []
    for n in range(each):
        if n % 5 == 0:
            made.append(Said(stranger(), forged_signed(apps, "P")))
        elif n % 5 == 1:
            guess = "9" + "".join(CHANCE.choices(CODE_ALPHABET, k=3))
            made.append(Said(CHANCE.choice([stranger(), number(n % PEOPLE)]), f"SAFE {guess}"))
        elif n % 5 == 2:
            made.append(Said(number(CHANCE.randrange(PEOPLE)), CHANCE.choice(["SAFE", "I am ok"])))
        else:
            made.append(Said(number(CHANCE.randrange(PEOPLE)), forged_signed(apps, "S")))
    return made


async def come_in(t: Texting, texts: list[Said]) -> None:
    """All of them, in any order, many at once; then they are understood."""
    CHANCE.shuffle(texts)
    room = asyncio.Semaphore(AT_ONCE)

    async def bring(said: Said) -> None:
        async with room:
            assert (await t.bring(said.sender, said.words)).status_code == 200

    reading = asyncio.create_task(keep_reading(t))
    await asyncio.gather(*(bring(said) for said in texts))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await t.sql("UPDATE inbound_sms SET due_at = now() WHERE state = 'received'")
    await t.understand()


async def keep_reading(t: Texting) -> None:
    while True:
        if not await t.reading.turn():
            await asyncio.sleep(0.05)


async def scene(t: Texting) -> tuple[UUID, list[App]]:
    """A roll call of half an hour ago; everybody has a number, and a phone with the app."""
    apps = []
    for n in range(PEOPLE):
        await t.number(n, number(n))
        apps.append(await t.app(n))
    alert_id = await t.here.station.open_rollcall()
    await t.sql("UPDATE alert SET counts_from = counts_from - interval '1 hour', population = 30")
    await t.sql("SELECT give_codes($1, $2)", alert_id, t.people)
    return alert_id, apps


async def standing(t: Texting, alert_id: UUID) -> Counter[str]:
    sql = "SELECT status FROM alert_person WHERE alert_id = $1"
    return Counter(r["status"] for r in await t.sql(sql, alert_id))


async def accepted_of_forged(t: Texting, each: int) -> int:
    """How many reports forged texts made."""
    _, apps = await scene(t)
    await come_in(t, forged(apps, each))
    return int(await t.value(COUNTED))


async def accepted_of_replayed(t: Texting, each: int) -> tuple[int, Counter[str]]:
    """How many reports the genuine texts and all their copies made, and how people stand then."""
    alert_id, apps = await scene(t)
    own = genuine(apps)
    copies = [Said(stranger(), CHANCE.choice(own).words) for _ in range(each)]
    await come_in(t, [*own, *copies])
    return int(await t.value(COUNTED)), await standing(t, alert_id)


async def test_forged_texts_mark_nobody_and_every_panic_is_shown(database: str) -> None:
    async with texting(database, people=PEOPLE) as t:
        assert await accepted_of_forged(t, EACH) == 0
        panics = await t.value("SELECT count(*) FROM inbound_sms WHERE body LIKE 'M1 % P %'")
        assert panics >= EACH / 5 * 0.9, "some may be the same words of one number"
        assert await t.value(PANICS) == panics
        raised = await t.value("SELECT sum(1 + repeated) FROM help_call")
        again = "SELECT count(*) + sum(repeated) FROM inbound_sms WHERE said = 'panic'"
        assert raised == await t.value(again), "each press is counted"
        assert not await t.value("SELECT count(*) FROM help_call WHERE verified")


def guessed(each: int) -> list[Said]:
    """Words about watches with a code that is guessed, or with none."""
    made: list[Said] = []
    for n in range(each):
        guess = "" if n % 4 == 0 else "9" + "".join(CHANCE.choices(CODE_ALPHABET, k=3))
        word = CHANCE.choice(["DONE", "EXTEND 600", "ГОТОВО", "完成", "EXTEND 23:59"])
        sender = stranger() if n % 3 == 0 else number(n % PEOPLE)
        made.append(Said(sender, f"{word} {guess}".strip()))
    return made


async def moved_by_guesses(t: Texting, each: int) -> int:
    """How many words about watches of 30 people were believed."""
    await scene(t)
    await t.sql(WATCHES)
    await t.sql(CODES)
    known = await own_codes(t)
    texts = [s for s in guessed(each) if s.words.split()[-1] not in known]
    await come_in(t, texts)
    return int(await t.value(MOVED))


async def own_codes(t: Texting) -> set[str]:
    """The codes there are: a guess that hits one is no forgery of a mechanism."""
    return {r["code"] for r in await t.sql("SELECT code FROM watch_code")}


async def test_no_guessed_or_bare_word_moves_a_watch(database: str) -> None:
    async with texting(database, people=PEOPLE) as t:
        assert await moved_by_guesses(t, EACH) == 0
        assert await t.value(STAND) == PEOPLE


@pytest.mark.skipif(LONG, reason="a control needs no long form")
async def test_without_the_code_guesses_would_end_watches(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_code = SQL.codes.replace("k.code = $1", "length($1) > 0")
    assert any_code != SQL.codes
    monkeypatch.setitem(SQL.blocks, "codes", any_code)
    async with texting(database, people=PEOPLE) as t:
        assert await moved_by_guesses(t, FEW) > 0


def pretended(apps: list[App], known: set[str], each: int) -> list[Said]:
    """Words about a movement with a guessed code or none, and forged ones of the app's form."""
    made: list[Said] = []
    for n in range(each):
        word = CHANCE.choice(["BOARD 1", "ARRIVED", "READY", "AT Gate", "STAY ill", "上车 1"])
        guess = "9" + "".join(CHANCE.choices(CODE_ALPHABET, k=3))
        sender = stranger() if n % 3 == 0 else number(n % PEOPLE)
        if n % 4 == 1:
            made.append(Said(sender, forged_signed(apps, CHANCE.choice(["B1", "V", "R"]))))
        elif n % 4 and guess not in known:
            made.append(Said(sender, f"{word} {guess}"))
        else:
            made.append(Said(sender, word))
    return made


async def stages_of_forged(t: Texting, each: int) -> int:
    """How many reports of stages forged texts made of 30 people in a movement."""
    _, apps = await scene(t)
    m = Moving(t.here, await t.desk())
    await m.begin(origins=["A1", "A2", "A3", "A4"])
    await t.sql("SELECT give_movement_codes($1, $2)", m.movement, t.people)
    known = {r["code"] for r in await t.sql("SELECT code FROM movement_code")}
    await come_in(t, pretended(apps, known, each))
    await t.here.work()
    assert (await m.exact()).total() == PEOPLE
    return int(await t.value("SELECT count(*)::int FROM stage_report"))


async def test_no_forged_text_moves_anybody(database: str) -> None:
    async with texting(database, people=PEOPLE) as t:
        assert await stages_of_forged(t, EACH) == 0
        bare = "SELECT count(*) FROM inbound_sms WHERE state = 'unverified' AND said = 'boarded'"
        assert await t.value(bare) > 0, "kept and shown"


@pytest.mark.skipif(LONG, reason="a control needs no long form")
@pytest.mark.parametrize("mechanism", ["code", "signature"])
async def test_without_what_vouches_forged_stages_would_count(
    database: str, monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    if mechanism == "code":
        any_code = SQL.codes.replace("k.code = $1", "length($1) > 0")
        monkeypatch.setitem(SQL.blocks, "codes", any_code)
    else:
        monkeypatch.setattr(deciding, "is_genuine", lambda *_: True)
    async with texting(database, people=PEOPLE) as t:
        assert await stages_of_forged(t, FEW) > 0


async def test_of_copies_in_any_order_one_counts(database: str) -> None:
    async with texting(database, people=PEOPLE) as t:
        made, stand = await accepted_of_replayed(t, EACH)
        assert (made, stand) == (3 * PEOPLE, Counter(away=PEOPLE))


async def test_through_kannel_none_counts_either(database: str, tmp_path: Path) -> None:
    """50 forged texts and one that is not, from a centre by SMPP through bearerbox and smsbox."""
    port = quiet_port()
    address = f"http://muster:{SECRET}@127.0.0.1:{port}/v1/inbound/sms/kannel"
    async with (
        SmsCentre() as centre,
        texting(database, people=PEOPLE, kinds=["kannel"]) as t,
        served(t.here.api.asgi, port),
        running(tmp_path, address, centre) as kannel,
    ):
        alert_id, apps = await scene(t)
        texts = {(s.sender, s.words) for s in forged(apps, 50)}
        good = Said(number(7), apps[7].text("S"))
        for sender, words in [*texts, (good.sender, good.words)]:
            await kannel.mobile_originated(sender, words)
        async with asyncio.timeout(60):
            while await t.value("SELECT count(*) FROM inbound_sms") <= len(texts):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await t.understand()
        assert await standing(t, alert_id) == Counter(safe=1, unaccounted=PEOPLE - 1)
        assert await t.value(COUNTED) == 1
        panics = sum(1 for _, words in texts if signed.means_panic(words))
        assert (panics > 5, await t.value(PANICS)) == (True, panics)


@pytest.mark.skipif(LONG, reason="a control needs no long form")
async def test_without_the_signature_forged_texts_would_count(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "is_genuine", lambda *_: True)
    async with texting(database, people=PEOPLE) as t:
        assert await accepted_of_forged(t, FEW) > 0


@pytest.mark.skipif(LONG, reason="a control needs no long form")
async def test_without_the_counter_copies_would_count(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SQL.blocks, "take_counter", NO_COUNTER)
    async with texting(database, people=PEOPLE) as t:
        made, _ = await accepted_of_replayed(t, FEW)
        assert made > 3 * PEOPLE
