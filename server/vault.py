"""Secrets that must be read back (device SMS keys): AES-GCM under one key of the server.

The key is MUSTER_SECRET_KEY, or made once as `secret.key` (mode 0600) in the data directory.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.config import Settings

_NONCE = 12


class Vault:
    """Encrypts and decrypts short secrets, each bound to the context it belongs to."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"muster vault" + key).digest())

    def seal(self, secret: bytes, context: str) -> bytes:
        """Nonce and ciphertext of `secret`."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The secret again. Raises cryptography.exceptions.InvalidTag if anything differs."""
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())


def open_vault(settings: Settings) -> Vault:
    """The vault of this server; makes its key on the first start."""
    if settings.secret_key is not None:
        return Vault(settings.secret_key.get_secret_value().encode())
    return Vault(stored_secret(settings.data_dir / "secret.key", _new_key))


def _new_key() -> bytes:
    return os.urandom(32).hex().encode()


def stored_secret(file: Path, make: Callable[[], bytes]) -> bytes:
    """What a file (mode 0600) holds; made by `make` where there is none.

    Several processes may start at once: the first one's secret is everybody's, and nobody
    reads a file half written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(make())
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    return file.read_bytes()
