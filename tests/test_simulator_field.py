"""What goes on beside the demo's roll call, against a real server."""

import asyncio

from clients.simulator.api import Api
from clients.simulator.field import Field
from clients.simulator.phone import Phone
from tests.alerts.world import world
from tests.promises.places import serving

OPEN = "SELECT panic_id FROM panic WHERE state = 'open'"
END = """UPDATE panic SET state = 'cancelled', ended_at = now(), realert_at = NULL"""


async def test_a_panic_is_walked_with_to_its_end_and_a_journey_is_over_in_time(
    database: str,
) -> None:
    async with world(database) as w, serving(database) as server, Api(server.url, 8) as api:
        devices = [await w.phone(await w.person(f"P{n}")) for n in range(3)]
        phones = [Phone(api, token=f"phone-{key}", seed=str(key)) for key in devices]
        for phone in phones:
            await phone.fetch_self()
        field = Field(api, "boss", phones, time_scale=0.02)
        living = asyncio.create_task(field.run())
        async with asyncio.timeout(60):
            while field.counts["fixes"] < 3 and not living.done():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert await w.value(OPEN) is not None
            await w.sql(END)
            await living
        assert await w.value("SELECT count(*) FROM panic_position") >= 3
        assert await w.value("SELECT count(*) FROM watch WHERE kind = 'radio_check'") == 5
        ended = "SELECT count(*) FROM watch WHERE kind = 'journey' AND state = 'done'"
        assert await w.value(ended) == field.counts["arrived"] == 1
