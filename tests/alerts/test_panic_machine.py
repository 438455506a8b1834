"""Any course of panics: no illegal state, no lost panic, what is over stays as it ended.

Presses (again, late, covert, by text), cancels and openings of the app with either PIN, verbs of
two desks, late positions, a walk-in who turns out to be one of the others, repeats in any order,
against a model in a few lines; on a real database.
"""

import asyncio
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

from server import jobs
from server.alerts import jobs as alert_jobs
from server.alerts.members import merging
from server.alerts.panics import actions, pins, rules
from server.alerts.panics.messages import PositionIn
from server.alerts.panics.press import Press
from server.alerts.panics.pressing import Caller, press
from server.auth import Principal, Scope
from server.errors import BadInput, Clash, Problem
from tests.alerts.world import World

PEOPLE = 3
WALK_IN, WHO_REMAINS = 2, 0
_CLEAR = """
    TRUNCATE panic, panic_press, panic_fact, panic_position, panic_access, panic_helper, delivery,
             event, job;
    UPDATE stream_head SET seq = 0;
    UPDATE person SET merged_into = NULL, kind = CASE ref WHEN 'A2' THEN 'walk_in' ELSE kind END
"""
_PANICS = """
    SELECT panic_id, person_id, state, covert, duress, verified, presses, owner_id, outcome,
           ended_at FROM panic
"""
WHO = st.integers(0, PEOPLE - 1)


class Courses(RuleBasedStateMachine):
    """The model: of each panic its state and presses, of each press its panic."""

    runner: ClassVar[asyncio.Runner]
    world: ClassVar[World]
    people: ClassVar[list[int]]
    desks: ClassVar[list[int]]
    moments: ClassVar[int] = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.state: dict[UUID, str] = {}
        self.count: dict[UUID, int] = {}
        self.whose: dict[UUID, int] = {}
        self.presses: dict[UUID, UUID] = {}
        self.over: dict[UUID, Any] = {}
        self.duress: set[int] = set()
        self.passed_on: set[UUID] = set()
        self.merged = False
        self.run(self._clear())

    async def _clear(self) -> None:
        con = await asyncpg.connect(self.world.dsn)
        await con.execute(_CLEAR)
        await con.close()

    def now_is(self, n: int) -> int:
        return WHO_REMAINS if self.merged and n == WALK_IN else n

    def live(self, n: int) -> UUID | None:
        own = [p for p, s in self.state.items() if s in rules.LIVE and self.whose[p] == n]
        return own[0] if own else None

    # -- phones

    @rule(n=WHO, covert=st.booleans(), late_s=st.sampled_from([0, 0, 3600]))
    def press(self, n: int, covert: bool, late_s: int) -> None:
        at = datetime.now(UTC) - timedelta(seconds=late_s)
        self._press(n, Press(press_id=uuid4(), covert=covert, at=at), "app", True)

    @rule(n=WHO, verified=st.booleans())
    def text(self, n: int, verified: bool) -> None:
        self._press(n, Press(press_id=uuid4()), "sms", verified)

    def _press(self, n: int, one: Press, source: str, verified: bool) -> None:
        caller = Caller(self.people[n], f"device:{UUID(int=n)}", source, verified)
        w, was = self.world, self.live(self.now_is(n))
        [done] = self.run(press(w.db, w.op, caller, [one], ("+254", "!")))
        assert done.panic_id == (was or one.press_id)
        assert done.merged == (was is not None)
        self.presses[one.press_id] = done.panic_id
        self.state.setdefault(done.panic_id, "open")
        self.whose[done.panic_id] = self.now_is(n)
        self.count[done.panic_id] = self.count.get(done.panic_id, 0) + 1

    @precondition(lambda self: self.presses)
    @rule(data=st.data())
    def press_again(self, data: Any) -> None:
        key = data.draw(st.sampled_from(list(self.presses)))
        n = self.whose[self.presses[key]]
        caller, w = Caller(self.people[n], f"device:{UUID(int=n)}", "app"), self.world
        [done] = self.run(press(w.db, w.op, caller, [Press(press_id=key)], ()))
        assert (done.panic_id, done.made) == (self.presses[key], False)

    @precondition(lambda self: self.state)
    @rule(data=st.data(), duress=st.booleans())
    def cancel(self, data: Any, duress: bool) -> None:
        key = data.draw(st.sampled_from(list(self.presses)))
        panic = self.presses[key]
        n, w = self.whose[panic], self.world
        found = self.run(pins.cancel(w.db, self.phone(n), key, duress))
        if self.state[panic] in rules.LIVE:
            self.state[panic] = "cancelled"
        assert found == (panic, self.state[panic])
        if duress:
            self.duress.add(n)

    @rule(n=WHO, duress=st.booleans())
    def open_the_app(self, n: int, duress: bool) -> None:
        self.run(pins.verify(self.world.db, self.phone(n), duress))
        if duress:
            self.duress.add(n)

    @precondition(lambda self: self.state)
    @rule(data=st.data(), late_s=st.integers(-5, 7200))
    def move(self, data: Any, late_s: int) -> None:
        panic, w = data.draw(st.sampled_from(list(self.state))), self.world
        at = datetime.now(UTC) - timedelta(seconds=late_s)
        item = PositionIn(uuid4(), at, 1.0, 2.0)
        args = (w.db, self.phone(self.whose[panic]), panic, [item, item])
        kept, more = self.run(actions.positions(*args))
        goes_on = self.presses[panic]  # in another, where that was merged with it
        assert more == (self.state[goes_on] in rules.LIVE)
        assert kept == 1 if more else kept <= 1
        assert self.run(actions.positions(*args))[0] == 0, "once"

    # -- desks

    @precondition(lambda self: self.state)
    @rule(data=st.data(), verb=st.sampled_from(sorted(rules.TRANSITIONS)), d=st.integers(0, 1))
    def act(self, data: Any, verb: str, d: int) -> None:
        panic = data.draw(st.sampled_from(list(self.state)))
        if verb == "cancel":
            return
        before, w = self.state[panic], self.world
        args = (w.db, self.desk(d), Scope(silent=True), panic)
        if verb == "acknowledge":
            work = actions.acknowledge(*args)
        elif verb == "hand_over":
            work = actions.hand_over(*args, self.desks[1 - d])
        else:
            work = getattr(actions, verb)(*args, "helped", None)
        refused, ended = self._refused(work), panic in self.passed_on and verb in rules.ENDINGS
        assert not refused or ended or self._refusable(before, verb)
        if not refused:
            self.state[panic] = rules.step(before, verb)

    def _refused(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            self.run(work)
        except (Clash, BadInput):
            return True
        return False

    def _refusable(self, before: str, verb: str) -> bool:
        """Where the rules refuse, or somebody else has it."""
        try:
            rules.step(before, verb)
        except Problem:
            return True
        return (verb, before) == ("acknowledge", "acknowledged")

    @precondition(lambda self: not self.merged)
    @rule()
    def merge(self) -> None:
        w = self.world
        self.run(merging.merge(w.db, self.desk(0), Scope(), "A2", "A0"))
        both = [self.live(n) for n in (WALK_IN, WHO_REMAINS)]
        self.merged = True
        self.whose = {p: self.now_is(n) for p, n in self.whose.items()}
        first, *later = [p for p in self.state if p in both] or [None]  # in the order of presses
        for panic in later:
            self.state[panic] = "resolved"
            self.passed_on.add(panic)
            self.count[first] += self.count[panic]
            self.presses = {k: first if p == panic else p for k, p in self.presses.items()}

    @rule()
    def work(self) -> None:
        w = self.world
        runner = jobs.Runner(w.db, alert_jobs.handlers(w.db, ("+254", "!")))

        async def all_due() -> None:
            await w.sql("UPDATE panic SET realert_at = clock_timestamp() WHERE state = 'open'")
            await w.sql("UPDATE job SET due_at = clock_timestamp()")
            while await runner.turn():
                pass

        self.run(all_due())
        raised = {r["person_id"] for r in self.rows() if r["duress"]}
        heard = {self.people[self.now_is(n)] for n in self.duress}
        assert raised == heard, "each duress PIN was heard"

    # -- what holds at all times

    def phone(self, n: int) -> Principal:
        about = {"person_id": self.people[n], "device_id": UUID(int=n)}
        return Principal("device", self.world.op, "device", b"", **about)

    def desk(self, d: int) -> Principal:
        return Principal("operator", self.world.op, "admin", b"", operator_id=self.desks[d])

    def rows(self) -> list[Any]:
        found: list[Any] = self.run(self.world.sql(_PANICS))
        return found

    @invariant()
    def all_are_there_as_they_should_be(self) -> None:
        if not hasattr(self, "state"):
            return
        rows = {r["panic_id"]: r for r in self.rows()}
        own = {p: r for p, r in rows.items() if not r["duress"]}
        assert {p: r["state"] for p, r in own.items()} == self.state
        assert {p: r["presses"] for p, r in own.items()} == self.count
        for panic, row in rows.items():
            if row["state"] in rules.OVER:
                ended = [row[k] for k in row.keys() if k != "person_id"]  # noqa: SIM118 - a record
                assert self.over.setdefault(panic, ended) == ended, "terminal"
            assert (row["state"] == "acknowledged") <= (row["owner_id"] is not None)
        assert self.over.keys() <= rows.keys()
        kept = self.run(self.world.sql("SELECT press_id, panic_id FROM panic_press"))
        ours = {r["press_id"]: r["panic_id"] for r in kept if r["panic_id"] in own}
        assert ours == self.presses


def test_any_course_of_panics_is_a_legal_one(database: str) -> None:
    with asyncio.Runner() as runner:
        w = World(database)
        runner.run(w.db.open())
        try:
            runner.run(w.begin())
            for desk in ("boss", "chief"):
                runner.run(w.operator(desk, "admin"))
            Courses.runner, Courses.world = runner, w
            Courses.people = [runner.run(w.person(f"A{n}")) for n in range(PEOPLE)]
            ids = runner.run(w.sql("SELECT operator_id FROM operator ORDER BY 1"))
            Courses.desks = [r[0] for r in ids]
            run_state_machine_as_test(
                Courses,
                settings=settings(
                    max_examples=30,
                    stateful_step_count=25,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(w.db.close())
