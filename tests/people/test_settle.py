"""What rows say of each other: twins, strangers, circles, families, shared numbers."""

from pathlib import Path

import pytest

from server.people.roster import files, rows, settle, tables
from server.people.roster.links import Known, KnownPerson
from server.people.roster.settle import Settled
from tests.people.roster import AREAS, PEOPLE, TREE, write

NOBODY = Known({}, {}, {}, [])
Complaint = tuple[str, int, str, str]


def settled(
    folder: Path, known: Known = NOBODY, *, partial: bool = False, **table: list[str]
) -> Settled:
    """Rows settled straight from files, without a database."""
    found = files.read([write(folder, **table)])
    checked = {}
    for sheet in found.sheets:
        made = tables.arrange(sheet)
        assert made.table is not None
        checked[sheet.kind] = rows.check(made.table, "KE", lambda *_: None)
    return settle.settle(checked, known, partial=partial)


def complaints(result: Settled) -> list[Complaint]:
    return [(r.file.partition(".")[0], r.row, r.column, r.reason) for r in result.refused]


def staff(ref: str, phone: str = "", area: str = "GIG", more: str = ",,,") -> str:
    return f"{ref},Name {ref},national,Health,{area},{phone},{more}"


def family(ref: str, sponsor: str, phone: str = "") -> str:
    return f"{ref},Name {ref},family,,,{phone},,,,{sponsor}"


def person(category: str = "national", sponsor: str | None = None, phone: str = "") -> KnownPerson:
    phones = {1: phone} if phone else {}
    return KnownPerson(category, sponsor, "GIG", "Health", "roster", phones)


def test_a_good_roster_has_no_complaint(tmp_path: Path) -> None:
    result = settled(tmp_path, areas=AREAS, people=PEOPLE, tree=TREE)
    assert complaints(result) == []
    assert (len(result.areas), len(result.people), len(result.nodes)) == (4, 4, 3)


def test_all_faults_are_told_at_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    areas = [*AREAS, "X,X,NOWHERE,zone,,,", "Y,,KE,planet,5,,"]
    people = [
        *PEOPLE,
        "P5,Eve,family,,,,,,,",
        "P6,Fay,national,,MOON,12,,no mail,xx,",
        "P7,Gil,alien,Health,GIG,,,,,P1",
        ",,,,,,,,,P1",
    ]
    tree = [*TREE, "N-X,N-Y,,MOON,P99,P98;P98,P97"]
    result = settled(tmp_path, areas=areas, people=people, tree=tree)
    assert complaints(result) == [
        ("areas", 6, "parent", "there is no area NOWHERE in the files or on record"),
        ("areas", 7, "lon", "is empty"),
        ("areas", 7, "name", "is empty"),
        ("areas", 7, "kind", "is unknown"),
        ("people", 6, "family_of", "family of nobody"),
        ("people", 7, "phone", "is too short for its country"),
        ("people", 7, "agency", "is empty"),
        ("people", 7, "email", "is no e-mail address"),
        ("people", 7, "language", "is no language code"),
        ("people", 8, "category", "is unknown"),
        ("people", 9, "category", "is empty"),
        ("people", 9, "ref", "is empty"),
        ("people", 9, "name", "is empty"),
        ("people", 9, "agency", "is empty"),
        ("people", 9, "area", "is empty"),
        ("tree", 5, "alternates", "names P98 twice"),
        ("tree", 5, "label", "is empty"),
    ]
    assert all(r.remedy for r in result.refused)


def test_twins_are_all_refused(tmp_path: Path) -> None:
    people = [staff("P1"), staff("P2"), staff("P1"), "P2,Bad,alien,Health,GIG,,,,,", staff("p1")]
    result = settled(tmp_path, areas=AREAS, people=people)
    assert complaints(result) == [
        ("people", 2, "ref", "is also on row 4"),
        ("people", 3, "ref", "is also on row 5"),
        ("people", 4, "ref", "is also on row 2"),
        ("people", 5, "category", "is unknown"),
    ]


def test_a_key_in_another_case_is_pointed_out(tmp_path: Path) -> None:
    result = settled(tmp_path, areas=AREAS, people=[staff("P1", area="gig"), staff("P2", area="Z")])
    assert [r.remedy for r in result.refused] == [
        "Write it as GIG.",
        "Correct it, or add the area.",
    ]


def test_circles_are_refused_with_their_way(tmp_path: Path) -> None:
    areas = ["A,A,C,zone,,,", "B,B,A,zone,,,", "C,C,B,zone,,,", "D,D,D,zone,,,", "E,E,A,zone,,,"]
    result = settled(tmp_path, areas=areas)
    assert complaints(result) == [
        ("areas", 2, "parent", "is above itself: A > C > B > A"),
        ("areas", 3, "parent", "is above itself: A > C > B > A"),
        ("areas", 4, "parent", "is above itself: A > C > B > A"),
        ("areas", 5, "parent", "is above itself: D > D"),
    ]


def test_a_circle_through_the_record_is_seen(tmp_path: Path) -> None:
    known = Known({"A": None, "B": "A"}, {"N": None, "M": "N"}, {}, [])
    result = settled(tmp_path, known, areas=["A,A,B,zone,,,"], tree=["N,M,Label,,,,"])
    assert complaints(result) == [
        ("areas", 2, "parent", "is above itself: B > A > B"),
        ("tree", 2, "parent", "is above itself: M > N > M"),
    ]


def test_a_circle_that_a_refused_row_leaves_behind_is_seen(tmp_path: Path) -> None:
    """On record B is under A. The file puts A under X, X stays under B, B's row is refused."""
    known = Known({"A": None, "B": "A", "X": "B"}, {}, {}, [])
    areas = ["A,A,X,zone,,,", "B,B,,zone,91,0,"]
    strict = settled(tmp_path, known, areas=areas)
    assert [c[1] for c in complaints(strict)] == [3]
    partial = settled(tmp_path, known, partial=True, areas=areas)
    assert [c[1:3] for c in complaints(partial)] == [(2, "parent"), (3, "lat")]
    assert partial.areas == []


@pytest.mark.parametrize("partial", [False, True])
def test_family_have_no_family(tmp_path: Path, partial: bool) -> None:
    people = [staff("P1"), family("F1", "P1"), family("F2", "F1"), family("F3", "F3")]
    result = settled(tmp_path, partial=partial, areas=AREAS, people=people)
    assert complaints(result) == [
        ("people", 4, "family_of", "F1 is family, and family have no family of their own"),
        ("people", 5, "family_of", "F3 is family, and family have no family of their own"),
    ]


def test_a_sponsor_on_record_cannot_become_family(tmp_path: Path) -> None:
    on_record = {"P1": person(), "P2": person(), "F1": person("family", "P1")}
    known = Known({"GIG": None}, {}, on_record, ["Health"])
    result = settled(tmp_path, known, people=[family("P1", "P2")])
    assert complaints(result) == [("people", 2, "category", "has family on record (F1)")]
    both = settled(tmp_path, known, people=[family("P1", "P2"), family("F1", "P2")])
    assert complaints(both) == []


def test_a_guests_ref_is_not_taken_over(tmp_path: Path) -> None:
    guest = KnownPerson("national", None, "GIG", "Health", "walk_in", {1: "+254712000009"})
    known = Known({"GIG": None}, {}, {"W1": guest}, ["Health"])
    result = settled(tmp_path, known, people=[staff("W1"), staff("P2", "+254712000009")])
    assert complaints(result) == [("people", 2, "ref", "this ref belongs to a walk-in on record")]


def test_a_number_is_shared_by_a_household_only(tmp_path: Path) -> None:
    people = [
        staff("P1", "0712000001"),
        family("F1", "P1", "+254712000001"),
        staff("P2", "0712000002", more="+254712000003,,,"),
        staff("P3", "254712000003"),
        staff("P4", "0712000004", more="0712000004,,,"),
        staff("P5", "0712000005"),
    ]
    known = Known({}, {}, {"P9": person(phone="+254712000005")}, [])
    result = settled(tmp_path, known, areas=AREAS, people=people)
    assert complaints(result) == [
        ("people", 4, "phone2", "is also the number of P3 (row 5)"),
        ("people", 5, "phone", "is also the number of P2 (row 4)"),
        ("people", 7, "phone", "is also the number of P9 (on record)"),
    ]
    assert [w.column for w in result.warnings] == ["phone2"]


def test_numbers_may_be_exchanged(tmp_path: Path) -> None:
    on_record = {"P1": person(phone="+254712000001"), "P2": person(phone="+254712000002")}
    known = Known({"GIG": None}, {}, on_record, ["Health"])
    people = [staff("P1", "+254712000002"), staff("P2", "+254712000001")]
    assert complaints(settled(tmp_path, known, people=people)) == []


def test_a_refused_exchange_keeps_the_other_out_too(tmp_path: Path) -> None:
    on_record = {"P1": person(phone="+254712000001"), "P2": person(phone="+254712000002")}
    known = Known({"GIG": None}, {}, on_record, ["Health"])
    people = [staff("P1", "+254712000002"), staff("P2", "+254712000001", area="MOON")]
    strict = settled(tmp_path, known, people=people)
    assert [c[1] for c in complaints(strict)] == [3]
    partial = settled(tmp_path, known, partial=True, people=people)
    assert complaints(partial)[0] == (
        "people",
        2,
        "phone",
        "is also the number of P2 (on record)",
    )


def test_agencies_are_spelled_one_way(tmp_path: Path) -> None:
    people = [
        staff("P1"),
        staff("P2").replace("Health", "HEALTH"),
        staff("P3").replace("Health", "Food"),
    ]
    known = Known({}, {}, {}, ["health"])
    result = settled(tmp_path, known, areas=AREAS, people=people)
    assert [p.agency for p in result.people] == ["health", "health", "Food"]
    assert result.agencies_added == ["Food"]
    assert [w.message for w in result.warnings] == [
        "Health is counted as health",
        "HEALTH is counted as health",
    ]


def test_a_long_chain_of_dependants_falls_at_once(tmp_path: Path) -> None:
    areas = ["A0,A,,zone,99,0,", *(f"A{n},A,A{n - 1},zone,,," for n in range(1, 20_000))]
    result = settled(tmp_path, partial=True, areas=areas)
    assert len(result.refused) == 20_000
    assert result.areas == []
