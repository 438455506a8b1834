"""Any course of watches: no illegal state, each step of a deadline once, nothing missed untold.

Words late, again and out of order, reports, calls for help, hand-overs, cancels, time that passes
and workers that look at once; on a real database. What is over stays as it ended, and one room
answers.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from server.auth import Principal, Scope
from server.checkin.watches import actions, rules, store
from server.checkin.watches.hand_over import actions as handing
from server.checkin.watches.hand_over import looker as offers
from server.checkin.watches.hand_over import rules as handing_rules
from server.checkin.watches.hand_over.messages import HandOverIn, HeardByIn, SettleIn
from server.checkin.watches.looker import look
from server.checkin.watches.messages import DoneIn, ExtendIn, WatchIn
from server.errors import Problem
from tests.checkin.watching import Watching, watching
from tests.support.http import Caller

PEOPLE, ROOMS = 2, 3
TEXTED = ("+254", "!")
STEPS = {(a, b) for own in rules.TRANSITIONS.values() for a, b in own.items()}
TWICE = {(a, d) for a, b in STEPS for c, d in STEPS if b == c}
_CLEAR = """
    TRUNCATE watch_fact, watch_hand_over, watch_code, watch, delivery, event, checkin CASCADE;
    UPDATE stream_head SET seq = 0
"""
_OLDER = """
    UPDATE watch_hand_over SET expect_by = expect_by - $1::interval,
      turn_at = turn_at - $1::interval, unheard_at = unheard_at - $1::interval
"""
_WATCHES = "SELECT * FROM watch ORDER BY watch_id"
_FACTS = "SELECT watch_id, round, what, hand_over_id FROM watch_fact ORDER BY at, fact_id"
_OFFERS = "SELECT * FROM watch_hand_over ORDER BY created_at"
_WAITING = "SELECT watch_id, channel, round FROM delivery WHERE state = 'queued'"
WHO = st.integers(0, PEOPLE - 1)
ROOM = st.integers(0, ROOMS - 1)
AGO = st.sampled_from([0, 0, 30, 600, 5000])


class Courses(RuleBasedStateMachine):
    """The model: which room answers for each watch, and how each offer of it ended."""

    runner: ClassVar[asyncio.Runner]
    w: ClassVar[Watching]
    phones: ClassVar[list[Caller]]
    areas: ClassVar[list[int]]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.room: dict[UUID, int] = {}
        self.offers: dict[UUID, UUID] = {}
        self.said: list[tuple[Any, UUID, Any]] = []
        self.last: dict[UUID, Any] = {}
        self.steps = STEPS
        self.run(self._clear())

    async def _clear(self) -> None:
        con = await asyncpg.connect(self.w.here.api.db.dsn)
        await con.execute(_CLEAR)
        await con.close()

    @property
    def db(self) -> Any:
        return self.w.here.api.db

    def phone(self, n: int) -> Principal:
        about = {"person_id": self.w.people[n], "device_id": UUID(int=n)}
        return Principal("device", self.w.operation_id, "device", b"", **about)

    def desk(self) -> Principal:
        return Principal("operator", self.w.operation_id, "admin", b"", operator_id=1)

    def any_of(self, data: Any, found: Any) -> Any:
        return data.draw(st.sampled_from(list(found)))  # never what a clock decides

    def rows(self, sql: str) -> list[Any]:
        found: list[Any] = self.run(self.w.sql(sql))
        return found

    # -- people

    @rule(n=WHO, kind=st.sampled_from(["journey", "interval"]),
          due_s=st.sampled_from([-600, 60, 1800]), grace_s=st.sampled_from([0, 60]))  # fmt: skip
    def watch(self, n: int, kind: Any, due_s: int, grace_s: int) -> None:
        if len(self.room) == 4:
            return
        interval = 1800 if kind == "interval" else None
        due_at = datetime.now(UTC) + timedelta(seconds=due_s)
        wish = WatchIn(uuid4(), kind, due_at, grace_s, interval)
        person = self.w.people[n]
        assert self.run(actions.begin(self.db, self.phone(n), wish, person))
        assert not self.run(actions.begin(self.db, self.phone(n), wish, person)), "once"
        self.room[wish.id] = self.areas[n]

    @precondition(lambda self: self.room)
    @rule(data=st.data(), ago_s=AGO, ahead_s=st.sampled_from([None, -60, 60, 1800]))
    def say(self, data: Any, ago_s: int, ahead_s: int | None) -> None:
        now, key = datetime.now(UTC), self.any_of(data, self.room)
        when = {"id": uuid4(), "at": now - timedelta(seconds=ago_s), "sent_at": now}
        if ahead_s is None:
            word: Any = (actions.done, key, DoneIn(**when))
        else:
            due_at = now + timedelta(seconds=ahead_s)
            word = (actions.extend, key, ExtendIn(due_at, **when))
        self.said.append(word)
        self.run(self._say(*word))

    def _say(self, verb: Any, key: UUID, body: Any) -> Coroutine[Any, Any, Any]:
        work: Coroutine[Any, Any, Any] = verb(self.db, self.desk(), Scope(), key, body)
        return work

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def say_again(self, data: Any) -> None:
        before = self.rows(_WATCHES), self.rows(_FACTS)
        self.run(self._say(*data.draw(st.sampled_from(self.said))))
        assert (self.rows(_WATCHES), self.rows(_FACTS)) == before

    @rule(n=WHO, status=st.sampled_from(["safe", "safe", "need_help"]), ago_s=AGO)
    def report(self, n: int, status: str, ago_s: int) -> None:
        self.run(self.w.report(self.phones[n], status, ago_s))

    @precondition(lambda self: self.room)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        key = self.any_of(data, self.room)
        self.run(actions.cancel(self.db, self.desk(), Scope(), key))

    # -- radio rooms

    def refused(self, work: Coroutine[Any, Any, Any]) -> str | None:
        """The code of a refusal; None where there was none."""
        try:
            self.run(work)
        except Problem as error:
            return error.code
        return None

    @precondition(lambda self: self.room)
    @rule(data=st.data(), to=ROOM, due_s=st.sampled_from([-60, 600]))
    def offer(self, data: Any, to: int, due_s: int) -> None:
        key = self.any_of(data, self.room)
        by = datetime.now(UTC) + timedelta(seconds=due_s)
        code = self.run(self.w.value("SELECT code FROM area WHERE area_id = $1", self.areas[to]))
        wish = HandOverIn(uuid4(), code, by)
        self.offers[wish.id] = key
        row = self.last[key]
        waiting = [o for o in self.rows(_OFFERS) if (o["watch_id"], o["state"]) == (key, "offered")]
        own = Scope(areas=(self.room[key],))
        why = self.refused(handing.offer(self.db, self.desk(), own, key, wish))
        if row["kind"] != "journey":
            assert why == "not_a_journey"
        elif row["ended_at"] is not None:
            assert why == "watch_over"
        elif self.areas[to] == self.room[key]:
            assert why == "bad_input", "it is there already"
        elif waiting:
            assert why == "hand_over_open"
        else:
            assert why is None

    @precondition(lambda self: self.offers)
    @rule(data=st.data(), verb=st.sampled_from(["hear", "refuse", "withdraw"]))
    def settle(self, data: Any, verb: str) -> None:
        key = self.any_of(data, self.offers)
        found = [o for o in self.rows(_OFFERS) if o["hand_over_id"] == key]
        was: Any = found[0] if found else {"from_area_id": 0, "to_area_id": 0, "state": None}
        room = was["from_area_id" if verb == "withdraw" else "to_area_id"]
        own = Scope(areas=(room,)) if found else Scope()
        body: Any = HeardByIn(key, "radio") if verb == "hear" else SettleIn(key)
        work = getattr(handing, verb)(self.db, self.desk(), own, self.offers[key], body)
        why, after = self.refused(work), handing_rules.TRANSITIONS[verb]["offered"]
        if not found:
            assert why == "not_found", "it was refused"
            return
        assert why == (None if was["state"] in ("offered", after) else "hand_over_settled")
        if why is None and verb == "hear" and was["state"] == "offered":
            self.room[self.offers[key]] = was["to_area_id"]

    # -- time, and workers

    @rule(seconds=st.sampled_from([1, 59, 61, 301, 1700, 20_000]))
    def time_passes(self, seconds: int) -> None:
        async def older() -> None:
            await self.w.pass_s(seconds)
            await self.w.sql(_OLDER, timedelta(seconds=seconds))

        self.run(older())

    @rule()
    def one_looks(self) -> None:
        self.run(look(self.db, self.w.operation_id, TEXTED))

    @rule()
    def two_look_at_once(self) -> None:
        args = (self.db, self.w.operation_id, TEXTED)

        async def both() -> None:
            await asyncio.gather(look(*args), look(*args), offers.look(*args), offers.look(*args))

        self.steps = STEPS | TWICE
        self.run(both())

    # -- what holds at all times

    @invariant()
    def each_is_as_it_may_be(self) -> None:
        if not hasattr(self, "room"):
            return
        rows = {r["watch_id"]: r for r in self.rows(_WATCHES)}
        assert rows.keys() == self.room.keys()
        for key, row in rows.items():
            was = self.last.get(key)
            if was is not None and was["ended_at"] is not None:
                assert self.unmoved(row) == self.unmoved(was), "what has ended stays as it ended"
            elif was is not None and (was["state"], was["round"]) != (row["state"], row["round"]):
                assert (was["state"], row["state"]) in self.steps
                assert row["round"] - was["round"] in (0, 1, 2)
            assert (row["ended_at"] is None) == (row["turn_at"] is not None)
        self.last, self.steps = rows, STEPS

    def unmoved(self, row: Any) -> dict[str, Any]:
        """A row without what `pass_s` makes older."""
        moved = {"counts_from", "due_at", "said_at", "reminded_at", "overdue_at"}
        return {name: value for name, value in row.items() if name not in moved}

    @invariant()
    def each_step_happens_once_and_what_is_missed_is_told(self) -> None:
        if not hasattr(self, "room"):
            return
        facts = self.rows(_FACTS)
        clock = {"reminded", "overdue", "passed_up", "desk"}
        fired = Counter((f["watch_id"], f["round"], f["what"]) for f in facts if f["what"] in clock)
        assert not [f for f, times in fired.items() if times > 1]
        waiting = [tuple(r) for r in self.rows(_WAITING)]
        for key, row in self.last.items():
            if row["state"] == "overdue":
                assert (key, row["round"], "overdue") in fired
                assert (key, "fcm", store.MISSED) in waiting
                assert [r for r in waiting if r[1] == "duty"], "nobody answers for her: the desk"

    @invariant()
    def one_room_answers_for_each(self) -> None:
        if not hasattr(self, "room"):
            return
        found = self.rows(_OFFERS)
        waiting = Counter(o["watch_id"] for o in found if o["state"] == "offered")
        for key, row in self.last.items():
            assert waiting[key] <= (row["ended_at"] is None), "one offer, of one that goes on"
            home = self.areas[self.w.people.index(row["person_id"])]
            assert self.room[key] == (row["room_id"] if row["room_set"] else home)

    def teardown(self) -> None:
        """Time passes and workers look: whatever goes on is missed and told up to the desk, and
        an offer that nobody heard has alarmed both rooms and the desk."""
        if not hasattr(self, "room"):
            return
        args = (self.db, self.w.operation_id, TEXTED)
        for _ in range(6):
            self.time_passes(20_000)
            self.run(look(*args))
            self.run(offers.look(*args))
        facts = {(f["watch_id"], f["round"], f["what"]) for f in self.rows(_FACTS)}
        for row in self.rows(_WATCHES):
            if row["ended_at"] is None:
                assert (row["state"], row["step"]) == ("overdue", rules.DESK)
                assert (row["watch_id"], row["round"], "desk") in facts
        told = {(f["hand_over_id"], f["what"]) for f in self.rows(_FACTS)}
        for offer in self.rows(_OFFERS):
            key = offer["hand_over_id"]
            if offer["state"] == "offered":
                assert {(key, "unheard"), (key, "unheard_desk")} <= told


def test_any_course_of_watches_is_a_legal_one(database: str) -> None:
    with asyncio.Runner() as runner:
        place = watching(database)
        w = runner.run(place.__aenter__())  # type: ignore[arg-type]
        try:
            Courses.runner, Courses.w = runner, w
            Courses.phones = [runner.run(w.phone(n)) for n in range(PEOPLE)]
            Courses.areas = [runner.run(w.area_id(n)) for n in range(ROOMS)]
            run_state_machine_as_test(
                Courses,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=25,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(place.__aexit__(None, None, None))  # type: ignore[arg-type]
