"""The fictional duty station: real places, invented people, the same every time."""

import csv
import re
from collections import Counter
from datetime import date
from pathlib import Path

import phonenumbers
import pytest

from clients.simulator import station
from clients.simulator.names import Origin

N = 500
HEADERS = {
    "areas.csv": "code,name,parent,kind,lat,lon,pcode",
    "people.csv": "ref,name,category,agency,area,phone,phone2,email,language,family_of",
    "tree.csv": "node,parent,label,area,warden,alternates,members",
}
SCRIPTS = {
    "Latin": r"[A-Za-zÀ-ž]",
    "Arabic": r"[\u0600-\u06ff]",
    "Cyrillic": r"[\u0400-\u04ff]",
    "Han": r"[\u4e00-\u9fff]",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("station")
    station.write_csv(folder, N, seed=1)
    return folder


@pytest.fixture(scope="module")
def everyone() -> list[station.Person]:
    return list(station.people(N, seed=1))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("name", "header"), HEADERS.items())
def test_the_headers_are_those_of_the_contract(folder, name, header):
    assert (folder / name).read_text(encoding="utf-8").splitlines()[0] == header


def test_the_areas_form_one_tree_around_nairobi(folder):
    areas = {row["code"]: row for row in rows(folder / "areas.csv")}
    kinds = Counter(row["kind"] for row in areas.values())
    assert kinds == {"country": 1, "region": 1, "duty_station": 1, "zone": 12}
    for row in areas.values():
        assert row["pcode"].startswith("FIC-")
        assert row["parent"] in areas or row["kind"] == "country"
    for row in (row for row in areas.values() if row["kind"] == "zone"):
        assert -1.40 < float(row["lat"]) < -1.20
        assert 36.65 < float(row["lon"]) < 36.95
        assert station.place(row["code"]) == (float(row["lat"]), float(row["lon"]))


def test_the_mix_of_categories(everyone):
    staff = [p for p in everyone if p.category != "family"]
    shares = {k: v / N for k, v in Counter(p.category for p in staff).items()}
    assert len(staff) == N
    assert shares.keys() == {"national", "local", "international", "contractor", "volunteer"}
    assert shares["national"] + shares["local"] > 0.6
    assert 0.1 < shares["international"] < 0.25
    assert len({p.agency for p in everyone}) == 8
    assert len(everyone) > N + 300


def test_families_follow_their_sponsors(everyone):
    areas = {p.ref: p.area for p in everyone}
    seen: set[str] = set()
    for person in everyone:
        assert (person.category == "family") is bool(person.family_of)
        if person.family_of:
            assert person.family_of in seen
            assert person.area == areas[person.family_of]
        assert person.ref not in seen
        seen.add(person.ref)


def test_every_zone_has_staff(everyone):
    zones = Counter(p.area for p in everyone if not p.family_of)
    assert zones.keys() == {zone.code for zone in station.ZONES}
    assert min(zones.values()) >= 3


def test_names_come_in_four_scripts(everyone):
    for script, pattern in SCRIPTS.items():
        assert sum(bool(re.search(pattern, p.name)) for p in everyone) > 5, script
    assert {p.language for p in everyone} == {"en", "fr", "es", "ar", "ru", "zh"}


def test_numbers_are_valid_and_nobodys_twice():
    numbers = [x for p in station.people(3000, seed=1) for x in (p.phone, p.phone2) if x]
    assert len(numbers) == len(set(numbers))
    invalid = [x for x in numbers if not phonenumbers.is_valid_number(phonenumbers.parse(x))]
    assert invalid == []
    assert sum(x.startswith("+2547") for x in numbers) > 0.8 * len(numbers)


def test_emails_are_under_example_org_and_some_are_missing(everyone):
    emails = [p.email for p in everyone if p.email]
    assert all(e.endswith("@example.org") for e in emails)
    assert len(set(emails)) == len(emails) < N
    assert any(not p.phone for p in everyone if not p.family_of)


def test_the_same_seed_writes_the_same_bytes(folder, tmp_path):
    station.write_csv(tmp_path / "again", N, seed=1)
    station.write_csv(tmp_path / "other", N, seed=2)
    for name in HEADERS:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    other = (tmp_path / "other" / "people.csv").read_bytes()
    assert other != (folder / "people.csv").read_bytes()


def test_a_longer_list_begins_with_the_shorter(everyone):
    longer = station.people(2 * N, seed=1)
    assert [next(longer) for _ in everyone] == everyone


def test_people_are_streamed():
    million = station.people(1_000_000, seed=1)
    assert next(million).ref == "NBO-00001"


def test_the_tree_of_a_small_station(everyone):
    nodes = station.tree(N, seed=1)
    category = {p.ref: p.category for p in everyone}
    area = {p.ref: p.area for p in everyone}
    assert [n.parent for n in nodes] == ["", *["DO"] * 12]
    locally = sum(category[n.warden] in ("national", "local") for n in nodes[1:])
    assert 6 < locally < 12
    for node in nodes[1:]:
        assert node.members == []
        assert 1 <= len(node.alternates) <= 2
        assert {area[ref] for ref in (node.warden, *node.alternates)} == {node.area}
    assert len({n.warden for n in nodes}) == len(nodes)


def test_large_zones_are_cut_into_blocks_that_hold_everyone_once():
    n = 4000
    nodes = station.tree(n, seed=1)
    members = Counter(ref for node in nodes for ref in node.members)
    by_area = {node.area for node in nodes[1:] if not node.members}
    expected = {p.ref for p in station.people(n, seed=1) if p.area not in by_area}
    assert expected <= members.keys()
    assert set(members.values()) == {1}
    known = {node.node for node in nodes}
    assert len(known) == len(nodes) > 40
    assert all(node.parent in known for node in nodes[1:])


def test_a_tiny_station_has_a_tree_too(tmp_path):
    written = station.write_csv(tmp_path, n=1, seed=1)
    assert (written.staff, written.nodes) == (1, 1)
    assert station.tree(0, seed=1) == []


def test_the_files_say_what_was_written(folder, everyone):
    written = station.write_csv(folder, N, seed=1)
    assert (written.areas, written.staff, written.nodes) == (15, N, 13)
    assert written.family == len(everyone) - N
    assert len(rows(folder / "people.csv")) == len(everyone)
    assert len(rows(folder / "tree.csv")) == 13


def test_some_are_elsewhere_on_a_given_day(tmp_path):
    station.write_csv(tmp_path, N, seed=1, today=date(2026, 11, 23))
    found = rows(tmp_path / "presence.csv")
    assert Counter(row["kind"] for row in found)["visit"] == 2
    assert {row["kind"] for row in found} == {"leave", "travel", "visit"}
    assert {row["ref"] for row in found} <= {row["ref"] for row in rows(tmp_path / "people.csv")}
    assert all(row["from"] <= "2026-11-23" <= row["until"] for row in found)
    assert 10 < len(found) < 60


def test_home_prefixes_leave_room_for_a_hundred_thousand():
    from clients.simulator import names

    origins = [value for value in vars(names).values() if isinstance(value, Origin)]
    assert min(10 ** origin.home[1] for origin in origins) >= 1_000_000
