"""What a desk sees of texts: lists, calls for help, the stream; texts of several operations."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.simulator.sms import bringing
from server.alerts.deliveries.store import stop_late
from server.app import Api
from server.auth import Scope
from server.checkin.sms.actions import Found, belongs
from server.checkin.sms.board import Faces
from server.checkin.sms.intake import numbers_of, text_of
from server.checkin.sms.store import drop_old_codes
from server.gateways import Received
from server.people.asking import code_length
from server.stream import Event
from server.texting import SmsRoute
from tests.support.http import settings
from tests.support.seed import station
from tests.support.texts import KINDS, OWN, SECRET, SITE, Texting, routes, texting

ANN, BEN, STRANGER = "+254700000001", "+254700000002", "+254799999999"
PLACE = "-1.286412,36.817273"


async def people(t: Texting) -> Any:
    await t.number(0, ANN)
    await t.number(1, BEN)
    return await t.here.station.open_rollcall()


async def get(who: Any, path: str) -> list[dict[str, Any]]:
    answer = await who.call("GET", path)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_the_desk_sees_every_text_and_what_was_made_of_it(database: str) -> None:
    async with texting(database) as t:
        alert_id = await people(t)
        desk = await t.desk()
        await t.bring(STRANGER, "who is this?")
        [unread] = await get(desk, "/v1/inbound")
        assert (unread["state"], unread["body"]) == ("received", "who is this?")
        await t.text(ANN, "SAFE")
        await t.text(BEN, f"AWAY {await t.code(alert_id, 1)}")
        listed = await get(desk, "/v1/inbound")
        assert [(i["sender"], i["state"], i["said"], i["person"]) for i in listed] == [
            (BEN, "counted", "away", {"ref": "P2", "name": "Person 2"}),
            (ANN, "unverified", "safe", {"ref": "P1", "name": "Person 1"}),
            (STRANGER, "not_understood", None, None),
        ]
        assert [i["sender"] for i in await get(desk, "/v1/inbound?unverified=true")] == [
            ANN, STRANGER,
        ]  # fmt: skip
        assert len(await get(desk, "/v1/inbound?state=counted")) == 1
        first = (await desk.call("GET", "/v1/inbound?limit=2")).json()
        rest = (await desk.call("GET", first["next"])).json()
        assert [i["id"] for i in first["items"] + rest["items"]] == [i["id"] for i in listed]
        phone = await t.here.phone(3)
        assert (await phone.call("GET", "/v1/inbound")).status_code == 403


async def test_an_area_sees_its_own_people_and_no_strangers(database: str) -> None:
    async with texting(database) as t:
        await people(t)
        for sender in (ANN, BEN, STRANGER):
            await t.text(sender, "HELP")
        area = await t.value("SELECT area_id FROM person WHERE person_id = $1", t.people[0])
        officer = await t.desk("operator", area_id=area)
        for path in ("/v1/inbound", "/v1/help-calls"):
            assert [i["sender"] for i in await get(officer, path)] == [ANN]
            assert len(await get(await t.desk("auditor"), path)) == 3
        other = (await get(await t.desk(), "/v1/help-calls"))[0]["id"]
        body = {"outcome": "hoax"}
        refused = await officer.call("POST", f"/v1/help-calls/{other}/close", body)
        assert refused.status_code == 404


async def test_a_call_for_help_is_closed_once_and_the_next_is_another(database: str) -> None:
    async with texting(database) as t:
        await people(t)
        await t.text(ANN, "HELP")
        desk = await t.desk()
        [call] = await get(desk, "/v1/help-calls?open=true&unverified=true")
        path = f"/v1/help-calls/{call['id']}/close"
        body = {"outcome": "helped", "note": "ambulance sent"}
        answers = [await desk.call("POST", path, body) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["closed_by"] == "admin"
        otherwise = await desk.call("POST", path, {"outcome": "hoax"})
        assert (otherwise.status_code, otherwise.json()["code"]) == (409, "help_closed")
        auditor = await t.desk("auditor")
        assert (await auditor.call("POST", path, body)).status_code == 403
        await t.text(ANN, "HELP")  # the same words within the minute: not lost in a closed call
        assert [c["closed_at"] is None for c in await get(desk, "/v1/help-calls")] == [True, False]
        assert await t.value("SELECT count(*) FROM audit WHERE action = 'help.close'") == 1


async def test_where_a_call_was_made_is_shown_for_a_reason_and_each_reading_is_on_record(
    database: str,
) -> None:
    async with texting(database) as t:
        await people(t)
        words = f"HELP at {PLACE}"
        await t.text(ANN, words)
        await t.text(BEN, f"M1 AAAAA 1 1 P AAAAAAAA {PLACE}")
        desk, auditor = await t.desk(), await t.desk("auditor")
        area = await t.value("SELECT area_id FROM person WHERE person_id = $1", t.people[0])
        hers = await t.desk("operator", area_id=area)
        other, call = await get(desk, "/v1/help-calls")
        assert (call["body"], call["placed"]) == ("HELP at [place]", True)
        [told] = await t.sql("SELECT seq FROM event WHERE kind = 'help_call' LIMIT 1")
        [kind] = Faces(t.here.api.db).kinds()
        event = Event(told["seq"], "help_call", {"help_id": call["id"]})
        assert PLACE not in str(await kind.render(t.operation_id, Scope(), [event]))
        for who, path in ((desk, "/v1/help-calls"), (auditor, "/v1/help-calls")):
            assert PLACE not in (await who.call("GET", path)).text
        assert PLACE not in (await auditor.call("GET", "/v1/inbound")).text
        assert (await desk.call("GET", "/v1/inbound")).text.count(PLACE) == 1, "her own words alone"
        own = f"/v1/help-calls/{call['id']}/position"
        asked = [
            (desk, own, 422), (desk, f"{own}?reason=idle", 422),
            (auditor, f"{own}?reason=review", 403),
            (hers, f"/v1/help-calls/{other['id']}/position?reason=verify", 404),
        ]  # fmt: skip
        for who, path, status in asked:
            assert (await who.call("GET", path)).status_code == status, path
        assert await t.value("SELECT count(*) FROM help_access") == 0, "nothing shown, nothing read"
        for who, why in ((desk, "respond"), (hers, "verify")):
            shown = (await who.call("GET", f"{own}?reason={why}")).json()
            assert shown["body"] == words
        assert [a["reason"] for a in shown["access"]] == ["respond", "verify"]


async def test_the_stream_tells_of_calls_for_help_to_who_may_see_them(database: str) -> None:
    async with texting(database) as t:
        await people(t)
        await t.text(ANN, "HELP")
        [event] = await t.sql(
            "SELECT seq, data->>'help_id' AS id FROM event WHERE kind = 'help_call'"
        )
        told = [Event(event["seq"], "help_call", {"help_id": event["id"]})]
        [kind] = Faces(t.here.api.db).kinds()
        assert kind.urgent
        area = await t.value("SELECT area_id FROM person WHERE person_id = $1", t.people[0])
        seen = {}
        for name, scope in {
            "all": Scope(), "hers": Scope(areas=(area,)), "another": Scope(areas=(area + 1,)),
            "warden": Scope(nodes=(1,), people=frozenset(t.people)),
        }.items():  # fmt: skip
            seen[name] = await kind.render(t.operation_id, scope, told)
        assert seen["all"] == seen["hers"]
        assert seen["all"] is not None
        assert seen["all"]["help_call"]["person"]["ref"] == "P1"
        assert (seen["another"], seen["warden"]) == (None, None)


async def test_phones_learn_the_numbers_to_text_to(database: str) -> None:
    async with texting(database) as t:
        config = (await t.here.client.get("/v1/config")).json()
        assert config["sms_numbers"] == [OWN]
        desk = await t.desk()
        code = (await desk.call("POST", "/v1/enrolments", {"person_ref": "P1"})).json()["code"]
        made = await desk.call("POST", "/v1/devices", {"code": code, "platform": "web"})
        assert made.json()["sms"]["numbers"] == [OWN]
        id5 = made.json()["sms"]["id5"]
        assert (await t.text(ANN, f"M1 {id5} 1 1 P AAAAAAAA"))["detail"] == "a wrong signature"


async def test_replies_that_are_too_late_are_stopped(database: str) -> None:
    async with texting(database) as t:
        await people(t)
        await t.text(ANN, "HELP")
        assert await stop_late(t.here.api.db) == 0
        await t.sql("UPDATE delivery SET expires_at = now() - interval '1 second'")
        assert await stop_late(t.here.api.db) == 1
        assert await t.value("SELECT state FROM delivery") == "stopped"


async def test_codes_are_forgotten_a_month_after_the_end(database: str) -> None:
    async with texting(database) as t:
        alert_id = await people(t)
        await t.sql("SELECT give_codes($1, $2)", alert_id, t.people)
        ended = "UPDATE alert SET state = 'closed', closed_at = now() - make_interval(days => $1)"
        for days, left in ((29, len(t.people)), (31, 0)):
            await t.sql(ended, days)
            await drop_old_codes(t.here.api.db)
            assert await t.value("SELECT count(*) FROM answer_code") == left


# -- several operations


async def in_each(t: Texting, other: int) -> list[int]:
    counts = []
    for operation_id in (t.operation_id, other):
        rows = await t.here.api.db.fetch(operation_id, "SELECT count(*) FROM inbound_sms")
        counts.append(int(rows[0][0]))
    return counts


async def test_a_text_goes_to_the_operation_that_knows_its_sender(database: str) -> None:
    async with texting(database) as t:
        alert_id = await people(t)
        other = await station(t.here.api.db, people=5, code="OTHER")
        code = await t.code(alert_id, 0)
        await t.bring(ANN, "SAFE")
        await t.bring(STRANGER, f"SAFE {code}")
        assert await in_each(t, other.operation_id) == [2, 0]
        await t.bring(STRANGER, "HELP")  # nobody knows whose: seen by all, answered by one
        assert await in_each(t, other.operation_id) == [3, 1]
        while await t.reading.turn():
            pass
        sql = "SELECT count(*) FROM delivery WHERE endpoint = $1 AND lane = 1"
        assert await t.value(sql, STRANGER) == 1
        rows = await t.here.api.db.fetch(other.operation_id, "SELECT answered FROM inbound_sms")
        assert rows[0]["answered"] == "silence"


async def test_a_route_may_belong_to_one_operation(database: str) -> None:
    async with texting(database, operation="OTHER") as t:
        other = await station(t.here.api.db, people=5, code="OTHER")
        await people(t)
        await t.bring(ANN, "HELP")
        assert await in_each(t, other.operation_id) == [0, 1]


async def test_without_any_operation_the_gateway_keeps_it(database: str) -> None:
    api = Api(settings(sms_routes=routes(), public_url=SITE), database)
    await api.open()
    transport = httpx.ASGITransport(api.asgi, client=("127.0.0.1", 4711))
    try:
        async with httpx.AsyncClient(transport=transport) as client:
            request = bringing("kannel", f"{SITE}/v1/inbound/sms/kannel", SECRET, ANN, "HELP", "1")
            assert (await client.request(**request)).status_code == 503
    finally:
        await api.close()


@pytest.mark.parametrize(
    ("found", "places"),
    [
        ([], []),
        ([(1, "number", False), (2, "number", True)], [2]),
        ([(1, "number", False), (2, "number", False)], [1, 2]),
        ([(1, "number", False), (2, "number", True), (1, "code", False)], [1]),
        ([(1, "device", False), (2, "number", True)], [1]),
        ([(1, "number", False), (2, "code", True)], [1]),
        ([(1, "code", False), (2, "code", True)], [2]),
    ],
)
def test_of_several_operations_the_likeliest(found: list[Any], places: list[int]) -> None:
    assert belongs([Found(op, by, None, asked) for op, by, asked in found]) == places


# -- anything at all


async def test_codes_are_as_long_as_many_people_need(database: str) -> None:
    async with texting(database) as t:
        for n in (0, 250, 251, 7000, 7001, 190_000, 190_001, 10**7):
            assert await t.value("SELECT code_length($1)", n) == code_length(n)


@given(sender=st.text(max_size=30), prefix=st.sampled_from(["+", "+254"]))
def test_no_sender_breaks_it(sender: str, prefix: str) -> None:
    for found in numbers_of(sender, (prefix,)):
        assert found[0] == "+"
        assert found[1:].isdecimal()


@given(
    kind=st.sampled_from(KINDS), raw=st.binary(max_size=300), query=st.binary(max_size=100),
    media=st.sampled_from([b"", b"text/plain; charset=x", b"application/json"]),
)  # fmt: skip
def test_no_request_breaks_it(kind: Any, raw: bytes, query: bytes, media: bytes) -> None:
    url = f"{SITE}?text=%D8%00&{query.decode('latin-1')}"
    request = Received(url, {}, {b"content-type": media}, raw)
    found = text_of(SmsRoute(name=kind, kind=kind), request)
    if found is not None:
        assert "\x00" not in found.body + found.sender
        (found.body + found.sender).encode()


async def test_whatever_comes_in_is_kept_and_read(database: str) -> None:
    async with texting(database) as t:
        await people(t)
        odd = [
            "", " ", "\x00", "\ufffd", "M1 " * 300, "S" * 5000, "SAFE " + "9" * 400,
            "\u202eHELP\u202c", "\U0001f198", "\n\r\t", "' OR 1=1 --", "{safe} {code} {0}",
        ]  # fmt: skip
        for n, words in enumerate(odd):
            for kind in KINDS:
                answer = await t.bring(f"+2547000001{n:02d}", words, kind, key=str(uuid4()))
                assert answer.status_code == 200, (kind, words)
        await t.understand()
        states = await t.sql("SELECT state FROM inbound_sms")
        assert len(states) >= len(odd) - 2
        assert {r["state"] for r in states} <= {"unverified", "not_understood", "refused"}
