"""The SMTP relay as the settings name it, and what all of this server's ways serve."""

import ipaddress
import re
from urllib.parse import unquote, urlsplit

import msgspec

from server.config import Settings
from server.texting import sms_routes, texted

MAIL = "@"  # among the prefixes that are served: e-mail goes out
DESK = "!"  # and: the duty desk has channels of its own
_ADDRESS = re.compile(r"[^@\s\x00-\x1f<>,;\"()\\]{1,64}@[A-Za-z0-9.-]{1,255}")
_PORTS = {"smtp": 25, "smtps": 465}


class Relay(msgspec.Struct, frozen=True):
    """Where e-mail is handed over. `start_tls`: the connection must turn to TLS after it began."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    start_tls: bool
    sender: str


def relay(settings: Settings) -> Relay | None:
    """The relay, if one is set. Raises ValueError for one that cannot be used."""
    if settings.smtp_url is None:
        return None
    sender = settings.smtp_from or ""
    if not is_address(sender):
        raise ValueError("MUSTER_SMTP_FROM must be a plain address, such as muster@example.org.")
    try:
        url = urlsplit(settings.smtp_url.get_secret_value())
        port = url.port
    except ValueError:
        raise ValueError(_UNREADABLE) from None  # the text of the error holds the password
    if url.scheme not in _PORTS or not url.hostname:
        raise ValueError(_UNREADABLE)
    tls = url.scheme == "smtps"
    return Relay(
        host=url.hostname,
        port=port or _PORTS[url.scheme],
        username=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
        tls=tls,
        start_tls=not tls and not _is_loopback(url.hostname),
        sender=sender,
    )


_UNREADABLE = "MUSTER_SMTP_URL must look like smtp://user:password@host:587 or smtps://..."


def is_address(text: str) -> bool:
    """Whether this is one plain e-mail address that SMTP carries as it is."""
    return _ADDRESS.fullmatch(text) is not None and text.isascii()


def served(settings: Settings) -> tuple[str, ...]:
    """What is served beside push: the prefixes of numbers, `@` where e-mail goes out, `!` where
    the duty desk has channels of its own."""
    mail = (MAIL,) if settings.smtp_url is not None else ()
    desk = (DESK,) if settings.duty_urls is not None else ()
    return texted(sms_routes(settings)) + mail + desk


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
