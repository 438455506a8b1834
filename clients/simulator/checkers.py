"""A checker's phone: it holds its list, verifies codes without a network, and uploads later.

It knows what docs/manifests.md tells every maker of such a phone, and nothing of the server's code.
"""

import base64
from collections import Counter
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .phone import Phone

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
DOMAIN = b"muster person code\x00"
LENGTH = 76
PART = 25  # reports an upload


class Checker:
    """One checker. `counts`: scanned (codes that were good), by_name, uploaded, again, refused."""

    def __init__(self, phone: Phone, movement: str) -> None:
        self.phone = phone
        self.counts: Counter[str] = Counter()
        self._path = f"/v1/movements/{movement}/bundle"
        self._keys: dict[int, ec.EllipticCurvePublicKey] = {}
        self._people: dict[str, tuple[str, int | None]] = {}
        self._waiting: list[tuple[dict[str, Any], bool]] = []

    async def fetch(self) -> None:
        """Takes the list along. From here on she needs no network."""
        bundle = await self.phone.get(self._path)
        for key in bundle["keys"]:
            point = base64.urlsafe_b64decode(key["public"] + "==")
            self._keys[key["id"]] = ec.EllipticCurvePublicKey.from_encoded_point(
                ec.SECP256R1(), point
            )
        self._people = {
            p["handle"]: (p["ref"], p["counter"]) for p in bundle["people"] if p["handle"]
        }

    def whose(self, code: str) -> str | None:
        """Whom a code stands for, if it is genuine, on the list and not revoked."""
        raw = unbase45(code.removeprefix("M:"))
        if len(raw) != LENGTH or raw[0] != 1 or raw[1] not in self._keys:
            return None
        r, s = int.from_bytes(raw[12:44]), int.from_bytes(raw[44:])
        try:
            signed = encode_dss_signature(r, s), DOMAIN + raw[:12]
            self._keys[raw[1]].verify(*signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return None
        handle = base64.urlsafe_b64encode(raw[2:10]).decode().rstrip("=")
        ref, counter = self._people.get(handle, (None, None))
        return ref if counter == int.from_bytes(raw[10:12]) else None

    def see(self, report: dict[str, Any], code: str | None, *, held: bool = False) -> None:
        """Keeps what she saw: with the code if it is good, by name if it is not or there is none.
        `held`: it goes out with the last upload only."""
        good = code is not None and self.whose(code) == report["for"]
        self.counts["scanned" if good else "by_name"] += 1
        self._waiting.append(({**report, "code": code} if good else report, held))

    async def upload(self, *, last: bool = False) -> None:
        """Sends what waits, out of order; and a part of it twice, as after an answer that was
        lost."""
        now = [report for report, held in self._waiting if last or not held]
        self._waiting = [] if last else [(report, held) for report, held in self._waiting if held]
        self.phone.rng.shuffle(now)
        for start in range(0, len(now), PART):
            part = now[start : start + PART]
            results = await self.phone.stages(part)
            self.counts["refused"] += sum(1 for r in results if "error" in r)
            self.counts["uploaded"] += len(part)
            if start == 0:
                self.counts["again"] += len(await self.phone.stages(part))


def unbase45(text: str) -> bytes:
    """The bytes of RFC 9285; nothing where it is none."""
    raw = b""
    for first, second, third in zip(text[::3], text[1::3], text[2::3], strict=False):
        try:
            value = DIGITS.index(first) + 45 * DIGITS.index(second) + 2025 * DIGITS.index(third)
            raw += value.to_bytes(2)
        except (ValueError, OverflowError):
            return b""
    return raw
