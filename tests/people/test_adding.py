"""A person added by hand meets the rules of the import."""

from typing import Any

import pytest

from tests.people.house import House

NEW = {"ref": "P9", "name": "Joy Wanjiru", "category": "local", "area": "GIG", "agency": "health"}


async def add(house: House, token: str, **more: Any) -> tuple[int, Any]:
    answer = await house.call("POST", "/v1/people", token, json={**NEW, **more})
    return answer.status_code, answer.json()


async def test_a_person_is_added_once(house: House) -> None:
    desk = await house.operator()
    status, joy = await add(house, desk, phones=["0712 000009"], language="SW")
    assert (status, joy["phones"], joy["agency"]) == (201, ["+254712000009"], "Health")
    assert joy["language"] == "sw"
    assert (await add(house, desk, phones=["0712 000009"], language="SW"))[0] == 200
    status, problem = await add(house, desk, name="Another")
    assert (status, problem["code"]) == (409, "conflict")
    assert await house.sql("SELECT count(*) FROM person") == 6
    assert await house.sql("SELECT count(*) FROM person WHERE name = 'Joy Wanjiru'") == 1


async def test_family_live_with_their_sponsor(house: House) -> None:
    family = {"category": "family", "family_of": "P1", "area": None, "agency": None}
    status, joy = await add(house, await house.operator(), phones=["+254712000001"], **family)
    assert (status, joy["area"]["code"], joy["sponsor"]) == (201, "GIG", "P1")


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"area": "MOON"}, "area"),
        ({"area": None}, "area"),
        ({"agency": None}, "agency"),
        ({"category": "family", "family_of": "P2"}, "family_of"),
        ({"category": "family", "family_of": "P99"}, "family_of"),
        ({"category": "family"}, "family_of"),
        ({"category": "boss"}, "category"),
        ({"family_of": "P1"}, "family_of"),
        ({"phones": ["0712000009", "12"]}, "phones[1]"),
        ({"phones": ["0712000004"]}, "phones[0]"),
        ({"phones": ["1", "2", "3"]}, "phones"),
        ({"email": "nobody"}, "email"),
        ({"language": "klingon"}, "language"),
        ({"ref": "A/B"}, "ref"),
        ({"name": "A\u0007"}, "name"),
        ({"name": "A\u0000"}, "name"),
        ({"name": " "}, "name"),
    ],
)
async def test_a_bad_field_is_named(house: House, more: dict[str, Any], path: str) -> None:
    status, problem = await add(house, await house.operator(), **more)
    assert status == 422, problem
    assert path in [e["path"] for e in problem["errors"]]
    assert await house.sql("SELECT count(*) FROM person") == 5


async def test_an_area_scoped_desk_adds_in_its_area_only(house: House) -> None:
    gigiri = await house.operator(area="GIG")
    assert (await add(house, gigiri, area="WES"))[0] == 404
    family = {"category": "family", "family_of": "P4"}
    assert (await add(house, gigiri, **family))[0] == 404
    assert (await add(house, gigiri))[0] == 201
    assert (await add(house, await house.operator("auditor")))[0] == 403


async def test_nobody_is_taken_over_by_a_guess_of_the_ref(house: House) -> None:
    gigiri = await house.operator(area="GIG")
    status, _ = await add(house, gigiri, ref="P4", name="Дан Иванов", category="international")
    assert status == 409
    assert await house.sql("SELECT code FROM person p JOIN area USING (area_id) "
                           "WHERE p.ref = 'P4'") == "WES"  # fmt: skip
