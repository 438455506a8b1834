"""`muster demo`: a fictional duty station with simulated phones, and a roll call to watch.

Everything is real but the people, Google and the text gateway: the server's processes, PostgreSQL,
HTTP, the FCM protocol, what a Kannel says and hears. The station lives in a folder of its own that
is removed at the end.
"""

import asyncio
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from clients.simulator import enrolments, plan, station
from clients.simulator.api import Api, ProblemError, UnreachableError
from clients.simulator.fcm import FcmServer
from clients.simulator.field import Field
from clients.simulator.phone import Phone
from clients.simulator.phones import Fleet
from clients.simulator.relocation import Relocation
from clients.simulator.sms import PASSWORD, USER, SmsGateway
from clients.simulator.texters import Texters
from server import db, launch, log
from server.config import Settings
from server.people import importing, operations, sessions
from server.texting import sms_routes

CODE = "DEMO"
PROJECT = "muster-sim"
SEED = 7
TIME_SCALE = 0.5  # simulated people are twice as quick as real ones: nobody watches for an hour
OPENS_AFTER_S = 5.0
MOVES_AFTER_S = 75.0  # from the roll call's opening
MOVED = 300  # people, families included; fewer where the station is small
OUT = 4  # of the staff are out, and meet with more than the roll call
WITHOUT_APP = 10  # every tenth of the staff has a number only, and answers by text
LINES_S = 0.1
ROUTE = "kenya"
ROLLCALL = {
    "kind": "rollcall",
    "severity": "urgent",
    "audience": {"all": True},
    "title": "Are you safe? Explosion reported near the market",
    "body": "Answer for yourself and your family. Stay indoors and away from windows.",
    "lock_screen": "Please answer the roll call",
    "exercise": True,
}


@dataclass
class Show:
    """What the demo shows, as it goes on."""

    url: str
    moves_after: float = MOVES_AFTER_S
    console_link: str = ""
    phone_link: str = ""
    phone_name: str = ""
    doing: str = "Starting the database and the server"
    fleet: Fleet | None = None
    texters: Texters | None = None
    field: Field | None = None
    relocation: Relocation | None = None
    counts: dict[str, int] | None = None
    population: int = 0

    def render(self) -> Group:
        """The links and the live figures."""
        links = Table.grid(padding=(0, 2))
        if self.console_link:
            links.add_row("Console", f"[bold cyan]{self.console_link}[/]")
            links.add_row("", "signs you in once, within 10 minutes")
            links.add_row("A phone", f"[bold cyan]{self.phone_link}[/]")
            links.add_row("", f"makes this browser the phone of {self.phone_name}")
        return Group(
            Panel(links, title="Muster demo: invented people, real places"), self._figures()
        )

    def _figures(self) -> Table:
        table = Table.grid(padding=(0, 3))
        table.add_row("[dim]now[/]", self.doing)
        if self.fleet is not None:
            c = self.fleet.counts
            table.add_row(
                "[dim]phones[/]", f"{c['enrolled']} enrolled, {c['pushes']} pushes received"
            )
        if self.texters is not None:
            t = self.texters.counts
            table.add_row("[dim]texts[/]", f"{t['texts']} sent, {t['answers']} answered by text")
        if self.field is not None and self.field.counts["panics"]:
            table.add_row(
                "[dim]panic[/]", f"one is open, {self.field.counts['fixes']} positions so far"
            )
        if self.counts is not None:
            said = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in self.counts.items())
            table.add_row("[dim]headcount[/]", f"{said}, of {self.population}")
        if self.relocation is not None:
            table.add_row("[dim]relocation[/]", moved(self.relocation))
            table.add_row("[dim]Movements[/]", f"[bold]{self.relocation.hint}[/]")
        table.add_row("[dim]end[/]", "Ctrl-C")
        return table


def moved(relocation: Relocation) -> str:
    """Where the people of the relocation are, in a line."""
    board = relocation.board
    if board is None:
        return "being planned"
    stages = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in board["counts"].items() if n)
    waiting = f"{board['conflicts']} conflicts open, {board['split_households']} households split"
    return f"{stages}, of {board['population']}; {waiting}"


async def run(*, port: int, people: int, moves_after: float = MOVES_AFTER_S) -> int:
    """Runs until interrupted; a relocation begins so many seconds after the roll call. Returns
    the exit status."""
    log.configure("console")
    with tempfile.TemporaryDirectory(prefix="muster-demo-") as folder:
        await asyncio.to_thread(
            Path(folder).chmod, 0o755
        )  # the database server may run as a user of its own
        async with FcmServer() as fcm, SmsGateway() as gateway:
            credentials = Path(folder) / "fcm.json"
            fcm.service_account(PROJECT, credentials)
            show = Show(f"http://127.0.0.1:{port}", moves_after)
            os.environ |= {
                "MUSTER_DATA_DIR": f"{folder}/data",
                "MUSTER_PUBLIC_URL": show.url,
                "MUSTER_FCM_CREDENTIALS": str(credentials),
                "MUSTER_FCM_URL": fcm.fcm_url,
                "MUSTER_SMS_ROUTES": _route(gateway),
                "MUSTER_LOG_FORMAT": "console",
            }
            show.texters = _texters(gateway, show.url)
            return await _serve(show, fcm, Path(folder), port, people)


def _route(gateway: SmsGateway) -> str:
    """The one SMS route of the demo: a Kannel that serves Kenyan numbers."""
    own = {"name": ROUTE, "kind": "kannel", "url": gateway.url("kannel"), "username": USER,
           "password": PASSWORD, "sender": "4670", "prefixes": ["+254"], "per_s": 20,
           "price_micro": 800_000, "currency": "KES"}  # fmt: skip
    return json.dumps([own])


def _texters(gateway: SmsGateway, url: str) -> Texters:
    (route,) = sms_routes(Settings())
    inbound = f"{url}/v1/inbound/sms/{ROUTE}"
    return Texters(gateway, inbound, route.reporting, seed=SEED, time_scale=TIME_SCALE)


async def _serve(show: Show, fcm: FcmServer, folder: Path, port: int, people: int) -> int:
    playing: list[asyncio.Task[None]] = []

    async def ready(dsn: str) -> None:
        playing.append(asyncio.create_task(_play(show, fcm, folder, dsn, people), name="demo"))
        if show.texters is not None:
            playing.append(asyncio.create_task(show.texters.run(), name="texters"))

    drawing = asyncio.create_task(_draw(show), name="drawing")
    try:
        return await launch.serve(
            Settings(), host="127.0.0.1", port=port, processes=1, role="all", ready=ready
        )
    finally:
        for task in [*playing, drawing]:
            task.cancel()
        await asyncio.gather(*playing, drawing, return_exceptions=True)


async def _draw(show: Show) -> None:
    console = Console()
    if not console.is_terminal:
        await _print_lines(show, console)
    with Live(show.render(), console=console, refresh_per_second=4) as live:
        while True:
            await asyncio.sleep(0.25)
            live.update(show.render())


async def _print_lines(show: Show, console: Console) -> None:
    """Without a terminal: the links once, then a line whenever something changed."""
    said = ""
    linked = False
    while True:
        if show.console_link and not linked:
            console.print(f"Console: {show.console_link}", soft_wrap=True)
            console.print(f"A phone: {show.phone_link}", soft_wrap=True)
            linked = True
        now = f"{show.doing}. Headcount: {show.counts}" if show.counts else show.doing
        if show.relocation is not None:
            now += f". Relocation: {moved(show.relocation)}. {show.relocation.hint}"
        if now != said:
            console.print(now, soft_wrap=True)
            said = now
        await asyncio.sleep(LINES_S)


async def _play(show: Show, fcm: FcmServer, folder: Path, dsn: str, people: int) -> None:
    """The story: import, enrol, roll call, watch."""
    database = db.Database(dsn, 4)
    await database.open()
    try:
        show.doing = f"Importing {people} staff and their families"
        operator = await _import(database, folder, people)
        await _until_serving(show.url)
        staff = [p for p in station.people(people, SEED) if p.category != "family"]
        spare, out, others = staff[0], staff[1 : 1 + OUT], staff[1 + OUT :]
        own = await enrolments.codes(show.url, operator.token, [spare.ref])
        show.phone_name = spare.name
        show.phone_link = f"{show.url}/phone/#enrol={own[spare.ref]}"
        show.console_link = await _sign_in_link(show.url, database, operator)
        show.doing = "Enrolling simulated phones"
        with_app = [p.ref for n, p in enumerate(others, 1) if n % WITHOUT_APP]
        codes = await enrolments.codes(show.url, operator.token, with_app)
        show.fleet = Fleet(
            show.url, list(codes.values()), fcm=fcm, seed=SEED, time_scale=TIME_SCALE
        )
        living = asyncio.create_task(show.fleet.run(), name="fleet")
        await show.fleet.ready.wait()
        show.doing = f"A roll call opens in {OPENS_AFTER_S:.0f} s"
        await asyncio.sleep(OPENS_AFTER_S)
        async with asyncio.TaskGroup() as going_on:
            going_on.create_task(_out(show, operator.token, [p.ref for p in out]), name="field")
            going_on.create_task(_watch(show, operator.token), name="roll call")
            going_on.create_task(
                _move(show, operator.token, people, {p.ref for p in others}), name="relocation"
            )
        await living
    finally:
        await database.close()


async def _import(database: db.Database, folder: Path, people: int) -> operations.NewOperator:
    await operations.add_operation(database.dsn, CODE, "Demo duty station", "Africa/Nairobi", None)
    roster = folder / "roster"
    roster.mkdir()
    station.write_csv(roster, people, SEED, datetime.now(UTC).date())
    report = await importing.run(database, CODE, [roster], dry_run=False, accept_partial=False)
    if not report.accepted:
        raise RuntimeError("the demo's own roster was refused")
    return await operations.add_operator(database, CODE, "Duty officer", "admin")


async def _sign_in_link(url: str, database: db.Database, operator: operations.NewOperator) -> str:
    found = await operations.operation_by_code(database, CODE)
    code = await sessions.new_login_code(database, found.operation_id, operator.operator_id)
    return f"{url}/console/#login={code}"


async def _until_serving(url: str) -> None:
    """Returns once it can write and both pages are there: only then are links to them shown."""
    async with aiohttp.ClientSession() as session:
        for path in ("/readyz", "/console/", "/phone/"):
            await _until_there(session, f"{url}{path}")


async def _until_there(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        with suppress(aiohttp.ClientError):
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.1)


async def _out(show: Show, token: str, refs: list[str]) -> None:
    """A panic, journeys and a radio roll, beside the roll call."""
    codes = await enrolments.codes(show.url, token, refs)
    async with Api(show.url, 8) as api:
        phones = [Phone(api, code=codes[ref], seed=ref) for ref in refs]
        for phone in phones:
            await phone.enrol()
        show.field = Field(api, token, phones)
        await show.field.run()


async def _move(show: Show, token: str, people: int, among: set[str]) -> None:
    """A relocation, some time after the roll call; who is elsewhere is left in peace."""
    await asyncio.sleep(show.moves_after)
    roster = list(station.people(people, SEED))
    away = {row[0] for row in station.presences(people, SEED, datetime.now(UTC).date())}
    refs = plan.whom(roster, among - away, min(MOVED, len(roster) * 6 // 10))
    phones = _phones(show.fleet)
    if not refs or not phones:
        return
    async with Api(show.url, 8) as api:
        wardens = station.wardens(people, SEED)
        show.relocation = Relocation(api, token, phones, wardens, seed=SEED)
        try:
            await show.relocation.run(refs)
        except* (ProblemError, UnreachableError) as trouble:
            show.relocation.hint = f"It was broken off: {trouble.exceptions[0]}"


def _phones(fleet: Fleet | None) -> dict[str, Phone]:
    owners = fleet.owners if fleet is not None else []
    return {o.phone.ref: o.phone for o in owners if o.phone.ref is not None and o.phone.token}


async def _watch(show: Show, token: str) -> None:
    """Opens the roll call as an exercise and shows its headcount for as long as the demo runs."""
    alert_id = str(uuid4())
    async with Api(show.url, 2) as api:
        await api.call("POST", "/v1/alerts", token, lambda: {"id": alert_id, **ROLLCALL})
        show.doing = "The roll call is open. Watch the console, or answer on the phone page"
        while True:
            board = await api.call("GET", f"/v1/alerts/{alert_id}/headcount", token)
            show.counts, show.population = board["counts"], board["population"]
            await asyncio.sleep(1)
