"""A missed watch from the call that began it to the phone: a real worker, a provider's stand-in."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from clients.simulator.fcm import FcmServer
from clients.simulator.hub import Push
from clients.simulator.script import Script
from server.checkin.watches import words
from tests.checkin.watching import watching
from tests.support.live import LiveServer, started

TOKEN = "SELECT address FROM push_address"


async def test_a_missed_watch_reaches_the_phone_and_says_nothing(
    database: str, tmp_path: Path
) -> None:
    async with watching(database) as w, FcmServer(Script(any_token=True)) as fcm:
        fcm.service_account("muster-sim", tmp_path / "fcm.json")
        phone, got = await w.phone(0), asyncio.Queue[Push]()
        fcm.on_push("muster-sim", [await w.value(TOKEN)], got.put_nowait)
        worker = LiveServer(
            database,
            role="worker",
            MUSTER_FCM_CREDENTIALS=str(tmp_path / "fcm.json"),
            MUSTER_FCM_URL=fcm.fcm_url,
        )
        await started(worker)
        try:
            made = await w.begin(phone, -3600, note="by the river", grace_s=0)
            async with asyncio.timeout(60):
                push = await got.get()
        finally:
            await asyncio.to_thread(worker.terminate)
        assert push.data["kind"] == "watch"
        sent = f"{push.data} {push.notification}"
        assert words.MISSED["en"] in sent
        assert "river" not in sent
        assert "Person" not in sent
        [row] = await w.sql("SELECT watch_id, delivery_id FROM delivery WHERE purpose = 'watch'")
        assert (str(row["watch_id"]), str(row["delivery_id"])) == (
            made["id"], push.data["delivery_id"],
        )  # fmt: skip
        now = datetime.now(UTC).isoformat()
        seen = {"items": [{"delivery_id": push.data["delivery_id"], "kind": "seen", "at": now}]}
        receipt = await phone.call("POST", "/v1/receipts", seen)
        assert receipt.status_code in (200, 201), receipt.text
        assert await w.value("SELECT seen_at IS NOT NULL FROM delivery WHERE purpose = 'watch'")
