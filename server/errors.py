"""The one tree of errors a caller can be told of, and how each is put (RFC 9457).

Anything raised that is not a `Problem` is a defect: it is logged with its request id and
rendered as a bare 500, never with its own text.
"""

from typing import Any

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One refused field: `path` as in `items[3].location.lat`, `message` with the remedy."""

    path: str
    message: str


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=False):
    """The body of every refusal, `application/problem+json`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    errors: list[FieldError] | msgspec.UnsetType = msgspec.UNSET


class Problem(Exception):
    """A refusal with its HTTP status. Subclasses fix status, code and title."""

    status = 500
    code = "internal"
    title = "Something went wrong on our side"
    retryable = False

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: list[FieldError] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = errors
        self.retry_after = retry_after

    def body(self) -> ProblemBody:
        """The problem as it is sent."""
        return ProblemBody(
            type=f"urn:muster:problem:{self.code}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            code=self.code,
            retryable=self.retryable,
            errors=msgspec.UNSET if self.errors is None else self.errors,
        )

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Extra response headers: Retry-After where waiting helps."""
        if self.retry_after is None:
            return []
        return [(b"retry-after", str(self.retry_after).encode())]


class Failed(Problem):
    """A defect or a state of the server: the request is in order and may come again."""

    retryable = True


class BadInput(Problem):
    """The request can't be read or breaks a rule; `errors` names each field and the remedy."""

    status, code, title = 422, "bad_input", "The request has fields that cannot be accepted"


class Malformed(Problem):
    """The body is not JSON at all."""

    status, code, title = 400, "malformed", "The request cannot be read"


class Unauthenticated(Problem):
    """No credential, or one that is unknown, revoked or expired."""

    status, code, title = 401, "unauthenticated", "Sign in first"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names the scheme, as RFC 9110 asks."""
        return [*super().headers(), (b"www-authenticate", b"Bearer")]


class Forbidden(Problem):
    """Known, but the role may not do this."""

    status, code, title = 403, "forbidden", "Your role does not allow this"


class NotFound(Problem):
    """Not there, or not for this caller's eyes: the two are never told apart."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    """The address exists, the method does not."""

    status, code, title = 405, "method_not_allowed", "This address does not take that method"


class Clash(Problem):
    """The request contradicts what is on record."""

    status, code, title = 409, "conflict", "This contradicts what is on record"


class TooLarge(Problem):
    """The body is over the limit of its address."""

    status, code, title = 413, "too_large", "The request is too large"


class WrongMediaType(Problem):
    """A body that does not say it is JSON."""

    status, code, title = 415, "media_type", "Send application/json"


class TooMany(Problem):
    """A limit on attempts. Never used on check-ins or panics."""

    status, code, title, retryable = 429, "too_many", "Too many attempts", True


class Unavailable(Problem):
    """No durable write is possible now. The same request with the same id may be sent again."""

    status, code, title, retryable = 503, "unavailable", "Not saved, send it again", True

    def __init__(self, detail: str, *, retry_after: int = 2, code: str | None = None) -> None:
        super().__init__(detail, code=code, retry_after=retry_after)


def from_decoding(error: msgspec.MsgspecError) -> Problem:
    """Turns a decoder's complaint into the problem a caller can act on.

    msgspec ends a validation message with `` - at `$.items[0].id` ``.
    """
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Malformed(f"The body is not valid JSON: {text}.")
    message, _, where = text.partition(" - at `")
    path = where.rstrip("`").removeprefix("$").removeprefix(".")
    return BadInput(
        "Correct the fields named in errors and send it again.",
        errors=[FieldError(path=path or "(body)", message=message)],
    )


def refuse_field(path: str, message: str, *, code: str | None = None) -> BadInput:
    """A refusal of one field by a rule that types can't express."""
    detail = "Correct the field named in errors and send it again."
    return BadInput(detail, code=code, errors=[FieldError(path=path, message=message)])


def unexpected(request_id: str) -> dict[str, Any]:
    """The body of a 500: nothing but a number to quote."""
    problem = Problem(f"The failure is logged as {request_id}. Send it again, or report it.")
    return {**msgspec.to_builtins(problem.body()), "retryable": True}
