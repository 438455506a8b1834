"""What is made of one text: whose answer or call for help it is, and what vouches for it.

An unknown is never taken for a known: SAFE and AWAY count with a code or a signature alone. A call
for help always counts for whom it may be, marked as unverified where nothing vouches for it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
from cryptography.exceptions import InvalidTag

from server.checkin import rules as reports
from server.checkin.rules import Place, Report
from server.checkin.sms import moving, replies, rules, signed, store, watching
from server.checkin.sms.rules import Understood
from server.checkin.sms.signed import Signed
from server.checkin.sms.store import SQL, Asked, Device, Holder, Inbound, Match
from server.checkin.sms.verdicts import (
    WRONG,
    Answer,
    Help,
    State,
    Verdict,
    household,
    language_of,
    one,
)
from server.vault import Vault

MOST_WRONG = 10  # wrong codes an hour, from all numbers, until no stranger's code counts any more
OLDEST = timedelta(hours=72)  # a signed SAFE that was longer on its way says nothing of today
AHEAD = timedelta(days=1)
MINUTE = timedelta(minutes=1)
Calls = Literal["help", "panic"]


async def decide(con: Any, text: Inbound, vault: Vault) -> Verdict:
    """The verdict on one text. Uses up the counter of a genuine signed one."""
    people = await store.holders(con, text.sender)
    own = await _without_replies(con, text.body, text.sender)
    if own is not None:
        if not _calls_for_help(own):
            return Verdict("loop", "our own words came back")
        text = msgspec.structs.replace(text, body=own)
    if signed.looks_signed(text.body):
        verdict = await of_app(con, text, vault, people)
        if verdict is not None:
            return verdict
    return await _plain(con, text, people, rules.understand(text.body))


async def _plain(con: Any, text: Inbound, people: list[Holder], said: Understood) -> Verdict:
    """The verdict on words."""
    if said.stop:
        key = Answer("stop", language_of(people))
        return Verdict("stop", "wants no more texts", None, one(people), answer=key)
    if said.status == "need_help":
        return await _help(con, text, people, said)
    if said.machine:
        return Verdict("loop", "written by no human", said.status, one(people))
    if said.watch is not None or said.stated is not None:
        verdict = await _word(con, text, people, said)
        if verdict is not None:
            return verdict
    if said.status is None:
        answer = Answer("unclear" if people else "stranger", language_of(people))
        return Verdict("not_understood", "says nothing clear", None, one(people), answer=answer)
    return await _status(con, text, people, said)


async def _word(con: Any, text: Inbound, people: list[Holder], said: Understood) -> Verdict | None:
    """The verdict on a word about a watch, or about a movement; None where it is about neither."""
    match, why = await _match(con, text, people, said)
    if said.stated is not None and moving.is_meant(said, match):
        verdict = await moving.about(con, text, people, said.stated, match, why)
        if verdict is None or verdict.stage is None or said.status != "safe":
            return verdict
        return await _safe_too(text, verdict, match)
    if said.watch is None:
        return None
    if said.status is None or (match is not None and match.watch_id is not None):
        return await watching.about(con, text, people, said, match, why)
    return None


async def _safe_too(text: Inbound, verdict: Verdict, match: Match | None) -> Verdict:
    """ "Arrived safe": the code vouches for both. In an exercise nothing is said of real safety."""
    if match is None or match.exercise:
        return verdict
    made = record(text, (match.person_id, match.ref), "safe", None, True)
    return msgspec.structs.replace(verdict, records=(made,))


async def _without_replies(con: Any, body: str, sender: str) -> str | None:
    """What a text says beside the answers it quotes; None where it quotes none."""
    lines = [" ".join(r["line"].split()) for r in await con.fetch(SQL.our_words, sender)]
    said = whole = " ".join(body.split())
    for line in sorted(lines, key=len, reverse=True):  # one may stand within another
        said = said.replace(line, " ")
    return None if said == whole else said


def _calls_for_help(body: str) -> bool:
    return signed.means_panic(body) or rules.understand(body).status == "need_help"


def as_recorded(verdict: Verdict, alert_id: UUID | None, exercise: bool) -> Verdict:
    """A verdict whose reports an earlier try put on record: they stand as they were counted then.

    Alerts that began or ended since change nothing of it. A call for help is raised all the same.
    """
    answer = verdict.answer
    if answer is not None and verdict.help is None:
        answer = msgspec.structs.replace(answer, drill=exercise)
    return msgspec.structs.replace(verdict, alert_id=alert_id, answer=answer)


def record(
    text: Inbound, who: tuple[int, str], status: str, alert_id: UUID | None, verified: bool
) -> Report:
    """The report a text makes of a person (id and ref); the same at every try."""
    person_id, ref = who
    at = text.received_at
    return Report(
        checkin_id=uuid5(text.inbound_id, str(person_id)),
        person_id=person_id,
        person_ref=ref,
        status=status,
        at=at,
        sent_at=None,
        alert_id=alert_id,
        place=None,
        note=None,
        battery=None,
        reporter="sms" if verified else "sms_unverified",
        actor=f"sms:{text.inbound_id}",
        body_hash=reports.body_hash(ref, status, at, alert_id, None, None),
    )


# -- plain words


async def _match(
    con: Any, text: Inbound, people: Sequence[Holder], said: Understood
) -> tuple[Match | None, str]:
    """Whose code it is, and else why none counts: `wrong code`, or that nobody may be sure.

    A code of the number's own household counts, first of all that of what the text is about. From
    another phone it counts too, as long as few wrong ones come: whoever guesses must not find one.
    """
    code = said.code
    found = await store.matches(con, code) if code else []
    found.sort(key=lambda m: (not m.live, not _fits(m, said)))
    head = people[0].head_id if household(people) else None
    own = next((m for m in found if m.head_id == head), None)
    if own is not None:
        return own, ""
    top = [m for m in found if m.live == found[0].live]
    if not top:
        return None, WRONG if code else "no code"
    if len({m.person_id for m in top}) > 1 or text.shared:
        return None, "a code of several people, from none of their numbers"
    row = await con.fetchrow(SQL.wrong_lately)
    if row["wrong"] >= MOST_WRONG + row["excused"]:
        return None, "a code from another phone, while many wrong ones come"
    return top[0], ""


def _fits(match: Match, said: Understood) -> bool:
    """Whether a code is of what a text is about: two may be alike where older code drew them."""
    if said.status == "need_help":
        return match.alert_id is not None
    if said.watch is not None and match.watch_id is not None:
        return True
    if said.stated is not None and match.movement_id is not None:
        return True
    return said.watch is None and said.stated is None and match.alert_id is not None


async def _help(con: Any, text: Inbound, people: list[Holder], said: Understood) -> Verdict:
    """A call for help: of whose code it names, else of whose number it is, else of a number."""
    match, why = await _match(con, text, people, said)
    if match is not None and not match.locked and not said.machine:
        return _help_with_code(text, match)
    answer = None if said.machine else Answer("help", language_of(people))
    if said.machine:
        why = "written by no human"
    elif match is not None:
        why = "the code is locked"
    if people and not household(people):
        why = f"{why}; the number of {len(people)} people"
    who = one(people)
    made = () if said.machine else _unverified(text, people)
    help_ = Help("help", False, who)
    return Verdict("unverified", why, "need_help", who, None, made, help_, answer)


def _unverified(text: Inbound, people: Sequence[Holder]) -> tuple[Report, ...]:
    """The report of whose number it is; none where that is nobody, or nobody can say."""
    if not household(people):
        return ()
    return (record(text, (people[0].person_id, people[0].ref), "need_help", None, False),)


def _help_with_code(text: Inbound, match: Match) -> Verdict:
    """In an exercise it counts in the exercise, and the answer says what to do in earnest."""
    named = None if match.state == "cancelled" else match.alert_id
    drill = match.exercise and named is not None
    made = record(text, (match.person_id, match.ref), "need_help", named, True)
    answer = Answer("help_drill" if drill else "help", match.language, drill=drill)
    help_ = None if drill else Help("help", True, match.person_id)
    about = (match.person_id, named, (made,))
    return Verdict("counted", "by its code", "need_help", *about, help_, answer)


async def _status(con: Any, text: Inbound, people: list[Holder], said: Understood) -> Verdict:
    """SAFE or AWAY: with a code it counts, without one it is shown and answered with the code."""
    if said.code is None:
        return await _bare(con, people, said)
    match, why = await _match(con, text, people, said)
    if match is None:
        state: State = "refused" if why == WRONG else "unverified"
        head = people[0].head_id if why == WRONG and household(people) else None
        answer = Answer("wrong", language_of(people))
        return Verdict(state, why, said.status, one(people), answer=answer, wrong=head)
    if match.movement_id is not None and match.exercise:
        return await _bare(con, people, said)  # it vouches for nobody in earnest
    about = (said.status, match.person_id, match.alert_id)
    if match.locked:
        answer = Answer("locked", match.language, drill=match.exercise)
        return Verdict("refused", "the code is locked", *about, answer=answer)
    if match.state == "cancelled":
        answer = Answer("called_off", match.language, drill=match.exercise)
        return Verdict("refused", "the alert was called off", *about, answer=answer)
    return await _counted(con, text, match, said)


async def _counted(con: Any, text: Inbound, match: Match, said: Understood) -> Verdict:
    """Herself; or her whole household, where the number given is its size in the alert."""
    status, code = said.status or "", said.code or ""
    own = [(match.person_id, match.ref)]
    key: replies.Key = "away" if status == "away" else "safe"
    n = 1
    if status == "safe" and said.people is not None and said.people > 1:
        rows = await con.fetch(SQL.household, match.alert_id, match.person_id)
        n = len(rows)
        if n == said.people:
            key, own = "family", [(r["person_id"], r["ref"]) for r in rows]
        elif n > 1:  # else she has no family here: hers is all that is asked for
            key = "family_some"
    made = tuple(record(text, who, status, match.alert_id, True) for who in own)
    answer = Answer(key, match.language, code, n, match.exercise)
    about = (match.person_id, match.alert_id, made)
    return Verdict("counted", "by its code", status, *about, answer=answer)


async def _bare(con: Any, people: list[Holder], said: Understood) -> Verdict:
    """Without a code it accounts for nobody; whose number it is learns her code again."""
    if not people:
        answer = Answer("stranger")
        return Verdict("unverified", "no code, unknown number", said.status, answer=answer)
    if not household(people):
        why = f"no code; the number of {len(people)} people"
        return Verdict(
            "unverified", why, said.status, answer=Answer("unclear", language_of(people))
        )
    asked = await store.asked_of(con, [h.person_id for h in people])
    if not asked:
        answer = Answer("nobody_asks", language_of(people))
        return Verdict("unverified", "no code, no alert", said.status, one(people), answer=answer)
    first = asked[0]
    language = next(h.language for h in people if h.person_id == first.person_id)
    about = (first.alert_id, first.person_id)
    answer = Answer("use_code", language, drill=first.exercise, about=about)
    person = (first.person_id, first.alert_id)
    return Verdict("unverified", "no code", said.status, *person, answer=answer)


# -- the app's signed form


async def of_app(con: Any, text: Inbound, vault: Vault, people: list[Holder]) -> Verdict | None:
    """The verdict on a text of the app's form; None where it is none after all."""
    panic, read = signed.means_panic(text.body), signed.read(text.body)
    call: Calls | None = "panic" if panic else None
    if signed.called_long_ago(text.body):
        device = await store.device(con, text.body.upper().split()[1])
        return _doubtful(text, people, device, call or "help", "its place has expired")
    if read is None:
        if not panic and rules.understand(text.body).status == "need_help":
            return None
        return _doubtful(text, people, None, call, "the app's form, badly made")
    device = await store.device(con, read.id5)
    if device is None or device.revoked or not is_genuine(vault, device, read):
        why = "a wrong signature"
        if device is None or device.revoked:
            why = "an unknown device" if device is None else "a device that was revoked"
        return _doubtful(text, people, device, call, why)
    first = await con.fetchval(SQL.take_counter, device.device_id, read.counter, text.inbound_id)
    if first != text.inbound_id:
        return _doubtful(text, people, device, call, "a counter that was used", "replayed")
    return await _signed(con, text, device, read)


def is_genuine(vault: Vault, device: Device, read: Signed) -> bool:
    """Whether this device signed it."""
    try:
        key = vault.unseal(device.sms_key, str(device.device_id))
    except (InvalidTag, ValueError):
        return False
    return signed.is_genuine(key, read)


def _doubtful(
    text: Inbound,
    people: list[Holder],
    device: Device | None,
    call: Calls | None,
    why: str,
    key: replies.Key = "refused",
) -> Verdict:
    """Refused; but a call for help is shown, UNVERIFIED, as of whom it claims to be.

    It is counted only where it comes from a number of her household: names are easily claimed.
    """
    if call is None:
        return Verdict("refused", why, answer=Answer(key, language_of(people)))
    claimed = None if device is None else device.person_id
    who = one(people) if claimed is None else claimed
    made: tuple[Report, ...] = ()
    if device is None:
        made = _unverified(text, people)
    elif device.head_id in {h.head_id for h in people}:
        made = (record(text, (device.person_id, device.ref), "need_help", None, False),)
    answer = Answer("help", language_of(people))
    said = "panic" if call == "panic" else "need_help"
    return Verdict("unverified", why, said, who, None, made, Help(call, False, who), answer)


async def _signed(con: Any, text: Inbound, device: Device, read: Signed) -> Verdict:
    """A genuine one: the phone's own time and place."""
    if read.tells_stage:
        return await _signed_stage(con, text, device, read)
    status = "need_help" if read.letter in "HP" else signed.MEANING[read.letter]
    late = text.received_at - read.at
    believed = -AHEAD <= late <= OLDEST
    if not believed and status != "need_help":
        answer = Answer("refused", device.language)
        why = "signed, but its time cannot be"
        return Verdict("refused", why, status, device.person_id, answer=answer)
    asked = await store.asked_of(con, [device.person_id])
    alert_id = None if status == "need_help" else _exercise(asked)
    made = record(text, (device.person_id, device.ref), status, alert_id, True)
    place = None if read.place is None else Place(*read.place, None)
    at = _moment(read, status, asked, text.received_at) if believed else text.received_at
    hashed = reports.body_hash(device.ref, status, at, alert_id, place, None)
    made = msgspec.structs.replace(made, at=at, place=place, body_hash=hashed)
    said = signed.MEANING[read.letter]
    kind: Calls = "panic" if said == "panic" else "help"
    help_ = Help(kind, True, device.person_id, read.place) if status == "need_help" else None
    keys: dict[str, replies.Key] = {"need_help": "help", "safe": "safe", "away": "away"}
    answer = Answer(keys[status], device.language, drill=alert_id is not None)
    about = (device.person_id, alert_id, (made,))
    return Verdict("counted", "by its signature", said, *about, help_, answer)


async def _signed_stage(con: Any, text: Inbound, device: Device, read: Signed) -> Verdict:
    """A stage of a movement. Its minute says when; a time that cannot be refuses it, as of SAFE."""
    if not -AHEAD <= text.received_at - read.at <= OLDEST:
        answer, stage = Answer("refused", device.language), read.stage[0]
        why = "signed, but its time cannot be"
        return Verdict("refused", why, stage, device.person_id, answer=answer)
    return await moving.signed(con, device, read, min(read.at, text.received_at))


def _exercise(asked: Sequence[Asked]) -> UUID | None:
    """The exercise a signed SAFE or AWAY answers: the newest, where no actual roll call asks."""
    calls = [a for a in asked if a.kind == "rollcall"]
    return calls[0].alert_id if calls and calls[0].exercise else None


def _moment(read: Signed, status: str, asked: Sequence[Asked], received_at: datetime) -> datetime:
    """When it was said, within the minute it names: help as late as it can be; SAFE and AWAY as
    early, but not before an alert of that minute which they may answer."""
    end = read.at + MINUTE
    within = [a.counts_from for a in asked if read.at <= a.counts_from < end]
    at = end if status == "need_help" else max([read.at, *within])
    return min(at, received_at)
