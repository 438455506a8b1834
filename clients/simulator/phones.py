"""A fleet of simulated phones in one process: they enrol, receive, and answer.

    fleet = Fleet("http://127.0.0.1:8000", codes=codes, fcm=fcm, seed=1, time_scale=0.1)
    running = asyncio.create_task(fleet.run())
    await fleet.ready.wait()            # all enrolled
    ...                                 # somebody opens a roll call
    await fleet.settle()                # every reaction under way is done
    print(fleet.counts)                 # live at any time
    fleet.stop(); await running

As a process: `python -m clients.simulator.phones --base-url URL --fcm URL --codes FILE`
prints its counts as a JSON line each second until SIGINT or SIGTERM.
"""

import argparse
import asyncio
import json
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import uvloop

from . import behaviour, station
from .api import Api, Patience, ProblemError, UnreachableError
from .behaviour import MIX, Behaviour, Reaction
from .fcm import FcmServer
from .hub import Push
from .phone import Location, Phone, Receipt, Report, push_token
from .pushes import Pushes, pushes

_LOCATED, _FAMILY_REPORTED = 0.8, 0.92


class Setting(msgspec.Struct, frozen=True):
    """Where a fleet lives.

    project: the phones' Firebase project. places: area code -> (lat, lon), KeyError if
    unknown. poll_s: how often somebody without push opens the app.
    """

    project: str = "muster-sim"
    connections: int = 100
    patience: Patience = Patience()
    places: Callable[[str], tuple[float, float]] = station.place
    poll_s: float = 120.0


class Owner(msgspec.Struct):
    """A phone and its owner: how she behaves and what her phone remembers."""

    phone: Phone
    kind: Behaviour
    deliveries: set[str] = set()
    # How often each alert came, and which of them she answered or will.
    alerts: Counter[str] = msgspec.field(default_factory=Counter)
    answering: set[str] = set()


class Fleet:
    """Phones that share one pool of connections.

    codes: enrolment codes; tokens: of devices enrolled earlier. fcm: the stand-in or
    its address; None: nobody has push. mix: shares of behaviour.BEHAVIOURS.
    time_scale: human delays are multiplied by it.

    counts: enrolled, refused_enrolments, pushes, repeated (same delivery), delivered,
    seen, answered, answered_family, safe, need_help, away, late (uploaded after having
    been offline), refused, unreachable, waiting (reactions under way).
    """

    def __init__(
        self,
        base_url: str,
        codes: Sequence[str] = (),
        tokens: Sequence[str] = (),
        *,
        fcm: FcmServer | str | None = None,
        mix: Mapping[str, float] = MIX,
        seed: int = 1,
        time_scale: float = 1.0,
        setting: Setting | None = None,
    ) -> None:
        setting = setting or Setting()
        self.counts: Counter[str] = Counter()
        self.ready = asyncio.Event()
        # Of this fleet alone: a group of pushes has one listener.
        self.group = f"fleet-{seed}-{secrets.token_hex(4)}"
        self.api = Api(base_url, setting.connections, setting.patience)
        self.owners = [
            *(self._owner(seed, mix, code=code) for code in codes),
            *(self._owner(seed, mix, token=token) for token in tokens),
        ]
        self._pushes: Pushes | None = None
        if fcm is not None:
            self._pushes = pushes(fcm, setting.project, self.group)
        self._by_token = {o.phone.push_token: o for o in self.owners if o.phone.push_token}
        self._time_scale = time_scale
        self._setting = setting
        self._stopped = asyncio.Event()
        self._reactions: set[asyncio.Task[None]] = set()

    def _owner(
        self,
        seed: int,
        mix: Mapping[str, float],
        code: str | None = None,
        token: str | None = None,
    ) -> Owner:
        own_seed = f"{seed}:{code or token}"
        rng = Random(own_seed)
        kind, skew = behaviour.behaviour(rng, mix), behaviour.skew(rng)
        push = push_token(own_seed) if kind.push else None
        phone = Phone(self.api, code=code, token=token, push_token=push, seed=own_seed, skew_s=skew)
        return Owner(phone, kind)

    async def run(self) -> None:
        """Enrols, then lives until `stop`. Cancelling it is as good."""
        async with self.api, asyncio.TaskGroup() as group:
            side = [group.create_task(self._listen(), name="fleet.listen")]
            await self._enrol_all()
            self.ready.set()
            for nth, owner in enumerate(self.owners):
                if not owner.kind.push and owner.phone.token:
                    side.append(group.create_task(self._poll(owner), name=f"fleet.poll.{nth}"))
            try:
                await self._stopped.wait()
            finally:
                for task in [*side, *self._reactions]:
                    task.cancel()
                await asyncio.gather(*self._reactions, return_exceptions=True)

    def stop(self) -> None:
        """Ends `run`; reactions under way are dropped."""
        self._stopped.set()

    async def settle(self, timeout_s: float | None = None) -> None:
        """Waits until no reaction is under way; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self._reactions:
                await asyncio.wait(self._reactions)

    async def _listen(self) -> None:
        if self._pushes is not None:
            await self._pushes.listen(self.on_push)

    async def _enrol_all(self) -> None:
        if self._pushes is not None:
            await self._pushes.register([token for token in self._by_token if token])
        await asyncio.gather(*(self._enrol(owner) for owner in self.owners))

    async def _enrol(self, owner: Owner) -> None:
        phone = owner.phone
        try:
            if phone.token is None:
                await phone.enrol()
            elif phone.push_token is not None:
                await phone.set_push()
            await phone.fetch_self()
        except (ProblemError, UnreachableError):
            self.counts["refused_enrolments"] += 1
        else:
            self.counts["enrolled"] += 1

    def on_push(self, push: Push) -> None:
        """A push arrived at its phone."""
        owner = self._by_token.get(push.token)
        delivery_id, alert_id = push.data.get("delivery_id", ""), push.data.get("alert_id", "")
        if owner is None or owner.phone.token is None or not alert_id:
            self.counts["unknown_pushes"] += 1
            return
        self.counts["pushes"] += 1
        if delivery_id in owner.deliveries:
            # FCM may deliver twice, and Muster sends again when it cannot know.
            self.counts["repeated"] += 1
            return
        owner.deliveries.add(delivery_id)
        self._start(self._react(owner, alert_id, delivery_id))

    def _start(self, reaction: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guard(reaction), name="fleet.react")
        self._reactions.add(task)
        self.counts["waiting"] = len(self._reactions)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._reactions.discard(task)
        self.counts["waiting"] = len(self._reactions)

    async def _guard(self, reaction: Coroutine[Any, Any, None]) -> None:
        """One phone's trouble is counted and stops no other."""
        try:
            await reaction
        except ProblemError:
            self.counts["refused"] += 1
        except UnreachableError:
            self.counts["unreachable"] += 1

    async def _poll(self, owner: Owner) -> None:
        """Without push: the owner opens the app now and then and sees what is open."""
        while True:
            await self._sleep(owner.phone.rng.uniform(0.5, 1.5) * self._setting.poll_s)
            try:
                view = await owner.phone.fetch_self()
            except (ProblemError, UnreachableError):
                self.counts["refused"] += 1
                continue
            for alert in view.alerts:
                if alert.answer is None and alert.id not in owner.answering:
                    self._start(self._react(owner, alert.id, ""))

    async def _react(self, owner: Owner, alert_id: str, delivery_id: str) -> None:
        owner.alerts[alert_id] += 1
        nth = owner.alerts[alert_id]
        rng = Random(f"{owner.phone.seed}:{alert_id}:{nth}")
        reaction = behaviour.react(rng, owner.kind, reminder=nth > 1)
        if alert_id in owner.answering or not reaction.answers:
            await self._only_receive(owner, delivery_id, reaction)
        else:
            owner.answering.add(alert_id)
            await self._receive_and_answer(owner, alert_id, delivery_id, reaction, rng)

    async def _only_receive(self, owner: Owner, delivery_id: str, reaction: Reaction) -> None:
        await self._sleep(reaction.delivered_s + reaction.online_s)
        await self._receipt(owner, delivery_id, "delivered")

    async def _receive_and_answer(
        self, owner: Owner, alert_id: str, delivery_id: str, reaction: Reaction, rng: Random
    ) -> None:
        phone = owner.phone
        await self._sleep(reaction.delivered_s)
        waiting = [Receipt(delivery_id, "delivered", phone.now())]
        if not reaction.online_s:
            await self._receipts(owner, waiting)
            await phone.fetch_self()
            waiting = []
        await self._sleep(reaction.seen_s - reaction.delivered_s)
        waiting.append(Receipt(delivery_id, "seen", phone.now()))
        await self._sleep(reaction.answer_s - reaction.seen_s)
        reports = self._reports(owner, alert_id, reaction, rng)
        if reaction.online_s:
            # The tap counts from now; the network comes back only later.
            await self._sleep(max(0.0, reaction.online_s - reaction.answer_s))
            await phone.fetch_self()
            self.counts["late"] += 1
        await self._receipts(owner, waiting)
        if _wants_answer(owner, alert_id):
            await self._upload(owner, reports)

    def _reports(
        self, owner: Owner, alert_id: str, reaction: Reaction, rng: Random
    ) -> list[Report]:
        """The owner's own report and those for the family, as tapped at this moment."""
        phone, here = owner.phone, self._here(owner, rng)
        own = phone.report(reaction.status, alert_id, None, here, reaction.note)
        reports = [own]
        for member in phone.view.household if phone.view is not None else []:
            if member.role == "family" and member.may_report and rng.random() < _FAMILY_REPORTED:
                status = reaction.status if rng.random() < 0.9 else behaviour.status_of(rng)
                reports.append(phone.report(status, alert_id, member.ref, here))
        return reports

    def _here(self, owner: Owner, rng: Random) -> Location | None:
        view = owner.phone.view
        if view is None or view.person.area is None or rng.random() >= _LOCATED:
            return None
        try:
            place = self._setting.places(view.person.area.code)
        except KeyError:
            return None
        return behaviour.near(rng, place)

    async def _upload(self, owner: Owner, reports: list[Report]) -> None:
        await owner.phone.upload(reports)
        for report in reports:
            self.counts["answered" if report.for_ is None else "answered_family"] += 1
            self.counts[report.status] += 1

    async def _receipt(self, owner: Owner, delivery_id: str, kind: Any) -> None:
        await self._receipts(owner, [Receipt(delivery_id, kind, owner.phone.now())])

    async def _receipts(self, owner: Owner, items: list[Receipt]) -> None:
        # Whoever has no push got no delivery to acknowledge.
        items = [item for item in items if item.delivery_id]
        if items:
            await owner.phone.receipts(items)
            self.counts.update(item.kind for item in items)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._time_scale)


def _wants_answer(owner: Owner, alert_id: str) -> bool:
    """Only roll calls do. One that is no longer open is still answered, late."""
    alert = owner.phone.view.alert(alert_id) if owner.phone.view is not None else None
    return alert is None or alert.kind == "rollcall"


async def serve(options: argparse.Namespace) -> None:
    """Runs a fleet until SIGINT or SIGTERM, printing its counts each second."""
    fleet = Fleet(
        options.base_url,
        codes=options.codes.read_text().split(),
        fcm=options.fcm,
        seed=options.seed,
        time_scale=options.time_scale,
        setting=Setting(project=options.project, connections=options.connections),
    )
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, fleet.stop)
    running = asyncio.create_task(fleet.run(), name="fleet")
    while not running.done():
        await asyncio.wait([running], timeout=1.0)
        counts = {**fleet.counts, "ready": fleet.ready.is_set(), "api": fleet.api.counts}
        print(json.dumps(counts), flush=True)  # noqa: T201 - its starter reads them
    await running


def main() -> None:
    """`python -m clients.simulator.phones`"""
    parser = argparse.ArgumentParser(description="simulated phones")
    parser.add_argument("--base-url", required=True, help="the Muster server")
    parser.add_argument("--fcm", help="the FCM stand-in's address")
    parser.add_argument("--codes", type=Path, required=True, help="enrolment codes, one a line")
    parser.add_argument("--project", default="muster-sim")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--connections", type=int, default=100)
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
