"""Words about watches by text: DONE and EXTEND.

They count with the watch's own code alone, which went to the number of her who is watched: a forged
one must not end the watch of somebody in trouble. Without it they are shown, and answered with it.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from server.checkin.sms.rules import Understood
from server.checkin.sms.store import SQL, Holder, Inbound, Match, asked_of
from server.checkin.sms.verdicts import (
    WRONG,
    Answer,
    State,
    Verdict,
    Word,
    household,
    language_of,
    one,
)
from server.checkin.watches.rules import instant

JUST_PAST = timedelta(hours=1)  # a wall time that long past is meant as past, not as tomorrow's


async def about(
    con: Any,
    text: Inbound,
    people: list[Holder],
    said: Understood,
    match: Match | None,
    why: str,
) -> Verdict:
    """The verdict on DONE or EXTEND; `match`: whose code it names, else `why` none counts."""
    if match is None and said.code is not None:
        state: State = "refused" if why == WRONG else "unverified"
        head = people[0].head_id if why == WRONG and household(people) else None
        answer = Answer("wrong", language_of(people))
        return Verdict(state, why, said.watch, one(people), answer=answer, wrong=head)
    if match is None or match.watch_id is None:
        return await _bare(con, people, said)
    if match.locked:
        answer = Answer("locked", match.language)
        return Verdict("refused", "the code is locked", said.watch, match.person_id, answer=answer)
    due_at = None
    if said.watch == "extend":
        due_at = await _deadline(con, text.received_at, said)
        if due_at is None:
            answer = Answer("how_long", match.language, said.code or "")
            why = "says not for how long"
            return Verdict("not_understood", why, said.watch, match.person_id, answer=answer)
    answer = Answer("watch_done", match.language, said.code or "")
    word = Word(match.watch_id, due_at)
    about = (said.watch, match.person_id)
    return Verdict("counted", "by its code", *about, answer=answer, word=word)


async def _bare(con: Any, people: list[Holder], said: Understood) -> Verdict:
    """Without its code a word ends nothing; whose number it is learns the code of the watch that is
    overdue, or due first; where she has none, her code in the alert that asks her."""
    if not people:
        answer = Answer("stranger")
        return Verdict("unverified", "no code, unknown number", said.watch, answer=answer)
    if not household(people):
        why = f"no code; the number of {len(people)} people"
        return Verdict("unverified", why, said.watch, answer=Answer("unclear", language_of(people)))
    first = await con.fetchrow(SQL.watch_of, [h.person_id for h in people])
    if first is None:
        return await _no_watch(con, people, said)
    language = next(h.language for h in people if h.person_id == first["person_id"])
    answer = Answer("use_watch", language, watch_id=first["watch_id"])
    return Verdict("unverified", "no code", said.watch, first["person_id"], answer=answer)


async def _no_watch(con: Any, people: list[Holder], said: Understood) -> Verdict:
    """Perhaps she meant an alert: nobody may be told that nobody asks while one does."""
    asked = await asked_of(con, [h.person_id for h in people])
    answer = Answer("nobody_asks", language_of(people))
    if asked:
        alert_id, person_id = asked[0].alert_id, asked[0].person_id
        language = next(h.language for h in people if h.person_id == person_id)
        about = (alert_id, person_id)
        answer = Answer("use_code", language, drill=asked[0].exercise, about=about)
    return Verdict("unverified", "no code, no watch", said.watch, one(people), answer=answer)


async def _deadline(con: Any, at: datetime, said: Understood) -> datetime | None:
    """Minutes count from when the text came; a wall time is the operation's own."""
    if said.minutes is not None:
        return at + timedelta(minutes=said.minutes)
    if said.wall is None:
        return None
    return next_wall(said.wall, ZoneInfo(await con.fetchval(SQL.zone)), at)


def next_wall(wall: time, zone: ZoneInfo, at: datetime) -> datetime:
    """When it is a wall time next; one that is just past is meant as past: the watch is missed at
    once, and not a day later. One that comes twice that night is not past before its second."""
    today = at.astimezone(zone).date()
    days = (today + timedelta(days=n) for n in (-1, 0, 1, 2))
    moments = [m for day in days for m in _moments(wall, zone, day)]
    ahead = [m for m in moments if m > at - JUST_PAST]
    return ahead[1] if ahead[0] <= at < ahead[1] <= ahead[0] + JUST_PAST else ahead[0]


def _moments(wall: time, zone: ZoneInfo, day: date) -> list[datetime]:
    """When it is a wall time on a day: twice, where clocks are put back over it."""
    first = instant(day, wall, zone)
    again = first.astimezone(zone).replace(fold=1).astimezone(UTC)
    return [first, again] if again > first else [first]


def shown(due_at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """A deadline by the operation's clocks, with its day where that is not today."""
    local = due_at.astimezone(zone)
    same = local.date() == now.astimezone(zone).date()
    return f"{local:%H:%M %Z}" if same else f"{local:%Y-%m-%d %H:%M %Z}"
