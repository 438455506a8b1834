"""The keys that codes are signed and verified with: one pair an operation, made when needed."""

from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server.db import named_sql
from server.relocation.codes.rules import PrivateKey, PublicKey
from server.vault import Vault

SQL = named_sql(__file__)
CURVE = ec.SECP256R1()


async def signing(con: Any, vault: Vault, operation_id: int) -> tuple[int, PrivateKey]:
    """The newest key and its id; the operation's first is made here."""
    rows = await con.fetch(SQL.keys)
    if not rows:
        fresh = ec.generate_private_key(CURVE)
        secret = fresh.private_numbers().private_value.to_bytes(32, "big")
        sealed = vault.seal(secret, _context(operation_id, 1))
        await con.execute(SQL.add_key, raw(fresh.public_key()), sealed)
        rows = await con.fetch(SQL.keys)
    key_id, _, sealed = rows[-1]
    secret = vault.unseal(sealed, _context(operation_id, key_id))
    return key_id, ec.derive_private_key(int.from_bytes(secret, "big"), CURVE)


async def public(con: Any) -> dict[int, bytes]:
    """All public keys, as they are handed out."""
    return {r["key_id"]: r["public"] for r in await con.fetch(SQL.keys)}


def loaded(keys: dict[int, bytes]) -> dict[int, PublicKey]:
    """Public keys to verify with."""
    return {n: ec.EllipticCurvePublicKey.from_encoded_point(CURVE, k) for n, k in keys.items()}


def raw(key: PublicKey) -> bytes:
    """The uncompressed point."""
    form = serialization.PublicFormat.UncompressedPoint
    return key.public_bytes(serialization.Encoding.X962, form)


def _context(operation_id: int, key_id: int) -> str:
    return f"code key {operation_id} {key_id}"
