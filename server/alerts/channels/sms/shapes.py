"""Which gateway speaks how: the request and the meaning of the answer, by a route's kind."""

from collections.abc import Callable

from server.alerts.channels import Outcome
from server.alerts.channels.sms import gateways, kannel
from server.alerts.channels.sms.letters import Letter, Posted, held_against_us
from server.texting import SmsRoute

_POST: dict[str, Callable[[SmsRoute, Letter], Posted]] = {
    "kannel": kannel.post,
    "twilio": gateways.post_twilio,
    "africastalking": gateways.post_africastalking,
    "android": gateways.post_android,
}
_READ: dict[str, Callable[[SmsRoute, int, bytes], Outcome]] = {
    "kannel": kannel.read,
    "twilio": gateways.read_twilio,
    "africastalking": gateways.read_africastalking,
    "android": gateways.read_android,
}


def post(route: SmsRoute, letter: Letter) -> Posted:
    """The request that sends a text over a route."""
    return _POST[route.kind](route, letter)


def read(route: SmsRoute, status: int, raw: bytes, retry_after: float | None) -> Outcome:
    """What a gateway's answer means."""
    if status == 429 or status >= 500 or 300 <= status < 400:
        return held_against_us(route, f"answered {status}", retry_after)
    if status == 401:
        return held_against_us(route, "refuses our credentials")
    if status == 402:
        return held_against_us(route, "has no credit left")
    return _READ[route.kind](route, status, raw)
