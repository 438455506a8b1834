"""The report of a movement as files: made in a thread, for of very many people it takes a while, in
which others call for help."""

import asyncio
from collections.abc import Sequence
from typing import Any

from server import typeset
from server.db import Database
from server.relocation import tables
from server.relocation.manifests.page import HTML
from server.relocation.movements import report, report_files
from server.relocation.movements.store import sight_of
from server.typeset import Typesetter
from server.web import Call, Endpoint, Reply

ONE = "/v1/movements/{movement_id}/report"


class ReportFiles:
    """The handlers. `texted`: prefixes of numbers an SMS route serves."""

    def __init__(self, database: Database, texted: Sequence[str], setter: Typesetter) -> None:
        self._db = database
        self._texted = texted
        self._setter = setter

    async def _found(self, call: Call) -> report.Report:
        sight = sight_of(call.me, await call.auth.scope(call.me))
        seen = (call.me.operation_id, sight, call.uuid("movement_id"))
        return await report.report(self._db, *seen, self._texted)

    async def book(self, call: Call) -> Reply:
        """The report as a workbook."""
        made = await asyncio.to_thread(_book, await self._found(call))
        return Reply(200, made, tables.BOOK)

    async def pdf(self, call: Call) -> Reply:
        """The report as PDF."""
        said: Any = await asyncio.to_thread(report_files.typed, await self._found(call))
        return Reply(200, await self._setter.pdf(report_files.TEMPLATE, said), typeset.HEADERS)

    async def print(self, call: Call) -> Reply:
        """The report as a page to print."""
        made = await asyncio.to_thread(report_files.page, await self._found(call))
        return Reply(200, made, HTML)


def _book(found: report.Report) -> bytes:
    return tables.to_book(report_files.sheets(found))


def endpoints(database: Database, texted: Sequence[str], setter: Typesetter) -> list[Endpoint]:
    """The calls of the report's files."""
    room = ReportFiles(database, texted, setter)
    return [
        Endpoint(
            "GET",
            f"{ONE}/xlsx",
            room.book,
            "What a movement comes to, as a workbook",
            "movement.read",
            {200: tables.BOOK_TYPE},
        ),
        Endpoint(
            "GET",
            f"{ONE}/pdf",
            room.pdf,
            "What a movement comes to, as PDF",
            "movement.read",
            {200: typeset.TYPE},
        ),
        Endpoint(
            "GET",
            f"{ONE}/print",
            room.print,
            "What a movement comes to, as a page to print",
            "movement.read",
            {200: "text/html"},
        ),
    ]
