"""The server's log, on stderr: coloured lines on a terminal, JSON lines otherwise. It shows no token."""

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

from chatcore.log_throttle import LogThrottle

from .log_text import indented, printable, printable_json, safe_event, safe_traceback

_LIBRARIES = ("aiohttp", "asyncio")
"""Libraries that write a log line because of a client's request, even without an account."""


def configure(stream: TextIO | None = None) -> None:
    """Send all log records from `logging.INFO` up to ``stream``, by default stderr."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_terminal_formatter() if stream is not None and stream.isatty() else _JsonFormatter())
    handler.addFilter(_LibraryFilter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # no line for each request
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # no line for each handshake


class _LibraryFilter(logging.Filter):
    """Drops records of libraries about malformed requests, and admits their other records once a minute.

    A record about a malformed request quotes the line that could not be parsed, which may contain a token.
    """

    def __init__(self) -> None:
        super().__init__()
        self._throttle = LogThrottle()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _LIBRARIES:
            return True
        error = record.exc_info[1] if record.exc_info else None
        if type(error).__module__.startswith("aiohttp.http"):
            return False
        return self._throttle.admits((record.pathname, record.lineno, type(error)))


class _JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object. A traceback shows no local variables, which may contain passwords."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "event": safe_event(record.getMessage()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            fields["exception"] = safe_traceback(self.formatException(record.exc_info))
        return printable_json(json.dumps(fields, ensure_ascii=False))


def _terminal_formatter() -> logging.Formatter:
    """Return a formatter of coloured lines. A traceback shows no local variables, which may contain passwords."""
    import structlog  # it takes a fifth of the time of all imports of the server

    time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, time],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _with_safe_texts,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
    )


def _with_safe_texts(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Bound the texts of an event, mask tokens in them, and keep them from looking like other log lines."""
    event["event"] = printable(safe_event(str(event["event"])))
    if exception := event.get("exception"):
        event["exception"] = indented(safe_traceback(exception))
    return event
