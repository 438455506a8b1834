"""What a message comes to, whatever way it came: its reports, and the call for help it raises."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from server.checkin.actions import Reports
from server.checkin.sms.deciding import as_recorded
from server.checkin.sms.store import SQL
from server.checkin.sms.verdicts import Help, Verdict
from server.db import Database
from server.errors import Clash


class Cause(msgspec.Struct, frozen=True):
    """The message behind a call for help. `report`: the id of the report it made."""

    sender: str
    body: str
    message_id: UUID
    report: UUID | None = None
    repeated: int = 0


async def record_reports(
    db: Database, reports: Reports, operation_id: int, verdict: Verdict, actor: str
) -> Verdict:
    """Records a verdict's reports. Where an earlier try recorded them otherwise, that stands."""
    work = (reports.submit(operation_id, r) for r in verdict.records)
    done = await asyncio.gather(*work, return_exceptions=True)
    failed = [e for e in done if isinstance(e, BaseException)]
    if not failed:
        return verdict
    other = next((e for e in failed if not isinstance(e, Clash)), None)
    if other is not None:
        raise other
    ids = [r.checkin_id for r in verdict.records]
    found = await db.fetch(operation_id, SQL.recorded_before, ids, actor)
    if not found:  # it is another's
        raise failed[0]
    return as_recorded(verdict, found[0]["alert_id"], found[0]["exercise"])


async def raise_call(con: Any, call: Help, cause: Cause) -> tuple[UUID, bool]:
    """Raises a call for help, or joins it to the open one; its id, and whether it is new."""
    lat, lon = call.place or (None, None)
    told = (cause.body, cause.message_id)
    if call.person_id is None:
        row = await con.fetchrow(
            SQL.raise_for_number, call.kind, cause.sender, *told, cause.repeated, lat, lon
        )
    else:
        person = (call.verified, cause.sender, call.person_id)
        args = (*person, *told, cause.report, lat, lon, cause.repeated)
        row = await con.fetchrow(SQL.raise_for_person, call.kind, *args)
    return row["help_id"], row["inbound_id"] == cause.message_id
