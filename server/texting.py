"""SMS routes as the settings name them: who carries a text to which numbers, at what price.

MUSTER_SMS_ROUTES is a JSON list of `SmsRoute`; MUSTER_SMS_URL is the short form for one Kannel.
"""

import hmac
import re
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.config import Settings

REPORT_USER = "muster"  # of Basic authentication; the password is the route's secret
_ADDRESS = {
    "twilio": "https://api.twilio.com/2010-04-01/Accounts/{username}/Messages.json",
    "africastalking": "https://api.africastalking.com/version1/messaging",
}
# Kannel reads no escapes in user and password of an address, and breaks long ones over lines.
_KANNEL_SECRET = re.compile(r"[A-Za-z0-9_-]{0,48}")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_PREFIX = Annotated[str, Meta(pattern=r"^\+[0-9]{0,14}$")]


class SmsRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way for texts. Lower `priority` goes first. `per_s` counts parts, `price_micro` is
    millionths of `currency` for a part. `password` is Twilio's auth token and Africa's Talking's
    API key. `report_secret` is what the gateway's reports and incoming texts are proved with.
    `operation` is the code of the one to which all texts that come in by it belong.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    kind: Literal["kannel", "twilio", "africastalking", "android"]
    url: Annotated[str, Meta(pattern=r"^(https?://\S+)?$")] = ""
    username: str = ""
    password: str = ""
    report_secret: str = ""
    sender: str = ""
    prefixes: Annotated[tuple[_PREFIX, ...], Meta(min_length=1)] = ("+",)
    priority: int = 1
    per_s: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    price_micro: Annotated[int, Meta(ge=0)] = 0
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "USD"
    cap_micro_per_day: Annotated[int, Meta(ge=0)] | None = None
    operation: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""

    def __repr__(self) -> str:
        return f"SmsRoute({self.name!r})"  # no secret in a log or a traceback

    @property
    def address(self) -> str:
        """Where messages are posted to."""
        return self.url or _ADDRESS.get(self.kind, "").format(username=self.username)

    @property
    def reporting(self) -> str:
        """The secret of its reports and incoming texts. Empty: they are refused.

        Twilio signs with the auth token. Kannel is told with each text where to report and how
        to prove itself, so its secret needs no setting: it is derived from the password.
        """
        if self.report_secret or self.kind in ("africastalking", "android"):
            return self.report_secret
        if self.kind == "twilio" or not self.password:
            return self.password
        word = f"muster delivery reports of {self.name}".encode()
        return hmac.new(self.password.encode(), word, "sha256").hexdigest()[:32]


def sms_routes(settings: Settings) -> tuple[SmsRoute, ...]:
    """All routes, none if texting is not set up. Raises ValueError, naming no secret."""
    routes = _listed(settings)
    if settings.sms_url:
        secret = settings.sms_password
        routes.append(
            SmsRoute(
                name="kannel",
                kind="kannel",
                url=settings.sms_url,
                username=settings.sms_username or "",
                password=secret.get_secret_value() if secret else "",
                sender=settings.sms_sender or "",
            )
        )
    names = [r.name for r in routes]
    if len(set(names)) < len(names):
        raise ValueError("MUSTER_SMS_ROUTES: two routes have one name")
    missing = [r.name for r in routes if not r.address]
    if missing:
        raise ValueError(f"MUSTER_SMS_ROUTES: no url is given for {', '.join(missing)}")
    odd = [r.name for r in routes if r.kind == "kannel" and not _fits_kannel(r)]
    if odd:
        raise ValueError(
            f"MUSTER_SMS_ROUTES: the report_secret of {', '.join(odd)} may have 48 letters, digits"
        )
    return tuple(routes)


def _fits_kannel(route: SmsRoute) -> bool:
    return _KANNEL_SECRET.fullmatch(route.report_secret) is not None


def _listed(settings: Settings) -> list[SmsRoute]:
    if settings.sms_routes is None:
        return []
    try:
        return msgspec.json.decode(settings.sms_routes.get_secret_value(), type=list[SmsRoute])
    except msgspec.MsgspecError as error:
        raise ValueError(f"MUSTER_SMS_ROUTES cannot be read: {error}") from None


def texted(routes: Iterable[SmsRoute]) -> tuple[str, ...]:
    """The prefixes of all numbers that can be texted."""
    return tuple(sorted({p for r in routes for p in r.prefixes}))


def numbers(routes: Iterable[SmsRoute]) -> list[str]:
    """The numbers that can be texted to: senders that are numbers, of routes with a secret."""
    return sorted({r.sender for r in routes if r.reporting and _NUMBER.fullmatch(r.sender)})
