"""Structured logs. No personal datum, coordinate, token or message text may enter a line.

Events are short and fixed (`checkin_batch_retried`), the variable parts are fields. The
request id is bound by the web layer and joins every line of that request.
"""

import logging
import sys
from collections.abc import MutableMapping
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
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")


def get(area: str) -> Any:
    """A logger whose lines carry the area they come from."""
    return structlog.get_logger().bind(area=area)
