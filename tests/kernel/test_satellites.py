"""Satellite routes as the settings name them, and who is believed."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from clients.simulator.satellite import jwt, unsigned
from server.config import Settings
from server.satellites import SatelliteRoute, claims_of, satellite_routes

KEY = generate_private_key(65537, 2048)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
INREACH = {"name": "garmin", "kind": "inreach", "secret": "long-enough"}
ROCKBLOCK = {"name": "ground", "kind": "rockblock", "public_key": PEM}


def named(routes: Any) -> tuple[SatelliteRoute, ...]:
    given = routes if isinstance(routes, str) else json.dumps(routes)
    return satellite_routes(Settings(satellite_routes=SecretStr(given)))


def test_routes_are_read_and_their_secrets_shown_nowhere() -> None:
    assert satellite_routes(Settings()) == ()
    routes = named([INREACH, ROCKBLOCK, {**ROCKBLOCK, "name": "both", "secret": "long-enough"}])
    assert [r.name for r in routes] == ["garmin", "ground", "both"]
    assert "long-enough" not in repr(routes)


@pytest.mark.parametrize(
    "routes",
    [
        "no JSON",
        "{}",
        [INREACH, INREACH],
        [{**INREACH, "secret": ""}],
        [{**INREACH, "secret": "short"}],
        [{**INREACH, "secret": "two words of it"}],
        [{**INREACH, "kind": "spot"}],
        [{**INREACH, "public_key": PEM}],
        [{**INREACH, "colour": "red"}],
        [{"name": "ground", "kind": "rockblock"}],
        [{**ROCKBLOCK, "public_key": "no key"}],
        [{**ROCKBLOCK, "public_key": PEM[:200]}],
    ],
    ids=range(12),
)
def test_a_route_that_could_be_forged_or_not_used_stops_the_start(routes: Any) -> None:
    with pytest.raises(ValueError, match="MUSTER_SATELLITE_ROUTES") as refused:
        named(routes)
    assert "long-enough" not in str(refused.value)


def test_a_key_of_another_kind_is_of_no_use() -> None:
    other = elliptic(SECP256R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="of no use"):
        named([{**ROCKBLOCK, "public_key": pem}])


def test_what_is_signed_is_believed_however_the_key_is_written() -> None:
    token = jwt({"imei": "1", "momsn": 7}, KEY)
    bare = "".join(line for line in PEM.splitlines() if "-----" not in line)
    for pem in (PEM, PEM.replace("\n", "\r\n"), PEM.replace("\n", ""), bare):
        claims = claims_of(token, pem)
        assert claims is not None
        assert (claims["imei"], claims["momsn"]) == ("1", "7")


def test_what_was_changed_or_never_signed_is_not() -> None:
    token = jwt({"imei": "1"}, KEY)
    head, body, signature = token.split(".")
    other = jwt({"imei": "2"}, generate_private_key(65537, 2048))
    forged = [
        "", "..", "a.b.c", token[:-9], f"{head}.{body}.", other, unsigned({"imei": "1"}),
        f"{head}.{other.split('.')[1]}.{signature}", f"{head}.{body}.{signature}.",
        f"{unsigned({}).split('.')[0]}.{body}.{signature}", f"{head}.{body}.é", "\x00" * 30,
    ]  # fmt: skip
    for token in forged:
        assert claims_of(token, PEM) is None, token
