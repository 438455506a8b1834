"""Routes of satellite messengers as the settings name them; whether a request is their provider's.

MUSTER_SATELLITE_ROUTES is a JSON list of `SatelliteRoute`. Sources of both protocols:
Garmin, "Developer Guide for IPC Outbound" (developer.garmin.com/inReach/IPC_Outbound.pdf);
Ground Control, "Receiving MO messages via HTTP Webhook" (docs.groundcontrol.com/iot/rockblock).
"""

import base64
import binascii
import hmac
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Meta

from server.config import Settings
from server.gateways import Received, by_password, decoded, loose

Kind = Literal["inreach", "rockblock"]


class SatelliteRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One provider that brings messages. `secret`: the token it sends, or the password of user
    `muster`. `public_key` (rockblock): what its JWT is signed with. All that is set must fit.
    `operation` is the code of the one to which all that comes in by it belongs.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    kind: Kind
    secret: Annotated[str, Meta(pattern=r"^([\x21-\x7e]{8,200})?$")] = ""
    public_key: str = ""
    operation: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""

    def __repr__(self) -> str:
        return f"SatelliteRoute({self.name!r})"  # no secret in a log or a traceback


class Believed(msgspec.Struct, frozen=True):
    """What a genuine request says: JSON, or the fields of a form, or of a JWT; None: neither."""

    said: Any


def satellite_routes(settings: Settings) -> tuple[SatelliteRoute, ...]:
    """All routes, none if there are none. Raises ValueError, naming no secret."""
    if settings.satellite_routes is None:
        return ()
    given = settings.satellite_routes.get_secret_value()
    try:
        routes = msgspec.json.decode(given, type=tuple[SatelliteRoute, ...])
    except msgspec.MsgspecError as error:
        raise ValueError(f"MUSTER_SATELLITE_ROUTES cannot be read: {error}") from None
    names = [r.name for r in routes]
    if len(set(names)) < len(names):
        raise ValueError("MUSTER_SATELLITE_ROUTES: two routes have one name")
    for route in routes:
        _check(route)
    return routes


def _check(route: SatelliteRoute) -> None:
    if route.kind == "inreach" and not route.secret:
        raise ValueError(f"MUSTER_SATELLITE_ROUTES: {route.name} has no secret")
    if not route.secret and not route.public_key:
        raise ValueError(f"MUSTER_SATELLITE_ROUTES: {route.name} has no secret and no public_key")
    if route.public_key and (route.kind != "rockblock" or _key(route.public_key) is None):
        raise ValueError(f"MUSTER_SATELLITE_ROUTES: the public_key of {route.name} is of no use")


def believed(route: SatelliteRoute, request: Received) -> Believed | None:
    """What the route's provider says; None where somebody else may have sent it.

    inReach: the token in X-Outbound-Auth-Token. RockBLOCK: the secret as Basic or Bearer, and
    with a public key the fields that its JWT vouches for, whatever stands beside it.
    """
    if route.kind == "inreach":
        given = request.headers.get(b"x-outbound-auth-token", b"")
        if not route.secret or not hmac.compare_digest(given, route.secret.encode()):
            return None
        return Believed(_content(request))
    if route.secret and not by_password(request, route.secret):
        return None
    said = _content(request)
    if not route.public_key:
        return Believed(said) if route.secret else None
    token = _token(said)
    claims = None if token is None else claims_of(token, route.public_key)
    return None if claims is None else Believed(claims)


def _content(request: Received) -> Any:
    """The JSON of a body, else the fields of a form, the first of each name; None for neither."""
    try:
        return loose(request.raw)
    except msgspec.DecodeError:
        return dict(reversed(request.form())) or None


def _token(said: Any) -> str | None:
    if not isinstance(said, dict):
        return None
    token = said.get("JWT", said.get("jwt"))
    return token if isinstance(token, str) else None


def claims_of(token: str, public_key: str) -> dict[str, Any] | None:
    """The claims of a JWT (RFC 7519) signed with RS256; None for any other."""
    key, parts = _key(public_key), token.split(".")
    if key is None or len(parts) != 3 or not token.isascii():
        return None
    try:
        head, body, signature = (_unpadded(p) for p in parts)
        if decoded(head).get("alg") != "RS256":
            return None
        key.verify(signature, f"{parts[0]}.{parts[1]}".encode(), PKCS1v15(), SHA256())
    except (binascii.Error, InvalidSignature, ValueError):
        return None
    return decoded(body)


def _unpadded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


@lru_cache(maxsize=16)
def _key(pem: str) -> RSAPublicKey | None:
    """A public key as PEM, in one line or many, with or without its head; None if it is none."""
    lines = pem.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "")
    try:
        key = load_der_public_key(base64.b64decode("".join(lines.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None
