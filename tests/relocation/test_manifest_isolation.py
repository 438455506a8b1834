"""Manifests, codes and checkers of one operation are nothing to another, nor to another's areas."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.relocation.moving import Moving, moving
from tests.support.http import site

_ROWS = """
    SELECT (SELECT count(*) FROM movement_seat), (SELECT count(*) FROM manifest_seal),
           (SELECT count(*) FROM manifest_amendment), (SELECT count(*) FROM travel_paper),
           (SELECT count(*) FROM medical_need), (SELECT count(*) FROM person_code),
           (SELECT count(*) FROM code_key), (SELECT count(*) FROM movement_checker),
           (SELECT count(*) FROM stage_report), (SELECT count(*) FROM movement_split)
"""


async def begin(own: Moving) -> str:
    """Something in every table; a code of P4's."""
    await own.ask("PUT", f"/vehicles/{own.id['1']}/manifest", {"people": ["P4", "P5"]})
    await own.ask("POST", f"/vehicles/{own.id['1']}/manifest/seal")
    body = {"id": str(uuid4()), "reason": "r", "take_off": ["P5"]}
    await own.ask("POST", f"/vehicles/{own.id['1']}/manifest/amendments", body)
    about = {"ref": "P4", "papers": True, "expires_on": "2030-01-01", "medical": True}
    await own.ask("PUT", "/travellers", {"items": [about]})
    await own.ask("PUT", "/checkers/P21")
    answer = await own.desk.call("POST", "/v1/people/P4/code", {"do": "issue"})
    return str(answer.json()["code"])


def asked(own: Moving) -> list[tuple[str, str, Any]]:
    """Every call of the room, about this movement."""
    one = f"{own.path}/vehicles/{own.id['1']}/manifest"
    at = datetime.now(UTC).isoformat()
    form = {"id": str(uuid4()), "stage": "boarded", "at": at, "people": ["P4"]}
    return [
        ("GET", one, None),
        ("PUT", one, {"people": []}),
        ("POST", f"{one}/seal", None),
        ("POST", f"{one}/amendments", {"id": str(uuid4()), "reason": "r", "put_on": ["P5"]}),
        *(("GET", f"{one}/{form}", None) for form in ("csv", "xlsx", "print")),
        ("POST", f"{one}/import", {"csv": "ref\nP4\n"}),
        ("POST", f"{one}/ticked", form),
        ("POST", f"{own.path}/fill", {"leg": str(own.id["FIRST"]), "apply": True}),
        ("GET", f"{own.path}/travellers", None),
        ("PUT", f"{own.path}/travellers", {"items": [{"ref": "P4", "papers": False}]}),
        ("GET", f"{own.path}/checkers", None),
        ("PUT", f"{own.path}/checkers/P22", None),
        ("DELETE", f"{own.path}/checkers/P21", None),
        ("GET", f"{own.path}/report/xlsx", None),
        ("GET", f"{own.path}/report/print", None),
        ("GET", f"{own.path}/report/pdf", None),
    ]


async def test_another_operation_s_callers_meet_nothing(database: str) -> None:
    async with moving(database) as theirs, site(database, people=24, code="OTHER") as here:
        ours = Moving(here, await here.operator())
        await ours.begin()
        code = await begin(theirs)
        await begin(ours)
        before = await theirs.sql(_ROWS)
        for method, path, body in asked(theirs):
            answer = await ours.desk.call(method, path, body)
            assert answer.status_code == 404, (method, path, answer.text)
        phone = await ours.here.phone(20)
        assert (await phone.call("GET", f"{theirs.path}/bundle")).status_code == 404
        forged = ours.said(None, "at_point", point="GATE", code=code)
        answer = await phone.call("POST", "/v1/stage-reports", forged)
        assert (answer.status_code, answer.json()["code"]) == (422, "code_invalid")
        assert await theirs.sql(_ROWS) == before


async def test_whoever_may_not_is_told_so(database: str) -> None:
    """A phone, a warden's or not, and a desk of other areas."""
    async with moving(database) as own:
        await begin(own)
        [[south]] = await own.sql("SELECT area_id FROM area WHERE code = 'A4'")
        desk, phone = await own.here.operator("operator", area_id=south), await own.here.phone(3)
        before = await own.sql(_ROWS)
        for method, path, body in asked(own):
            assert (await desk.call(method, path, body)).status_code == 404, path
            assert (await phone.call(method, path, body)).status_code == 403, path
        answer = await desk.call("POST", "/v1/people/P4/code", {"do": "revoke", "counter": 1})
        assert answer.status_code == 404
        assert await own.sql(_ROWS) == before
