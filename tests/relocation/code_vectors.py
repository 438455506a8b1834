"""Codes of a fixed key, for whoever verifies them in another language.

`python -m tests.relocation.code_vectors` writes clients/phone/test/codes.json anew. The key is no
operation's: its private half is the number in KEY. A signature has a part that is random, so what
is held against the server are the bytes before it, and what the server reads of each.
"""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from server.relocation.codes import keys, rules
from server.relocation.codes.rules import Named

FILE = Path(__file__).parents[2] / "clients" / "phone" / "test" / "codes.json"
KEY = ec.derive_private_key(0x4D757374657220636F6465, ec.SECP256R1())
OTHER = ec.derive_private_key(0x736F6D656F6E6520656C7365, ec.SECP256R1())
KEYS = {1: KEY.public_key(), 7: OTHER.public_key()}
HANDLES = [b"somebody", bytes(8), b"\xff" * 8, bytes(range(248, 256)), b"\x00\xfb\xff\x00abc\x00"]
COUNTERS = [1, 2, 255, 256, 65535]


def b64(raw: bytes) -> str:
    """As handles and keys stand in a checker's list."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def good() -> list[tuple[int, bytes, int, str]]:
    """Key, handle, counter, and the code the server writes of them."""
    said = [(1, h, c) for h in HANDLES for c in COUNTERS[:2]]
    said += [(7, HANDLES[0], c) for c in COUNTERS]
    return [(n, h, c, rules.write(KEY if n == 1 else OTHER, Named(n, h, c))) for n, h, c in said]


def changed(code: str, place: int) -> str:
    """The code with another letter there."""
    return code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]


def signed(key: ec.EllipticCurvePrivateKey, payload: bytes, text: bytes) -> str:
    """A code of this payload with a signature over another text."""
    r, s = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
    return "M:" + rules.base45(payload + r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def forged() -> dict[str, str]:
    """Texts that no server takes for a code, by what is wrong with each."""
    code = rules.write(KEY, Named(1, b"somebody", 7))
    payload = bytes([1, 1]) + b"somebody" + (7).to_bytes(2, "big")
    domain = b"muster person code\x00"
    second = bytes([2]) + payload[1:]
    return {
        "another handle": changed(code, 8),
        "another counter": changed(code, 19),
        "another r": changed(code, 40),
        "another s": changed(code, 115),
        "signed by a key that is another's": rules.write(OTHER, Named(1, b"somebody", 7)),
        "signed without the domain": signed(KEY, payload, payload),
        "signed for another purpose": signed(KEY, payload, b"muster something\x00" + payload),
        "another version": signed(KEY, second, domain + second),
        "no signature": "M:" + rules.base45(payload + bytes(64)),
        "cut off": code[:-3],
        "longer": code + "000",
        "small letters": code.lower(),
        "another prefix": "X:" + code[2:],
        "no base45": code[:50] + "_" + code[51:],
        "a group over 16 bits": code[:50] + ":::" + code[53:],
        "a list": "MUSTER-LIST:3e9f:4:ab12",
        "an address": "https://example.org/",
        "nothing": "",
    }


def unknown() -> str:
    """A good code of a key that no list has."""
    return rules.write(KEY, Named(9, b"somebody", 7))


def made() -> dict[str, Any]:
    """What the file holds."""
    return {
        "keys": [{"id": n, "public": b64(keys.raw(k))} for n, k in KEYS.items()],
        "good": [
            {"key": n, "handle": b64(h), "counter": c, "code": code} for n, h, c, code in good()
        ],
        "forged": [{"why": why, "code": code} for why, code in forged().items()],
        "unknown_key": {"handle": b64(b"somebody"), "counter": 7, "code": unknown()},
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=2) + "\n")
