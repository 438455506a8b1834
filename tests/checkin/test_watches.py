"""Watches over HTTP, and what a worker makes of them: reminded, missed, passed up, ended."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from server.auth import Scope
from server.checkin.watches import looker, words
from server.checkin.watches.board import Faces
from server.stream import Event
from tests.checkin.watching import watch, watching
from tests.support.http import Caller
from tests.support.seed import station

REMIND, MISSED, LEADERS, ABOVE = range(4)
LEFT = "SELECT state FROM delivery WHERE purpose = 'watch' ORDER BY queued_at"


async def test_a_journey_is_begun_once_and_ends_well(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        body = watch(
            note="via the bridge", vehicle="KBX 123", contacts=["+254700000009"], route="A104"
        )
        answers = [await phone.call("POST", "/v1/watches", body) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        made = answers[0].json()
        assert made == answers[1].json()
        assert (made["state"], made["person"]["ref"], made["vehicle"]) == (
            "running", "P1", "KBX 123",
        )  # fmt: skip
        other = await phone.call("POST", "/v1/watches", {**body, "note": "another way"})
        assert (other.status_code, other.json()["code"]) == (409, "id_reused")
        done = await phone.call("POST", f"/v1/watches/{made['id']}/done", {})
        assert (done.json()["state"], done.json()["late"]) == ("done", False)
        again = await phone.call("POST", f"/v1/watches/{made['id']}/done", {})
        assert again.json() == done.json()
        assert await w.facts(made["id"]) == ["created", "done"]
        await w.after(7200)
        assert await w.told() == []


async def test_silence_is_noticed_and_goes_up_the_tree(database: str) -> None:
    """Reminder, then overdue: herself, her warden, the alternate; the node above; the desk."""
    async with watching(database) as w:
        for n in (0, 1, 2, 3):
            await w.phone(n)
        await w.number(0, "+254700000001")
        await w.tree(top=3, warden=1, alternate=2, area_of=0)
        key = (await w.begin(await w.here.phone(0)))["id"]
        await w.look()
        assert await w.state(key) == "running"
        await w.after(3001)  # ten minutes before
        assert await w.state(key) == "reminded"
        assert set(await w.told()) == {(0, "fcm", REMIND)}
        await w.after(600)
        assert await w.state(key) == "reminded", "the grace is hers"
        await w.after(60)
        assert await w.state(key) == "overdue"
        assert set(await w.told()) == {
            (0, "fcm", REMIND), (0, "fcm", MISSED), (0, "sms", MISSED), (1, "fcm", LEADERS),
            (2, "fcm", LEADERS),
        }  # fmt: skip
        await w.after(240)
        assert (3, "fcm", ABOVE) not in await w.told()
        await w.after(61)
        assert (3, "fcm", ABOVE) in await w.told()
        assert (None, "duty", 0) not in await w.told()
        await w.after(300)
        assert (await w.told())[-1] == (None, "duty", 0)
        assert await w.facts(key) == ["created", "reminded", "overdue", "passed_up", "desk"]
        before = await w.told()
        for _ in range(5):
            await w.after(300)
        assert await w.told() == before
        assert await w.events() == 5


async def test_a_person_nobody_answers_for_is_the_desks_at_once(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0, push=False)
        await w.number(0, "+254700000001")
        await w.begin(phone)
        await w.after(3001)
        assert await w.told() == [(0, "sms", REMIND)], "she has no push: a text reminds her"
        await w.after(700)
        assert set(await w.told()) == {
            (0, "sms", REMIND), (0, "sms", MISSED), (None, "duty", 0),
        }  # fmt: skip


async def test_words_are_neutral_and_in_the_language_of_who_reads_them(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        sql = "UPDATE person SET language = 'fr' WHERE person_id = $1"
        await w.sql(sql, w.people[0])
        await w.begin(phone, note="secret", route="Kismayo")
        await w.after(3001)
        await w.after(700)
        lines = [r[0] for r in await w.sql("SELECT line FROM delivery WHERE person_id IS NOT NULL")]
        assert set(lines) == {words.REMIND["fr"], words.MISSED["fr"]}
        for table in (words.REMIND, words.MISSED, words.LEAD):
            assert table.keys() == {"en", "fr", "es", "ar", "ru", "zh"}
        data = [r[0] for r in await w.sql("SELECT data::text FROM event WHERE kind = 'watch'")]
        assert not [d for d in data if "Kismayo" in d or "secret" in d or "P1" in d]


async def test_done_and_extend_are_never_refused_for_being_late(database: str) -> None:
    async with watching(database) as w:
        phone, desk = await w.phone(0), await w.here.operator()
        key = (await w.begin(phone))["id"]
        await w.after(3700)
        assert await w.state(key) == "overdue"
        due = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        longer = await phone.call("POST", f"/v1/watches/{key}/extend", {"due_at": due})
        assert (longer.status_code, longer.json()["state"], longer.json()["late"]) == (
            200, "running", True,
        )  # fmt: skip
        assert (longer.json()["overdue_at"], longer.json()["round"]) == (None, 1)
        await w.after(7300)
        assert await w.state(key) == "overdue", "its second deadline fires too, once"
        ended = await phone.call("POST", f"/v1/watches/{key}/done", {})
        assert (ended.json()["state"], ended.json()["late"]) == ("done", True)
        shown = await w.get(desk, key)
        assert [(f["what"], f["late"]) for f in shown["timeline"]] == [
            ("created", False), ("overdue", True), ("extended", True), ("overdue", True),
            ("done", True),
        ]  # fmt: skip
        after = await phone.call("POST", f"/v1/watches/{key}/extend", {"due_at": due})
        assert (after.status_code, after.json()["state"]) == (200, "done"), "ended stays ended"
        assert (await w.facts(key))[-1] == "extended"


async def test_words_that_come_twice_or_in_another_order_mean_what_they_meant(
    database: str,
) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        made = await w.begin(phone, kind="interval", interval_s=1800)
        path = f"/v1/watches/{made['id']}"
        now = datetime.now(UTC)
        said = [
            {"id": str(uuid4()), "due_at": (now + timedelta(hours=h)).isoformat(),
             "at": (now + timedelta(seconds=h)).isoformat(),
             "sent_at": (now + timedelta(seconds=9)).isoformat()}
            for h in (2, 3)
        ]  # fmt: skip
        await w.pass_s(30)
        later = await phone.call("POST", f"{path}/extend", said[1])
        earlier = await phone.call("POST", f"{path}/extend", said[0])
        assert earlier.json()["due_at"] == later.json()["due_at"], "the latest word stands"
        assert (await w.facts(made["id"]))[-1] == "superseded"
        again = await phone.call("POST", f"{path}/extend", said[1])
        assert again.json() == earlier.json()
        other = await phone.call("POST", f"{path}/done", {"id": said[1]["id"]})
        assert (other.status_code, other.json()["code"]) == (409, "id_reused")
        old = {"at": (now - timedelta(hours=1)).isoformat(), "sent_at": now.isoformat()}
        stale = await phone.call("POST", f"{path}/done", old)
        assert stale.json()["due_at"] == later.json()["due_at"]


async def test_an_arrival_of_before_it_was_extended_ends_no_journey(database: str) -> None:
    """She went on: the desk heard it by radio, before her phone was heard again."""
    async with watching(database) as w:
        phone, desk = await w.phone(0), await w.here.operator()
        key = (await w.begin(phone))["id"]
        path, now = f"/v1/watches/{key}", datetime.now(UTC)
        due = {"due_at": (now + timedelta(hours=4)).isoformat()}
        await desk.call("POST", f"{path}/extend", due)
        old = {"at": (now - timedelta(minutes=30)).isoformat(), "sent_at": now.isoformat()}
        late = await phone.call("POST", f"{path}/done", {"id": str(uuid4()), **old})
        assert (late.status_code, late.json()["state"]) == (200, "running")
        assert await w.facts(key) == ["created", "extended", "superseded"]
        await w.after(5 * 3600)
        assert await w.state(key) == "overdue"
        done = await phone.call("POST", f"{path}/done", {})
        assert done.json()["state"] == "done"


async def test_done_of_before_its_watch_came_on_record_ends_it(database: str) -> None:
    async with watching(database) as w:
        phone, now = await w.phone(0), datetime.now(UTC)
        key = (await w.begin(phone))["id"]
        old = {"at": (now - timedelta(minutes=30)).isoformat(), "sent_at": now.isoformat()}
        done = await phone.call("POST", f"/v1/watches/{key}/done", old)
        assert done.json()["state"] == "done", "both were uploaded late"


async def test_an_interval_goes_on_with_each_report_until_one_is_missed(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        key = (await w.begin(phone, 1800, kind="interval", interval_s=1800, grace_s=0))["id"]
        await w.pass_s(1000)
        await w.report(phone)
        await w.after(800)  # its first deadline: a report has come since
        assert (await w.state(key), await w.told()) == ("running", [])
        assert await w.facts(key) == ["created", "covered"]
        await w.pass_s(100)
        done = await phone.call("POST", f"/v1/watches/{key}/done", {})
        assert done.json()["round"] == 2
        await w.after(1799)
        assert await w.state(key) == "reminded"
        await w.after(2)
        assert await w.state(key) == "overdue"
        await w.report(phone)
        await w.after(61)
        assert (await w.state(key), await w.value("SELECT late FROM watch")) == ("running", True)


async def test_a_call_for_help_covers_nothing(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        key = (await w.begin(phone, 1800, kind="interval", interval_s=1800))["id"]
        await w.pass_s(1000)
        await w.report(phone, ago_s=60)
        await w.report(phone, "need_help")
        await w.after(900)
        assert await w.state(key) == "overdue"


async def test_a_word_from_the_road_is_no_arrival_but_one_near_the_end_is(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        key = (await w.begin(phone))["id"]
        await w.report(phone)
        await w.after(3700)
        assert await w.state(key) == "overdue"
        await w.sql("UPDATE watch SET ended_at = now(), turn_at = NULL, state = 'cancelled'")
        third = (await w.begin(phone))["id"]
        await w.after(3100)
        assert await w.state(third) == "reminded"
        await w.report(phone)
        await w.after(600)
        assert await w.state(third) == "done"
        stopped = {r[0] for r in await w.sql(LEFT + " DESC LIMIT 1")}
        assert stopped == {"stopped"}, "what was to remind her is not sent any more"


async def test_a_companion_speaks_for_the_convoy_unless_one_of_them_needs_help(
    database: str,
) -> None:
    async with watching(database) as w:
        first, second = await w.phone(0), await w.phone(1)
        one = (await w.begin(first, companions=["P2", "P3"]))["id"]
        await w.pass_s(3500)
        await w.report(second)
        await w.after(200)
        assert await w.state(one) == "done"
        two = (await w.begin(first, companions=["P2", "P3"]))["id"]
        await w.pass_s(3500)
        await w.report(second)
        await w.report(await w.phone(2), "need_help")
        await w.after(200)
        assert await w.state(two) == "overdue"


async def mine(who: Caller, query: str = "") -> list[str]:
    answer = await who.call("GET", f"/v1/watches{query}")
    assert answer.status_code == 200, answer.text
    return [i["id"] for i in answer.json()["items"]]


async def test_each_sees_her_own_and_a_desk_its_area(database: str) -> None:
    async with watching(database) as w:
        phones = [await w.phone(n) for n in range(2)]
        keys = [(await w.begin(p, 1000 + n))["id"] for n, p in enumerate(phones)]
        await w.tree(top=3, warden=2, alternate=5, area_of=0)
        desk, auditor = await w.here.operator(), await w.here.operator("auditor")
        officer = await w.here.operator("operator", area_id=await w.area_id(1))
        warden = await w.phone(2)
        assert await mine(desk) == await mine(auditor) == keys
        assert await mine(officer) == await mine(phones[1]) == keys[1:]
        assert await mine(warden) == await mine(phones[0]) == keys[:1]
        first = (await desk.call("GET", "/v1/watches?limit=1")).json()
        assert [first["items"][0]["id"], *await mine(desk, first["next"][11:])] == keys
        for who in (phones[1], officer):
            for verb, body in (("done", {}), ("extend", {"due_at": "2026-12-01T00:00:00Z"})):
                refused = await who.call("POST", f"/v1/watches/{keys[0]}/{verb}", body)
                assert refused.status_code == 404
            assert (await who.call("GET", f"/v1/watches/{keys[0]}")).status_code == 404
        assert (await officer.call("POST", f"/v1/watches/{keys[0]}/cancel")).status_code == 404
        assert (await phones[0].call("POST", f"/v1/watches/{keys[0]}/cancel")).status_code == 403
        assert (await auditor.call("POST", "/v1/watches", watch())).status_code == 403
        gone = await desk.call("POST", f"/v1/watches/{keys[0]}/cancel")
        assert gone.json()["state"] == "cancelled"
        assert await mine(desk, "?open=true") == keys[1:]
        assert await mine(desk, "?state=cancelled") == keys[:1]
        theirs = await w.begin(desk, **{"for": "P9"})
        assert theirs["created_by"] == "admin"
        unnamed = await desk.call("POST", "/v1/watches", watch())
        assert (unnamed.status_code, unnamed.json()["errors"][0]["path"]) == (422, "for")


async def test_desks_see_when_she_was_last_heard_of(database: str) -> None:
    async with watching(database) as w:
        phone, desk = await w.phone(0), await w.here.operator()
        key = (await w.begin(phone))["id"]
        assert (await w.get(desk, key))["watch"]["last"] == {
            "report_age_s": None, "position_age_s": None, "battery": None,
        }  # fmt: skip
        place = {"lat": 1.25, "lon": 36.5}
        said = {"id": str(uuid4()), "status": "safe", "at": datetime.now(UTC).isoformat()}
        await phone.call("POST", "/v1/checkins", {**said, "location": place, "battery": 17})
        last = (await w.get(desk, key))["watch"]["last"]
        assert last["battery"] == 17
        assert 0 <= last["position_age_s"] < 60
        assert 0 <= last["report_age_s"] < 60
        assert (await w.get(phone, key))["watch"]["last"] is None


async def test_the_stream_tells_of_watches_to_who_may_see_them(database: str) -> None:
    async with watching(database) as w:
        key = (await w.begin(await w.phone(0)))["id"]
        [kind] = Faces(w.here.api.db).kinds()
        assert kind.urgent
        told = [Event(1, "watch", {"watches": [key]})]
        area = await w.area_id(0)
        scopes = {
            "all": Scope(), "hers": Scope(areas=(area,)), "other": Scope(areas=(area + 1,)),
            "warden": Scope(nodes=(1,), people=frozenset(w.people[:1])),
            "another": Scope(nodes=(1,), people=frozenset(w.people[1:])),
        }  # fmt: skip
        seen: dict[str, Any] = {
            name: await kind.render(w.operation_id, scope, told) for name, scope in scopes.items()
        }
        assert [name for name, face in seen.items() if face is None] == ["other", "another"]
        assert UUID(str(seen["warden"]["watches"][0]["id"])) == UUID(key)


async def test_bad_watches_are_refused_by_field(database: str) -> None:
    async with watching(database) as w:
        phone = await w.phone(0)
        for wrong, path in (
            ({"kind": "interval"}, "interval_s"),
            ({"interval_s": 600}, "interval_s"),
            ({"due_at": "1999-01-01T00:00:00Z"}, "due_at"),
            ({"grace_s": -1}, "grace_s"),
            ({"for": "P99"}, None),
        ):
            refused = await phone.call("POST", "/v1/watches", watch(**wrong))  # type: ignore[arg-type]
            assert refused.status_code in (404, 422)
            if path:
                assert refused.json()["errors"][0]["path"] == path
        assert not await w.sql("SELECT FROM watch")


async def test_an_operation_that_fails_holds_up_no_other(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(database) as w:
        other = await station(w.here.api.db, 5, code="LATER")
        key = (await w.begin(await w.phone(0)))["id"]
        await w.here.api.db.fetch(
            other.operation_id,
            "INSERT INTO watch (operation_id, watch_id, kind, person_id, counts_from, due_at,"
            " grace_s, turn_at, said_at, created_by) VALUES (current_operation(),"
            " gen_random_uuid(), 'journey', $1, now(), now(), 0, now(), now(), 'test')",
            other.people[0],
        )
        look = looker.look

        async def failing(db: Any, operation_id: int, texted: Any) -> int:
            if operation_id == w.operation_id:
                raise ArithmeticError
            return await look(db, operation_id, texted)

        monkeypatch.setattr(looker, "look", failing)
        await w.pass_s(7200)
        with pytest.raises(ArithmeticError):
            await w.looker.turn()
        state = "SELECT state FROM watch"
        [row] = await w.here.api.db.fetch(other.operation_id, state)
        assert row["state"] == "overdue"
        assert await w.state(key) == "running"
        monkeypatch.undo()
        await w.look()
        assert await w.state(key) == "overdue"


async def test_a_warden_of_many_is_told_once_and_each_of_them_of_her_own(database: str) -> None:
    async with watching(database, people=40) as w:
        here = [n for n in range(40) if await w.area_id(n) == await w.area_id(0)]
        await w.tree(top=1, warden=2, alternate=3, area_of=0)
        for n in (0, 2):
            await w.phone(n)
        desk = await w.here.operator()
        for n in (0, *here):
            await w.begin(desk, **{"for": f"P{n + 1}"})
        await w.after(3700)
        told = await w.told()
        assert told.count((2, "fcm", LEADERS)) == 1
        assert told.count((0, "fcm", MISSED)) == 2, "she has two, and ending one leaves the other"
