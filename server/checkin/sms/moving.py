"""Stages of movements by text: `BOARD 12`, `ARRIVED`, `READY`, `AT` a point, `STAY` and why.

They count with the movement's own code, or signed by the app. A bare one is shown as unverified,
moves nobody, and its number is answered with the code: whoever pretends to be her does not get to
read it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from server.checkin.sms import replies, rules, stages
from server.checkin.sms.rules import Understood
from server.checkin.sms.signed import Signed
from server.checkin.sms.stages import Stated
from server.checkin.sms.store import SQL, Device, Holder, Inbound, Match
from server.checkin.sms.verdicts import (
    WRONG,
    Answer,
    Stage,
    State,
    Verdict,
    household,
    language_of,
    one,
)
from server.people.asking import STAGES
from server.people.asking import language_of as spoken

MOST_REASON = 500
NO_MOVEMENT = "in no movement that goes on"


def is_meant(said: Understood, match: Match | None) -> bool:
    """Whether a text is about a movement: by its code; else where it says nothing else."""
    if said.stated is None:
        return False
    if match is not None and (match.movement_id is not None or match.watch_id is not None):
        return match.movement_id is not None
    return said.status is None and said.watch is None


async def about(
    con: Any,
    text: Inbound,
    people: list[Holder],
    stated: Stated,
    match: Match | None,
    why: str,
) -> Verdict | None:
    """The verdict on a stage; `match`: whose code it names, else `why` none counts. None where
    nothing is known of a movement of hers: then it was about something else."""
    if match is None and stated.code is not None:
        state: State = "refused" if why == WRONG else "unverified"
        head = people[0].head_id if why == WRONG and household(people) else None
        answer = Answer("wrong", language_of(people))
        return Verdict(state, why, stated.stage, one(people), answer=answer, wrong=head)
    if match is None or match.movement_id is None:
        return await _bare(con, people, stated)
    if match.locked:
        answer = Answer("locked", match.language, drill=match.exercise)
        who = (match.person_id, None)
        return Verdict("refused", "the code is locked", stated.stage, *who, answer=answer)
    return await _counted(con, text, match, match.movement_id, stated)


async def _bare(con: Any, people: list[Holder], stated: Stated) -> Verdict | None:
    """Without its code it moves nobody."""
    said = stated.stage
    if not people:
        if not await con.fetchval(SQL.movement_goes_on):
            return None
        answer = Answer("stranger")
        return Verdict("unverified", "no code, unknown number", said, answer=answer)
    first = await con.fetchrow(SQL.movement_of, [h.person_id for h in people])
    if first is None:
        return None
    if not household(people):
        why = f"no code; the number of {len(people)} people"
        return Verdict("unverified", why, said, answer=Answer("unclear", language_of(people)))
    movement_id, person_id, exercise = first
    language = next(h.language for h in people if h.person_id == person_id)
    answer = Answer("use_move", language, drill=exercise, movement=(movement_id, person_id))
    return Verdict("unverified", "no code", said, person_id, answer=answer, movement_id=movement_id)


async def _counted(
    con: Any, text: Inbound, match: Match, movement_id: UUID, stated: Stated
) -> Verdict:
    """What it says of herself, or of her whole household, where the number given is its size."""
    vehicle, point, many, lacks = await _what(con, movement_id, stated)
    if lacks is not None:
        return _unclear(match, movement_id, stated, lacks)
    own: tuple[tuple[int, str], ...] = ((match.person_id, match.ref),)
    n, key = 1, "moved"
    if many is not None and 1 < many <= rules.MOST_PEOPLE:
        rows = await con.fetch(SQL.household_moving, movement_id, match.person_id)
        n = len(rows)
        if n == many:
            key, own = "moved_family", tuple((r["person_id"], r["ref"]) for r in rows)
        elif n > 1:  # else she has no family here: hers is all that is asked for
            key = "moved_some"
    reason = await _reason(con, text.body, stated) if stated.stage == "staying" else None
    at = text.received_at
    stage = Stage(movement_id, stated.stage, own, at, vehicle, point, reason)
    answer = _answer(key, match, stated.stage, vehicle, stated.code, n)
    about = (stated.stage, match.person_id)
    return Verdict(
        "counted", "by its code", *about, answer=answer, stage=stage, movement_id=movement_id
    )


async def _what(
    con: Any, movement_id: UUID, stated: Stated
) -> tuple[int | None, UUID | None, int | None, replies.Key | None]:
    """The vehicle, the point, for how many; and what is asked for where it does not say enough."""
    numbers = stated.numbers
    if stated.stage == "boarded":
        vehicle = numbers[0] if numbers else None
        if vehicle is None or not await con.fetchval(SQL.vehicle_goes, movement_id, vehicle):
            return None, None, None, "which_vehicle"
        return vehicle, None, next(iter(numbers[1:]), None), None
    if stated.stage == "at_point":
        rows = await con.fetch(SQL.points_of, movement_id)
        names = [(r["point_id"], rules.tidy(r["name"])) for r in rows]
        point, rest = stages.point_of(stated.rest, names)
        left = Stated("at_point", rest=tuple(rest)).numbers
        return None, point, next(iter(left), None), None if point else "which_point"
    if stated.stage == "staying":
        return None, None, None, None if stated.rest else "why_stay"
    return None, None, next(iter(numbers), None), None


def _unclear(match: Match, movement_id: UUID, stated: Stated, key: replies.Key) -> Verdict:
    answer = Answer(key, match.language, stated.code or "", drill=match.exercise)
    why = {
        "which_vehicle": "names no vehicle of the movement",
        "which_point": "names no point of the movement",
    }.get(key, "says not why")
    about = (stated.stage, match.person_id)
    return Verdict("not_understood", why, *about, answer=answer, movement_id=movement_id)


def _answer(
    key: str, match: Match | Device, stage: str, vehicle: int | None, code: str | None, n: int
) -> Answer:
    word = STAGES[stage][spoken(match.language)]
    said = word if vehicle is None else f"{word} {vehicle}"
    drill = isinstance(match, Match) and match.exercise
    return Answer(key, match.language, code or "", n, drill, stage=said)  # type: ignore[arg-type]


async def _reason(con: Any, body: str, stated: Stated) -> str:
    """Why she stays: her own words, without the code, and without what looks like degrees."""
    words = " ".join(w for w in body.split() if w.upper() != stated.code)
    told: str = await con.fetchval(SQL.without_degrees, words)
    return told[:MOST_REASON]


# -- the app's signed form


async def signed(con: Any, device: Device, read: Signed, at: datetime) -> Verdict:
    """A genuine signed stage: of the phone's own person, in the movement that holds her."""
    stage, vehicle = read.stage
    first = await con.fetchrow(SQL.movement_of, [device.person_id])
    if first is None:
        answer = Answer("nobody_asks", device.language)
        return Verdict("unverified", NO_MOVEMENT, stage, device.person_id, answer=answer)
    movement_id, _, exercise = first
    about = (stage, device.person_id)
    if vehicle and not await con.fetchval(SQL.vehicle_goes, movement_id, vehicle):
        answer = Answer("which_vehicle", device.language, drill=exercise)
        why = "names no vehicle of the movement"
        return Verdict("not_understood", why, *about, answer=answer, movement_id=movement_id)
    own = Stage(movement_id, stage, ((device.person_id, device.ref),), at, vehicle)
    answer = _answer("moved", device, stage, vehicle, None, 1)
    return Verdict(
        "counted", "by its signature", *about, answer=answer, stage=own, movement_id=movement_id
    )
