"""A limit on wrong secrets, for each client address and within this process.

Only failures cost: a whole compound behind one address enrols without noticing. Nothing but
the door that was tried is ever closed by it.
"""

import ipaddress
import math
import time
from collections.abc import Callable

from server.errors import TooMany

BURST = 60  # wrong tries at once
REFILL_S = 2.0  # seconds after which one more is granted
MOST_ADDRESSES = 50_000


class Attempts:
    """A bucket of wrong tries an address; IPv6 callers count by their /64."""

    def __init__(
        self,
        burst: int = BURST,
        refill_s: float = REFILL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._refill_s = refill_s
        self._clock = clock
        self._debts: dict[str, tuple[float, float]] = {}  # address -> (tries owed, since when)

    def check(self, address: str) -> None:
        """Raises TooMany, with the seconds to wait, where too many tries have failed."""
        over = self._debt(_bucket(address)) - (self._burst - 1)
        if over > 0:
            wait = math.ceil(over * self._refill_s)
            raise TooMany(f"Too many wrong codes. Try again in {wait} s.", retry_after=wait)

    def failed(self, address: str) -> None:
        """Counts one wrong try."""
        if len(self._debts) >= MOST_ADDRESSES:
            self._forget_settled()
        key = _bucket(address)
        self._debts[key] = (self._debt(key) + 1, self._clock())

    def _debt(self, key: str) -> float:
        owed, since = self._debts.get(key, (0.0, 0.0))
        return max(0.0, owed - (self._clock() - since) / self._refill_s)

    def _forget_settled(self) -> None:
        self._debts = {key: debt for key, debt in self._debts.items() if self._debt(key) > 0}
        if len(self._debts) >= MOST_ADDRESSES:
            self._debts.clear()  # a flood from everywhere: memory stays bounded


def _bucket(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return address
