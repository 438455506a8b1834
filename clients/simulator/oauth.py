"""Google's side of a service account: keys, assertions, access tokens."""

import base64
import json
import secrets
import time
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .answers import Answer, as_json

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
}
# google-auth writes this audience whatever token_uri its file names.
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
_SKEW_S = 300
_LONGEST_S = 3600
_TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
    "timeframe. Check your iat and exp values in the JWT claim."
)


class Grant(msgspec.Struct):
    """An access token's project and the time it ends (unix seconds)."""

    project: str
    ends_at: float


@lru_cache(maxsize=1)
def private_key() -> rsa.RSAPrivateKey:
    """One key a process: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class GrantRefusedError(Exception):
    """The token endpoint refuses: an OAuth 2 error code and its description."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code

    def answer(self) -> Answer:
        """400 {"error","error_description"}, as Google's token endpoint."""
        return as_json({"error": self.code, "error_description": str(self)}, 400)


class Accounts:
    """The service accounts this stand-in knows and the access tokens it gave out."""

    def __init__(self) -> None:
        self._key = private_key()
        self._projects: dict[str, str] = {}
        self._grants: dict[str, Grant] = {}

    def adopt(self, pem: str) -> None:
        """Uses the key of an earlier credentials file, so that it stays valid."""
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("a service account's key is an RSA key")
        self._key = key

    def add(self, project: str, token_uri: str) -> dict[str, str]:
        """Creates the project's service account; returns its credentials file."""
        email = f"muster-sim@{project}.iam.gserviceaccount.com"
        self._projects[email] = project
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": project,
            "private_key_id": "5" * 40,
            "private_key": pem.decode(),
            "client_email": email,
            "client_id": "100000000000000000000",
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        }

    def knows(self, project: str) -> bool:
        """Whether the project exists here."""
        return project in self._projects.values()

    def exchange(self, body: bytes, token_uri: str, lifetime_s: int) -> Answer:
        """Answers POST /token (form fields grant_type, assertion)."""
        try:
            fields = parse_qs(body.decode("utf-8", "replace"))
            if fields.get("grant_type") != [GRANT]:
                raise GrantRefusedError("unsupported_grant_type", "Invalid grant_type")
            claims = self._claims(fields.get("assertion", [""])[0])
            self._check(claims, token_uri)
        except GrantRefusedError as refusal:
            return refusal.answer()
        token = f"ya29.{secrets.token_urlsafe(32)}"
        ends_at = time.time() + lifetime_s
        self._grants[token] = Grant(self._projects[claims["iss"]], ends_at)
        return as_json({"access_token": token, "expires_in": lifetime_s, "token_type": "Bearer"})

    def grant(self, header: str) -> Grant | None:
        """The grant behind an Authorization header, expired or not; None: unknown."""
        return self._grants.get(header[7:]) if header.startswith("Bearer ") else None

    def expire(self) -> int:
        """Ends every access token given out so far; returns how many."""
        for grant in self._grants.values():
            grant.ends_at = 0.0
        return len(self._grants)

    def _claims(self, assertion: str) -> dict[str, Any]:
        try:
            head, payload, signature = assertion.split(".")
            if json.loads(_unpadded(head)).get("alg") != "RS256":
                raise GrantRefusedError("invalid_grant", "Invalid JWT: alg must be RS256.")
            signed = f"{head}.{payload}".encode()
            public = self._key.public_key()
            public.verify(_unpadded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(_unpadded(payload))
        except InvalidSignature:
            raise GrantRefusedError("invalid_grant", "Invalid JWT Signature.") from None
        except (ValueError, AttributeError):
            raise GrantRefusedError("invalid_request", "Bad Request") from None
        if not isinstance(claims, dict):
            raise GrantRefusedError("invalid_request", "Bad Request")
        return claims

    def _check(self, claims: dict[str, Any], token_uri: str) -> None:
        if claims.get("iss") not in self._projects:
            raise GrantRefusedError("invalid_grant", "Invalid grant: account not found")
        if claims.get("aud") not in (token_uri, GOOGLE_AUDIENCE):
            raise GrantRefusedError(
                "invalid_grant",
                f"Failed audience check. The right audience is {token_uri}",
            )
        if not SCOPES & set(str(claims.get("scope", "")).split()):
            raise GrantRefusedError(
                "invalid_scope",
                "Invalid OAuth scope or ID token audience provided.",
            )
        issued, ends, now = claims.get("iat"), claims.get("exp"), time.time()
        if not isinstance(issued, int | float) or not isinstance(ends, int | float):
            raise GrantRefusedError("invalid_grant", _TIMEFRAME)
        if ends < now or issued > now + _SKEW_S or ends - issued > _LONGEST_S:
            raise GrantRefusedError("invalid_grant", _TIMEFRAME)


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
