"""Cascade and escalation on the record: who is asked, told, passed over, and when it stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from server.alerts import ending
from server.alerts.escalation import actions
from server.checkin.actions import record_batch
from server.checkin.rules import Report
from tests.alerts.world import World, alert, world

KANNEL = {"sms_url": "http://127.0.0.1:9/", "sms_username": "u", "sms_password": "p"}


class House(World):
    """KE (warden W0) over KE-N1 (W1, alternates A1, A2) and KE-N2 (W2, whom nothing reaches).

    KE-S has people and no node of its own. Everybody but W2 has a phone.
    """

    ids: dict[str, int]

    async def settle(self) -> None:
        self.ids = {}
        for ref, area in (
            *(("W0", "KE"), ("W1", "KE-N1"), ("A1", "KE-N1"), ("A2", "KE-N1"), ("W2", "KE-N2")),
            *(("P1", "KE-N1"), ("P2", "KE-N1"), ("Q1", "KE-N2"), ("S1", "KE-S")),
        ):
            self.ids[ref] = await self.person(ref, area)
            if ref != "W2":
                await self.phone(self.ids[ref])
        top = await self.node("TOP", None, "KE", "W0")
        await self.node("N1", top, "KE-N1", "W1", "A1", "A2")
        await self.node("N2", top, "KE-N2", "W2")

    async def node(
        self, node: str, parent: int | None, area: str, warden: str | None, *alternates: str
    ) -> int:
        made = await self.value(
            "INSERT INTO tree_node (operation_id, node, parent_id, label, area_id, warden_id)"
            " VALUES (current_operation(), $1, $2, 'Zone ' || $1, $3, $4) RETURNING node_id",
            *(node, parent, self.areas[area], self.ids.get(warden or "")),
        )
        for rank, ref in enumerate(alternates, 1):
            await self.sql(
                "INSERT INTO tree_alternate (operation_id, node_id, rank, person_id)"
                " VALUES (current_operation(), $1, $2, $3)",
                *(made, rank, self.ids[ref]),
            )
        return int(made)

    async def send(self, api: httpx.AsyncClient, **more: Any) -> UUID:
        body = alert(**more)
        answer = await api.post("/v1/alerts", json=body)
        assert answer.status_code == 201, answer.text
        await self.run_jobs()
        await self.push_out()
        return UUID(body["id"])

    async def push_out(self) -> None:
        """The provider takes every push there is."""
        await self.sql(
            "UPDATE delivery SET state = 'accepted', attempts = 1, accepted_at = clock_timestamp()"
            " WHERE channel = 'fcm' AND state = 'queued'"
        )

    async def later(self, seconds: float) -> None:
        """Lets time pass for all that is due, on the record's clock."""
        for table in ("escalation_step", "job"):
            await self.sql(
                f"UPDATE {table} SET due_at = due_at - $1 * interval '1 second'", seconds
            )
        await self.run_jobs()

    async def answers(self, ref: str, status: str = "safe", alert_id: UUID | None = None) -> None:
        """A report through the group commit, as a phone's."""
        now = datetime.now(UTC)
        one = Report(
            *(uuid4(), self.ids[ref], ref, status, now, now, alert_id, None, None, None, "self"),
            *(f"device:{uuid4()}", b""),
        )
        await record_batch(self.db, self.op, [one])

    async def told(self, purpose: str) -> list[str]:
        """Who has a word of a purpose on its way, each time."""
        rows = await self.sql(
            "SELECT p.ref FROM delivery d JOIN person p USING (operation_id, person_id)"
            " WHERE d.purpose = $1 ORDER BY d.queued_at, p.ref",
            purpose,
        )
        return [r["ref"] for r in rows]

    async def steps(self) -> list[tuple[str, str, str, str | None]]:
        rows = await self.sql(
            "SELECT n.node, s.act, s.state, s.result FROM escalation_step s"
            " JOIN alert_node n USING (operation_id, alert_id, node_id)"
            " ORDER BY s.ended_at NULLS LAST, n.node, s.due_at"
        )
        return [tuple(r) for r in rows]


@asynccontextmanager
async def house(dsn: str, **settings: Any) -> AsyncIterator[House]:
    made = House(dsn, **settings)
    await made.db.open()
    try:
        await made.begin()
        await made.operator()
        await made.settle()
        yield made
    finally:
        await made.db.close()


def at(found: dict[str, Any], node: str) -> dict[str, Any]:
    return next(n for n in found["nodes"] if n["node"] == node)


async def tree(api: httpx.AsyncClient, alert_id: UUID) -> dict[str, Any]:
    answer = await api.get(f"/v1/alerts/{alert_id}/tree")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_each_has_one_node_that_answers_for_her(database: str) -> None:
    async with house(database) as h, h.client() as api:
        family = await h.person("F1", "KE-S", "family", sponsor=h.ids["P1"])
        alert_id = await h.send(api)
        rows = await h.sql(
            "SELECT p.ref, n.node FROM alert_person a JOIN person p USING (operation_id, person_id)"
            " LEFT JOIN tree_node n ON n.node_id = a.node_id WHERE a.alert_id = $1",
            alert_id,
        )
        assert {r["ref"]: r["node"] for r in rows} == {
            **dict.fromkeys(["P1", "P2", "A1", "A2", "F1"], "N1"),
            "Q1": "N2",
            **dict.fromkeys(["W1", "W2", "S1"], "TOP"),  # wardens answer upwards
            "W0": None,  # and the highest to the duty desk
        }
        assert family
        found = await tree(api, alert_id)
        assert {n["node"]: n["people"] for n in found["nodes"]} == {
            "": 1,
            "TOP": 3,
            "N1": 5,
            "N2": 1,
        }
        assert all(n["state"] == "open" for n in found["nodes"])


async def test_a_broadcast_chases_the_silent_step_by_step(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api)
        assert await h.told("alert") == sorted(set(h.ids) - {"W2"}), "everybody at once"
        await h.answers("P1")
        await h.later(610)
        assert await h.told("chase") == ["W0", "W1"]
        assert at(await tree(api, alert_id), "N1")["in_charge"]["ref"] == "W1"
        assert at(await tree(api, alert_id), "N2")["passed_up_at"], "nobody to call in N2: up"
        await h.later(600)
        assert (await h.told("chase")).count("A1") == 1
        await h.later(310)
        assert (await h.told("chase")).count("A2") == 1, "one alternate after another"
        await h.later(310)
        n1 = at(await tree(api, alert_id), "N1")
        assert n1["passed_up_at"]
        assert n1["desk_at"] is None, "there is a node above"
        assert n1["next"]["act"] == "up", "and if that helps nobody, the desk"
        top = at(await tree(api, alert_id), "TOP")
        assert top["desk_at"], "above the top is the duty desk"
        assert at(await tree(api, alert_id), "")["desk_at"]
        await h.later(620)
        assert at(await tree(api, alert_id), "N1")["desk_at"]
        before = await h.told("chase")
        await h.push_out()
        await h.later(100_000)
        assert await h.told("chase") == before, "then all has been done"
        assert {s[2] for s in await h.steps()} == {"done"}


async def test_words_to_wardens_are_deliveries_but_no_reminders(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api)
        await h.later(610)
        await h.push_out()
        items = (await api.get(f"/v1/alerts/{alert_id}/deliveries")).json()["items"]
        assert [d["person"]["ref"] for d in items if d["purpose"] == "chase"] == ["W0", "W1"]
        reminded = (await api.post(f"/v1/alerts/{alert_id}/remind")).json()["reminder"]
        assert reminded == {"round": 1, "silent": 9, "deliveries": 8}


async def test_the_duty_desk_is_told_on_its_own_channels_once_it_is_its_turn(
    database: str,
) -> None:
    async with house(database, duty_urls="json://127.0.0.1:9/") as h, h.client() as api:
        alert_id = await h.send(api)
        await h.later(550)
        assert await h.value("SELECT count(*) FROM delivery WHERE channel = 'duty'") == 0
        await h.later(60)
        assert await h.value("SELECT count(*) FROM delivery WHERE channel = 'duty'") == 1
        items = (await api.get(f"/v1/alerts/{alert_id}/deliveries")).json()["items"]
        assert [d["person"] for d in items if d["purpose"] == "duty"] == [None]


async def test_answers_stop_what_is_to_come(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api)
        for ref in ("P1", "P2", "A1", "A2"):
            await h.answers(ref, "need_help" if ref == "P2" else "safe")
        await h.later(610)
        assert await h.told("chase") == ["W0"], "N1 is accounted for, N2 has nobody to call"
        stopped = [s for s in await h.steps() if s[:2] == ("N1", "call_down")]
        assert stopped == [("N1", "call_down", "stopped", "nobody is silent")]
        assert alert_id


async def test_the_end_of_the_alert_stops_every_step_for_good(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api)
        assert (await api.post(f"/v1/alerts/{alert_id}/close")).status_code == 200
        steps = await h.steps()
        assert {s[2:] for s in steps} == {("stopped", "the alert ended")}
        await h.later(100_000)
        await actions.turn(h.db, h.op, alert_id)
        assert await h.told("chase") == []
        assert await h.steps() == steps


async def test_an_expired_alert_chases_nobody(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api)
        await h.sql("UPDATE alert SET expires_at = clock_timestamp()")
        await ending.expire(h.db, h.op, alert_id)
        await h.later(100_000)
        assert await h.told("chase") == []


async def test_the_next_channel_goes_to_the_silent_who_had_none(database: str) -> None:
    async with house(database, **KANNEL) as h, h.client() as api:
        for n, ref in enumerate(("P1", "P2", "W2", "Q1"), 1):
            await h.number(h.ids[ref], f"+25470000000{n}")
        alert_id = await h.send(api)
        texts = (
            "SELECT p.ref, d.purpose FROM delivery d JOIN person p USING (person_id)"
            " WHERE d.channel = 'sms' ORDER BY d.queued_at, 1"
        )
        assert [tuple(r) for r in await h.sql(texts)] == [("W2", "alert")], "she has no phone"
        await h.answers("P1")
        await h.later(310)
        assert [tuple(r) for r in await h.sql(texts)] == [
            ("W2", "alert"),
            ("P2", "remind"),
            ("Q1", "remind"),
        ]
        taken = (await tree(api, alert_id))["taken"]
        assert {(t["node"], t["result"]) for t in taken if t["act"] == "channels"} == {
            ("", "0 messages to 1"),
            ("N1", "1 messages to 3"),
            ("N2", "1 messages to 1"),
            ("TOP", "0 messages to 3"),
        }


async def test_a_provider_that_is_down_is_passed_by(database: str) -> None:
    """No push of the alert is taken: after half a minute everybody with a number is texted."""
    async with house(database, **KANNEL) as h, h.client() as api:
        for n, ref in enumerate(("P1", "P2", "Q1"), 1):
            await h.number(h.ids[ref], f"+25470000000{n}")
        texts = (
            "SELECT p.ref FROM delivery d JOIN person p USING (person_id)"
            " WHERE d.channel = 'sms' AND d.purpose = 'remind' ORDER BY 1"
        )
        body = alert()
        await api.post("/v1/alerts", json=body)
        await h.run_jobs()
        await h.answers("P2")
        await h.later(25)
        assert await h.sql(texts) == [], "it has half a minute"
        await h.later(6)
        assert [r["ref"] for r in await h.sql(texts)] == ["P1", "Q1"], "P2 has answered"
        await h.later(16)
        assert len(await h.sql(texts)) == 2, "once each"


async def test_a_push_tried_in_vain_is_followed_by_a_text(database: str) -> None:
    """The provider takes pushes, but not hers."""
    async with house(database, **KANNEL) as h, h.client() as api:
        for n, ref in enumerate(("P1", "P2", "Q1"), 1):
            await h.number(h.ids[ref], f"+25470000000{n}")
        await h.send(api)
        await h.sql(
            "UPDATE delivery SET state = 'failed', accepted_at = NULL, error = 'gone'"
            " WHERE person_id = $1",
            h.ids["P1"],
        )
        await h.later(31)
        rows = await h.sql("SELECT person_id FROM delivery WHERE channel = 'sms'")
        assert [r["person_id"] for r in rows] == [h.ids["P1"]]
        assert ("", "unsent", "done") in [s[:3] for s in await h.steps()]


async def test_life_safety_goes_by_all_channels_at_once(database: str) -> None:
    async with house(database, **KANNEL) as h, h.client() as api:
        await h.number(h.ids["P1"], "+254700000001")
        await h.send(api, severity="life_safety")
        rows = await h.sql("SELECT channel FROM delivery WHERE person_id = $1", h.ids["P1"])
        assert {r["channel"] for r in rows} == {"fcm", "sms"}


async def test_a_cascade_goes_down_as_wardens_answer(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api, mode="cascade")
        assert await h.told("alert") == ["W0"], "of the people only whom no node answers for"
        assert await h.told("ask") == ["W0"]
        found = await tree(api, alert_id)
        assert [n["state"] for n in found["nodes"]] == ["open", "asked", "waiting", "waiting"]
        await h.answers("W0")
        await h.later(1)
        assert await h.told("ask") == ["W0", "W1"]
        assert await h.told("alert") == ["W0", "Q1", "S1", "W1"], "W2's node had nobody to ask"
        n2 = at(await tree(api, alert_id), "N2")
        assert (n2["state"], n2["state_why"]) == ("open", "nobody who leads it can be told")
        top = at(await tree(api, alert_id), "TOP")
        assert top["acknowledged_at"]
        assert top["state_why"] == "answered"
        await h.answers("W1")
        await h.later(1)
        assert sorted(await h.told("alert")) == sorted(set(h.ids) - {"W2"})
        n1 = at(await tree(api, alert_id), "N1")
        assert (n1["state"], n1["in_charge"]["ref"]) == ("open", "W1")
        assert n1["next"]["act"] == "channels"


async def test_a_silent_warden_blocks_nobody(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api, mode="cascade")
        await h.later(305)
        assert at(await tree(api, alert_id), "TOP")["state_why"].startswith("no answer in time")
        await h.later(305)
        n1 = at(await tree(api, alert_id), "N1")
        assert n1["state"] == "open"
        assert n1["state_why"] == "no answer in time; the alternate was told"
        assert n1["acknowledged_at"] is None
        assert n1["in_charge"]["ref"] == "A1"
        assert await h.told("ask") == ["W0", "W1", "A1"]
        assert sorted(await h.told("alert")) == sorted(set(h.ids) - {"W2"}), "each once"


async def test_a_node_keeps_its_own_time(database: str) -> None:
    async with house(database) as h, h.client() as api:
        await h.sql("UPDATE tree_node SET answer_s = 20 WHERE node = 'TOP'")
        alert_id = await h.send(api, mode="cascade")
        await h.sql("UPDATE tree_node SET answer_s = 9999, warden_id = NULL")
        await h.later(25)
        assert at(await tree(api, alert_id), "TOP")["state"] == "open"
        assert at(await tree(api, alert_id), "N1")["state"] == "asked", "the tree as it was sent on"


async def test_a_warden_acknowledges_and_the_desk_may_open(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api, mode="cascade")
        await h.operator("w0", "warden", person=h.ids["W0"])
        await h.operator("w1", "warden", person=h.ids["W1"])
        async with h.client("w1") as other, h.client("w0") as warden:
            url = f"/v1/alerts/{alert_id}/acknowledge"
            assert (await other.post(url)).json() == {"opened": []}, "not hers to open"
            assert (await warden.post(url)).json() == {"opened": ["TOP"]}
            assert (await warden.post(url)).json() == {"opened": []}
        opened = await api.post(f"/v1/alerts/{alert_id}/nodes/N1/open")
        assert opened.json() == {"opened": ["N1"]}
        shown = await tree(api, alert_id)
        assert at(shown, "TOP")["acknowledged_at"] is not None
        assert at(shown, "N1")["acknowledged_at"] is None, "the desk's word is not the warden's"
        assert at(shown, "N1")["state_why"] == "opened by the duty desk"
        assert (await api.post(f"/v1/alerts/{alert_id}/nodes/NO/open")).status_code == 404
        assert await h.told("ask") == ["W0", "W1"]


async def test_wardens_see_their_own_part_of_the_tree(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api)
        await h.operator("w1", "warden", person=h.ids["W1"])
        async with h.client("w1") as warden:
            nodes = {n["node"]: n["people"] for n in (await tree(warden, alert_id))["nodes"]}
        assert nodes == {"TOP": 1, "N1": 4}


async def test_turns_repeated_and_at_once_tell_nobody_twice(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api, mode="cascade")
        await h.sql("UPDATE escalation_step SET due_at = due_at - interval '305 seconds'")
        await asyncio.gather(*(actions.turn(h.db, h.op, alert_id) for _ in range(8)))
        assert await h.told("ask") == ["W0", "W1"]
        assert len(await h.told("alert")) == len(set(await h.told("alert")))


async def test_a_visitor_belongs_to_the_zone_she_visits(database: str) -> None:
    async with house(database) as h, h.client() as api:
        await h.sql(
            "INSERT INTO presence (operation_id, person_id, kind, area_id, from_at, until_at,"
            " source) SELECT current_operation(), $1, 'visit', $2, now() - interval '1 h',"
            " now() + interval '1 day', 'test'",
            *(h.ids["S1"], h.areas["KE-N2"]),
        )
        await h.sql(
            "INSERT INTO presence (operation_id, person_id, kind, from_at, until_at, source)"
            " SELECT current_operation(), $1, 'leave', now() - interval '1 h',"
            " now() + interval '1 day', 'test'",
            h.ids["Q1"],
        )
        alert_id = await h.send(api, audience={"areas": ["KE-N2"]})
        rows = await h.sql(
            "SELECT p.ref, a.area_id, a.expected, n.node FROM alert_person a"
            " JOIN person p USING (operation_id, person_id) LEFT JOIN tree_node n USING (node_id)"
            " WHERE a.alert_id = $1 ORDER BY 1",
            alert_id,
        )
        n2 = h.areas["KE-N2"]
        assert [tuple(r) for r in rows] == [
            ("Q1", n2, "elsewhere", "N2"),
            ("S1", n2, "here", "N2"),
            ("W2", n2, "here", "TOP"),
        ]
        there = await h.send(api, audience={"areas": ["KE-S"]})
        row = (await h.sql("SELECT * FROM alert_person WHERE alert_id = $1", there))[0]
        assert (row["area_id"], row["expected"]) == (h.areas["KE-S"], "elsewhere")


async def test_policies_are_the_operations_own(database: str) -> None:
    async with house(database) as h, h.client() as api:
        await h.operator("chief", "admin")
        policy = {
            "channels_after_s": 10, "warden_after_s": 20, "alternate_after_s": 30,
            "up_after_s": 40, "answer_s": 15, "quiet": None,
        }  # fmt: skip
        assert (await api.put("/v1/policies/urgent", json=policy)).status_code == 403
        async with h.client("chief") as chief:
            wrong = await chief.put("/v1/policies/urgent", json={**policy, "up_after_s": 5})
            assert wrong.status_code == 422
            assert wrong.json()["errors"][0]["path"] == "up_after_s"
            put = await chief.put("/v1/policies/urgent", json=policy)
            assert put.json()["policy"] == policy
            assert put.json()["updated_by"] == "Name of chief"
            alert_id = await h.send(api)
            await h.later(21)
            assert await h.told("chase") == ["W0", "W1"]
            assert (await tree(api, alert_id))["policy"] == policy
            gone = (await chief.delete("/v1/policies/urgent")).json()
            assert (gone["own"], gone["policy"]["warden_after_s"]) == (False, 600)
            assert (await chief.put("/v1/policies/grave", json=policy)).status_code == 404
        severities = [p["severity"] for p in (await api.get("/v1/policies")).json()["items"]]
        assert severities == ["life_safety", "urgent", "routine"]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"up_after_s": 1}, "escalation.up_after_s"),
        ({"answer_s": 1}, "escalation.answer_s"),
        ({"quiet": {"from": "25:00", "until": "07:00"}}, "escalation.quiet.from"),
        ({"soon": 1}, "escalation"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused(
    database: str, wish: dict[str, Any], field: str
) -> None:
    async with world(database) as w, w.client() as api:
        answer = await api.post("/v1/alerts", json=alert(escalation=wish))
        assert answer.status_code in {400, 422}
        assert answer.json()["errors"][0]["path"].startswith(field)


async def test_an_alert_keeps_its_own_wish(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api, escalation={"warden_after_s": 400})
        found = await tree(api, alert_id)
        assert found["policy"]["warden_after_s"] == 400
        assert found["policy"]["up_after_s"] == 1800
        assert (await api.get(f"/v1/alerts/{alert_id}")).json()["escalation"] == {
            "warden_after_s": 400
        }
        await h.later(405)
        assert await h.told("chase") == ["W0", "W1"]


async def test_a_policy_changed_later_leaves_open_alerts_alone(database: str) -> None:
    """What fits today's policy may not fit tomorrow's: the alert keeps what it was sent with."""
    async with house(database) as h, h.client() as api:
        await h.operator("chief", "admin")
        alert_id = await h.send(api, escalation={"warden_after_s": 310})
        later = {
            "channels_after_s": 900, "warden_after_s": 1000, "alternate_after_s": 1100,
            "up_after_s": 1200, "answer_s": 60,
        }  # fmt: skip
        async with h.client("chief") as chief:
            assert (await chief.put("/v1/policies/urgent", json=later)).status_code == 200
        assert (await tree(api, alert_id))["policy"]["warden_after_s"] == 310
        await h.later(320)
        assert await h.told("chase") == ["W0", "W1"]


async def test_an_alternate_of_a_node_without_a_warden_opens_it_by_her_answer(
    database: str,
) -> None:
    async with house(database) as h, h.client() as api:
        await h.sql("UPDATE tree_node SET warden_id = NULL WHERE node = 'N1'")
        alert_id = await h.send(api, mode="cascade")
        await h.answers("W0")
        await h.later(1)
        assert await h.told("ask") == ["W0", "A1"]
        await h.answers("A1")
        await h.later(1)
        n1 = at(await tree(api, alert_id), "N1")
        assert (n1["state_why"], n1["in_charge"]["ref"]) == ("answered", "A1")


async def test_a_turn_that_comes_late_tells_each_leader_once(database: str) -> None:
    async with house(database) as h, h.client() as api:
        await h.send(api)
        await h.later(1210)
        assert (await h.told("chase")).count("W1") == 1
        assert (await h.told("chase")).count("A1") == 1, "not the warden again in her place"


async def test_an_e_mail_alone_wakes_no_leader(database: str) -> None:
    more = {"smtp_url": "smtp://127.0.0.1:9", "smtp_from": "muster@example.org"}
    async with house(database, **more) as h, h.client() as api:
        await h.sql("UPDATE person SET email = 'w2@example.org' WHERE ref = 'W2'")
        alert_id = await h.send(api, mode="cascade")
        await h.answers("W0")
        await h.later(1)
        n2 = at(await tree(api, alert_id), "N2")
        assert (n2["state"], n2["state_why"]) == ("open", "nobody who leads it can be told")


async def test_who_is_added_later_is_chased_too(database: str) -> None:
    async with house(database) as h, h.client() as api:
        late = await h.person("L1", "KE-N1")
        await h.phone(late)
        alert_id = await h.send(api, audience={"areas": ["KE-S"]})
        await h.answers("S1")
        await h.later(2000)
        assert {s[2] for s in await h.steps() if s[1] != "unsent"} == {"stopped"}
        added = {"id": str(uuid4()), "ref": "L1", "kind": "walk_in"}
        answer = await api.post(f"/v1/alerts/{alert_id}/people", json=added)
        assert answer.status_code == 201, answer.text
        assert at(await tree(api, alert_id), "N1")["people"] == 1
        await h.push_out()
        await h.later(610)
        assert await h.told("chase") == ["W1"]


async def test_people_of_a_node_that_is_gone_are_the_desks(database: str) -> None:
    """The tree is edited while an alert is prepared, and before it is corrected."""
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api)
        await h.sql("DELETE FROM tree_alternate")
        await h.sql("DELETE FROM tree_node WHERE node = 'N1'")
        body = {"id": str(uuid4()), "title": "Correction", "body": "Stay where you are."}
        answer = await api.post(f"/v1/alerts/{alert_id}/correct", json=body)
        assert answer.status_code == 201
        await h.run_jobs()
        nodes = {n["node"]: n["people"] for n in (await tree(api, UUID(body["id"])))["nodes"]}
        assert nodes == {"": 5, "TOP": 3, "N2": 1}, "W0 and the four of N1"


async def test_the_desk_may_open_a_branch_before_the_one_above(database: str) -> None:
    async with house(database) as h, h.client() as api:
        alert_id = await h.send(api, mode="cascade")
        opened = await api.post(f"/v1/alerts/{alert_id}/nodes/N1/open")
        assert opened.json() == {"opened": ["N1"]}
        n1 = at(await tree(api, alert_id), "N1")
        assert (n1["state_why"], n1["acknowledged_at"]) == ("opened by the duty desk", None)
        await h.later(305)
        assert len(await h.told("alert")) == len(set(await h.told("alert")))
