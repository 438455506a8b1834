"""The directory: who sees whom, found by any part of name, ref or number."""

from urllib.parse import quote

import pytest

from tests.people.house import House


async def refs(house: House, token: str, **query: str) -> list[str]:
    found = await house.get("/v1/people", token, params=query)
    return [p["ref"] for p in found["items"]]


async def test_everyone_by_name(house: House) -> None:
    desk = await house.operator("auditor")
    await house.device(await house.operator(), "P1")
    found = (await house.get("/v1/people", desk))["items"]
    assert found[0] == {
        "ref": "P1",
        "name": "Ann Otieno",
        "category": "national",
        "kind": "roster",
        "area": "GIG",
        "agency": "Health",
        "sponsor": None,
        "devices": 1,
    }
    assert [p["ref"] for p in found] == ["P1", "P2", "P3", "P5", "P4"]
    assert found[1]["sponsor"] == "P1"


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("OTIENO", ["P1", "P2", "P3"]),
        ("дан и", ["P4"]),
        ("ИВАН", ["P4"]),
        ("نور", ["P5"]),
        ("p4", ["P4"]),
        ("712000005", ["P5"]),
        ("0712 000005", ["P5"]),
        ("+254 712-000-005", ["P5"]),
        ("٧١٢٠٠٠٠٠٥", ["P5"]),
        ("00254712000005", ["P5"]),
        ("%", []),
        ("_", []),
        ("12", []),
        ("", ["P1", "P2", "P3", "P5", "P4"]),
    ],
)
async def test_a_search_in_any_script_and_case(house: House, q: str, found: list[str]) -> None:
    assert await refs(house, await house.operator(), q=q) == found


async def test_an_area_holds_all_below_it(house: House) -> None:
    desk = await house.operator()
    assert await refs(house, desk, area="GIG") == ["P1", "P2", "P3"]
    assert len(await refs(house, desk, area="KE")) == 5
    assert await refs(house, desk, area="WES", q="eve") == ["P5"]
    assert (await house.call("GET", "/v1/people?area=MOON", desk)).status_code == 404


async def test_each_sees_her_own_part(house: House) -> None:
    desk = await house.operator()
    gigiri = await house.operator(area="GIG")
    warden = (await house.device(desk, "P5"))["token"]
    colleague = (await house.device(desk, "P2"))["token"]
    assert await refs(house, gigiri) == ["P1", "P2", "P3"]
    assert await refs(house, warden) == ["P5", "P4"]
    assert (await house.call("GET", "/v1/people", colleague)).status_code == 403
    assert (await house.call("GET", "/v1/people/P4", gigiri)).status_code == 404
    assert (await house.call("GET", "/v1/people?area=WES", gigiri)).status_code == 404
    assert (await house.call("GET", "/v1/people/P1", warden)).status_code == 404
    areas = (await house.get("/v1/areas", gigiri))["items"]
    assert [(a["code"], a["parent"]) for a in areas] == [("GIG", None)]
    assert [n["node"] for n in (await house.get("/v1/tree", gigiri))["items"]] == ["N-GIG"]
    assert [n["node"] for n in (await house.get("/v1/tree", warden))["items"]] == ["N-WES"]
    assert len((await house.get("/v1/areas", colleague))["items"]) == 4
    assert (await house.call("GET", "/v1/tree", colleague)).status_code == 403


async def test_one_person_in_full(house: House) -> None:
    desk = await house.operator()
    await house.device(desk, "P2", push={"kind": "fcm", "token": "t"})
    ben = await house.get("/v1/people/P2", desk)
    (device,) = ben.pop("devices")
    assert (device["platform"], device["push"], device["silent_since"]) == ("sim", "fcm", None)
    assert ben == {
        "ref": "P2",
        "name": "Ben Otieno",
        "category": "family",
        "kind": "roster",
        "area": {"code": "GIG", "name": "GIG zone"},
        "agency": "Health",
        "sponsor": "P1",
        "language": "fr",
        "email": None,
        "phones": ["+254712000002"],
        "household": [{"ref": "P1", "name": "Ann Otieno"}, {"ref": "P3", "name": "Cleo Otieno"}],
    }


async def test_the_other_lists(house: House) -> None:
    desk = await house.operator()
    areas = (await house.get("/v1/areas", desk))["items"]
    assert [a["code"] for a in areas] == ["GIG", "KE", "NBO", "WES"]
    assert areas[1] == {
        "code": "KE", "name": "Kenya", "parent": None, "kind": "country", "lat": 1.0, "lon": 38.0,
    }  # fmt: skip
    agencies = (await house.get("/v1/agencies", desk))["items"]
    assert agencies == [{"code": "Food", "name": "Food"}, {"code": "Health", "name": "Health"}]
    tree = (await house.get("/v1/tree", desk))["items"]
    assert [(n["node"], n["warden"], n["alternates"]) for n in tree] == [
        ("N-GIG", "P1", []),
        ("N-WES", "P5", ["P4"]),
        ("ROOT", None, []),
    ]


@pytest.mark.parametrize("path", ["/v1/people", "/v1/areas", "/v1/tree", "/v1/agencies"])
async def test_pages_join_without_gap_or_overlap(house: House, path: str) -> None:
    desk = await house.operator()
    whole = (await house.get(path, desk))["items"]
    for limit in range(1, len(whole) + 1):
        pages, at = [], f"{path}?limit={limit}"
        while at:
            page = await house.get(at, desk)
            pages.append(page["items"])
            at = page["next"]
        assert [item for page in pages for item in page] == whole
        assert all(len(page) <= limit for page in pages)


async def test_a_filter_stays_on_the_next_page(house: House) -> None:
    desk = await house.operator()
    first = await house.get("/v1/people", desk, params={"q": "Otieno & Co?", "limit": "1"})
    assert first == {"items": [], "next": None}
    first = await house.get("/v1/people", desk, params={"q": " otieno", "limit": "1"})
    assert (await house.get(first["next"], desk))["items"][0]["ref"] == "P2"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=%00", "cursor=bnVsbA", "q=%00",
     "cursor=WyIxIl0", "cursor=WzEsIFtdXQ", "cursor=%F0%9F%98%80", "cursor=WyJcdTAwMDAiLCJ4Il0"],
)  # fmt: skip
async def test_a_bad_query_is_refused_by_field(house: House, query: str) -> None:
    answer = await house.call("GET", f"/v1/people?{query}", await house.operator())
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    "ref", ["NONE", "%00", "%ED%A0%80", "x" * 3000, "..", "%2e%2e", " ", "P1%00"]
)
async def test_a_strange_ref_is_not_found(house: House, ref: str) -> None:
    answer = await house.call("GET", f"/v1/people/{ref}", await house.operator())
    assert answer.status_code == 404, answer.text


async def test_refs_of_another_operation_are_not_found(house: House) -> None:
    other = await house.other(furnished=True)
    await other.sql("UPDATE person SET ref = 'X-' || ref")
    desk = await house.operator()
    assert (await house.call("GET", "/v1/people/X-P1", desk)).status_code == 404
    assert await refs(house, desk, q="X-") == []
    assert (await house.call("GET", f"/v1/people/{quote('P1')}", desk)).status_code == 200
