"""A roll call of 100,000: opened by a worker, then answered by everyone, one request each."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import httpx

from loadtests.blaster import blast, post
from loadtests.harness import Bench, Figure, Stage
from server.alerts import jobs as alert_jobs
from server.jobs import Runner

PEOPLE = 100_000
CONNECTIONS = 256
LONGEST_S = 120.0


async def measure(bench: Bench) -> list[Figure]:
    """rollcall_100k_seconds: from the request to open until everyone is accounted for."""
    async with Stage(bench, people=PEOPLE) as stage:
        desk = await stage.operator()
        alert_id = str(uuid4())
        url = f"http://127.0.0.1:{stage.port}/v1/alerts"
        headers = {"authorization": f"Bearer {desk}"}
        body = {
            "id": alert_id, "kind": "rollcall", "audience": {"all": True}, "title": "Bench",
            "body": "Bench", "exercise": False,
        }  # fmt: skip
        async with httpx.AsyncClient(headers=headers, timeout=60) as client:
            started = time.perf_counter()
            (await client.post(url, json=body)).raise_for_status()
            runner = Runner(stage.database, alert_jobs.handlers(stage.database))
            while not await runner.turn():
                pass
            opened = time.perf_counter() - started
            tokens = iter(stage.tokens)
            now = datetime.now(UTC).isoformat()

            def answer() -> bytes | None:
                token = next(tokens, None)
                if token is None:
                    return None
                said = f'{{"id":"{uuid4()}","status":"safe","at":"{now}"}}'
                return post("/v1/checkins", token, said.encode())

            tally = await blast(stage.port, answer, connections=CONNECTIONS, seconds=LONGEST_S)
            seconds = time.perf_counter() - started
            board = (await client.get(f"{url}/{alert_id}/headcount")).json()
    if board["counts"]["safe"] != PEOPLE or tally.good != PEOPLE:
        raise AssertionError(f"{board['counts']} after {dict(tally.statuses)}")
    return [
        Figure("rollcall_100k_seconds", seconds, "s"),
        Figure("rollcall_100k_open_seconds", opened, "s"),
    ]
