"""What FCM answers, body by body, as its users have seen and reported them.

Message texts change over the years (the one for an oversized message did in 2026);
the `@type`s, statuses and codes do not. A sender must read the latter only.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

Detail = dict[str, Any]

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
APNS_ERROR = "type.googleapis.com/google.firebase.fcm.v1.ApnsError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
_SIGN_IN = (
    "Expected OAuth 2 access token, login cookie or other valid authentication "
    "credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class Answer(NamedTuple):
    """One HTTP answer: status, body, content type, seconds of Retry-After or None."""

    status: int
    body: bytes
    kind: str = JSON
    retry_after: int | None = None

    def wire(self, *, keep: bool = True) -> bytes:
        """The whole answer as HTTP/1.1 bytes; `keep` leaves the connection open."""
        extra = "" if self.retry_after is None else f"Retry-After: {self.retry_after}\r\n"
        if not keep:
            extra += "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}\r\n"
            f"Content-Type: {self.kind}\r\n{extra}"
            f"Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


def as_json(value: object, status: int = 200) -> Answer:
    """`value` encoded as a JSON answer."""
    return Answer(status, msgspec.json.encode(value))


def error(
    code: int,
    status: str,
    message: str,
    *details: Detail,
    retry_after: int | None = None,
) -> Answer:
    """Google's error envelope: {"error":{code,message,status,details?}}."""
    body: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        body["details"] = details
    return Answer(code, msgspec.json.encode({"error": body}), JSON, retry_after)


def fcm_error(code: str) -> Detail:
    """The detail that alone says what FCM itself thinks of the message."""
    return {"@type": FCM_ERROR, "errorCode": code}


def bad_request(field: str, description: str) -> Detail:
    """The detail that names the field FCM could not accept."""
    violation = {"field": field, "description": description}
    return {"@type": BAD_REQUEST, "fieldViolations": [violation]}


def error_info(reason: str, **metadata: str) -> Detail:
    """The detail of Google's front end, which knows nothing of messages."""
    return {
        "@type": ERROR_INFO,
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "fcm.googleapis.com", **metadata},
    }


def invalid(field: str, description: str, *, fcm: bool = False) -> Answer:
    """400 INVALID_ARGUMENT for one field; `fcm` adds the FcmError detail."""
    details = [bad_request(field, description)]
    if fcm:
        details.append(fcm_error("INVALID_ARGUMENT"))
    return error(400, "INVALID_ARGUMENT", description, *details)


def no_recipient() -> Answer:
    """The message names neither token, topic nor condition."""
    return invalid("message", "Recipient of the message is not set.", fcm=True)


def bad_token() -> Answer:
    """The registration token does not have the shape of one."""
    return error(
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        fcm_error("INVALID_ARGUMENT"),
    )


def too_big() -> Answer:
    """Keys and values together exceed 4,096 bytes."""
    return error(
        400,
        "INVALID_ARGUMENT",
        "Message is too large. The maximum is 4K (4096 bytes).",
        fcm_error("INVALID_ARGUMENT"),
    )


def unregistered() -> Answer:
    """The app was removed or the token replaced: the only reason to delete a token."""
    return error(
        404,
        "NOT_FOUND",
        "Requested entity was not found.",
        fcm_error("UNREGISTERED"),
    )


def no_project() -> Answer:
    """The project does not exist. The same 404 and text, but no FcmError."""
    return error(404, "NOT_FOUND", "Requested entity was not found.")


def sender_mismatch() -> Answer:
    """The token belongs to an app of another project."""
    return error(
        403,
        "PERMISSION_DENIED",
        "SenderId mismatch",
        fcm_error("SENDER_ID_MISMATCH"),
    )


def no_permission(project: str) -> Answer:
    """The caller's service account may not send for this project."""
    permission = "cloudmessaging.messages.create"
    resource = f"//cloudresourcemanager.googleapis.com/projects/{project}"
    return error(
        403,
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        error_info("IAM_PERMISSION_DENIED", permission=permission, resource=resource),
    )


def no_credential() -> Answer:
    """The request carries no access token."""
    return error(
        401,
        "UNAUTHENTICATED",
        f"Request is missing required authentication credential. {_SIGN_IN}",
        error_info("CREDENTIALS_MISSING", method=_METHOD),
    )


def bad_credential(reason: str) -> Answer:
    """The access token is unknown or, with ACCESS_TOKEN_EXPIRED, too old."""
    return error(
        401,
        "UNAUTHENTICATED",
        f"Request had invalid authentication credentials. {_SIGN_IN}",
        error_info(reason, method=_METHOD),
    )


def third_party_auth() -> Answer:
    """Apple refused the project's APNs key. The text misleads: it blames the caller."""
    return error(
        401,
        "UNAUTHENTICATED",
        f"Request is missing required authentication credential. {_SIGN_IN}",
        fcm_error("THIRD_PARTY_AUTH_ERROR"),
        {"@type": APNS_ERROR, "statusCode": 403, "reason": "InvalidProviderToken"},
    )


def apns_unregistered() -> Answer:
    """Apple says the device is gone. It comes as a 400, not as 404 UNREGISTERED."""
    return error(
        400,
        "INVALID_ARGUMENT",
        "APNs device token is disabled.",
        fcm_error("INVALID_ARGUMENT"),
        {"@type": APNS_ERROR, "statusCode": 410, "reason": "Unregistered"},
    )


def quota(project: str, retry_after: int | None) -> Answer:
    """429 with QUOTA_EXCEEDED: FCM's own limits (message, device or topic rate)."""
    violation = {
        "subject": f"project:{project}",
        "description": "Message rate exceeded",
    }
    return error(
        429,
        "RESOURCE_EXHAUSTED",
        "Resource has been exhausted (e.g. check quota).",
        {"@type": QUOTA_FAILURE, "violations": [violation]},
        fcm_error("QUOTA_EXCEEDED"),
        retry_after=retry_after,
    )


def quota_project(project: str, retry_after: int | None) -> Answer:
    """429 of the front end's per-minute quota: it has no FcmError at all."""
    return error(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per "
        f"minute' of service 'fcm.googleapis.com' for consumer '{project}'.",
        error_info(
            "RATE_LIMIT_EXCEEDED",
            consumer=f"projects/{project}",
            quota_metric="fcm.googleapis.com/send_requests",
            quota_unit="1/min/{project}",
            quota_location="global",
            quota_limit="SendsPerMinutePerProject",
            quota_limit_value="600000",
        ),
        retry_after=retry_after,
    )


def internal() -> Answer:
    """500: may be tried again, without a promise that the first try failed."""
    return error(500, "INTERNAL", "Internal error encountered.", fcm_error("INTERNAL"))


def unavailable(retry_after: int | None) -> Answer:
    """503: overloaded; Retry-After must be honoured."""
    return error(
        503,
        "UNAVAILABLE",
        "The service is currently unavailable.",
        fcm_error("UNAVAILABLE"),
        retry_after=retry_after,
    )


def bad_gateway() -> Answer:
    """502 as an HTML page: Google's front end could not reach FCM."""
    page = b"<!DOCTYPE html>\n<title>Error 502 (Server Error)!!1</title>\n"
    return Answer(502, page, HTML)


def not_found_page() -> Answer:
    """404 as an HTML page: a front-end fault, which must not delete any token."""
    return Answer(404, b"<!DOCTYPE html>\n<title>Error 404 (Not Found)!!1</title>\n", HTML)


def garbage() -> Answer:
    """200 with a body that is neither JSON nor UTF-8."""
    return Answer(200, b'{"name": "projects/\xff\xfe\x00<html>', JSON)


def empty() -> Answer:
    """200 without a body."""
    return Answer(200, b"")


def sent(project: str, message_id: str) -> Answer:
    """200: accepted. It says nothing of delivery."""
    return Answer(200, f'{{\n  "name": "projects/{project}/messages/{message_id}"\n}}\n'.encode())


_METHOD = "google.firebase.fcm.v1.FcmService.SendMessage"

# Faults that answer: name -> (project, seconds of Retry-After) -> answer.
FAULTS: dict[str, Callable[[str, int | None], Answer]] = {
    "invalid_token": lambda _p, _r: bad_token(),
    "unregistered": lambda _p, _r: unregistered(),
    "no_project": lambda _p, _r: no_project(),
    "sender_mismatch": lambda _p, _r: sender_mismatch(),
    "no_permission": lambda p, _r: no_permission(p),
    "third_party_auth": lambda _p, _r: third_party_auth(),
    "token_expired": lambda _p, _r: bad_credential("ACCESS_TOKEN_EXPIRED"),
    "apns_unregistered": lambda _p, _r: apns_unregistered(),
    "quota": quota,
    "quota_project": quota_project,
    "internal": lambda _p, _r: internal(),
    "unavailable": lambda _p, r: unavailable(r),
    "bad_gateway": lambda _p, _r: bad_gateway(),
    "not_found_page": lambda _p, _r: not_found_page(),
    "garbage": lambda _p, _r: garbage(),
    "empty": lambda _p, _r: empty(),
}
