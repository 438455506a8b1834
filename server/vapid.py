"""Web Push identity (VAPID, RFC 8292) and the push services that may be spoken to.

The key is MUSTER_VAPID_PRIVATE_KEY, or made once as `vapid.key` (mode 0600) in the data folder.
Every subscription is bound to it: a new key silences every browser until it subscribes again.
"""

import base64
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from server.config import Settings
from server.errors import refuse_field
from server.vault import stored_secret

_SIZE = 32


class PushKey:
    """The server's key pair. `public` is what browsers subscribe with."""

    def __init__(self, private: bytes) -> None:
        """Raises ValueError for anything but the 32 bytes of a P-256 private key."""
        if len(private) != _SIZE:
            raise ValueError("a VAPID private key has 32 bytes")
        self.vapid = Vapid02.from_raw(_coded(private).encode())

    @property
    def public(self) -> str:
        """The uncompressed point, base64url without padding."""
        point = self.vapid.public_key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return _coded(point)


class PushHosts:
    """Which push services may be spoken to: a subscription comes from a phone, and the address
    in it must not lead this server into the network it stands in."""

    def __init__(self, listed: str) -> None:
        """`listed`: hosts with commas; `*.` stands for any one or more names before the rest."""
        self._hosts = [h.strip().lower() for h in listed.split(",") if h.strip()]

    def allows(self, endpoint: str) -> bool:
        """Whether an endpoint is https at a listed host, or at an origin listed in full."""
        try:
            where = urlsplit(endpoint)
            host, port = (where.hostname or "").lower(), where.port
        except ValueError:
            return False
        if where.username is not None or not host:
            return False
        origin = f"{where.scheme}://{where.netloc.lower()}"
        if origin in self._hosts:
            return True
        plain = where.scheme == "https" and port in (None, 443)
        return plain and any(_matches(host, listed) for listed in self._hosts)

    def require(self, endpoint: str, path: str) -> None:
        """Raises BadInput, naming the field, for a service that is not listed."""
        if not self.allows(endpoint):
            raise refuse_field(
                path,
                "This push service is not among those this server speaks to. "
                "Its administrator can add it to MUSTER_WEBPUSH_HOSTS.",
            )


def _matches(host: str, listed: str) -> bool:
    return host.endswith(listed[1:]) if listed.startswith("*.") else host == listed


def open_push_key(settings: Settings) -> PushKey:
    """The key of this server; made on the first start. Raises ValueError for a bad setting."""
    if settings.vapid_private_key is not None:
        return PushKey(_decoded(settings.vapid_private_key.get_secret_value()))
    return PushKey(_decoded(stored_secret(_key_file(settings), _new_key).decode()))


def contact(settings: Settings) -> str:
    """Whom a push service may write to about our traffic: a mailto: or https: address."""
    if settings.vapid_contact:
        return settings.vapid_contact
    if settings.public_url.startswith("https://"):
        return settings.public_url
    return "mailto:muster@example.org"


def _key_file(settings: Settings) -> Path:
    return settings.data_dir / "vapid.key"


def _new_key() -> bytes:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return _coded(number.to_bytes(_SIZE, "big")).encode()


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
