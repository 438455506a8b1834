"""A relocation to watch: a desk plans it, phones, wardens, checkers and the radio report it.

    async with Api(server) as api:
        relocation = Relocation(api, operator_token, phones, wardens)
        await relocation.run(refs)     # of staff who move, with their families

`phones`: enrolled, by whose they are; `wardens`: the warden of each area. What happens to whom is
journey.py's story; here it is planned, filled, sealed and said, all by the public API. A desk at a
console may do what it likes meanwhile: what is refused then is counted, and the story goes on.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from . import journey, plan
from .api import Api, ProblemError
from .checkers import Checker
from .journey import FIRST, SECOND, Mover, Word
from .phone import Phone
from .plan import Plan

LOOKS_S = 2.0
FINDS_S = 0.5
# What to look at, from which second of the story on: where on the console's page Movements.
HINTS = (
    (0, "Vehicles: people are told and say that they are ready; the lists of twelve are filled"),
    (60, "Board: they come to the gate, by their phones, their wardens, or scanned"),
    (125, "Vehicles: 1 to 6 board one after another; one that departs seals its list"),
    (205, "Board: one checker has no network; what she saw of 4 to 6 comes late, out of order"),
    (300, "Conflicts: it uploads, and what seemed to contradict is explained. Somebody is missed"),
    (345, "Board: vehicle 5 is late, its watch falls due; a household is split over two vehicles"),
    (400, "Vehicles: flights 7 to 12, and the haven, whose uploads come now and then"),
    (480, "People: who was missed is heard of by radio; the households are together again"),
    (journey.LASTS_S, "Yours: decide the open ones in Conflicts, then sign it in Close-out"),
)


class Clock:
    """The seconds of the story. Where it is played faster than it happens, it lies in the past:
    what counts is when a thing was, so the same comes of it."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._begun = datetime.now(UTC)
        ahead = journey.LASTS_S * max(0.0, 1 - scale)
        self._first = self._begun - timedelta(seconds=ahead)

    def moment(self, at: float) -> datetime:
        """When a second of the story was."""
        return self._first + timedelta(seconds=at)

    def now(self) -> float:
        """The second that is being played."""
        gone = (datetime.now(UTC) - self._begun).total_seconds()
        return gone / self._scale if self._scale else journey.LASTS_S

    async def until(self, at: float) -> None:
        """Waits for a second of the story."""
        due = self._begun + timedelta(seconds=at * self._scale)
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds())


class Relocation:
    """One movement. `counts`: reports (taken), refused, and those of its checkers. `board`: as it
    was last seen. `hint`: what to look at now."""

    def __init__(
        self,
        api: Api,
        desk: str,
        phones: Mapping[str, Phone],
        wardens: Mapping[str, str],
        *,
        seed: int = 1,
        scale: float = 1.0,
    ) -> None:
        self.id = str(uuid4())
        self.counts: Counter[str] = Counter()
        self.board: dict[str, Any] | None = None
        self.hint = ""
        self.checkers: dict[str, Checker] = {}
        self._api, self._desk, self._phones, self._wardens = api, desk, phones, wardens
        self._seed, self._scale = seed, scale
        self._codes: dict[str, str] = {}

    async def run(self, refs: Sequence[str]) -> None:
        """Ends when all has been said; what is open then is the desk's."""
        own = await self.prepare(refs)
        movers = await self._movers(own)
        roles = journey.cast(movers, own.spare)
        await self._take_lists()
        await self.call("POST", "/activate")
        clock = Clock(self._scale)
        looking = asyncio.create_task(self._look(clock), name="relocation.board")
        try:
            async with asyncio.TaskGroup() as going_on:
                for word in self._said(journey.words(movers, roles, self._seed), going_on, clock):
                    going_on.create_task(self._say(word, clock))
                for number in (*FIRST, *SECOND):
                    going_on.create_task(self._drive(own, number, movers, roles, clock))
        finally:
            looking.cancel()
        await self.look(clock)

    # -- before it begins

    async def prepare(self, refs: Sequence[str]) -> Plan:
        """The movement, its plan, its checkers, who stays, and the lists."""
        wish = {**plan.WISH, "id": self.id, "people": list(refs)}
        await self._api.call("POST", "/v1/movements", self._desk, lambda: wish)
        while (await self.call("GET", ""))["movement"]["state"] == "preparing":  # noqa: ASYNC110
            await asyncio.sleep(FINDS_S)
        people = await self._people()
        own = Plan(self.id, len(people), _largest(people))
        for path, body in own.puts():
            await self.call("PUT", path, body)
        watching = [ref for ref in self._phones if ref not in refs] or list(self._phones)
        for nth, name in enumerate(journey.UPLOADS):
            ref = watching[nth % len(watching)]
            await self.call("PUT", f"/checkers/{ref}")
            self.checkers[name] = Checker(self._phones[ref], self.id)
        await self._who_stays(own, people)
        await self.call("PUT", "/travellers", {"items": [{"ref": refs[0], "medical": True}]})
        for position in (1, 2):
            await self._fill(own, position)
        return own

    async def _people(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        path: str | None = f"/v1/movements/{self.id}/people?limit=200"
        while path:
            page = await self._api.call("GET", path, self._desk)
            found, path = found + page["items"], page["next"]
        return found

    async def _who_stays(self, own: Plan, people: Sequence[dict[str, Any]]) -> None:
        """The last household keeps the radio room; the health post has nobody left in the end."""
        sponsors = sorted(p["ref"] for p in people if p["sponsor"] is None)
        keeper = sponsors[-1]
        home = [p["ref"] for p in people if keeper in (p["ref"], p["sponsor"])]
        said = [
            self._report(ref, "staying", datetime.now(UTC), reason=journey.STAYS) for ref in home
        ]
        await self._from_desk(said)
        for path, body in own.functions(keeper, sponsors):
            await self.call("PUT", path, body)

    async def _fill(self, own: Plan, position: int) -> None:
        """As a desk does it: look first, then give what was shown."""
        wish = {"leg": own.leg(position)}
        shown = await self.call("POST", "/fill", wish)
        given = await self.call("POST", "/fill", {**wish, "apply": True, "mark": shown["mark"]})
        own.given(position, given)

    async def _movers(self, own: Plan) -> list[Mover]:
        """Who goes, with whose phone speaks for her, and the codes they have."""
        people = [p for p in await self._people() if p["ref"] in own.rides]
        homes = {p["sponsor"] or p["ref"] for p in people}
        with_app = [ref for ref in sorted(homes) if ref in self._phones]
        for ref in with_app:
            self._codes |= await self._phones[ref].codes()
        for ref in sorted(homes - self._phones.keys()):  # printed for who has no phone
            path = f"/v1/people/{ref}/code"
            made = await self._api.call("POST", path, self._desk, lambda: {"do": "issue"})
            self._codes[ref] = made["code"]
        return [self._mover(own, p) for p in people]

    def _mover(self, own: Plan, person: dict[str, Any]) -> Mover:
        home = person["sponsor"] or person["ref"]
        warden = self._wardens.get(person["area"]["code"])
        return Mover(
            ref=person["ref"],
            household=home,
            phone=home if home in self._phones else None,
            warden=warden if warden in self._phones else None,
            code=person["ref"] in self._codes,
            rides=own.rides[person["ref"]],
        )

    async def _take_lists(self) -> None:
        for checker in self.checkers.values():
            await checker.fetch()

    # -- while it goes on

    def _said(
        self, words: Sequence[Word], going_on: asyncio.TaskGroup, clock: Clock
    ) -> list[list[Word]]:
        """Starts the checkers; the other words, those of one phone at one time together."""
        seen: dict[str, list[Word]] = defaultdict(list)
        told: dict[tuple[str, float], list[Word]] = defaultdict(list)
        for word in words:
            kind, _, name = word.by.partition(":")
            if kind == "checker":
                seen[name].append(word)
            else:
                told[word.by, word.at].append(word)
        for name, checker in self.checkers.items():
            going_on.create_task(self._check(name, checker, seen[name], clock))
        return list(told.values())

    async def _say(self, words: Sequence[Word], clock: Clock) -> None:
        """What a phone, or the radio, says at one time."""
        await clock.until(words[0].at)
        moment = clock.moment(words[0].at)
        _, _, ref = words[0].by.partition(":")
        if not ref:
            said = [self._word(word, moment) for word in words]
            await self._from_desk([{**body, "how": "radio"} for body in said])
            return
        phone = self._phones[ref]
        said = [{**self._word(word, moment), "at": _by(phone, moment)} for word in words]
        try:
            self._count(await phone.stages(said))
        except ProblemError:  # the phone was taken from her meanwhile
            self.counts["refused"] += len(said)

    async def _check(
        self, name: str, checker: Checker, words: Sequence[Word], clock: Clock
    ) -> None:
        """A checker's hours: what she sees, and when she finds a network."""
        uploads = journey.UPLOADS[name]
        for end in (*uploads, journey.LASTS_S + 60):
            await clock.until(end)
            while words and words[0].at <= end:
                word, *words = words
                moment = clock.moment(word.at)
                seen = {**self._word(word, moment), "at": _by(checker.phone, moment)}
                code = self._codes.get(word.ref) if word.shown else None
                checker.see(seen, code, held=word.held)
            try:
                await checker.upload(last=end >= uploads[-1])
            except ProblemError:
                checker.counts["refused"] += 1

    def _word(self, word: Word, moment: datetime) -> dict[str, Any]:
        more: dict[str, Any] = {"vehicle": word.vehicle, "reason": word.reason}
        if word.point:
            more["point"] = plan.point(self.id, word.point)
        return self._report(word.ref, word.stage, moment, **more)

    def _report(self, ref: str, stage: str, moment: datetime, **more: Any) -> dict[str, Any]:
        said = {k: v for k, v in more.items() if v is not None}
        return {"id": str(uuid4()), "movement": self.id, "for": ref, "stage": stage,
                "at": moment.isoformat(), **said}  # fmt: skip

    async def _from_desk(self, said: list[dict[str, Any]]) -> None:
        body = {"items": said}
        answer = await self._api.call("POST", "/v1/stage-reports", self._desk, lambda: body)
        self._count(answer["items"])

    def _count(self, results: Sequence[dict[str, Any]]) -> None:
        refused = sum(1 for r in results if "error" in r)
        self.counts["refused"] += refused
        self.counts["reports"] += len(results) - refused

    async def _drive(
        self,
        own: Plan,
        number: int,
        movers: Sequence[Mover],
        roles: journey.Cast,
        clock: Clock,
    ) -> None:
        """What the desk does about one vehicle: its list is sealed, it departs, it arrives."""
        begins, ends = own.times(number, movers, roles)
        rider = next((m.ref for m in movers if number in m.rides and m.ref in self._phones), None)
        await clock.until(begins - 20)
        if roles.split and number == own.rides[roles.split][0]:
            await self._part(own, roles.split, roles.spare)
        await clock.until(begins + journey.LOADS_S)
        watch = await self._watch(own, number, ends - begins, rider) if rider else None
        await self._try("PUT", *own.vehicle(number, "departed", watch))
        await clock.until(ends)
        await self._try("PUT", *own.vehicle(number, "arrived", watch))
        if watch:
            await self._try("POST", f"/v1/watches/{watch}/done", {})

    async def _part(self, own: Plan, ref: str, spare: int) -> None:
        """One of a household rides with another vehicle: both lists are sealed, so they are
        amended, with the reason."""
        reason = "The child rides with the nurse."
        for number, change in ((own.rides[ref][0], "take_off"), (spare, "put_on")):
            path = f"{own.vehicle(number)[0]}/manifest"
            await self._try("POST", f"{path}/seal")
            wish = {"id": str(uuid4()), "reason": reason, change: [ref]}
            await self._try("POST", f"{path}/amendments", wish)

    async def _watch(self, own: Plan, number: int, lasts_s: float, rider: str) -> str | None:
        """A watch on the arrival, of one who rides along with a phone; due as planned."""
        late = journey.LATE_S if number == journey.LATE else 0.0
        seconds = max(60.0, (lasts_s - late) * self._scale)
        due = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        key, label = str(uuid4()), own.vehicle(number)[1]["label"]
        wish = {"id": key, "kind": "journey", "due_at": due, "grace_s": 15, "for": rider,
                "vehicle": label, "route": plan.ROUTES[number in SECOND]}  # fmt: skip
        return key if await self._try("POST", "/v1/watches", wish) else None

    # -- looking

    async def _look(self, clock: Clock) -> None:
        while True:
            await self.look(clock)
            await asyncio.sleep(LOOKS_S)

    async def look(self, clock: Clock) -> None:
        """Fetches the board."""
        self.board = await self.call("GET", "")
        now = clock.now()
        self.hint = [hint for begins, hint in HINTS if begins <= now][-1]

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The desk's call about the movement, or about anything that begins with /v1."""
        whole = path if path.startswith("/v1") else f"/v1/movements/{self.id}{path}"
        make = None if body is None else lambda: body
        return await self._api.call(method, whole, self._desk, make)

    async def _try(self, method: str, path: str, body: Any = None) -> Any:
        """The same; what is refused, because somebody else at the desk was there first, is
        counted and passed over."""
        try:
            return await self.call(method, path, body)
        except ProblemError:
            self.counts["refused"] += 1
            return None


def _by(phone: Phone, moment: datetime) -> str:
    """What a phone's own clock said then."""
    return phone.now((datetime.now(UTC) - moment).total_seconds())


def _largest(people: Sequence[dict[str, Any]]) -> int:
    sizes = Counter(p["sponsor"] or p["ref"] for p in people)
    return max(sizes.values())
