"""Texts taken in: on record first, answered to the gateway at once, understood after.

Each is on record once, however often its gateway brings it, and once for the same words from the
same number within a minute, where nothing else was said in between. A call for help that comes
again is counted by the open one; where none is open it is a new one.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from server import stream
from server.auth import Principal, Scope
from server.checkin.sms import rules, signed
from server.checkin.sms.intake import Text, numbers_of
from server.checkin.sms.store import SQL
from server.db import Database, confirm, retried
from server.errors import Clash, NotFound, Unavailable
from server.people.store import audit
from server.texting import SmsRoute

HELP_LANE = 1
NO_CALL = "There is no such call for help."


class Found(msgspec.Struct, frozen=True):
    """An operation a text may belong to: by number, device or code; whether it asks just now."""

    operation_id: int
    by: str
    phone: str | None
    asked: bool


class Kept(msgspec.Struct, frozen=True):
    """A text as it goes on record in one operation."""

    route: str
    text: Text
    sender: str
    shared: bool
    replies: bool

    @property
    def digest(self) -> bytes:
        """Equal for the same words from the same number."""
        said = f"{self.sender}\n{' '.join(self.text.body.split())}".encode()
        return hashlib.blake2b(said, digest_size=16).digest()

    @property
    def lock(self) -> int:
        """One for all texts of a number."""
        said = hashlib.blake2b(self.sender.encode(), digest_size=4).digest()
        return int.from_bytes(said, signed=True)

    @property
    def lane(self) -> int:
        """1 for what may be a call for help: it is understood first."""
        body = self.text.body
        return HELP_LANE if signed.means_panic(body) or rules.may_need_help(body) else 2


class Inbox:
    """Takes texts, over one database."""

    def __init__(self, database: Database, wake: Callable[[int], None]) -> None:
        self._db = database
        self._wake = wake

    async def take(self, route: SmsRoute, text: Text) -> None:
        """Returns when the text is on record. Raises Unavailable where that is not sure."""
        numbers = numbers_of(text.sender, route.prefixes)
        found = await self._found(numbers, text.body)
        known = next((f.phone for f in found if f.phone), None)
        sender = known or (numbers[0] if numbers else text.sender)
        places = await self._places(route, found)
        if not places:
            raise Unavailable("There is no operation yet to keep this for. Send it again.")
        for n, operation_id in enumerate(places):
            kept = Kept(route.name, text, sender, len(places) > 1, replies=n == 0)
            if await keep(self._db, operation_id, kept):
                self._wake(operation_id)

    async def _found(self, numbers: list[str], body: str) -> list[Found]:
        words = body.upper().split()
        id5 = words[1] if signed.looks_signed(body) and len(words) > 1 else None
        code = rules.understand(body).code
        async with self._db.connection("report") as con:
            rows = await con.fetch(SQL.operations_of_text, numbers, id5, code)
        return [Found(*r) for r in rows]

    async def _places(self, route: SmsRoute, found: Sequence[Found]) -> list[int]:
        """The operations it is put on record in, at least one as long as there is any."""
        if route.operation:
            async with self._db.connection("report") as con:
                named: int | None = await con.fetchval(SQL.find_operation, route.operation)
            if named is not None:
                return [named]
        return belongs(found) or await self._db.operations()


def belongs(found: Iterable[Found]) -> list[int]:
    """The operations a text belongs to; several where nothing tells them apart, none if unknown.

    The device that signed it, then the sender's number, then the code. Of several the one that
    another of these speaks for, then the one that asks her just now.
    """
    by: dict[str, dict[int, bool]] = {"device": {}, "number": {}, "code": {}}
    for f in found:
        by[f.by][f.operation_id] = f.asked
    for way, own in by.items():
        if not own:
            continue
        others = [there for other, there in by.items() if other != way]
        spoken = [o for o in own if any(o in other for other in others)]
        asked = [o for o in spoken or own if own[o]]
        return sorted(asked or spoken or own)
    return []


@retried
async def keep(db: Database, operation_id: int, kept: Kept) -> bool:
    """One transaction: the text, or the count of its repeat. True if viewers get news of it."""
    text = kept.text
    async with db.transaction(operation_id, lane="report") as con:
        await con.execute(SQL.one_at_a_time, kept.lock)
        if await con.fetchval(SQL.known_provider_id, kept.route, text.provider_id):
            await confirm(con)
            return False
        same = await con.fetchrow(SQL.same_content, kept.digest)
        again = None if same is None else await _again(con, kept, same)
        if again is not None:
            return again
        args = (kept.sender, text.recipient, text.body, kept.digest, text.sent_at)
        made = await con.fetchval(
            *(SQL.insert_text, kept.route, text.provider_id, *args),
            *(kept.shared, kept.replies, kept.lane),
        )
        if made is None:  # another process was first
            await confirm(con)
        else:
            await con.execute(SQL.mark_route, kept.route)
        return False


async def _again(con: Any, kept: Kept, same: Any) -> bool | None:
    """The same content again: one message, True if viewers get news of it.

    None where it may be a call for help and no open one counts it: then it is a message of its own.
    """
    help_id = None
    if not same["waiting"]:  # else whoever understands it counts its repeats
        help_id = await con.fetchval(SQL.repeat_help, same["inbound_id"])
        if help_id is None and (same["called"] or kept.lane == HELP_LANE):
            return None
    await con.execute(SQL.note_repeat, same["inbound_id"])
    if help_id is None:
        return False
    await stream.append(con, [help_draft(help_id)])
    return True


def help_draft(help_id: UUID) -> stream.Draft:
    """The event of a call for help that is new or changed; viewers get it as it is when told."""
    return stream.Draft("help_call", {"help_id": str(help_id)})


@retried
async def close_help(
    db: Database, who: Principal, scope: Scope, help_id: UUID, outcome: str, note: str | None
) -> bool:
    """Closes a call for help; True if this did it, False if it was closed so before.

    Raises NotFound outside the caller's sight, Clash where it was closed otherwise.
    """
    areas = scope.area_list()
    async with db.transaction(who.operation_id) as con:
        row = await con.fetchrow(SQL.lock_help_call, help_id, areas)
        if row is None:
            raise NotFound(NO_CALL)
        if row["outcome"] is not None:
            if (row["outcome"], row["note"]) != (outcome, note):
                raise Clash("This call for help was closed otherwise.", code="help_closed")
            await confirm(con)
            return False
        await con.execute(SQL.close_help_call, help_id, who.actor, outcome, note)
        await audit(con, who.actor, "help.close", f"help:{help_id}", outcome=outcome)
        await stream.append(con, [help_draft(help_id)])
    return True
