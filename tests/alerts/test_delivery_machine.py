"""Any course of deliveries: no move but those drawn in docs/deliveries.md, no fact taken back.

Claims, leases that run out, outcomes late and repeated, receipts, reports of gateways, reminders,
answers and ends in any order, on a real database whose trigger notes every move there is.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import stream
from server.alerts import ending, store
from server.alerts.channels import Carried, Outcome
from server.alerts.deliveries import store as deliveries
from server.alerts.deliveries.claims import Claims
from server.alerts.deliveries.progress import Progress
from server.alerts.deliveries.receipts import Given, Receipts
from server.alerts.deliveries.reports import write_report
from server.alerts.deliveries.store import LEASE, SQL
from server.alerts.messages import Receipt
from server.alerts.outcomes import UNKNOWN, Claimed, Told, verdict, write_outcomes
from server.checkin.actions import record_batch
from server.checkin.rules import Report
from tests.alerts.world import World, alert

PAGE = Path(__file__).parents[2] / "docs" / "deliveries.md"
ARROW = re.compile(r"^ +(\[\*\]|\w+) --> (\w+) :", re.MULTILINE)
PEOPLE = 2
WAYS_OUT = {
    "sms_url": "http://127.0.0.1:9/", "sms_username": "u", "sms_password": "p",
    "duty_urls": "json://127.0.0.1:9/",
}  # fmt: skip
ROUTES = ("kannel", "twilio")
ROWS = {"fcm": SQL.pushes, "sms": SQL.texts, "duty": SQL.duties}
KINDS = ("accepted", "endpoint_dead", "permanent", "transient", "unknown", "held")
_WATCH = """
    CREATE TABLE moved (delivery_id uuid, was text, now text, back text[]);
    CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      DECLARE
        older jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
        newer jsonb := to_jsonb(NEW);
        back text[] := ARRAY(
          SELECT f FROM unnest(ARRAY['queued_at', 'accepted_at', 'delivered_at', 'seen_at']) AS f
          WHERE older->>f IS NOT NULL AND older->>f IS DISTINCT FROM newer->>f);
      BEGIN
        IF older->>'state' IS DISTINCT FROM NEW.state OR cardinality(back) > 0
           OR NEW.attempts > (older->>'attempts')::int THEN
          INSERT INTO moved
          VALUES (NEW.delivery_id, coalesce(older->>'state', '[*]'), NEW.state, back);
        END IF;
        RETURN NULL;
      END $$;
    GRANT SELECT ON moved TO muster_app;
    CREATE TRIGGER note_move AFTER INSERT OR UPDATE ON delivery
      FOR EACH ROW EXECUTE FUNCTION note_move();
"""
_CLEAR = """
    TRUNCATE alert, delivery, event, job, moved CASCADE;
    UPDATE stream_head SET seq = 0;
    UPDATE push_address SET dead_at = NULL
"""


def drawn() -> set[tuple[str, str]]:
    """The arrows of the page's drawing; `[*]` is the beginning."""
    [drawing] = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return set(ARROW.findall(drawing))


class Course:
    """An open alert of life safety to a few people, by push and by text, and words to the desk."""

    def __init__(self, world: World) -> None:
        self.w = world
        self.people: list[int] = []
        self.progress = Progress(world.db)

    async def settle_in(self) -> None:
        """Once: people, phones, numbers; the trigger; nobody is told of progress."""
        w = self.w
        for n in range(PEOPLE):
            self.people.append(await w.person(f"A{n}"))
            await w.phone(self.people[n])
            await w.number(self.people[n], f"+25470000000{n}")
        await w.operator()
        await self.owner(_WATCH)
        await self.progress.stop()

    async def owner(self, sql: str) -> None:
        con = await asyncpg.connect(self.w.dsn)
        await con.execute(sql)
        await con.close()

    async def begin(self) -> None:
        await self.owner(_CLEAR)
        self.held: list[tuple[Claimed, bool]] = []
        self.round, self.ended = 0, False
        body = alert(severity="life_safety")
        async with self.w.client() as api:
            assert (await api.post("/v1/alerts", json=body)).status_code == 201
        await self.w.run_jobs()
        self.alert_id = UUID(body["id"])

    # -- workers

    async def claim(self, channel: str, kind: str | None = None) -> None:
        """One worker's claim; of all it then sends comes the same, or it dies. Who need not be told
        any more is stopped, as a sender does it."""
        db, op = self.w.db, self.w.op
        rows = await Claims(db, channel).claim(10, LEASE)
        loaded = await self.w.sql(ROWS[channel], [r["delivery_id"] for r in rows])
        found = {r["delivery_id"]: r for r in loaded}
        for row in rows:
            fields = {k: row[k] for k in ("operation_id", "delivery_id", "alert_id", "endpoint")}
            one = Claimed(**fields, channel=channel, attempt=row["attempts"], send_by=0.0)
            own = found.get(one.delivery_id)
            if own is not None and own["moot"]:
                moot = Told(one, "stopped", 0.0, None, "answered meanwhile", tried=False)
                await write_outcomes(db, op, [moot])
                continue
            self.held.append((one, own is not None and (own["error"] or "").startswith(UNKNOWN)))
            if kind is not None:
                await self.tell(len(self.held) - 1, kind)

    async def tell(self, n: int, kind: str, route: str = ROUTES[0]) -> None:
        """What came of one of the claims, perhaps late, perhaps once more."""
        if not self.held:
            return
        claim, again = self.held[n % len(self.held)]
        carried = Carried(route, 1, 100, "USD") if claim.channel == "sms" else None
        if kind == "held":
            told = Told(claim, "queued", 1.0, None, "rate", tried=False)
        else:
            outcome = Outcome(kind, reason="why", carried=carried)  # type: ignore[arg-type]
            state, wait_s = verdict(outcome, claim.attempt, again, 0.5)
            reason = {"accepted": None, "unknown": f"{UNKNOWN}why"}.get(kind, "why")
            told = Told(claim, state, wait_s, None, reason, carried=carried)
        await write_outcomes(self.w.db, self.w.op, [told])

    async def later(self) -> None:
        """Leases run out, what waited is due."""
        await self.w.sql(
            "UPDATE delivery SET attempted_at = attempted_at - interval '1 hour',"
            " due_at = least(due_at, clock_timestamp())"
        )

    # -- phones, gateways, people

    async def receipt(self, n: int, kind: str, late_s: float = 0.0) -> None:
        """The phone a push went to, whose clock may be wrong."""
        row = (await self.sent("fcm"))[n % PEOPLE]
        at = datetime.now(UTC) + timedelta(seconds=late_s - 50)
        one = Receipt(row["delivery_id"], kind, at)  # type: ignore[arg-type]
        given = Given(UUID(row["endpoint"]), [one])
        [done] = await Receipts(self.w.db, self.progress).take(self.w.op, given)
        assert done.ok is True

    async def report(self, n: int, said: str, route: str = ROUTES[0]) -> None:
        key = (await self.sent("sms"))[n % PEOPLE]["delivery_id"]
        await write_report(self.w.db, self.w.op, key, route, said)

    async def answer(self, n: int) -> None:
        now, person_id = datetime.now(UTC), self.people[n % PEOPLE]
        one = Report(
            *(uuid4(), person_id, str(person_id), "safe", now, now, self.alert_id),
            *(None, None, None, "self", f"device:{uuid4()}", b""),
        )
        await record_batch(self.w.db, self.w.op, [one])

    # -- the desk, and time

    async def remind(self) -> None:
        self.round += 1
        if self.ended:
            return
        async with self.w.db.transaction(self.w.op) as con:
            args = (self.alert_id, ("life_safety", 1), ("+254", "!"), self.round)
            await deliveries.remind(con, *args)

    async def word(self) -> None:
        """A word to the duty desk, of no alert, not sent later than an hour on."""
        limit = datetime.now(UTC) + timedelta(hours=1)
        async with self.w.db.transaction(self.w.op) as con:
            await deliveries.queue_duty(con, None, 2, "Look at the desk.", limit)

    async def over(self) -> None:
        """The time of what belongs to no alert has passed."""
        await self.w.sql("UPDATE delivery SET expires_at = queued_at WHERE alert_id IS NULL")

    async def end(self, verb: str = "close") -> None:
        async with self.w.db.transaction(self.w.op) as con:
            locked = await store.lock_alert(con, self.alert_id)
            assert locked is not None
            args = (self.w.op, self.alert_id, locked.state, verb, "system")
            if locked.state == "open":
                await ending.end_in(con, *args)
                await stream.append(con, [store.alert_draft(self.alert_id)])
        self.ended = True

    async def stop_late(self) -> None:
        await deliveries.stop_late(self.w.db)

    async def settle(self) -> None:
        if self.ended:
            await ending.settle(self.w.db, self.w.op, self.alert_id)

    async def sent(self, channel: str) -> list[Any]:
        """The messages on a channel, the alert's own first."""
        sql = "SELECT delivery_id, endpoint FROM delivery WHERE channel = $1 ORDER BY delivery_id"
        return await self.w.sql(sql, channel)

    async def moves(self) -> set[tuple[str, str]]:
        """Every move so far. None took a fact back, and none called unsent what may be sent."""
        rows = await self.w.sql(
            "SELECT DISTINCT was, now, back FROM moved UNION ALL"
            " SELECT 'unknown', 'unsent', '{}' FROM delivery"
            " WHERE state = 'stopped' AND error LIKE 'unknown: %'"
        )
        assert not [r for r in rows if r["back"]], "the first word stands"
        return {(r["was"], r["now"]) for r in rows}

    async def answers(self) -> dict[int, datetime]:
        sql = "SELECT person_id, first_at FROM alert_person WHERE first_at IS NOT NULL"
        return {r["person_id"]: r["first_at"] for r in await self.w.sql(sql)}


@asynccontextmanager
async def course(dsn: str) -> AsyncIterator[Course]:
    w = World(dsn, **WAYS_OUT)
    await w.db.open()
    try:
        await w.begin()
        made = Course(w)
        await made.settle_in()
        yield made
    finally:
        await w.db.close()


STEPS: list[tuple[Any, ...]] = [
    *(("claim", channel, kind) for channel in ROWS for kind in (None, *KINDS)),
    *(("tell", n, kind, ROUTES[n % 2]) for n, kind in enumerate(KINDS * 2)),
    *(("receipt", n, said, 33 * n) for n in range(PEOPLE) for said in ("delivered", "seen")),
    *(("report", n, said, route) for n, said, route in product(
        range(PEOPLE), ("accepted", "delivered", "failed"), ROUTES)),
    *(("later",),) * 10,
    *(("answer", n) for n in range(PEOPLE)),
    *(("remind",), ("word",), ("remind",), ("word",), ("over",), ("stop_late",)),
    *(("settle",), ("end", "close"), ("end", "cancel"), ("settle",)),
]  # fmt: skip


def test_no_course_of_deliveries_leaves_the_drawing(database: str) -> None:
    arrows, seen = drawn(), set()

    @settings(
        max_examples=30,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.permutations(STEPS))
    def go(steps: list[tuple[Any, ...]]) -> None:
        answers: dict[int, datetime] = {}
        runner.run(own.begin())
        for verb, *args in steps[:40]:
            runner.run(getattr(own, verb)(*args))
            moves, now = runner.run(own.moves()), runner.run(own.answers())
            assert moves <= arrows
            assert answers.items() <= now.items(), "an answer stands"
            answers = now
            seen.update(moves)

    with asyncio.Runner() as runner:
        entered = course(database)
        own = runner.run(entered.__aenter__())
        try:
            go()
        finally:
            runner.run(entered.__aexit__(None, None, None))
    assert len(seen) > len(arrows) / 2, "these courses went somewhere"


async def test_a_reminder_that_may_have_been_sent_is_not_called_unsent(database: str) -> None:
    """Its first try had no answer; then she is safe, and it need not be sent again."""
    async with course(database) as own:
        await own.begin()
        await own.claim("fcm", "accepted")
        await own.remind()
        await own.claim("fcm", "unknown")
        for n in range(PEOPLE):
            await own.answer(n)
        await own.later()
        await own.claim("fcm")
        sql = "SELECT DISTINCT state FROM delivery WHERE channel = 'fcm' AND purpose = 'remind'"
        assert [r["state"] for r in await own.w.sql(sql)] == ["unknown"]


# one way to each arrow: a channel, then what happens to the first message on it
WAYS = {
    ("[*]", "queued"): "fcm",
    ("queued", "sending"): "fcm claim",
    ("sending", "sending"): "fcm claim later claim",
    ("sending", "queued"): "fcm claim transient",
    ("sending", "accepted"): "fcm claim accepted",
    ("sending", "failed"): "fcm claim permanent",
    ("sending", "unknown"): "fcm claim unknown later claim unknown",
    ("sending", "stopped"): "fcm claim end transient",
    ("queued", "stopped"): "fcm end",
    ("queued", "unknown"): "fcm claim unknown end",
    ("queued", "accepted"): "fcm claim transient seen",
    ("unknown", "accepted"): "fcm claim unknown end seen",
    ("failed", "accepted"): "fcm claim permanent seen",
    ("stopped", "accepted"): "fcm claim transient end seen",
    ("accepted", "failed"): "sms claim accepted lost",
    ("queued", "failed"): "sms claim unknown lost",
    ("unknown", "failed"): "sms claim unknown end lost",
    ("stopped", "failed"): "sms claim transient end lost",
}


def test_each_arrow_of_the_drawing_is_tried() -> None:
    assert WAYS.keys() == drawn()


@pytest.mark.parametrize(("arrow", "steps"), WAYS.items(), ids=map(" to ".join, WAYS))
async def test_what_is_drawn_does_happen(database: str, arrow: tuple[str, str], steps: str) -> None:
    async with course(database) as own:
        await own.begin()
        channel, *words = steps.split()
        for word in words:
            if word == "claim":
                await own.claim(channel)
            elif word in KINDS:
                await own.tell(len(own.held) - 1, word)
            elif word == "seen":
                await own.receipt(0, "seen")
                await own.receipt(1, "seen")
            elif word == "lost":
                await own.report(0, "failed")
                await own.report(1, "failed")
            else:
                await getattr(own, word)()
        assert arrow in await own.moves()
