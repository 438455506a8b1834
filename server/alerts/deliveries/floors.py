"""From which due time on a claim must look: what is below has been dealt with.

Done rows leave entries in the index that stay for as long as anybody reads an older state of
the database. A claim that began at the start of the index would read them all again each time.
Each worker therefore remembers, for each open alert, the lowest due time that may still be live.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime

import msgspec

NO_ALERT = ""  # the name under which deliveries of no alert are kept
_MOST_MARKS = 600


class Low(msgspec.Struct, frozen=True):
    """A row of delivery_lows(): the lowest live due time of an alert, None where there is none.

    `alert` is its floor_name(): of its operation and its id, which alone may be two alerts'.
    """

    alert: str
    low: datetime | None


class Seen(msgspec.Struct, frozen=True):
    """When a look began, the oldest writer then under way, a number no later writer is below."""

    began: datetime
    oldest: int
    next: int


class Floors:
    """The floors of one channel in one worker. Pure: it is told what a look has seen."""

    def __init__(self) -> None:
        self._marks: deque[Seen] = deque(maxlen=_MOST_MARKS)
        self._horizon: datetime | None = None
        self._at: dict[str, datetime] = {}

    def learn(self, seen: Seen, lows: Iterable[Low]) -> None:
        """Takes in a look from the floors on.

        A floor rises no further than the lowest live row that was seen, and than the beginning
        of the newest look whose later writers alone can still be under way: those write due
        times after it. An alert that is no longer open is forgotten.
        """
        self._marks.append(seen)
        while self._marks and self._marks[0].next <= seen.oldest:
            self._horizon = self._marks.popleft().began
        found = {low.alert: low.low for low in lows}
        self._at = {name: at for name, at in self._at.items() if name in found}
        if self._horizon is None:
            return
        for name, low in found.items():
            floor = self._horizon if low is None else min(low, self._horizon)
            self._at[name] = max(floor, self._at.get(name, floor))

    def mend(self, lows: Iterable[Low]) -> None:
        """Takes in a look from the very beginning: lowers what turned out to be too high."""
        for low in lows:
            if low.low is not None and low.alert in self._at:
                self._at[low.alert] = min(self._at[low.alert], low.low)

    def argument(self) -> str:
        """As claim_deliveries() takes them."""
        return msgspec.json.encode({name: at.isoformat() for name, at in self._at.items()}).decode()
