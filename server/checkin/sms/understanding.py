"""The worker's part of texts: claimed under a lease, understood, recorded, answered.

    claim -> decide -> reports by group commit -> one transaction: help call, reply, state, event

A crash at any point leaves the lease to run out, and the text is understood again: its reports
have the same ids, its reply too.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from server import jobs, log, stream
from server.checkin.actions import collector
from server.checkin.sms import replies, rules, store
from server.checkin.sms.actions import help_draft
from server.checkin.sms.calls import Cause, raise_call, record_reports
from server.checkin.sms.deciding import decide
from server.checkin.sms.store import SQL, Inbound
from server.checkin.sms.verdicts import Answer, Help, Stage, Verdict, Word
from server.checkin.sms.watching import shown
from server.checkin.watches import actions as watches
from server.checkin.watches.store import draft as watch_draft
from server.db import Database, retried
from server.vault import Vault

LOGGER = log.get("texts")
LEASE = timedelta(seconds=20)
BATCH = 100
AT_ONCE = 8
WRONG_LOCKS = 5
SOON, IN_A_DAY = 3, 10  # replies a number gets in ten minutes, and in a day
HELP_LANE, LANE = 1, 2
PANIC = "panic.raise"  # the job that raises a panic, in the room of panics
STAGE = "movement.texted"  # the job that reports a stage, in the room of relocation


class Understanding:
    """One worker's reading of texts. `own`: the numbers texts are sent from."""

    def __init__(self, database: Database, vault: Vault, own: Sequence[str]) -> None:
        self._db = database
        self._vault = vault
        self._own = own
        self._reports = collector(database, lambda _: None)  # other processes poll the heads
        self._room = asyncio.Semaphore(AT_ONCE)

    async def turn(self) -> bool:
        """One claim and what it holds. True if there may be more."""
        async with self._db.connection() as con:
            rows = await con.fetch(SQL.claim_texts, BATCH, LEASE)
        claimed: defaultdict[int, list[UUID]] = defaultdict(list)
        for row in rows:
            claimed[row["operation_id"]].append(row["inbound_id"])
        for operation_id, ids in claimed.items():
            await self._understand_all(operation_id, ids)
        return len(rows) == BATCH

    async def _understand_all(self, operation_id: int, ids: list[UUID]) -> None:
        """Those of one number in order, of several numbers at once."""
        found = await self._db.fetch(operation_id, SQL.claimed_texts, ids)
        senders: dict[str, list[Inbound]] = {}
        for row in found:
            text = Inbound(*row)
            senders.setdefault(text.sender, []).append(text)
        await asyncio.gather(*(self._in_order(operation_id, own) for own in senders.values()))

    async def _in_order(self, operation_id: int, texts: Sequence[Inbound]) -> None:
        async with self._room:
            for text in texts:
                try:
                    await self.understand(operation_id, text)
                except Exception as error:
                    LOGGER.exception("text_not_understood", text=str(text.inbound_id))
                    # the type alone: a message may quote a row
                    reason = f"again: {type(error).__name__}"
                    await self._db.fetch(operation_id, SQL.put_back, text.inbound_id, reason)

    async def understand(self, operation_id: int, text: Inbound) -> None:
        """Understands one text, to the end."""
        verdict = await self._decide(operation_id, text)
        actor = f"sms:{text.inbound_id}"
        verdict = await record_reports(self._db, self._reports, operation_id, verdict, actor)
        await finish(self._db, operation_id, text, verdict, self._own)

    async def _decide(self, operation_id: int, text: Inbound) -> Verdict:
        @retried
        async def deciding() -> Verdict:
            async with self._db.transaction(operation_id) as con:
                return await decide(con, text, self._vault)

        return await deciding()


@retried
async def finish(
    db: Database, operation_id: int, text: Inbound, verdict: Verdict, own: Sequence[str]
) -> None:
    """One transaction: the call for help, the word about a watch, the stage's job, the wrong code,
    the reply, the text's state, the events.

    Nothing happens where another worker was first.
    """
    async with db.transaction(operation_id) as con:
        repeated = await con.fetchval(SQL.lock_text, text.inbound_id)
        if repeated is None:
            return
        drafts = []
        if verdict.help is not None:
            drafts.append(help_draft(await _raise(con, text, verdict, verdict.help, repeated)))
        await _hand_on(con, operation_id, text, verdict)
        if verdict.stage is not None:
            await _report(con, operation_id, text, verdict.stage)
        if verdict.word is not None:
            drafts.append(watch_draft([verdict.word.watch_id]))
            verdict = await _say(con, text, verdict, verdict.word)
        verdict = verdict if verdict.wrong is None else await _wrong(con, verdict)
        answered = await _reply(con, text, verdict, own)
        about = (verdict.said, verdict.person_id, verdict.alert_id, verdict.detail)
        state = "reply" if answered else "silence"
        watch_id = None if verdict.word is None else verdict.word.watch_id
        row = (text.inbound_id, verdict.state, *about, state, watch_id, verdict.movement_id)
        await con.execute(SQL.mark_understood, *row)
        if drafts:
            await stream.append(con, drafts)


async def _say(con: Any, text: Inbound, verdict: Verdict, word: Word) -> Verdict:
    """Says it of the watch, once, as of when the text came; the answer names what stands now."""
    key, at = uuid5(text.inbound_id, "watch"), text.received_at
    actor = f"sms:{text.inbound_id}"
    was, now_is = await watches.say_by_text(con, word.watch_id, key, at, actor, word.due_at)
    answer = verdict.answer or Answer("watch_done")
    if was.ended:
        answer = msgspec.structs.replace(answer, key="watch_over", code="")
    elif not now_is.ended:
        zone = ZoneInfo(await con.fetchval(SQL.zone))
        answer = msgspec.structs.replace(
            answer, key="watch_on", until=shown(now_is.due_at, zone, at)
        )
    return msgspec.structs.replace(verdict, answer=answer)


async def _raise(con: Any, text: Inbound, verdict: Verdict, call: Help, repeated: int) -> UUID:
    """Raises a call for help, or joins it to the open one."""
    report = verdict.records[0].checkin_id if verdict.records else None
    cause = Cause(text.sender, text.body, text.inbound_id, report, repeated)
    help_id, _ = await raise_call(con, call, cause)
    return help_id


async def _hand_on(con: Any, operation_id: int, text: Inbound, verdict: Verdict) -> None:
    """A panic of somebody goes on to the room of panics, by a job of the same commit."""
    call = verdict.help
    if call is None or call.kind != "panic" or call.person_id is None:
        return
    at = verdict.records[0].at if verdict.records else text.received_at
    payload = {
        "press_id": str(uuid5(text.inbound_id, "panic")),
        "person_id": call.person_id,
        "actor": f"sms:{text.inbound_id}",
        "at": at.isoformat(),
        "verified": call.verified,
        "place": call.place,
    }
    await jobs.enqueue(con, operation_id, PANIC, str(text.inbound_id), payload, None, 0)


async def _report(con: Any, operation_id: int, text: Inbound, stage: Stage) -> None:
    """A stage goes on to the room of relocation, by a job of the same commit."""
    payload = {
        "actor": f"sms:{text.inbound_id}",
        "movement": str(stage.movement_id),
        "stage": stage.stage,
        "at": stage.at.isoformat(),
        "people": [
            {"report": str(uuid5(text.inbound_id, f"stage {n}")), "person_id": n, "ref": ref}
            for n, ref in stage.people
        ],
        "vehicle": stage.vehicle,
        "point": None if stage.point is None else str(stage.point),
        "reason": stage.reason,
    }
    await jobs.enqueue(con, operation_id, STAGE, str(text.inbound_id), payload, None, HELP_LANE)


async def _wrong(con: Any, verdict: Verdict) -> Verdict:
    """Counts a wrong code against the household whose number it is, in alerts and movements and of
    watches; the fifth locks theirs."""
    people = [r["person_id"] for r in await con.fetch(SQL.family, verdict.wrong)]
    asked = await store.asked_of(con, people)
    for a in sorted(asked, key=lambda a: (a.alert_id, a.person_id)):
        await con.execute(SQL.give_code, a.alert_id, a.person_id)
    alerts = sorted({a.alert_id for a in asked})
    rows = await con.fetch(SQL.count_wrong, alerts, people, WRONG_LOCKS) if asked else []
    rows += await con.fetch(SQL.count_wrong_watch, people, WRONG_LOCKS)
    rows += await con.fetch(SQL.count_wrong_movement, people, WRONG_LOCKS)
    if not any(r["locked"] for r in rows):
        return verdict
    locked = msgspec.structs.replace(verdict.answer or Answer("locked"), key="locked")
    detail = f"{verdict.detail}; the code is locked now"
    return msgspec.structs.replace(verdict, answer=locked, detail=detail)


async def _reply(con: Any, text: Inbound, verdict: Verdict, own: Sequence[str]) -> bool:
    """Queues what the sender is told. False: silence, for machines and after too many."""
    answer = verdict.answer
    if answer is None or not text.replies or not rules.is_answerable(text.sender, own):
        return False
    lately = await con.fetchrow(SQL.replies_lately, text.sender)
    if lately["soon"] >= SOON or lately["in_a_day"] >= IN_A_DAY:
        return False
    if verdict.state == "stop" and await con.fetchval(SQL.stopped_before, text.sender):
        return False
    if answer.about or answer.watch_id or answer.movement:
        answer = await _with_code(con, answer)
    said = (answer.key, answer.language, answer.code, answer.n, answer.drill, answer.until)
    line = replies.reply(*said, answer.stage)
    lane = HELP_LANE if verdict.help is not None else LANE
    key = uuid5(text.inbound_id, "reply")
    await con.execute(SQL.insert_reply, key, verdict.person_id, text.sender, lane, line)
    return True


async def _with_code(con: Any, answer: Answer) -> Answer:
    """The answer with the code it tells."""
    found = await store.code_for(con, *answer.about) if answer.about else None
    if answer.watch_id is not None:
        found = await store.code_of_watch(con, answer.watch_id)
    if answer.movement is not None:
        found = await store.code_in_movement(con, *answer.movement)
    if found is None:
        return msgspec.structs.replace(answer, key="unclear")
    code, locked = found
    return msgspec.structs.replace(answer, code=code, key="locked" if locked else answer.key)
