"""Rows of watches, of what happened to them, and of what goes out about them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.auth import Principal, Scope
from server.checkin.watches import words
from server.checkin.watches.rules import Fact, Turn, Watch
from server.columns import literal
from server.db import named_sql
from server.mailing import DESK
from server.stream import Draft

SQL = named_sql(__file__)
_FIELDS = Watch.__struct_fields__
_WRITTEN = (
    "watch_id",
    "counts_from",
    "due_at",
    "state",
    "round",
    "step",
    "turn_at",
    "said_at",
    "reminded_at",
    "overdue_at",
    "late",
    "ended_at",
)
REMIND, MISSED, LEADERS, ABOVE = range(4)  # rounds of deliveries: of each kind one may wait
_HOUR = timedelta(hours=1)


class New(msgspec.Struct, frozen=True):
    """What watches of one making have in common. `names`: id, person id, callsign of each."""

    kind: str
    names: Sequence[tuple[UUID, int | None, str | None]]
    counts_from: datetime
    due_at: datetime
    grace_s: int
    turn_at: datetime
    now: datetime
    actor: str
    interval_s: int | None = None
    area_id: int | None = None
    note: str | None = None
    route: str | None = None
    vehicle: str | None = None
    contacts: Sequence[str] = ()
    companions: Sequence[str] = ()
    curfew_id: UUID | None = None
    day: date | None = None
    roll_id: UUID | None = None
    body: bytes = b""


class Line(msgspec.Struct, frozen=True):
    """A word about a watch to one person."""

    watch_id: UUID
    person_id: int
    words: dict[str, str]


def watch_of(row: Any) -> Watch:
    """A row of claim or lock."""
    return Watch(**{name: row[name] for name in _FIELDS})


def seen(who: Principal, scope: Scope) -> tuple[list[int] | None, list[int] | None, str]:
    """A caller's sight as query arguments: areas, people, and what she made herself."""
    areas = scope.area_list()
    people = scope.people_list()
    if people is not None and who.person_id is not None:
        people = [*people, who.person_id]
    return areas, people, who.actor


async def insert(con: Any, new: New) -> list[UUID]:
    """Puts watches on record with their first fact; those that are new."""
    ids, people, callsigns = (list(column) for column in zip(*new.names, strict=True))
    rows = await con.fetch(
        *(SQL.insert_watches, ids, new.kind, new.area_id, new.counts_from, new.due_at),
        *(new.grace_s, new.interval_s, new.turn_at, new.now, new.note, new.route, new.vehicle),
        *(list(new.contacts), list(new.companions), new.curfew_id, new.day, new.roll_id),
        *(new.body, new.now, new.actor, people, callsigns),
    )
    made = [row["watch_id"] for row in rows]
    fact = Fact("created", 0, due_at=new.due_at)
    await insert_facts(con, [(watch_id, fact) for watch_id in made], new.actor)
    return made


async def insert_facts(con: Any, facts: Sequence[tuple[UUID, Fact]], actor: str) -> None:
    """Puts on record what happened. Raises UniqueViolationError for what the clock did already."""
    if not facts:
        return
    columns: tuple[list[Any], ...] = (
        [watch_id for watch_id, _ in facts],
        [f.what for _, f in facts],
        [f.round for _, f in facts],
        [f.event_at for _, f in facts],
        [f.due_at for _, f in facts],
        [f.late for _, f in facts],
    )
    await con.execute(SQL.insert_facts, *[literal(c) for c in columns], actor)


async def write(con: Any, watches: Sequence[Watch]) -> None:
    """Writes watches whose rows are held."""
    if watches:
        columns = [literal(getattr(w, name) for w in watches) for name in _WRITTEN]
        await con.execute(SQL.write, *columns)


async def record(con: Any, turns: Sequence[tuple[Watch, Turn]], actor: str = "system") -> None:
    """Writes what changed, and what happened; reminders of a deadline that stands no more end, and
    so does the offer of a watch that has ended."""
    await write(con, [t.watch for was, t in turns if t.watch != was])
    await insert_facts(con, [(t.watch.watch_id, f) for _, t in turns for f in t.facts], actor)
    over = [t.watch.watch_id for was, t in turns if t.watch.ended or t.watch.round != was.round]
    if over:
        await con.execute(SQL.stop_own, over)
    ended = [t.watch.watch_id for was, t in turns if t.watch.ended and not was.ended]
    if ended:
        await con.execute(SQL.end_offers, ended)


async def tell(
    con: Any, lines: Iterable[Line], kind: int, texted: Sequence[str], within: timedelta = _HOUR
) -> None:
    """Queues words to people; to who leads only one of all these watches. A reminder goes by text
    only to who has no push; all else by both. `within`: never sent later."""
    own = {(line.person_id, None if kind > MISSED else line.watch_id): line for line in lines}
    if not own:
        return
    rows = await con.fetch(SQL.languages, sorted({person_id for person_id, _ in own}))
    spoken = {r["person_id"]: r["language"] for r in rows}
    told = [(line, spoken.get(line.person_id)) for line in own.values()]
    codes = await _codes(con, own.values(), texted) if kind <= MISSED and texted else {}
    await con.execute(
        SQL.tell,
        [line.watch_id for line, _ in told],
        [line.person_id for line, _ in told],
        [words.line(line.words, language) for line, language in told],
        [words.text(line.words, language, codes.get(line.watch_id)) for line, language in told],
        kind,
        2 if kind == REMIND else 1,
        kind != REMIND,
        list(texted),
        within,
    )


async def _codes(con: Any, lines: Iterable[Line], texted: Sequence[str]) -> dict[UUID, str]:
    """The codes of watches whose people can be texted, made where they have none."""
    ids, people = zip(*((line.watch_id, line.person_id) for line in lines), strict=True)
    named = [r[0] for r in await con.fetch(SQL.textable, list(ids), list(people), list(texted))]
    if not named:
        return {}
    await con.execute(SQL.give_codes, named)
    return {r["watch_id"]: r["code"] for r in await con.fetch(SQL.codes, named)}


async def tell_desk(
    con: Any, watch_ids: Sequence[UUID], texted: Sequence[str], about: str = words.DESK
) -> None:
    """Queues a word to the duty desk's own channels, where there are any."""
    if watch_ids and DESK in texted:
        await con.execute(SQL.tell_desk, watch_ids[0], str(len(watch_ids)), about)


def draft(watch_ids: Iterable[UUID]) -> Draft:
    """The event of watches that are new or changed; viewers get them as they are when told."""
    return Draft("watch", {"watches": [str(w) for w in watch_ids]})
