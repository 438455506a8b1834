"""Taking a panic back: a PIN, and another one of which nobody but the desk must ever learn."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from server.alerts.panics import pins
from tests.alerts.panics import Scene, scene

PIN, DURESS = "4711", "8020"


async def with_pins(s: Scene, n: int) -> None:
    answer = await (await s.phone(n)).call(
        "PUT", "/v1/self/pin", {"pin": PIN, "duress_pin": DURESS}
    )
    assert answer.status_code == 204, answer.text


async def cancel(s: Scene, n: int, panic: str, pin: str) -> httpx.Response:
    return await s.act(panic, "cancel", {"pin": pin}, await s.phone(n))


def told(answer: httpx.Response) -> tuple[Any, ...]:
    """All that goes over the line, but for the request's own number."""
    headers = [(k, v) for k, v in answer.headers.raw if k.lower() != b"x-request-id"]
    return answer.status_code, headers, answer.content


async def test_her_pin_takes_it_back_and_a_human_still_looks(database: str) -> None:
    async with scene(database) as s:
        await with_pins(s, 3)
        alert_id = await s.site.station.open_rollcall()
        panic = (await s.press(3))["panic_id"]
        await s.work()
        wrong = await cancel(s, 3, panic, "0000")
        assert (wrong.status_code, wrong.json()["code"]) == (403, "pin_wrong")
        assert (await s.get(panic)).json()["state"] == "open"
        right = await cancel(s, 3, panic, PIN)
        assert right.json() == {"panic_id": panic, "state": "cancelled"}
        assert (await cancel(s, 3, panic, PIN)).json() == right.json()
        face = (await s.get(panic)).json()
        facts = {f["kind"]: f["detail"] for f in face["facts"]}
        assert list(facts) == ["raised", "wrong_pin", "cancelled"]
        assert facts["cancelled"] == {"within_countdown": True}
        await s.later(600)
        assert await s.value("SELECT count(*) FROM delivery WHERE state <> 'stopped'") == 0
        shown = (await s.desk.call("GET", "/v1/panics?open=true")).json()["items"]
        assert [p["id"] for p in shown] == [panic], "until a human has seen to it"
        assert await s.status(3, alert_id) == "need_help"
        assert (await s.act(panic, "resolve", {"outcome": "helped"})).status_code == 409
        closed = await s.act(panic, "close", {"outcome": "false_alarm"})
        assert closed.json()["state"] == "closed"
        assert await s.status(3, alert_id) == "unaccounted"
        assert (await s.desk.call("GET", "/v1/panics?open=true")).json()["items"] == []
        assert (await s.press(3))["status"] == 201, "and she may press again"


async def test_only_her_own_phone_and_only_with_a_pin(database: str) -> None:
    async with scene(database) as s:
        panic = (await s.press(3))["panic_id"]
        unset = await cancel(s, 3, panic, PIN)
        assert (unset.status_code, unset.json()["code"]) == (409, "pin_not_set")
        await with_pins(s, 3)
        await with_pins(s, 4)
        assert (await cancel(s, 4, panic, PIN)).status_code == 404
        assert (await s.act(panic, "cancel", {"pin": PIN})).status_code == 403


async def test_the_duress_pin_answers_the_same_bytes_and_raises_a_silent_one(
    database: str,
) -> None:
    async with scene(database) as s:
        await with_pins(s, 3)
        alert_id = await s.site.station.open_rollcall()
        key, moment = str(uuid4()), datetime.now(UTC).isoformat()
        answers = []
        for pin in (PIN, DURESS):
            await clear(s)
            panic = (await s.press(3, id=key, at=moment))["panic_id"]
            before = await s.told()
            answers.append(told(await cancel(s, 3, panic, pin)))
            await s.work()
            own = await (await s.phone(3)).call("GET", "/v1/self")
            assert own.json()["panic"] is None
            assert [t for t in await s.told() if t not in before and t[1] != "duty"] == []
        assert answers[0] == answers[1]
        rows = await s.sql("SELECT state, duress, covert FROM panic ORDER BY duress")
        assert [tuple(r) for r in rows] == [("cancelled", False, False), ("open", True, True)]
        silent = await s.value("SELECT panic_id::text FROM panic WHERE duress")
        facts = (await s.get(silent)).json()["facts"]
        assert facts[0]["detail"] == {"source": "app", "after": panic}
        auditor, warden = await s.site.operator("auditor"), await s.phone(1)
        for caller in (auditor, warden):
            assert (await s.get(silent, "", caller)).status_code == 404
            listed = (await caller.call("GET", "/v1/panics")).text
            assert silent not in listed
        hers = await s.act(silent, "cancel", {"pin": PIN}, await s.phone(3))
        assert hers.status_code == 404, "her phone knows of no such panic"
        await s.act(panic, "close", {"outcome": "false_alarm"})
        assert await s.status(3, alert_id) == "unaccounted", "it touches no count"
        fresh = await s.press(3)
        assert (fresh["status"], fresh["merged"]) == (201, False), "nor does a press tell of it"


async def clear(s: Scene) -> None:
    """Puts the scene back to before any panic, past the timeline's own protection."""
    con = await asyncpg.connect(s.site.api.db.dsn)
    await con.execute(
        "TRUNCATE panic, panic_press, panic_fact, panic_position, panic_access, panic_helper;"
        "DELETE FROM delivery; DELETE FROM job"
    )
    await con.close()


async def test_both_pins_leave_the_same_rows_but_for_one_word(database: str) -> None:
    """What a reader of the database's traffic could tell them apart by is one job's payload."""
    async with scene(database) as s:
        await with_pins(s, 3)
        left = []
        for pin in (PIN, DURESS):
            panic = (await s.press(3))["panic_id"]
            await s.sql("DELETE FROM job")
            await cancel(s, 3, panic, pin)
            jobs = await s.sql("SELECT kind, lane, payload FROM job")
            facts = await s.sql(
                "SELECT kind, detail FROM panic_fact WHERE panic_id = $1 ORDER BY fact_id", panic
            )
            payload = json.loads(jobs[0]["payload"])
            assert payload.pop("duress") == (pin == DURESS)
            left.append((len(jobs), jobs[0]["kind"], sorted(payload), [tuple(f) for f in facts]))
        assert left[0] == left[1]


async def test_both_are_asked_whatever_the_first_says(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = pins._is
    monkeypatch.setattr(pins, "_is", lambda kept, pin: asked.append(kept) or real(kept, pin))
    async with scene(database) as s:
        await with_pins(s, 3)
        for pin in (PIN, DURESS, "0000"):
            await cancel(s, 3, (await s.press(3))["panic_id"], pin)
        assert len(asked) == 6
        assert asked[:2] == asked[2:4] == asked[4:]


async def test_a_new_pin_needs_the_old_one(database: str) -> None:
    async with scene(database) as s:
        await with_pins(s, 3)
        phone = await s.phone(3)
        new = {"pin": "1234", "duress_pin": "5678"}
        for old in ({}, {"old_pin": "0000"}):
            refused = await phone.call("PUT", "/v1/self/pin", {**new, **old})
            assert (refused.status_code, refused.json()["code"]) == (403, "pin_wrong")
        for bad in ({"pin": "12"}, {"pin": "12ab"}, {"duress_pin": "1234"}):
            answer = await phone.call("PUT", "/v1/self/pin", {**new, "old_pin": PIN, **bad})
            assert answer.status_code == 422
        done = await phone.call("PUT", "/v1/self/pin", {**new, "old_pin": DURESS})
        assert done.status_code == 204
        await s.work()
        assert await s.value("SELECT count(*) FROM panic WHERE duress") == 1, "asked, so heard"
        panic = (await s.press(3))["panic_id"]
        assert (await cancel(s, 3, panic, "1234")).status_code == 200


async def verify(s: Scene, n: int, pin: str) -> httpx.Response:
    return await (await s.phone(n)).call("POST", "/v1/self/pin/verify", {"pin": pin})


async def test_the_pin_is_asked_where_no_panic_is(database: str) -> None:
    """Both PINs open the app with the same bytes and leave the same row; one is heard."""
    async with scene(database) as s:
        phone = await s.phone(3)
        assert (await phone.call("GET", "/v1/self")).json()["pin_set"] is False
        unset = await verify(s, 3, PIN)
        assert (unset.status_code, unset.json()["code"]) == (409, "pin_not_set")
        await with_pins(s, 3)
        left, answers, views = [], [], []
        for pin in (PIN, DURESS):
            await s.sql("DELETE FROM job")
            answers.append(told(await verify(s, 3, pin)))
            [job] = await s.sql("SELECT kind, lane, payload FROM job")
            payload = json.loads(job["payload"])
            assert payload.pop("duress") == (pin == DURESS)
            del payload["press_id"]
            left.append((job["kind"], job["lane"], payload))
            await s.work()
            view = (await phone.call("GET", "/v1/self")).json()
            views.append({**view, "server_time": None})
            raised = await s.sql("SELECT person_id FROM panic WHERE duress AND covert")
            assert len(raised) == (pin == DURESS)
        assert answers[0] == answers[1]
        assert answers[0][2] == b'{"ok":true}'
        assert left[0] == left[1]
        assert views[0] == views[1]
        assert views[0]["pin_set"] is True
        assert await s.value("SELECT count(*) FROM event") == 1, "a desk of the whole is told"
        assert {t[1] for t in await s.told()} == {"duty"}


async def test_guesses_count_wherever_they_are_made(database: str) -> None:
    async with scene(database) as s:
        await with_pins(s, 3)
        panic = (await s.press(3))["panic_id"]
        wrong = [await cancel(s, 3, panic, "0000"), await verify(s, 3, "0000")]
        assert [w.json() for w in wrong] == [wrong[0].json()] * 2
        assert wrong[0].json()["code"] == "pin_wrong"
        codes = [(await verify(s, 3, f"{n:04}")).status_code for n in range(4)]
        assert codes == [403] * 3 + [429]
        assert (await cancel(s, 3, panic, PIN)).status_code == 429
        assert (await verify(s, 3, DURESS)).status_code == 429, "nor does duress tell of itself"


async def reset(s: Scene, ref: str, by: Any = None) -> httpx.Response:
    answer: httpx.Response = await (by or s.desk).call("DELETE", f"/v1/people/{ref}/pin")
    return answer


async def test_a_desk_of_the_whole_operation_forgets_a_forgotten_pin(database: str) -> None:
    async with scene(database) as s:
        await with_pins(s, 3)
        area = await s.value("SELECT area_id FROM person WHERE ref = 'P4'")
        refused = [
            await s.site.operator("auditor"), await s.site.operator("operator", area_id=area),
            await s.phone(1), await s.phone(3),
        ]  # fmt: skip
        assert [(await reset(s, "P4", by)).status_code for by in refused] == [403] * 4
        for ref in ("NOBODY", "%00", "%ED%A0%80"):
            assert (await reset(s, ref)).status_code == 404
        assert (await reset(s, "P4")).status_code == 204
        assert (await reset(s, "P4")).status_code == 204, "again does no harm"
        said = await s.sql("SELECT action, subject, detail FROM audit WHERE action = 'pin.reset'")
        assert [tuple(r) for r in said] == [("pin.reset", "P4", "{}")] * 2
        phone = await s.phone(3)
        assert (await phone.call("GET", "/v1/self")).json()["pin_set"] is False
        assert (await verify(s, 3, PIN)).json()["code"] == "pin_not_set"
        await with_pins(s, 3)
        assert (await verify(s, 3, PIN)).status_code == 200


async def test_a_reset_tells_nothing_of_duress(database: str) -> None:
    """With a silent panic and without one: the same bytes, the same rows, nothing on the stream."""
    async with scene(database) as s:
        left = []
        for n, pin in ((3, PIN), (4, DURESS)):
            await with_pins(s, n)
            await verify(s, n, pin)
            await s.work()
            before = await s.value("SELECT count(*) FROM event")
            answer = told(await reset(s, f"P{n + 1}"))
            own = (await (await s.phone(n)).call("GET", "/v1/self")).json()
            detail = await s.value("SELECT detail FROM audit WHERE subject = $1", f"P{n + 1}")
            assert await s.value("SELECT count(*) FROM event") == before
            left.append((answer, own["panic"], own["pin_set"], detail))
        assert left[0] == left[1]
        assert await s.value("SELECT state FROM panic WHERE duress") == "open"


async def test_who_guesses_is_stopped_and_who_presses_is_not(database: str) -> None:
    async with scene(database) as s:
        await with_pins(s, 3)
        panic = (await s.press(3))["panic_id"]
        found = [(await cancel(s, 3, panic, f"{n:04}")).status_code for n in range(7)]
        assert found == [403] * 5 + [429] * 2
        assert (await s.press(3))["merged"]
        assert await s.value("SELECT pin_hash FROM person_pin") != PIN
