"""A roll call is open: phones answer it, repeat themselves and come back; consoles watch.

`loadtests.load` starts it with LOAD_STAGE, a file that says where the stage is, and checks what
was acknowledged afterwards. Locust replaces the sockets of this process by gevent's.
"""

import itertools
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from locust import FastHttpUser, between, constant, events, task
from locust.env import Environment
from locust.runners import STATE_CLEANUP

from clients.simulator import behaviour

Cell = tuple[str, ...]  # area, agency, category, status


class Stage(msgspec.Struct):
    """Where to play, and as whom. `tokens[n]` is the phone of the person with ref `P<n + 1>`."""

    alert_id: str
    desk: str
    tokens: list[str]
    consoles: int
    acknowledged: str


class Acknowledged(msgspec.Struct):
    """What a phone was told is on record."""

    id: str
    person: str
    status: str
    event_at: str


STAGE = msgspec.json.decode(Path(os.environ["LOAD_STAGE"]).read_bytes(), type=Stage)
BOARD = f"/v1/alerts/{STAGE.alert_id}/headcount"
NUMBERS = itertools.count()
TOLD: list[Acknowledged] = []
REPEATED = 0.2  # of the answers get lost on their way back to the phone
COMPARED: list[int] = []  # the numbers at which consoles compared their boards


@events.quitting.add_listener
def _keep(environment: Environment, **_: Any) -> None:
    """Leaves what was acknowledged; a console that could not compare its board is a failure."""
    Path(STAGE.acknowledged).write_bytes(msgspec.json.encode(TOLD))
    if len(COMPARED) < STAGE.consoles:
        print(f"{len(COMPARED)} of {STAGE.consoles} consoles came to compare their boards")
        environment.process_exit_code = 1


class Phone(FastHttpUser):
    """One person's phone, with a clock of its own that may be wrong by an hour."""

    wait_time = between(0.2, 1.8)

    def on_start(self) -> None:
        number = next(NUMBERS) % len(STAGE.tokens)
        self.rng = random.Random(number)
        self.skew = timedelta(seconds=behaviour.skew(self.rng))
        self.headers = {"Authorization": f"Bearer {STAGE.tokens[number]}"}
        self.newest: Acknowledged | None = None
        self.look()

    @task(2)
    def look(self) -> None:
        """The app comes to the front. It must show the newest answer this phone gave."""
        with self.client.get(
            "/v1/self", headers=self.headers, catch_response=True, name="GET /v1/self"
        ) as answer:
            if answer.status_code != 200:
                return
            [alert] = [a for a in answer.json()["alerts"] if a["id"] == STAGE.alert_id]
            shown = alert["answer"] and (alert["answer"]["status"], alert["answer"]["event_at"])
            told = self._answer_since(alert["opened_at"])
            if shown != told:
                answer.failure(f"the phone said {told}, and is shown {shown}")

    @task(6)
    def answer(self) -> None:
        """One report. Now and then its answer is lost, and the phone says the same again."""
        report = self._report(0)
        first = self._post(report, 201)
        if first is not None and self.rng.random() < REPEATED:
            again = self._post(report, 200, "POST /v1/checkins, repeated")
            if again is not None and again != first:
                raise AssertionError(f"a repeat was answered with {again}, not with {first}")

    @task(1)
    def come_back(self) -> None:
        """Reports that waited in the phone while there was no network, with their true times."""
        waiting = [self._report(self.rng.uniform(60, 600)) for _ in range(3)]
        items = self._post({"items": waiting}, 201, "POST /v1/checkins, three late")
        for item in items["items"] if items else ():
            self._take(item)

    def _answer_since(self, opened_at: str) -> tuple[str, str] | None:
        """Status and time of the newest report, unless it tells of a time before the roll call."""
        if self.newest is None or _moment(self.newest.event_at) < _moment(opened_at):
            return None
        return self.newest.status, self.newest.event_at

    def _report(self, ago_s: float) -> dict[str, Any]:
        at = datetime.now(UTC) + self.skew - timedelta(seconds=ago_s)
        status = behaviour.status_of(self.rng)
        return {"id": str(uuid4()), "status": status, "at": at.isoformat()}

    def _post(
        self, body: dict[str, Any], expected: int, name: str = "POST /v1/checkins"
    ) -> Any | None:
        """The answer; None where there was none as expected, which is on Locust's list then."""
        sent_at = (datetime.now(UTC) + self.skew).isoformat()
        reports = [{**item, "sent_at": sent_at} for item in body.get("items", [body])]
        sent = {"items": reports} if "items" in body else reports[0]
        with self.client.post(
            "/v1/checkins", json=sent, headers=self.headers, catch_response=True, name=name
        ) as answer:
            if answer.status_code != expected:
                answer.failure(f"{answer.status_code}, not {expected}: {answer.text}")
                return None
            said = answer.json()
        if "items" not in said:
            self._take(said)
        return said

    def _take(self, item: dict[str, Any]) -> None:
        """Notes what was acknowledged; of this phone's reports the latest event stands."""
        if "error" in item:
            raise AssertionError(f"refused in a batch: {item}")
        told = msgspec.convert(item, Acknowledged)
        TOLD.append(told)
        if self.newest is None or _moment(told.event_at) > _moment(self.newest.event_at):
            self.newest = told


class Console(FastHttpUser):
    """A board that is watched: a snapshot, then every message, numbered without a gap."""

    fixed_count = STAGE.consoles
    wait_time = constant(1)

    @task
    def watch(self) -> None:
        """Follows until the phones have gone; then the board must be the board as fetched."""
        self.headers = {"Authorization": f"Bearer {STAGE.desk}"}
        board = self.client.get(BOARD, headers=self.headers, name="GET headcount").json()
        last, cells = board["seq"], _cells(board)
        stream = self._open(last)
        while True:
            message = _fields(stream.readline(b"\n\n").decode())
            if "data" in message:
                last, changed = _read(message, last)
                cells |= changed
            elif self._is_over(message, last) and self._is_compared(last, cells):
                return

    def _open(self, after: int) -> Any:
        path = f"/v1/stream?after={after}"
        answer = self.client.get(path, headers=self.headers, stream=True, name="GET /v1/stream")
        return answer.stream

    def _is_over(self, message: dict[str, str], last: int) -> bool:
        """Whether the phones are going and a sign of life says that nothing is newer."""
        ending = self.environment.runner.state == STATE_CLEANUP
        return ending and message.get("", "").startswith(f"head {last} ")

    def _is_compared(self, last: int, cells: dict[Cell, int]) -> bool:
        """False while the board as fetched is newer than what was followed."""
        with self.client.get(
            BOARD, headers=self.headers, catch_response=True, name="GET headcount, compared"
        ) as answer:
            board = answer.json()
            if board["seq"] != last:
                return False
            COMPARED.append(last)
            fetched = _cells(board)
            differing = [k for k in cells | fetched if cells.get(k, 0) != fetched.get(k, 0)]
            if differing:
                answer.failure(f"{len(differing)} cells differ from the board fetched at {last}")
        return True


def _read(message: dict[str, str], last: int) -> tuple[int, dict[Cell, int]]:
    """The number a message stands for, and the cells it tells of. It must follow on `last`."""
    data = msgspec.json.decode(message["data"])
    if data["from"] != last + 1 or message["event"] == "resync":
        raise AssertionError(f"after {last} came {message}")
    return int(message["id"]), _cells(data) if message["event"] == "headcount" else {}


def _cells(board: dict[str, Any]) -> dict[Cell, int]:
    keys = ("area", "agency", "category", "status")
    return {tuple(cell[k] for k in keys): cell["count"] for cell in board["cells"]}


def _fields(block: str) -> dict[str, str]:
    """The fields of one message; a comment's name is empty."""
    parts = [line.partition(":") for line in block.strip().splitlines()]
    return {name: value.strip() for name, _, value in parts}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
