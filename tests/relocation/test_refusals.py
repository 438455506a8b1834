"""What is refused leaves nothing behind, and what was said again is answered as it was at first."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from server.relocation.movements import freezing
from tests.relocation.moving import Moving, moving
from tests.support.http import site


@pytest.fixture
async def own(database: str) -> AsyncIterator[Moving]:
    async with moving(database) as made:
        yield made


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


async def contradict(own: Moving) -> str:
    """P1 on two vehicles, ten and five minutes ago; where to decide of it."""
    await own.say(own.said("P1", "boarded", 600, vehicle=1))
    await own.say(own.said("P1", "boarded", 300, vehicle=2))
    [conflict] = (await own.ask("GET", "/conflicts"))["items"]
    return f"{own.path}/conflicts/{conflict['id']}/resolve"


async def test_a_decision_as_of_before_the_contradiction_is_refused(own: Moving) -> None:
    """Both reports would follow it: she stood in question still, and nothing waited for a human."""
    path = await contradict(own)
    decided: dict[str, Any] = {"id": str(uuid4()), "reason": "Seen.", "stage": "ready"}
    for seconds in (900, 400):
        refused = await own.desk.call("POST", path, {**decided, "at": ago(seconds)})
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["path"] == "at"
    assert (await own.ask("GET", ""))["conflicts"] == 1
    decided |= {"stage": "boarded", "vehicle": 2, "at": ago(299)}
    assert (await own.desk.call("POST", path, decided)).status_code == 201
    assert await own.stage("P1") == "boarded"
    await own.exact()


async def test_a_time_of_a_decision_needs_the_stage_of_then(own: Moving) -> None:
    path = await contradict(own)
    await own.say(own.said("P1", "at_point", 60, point="BORDER"))
    decided = {"id": str(uuid4()), "reason": "Seen there.", "at": ago(200)}
    refused = await own.desk.call("POST", path, decided)
    assert refused.json()["errors"][0]["path"] == "stage"
    assert (await own.desk.call("POST", path, {**decided, "stage": "ready"})).status_code == 201
    await own.exact()


async def test_a_refused_report_brings_nobody_into_the_movement(own: Moving) -> None:
    """Its id is another report's: P3, who lives where nobody is moved from, was not reported."""
    first = own.said("P1", "ready")
    await own.say(first)
    before = await own.ask("GET", "")
    [result] = await own.say({**first, "for": "P3"})
    assert result["error"]["code"] == "id_reused"
    after = await own.ask("GET", "")
    assert (after["population"], after["seq"]) == (before["population"], before["seq"])
    both = await own.say({**first, "for": "P3"}, own.said("P3", "ready"), first)
    assert [r.get("error", {}).get("code") for r in both] == ["id_reused", None, None]
    assert (await own.exact()).total() == before["population"] + 1


async def test_a_close_out_is_signed_once(own: Moving) -> None:
    people = (await own.ask("GET", "/people"))["items"]
    unresolved = [{"ref": p["ref"], "reason": "Not heard of."} for p in people]
    body = {"statement": "All is told.", "unresolved": unresolved}
    for _ in range(2):
        assert (await own.ask("POST", "/close", body))["state"] == "closed"
    other = await own.here.operator()
    for desk, said in ((own.desk, {**body, "statement": "Nothing is."}), (other, body)):
        refused = await desk.call("POST", f"{own.path}/close", said)
        assert (refused.status_code, refused.json()["code"]) == (409, "movement_ended")
    assert (await own.ask("GET", "/report"))["statement"] == "All is told."


async def test_what_came_before_a_call_off_counts_for_what_comes_after(database: str) -> None:
    """Of a movement called off while its people were being listed."""
    async with site(database, people=24) as here:
        own = Moving(here, await here.operator())
        await own.desk.call("POST", "/v1/movements", own.wish())
        await own.say(own.said("P1", "staying", 60, reason="Keeps the radio room."))
        await own.ask("POST", "/cancel")
        await here.work()
        assert await own.stage("P1") == "staying"
        await own.say(own.said("P1", "notified"), own.said("P2", "ready"))
        stages = await own.exact()
        assert (stages["staying"], stages["ready"]) == (1, 1)


async def test_what_is_said_between_listing_and_the_rest_waits_for_what_was_said_before(
    database: str,
) -> None:
    """Else it contradicts alone what it fits, and a human is asked for ever."""
    async with site(database, people=24) as here:
        own = Moving(here, await here.operator())
        await own.desk.call("POST", "/v1/movements", own.wish())
        await own.plan()
        await own.say(own.said("P1", "at_point", 600, point="GATE"))
        await freezing.list_people(own.db, own.operation_id, own.movement)
        await own.say(own.said("P1", "accommodated", 60))
        await here.work()
        assert (await own.exact())["accommodated"] == 1
        assert (await own.ask("GET", "/conflicts"))["items"] == []


async def test_two_desks_do_not_take_back_what_the_other_knows(own: Moving) -> None:
    """One has the vehicle's form open while the other tells that it left."""
    seen = await own.vehicle(1, was="planned")
    left = await own.vehicle(1, state="departed", was=seen["state"])
    body = {"leg": seen["leg"], "number": 1, "label": "Minibus", "seats": 50}
    path = f"{own.path}/vehicles/{seen['id']}"
    refused = await own.desk.call("PUT", path, {**body, "was": "planned"})
    assert (refused.status_code, refused.json()["code"]) == (409, "vehicle_changed")
    [now] = [v for v in (await own.ask("GET", ""))["vehicles"] if v["number"] == 1]
    assert (now["state"], now["departed_at"]) == ("departed", left["departed_at"])
    again = await own.vehicle(1, state="departed", was="planned")
    assert again["departed_at"] == left["departed_at"], "sent again, it is the same"
    assert (await own.vehicle(1, was="departed"))["state"] == "planned", "who knows may"


@pytest.mark.parametrize(
    ("departs_at", "arrives_at", "path"),
    [
        ("2026-11-24T12:00:00Z", "2026-11-24T11:59:59Z", "arrives_at"),
        ("9999-12-31T23:59:59Z", None, "departs_at"),
        (None, "0001-01-01T00:00:00+14:00", "arrives_at"),
    ],
)
async def test_a_leg_has_times_that_can_be(
    own: Moving, departs_at: str | None, arrives_at: str | None, path: str
) -> None:
    ends = {"from": str(own.id["GATE"]), "to": str(own.id["BORDER"])}
    body = {"kind": "road", "position": 1, **ends, "departs_at": departs_at}
    where = f"{own.path}/legs/{own.id['FIRST']}"
    refused = await own.desk.call("PUT", where, {**body, "arrives_at": arrives_at})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["path"] == path


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "{own}/people/%00", None),
        ("PUT", "{own}/checkers/%00", None),
        ("DELETE", "{own}/checkers/%00", None),
        ("POST", "/v1/people/%00/code", {"do": "issue"}),
        ("GET", "{own}/people?cursor=WyJhIiw5OTk5OTk5OTk5OTk5XQ", None),
        ("GET", "{own}/travellers?cursor=WyJhIiw5OTk5OTk5OTk5OTk5XQ", None),
        ("GET", "{own}/conflicts?cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0", None),  # noqa: E501 - a cursor
        ("GET", "/v1/movements?cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0", None),  # noqa: E501 - a cursor
    ],
)  # fmt: skip
async def test_what_cannot_be_in_an_address_is_refused(
    own: Moving, method: str, path: str, body: Any
) -> None:
    answer = await own.desk.call(method, path.format(own=own.path), body)
    assert 400 <= answer.status_code < 500, answer.text
