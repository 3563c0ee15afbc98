"""The server's log: for people on a terminal, JSON lines otherwise. It goes to stderr, and shows no token."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from chatcore.ports.log_throttle import LogThrottle

from .log_text import EVENT_MAX, TRACEBACK_MAX, bounded, indented, masked, printable, printable_json

_LIBRARIES = ("aiohttp", "asyncio")
"""What these log is caused by clients, with or without an account."""

_BEFORE: list[Processor] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
_META: Processor = structlog.stdlib.ProcessorFormatter.remove_processors_meta


def configure(stream: TextIO | None = None) -> None:
    """Send everything that anybody logs, from `logging.INFO` up, to ``stream``, or to stderr."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_for_people() if stream is not None and stream.isatty() else _for_machines())
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


class _JsonFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable_json(super().format(record))


# Neither shows local variables with a traceback: passwords stand in them.


def _for_people() -> logging.Formatter:
    time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_BEFORE, time],
        processors=[_META, structlog.processors.format_exc_info, _safe, _on_a_terminal, renderer],
    )


def _for_machines() -> logging.Formatter:
    time = structlog.processors.TimeStamper(fmt="iso", utc=True)
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    return _JsonFormatter(
        foreign_pre_chain=[*_BEFORE, time], processors=[_META, structlog.processors.format_exc_info, _safe, renderer]
    )


def _safe(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The texts of an event, bounded and without tokens: an exception's text may quote what a client sent."""
    event["event"] = masked(bounded(str(event["event"]), EVENT_MAX))
    if exception := event.get("exception"):
        event["exception"] = masked(bounded(exception, TRACEBACK_MAX))
    return event


def _on_a_terminal(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["event"] = printable(event["event"])
    if exception := event.get("exception"):
        event["exception"] = indented(exception)
    return event
