"""A convoy handed over from one radio room to the next: never two rooms, never none."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from server.auth import Scope
from server.checkin.watches import words
from server.checkin.watches.board import Faces
from server.checkin.watches.hand_over import rules
from server.stream import Event
from tests.checkin.watching import Watching, watching
from tests.support.http import Caller

_OLDER = """
    UPDATE watch_hand_over SET expect_by = expect_by - $1::interval,
      turn_at = turn_at - $1::interval, unheard_at = unheard_at - $1::interval
"""
_LINES = "SELECT line FROM delivery WHERE channel = 'duty' ORDER BY queued_at"


class Rooms:
    """A convoy of person 0, the radio room of its area, that of person 1's, and a third one."""

    def __init__(self, w: Watching) -> None:
        self.w = w

    async def begin(self) -> None:
        w = self.w
        self.phone, self.whole = await w.phone(0), await w.here.operator()
        areas = [await w.area_id(n) for n in range(3)]
        self.codes = [await self.code(a) for a in areas]
        self.near, self.far, self.third = [
            await w.here.operator("operator", area_id=a) for a in areas
        ]
        made = await w.begin(self.phone, vehicle="KBX 123", companions=["P4"])
        self.key = made["id"]
        assert (made["room"], made["hand_over"]) == (self.codes[0], None)

    async def code(self, area_id: int) -> str:
        sql = "SELECT code FROM area WHERE area_id = $1"
        return str(await self.w.value(sql, area_id))

    def offer(self, to: int | None = 1, due_s: float = 1800) -> dict[str, Any]:
        by = (datetime.now(UTC) + timedelta(seconds=due_s)).isoformat()
        code = None if to is None else self.codes[to]
        return {"id": str(uuid4()), "to_area": code, "expect_by": by, "note": "at the bridge"}

    async def say(self, who: Caller, verb: str, body: Any, status: int = 200) -> dict[str, Any]:
        answer = await who.call("POST", f"/v1/watches/{self.key}/{verb}", body)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def offered(self, who: Caller | None = None, **more: Any) -> str:
        """The id of an offer that was made."""
        wish = self.offer(**more)
        await self.say(who or self.near, "hand-over", wish, 201)
        return str(wish["id"])

    async def sees(self, who: Caller) -> bool:
        answer = await who.call("GET", f"/v1/watches/{self.key}")
        return answer.status_code == 200

    async def room(self) -> str | None:
        found = (await self.w.get(self.whole, self.key))["watch"]["room"]
        return None if found is None else str(found)

    async def older(self, seconds: float) -> None:
        await self.w.sql(_OLDER, timedelta(seconds=seconds))
        await self.w.looker.turn()


async def rooms(w: Watching) -> Rooms:
    made = Rooms(w)
    await made.begin()
    return made


def heard(key: str, **more: Any) -> dict[str, Any]:
    return {"hand_over": key, "contact": "radio", **more}


async def test_the_sheet_closes_when_the_next_room_has_heard(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        assert not await r.sees(r.far)
        wish = r.offer()
        made = await r.say(r.near, "hand-over", wish, 201)
        assert await r.say(r.near, "hand-over", wish) == made
        assert (made["room"], made["hand_over"]["state"]) == (r.codes[0], "offered")
        assert [await r.sees(who) for who in (r.near, r.far, r.third)] == [True, True, False]
        early = await r.say(r.far, "done", {}, 409)
        assert early["code"] == "other_room", "it is offered, not theirs"
        at = datetime.now(UTC).isoformat()
        told = heard(wish["id"], at=at, sent_at=at, note="loud and clear")
        taken = await r.say(r.far, "heard", told)
        assert (taken["state"], taken["contact"]) == ("heard", "radio")
        assert await r.room() == r.codes[1]
        assert await r.say(r.far, "heard", told) == taken
        for verb, body in (("cancel", None), ("done", {}), ("hand-over", r.offer(2))):
            assert (await r.say(r.near, verb, body, 409))["code"] == "other_room"
        seen = await w.get(r.near, r.key)
        assert seen["watch"]["room"] == r.codes[1], "the sender sees that it is the next one's"
        assert [f["what"] for f in seen["timeline"]] == ["created", "offered", "heard"]
        fact = seen["timeline"][2]
        assert (fact["to_area"], fact["contact"], fact["note"], fact["by"], fact["late"]) == (
            r.codes[1], "radio", "loud and clear", "operator", False,
        )  # fmt: skip
        assert (await r.say(r.far, "done", {}))["state"] == "done"
        actions = await w.sql(
            "SELECT action FROM audit WHERE subject = $1 ORDER BY audit_id", r.key
        )
        assert [a[0] for a in actions] == ["watch.hand_over", "watch.heard"]


async def test_what_is_only_offered_is_still_the_senders(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        await r.offered(due_s=7200)
        await w.after(3700)
        shown = (await w.get(r.near, r.key))["watch"]
        assert (shown["state"], shown["room"], shown["hand_over"]["state"]) == (
            "overdue", r.codes[0], "offered",
        )  # fmt: skip
        away = datetime.now(UTC) + timedelta(hours=2)
        longer = await r.say(r.near, "extend", {"due_at": away.isoformat()})
        assert (longer["state"], longer["hand_over"]["state"]) == ("running", "offered")


async def test_not_heard_in_time_alarms_both_rooms_then_the_duty_desk_once(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        key = await r.offered(due_s=600)
        await r.older(590)
        assert await w.facts(r.key) == ["created", "offered"]
        before = await w.events()
        await r.older(11)
        for who in (r.near, r.far):
            shown = (await w.get(who, r.key))["watch"]["hand_over"]
            assert (shown["state"], shown["unheard_at"] is not None) == ("offered", True)
        assert await w.events() == before + 1
        assert await w.sql(_LINES) == []
        await r.older(290)
        assert await w.facts(r.key) == ["created", "offered", "unheard"]
        await r.older(11)
        for _ in range(3):
            await r.older(3600)
        assert await w.facts(r.key) == ["created", "offered", "unheard", "unheard_desk"]
        assert [row[0] for row in await w.sql(_LINES)] == [f"1 {words.UNHEARD}"]
        assert await r.room() == r.codes[0]
        late = await r.say(r.far, "heard", heard(key))
        assert (late["state"], await r.room()) == ("heard", r.codes[1])
        assert (await w.get(r.far, r.key))["timeline"][-1]["late"]


async def test_a_word_about_an_offer_holds_back_none_about_who_is_overdue(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        await r.offered(due_s=600)
        for seconds in (601, 301):
            await r.older(seconds)
        await w.after(3700)  # nobody answers for her: the desk's at once
        assert [row[0] for row in await w.sql(_LINES)] == [f"1 {words.UNHEARD}", f"1 {words.DESK}"]
        await w.begin(r.phone, -60, grace_s=0)
        await w.look()
        assert len(await w.sql(_LINES)) == 2, "one of a kind at a time"


async def test_a_room_that_had_a_convoy_once_is_shown_no_position_of_later(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        await r.say(r.far, "heard", heard(await r.offered()))
        risk = {"dark_after_h": 2}
        await r.whole.call("PUT", f"/v1/areas/{r.codes[0]}/risk", risk)
        await w.sql("UPDATE credential SET last_seen_at = now() - interval '3 hours'")
        await w.looker.dark()
        path = f"/v1/watches/{r.key}/position?reason=verify"
        assert (await r.far.call("GET", path)).status_code == 200, "it holds the watch"
        await r.say(r.far, "done", {})
        assert (await r.far.call("GET", path)).status_code == 404
        assert (await r.near.call("GET", path)).status_code == 200, "she is of its own people"


async def test_refused_or_withdrawn_the_sender_goes_on(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        first = await r.offered()
        assert (await r.say(r.far, "withdraw", {"hand_over": first}, 409))["code"] == "other_room"
        assert (await r.say(r.near, "refuse", {"hand_over": first}, 409))["code"] == "other_room"
        taken = await r.say(r.whole, "hand-over", r.offer(2), 409)
        assert taken["code"] == "hand_over_open", "one offer at a time"
        gone = {"hand_over": first, "note": "turned back"}
        back = await r.say(r.near, "withdraw", gone)
        assert await r.say(r.near, "withdraw", gone) == back
        assert (back["state"], await r.room()) == ("withdrawn", r.codes[0])
        assert not await r.sees(r.far)
        second = await r.offered()
        stale = await r.say(r.far, "heard", heard(first), 409)
        assert stale["code"] == "hand_over_settled", "an old word accepts no new offer"
        no = {"hand_over": second, "note": "no fuel"}
        refused = await r.say(r.far, "refuse", no)
        assert (refused["state"], refused["remark"]) == ("refused", "no fuel")
        assert await r.say(r.far, "refuse", no) == refused
        await r.older(7200)
        assert await w.facts(r.key) == [
            "created", "offered", "withdrawn", "offered", "refused",
        ]  # fmt: skip
        assert await r.room() == r.codes[0]


async def test_a_convoy_that_arrives_first_is_nobodys_to_take(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        key = await r.offered()
        await r.phone.call("POST", f"/v1/watches/{r.key}/done", {})
        assert (await w.get(r.near, r.key))["watch"]["hand_over"]["state"] == "ended"
        assert (await r.say(r.whole, "heard", heard(key), 409))["code"] == "hand_over_settled"
        assert (await r.say(r.near, "hand-over", r.offer(), 409))["code"] == "watch_over"
        await r.older(7200)
        assert await w.facts(r.key) == ["created", "offered", "done"]


async def test_it_goes_from_room_to_room_to_the_whole_operations_desk(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        await r.say(r.far, "heard", heard(await r.offered()))
        await r.say(r.third, "heard", heard(await r.offered(r.far, to=2), contact="satellite"))
        assert await r.room() == r.codes[2]
        last = await r.offered(r.third, to=None)
        assert (await r.say(r.third, "heard", heard(last), 409))["code"] == "other_room"
        await r.say(r.whole, "heard", heard(last, contact="phone"))
        assert await r.room() is None
        assert (await r.say(r.third, "cancel", None, 409))["code"] == "other_room"
        facts = await w.facts(r.key)
        assert facts == ["created", *["offered", "heard"] * 3]


async def test_who_may_not_or_cannot_is_told_why(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        assert (await r.say(r.phone, "hand-over", r.offer(), 403))["code"] == "forbidden"
        await r.say(r.third, "hand-over", r.offer(), 404)
        for wish, path in (
            ({**r.offer(), "to_area": "NOWHERE"}, "to_area"),
            (r.offer(0), "to_area"),
            ({**r.offer(), "expect_by": "1999-01-01T00:00:00Z"}, "expect_by"),
        ):
            refused = await r.say(r.near, "hand-over", wish, 422)
            assert refused["errors"][0]["path"] == path
        wish = r.offer()
        await r.say(r.near, "hand-over", wish, 201)
        other = await r.say(r.near, "hand-over", {**wish, "note": "else"}, 409)
        assert other["code"] == "id_reused"
        await r.say(r.far, "heard", heard(str(uuid4())), 404)
        key = (await w.begin(r.phone, kind="interval", interval_s=600))["id"]
        walk = await r.whole.call("POST", f"/v1/watches/{key}/hand-over", r.offer())
        assert walk.json()["code"] == "not_a_journey"


async def test_the_stream_tells_a_room_what_is_no_longer_offered(database: str) -> None:
    async with watching(database) as w:
        r = await rooms(w)
        [kind] = Faces(w.here.api.db).kinds()
        far = Scope(areas=(await w.area_id(1),))
        told = [Event(1, "watch", {"watches": [r.key]})]
        assert await kind.render(w.operation_id, far, told) is None
        key = await r.offered()
        offered: Any = await kind.render(w.operation_id, far, told)
        assert [i["id"] for i in offered["watches"]] == [r.key]
        await r.say(r.near, "withdraw", {"hand_over": key})
        left: Any = await kind.render(w.operation_id, far, told)
        assert left == {"watches": [], "gone": [r.key]}


def test_the_drawn_states_are_the_real_ones() -> None:
    text = (Path(__file__).parents[2] / "docs/watches.md").read_text("utf-8")
    _, _, own = text.partition("## Convoys that are handed over")
    drawn = re.findall(r"^    (\w+) --> (\w+) : (\w+)$", own.partition("\n## ")[0], re.MULTILINE)
    steps = [(a, b, verb) for verb, s in rules.TRANSITIONS.items() for a, b in s.items()]
    assert sorted(drawn) == sorted(steps)
