"""The server's log: for people on a terminal, JSON lines otherwise. It goes to stderr, and shows no token."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from chatcore.ports.log_throttle import LogThrottle

from .log_text import printable_json, safe_event, safe_traceback

_LIBRARIES = ("aiohttp", "asyncio")
"""What these log is caused by clients, with or without an account."""


def configure(stream: TextIO | None = None) -> None:
    """Send everything that anybody logs, from `logging.INFO` up, to ``stream``, or to stderr."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_for_people() if stream is not None and stream.isatty() else _JsonFormatter())
    handler.addFilter(_LibraryFilter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # no line for each request
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # no line for each handshake


class _LibraryFilter(logging.Filter):
    """Drops what libraries log about malformed requests, and admits everything else of theirs once a minute.

    A malformed request would be logged with the line that could not be read, which may hold a token.
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
    """Makes a JSON object of each record. It shows no local variables with a traceback: passwords stand in them."""

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


def _for_people() -> logging.Formatter:
    from .log_terminal import formatter  # structlog's imports take as long as those of a fifth of the server

    return formatter()
