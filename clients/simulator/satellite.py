"""Stand-ins for the providers of satellite messengers: they bring messages over HTTP.

    inreach(url, token, event(imei, 4, at))        # the request by which Garmin brings events
    rockblock(url, secret, imei, 7, at, b"SOS")    # ..and Ground Control a message, signed if asked
    Provider(post).deliver(request)                # repeats it until it is taken

Both repeat whatever is not answered 200: Garmin after 2, 4, 8 .. 128 s and then twice a day for
five days, Ground Control after 2, 4, 8 .. s for about twelve hours.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

Request = dict[str, Any]
Post = Callable[[Request], Awaitable[int]]
Spot = tuple[float, float]
NOWHERE: Spot = (0.0, 0.0)
DELAYS_S = tuple(2.0**n for n in range(1, 8))


def event(
    imei: str, code: int, at: datetime, text: str = "", place: Spot = NOWHERE, **more: Any
) -> dict[str, Any]:
    """One event of the schema's version 2. Without a place its point says that there is no fix."""
    point = {
        "latitude": place[0], "longitude": place[1], "altitude": 1795, "course": 45, "speed": 0,
        "gpsFix": 0 if place == NOWHERE else 2,
    }  # fmt: skip
    status = {"autonomous": 0, "lowBattery": 0, "intervalChange": 0, "resetDetected": 0}
    return {
        "addresses": [],
        "imei": imei,
        "messageCode": code,
        "freeText": text,
        "timeStamp": int(at.timestamp() * 1000),
        "point": point,
        "status": status,
        **more,
    }


def inreach(
    url: str, token: str, events: Sequence[Mapping[str, Any]], version: str = "2.0"
) -> Request:
    """The request by which Garmin brings some events."""
    body = json.dumps({"Version": version, "Events": list(events)})
    headers = {"content-type": "application/json", "x-outbound-auth-token": token}
    return {"method": "POST", "url": url, "headers": headers, "content": body.encode()}


def fields(imei: str, momsn: int, at: datetime, data: bytes, near: Spot = NOWHERE) -> Request:
    """What Ground Control says of one message."""
    return {
        "imei": imei,
        "device_type": "ROCKBLOCK",
        "serial": 16949,
        "momsn": momsn,
        "transmit_time": at.astimezone(UTC).strftime("%y-%m-%d %H:%M:%S"),
        "iridium_latitude": near[0],
        "iridium_longitude": near[1],
        "iridium_cep": 8.0,
        "data": data.hex(),
    }


def rockblock(
    url: str, secret: str, said: Request, form: bool = False, key: RSAPrivateKey | None = None
) -> Request:
    """The request by which Ground Control brings a message: JSON or a form, with a JWT if it has a
    key, under Basic authentication if it has a secret."""
    own = said if key is None else {**said, "JWT": jwt(said, key)}
    headers = {}
    if secret:
        user = base64.b64encode(f"muster:{secret}".encode()).decode()
        headers["authorization"] = f"Basic {user}"
    if form:
        body = {"data": {name: str(value) for name, value in own.items()}}
    else:
        body = {"content": json.dumps(own).encode()}
        headers["content-type"] = "application/json; charset=utf-8"
    return {"method": "POST", "url": url, "headers": headers, **body}


def jwt(said: Mapping[str, Any], key: RSAPrivateKey) -> str:
    """A message as Ground Control signs it: RS256 over all its fields as texts."""
    claims = {"iss": "Rock 7", "iat": 1643754332, **{k: str(v) for k, v in said.items()}}
    head = f"{_part({'alg': 'RS256'})}.{_part(claims)}"
    signature = key.sign(head.encode(), PKCS1v15(), SHA256())
    return f"{head}.{_unpadded(signature)}"


def unsigned(said: Mapping[str, Any]) -> str:
    """What a forger sends in its place: no signature, and a head that asks for none."""
    return f"{_part({'alg': 'none'})}.{_part(said)}."


def _part(value: Mapping[str, Any]) -> str:
    return _unpadded(json.dumps(value).encode())


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Provider:
    """Brings requests until they are taken. `post` sends one and gives the status it was answered
    with, 0 for none; `pace` shortens its waits."""

    def __init__(self, post: Post, pace: float = 1.0) -> None:
        self._post = post
        self._pace = pace
        self.statuses: list[int] = []

    async def deliver(self, request: Request) -> int:
        """How often it was sent until it was answered 200."""
        for times, delay_s in enumerate((*DELAYS_S, *[DELAYS_S[-1]] * 1000), 1):
            status = await self._post(request)
            self.statuses.append(status)
            if status == 200:
                return times
            await asyncio.sleep(delay_s * self._pace)
        raise TimeoutError("nobody took it")
