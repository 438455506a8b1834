"""A desk signs in, is remembered, and is gone when it signs out."""

from uuid import uuid4

import pytest

from server.errors import BadInput, Clash, NotFound
from server.people import operations, sessions, zones
from server.people.attempts import BURST
from tests.people.house import House


async def sign_in(house: House, token: str) -> tuple[dict[str, str], dict[str, object]]:
    answer = await house.call("POST", "/v1/sessions", json={"token": token})
    assert answer.status_code == 201, answer.text
    cookie = answer.headers["set-cookie"]
    assert "; HttpOnly; SameSite=Strict; Path=/; Secure" in cookie
    house.web.cookies.clear()
    body = answer.json()
    return {"Cookie": cookie.partition(";")[0], "X-CSRF-Token": body["csrf"]}, body


async def test_a_token_becomes_a_session_that_survives_a_reload_and_ends(house: House) -> None:
    headers, body = await sign_in(house, await house.operator("operator", area="GIG"))
    assert body["operator"] == {
        "id": body["operator"]["id"],  # type: ignore[index]
        "name": "Desk",
        "role": "operator",
        "area": "GIG",
        "person": None,
    }
    assert body["operation"] == {
        "code": house.operation.code,
        "name": "Alpha",
        "timezone": "Africa/Nairobi",
    }
    again = await house.web.get("/v1/sessions", headers=headers)
    assert again.json() == body
    forged = await house.web.delete("/v1/sessions", headers={"Cookie": headers["Cookie"]})
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf")
    gone = await house.web.delete("/v1/sessions", headers=headers)
    assert gone.status_code == 204
    assert "Max-Age=0" in gone.headers["set-cookie"]
    after = await house.web.get("/v1/sessions", headers=headers)
    assert after.status_code == 401


async def test_a_login_code_signs_in_once(house: House) -> None:
    await house.operator("admin")
    operator_id = await house.sql("SELECT max(operator_id) FROM operator")
    code = await sessions.new_login_code(house.db, house.operation_id, operator_id)
    _, body = await sign_in(house, code)
    assert body["operator"]["role"] == "admin"  # type: ignore[index]
    second = await house.call("POST", "/v1/sessions", json={"token": code})
    assert second.status_code == 401
    late = await sessions.new_login_code(house.db, house.operation_id, operator_id)
    await house.sql("UPDATE credential SET expires_at = now() WHERE kind = 'login'")
    assert (await house.call("POST", "/v1/sessions", json={"token": late})).status_code == 401


async def test_a_login_code_is_no_bearer_token(house: House) -> None:
    await house.operator("admin")
    operator_id = await house.sql("SELECT max(operator_id) FROM operator")
    code = await sessions.new_login_code(house.db, house.operation_id, operator_id)
    assert (await house.call("GET", "/v1/people", code)).status_code == 401


async def test_the_desk_knows_who_else_may_sign_in(house: House) -> None:
    gone = await house.operator("admin")
    await house.sql("UPDATE operator SET revoked_at = now()")
    desk = await house.operator("operator", area="GIG")
    auditor, warden = await house.operator("auditor"), await house.operator("warden", person="P1")
    listed = (await house.call("GET", "/v1/operators", auditor)).json()["items"]
    assert sorted((o["role"], o["area"]) for o in listed) == [
        ("auditor", None), ("operator", "GIG"), ("warden", None),
    ]  # fmt: skip
    assert (await house.call("GET", "/v1/operators", desk)).json()["items"] == listed
    assert (await house.call("GET", "/v1/operators", warden)).status_code == 403
    assert (await house.call("GET", "/v1/operators", gone)).status_code == 401


async def test_a_revoked_operator_cannot_sign_in(house: House) -> None:
    token = await house.operator()
    await house.sql("UPDATE operator SET revoked_at = now()")
    answer = await house.call("POST", "/v1/sessions", json={"token": token})
    assert answer.status_code == 401


async def test_a_phone_cannot_sign_in_and_has_no_session(house: House) -> None:
    desk = await house.operator()
    phone = (await house.device(desk, "P1"))["token"]
    assert (await house.call("POST", "/v1/sessions", json={"token": phone})).status_code == 401
    assert (await house.call("GET", "/v1/sessions", phone)).status_code == 404


async def test_guessing_tokens_closes_sign_in_for_that_address_and_nothing_else(
    house: House,
) -> None:
    desk = await house.operator()
    for _ in range(BURST):
        wrong = await house.call("POST", "/v1/sessions", json={"token": "guess"})
        assert wrong.status_code == 401
    held = await house.call("POST", "/v1/sessions", json={"token": "guess"})
    assert held.status_code == 429
    assert int(held.headers["retry-after"]) >= 1
    assert held.json()["retryable"] is True
    assert (await house.call("POST", "/v1/sessions", json={"token": desk})).status_code == 201
    assert (await house.call("GET", "/v1/people", desk)).status_code == 200
    assert await house.device(desk, "P1")


async def test_an_operation_takes_its_region_from_its_time_zone(house: House) -> None:
    code = uuid4().hex
    made = await operations.add_operation(house.dsn, code, "Haiti", "America/Port-au-Prince")
    assert made.region == "HT"
    assert (zones.region_of("Africa/Juba"), zones.region_of("Europe/Kiev")) == ("SS", "UA")
    assert zones.region_of("Asia/Calcutta") == "IN"
    assert (zones.region_of("Etc/UTC"), zones.exists("../x")) == (None, False)
    with pytest.raises(BadInput) as refused:
        await operations.add_operation(house.dsn, "hq", "HQ", "UTC")
    assert [e.path for e in refused.value.errors or []] == ["region"]
    with pytest.raises(Clash):
        await operations.add_operation(house.dsn, code, "Again", "America/Port-au-Prince")
    with pytest.raises(BadInput) as refused:
        await operations.add_operation(house.dsn, "a b", " ", "Mars/Base", "XX")
    paths = [e.path for e in refused.value.errors or []]
    assert paths == ["code", "name", "timezone", "region"]


async def test_an_operator_must_fit_her_role(house: House) -> None:
    for more in ({"area": "NOWHERE"}, {"person": "P1"}, {"role": "boss"}, {"role": "warden"}):
        with pytest.raises(BadInput):
            await operations.add_operator(
                house.db,
                house.operation.code,
                "X",
                **{"role": "operator", **more},  # type: ignore[arg-type]
            )
    with pytest.raises(NotFound):
        await operations.add_operator(house.db, "omega", "X", "admin")
