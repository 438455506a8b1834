"""Signed codes and checkers: forged, replayed, revoked; offline lists, merged in any order."""

import base64
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import segno
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from server.relocation.codes import rules
from server.relocation.codes.rules import Named
from tests.relocation.moving import Moving, moving
from tests.support.http import Caller

KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = {1: KEY.public_key()}
CODE = rules.write(KEY, Named(1, b"somebody", 7))


# What a code is


@given(st.binary(min_size=8, max_size=8), st.integers(1, 65535))
def test_a_code_says_whom_it_stands_for(handle: bytes, counter: int) -> None:
    code = rules.write(KEY, Named(1, handle, counter))
    assert rules.read(code, KEYS) == Named(1, handle, counter)
    assert len(code) == rules.LENGTH


def test_it_is_small_enough_for_a_cheap_camera() -> None:
    drawn = segno.make_qr(CODE, error="m", boost_error=False)
    assert (drawn.version, drawn.mode, drawn.symbol_size(border=0)) == (5, "alphanumeric", (37, 37))


@given(st.integers(2, rules.LENGTH - 1), st.sampled_from(rules._ALPHABET))
def test_no_letter_of_it_can_be_another(place: int, letter: str) -> None:
    forged = CODE[:place] + letter + CODE[place + 1 :]
    assert (rules.read(forged, KEYS) is None) == (forged != CODE)


@given(
    st.text(max_size=130) | st.text(rules._ALPHABET, min_size=114, max_size=114).map("M:".__add__)
)
def test_anything_else_is_none(text: str) -> None:
    assert rules.read(text, KEYS) is None


def test_a_code_of_another_key_is_none() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    assert rules.read(rules.write(other, Named(1, b"somebody", 7)), KEYS) is None
    assert rules.read(CODE, {2: KEYS[1]}) is None


@given(st.binary(max_size=40).map(lambda raw: raw + raw))
def test_base45_comes_back(raw: bytes) -> None:
    assert rules.unbase45(rules.base45(raw)) == raw


# Issued, scanned, revoked


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    async with moving(database) as made:
        yield made


async def code_of(own: Moving, ref: str, do: str = "issue", **more: Any) -> dict[str, Any]:
    answer = await own.desk.call("POST", f"/v1/people/{ref}/code", {"do": do, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def checker(own: Moving, n: int) -> Caller:
    """A phone of person n, who is in no tree, named checker."""
    await own.ask("PUT", f"/checkers/P{n + 1}")
    return await own.here.phone(n)


async def scan(by: Caller, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await by.call("POST", "/v1/stage-reports", {"items": list(bodies)})
    assert answer.status_code in (200, 201), answer.text
    return list(answer.json()["items"])


async def hows(own: Moving) -> dict[str, str]:
    return {r["ref"]: r["how"] for r in (await own.ask("GET", "/people"))["items"] if r["how"]}


async def test_a_code_is_issued_once_and_reissued_by_naming_the_lost_one(own: Moving) -> None:
    first = await code_of(own, "P1")
    again = await code_of(own, "P1")
    assert (first["counter"], again["counter"]) == (1, 1)
    assert "P1" not in first["code"]
    assert base64.b64decode(first["png"]).startswith(b"\x89PNG")
    assert first["svg"].startswith("<svg")
    assert (await code_of(own, "P1", "reissue", counter=1))["counter"] == 2
    assert (await code_of(own, "P1", "reissue", counter=1))["counter"] == 2, "again: the same"
    gone = await code_of(own, "P1", "revoke", counter=2)
    assert (gone["code"], gone["counter"]) == (None, 2)
    assert gone["revoked_at"] is not None
    assert (await code_of(own, "P1"))["counter"] == 3
    answer = await own.desk.call("POST", "/v1/people/P1/code", {"do": "revoke"})
    assert [e["path"] for e in answer.json()["errors"]] == ["counter"]
    [[sealed]] = await own.sql("SELECT sealed FROM code_key")
    assert len(sealed) == 12 + 32 + 16, "the private half is under the server's key"


async def test_a_phone_shows_its_owner_s_codes_and_her_family_s(own: Moving) -> None:
    await own.family(0, "F1")
    phone = await own.here.phone(0)
    items = (await phone.call("POST", "/v1/self/codes")).json()["items"]
    assert [i["person"]["ref"] for i in items] == ["P1", "F1"]
    await code_of(own, "F1", "revoke", counter=1)
    items = (await phone.call("POST", "/v1/self/codes")).json()["items"]
    assert [i["code"] is None for i in items] == [False, True], "what was revoked stays so"


async def test_only_a_good_code_makes_a_report_a_scan(own: Moving) -> None:
    good = (await code_of(own, "P4"))["code"]
    forged = good[:60] + ("A" if good[60] != "A" else "B") + good[61:]
    phone = await checker(own, 20)
    gate = {"point": "GATE"}
    results = await scan(
        phone,
        own.said("P4", "at_point", 60, **gate, code=good),
        own.said("P5", "at_point", 60, **gate, code=good),
        own.said("P6", "at_point", 60, **gate, code=forged, how="qr"),
        own.said("P8", "at_point", 60, **gate),
        own.said(None, "ready", 61, code=good),
        own.said(None, "ready", 61, code=forged),
    )
    assert [r.get("person") for r in results] == ["P4", "P5", "P6", "P8", "P4", None]
    assert results[5]["error"]["code"] == "code_invalid"
    assert await hows(own) == {"P4": "qr", "P5": "checker", "P6": "checker", "P8": "checker"}
    stranger = await own.here.phone(21)
    [refused] = await scan(stranger, own.said("P4", "at_point", **gate, code=good))
    assert refused["error"]["status"] == 404


async def test_a_revoked_code_counts_for_what_was_scanned_before(own: Moving) -> None:
    old = (await code_of(own, "P4"))["code"]
    phone = await checker(own, 20)
    before = own.said("P4", "ready", 60, code=old)
    await code_of(own, "P4", "reissue", counter=1)
    await scan(phone, before)
    assert await hows(own) == {"P4": "qr"}
    await scan(phone, own.said("P4", "at_point", point="GATE", code=old))
    assert await hows(own) == {"P4": "checker"}


async def test_a_code_shown_at_two_places_at_once_is_a_conflict(own: Moving) -> None:
    code = (await code_of(own, "P4"))["code"]
    one, two = await checker(own, 20), await checker(own, 21)
    await scan(one, own.said(None, "at_point", 90, point="GATE", code=code))
    await scan(two, own.said(None, "at_point", 30, point="CAMP", code=code))
    assert await own.stage("P4") == "in_question"
    [conflict] = (await own.ask("GET", "/conflicts"))["items"]
    assert conflict["kind"] == "two_places"
    assert (conflict["first"]["how"], conflict["second"]["how"]) == ("qr", "qr")
    assert conflict["first"]["by"] != conflict["second"]["by"]
    await own.exact()


async def test_who_is_relieved_may_bring_what_she_saw_and_no_more(own: Moving) -> None:
    phone = await checker(own, 20)
    before = own.said("P4", "ready", 60)
    await own.ask("DELETE", "/checkers/P21")
    assert (await phone.call("GET", f"{own.path}/bundle")).status_code == 404
    first, second = await scan(phone, before, own.said("P5", "ready"))
    assert (first["person"], second["error"]["status"]) == ("P4", 404)


# Without a network


async def test_a_checker_s_list_verifies_codes_offline(own: Moving) -> None:
    code = (await code_of(own, "P4"))["code"]
    await code_of(own, "P5")
    await code_of(own, "P5", "revoke", counter=1)
    await own.ask("PUT", f"/vehicles/{own.id['1']}/manifest", {"people": ["P4"]})
    phone = await checker(own, 20)
    me = (await phone.call("GET", "/v1/self")).json()
    assert [c["id"] for c in me["checks"]] == [str(own.movement)]
    rider = (await (await own.here.phone(3)).call("GET", "/v1/self")).json()
    assert (rider["movements"][0]["seats"], rider["checks"]) == ([1], [])
    answer = await phone.call("GET", f"{own.path}/bundle")
    found = answer.json()
    people = {p["ref"]: p for p in found["people"]}
    assert len(people) == 18
    [key] = found["keys"]
    raw = base64.urlsafe_b64decode(key["public"] + "==")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    said = rules.read(code, {key["id"]: public})
    assert said is not None
    assert base64.urlsafe_b64encode(said.handle).decode().rstrip("=") == people["P4"]["handle"]
    assert (said.counter, people["P5"]["counter"], people["P6"]["handle"]) == (1, None, None)
    assert people["P4"]["seats"] == [1]
    assert people["P4"]["counter"] == 1
    good_for = datetime.fromisoformat(found["expires_at"]) - datetime.fromisoformat(found["as_of"])
    assert good_for.total_seconds() == 48 * 3600
    few = (await phone.call("GET", f"{own.path}/bundle", params={"vehicle": "1"})).json()
    assert [p["ref"] for p in few["people"]] == ["P4"]
    nobody = await own.here.phone(3)
    assert (await nobody.call("GET", f"{own.path}/bundle")).status_code == 404
