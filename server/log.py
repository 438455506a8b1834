"""Structured logs. No personal datum, coordinate, token or message text may enter a line.

Events are short and fixed (`checkin_batch_retried`), the variable parts are fields. The
request id is bound by the web layer and joins every line of that request.
"""

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

import structlog

# Fields that would be personal wherever they came from. A test greps the code for others.
FORBIDDEN = frozenset(
    {"name", "phone", "email", "note", "lat", "lon", "token", "code", "title", "body", "address"}
)


def _drop_personal(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in FORBIDDEN & fields.keys():
        fields[key] = "(left out)"
    return fields


# What an exception may tell of itself beside its type: names of our own schema, and numbers.
_TELLING = ("sqlstate", "table_name", "column_name", "constraint_name", "errno")


def trace(error: BaseException) -> str:
    """An exception and its causes as places and types, without a word of their own.

    Their texts quote what they met: PostgreSQL's the whole row that failed.
    """
    return "\n".join(_told(error))


def _told(error: BaseException) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _told(before)
        yield "which led to"
    yield from (line.rstrip("\n") for line in traceback.format_tb(error.__traceback__))
    known = [(name, getattr(error, name, None)) for name in _TELLING]
    yield " ".join([type(error).__qualname__, *(f"{k}={v}" for k, v in known if v is not None)])
    for inner in getattr(error, "exceptions", ()):
        yield from _told(inner)


def without_words(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces an exception of a line by its trace."""
    given = fields.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        fields["exception"] = trace(error)
    return fields


class _Formatter(logging.Formatter):
    """Lines of the libraries: where an exception is told of, its trace in place of its words."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        # the lines after the first describe the task or the future, exception and all
        return text if error is None else f"{text.partition(chr(10))[0]}\n{trace(error)}"


def configure(style: str = "json") -> None:
    """Sets up logging of the process once: JSON lines, or coloured text on a console."""
    render: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _drop_personal,
            without_words,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(_Formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])


def get(area: str) -> Any:
    """A logger whose lines carry the area they come from."""
    return structlog.get_logger().bind(area=area)
