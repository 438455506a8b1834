"""Who may answer for whom."""

import pytest

from server.errors import BadInput, NotFound
from server.people.reporters import resolve_reporter, resolve_reporters
from tests.people.house import House


async def outcome(house: House, token: str, ref: str | None) -> str:
    who = await house.auth.principal(token)
    try:
        person_id, reporter = await resolve_reporter(house.db, house.auth, who, ref)
    except NotFound:
        return "nobody"
    except BadInput:
        return "name one"
    named = await house.sql("SELECT ref FROM person WHERE person_id = $1", person_id)
    return f"{reporter} {named}"


async def test_the_whole_table(house: House) -> None:
    desk = await house.operator()
    sponsor = (await house.device(desk, "P1"))["token"]  # warden of GIG, sponsor of P2, P3
    child = (await house.device(desk, "P2"))["token"]
    alternate = (await house.device(desk, "P4"))["token"]  # of WES, where P5 is warden
    gigiri = await house.operator(area="GIG")
    warden = await house.operator("warden", person="P5")
    expected = [
        (sponsor, None, "self P1"),
        (sponsor, "P1", "self P1"),
        (sponsor, "P2", "family P2"),
        (sponsor, "P4", "nobody"),
        (sponsor, "P9", "nobody"),
        (child, None, "self P2"),
        (child, "P2", "self P2"),
        (child, "P1", "nobody"),
        (child, "P3", "nobody"),
        (alternate, "P5", "warden P5"),
        (alternate, "P1", "nobody"),
        (desk, None, "name one"),
        (desk, "P3", "operator P3"),
        (desk, "P9", "nobody"),
        (gigiri, "P3", "operator P3"),
        (gigiri, "P4", "nobody"),
        (warden, None, "self P5"),
        (warden, "P4", "warden P4"),
        (warden, "P1", "nobody"),
    ]
    for token, ref, said in expected:
        assert await outcome(house, token, ref) == said, (ref, said)


async def test_many_at_once_with_a_refusal_each(house: House) -> None:
    sponsor = (await house.device(await house.operator(), "P1"))["token"]
    who = await house.auth.principal(sponsor)
    found = await resolve_reporters(house.db, house.auth, who, ["P2", "P4", None, "P3"])
    assert [o[1] if isinstance(o, tuple) else o.status for o in found] == [
        "family",
        404,
        "self",
        "family",
    ]


@pytest.mark.parametrize("ref", ["", "x" * 5000, "\ud800", "P1;P2"])
async def test_a_strange_ref_is_nobody(house: House, ref: str) -> None:
    desk = await house.operator()
    assert await outcome(house, desk, ref) == "nobody"


async def test_a_merged_guest_is_nobody(house: House) -> None:
    await house.sql(
        "INSERT INTO person (operation_id, ref, name, category, agency_id, area_id, kind, "
        "merged_into) SELECT operation_id, 'W1', 'W', 'local', agency_id, area_id, 'walk_in', "
        "person_id FROM person WHERE ref = 'P1'"
    )
    assert await outcome(house, await house.operator(), "W1") == "nobody"
