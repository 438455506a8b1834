"""What a watch does next, and when: by the moment it is given, never by a clock. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

Verb = Literal["remind", "miss", "pass_up", "cover", "done", "extend", "cancel"]
LEAD = timedelta(minutes=10)  # how long before its deadline a watch reminds, at most
SHORTEST_LEAD = timedelta(seconds=30)
STEP = timedelta(minutes=5)  # from the warden to the node above, from there to the duty desk
LOOK_AGAIN = timedelta(minutes=1)  # at an overdue watch: has its person reported since?
SELDOM = timedelta(minutes=10)  # at one that was left lying for hours
DESK = 3  # the last step
DAY = timedelta(days=1)
ENDED = frozenset({"done", "cancelled"})

# Which verb leads where. What is not here stays as it is: what has ended stays ended.
TRANSITIONS: dict[str, dict[str, str]] = {
    "remind": {"running": "reminded"},
    "miss": {"running": "overdue", "reminded": "overdue"},
    "extend": {"running": "running", "reminded": "running", "overdue": "running"},
    "done": {"running": "done", "reminded": "done", "overdue": "done"},
    "cancel": {"running": "cancelled", "reminded": "cancelled", "overdue": "cancelled"},
}


class Watch(msgspec.Struct, frozen=True):
    """What of a watch decides. `step`: 0 nobody was told, 1 its warden, 2 the node above, 3 the
    duty desk."""

    watch_id: UUID
    kind: str
    person_id: int | None
    counts_from: datetime
    due_at: datetime
    grace_s: int
    interval_s: int | None
    state: str
    round: int
    step: int
    turn_at: datetime | None
    said_at: datetime
    reminded_at: datetime | None
    overdue_at: datetime | None
    late: bool
    ended_at: datetime | None

    @property
    def fires_at(self) -> datetime:
        """When it is overdue."""
        return self.due_at + timedelta(seconds=self.grace_s)

    @property
    def ended(self) -> bool:
        """Done or cancelled: it stays so."""
        return self.state in ENDED


class Fact(msgspec.Struct, frozen=True):
    """What happened, as it goes on record. `round` is that of the deadline it happened to."""

    what: str
    round: int
    event_at: datetime | None = None
    due_at: datetime | None = None
    late: bool = False


class Turn(msgspec.Struct, frozen=True):
    """A watch after something happened, what that was, and the highest step that is to be told."""

    watch: Watch
    facts: tuple[Fact, ...] = ()
    remind: bool = False
    tell: int = 0


def lead(length: timedelta) -> timedelta:
    """How long before the deadline to remind: a quarter of the whole, at most ten minutes, and
    not at all where that is no time to act in."""
    own = min(LEAD, length / 4)
    return own if own >= SHORTEST_LEAD else timedelta(0)


def first_turn(begins_at: datetime, due_at: datetime, grace_s: int) -> datetime:
    """When to look at a deadline first: to remind, else when it is missed."""
    before = lead(due_at - begins_at)
    return due_at - before if before else due_at + timedelta(seconds=grace_s)


def covered_from(kind: str, begins_at: datetime, due_at: datetime) -> datetime:
    """From when on a report covers a deadline. On a journey only from the reminder on: a word from
    the road says nothing of an arrival."""
    if kind != "journey":
        return begins_at
    return max(begins_at, due_at - lead(due_at - begins_at))


def look(watch: Watch, now: datetime, heard_at: datetime | None, *, above: bool = True) -> Turn:
    """What a look at a watch that is due brings. `heard_at`: a report that covers its deadline;
    `above`: there is a node above its person's to tell."""
    if watch.ended or watch.turn_at is None or watch.turn_at > now:
        return Turn(watch)
    if heard_at is not None:
        return report(watch, heard_at, now, "covered")
    if watch.state == "overdue":
        return _pass_up(watch, now, above=above)
    if now >= watch.fires_at:
        return _miss(watch, now)
    after = watch.fires_at
    if watch.state == "reminded":
        return Turn(msgspec.structs.replace(watch, turn_at=after))
    new = msgspec.structs.replace(
        watch, state=TRANSITIONS["remind"]["running"], reminded_at=now, turn_at=after
    )
    return Turn(new, (Fact("reminded", watch.round),), remind=True)


def _miss(watch: Watch, now: datetime) -> Turn:
    step = 1 if watch.person_id is not None else DESK  # a bare callsign has no warden
    new = msgspec.structs.replace(
        watch,
        state=TRANSITIONS["miss"][watch.state],
        overdue_at=now,
        late=True,
        step=step,
        turn_at=now + LOOK_AGAIN,
    )
    facts = [Fact("overdue", watch.round, due_at=watch.due_at, late=True)]
    if step == DESK:
        facts.append(Fact("desk", watch.round))
    return Turn(new, tuple(facts), tell=step)


def _pass_up(watch: Watch, now: datetime, *, above: bool) -> Turn:
    """Looked at each minute, more seldom when it is old; told a step further up each five."""
    since = watch.overdue_at or now
    turn_at = now + min(SELDOM, max(LOOK_AGAIN, (now - since) / 20))
    if watch.step >= DESK or now < since + STEP * watch.step:
        return Turn(msgspec.structs.replace(watch, turn_at=turn_at))
    step = 2 if watch.step < 2 and above else DESK
    new = msgspec.structs.replace(watch, step=step, turn_at=turn_at)
    what = "passed_up" if step == 2 else "desk"
    return Turn(new, (Fact(what, watch.round),), tell=step)


def report(watch: Watch, event_at: datetime, now: datetime, what: str = "done") -> Turn:
    """Somebody reports at `event_at` (corrected): the end, or of an interval the next one.

    One from before the deadline was last set moves nothing: it is on record as superseded.
    """
    missed = watch.state == "overdue" or event_at > watch.fires_at
    fact = Fact(what, watch.round, event_at, late=missed or watch.ended)
    if watch.ended:
        return Turn(watch, (fact,))
    if _said_before(watch, event_at):
        return Turn(watch, (msgspec.structs.replace(fact, what="superseded", late=False),))
    if watch.interval_s is None:
        new = msgspec.structs.replace(
            watch,
            state=TRANSITIONS["done"][watch.state],
            ended_at=now,
            turn_at=None,
            late=watch.late or missed,
        )
        return Turn(new, (fact,))
    due_at = max(event_at + timedelta(seconds=watch.interval_s), watch.due_at)  # it was extended
    fact = msgspec.structs.replace(fact, due_at=due_at)
    return Turn(_again(watch, event_at, due_at, event_at, late=missed), (fact,))


def _said_before(watch: Watch, event_at: datetime) -> bool:
    """Whether something was said before the deadline was last set, which it therefore says nothing
    of: an arrival of before a journey was extended is not where it ends."""
    if watch.interval_s is not None:
        return event_at <= watch.counts_from
    return watch.kind == "journey" and watch.round > 0 and event_at < watch.said_at


def extend(watch: Watch, due_at: datetime, event_at: datetime) -> Turn:
    """Another deadline, said at `event_at` (corrected). The latest word stands, not the latest
    arrival; of a watch that has ended it is on record and changes nothing."""
    missed = watch.state == "overdue" or event_at > watch.fires_at
    fact = Fact("extended", watch.round, event_at, due_at, late=missed or watch.ended)
    if watch.ended:
        return Turn(watch, (fact,))
    if event_at < watch.said_at:
        return Turn(watch, (msgspec.structs.replace(fact, what="superseded", late=False),))
    once = watch.kind in ("curfew", "radio_check")  # what was said for it before still counts
    begins_at = watch.counts_from if once else max(event_at, watch.counts_from)
    return Turn(_again(watch, begins_at, due_at, event_at, late=missed), (fact,))


def _again(
    watch: Watch, begins_at: datetime, due_at: datetime, said_at: datetime, *, late: bool
) -> Watch:
    """The next deadline of a watch."""
    return msgspec.structs.replace(
        watch,
        state=TRANSITIONS["extend"][watch.state],
        counts_from=covered_from(watch.kind, begins_at, due_at),
        due_at=due_at,
        round=watch.round + 1,
        step=0,
        turn_at=first_turn(begins_at, due_at, watch.grace_s),
        said_at=said_at,
        reminded_at=None,
        overdue_at=None,
        late=watch.late or late,
    )


def cancel(watch: Watch, now: datetime) -> Turn:
    """The desk ends it; what has ended stays as it ended."""
    if watch.ended:
        return Turn(watch)
    new = msgspec.structs.replace(
        watch, state=TRANSITIONS["cancel"][watch.state], ended_at=now, turn_at=None
    )
    return Turn(new, (Fact("cancelled", watch.round),))


def instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """When it is a wall time on a day (UTC). One that is skipped that day is the next that there
    is; one that comes twice is the first."""
    local = datetime.combine(day, wall, zone)  # fold 0: the first of two
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    before, after = moment - DAY, moment  # the gap's end is where the zone's offset changes
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def last_day_before(wall: time, zone: ZoneInfo, now: datetime) -> date:
    """The last local day whose wall time is over: a new curfew begins with the one after it."""
    today = now.astimezone(zone).date()
    return today if instant(today, wall, zone) <= now else today - DAY


def curfews_due(
    wall: time,
    weekdays: Sequence[int],
    window: timedelta,
    zone: ZoneInfo,
    last_day: date,
    now: datetime,
) -> Iterator[tuple[date, datetime]]:
    """The local days whose curfew begins to count by `now` and was not made yet, each with its
    deadline. Of days that nobody was there for only yesterday's is made up for."""
    today = now.astimezone(zone).date()
    for day in (today - DAY, today, today + DAY):
        if day <= last_day or day.isoweekday() not in weekdays:
            continue
        due_at = instant(day, wall, zone)
        if due_at - window <= now:
            yield day, due_at
