"""What phones say of their deliveries: their own only, forward only, within our clock."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.alerts.test_lifecycle import opened
from tests.alerts.world import World, world


def item(delivery: object, kind: str = "delivered", shift_s: float = 0) -> dict[str, Any]:
    at = datetime.now(UTC) + timedelta(seconds=shift_s)
    return {"delivery_id": str(delivery), "kind": kind, "at": at.isoformat()}


async def sent(w: World, device: uuid.UUID) -> uuid.UUID:
    key = await w.value("SELECT delivery_id FROM delivery WHERE endpoint = $1", str(device))
    await w.sql("UPDATE delivery SET state = 'sending', attempts = 1 WHERE delivery_id = $1", key)
    return key


async def test_a_phone_speaks_for_its_own_deliveries(database: str) -> None:
    async with world(database) as w, w.client() as boss:
        mine, theirs = await w.phone(await w.person("A1")), await w.phone(await w.person("A2"))
        body = await opened(w, boss)
        own, other = await sent(w, mine), await sent(w, theirs)
        async with w.client(f"phone-{mine}") as phone:
            answer = await phone.post(
                "/v1/receipts", json={"items": [item(own), item(other), item(uuid.uuid4())]}
            )
        assert answer.status_code == 200, answer.text
        oks = [i.get("ok", False) for i in answer.json()["items"]]
        assert oks == [True, False, False]
        page = (await boss.get(f"/v1/alerts/{body['id']}/deliveries?limit=1")).json()
        shown = page["items"][0]
        assert shown["person"]["ref"] == "A1"
        assert shown["state"] == "accepted", "what arrived needs no second try"
        assert shown["accepted_at"] is None, "though the provider has not said so"
        assert shown["delivered_at"] is not None
        assert shown["seen_at"] is None
        rest = (await boss.get(page["next"])).json()
        assert [i["person"]["ref"] for i in rest["items"]] == ["A2"]
        assert rest["items"][0]["delivered_at"] is None


async def test_facts_move_forward_only_and_within_our_clock(database: str) -> None:
    async with world(database) as w, w.client() as boss:
        device = await w.phone(await w.person("A1"))
        await opened(w, boss)
        key = await sent(w, device)
        async with w.client(f"phone-{device}") as phone:
            for kind, shift in (("seen", 7200), ("delivered", -7200), ("seen", -60)):
                body = {"items": [item(key, kind, shift)]}
                assert (await phone.post("/v1/receipts", json=body)).status_code == 200
        row = (await w.sql("SELECT *, clock_timestamp() AS now FROM delivery"))[0]
        assert row["queued_at"] <= row["delivered_at"] <= row["seen_at"] <= row["now"]


async def test_many_phones_speaking_at_once_never_speak_for_each_other(database: str) -> None:
    async with world(database) as w, w.client() as boss:
        devices = [await w.phone(await w.person(f"A{n}")) for n in range(10)]
        await opened(w, boss)
        keys = [await sent(w, d) for d in devices]
        async with w.client(f"phone-{devices[0]}") as thief:
            app = thief._transport
            calls = []
            for n, device in enumerate(devices):
                claim = item(keys[n] if n else keys[1])
                headers = {"Authorization": f"Bearer phone-{device}"}
                calls.append(thief.post("/v1/receipts", json={"items": [claim]}, headers=headers))
            answers = await asyncio.gather(*calls)
        assert app is not None
        oks = [a.json()["items"][0].get("ok", False) for a in answers]
        assert oks == [False, *[True] * 9]


async def test_bad_receipts_are_refused_by_field(database: str) -> None:
    async with world(database) as w:
        device = await w.phone(await w.person("A1"))
        async with w.client(f"phone-{device}") as phone:
            for body, path in (
                ({"items": []}, "items"),
                ({"items": [{**item(uuid.uuid4()), "kind": "read"}]}, "items[0].kind"),
                ({"items": [{**item(uuid.uuid4()), "at": "1800-01-01T00:00:00Z"}]}, "items[0].at"),
            ):
                answer = await phone.post("/v1/receipts", json=body)
                assert answer.status_code == 422
                assert answer.json()["errors"][0]["path"] == path
