"""Kannel's sendsms over HTTP: `0: Accepted for delivery`, `3: Queued for later delivery`.

SMPP and modems are Kannel's business. It reports by GET to the address each text carries.
"""

from urllib.parse import urlsplit, urlunsplit

from server.alerts.channels import Outcome, permanent
from server.alerts.channels.sms.letters import Letter, Posted, held_against_us, no_word
from server.texting import REPORT_USER, SmsRoute

_REPORTS = "31"  # delivered, failed, buffered, accepted and rejected by the centre
_NUMBER_AT_FAULT = ("denied by", "not routable", "invalid receiver")


def post(route: SmsRoute, letter: Letter) -> Posted:
    """The text with its validity in whole minutes, at least one."""
    params = {
        "username": route.username,
        "password": route.password,
        "to": letter.number,
        "text": letter.text,
        "charset": "UTF-8",
        "coding": "0" if letter.encoding == "GSM-7" else "2",
        "validity": str(max(1, int(letter.valid_s // 60))),
        "dlr-mask": _REPORTS,
        "dlr-url": _report_url(route, letter),
    }
    if route.sender:
        params["from"] = route.sender
    return Posted("GET", route.address, params=params)


def _report_url(route: SmsRoute, letter: Letter) -> str:
    """With the route's own proof, as user and password: Kannel sends them as Basic."""
    where = urlsplit(letter.report_url(route))
    query = f"{where.query}&type=%d"
    return urlunsplit(
        (where.scheme, f"{REPORT_USER}:{route.reporting}@{where.netloc}", where.path, query, "")
    )


def read(route: SmsRoute, status: int, raw: bytes) -> Outcome:
    """What Kannel's line of text means; it names no id of its own."""
    words = raw.decode("utf-8", "replace").strip().lower()
    if 200 <= status < 300:
        return Outcome("accepted") if words[:2] in ("0:", "3:") else no_word(route)
    if any(fault in words for fault in _NUMBER_AT_FAULT):
        return permanent(f"SMS route {route.name} will not text this number")
    if "authorization" in words or status == 403:
        return held_against_us(route, "refuses our credentials")
    return held_against_us(route, f"answered {status}")
