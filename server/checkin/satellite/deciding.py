"""What is made of one satellite message: whose it is, what it says, and what vouches for it.

The gateway is known by its secret and the device by its IMEI: what the device says counts as of the
person who had it when it was written. A call for help always counts for whom it may be, marked as
unverified where nothing vouches for her.
"""

from typing import Any
from uuid import UUID, uuid5

import msgspec

from server.checkin import rules as reports
from server.checkin.rules import Report
from server.checkin.satellite import rules, store
from server.checkin.satellite.rules import Meaning
from server.checkin.satellite.store import Holder, Message
from server.checkin.sms import deciding, signed
from server.checkin.sms import store as texts
from server.checkin.sms.verdicts import Help, Verdict
from server.vault import Vault

NOBODYS = "a device that nobody has"
NOT_HERS = "written before the device was hers"
BY_DEVICE = "by its device"


class Decided(msgspec.Struct, frozen=True):
    """The verdict on one message, and who has its device."""

    verdict: Verdict
    holder: Holder | None


async def decide(con: Any, message: Message, vault: Vault) -> Decided:
    """The verdict on one message. Uses up the counter of a genuine signed one."""
    holder = await store.holder(con, message)
    if signed.looks_signed(message.body):
        verdict = await _of_app(con, message, vault, holder)
        if verdict is not None:
            return Decided(verdict, holder)
    meaning = rules.meaning(message.kind, message.code, message.body)
    return Decided(await _plain(con, message, holder, meaning), holder)


async def _plain(con: Any, message: Message, holder: Holder | None, meaning: Meaning) -> Verdict:
    who = None if holder is None else holder.person_id
    said = meaning.said
    if said is None:
        return Verdict("not_understood", "says nothing clear", None, who)
    if said == "position":
        return Verdict("noted", "where the device is", said, who)
    if said == "cancel":
        return Verdict("noted", "an SOS was taken back: a human closes it", said, who)
    if said == "panic":
        return _panic(message, holder)
    return await _status(con, message, holder, meaning)


def _panic(message: Message, holder: Holder | None) -> Verdict:
    """An SOS: of who has the device. Of nobody it is a call for help of the device alone."""
    place = None if message.place is None else (message.place.lat, message.place.lon)
    if holder is None:
        help_ = Help("panic", False, None, place)
        return Verdict("unverified", NOBODYS, "panic", help=help_)
    help_ = Help("panic", holder.hers, holder.person_id, place)
    if not holder.hers:
        return Verdict("unverified", NOT_HERS, "panic", holder.person_id, help=help_)
    return Verdict("counted", BY_DEVICE, "panic", holder.person_id, help=help_)


async def _status(con: Any, message: Message, holder: Holder | None, meaning: Meaning) -> Verdict:
    """SAFE, AWAY or HELP in words, or by the code of a preset message."""
    status = meaning.said or ""
    calls = status == "need_help"
    place = None if message.place is None else (message.place.lat, message.place.lon)
    if holder is None:
        help_ = Help("help", False, None, place) if calls else None
        return Verdict("unverified", NOBODYS, status, help=help_)
    if not holder.hers:
        made = (report(message, holder, status, None, False),) if calls else ()
        help_ = Help("help", False, holder.person_id) if calls else None
        about = (status, holder.person_id, None, made)
        return Verdict("unverified", NOT_HERS, *about, help=help_)
    alert_id, drill = await _named(con, holder, meaning.code)
    made = (report(message, holder, status, alert_id, True),)
    help_ = Help("help", True, holder.person_id, place) if calls and not drill else None
    return Verdict("counted", BY_DEVICE, status, holder.person_id, alert_id, made, help=help_)


async def _named(con: Any, holder: Holder, code: str | None) -> tuple[UUID | None, bool]:
    """The alert whose code of her household she gave, and whether it is an exercise."""
    found = await texts.matches(con, code) if code else []
    for match in found:
        if match.alert_id is None:
            continue
        if match.head_id == holder.head_id and match.state != "cancelled":
            return match.alert_id, match.exercise
    return None, False


def report(
    message: Message, holder: Holder, status: str, alert_id: UUID | None, verified: bool
) -> Report:
    """The report a message makes of its device's holder; the same at every try."""
    at, place = message.event_at, message.place
    return Report(
        checkin_id=uuid5(message.message_id, str(holder.person_id)),
        person_id=holder.person_id,
        person_ref=holder.ref,
        status=status,
        at=at,
        sent_at=None,
        alert_id=alert_id,
        place=place if verified else None,
        note=None,
        battery=None,
        reporter="satellite" if verified else "satellite_unverified",
        actor=message.actor,
        body_hash=reports.body_hash(holder.ref, status, at, alert_id, place, None),
    )


async def _of_app(
    con: Any, message: Message, vault: Vault, holder: Holder | None
) -> Verdict | None:
    """The verdict on the app's signed form, carried by a satellite; None where it is none. A stage
    of a movement is left to texts: its counter is not used up."""
    read = signed.read(message.body)
    if read is not None and read.tells_stage:
        return Verdict("not_understood", "a stage of a movement: by text alone")
    people = []
    if holder is not None:
        people = [texts.Holder(holder.person_id, holder.ref, holder.language, 1, holder.head_id)]
    text = texts.Inbound(
        inbound_id=message.message_id,
        route=message.route,
        sender=message.sender,
        recipient=None,
        body=message.body,
        received_at=message.received_at,
        shared=False,
        replies=False,
        lane=1,
    )
    verdict = await deciding.of_app(con, text, vault, people)
    if verdict is None:
        return None
    return msgspec.structs.replace(
        verdict, records=tuple(_carried(r, message) for r in verdict.records), answer=None
    )


def _carried(made: Report, message: Message) -> Report:
    verified = made.reporter == "sms"
    reporter = "satellite" if verified else "satellite_unverified"
    return msgspec.structs.replace(made, reporter=reporter, actor=message.actor)
