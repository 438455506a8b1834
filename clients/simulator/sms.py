"""A stand-in for SMS gateways on loopback: Kannel, Twilio, Africa's Talking, a phone.

    async with SmsGateway() as gateway:
        gateway.url("kannel")         # the address of a route of that kind
        gateway.texts                 # what was taken, in order
        gateway.faults = [Fault(402)] # how the next ones are answered; the last one stays
        await gateway.report(text, "delivered")   # the gateway calls back, proved as its kind does
    bringing("kannel", url, secret, sender, words, key)   # the request that brings a text in

Requests are refused as real gateways do: wrong credentials 401 or 403, no number 400.
"""

import asyncio
import base64
import hmac
import json
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import msgspec
from aiohttp import web

USER, PASSWORD = "muster", "secret"
_PATHS = {
    "kannel": "/cgi-bin/sendsms",
    "twilio": "/2010-04-01/Accounts/muster/Messages.json",
    "africastalking": "/version1/messaging",
    "android": "/message",
}
_WORDS = {
    "kannel": {"accepted": "8", "delivered": "1", "failed": "2"},
    "twilio": {"accepted": "sent", "delivered": "delivered", "failed": "undelivered"},
    "africastalking": {"accepted": "Sent", "delivered": "Success", "failed": "Rejected"},
    "android": {"accepted": "sms:sent", "delivered": "sms:delivered", "failed": "sms:failed"},
}


class Fault(msgspec.Struct, frozen=True):
    """One answer in place of the usual. `hang_s`: no answer; `taken`: it went out all the same."""

    status: int = 200
    body: str = ""
    hang_s: float = 0.0
    taken: bool = False
    retry_after: int | None = None


class Text(msgspec.Struct, frozen=True):
    """One text as its gateway took it. valid_s is None where none was said."""

    kind: str
    number: str
    text: str
    sender: str
    provider_id: str
    report_url: str
    valid_s: int | None
    at: float


class SmsGateway:
    """All four kinds under one address, with the user `muster` and the password `secret`."""

    def __init__(self, report_secret: str = "reports") -> None:  # noqa: S107 - a stand-in's
        self.texts: list[Text] = []
        self.faults: list[Fault | None] = []
        self.asked: Counter[str] = Counter()
        self.report_secret = report_secret
        self._base = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "SmsGateway":
        app = web.Application()
        app.router.add_get(_PATHS["kannel"], self._kannel)
        app.router.add_post(_PATHS["twilio"], self._twilio)
        app.router.add_post(_PATHS["africastalking"], self._africastalking)
        app.router.add_post(_PATHS["android"], self._android)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, kind: str) -> str:
        """Where a route of this kind posts to."""
        return self._base + _PATHS[kind]

    # -- one handler a shape: its credentials, its fields, its words

    async def _kannel(self, request: web.Request) -> web.Response:
        said = request.query
        if (said.get("username"), said.get("password")) != (USER, PASSWORD):
            return web.Response(status=403, text="Authorization failed for sendsms")
        text = self._text("kannel", said["to"], said["text"], said.get("from", ""))
        valid_s = int(said["validity"]) * 60 if "validity" in said else None
        text = msgspec.structs.replace(text, report_url=said["dlr-url"], valid_s=valid_s)
        return await self._answer(text, web.Response(status=202, text="0: Accepted for delivery"))

    async def _twilio(self, request: web.Request) -> web.Response:
        if not _basic(request):
            return web.json_response({"code": 20003, "status": 401}, status=401)
        said = await request.post()
        sender = str(said.get("From") or said.get("MessagingServiceSid") or "")
        text = self._text("twilio", str(said["To"]), str(said["Body"]), sender)
        url, valid_s = str(said["StatusCallback"]), int(str(said["ValidityPeriod"]))
        text = msgspec.structs.replace(text, report_url=url, valid_s=valid_s)
        answer = {"sid": text.provider_id, "status": "queued"}
        return await self._answer(text, web.json_response(answer, status=201))

    async def _africastalking(self, request: web.Request) -> web.Response:
        said = await request.post()
        if request.headers.get("apiKey") != PASSWORD or said.get("username") != USER:
            return web.Response(status=401, text="The supplied authentication is invalid")
        sender = str(said.get("from", ""))
        text = self._text("africastalking", str(said["to"]), str(said["message"]), sender)
        one = {"statusCode": 101, "number": text.number, "messageId": text.provider_id}
        answer = {"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [one]}}
        return await self._answer(text, web.json_response(answer, status=201))

    async def _android(self, request: web.Request) -> web.Response:
        if not _basic(request):
            return web.Response(status=401)
        said = await request.json()
        if any(t.provider_id == said["id"] for t in self.texts):
            return web.json_response({"message": "conflict"}, status=409)
        number, words = said["phoneNumbers"][0], said["textMessage"]["text"]
        text = self._text("android", number, words, "", said["id"])
        text = msgspec.structs.replace(text, valid_s=int(said["ttl"]))
        answer = {"id": said["id"], "state": "Pending"}
        return await self._answer(text, web.json_response(answer, status=202))

    def _text(self, kind: str, number: str, words: str, sender: str, own_id: str = "") -> Text:
        provider_id = own_id or f"{kind}-{self.asked.total()}"
        return Text(kind, number, words, sender, provider_id, "", None, time.time())

    async def _answer(self, text: Text, usual: web.Response) -> web.Response:
        self.asked[text.number] += 1
        fault = self._fault()
        if fault is None or fault.taken:
            self.texts.append(text)
        if fault is None:
            return usual
        await asyncio.sleep(fault.hang_s)
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return web.Response(status=fault.status, text=fault.body, headers=headers)

    def _fault(self) -> Fault | None:
        if len(self.faults) > 1:
            return self.faults.pop(0)
        return self.faults[0] if self.faults else None

    # -- delivery reports

    async def report(self, text: Text, said: str, to: str = "", secret: str | None = None) -> int:
        """Reports as the text's gateway would, to its own address or to `to`; the status."""
        request = self.reporting(text, said, to, secret)
        async with aiohttp.ClientSession() as session, session.request(**request) as answer:
            return answer.status

    def reporting(
        self, text: Text, said: str, to: str = "", secret: str | None = None
    ) -> dict[str, Any]:
        """The request of a report: method, url, and data and headers that prove it."""
        secret = self.report_secret if secret is None else secret
        word, url = _WORDS[text.kind][said], to or text.report_url
        if text.kind == "kannel":
            return _of_kannel(url, word)
        if text.kind == "twilio":
            form = {"MessageSid": text.provider_id, "MessageStatus": word, "To": text.number}
            return _of_twilio(url, form, secret)
        if text.kind == "africastalking":
            form = {"id": text.provider_id, "status": word, "phoneNumber": text.number}
            headers = {"Authorization": f"Bearer {secret}"}
            return {"method": "POST", "url": url, "data": form, "headers": headers}
        payload = {"messageId": text.provider_id, "phoneNumber": text.number}
        return _of_android(url, {"event": word, "payload": payload}, secret)


def _of_kannel(url: str, word: str) -> dict[str, Any]:
    """Kannel fills in `%d`, and sends user and password of the address as Basic."""
    where = urlsplit(url.replace("%d", word))
    plain = f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path}?{where.query}"
    proof = base64.b64encode(f"{where.username}:{where.password}".encode()).decode()
    return {"method": "GET", "url": plain, "headers": {"Authorization": f"Basic {proof}"}}


def _of_twilio(url: str, form: dict[str, str], token: str) -> dict[str, Any]:
    signed = url + "".join(k + v for k, v in sorted(form.items()))
    made = hmac.new(token.encode(), signed.encode(), "sha1").digest()
    headers = {"X-Twilio-Signature": base64.b64encode(made).decode()}
    return {"method": "POST", "url": url, "data": form, "headers": headers}


def _of_android(url: str, message: dict[str, Any], secret: str) -> dict[str, Any]:
    raw, stamp = json.dumps(message).encode(), str(int(time.time()))
    signature = hmac.new(secret.encode(), raw + stamp.encode(), "sha256").hexdigest()
    headers = {"X-Signature": signature, "X-Timestamp": stamp}
    return {"method": "POST", "url": url, "data": raw, "headers": headers}


def bringing(
    kind: str, url: str, secret: str, sender: str, words: str, key: str, to: str = "+4670"
) -> dict[str, Any]:
    """The request by which a gateway brings a text in: method, url, data and headers."""
    proof = base64.b64encode(f"muster:{secret}".encode()).decode()
    if kind == "kannel":
        said = {"from": sender, "to": to, "text": words, "smsc": "FAKE1", "id": key, "ts": "1"}
        headers = {"Authorization": f"Basic {proof}"}
        return {"method": "GET", "url": f"{url}?{urlencode(said)}", "headers": headers}
    if kind == "twilio":
        form = {"MessageSid": key, "From": sender, "To": to, "Body": words, "NumMedia": "0"}
        return _of_twilio(url, form, secret)
    if kind == "africastalking":
        form = {"from": sender, "to": to, "text": words, "id": key, "date": "2026-11-23 10:00"}
        headers = {"Authorization": f"Basic {proof}"}
        return {"method": "POST", "url": url, "data": form, "headers": headers}
    payload = {"messageId": "1", "message": words, "sender": sender, "recipient": to}
    message = {"event": "sms:received", "id": key, "payload": payload}
    return _of_android(url, message, secret)


def _basic(request: web.Request) -> bool:
    wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return request.headers.get("Authorization") == f"Basic {wanted}"


def fields(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))
