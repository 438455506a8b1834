"""A person's signed code: what it says, how it is written, whether it is genuine. Pure.

Twelve bytes - version, key id, handle (8), counter (2) - and a signature of ECDSA P-256 with
SHA-256, r and s of 32 bytes each, as WebCrypto takes it: 76 bytes. In base45 with `M:` before it,
116 characters of a QR code's alphanumeric mode: version 5 at error correction M, 37 modules wide.
A finder learns nothing: the handle is random and stands in no other record.
"""

from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

PREFIX = "M:"
VERSION = 1
LENGTH = 116
_DOMAIN = b"muster person code\x00"  # a signature of anything else of this key is no code
_PAYLOAD, _HALF = 12, 32
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = {letter: n for n, letter in enumerate(_ALPHABET)}
_HASH = ec.ECDSA(hashes.SHA256())
PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey


class Named(msgspec.Struct, frozen=True):
    """Whom a code stands for: a handle, and which of her codes it is."""

    key_id: int
    handle: bytes
    counter: int


def write(key: PrivateKey, named: Named) -> str:
    """The code as it is printed."""
    payload = bytes([VERSION, named.key_id]) + named.handle + named.counter.to_bytes(2, "big")
    r, s = decode_dss_signature(key.sign(_DOMAIN + payload, _HASH))
    return PREFIX + base45(payload + r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big"))


def read(code: str, keys: Mapping[int, PublicKey]) -> Named | None:
    """What a code says, if one of these keys signed it; None for anything else."""
    raw = _raw(code)
    if raw is None or raw[0] != VERSION or raw[1] not in keys:
        return None
    payload, signature = raw[:_PAYLOAD], raw[_PAYLOAD:]
    r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    try:
        keys[raw[1]].verify(encode_dss_signature(r, s), _DOMAIN + payload, _HASH)
    except InvalidSignature:
        return None
    return Named(payload[1], payload[2:10], int.from_bytes(payload[10:], "big"))


def _raw(code: str) -> bytes | None:
    """The bytes of a code that has the right form."""
    if len(code) != LENGTH or not code.startswith(PREFIX):
        return None
    return unbase45(code.removeprefix(PREFIX))


def base45(raw: bytes) -> str:
    """An even number of bytes as text (RFC 9285)."""
    text = ""
    for n in range(0, len(raw), 2):
        value = int.from_bytes(raw[n : n + 2], "big")
        text += _ALPHABET[value % 45] + _ALPHABET[value // 45 % 45] + _ALPHABET[value // 2025]
    return text


def unbase45(text: str) -> bytes | None:
    """The bytes of a text of whole groups of three; None for one that is none."""
    raw = b""
    for n in range(0, len(text), 3):
        digits = [_VALUES.get(letter) for letter in text[n : n + 3]]
        if len(digits) < 3 or None in digits:
            return None
        a, b, c = digits
        value = a + 45 * b + 2025 * c  # type: ignore[operator]
        if value > 0xFFFF:
            return None
        raw += value.to_bytes(2, "big")
    return raw
