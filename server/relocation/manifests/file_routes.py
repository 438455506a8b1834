"""Manifests as files and on paper, and what was ticked there."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from server import typeset
from server.db import Database
from server.errors import BadInput
from server.relocation import tables
from server.relocation.actions import Reports
from server.relocation.manifests import actions, files, listing, page, reentry
from server.relocation.manifests.messages import ImportIn, Manifest, Ticked, TickedIn
from server.relocation.manifests.routes import LIST
from server.relocation.movements import store as movements
from server.relocation.movements.messages import MovementOut
from server.relocation.movements.store import sight_of
from server.typeset import Typesetter
from server.web import Call, Endpoint, Reply, plausible

BOOK_LIMIT = 2 << 20


class Files:
    """The handlers."""

    def __init__(
        self,
        database: Database,
        wake: Callable[[int], None],
        reports: Reports,
        setter: Typesetter,
    ) -> None:
        self._db = database
        self._wake = wake
        self._reports = reports
        self._setter = setter

    async def _found(self, call: Call) -> Manifest:
        sight = sight_of(call.me, await call.auth.scope(call.me))
        ids = call.uuid("movement_id"), call.uuid("vehicle_id")
        return await listing.manifest(self._db, call.me.operation_id, sight, *ids)

    async def csv(self, call: Call) -> Reply:
        """The list as CSV."""
        return Reply(200, tables.to_csv(files.rows(await self._found(call))), tables.CSV)

    async def book(self, call: Call) -> Reply:
        """The list as a workbook."""
        sheets = {"manifest": files.rows(await self._found(call))}
        return Reply(200, await asyncio.to_thread(tables.to_book, sheets), tables.BOOK)

    async def pdf(self, call: Call) -> Reply:
        """The list for a clipboard, as PDF."""
        said = page.typed(*await self._shown(call))
        return Reply(200, await self._setter.pdf(page.TEMPLATE, said), typeset.HEADERS)

    async def print(self, call: Call) -> Reply:
        """The list for a clipboard."""
        return Reply(200, page.page(*await self._shown(call)), page.HTML)

    async def _shown(self, call: Call) -> tuple[MovementOut, Manifest, datetime]:
        found = await self._found(call)
        sight = sight_of(call.me, await call.auth.scope(call.me))
        async with self._db.transaction(call.me.operation_id) as con:
            movement = await movements.one(con, sight, call.uuid("movement_id"))
            as_of = await con.fetchval(movements.SQL.clock)
        return movement, found, as_of

    async def read(self, call: Call) -> Reply:
        """A list out of a file."""
        scope = await call.auth.scope(call.me)
        ids = call.uuid("movement_id"), call.uuid("vehicle_id")
        wish = await asyncio.to_thread(files.wish, call.body)
        try:
            await actions.put_list(self._db, call.me, scope, *ids, wish)
        except BadInput as problem:
            raise await asyncio.to_thread(files.by_row, problem, call.body) from None
        self._wake(call.me.operation_id)
        return Reply(200, await self._found(call))

    async def ticked(self, call: Call) -> Reply:
        """What was ticked on paper."""
        plausible("at", call.body.at)
        scope = await call.auth.scope(call.me)
        ids = call.uuid("movement_id"), call.uuid("vehicle_id")
        found = await reentry.enter(self._db, self._reports, call.me, scope, ids, call.body)
        return Reply(201 if found.made else 200, found)


def endpoints(
    database: Database, wake: Callable[[int], None], reports: Reports, setter: Typesetter
) -> list[Endpoint]:
    """The calls of files."""
    room = Files(database, wake, reports, setter)
    outs: list[tuple[str, Any, str, str]] = [
        ("csv", room.csv, "A manifest as CSV", "text/csv"),
        ("xlsx", room.book, "A manifest as a workbook", tables.BOOK_TYPE),
        ("pdf", room.pdf, "A manifest for a clipboard, as PDF", typeset.TYPE),
        ("print", room.print, "A manifest for a clipboard, to be printed", "text/html"),
    ]
    return [
        *(
            Endpoint("GET", f"{LIST}/{path}", handler, text, "movement.read", {200: media})
            for path, handler, text, media in outs
        ),
        Endpoint(
            "POST",
            f"{LIST}/import",
            room.read,
            "Who is to sit on a vehicle, out of a file",
            "manifest.write",
            {200: Manifest},
            body=ImportIn,
            body_limit=BOOK_LIMIT,
        ),
        Endpoint(
            "POST",
            f"{LIST}/ticked",
            room.ticked,
            "What was ticked on a printed manifest",
            "manifest.write",
            {201: Ticked, 200: Ticked},
            body=TickedIn,
        ),
    ]
