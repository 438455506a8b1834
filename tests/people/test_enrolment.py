"""A code for one person becomes one phone, whatever gets lost on the way."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from server.people import rules
from server.people.attempts import BURST
from server.vault import Vault
from tests.people.house import House


async def enrol(house: House, code: str, **more: object) -> tuple[int, dict[str, object]]:
    body = {"code": code, "platform": "web", **more}
    answer = await house.call("POST", "/v1/devices", json=body)
    return answer.status_code, answer.json()


async def test_a_code_is_short_unmistakable_and_drawn(house: House) -> None:
    made = await house.code(await house.operator(), "P1")
    assert len(made["code"]) == 9
    assert set(made["code"]) <= set(rules.ALPHABET) | {"-"}
    assert made["url"] == f"https://muster.example/phone/#enrol={made['code']}"
    assert made["qr_svg"].startswith("<svg")
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    stored = await house.sql("SELECT code_sha256 FROM enrolment")
    assert stored == rules.code_digest(made["code"])


async def test_a_printed_code_has_128_bits_and_a_week(house: House) -> None:
    made = await house.code(await house.operator(), "P1", printed=True)
    assert len(rules.bare_code(made["code"])) * 5 >= 128
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6) < left <= timedelta(days=7)


async def test_a_code_typed_badly_is_understood(house: House) -> None:
    desk = await house.operator()
    code = (await house.code(desk, "P1"))["code"]
    sloppy = " " + code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    status, made = await enrol(house, sloppy)
    assert (status, made["person"]) == (201, {"ref": "P1", "name": "Ann Otieno"})


async def test_a_new_phone_has_its_own_secrets(house: House) -> None:
    made = await house.device(await house.operator(), "P1", push={"kind": "fcm", "token": "tok"})
    me = await house.get("/v1/self", made["token"])
    assert me["person"]["ref"] == "P1"
    key = base64.urlsafe_b64decode(made["sms"]["key"] + "=")
    assert (len(key), len(made["sms"]["id5"]), made["sms"]["numbers"]) == (20, 5, [])
    sealed = await house.sql("SELECT sms_key FROM device")
    assert Vault(b"test").unseal(sealed, made["device_id"]) == key
    assert await house.sql("SELECT address FROM push_address WHERE kind = 'fcm'") == "tok"


async def test_a_lost_answer_strands_no_phone(house: House) -> None:
    desk = await house.operator()
    code = (await house.code(desk, "P1"))["code"]
    device_id = str(uuid4())
    _, first = await enrol(house, code, id=device_id)
    assert (await house.call("GET", "/v1/self", first["token"])).status_code == 200
    status, second = await enrol(house, code, id=device_id)
    assert (status, second["device_id"]) == (201, device_id)
    assert second["sms"]["id5"] == first["sms"]["id5"]
    assert (await house.call("GET", "/v1/self", first["token"])).status_code == 401
    assert (await house.call("GET", "/v1/self", second["token"])).status_code == 200
    assert await house.sql("SELECT count(*) FROM device") == 1
    await house.sql("UPDATE enrolment SET used_at = now() - interval '601 s'")
    status, late = await enrol(house, code, id=device_id)
    assert (status, late["code"]) == (409, "code_used")


async def test_one_code_makes_one_phone_even_when_pressed_twice_at_once(house: House) -> None:
    code = (await house.code(await house.operator(), "P1"))["code"]
    answers = await asyncio.gather(*(enrol(house, code, id=str(uuid4())) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [201] + [409] * 7
    assert await house.sql("SELECT count(*) FROM device") == 1


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("UPDATE enrolment SET expires_at = now()", 409, "code_expired"),
        ("UPDATE enrolment SET revoked_at = now()", 409, "code_withdrawn"),
        ("UPDATE enrolment SET used_at = now(), device_id = gen_random_uuid()", 409, "code_used"),
        ("DELETE FROM enrolment", 404, "code_unknown"),
    ],
)
async def test_a_code_that_serves_no_more_says_why(
    house: House, how: str, status: int, code: str
) -> None:
    made = await house.code(await house.operator(), "P1")
    await house.sql(how)
    got, problem = await enrol(house, made["code"], id=str(uuid4()))
    assert (got, problem["code"]) == (status, code)


async def test_a_printed_code_can_be_withdrawn(house: House) -> None:
    desk = await house.operator()
    made = await house.code(desk, "P1", printed=True)
    path = f"/v1/enrolments/{made['id']}"
    elsewhere = await house.operator(area="WES")
    assert (await house.call("DELETE", path, elsewhere)).status_code == 404
    assert (await house.call("DELETE", path, desk)).status_code == 204
    assert (await house.call("DELETE", path, desk)).status_code == 204
    assert (await enrol(house, made["code"]))[1]["code"] == "code_withdrawn"
    used = await house.code(desk, "P1")
    await enrol(house, used["code"])
    answer = await house.call("DELETE", f"/v1/enrolments/{used['id']}", desk)
    assert (answer.status_code, answer.json()["code"]) == (409, "code_used")
    for odd in ("x", str(uuid4())):
        assert (await house.call("DELETE", f"/v1/enrolments/{odd}", desk)).status_code == 404


async def test_only_those_responsible_may_enrol_a_person(house: House) -> None:
    desk = await house.operator()
    warden = (await house.device(desk, "P1"))["token"]  # GIG
    colleague = (await house.device(desk, "P2"))["token"]
    gigiri, auditor = await house.operator(area="GIG"), await house.operator("auditor")
    expected = [
        (desk, "P4", 201),
        (desk, "NOBODY", 404),
        (warden, "P2", 201),
        (warden, "P4", 404),
        (gigiri, "P1", 201),
        (gigiri, "P4", 404),
        (colleague, "P2", 403),
        (auditor, "P1", 403),
    ]
    for token, ref, status in expected:
        body = {"person_ref": ref}
        answer = await house.call("POST", "/v1/enrolments", token, json=body)
        assert answer.status_code == status, (ref, answer.text)


async def test_another_phones_id_is_refused(house: House) -> None:
    desk = await house.operator()
    first = await house.device(desk, "P1")
    code = (await house.code(desk, "P4"))["code"]
    status, problem = await enrol(house, code, id=first["device_id"])
    assert (status, problem["code"]) == (409, "device_id_taken")
    assert (await house.call("GET", "/v1/self", first["token"])).status_code == 200
    assert (await enrol(house, code))[0] == 201


async def test_guessing_codes_closes_enrolment_for_that_address_only(house: House) -> None:
    desk = await house.operator()
    code = (await house.code(desk, "P1"))["code"]
    for _ in range(BURST):
        assert (await enrol(house, "0000-0000"))[0] == 404
    assert (await enrol(house, code))[0] == 429
    assert (await house.call("POST", "/v1/sessions", json={"token": desk})).status_code == 201
    assert (await house.call("GET", "/v1/people", desk)).status_code == 200


@pytest.mark.parametrize(
    "push",
    [
        {"kind": "fcm"},
        {"kind": "fcm", "token": ""},
        {"kind": "pigeon", "token": "x"},
        {"kind": "webpush", "subscription": {"endpoint": "x"}},
        {
            "kind": "webpush",
            "subscription": {"endpoint": "http://p/", "keys": {"p256dh": "a", "auth": "b"}},
        },
        {
            "kind": "webpush",
            "subscription": {"endpoint": "https://[", "keys": {"p256dh": "a", "auth": "b"}},
        },
        {"token": "x"},
        7,
    ],
)
async def test_a_push_address_that_leads_nowhere_is_refused_by_field(
    house: House, push: object
) -> None:
    phone = await house.device(await house.operator(), "P1")
    answer = await house.call("PUT", "/v1/self/push", phone["token"], json=push)
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_a_phone_changes_where_it_is_woken_and_is_forgotten(house: House) -> None:
    phone = await house.device(await house.operator(), "P1", push={"kind": "fcm", "token": "a"})
    await house.sql("UPDATE push_address SET dead_at = now(), dead_reason = 'UNREGISTERED'")
    keys = {"p256dh": "BAgM", "auth": "c2V0"}
    inside = {"endpoint": "https://10.0.0.1/1", "keys": keys}
    refused = await house.call(
        "PUT", "/v1/self/push", phone["token"], json={"kind": "webpush", "subscription": inside}
    )
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (
        422, "subscription.endpoint",
    )  # fmt: skip
    known = {"endpoint": "https://updates.push.services.mozilla.com/wpush/v2/1", "keys": keys}
    push = {"kind": "webpush", "subscription": known}
    assert (await house.call("PUT", "/v1/self/push", phone["token"], json=push)).status_code == 204
    assert await house.sql("SELECT kind FROM push_address WHERE dead_at IS NULL") == "webpush"
    assert (await house.call("DELETE", "/v1/self", phone["token"])).status_code == 204
    assert (await house.call("GET", "/v1/self", phone["token"])).status_code == 401
    assert await house.sql("SELECT count(*) FROM push_address") == 0
    assert await house.sql("SELECT count(*) FROM device WHERE revoked_at IS NULL") == 0
