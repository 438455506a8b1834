"""What goes wrong, how often and for whom: the scripted faults of a stand-in."""

import hashlib
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Literal

import msgspec

Fault = Literal[
    "invalid_token",
    "unregistered",
    "no_project",
    "sender_mismatch",
    "no_permission",
    "third_party_auth",
    "token_expired",
    "apns_unregistered",
    "quota",
    "quota_project",
    "internal",
    "unavailable",
    "bad_gateway",
    "not_found_page",
    "garbage",
    "empty",
    "hang",
    "reset",
    "lost_hang",
    "lost_reset",
]
"""`hang` never answers, `reset` breaks off halfway through the answer, and in both the
message was not taken. `lost_hang` and `lost_reset` look the same to the caller, but the
message was accepted and reaches the phone: the outcome the caller cannot know."""

_NORMAL = NormalDist()


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lognormal delay in milliseconds; `sigma` 0 makes it constant."""

    median_ms: float = 0.0
    sigma: float = 0.0
    max_ms: float = 30_000.0

    def seconds(self, chance: float) -> float:
        """The delay at quantile `chance` (0..1), in seconds."""
        if self.median_ms <= 0:
            return 0.0
        if self.sigma <= 0:
            return self.median_ms / 1000
        z = _NORMAL.inv_cdf(min(max(chance, 1e-9), 1 - 1e-9))
        return min(self.median_ms * math.exp(self.sigma * z), self.max_ms) / 1000


class TokenFault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault of one token: for ever, or for its next `times` requests."""

    fault: Fault
    times: int | None = None


class Script(msgspec.Struct, forbid_unknown_fields=True):
    """What the stand-in does wrong; change its fields at any time.

    rates: share of requests, by fault; together at most 1.
    tokens: faults of single tokens; they come before the rates.
    outage: every request meets this fault; `refuse` breaks every connection.
    latency: until the answer. delivery: from acceptance until the phone has it.
    lose, duplicate: share of accepted messages never delivered, or delivered twice.
    any_token: unknown tokens are accepted (load tests without phones).
    quota_per_s: sends per second and project before 429; None: no limit.
    retry_after_s: sent with 429 and 503; None: no such header.
    access_token_s: lifetime of an access token.
    """

    seed: int = 0
    rates: dict[Fault, float] = {}
    tokens: dict[str, TokenFault] = {}
    outage: Fault | Literal["refuse"] | None = None
    latency: Latency = Latency()
    delivery: Latency = Latency()
    lose: float = 0.0
    duplicate: float = 0.0
    any_token: bool = False
    quota_per_s: float | None = None
    retry_after_s: int | None = 1
    access_token_s: int = 3599

    def __post_init__(self) -> None:
        if sum(self.rates.values()) > 1 + 1e-9 or min(self.rates.values(), default=0) < 0:
            raise ValueError("the rates of a script lie between 0 and 1, together too")

    def patched(self, changes: Mapping[str, object]) -> "Script":
        """A copy with `changes` (JSON shapes); raises msgspec.ValidationError."""
        return msgspec.convert({**msgspec.to_builtins(self), **changes}, Script)

    def fault(self, token: str, chance: float) -> Fault | None:
        """The fault that request meets; uses up one of the token's own faults."""
        own = self.tokens.get(token)
        if own is not None:
            if own.times is None:
                return own.fault
            if own.times > 0:
                own.times -= 1
                return own.fault
        return self._by_rate(chance)

    def _by_rate(self, chance: float) -> Fault | None:
        for name, rate in self.rates.items():
            chance -= rate
            if chance < 0:
                return name
        return None

    @property
    def plain(self) -> bool:
        """True while no draw can change anything; the hot path then skips it."""
        return not (
            self.rates or self.latency.sigma or self.delivery.sigma or self.lose or self.duplicate
        )


def draw(seed: int, token: str, nth: int) -> tuple[float, float, float, float]:
    """Four numbers in 0..1 for the `nth` request of `token`.

    Drawn from the request itself and not from a running generator, so the same script
    does the same however concurrent requests interleave.
    """
    digest = hashlib.blake2b(f"{seed}:{token}:{nth}".encode(), digest_size=16).digest()
    parts = (int.from_bytes(digest[i : i + 4]) / 2**32 for i in (0, 4, 8, 12))
    first, second, third, fourth = parts
    return first, second, third, fourth
