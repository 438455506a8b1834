"""A panic: pressed, joined, told of, owned, ended; and what each viewer sees of it."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.alerts.panics import Scene, scene

PLACE = {"lat": -1.28641, "lon": 36.81727, "accuracy": 12}
NOTE = {"outcome": "helped", "note": "Car sent."}


async def test_one_press_puts_all_on_record_at_once(database: str) -> None:
    async with scene(database) as s:
        done = await s.press(3, location=PLACE, battery=41)
        assert (done["status"], done["state"], done["merged"], done["ignored"]) == (
            201, "open", False, [],
        )  # fmt: skip
        counts = {
            t: await s.value(f"SELECT count(*) FROM {t}")
            for t in ("panic", "panic_press", "panic_fact", "panic_position")
        }
        assert counts == {"panic": 1, "panic_press": 1, "panic_fact": 1, "panic_position": 1}
        assert await s.value("SELECT purpose FROM position") == "panic"
        assert await s.told() == [
            (0, "duty", -1), (0, "fcm", 1), (0, "fcm", 2), (0, "sms", 1), (0, "sms", 2),
        ]  # fmt: skip
        lanes = await s.sql("SELECT DISTINCT lane, alert_id FROM delivery")
        assert [tuple(r) for r in lanes] == [(0, None)]
        [event] = await s.sql("SELECT kind, data FROM event")
        assert event["kind"] == "panic"
        assert str(PLACE["lat"]) not in event["data"], "no coordinates in an event"


async def test_where_nobody_but_she_answers_for_her_those_above_are_told(database: str) -> None:
    async with scene(database) as s:
        await s.sql("UPDATE tree_node SET warden_id = NULL WHERE node = 'LOW'")
        await s.sql("UPDATE tree_alternate SET person_id = $1", s.site.station.people[3])
        await s.press(3)
        assert await s.told() == [(0, "duty", -1), (0, "fcm", 0), (0, "sms", 0)]


async def test_the_same_id_gets_the_same_answer_and_another_joins(database: str) -> None:
    async with scene(database) as s:
        key = str(uuid4())
        first = await s.press(3, id=key, nonsense=1)
        again = await s.press(3, id=key, sent_at="2026-11-23T10:00:00Z")
        assert first["ignored"] == ["nonsense"]
        assert {**again, "status": 0} == {**first, "status": 0}
        assert again["status"] == 200
        other = await s.press(3)
        assert (other["status"], other["panic_id"], other["merged"]) == (
            200,
            first["panic_id"],
            True,
        )
        assert await s.value("SELECT presses FROM panic") == 2
        assert await s.value("SELECT count(*) FROM delivery WHERE channel = 'duty'") == 1
        await s.act(first["panic_id"], "resolve", NOTE)
        after = await s.press(3, id=key)
        assert after["panic_id"] == first["panic_id"]
        assert await s.value("SELECT state FROM panic") == "resolved", "terminal stays terminal"
        fresh = await s.press(3)
        assert (fresh["status"], fresh["merged"]) == (201, False)


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        (b"null", ["(body)"]),
        (b"[1, 2]", ["(body)"]),
        (b"{}", []),
        (b'{"id": "x", "at": "yesterday", "battery": 900}', ["id", "at", "battery"]),
        (b'{"at": "0001-01-01T00:00:00+14:00"}', ["at"]),
        (b'{"at": "9999-12-31T23:59:59-14:00", "sent_at": 5}', ["at", "sent_at"]),
        (b'{"location": {"lat": 91, "lon": 0}}', ["location"]),
        (b'{"location": "here"}', ["location"]),
        (b'{"location": {"lat": 1, "lon": 2, "accuracy": -1, "x": 0}}',
         ["location.accuracy", "location.x"]),
        (b'{"covert": "yes", "a\\u0000b": 1, "\\ud800": 2}', ["covert", "ab", ""]),
        (b'{"for": "P9"}', ["for"]),
        (b'{"location": {"lat": NaN, "lon": 1e999}, "note": "\\ud83d"}', ["location", "note"]),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_left_out_and_named(
    database: str, body: bytes, ignored: list[str]
) -> None:
    async with scene(database) as s:
        phone = await s.phone(3)
        headers = {"authorization": f"Bearer {phone.token}"}  # and no Content-Type at all
        answer = await s.site.client.post("/v1/panics", content=body, headers=headers)
        assert answer.status_code == 201, answer.text
        assert sorted(answer.json()["ignored"]) == sorted(ignored)
        assert await s.value("SELECT count(*) FROM panic") == 1


async def test_only_the_unreadable_and_the_unknown_are_refused(database: str) -> None:
    async with scene(database) as s:
        phone = await s.phone(3)
        headers = {"authorization": f"Bearer {phone.token}"}
        for body in (b"", b"{", b"\xff", b"[" * 5000):
            answer = await s.site.client.post("/v1/panics", content=body, headers=headers)
            assert answer.status_code == 400, body
        assert (await s.site.client.post("/v1/panics", content=b"{}")).status_code == 401
        auditor = await s.site.operator("auditor")
        assert (await auditor.call("POST", "/v1/panics", {"for": "P4"})).status_code == 403


async def test_somebody_elses_id_is_no_reason_to_refuse(database: str) -> None:
    async with scene(database) as s:
        key = str(uuid4())
        hers, his = await s.press(3, id=key), await s.press(4, id=key)
        assert hers["panic_id"] == key != his["panic_id"]
        assert (his["status"], his["ignored"], his["merged"]) == (201, ["id"], False)
        assert await s.value("SELECT count(DISTINCT person_id) FROM panic") == 2


async def test_no_state_of_anything_else_stands_in_its_way(database: str) -> None:
    """An alert that ended, a warden whose push address is dead, a queue of thousands."""
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        await s.sql("UPDATE alert SET state = 'expired', closed_at = now()")
        await s.sql("UPDATE push_address SET dead_at = now()")
        await s.sql("UPDATE device SET revoked_at = now() WHERE person_id = $1",
                    s.site.station.people[1])  # fmt: skip
        full = (
            "INSERT INTO delivery (operation_id, alert_id, person_id, channel, endpoint, lane, "
            "round, expires_at) SELECT operation_id, $1, person_id, 'sms', '1', 1, n, "
            "now() + interval '1 day' FROM person, generate_series(1, 100) n"
        )
        await s.sql(full, alert_id)
        await s.sql(
            "INSERT INTO job (operation_id, kind, run_key, lane) "
            "SELECT current_operation(), 'panic.count', n::text, 1 FROM generate_series(1, 500) n"
        )
        assert (await s.press(3))["status"] == 201
        assert await s.told() == [(0, "duty", -1), (0, "sms", 1), (0, "sms", 2)]
        async with s.site.api.db.connection() as con, con.transaction():
            claimed = await con.fetch(
                "SELECT delivery_id FROM claim_deliveries(ARRAY['sms'], 2, interval '30 s')"
            )
            [job] = await con.fetch("SELECT * FROM claim_jobs(ARRAY['panic.count'], 1, '1 s')")
        ours = await s.sql("SELECT delivery_id FROM delivery WHERE panic_id IS NOT NULL")
        assert {c[0] for c in claimed} <= {o[0] for o in ours}, "hers go first"
        assert job["payload"] != "{}"


async def test_an_operator_presses_for_somebody(database: str) -> None:
    async with scene(database) as s:
        body = {"id": str(uuid4()), "for": "P4"}
        answer = await s.desk.call("POST", "/v1/panics", body)
        assert answer.status_code == 201, answer.text
        face = (await s.get(answer.json()["panic_id"])).json()
        assert (face["person"]["ref"], face["source"]) == ("P4", "desk")
        nobody = await s.desk.call("POST", "/v1/panics", {"id": str(uuid4())})
        assert nobody.status_code == 422


async def test_a_named_human_has_it_and_hands_it_over(database: str) -> None:
    async with scene(database) as s:
        panic = (await s.press(3))["panic_id"]
        taken = (await s.act(panic, "acknowledge")).json()
        assert (taken["state"], taken["owner"]["name"]) == ("acknowledged", "admin")
        assert taken["next_alert_at"] is None
        assert (await s.act(panic, "acknowledge")).status_code == 200, "again changes nothing"
        second = await s.site.operator("operator")
        clash = await s.act(panic, "acknowledge", by=second)
        assert (clash.status_code, clash.json()["code"]) == (409, "panic_owned")
        there = (await second.call("GET", "/v1/sessions")).json()["operator"]["id"]
        for operator in (999_999, 1 << 31):
            refused = await s.act(panic, "hand-over", {"operator": operator})
            assert refused.status_code == 422
        handed = (await s.act(panic, "hand-over", {"operator": there})).json()
        assert handed["owner"] == {"id": there, "name": "operator"}
        ended = (await s.act(panic, "resolve", NOTE, by=second)).json()
        assert (ended["state"], ended["outcome"]) == ("resolved", "helped")
        assert (await s.act(panic, "resolve", NOTE, by=second)).status_code == 200
        other = await s.act(panic, "resolve", {"outcome": "hoax"})
        assert (other.status_code, other.json()["code"]) == (409, "panic_over")
        assert (await s.act(panic, "acknowledge")).json()["code"] == "panic_over"
        facts = [f["kind"] for f in (await s.get(panic)).json()["facts"]]
        assert facts == ["raised", "acknowledged", "handed_over", "resolved"]


async def test_it_is_told_again_to_more_until_somebody_has_it(database: str) -> None:
    async with scene(database) as s:
        panic = (await s.press(3))["panic_id"]
        await s.work()
        assert len(await s.told()) == 5, "not before it is due"
        low = [("fcm", 1), ("fcm", 2), ("sms", 1), ("sms", 2)]
        top = [("fcm", 0), ("sms", 0)]
        rising = [[], low, low + top, low + top]
        for number, leaders in enumerate(rising, 1):
            await s.later(120)
            own = [(c, n) for r, c, n in await s.told() if r == number and c != "duty"]
            assert own == sorted(leaders), number
            assert await s.value("SELECT round FROM panic") == number
        assert await s.value("SELECT count(*) FROM delivery WHERE channel = 'duty'") == 5
        whats = [json.loads(r[0])["what"] for r in await s.sql("SELECT data FROM event")]
        assert whats.count("told_again") == 4, "consoles hear it each time"
        await s.act(panic, "acknowledge")
        before = await s.told()
        await s.later(600)
        assert await s.told() == before
        assert await s.value("SELECT count(*) FROM job WHERE kind = 'panic.realert'") == 0


async def test_its_end_stops_what_was_not_sent(database: str) -> None:
    async with scene(database) as s:
        panic = (await s.press(3))["panic_id"]
        await s.act(panic, "resolve", NOTE)
        assert await s.value("SELECT count(*) FROM delivery WHERE state <> 'stopped'") == 0
        moot = "SELECT bool_and(moot(d)) FROM delivery d WHERE panic_id = $1"
        assert await s.value(moot, (await s.sql("SELECT panic_id FROM panic"))[0][0])


async def test_positions_are_dated_kept_once_and_end_with_it(database: str) -> None:
    async with scene(database) as s:
        panic, now = (await s.press(3))["panic_id"], datetime.now(UTC)
        items = [
            {"id": str(uuid4()), "at": (now - timedelta(seconds=n)).isoformat(), "lat": 1.0 + n,
             "lon": 36.0, "accuracy": 5, "battery": 30}
            for n in (5, 0, 60)
        ]  # fmt: skip
        phone = await s.phone(3)
        first = await s.act(panic, "positions", {"items": items[:2]}, phone)
        assert (first.status_code, first.json()) == (201, {"kept": 2, "more": True})
        again = await s.act(panic, "positions", {"items": items}, phone)
        assert again.json() == {"kept": 1, "more": True}, "late ones too, repeats once"
        stranger = await s.act(panic, "positions", {"items": items}, await s.phone(4))
        assert stranger.status_code == 404
        trail = (await s.get(panic, "?reason=respond")).json()["positions"]
        assert [p["lat"] for p in trail] == [61.0, 6.0, 1.0]
        await s.act(panic, "resolve", NOTE)
        ahead = [{**items[0], "id": str(uuid4()), "at": datetime.now(UTC).isoformat()}]
        late = [{**items[0], "id": str(uuid4())}]
        over = await s.act(panic, "positions", {"items": ahead}, phone)
        assert over.json() == {"kept": 0, "more": False}
        assert (await s.act(panic, "positions", {"items": late}, phone)).json()["kept"] == 1


async def test_who_reads_positions_is_on_record(database: str) -> None:
    async with scene(database) as s:
        panic = (await s.press(3, location=PLACE))["panic_id"]
        plain = (await s.get(panic)).json()
        assert plain["positions"] is None
        assert str(PLACE["lat"]) not in json.dumps(plain)
        assert plain["position"]["accuracy"] == 12
        read = (await s.get(panic, "?reason=respond")).json()
        assert read["positions"][0]["lat"] == PLACE["lat"]
        assert [(a["reason"], a["name"], a["positions"]) for a in read["access"]] == [
            ("respond", "admin", 1)
        ]
        assert (await s.get(panic, "?reason=curious")).status_code == 422
        auditor, warden = await s.site.operator("auditor"), await s.phone(1)
        for caller in (auditor, warden):
            assert (await s.get(panic, "?reason=review", caller)).status_code == 403
            assert (await s.get(panic, "", caller)).json()["positions"] is None
        export = (await s.desk.call("GET", f"/v1/panics/{panic}/export")).json()
        assert export["format"] == "muster.panic/1"
        assert export["panic"]["positions"][0]["lon"] == PLACE["lon"]
        assert [a["reason"] for a in export["panic"]["access"]] == ["respond", "export"]
        assert (await auditor.call("GET", f"/v1/panics/{panic}/export")).status_code == 403


async def test_a_phone_says_who_has_it_only_when_that_is_so(database: str) -> None:
    async with scene(database) as s:
        phone = await s.phone(3)
        assert (await phone.call("GET", "/v1/self")).json()["panic"] is None
        panic = (await s.press(3))["panic_id"]
        own = (await phone.call("GET", "/v1/self")).json()["panic"]
        assert (own["id"], own["state"], own["owner"]) == (panic, "open", None)
        await s.act(panic, "acknowledge")
        own = (await phone.call("GET", "/v1/self")).json()["panic"]
        assert (own["state"], own["owner"]) == ("acknowledged", "admin")
        assert (await phone.call("GET", "/v1/self")).json()["last_panic"] is None
        await s.act(panic, "resolve", NOTE)
        after = (await phone.call("GET", "/v1/self")).json()
        assert after["panic"] is None
        last = after["last_panic"]
        assert (last["id"], last["state"], last["outcome"]) == (panic, "resolved", NOTE["outcome"])
        silent = (await s.press(3, covert=True))["panic_id"]
        await s.act(silent, "resolve", NOTE)
        other = await (await s.site.phone(3)).call("GET", "/v1/self")
        assert other.json()["last_panic"]["id"] == panic
        assert (await phone.call("GET", "/v1/self")).json()["last_panic"]["id"] == silent
        await s.sql("UPDATE panic SET ended_at = ended_at - interval '2 days'")
        assert (await phone.call("GET", "/v1/self")).json()["last_panic"] is None


async def seen(s: Scene, panic: str) -> dict[str, bool]:
    """Who can read a panic."""
    station = s.site.station
    area = await s.value("SELECT area_id FROM person WHERE person_id = $1", station.people[3])
    callers = {
        "admin": s.desk,
        "operator": await s.site.operator("operator"),
        "of her area": await s.site.operator("operator", area_id=area),
        "of another": await s.site.operator("operator", area_id=area % 4 + 1),
        "auditor": await s.site.operator("auditor"),
        "her warden": await s.phone(1),
        "above": await s.phone(0),
    }
    found = {}
    for name, caller in callers.items():
        listed = (await caller.call("GET", "/v1/panics?open=true")).json()["items"]
        found[name] = [p["id"] for p in listed] == [panic]
        assert ((await s.get(panic, "", caller)).status_code == 200) == found[name], name
    return found


async def test_who_sees_an_open_one_and_who_a_covert_one(database: str) -> None:
    async with scene(database) as s:
        panic = (await s.press(3, covert=True))["panic_id"]
        silent = await seen(s, panic)
        assert [name for name, sees in silent.items() if sees] == ["admin", "operator"]
        assert await s.told() == [(0, "duty", -1)], "no phone sounds"
        joined = await s.press(3)
        assert (joined["panic_id"], joined["merged"]) == (panic, True)
        opened = await seen(s, panic)
        assert [name for name, sees in opened.items() if not sees] == ["of another"]
        assert {n for _, c, n in await s.told() if c == "fcm"} == {1, 2}, "told as it opens"


async def test_a_covert_press_is_not_told_by_an_unverified_text_before_it(database: str) -> None:
    """Whoever can forge a text could have had her wardens told of it."""
    async with scene(database) as s:
        alert_id = await s.site.station.open_rollcall()
        panic = await s.text(3)
        phone = await s.phone(3)
        joined = await s.press(3, covert=True)
        await s.work()
        assert (joined["panic_id"], joined["merged"]) == (panic, True)
        [row] = await s.sql("SELECT covert, verified, counts FROM panic")
        assert tuple(row) == (True, True, False)
        assert {c for _, c, _ in await s.told()} == {"duty"}, "no warden hears of it"
        assert await s.status(3, alert_id) != "need_help"
        silent = await seen(s, panic)
        assert [name for name, sees in silent.items() if sees] == ["admin", "operator"]
        assert (await phone.call("GET", "/v1/self")).json()["panic"]["id"] == panic
        other = await (await s.site.phone(3)).call("GET", "/v1/self")
        assert other.json()["panic"] is None, "as of any covert one"
