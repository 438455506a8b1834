"""The duty desk's own channels, by apprise: chat rooms, pagers, whatever its staff looks at.

apprise blocks, so it runs in threads of its own, and nobody waits for one longer than a while.
Its addresses hold secrets and its log names them: nothing of either is written anywhere.
"""

import asyncio
import logging
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import apprise
from apprise.utils.parse import parse_urls

from server.alerts.channels import (
    Outcome,
    Push,
    accepted,
    held,
    permanent,
    transient,
    unknown,
)
from server.alerts.channels.pacing import Circuit, Guarded
from server.alerts.channels.wording import desk

REQUEST_S = 12.0  # apprise itself waits 4 s for a connection and 4 s for an answer
THREADS = 4
FAILURES = 5

for _name in ("apprise", "urllib3.connectionpool"):
    logging.getLogger(_name).disabled = True


class DutyChannel(Guarded):
    """Tells every address of the settings. Taken by one of them is taken."""

    name = "duty"

    def __init__(self, urls: str) -> None:
        """`urls`: apprise addresses with commas. Raises ValueError for one that it cannot use."""
        self._ways: list[apprise.Apprise] = []
        for n, url in enumerate(_listed(urls), 1):
            way = apprise.Apprise()
            with warnings.catch_warnings():  # it loads all its plugins, whatever they stand on
                warnings.simplefilter("ignore", DeprecationWarning)
                known = way.add(url)
            if not known:
                raise ValueError(f"address {n} of MUSTER_DUTY_URLS is none that apprise knows")
            self._ways.append(way)
        if not self._ways:
            raise ValueError("MUSTER_DUTY_URLS holds no address that apprise knows")
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="duty")
        super().__init__(Circuit(time.monotonic, FAILURES))

    async def close(self) -> None:
        """Takes no more; what a thread is at ends by its own deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, push: Push) -> Outcome:
        """One try at each address."""
        if push.expires_at is not None and push.expires_at <= datetime.now(UTC):
            return held("its time is over", 60.0)
        about = None if push.alert_id is None else str(push.alert_id)
        title, body = desk(about, push.line, push.exercise)
        took = await asyncio.gather(*(self._tell(way, title, body) for way in self._ways))
        outcome = judged(took)
        if outcome.kind in ("accepted", "permanent"):
            self._circuit.succeeded()
        else:
            self._circuit.failed()
        return outcome

    async def _tell(self, way: apprise.Apprise, title: str, body: str) -> bool | None:
        """Whether an address took it; None where nobody can say."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(REQUEST_S):
                done = await loop.run_in_executor(
                    self._threads, lambda: way.notify(body=body, title=title)
                )
        except TimeoutError:
            return None
        except Exception:  # a plugin's own; its text may hold the address
            return None
        return bool(done)


def _listed(urls: str) -> list[str]:
    """The addresses, as apprise itself takes lists of them apart."""
    found: list[str] = parse_urls(urls)  # type: ignore[no-untyped-call]
    return found


def judged(took: list[bool | None]) -> Outcome:
    """What the answers of all addresses mean together."""
    count = len(took)
    if not count:
        return permanent("no duty channel is configured")
    if any(took):
        outcome = accepted(f"{took.count(True)} of {count}")
        if took.count(True) == count:
            return outcome
        missed = f"{count - took.count(True)} of {count} duty channels did not take it"
        return Outcome("accepted", provider_id=outcome.provider_id, reason=missed)
    if None in took:
        return unknown("no answer from the duty desk's channels")
    return transient("the duty desk's channels did not take it")
