"""The record before and after an import: read whole, written by COPY and set-based merges."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from server.db import named_sql
from server.people.roster.links import Known, KnownPerson
from server.people.roster.rows import AreaRow, NodeRow, PersonRow, presence_key
from server.people.roster.settle import Settled

SQL = named_sql(__file__)
Note = Callable[[int], None]
MANY = 500  # rows from which the planner is told of them


class Merged(msgspec.Struct, frozen=True):
    """How many rows of a table were new, changed, and as before."""

    added: int
    updated: int
    unchanged: int


async def known(con: Any) -> Known:
    """What is on record in the running operation."""
    people = {r["ref"]: _person(r) for r in await con.fetch(SQL.known_people)}
    return Known(
        areas=dict(await _pairs(con, SQL.known_areas)),
        nodes=dict(await _pairs(con, SQL.known_nodes)),
        people=people,
        agencies=[r["name"] for r in await con.fetch(SQL.known_agencies)],
        presences=[presence_key(*r) for r in await con.fetch(SQL.known_presences)],
    )


async def known_of(con: Any, person: PersonRow) -> Known:
    """The part of the record that one new person is settled against."""
    refs = [person.ref, person.family_of]
    numbers = [n for n in (person.phone, person.phone2) if n is not None]
    found = await con.fetch(SQL.known_people_of, refs, numbers)
    return Known(
        areas=dict(await _pairs(con, SQL.known_areas)),
        nodes={},
        people={r["ref"]: _person(r) for r in found},
        agencies=[r["name"] for r in await con.fetch(SQL.known_agencies)],
    )


async def known_people(con: Any, refs: Sequence[str]) -> dict[str, KnownPerson]:
    """Those on record under some refs, by ref; their families ride along."""
    found = await con.fetch(SQL.known_people_of, list(refs), [])
    return {r["ref"]: _person(r) for r in found}


async def write(
    con: Any, settled: Settled, absent: dict[str, frozenset[str]], note: Note
) -> dict[str, Merged]:
    """Writes settled rows; returns counts by table. `note` hears of every row staged or merged.

    `absent`: columns each file lacks, whose values on record stay.
    """
    await con.execute(SQL.stage)
    many = len(settled.areas) + len(settled.people) + len(settled.nodes) >= MANY
    learn = con.execute if many else _nothing
    areas = await _areas(con, settled.areas, _kept(absent, "areas"))
    await con.execute(SQL.add_agencies, settled.agencies_added)
    await learn(SQL.learn_places)
    people = await _people(con, settled.people, _kept(absent, "people"), note)
    await learn(SQL.learn_people)
    await _numbers(con, settled.people, _kept(absent, "people"), note)
    nodes = await _nodes(con, settled.nodes)
    await learn(SQL.learn_nodes)
    await _lists(con, settled.nodes)
    await learn(SQL.learn_rest)
    await con.execute(SQL.check_now)
    return {"areas": areas, "people": people, "tree": nodes}


async def _pairs(con: Any, sql: str) -> list[tuple[str, str | None]]:
    return [(r[0], r[1]) for r in await con.fetch(sql)]


def _person(r: Any) -> KnownPerson:
    phones = {rank: r[c] for rank, c in ((1, "phone"), (2, "phone2")) if r[c] is not None}
    return KnownPerson(r["category"], r["sponsor"], r["area"], r["agency"], r["kind"], phones)


def _kept(absent: dict[str, frozenset[str]], kind: str) -> list[str]:
    return sorted(absent.get(kind, frozenset()))


async def _areas(con: Any, rows: Sequence[AreaRow], kept: list[str]) -> Merged:
    if not rows:
        return Merged(0, 0, 0)
    records = ((a.code, a.name, a.parent or None, a.kind, a.lat, a.lon, a.pcode) for a in rows)
    await _copy(con, "staged_area", "code name parent kind lat lon pcode", records)
    await con.execute(SQL.mark_areas)
    added = _count(await con.execute(SQL.add_areas))
    await con.execute(SQL.join_areas)
    updated = _count(await con.execute(SQL.change_areas, kept))
    return Merged(added, updated, len(rows) - added - updated)


async def _people(con: Any, rows: Sequence[PersonRow], kept: list[str], note: Note) -> Merged:
    if not rows:
        return Merged(0, 0, 0)
    columns = "ref name category agency area phone phone2 email language sponsor fresh"
    await _copy(con, "staged_person", columns, map(_record, rows))
    await con.execute(SQL.learn_staged)
    await con.execute(SQL.mark_people)
    note(len(rows))
    added = _count(await con.execute(SQL.add_staff)) + _count(await con.execute(SQL.add_family))
    updated = _count(await con.execute(SQL.change_people, kept))
    note(len(rows))
    return Merged(added, updated, len(rows) - added - updated)


def _record(p: PersonRow) -> tuple[Any, ...]:
    return (
        p.ref, p.name, p.category, p.agency, p.area, p.phone, p.phone2, p.email, p.language,
        p.family_of or None, True,
    )  # fmt: skip


async def _numbers(con: Any, rows: Sequence[PersonRow], kept: list[str], note: Note) -> None:
    if rows:
        await con.execute(SQL.drop_numbers, kept)
        await con.execute(SQL.put_numbers)
        note(len(rows))


async def _nodes(con: Any, rows: Sequence[NodeRow]) -> Merged:
    if not rows:
        return Merged(0, 0, 0)
    records = (
        (n.node, n.parent or None, n.label, n.area or None, n.warden or None, n.alternates,
         sorted(n.members), True, False)
        for n in rows
    )  # fmt: skip
    columns = "node parent label area warden alternates members fresh changed"
    await _copy(con, "staged_node", columns, records)
    await con.execute(SQL.mark_nodes)
    added = _count(await con.execute(SQL.add_nodes))
    updated = int(await con.fetchval(SQL.change_nodes))
    return Merged(added, updated, len(rows) - added - updated)


async def _lists(con: Any, rows: Sequence[NodeRow]) -> None:
    """Alternates and members of the nodes that are new or whose lists differ."""
    if rows:
        for sql in (SQL.empty_nodes, SQL.empty_members, SQL.add_alternates, SQL.add_members):
            await con.execute(sql)


async def _nothing(_: str) -> None:
    return None


async def _copy(con: Any, table: str, columns: str, records: Iterable[tuple[Any, ...]]) -> None:
    await con.copy_records_to_table(table, records=records, columns=columns.split())


def _count(tag: str) -> int:
    """The number at the end of a command's tag, as in `INSERT 0 17`."""
    return int(tag.rpartition(" ")[2])
