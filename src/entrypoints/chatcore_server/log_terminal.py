"""The log's lines for people on a terminal."""

import logging

import structlog
from structlog.typing import EventDict, WrappedLogger

from .log_text import indented, printable, safe_event, safe_traceback


def formatter() -> logging.Formatter:
    """A formatter of coloured lines. It shows no local variables with a traceback: passwords stand in them."""
    time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, time],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _safe,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
    )


def _safe(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The texts of an event, bounded, without tokens, and in lines that can't be taken for others."""
    event["event"] = printable(safe_event(str(event["event"])))
    if exception := event.get("exception"):
        event["exception"] = indented(safe_traceback(exception))
    return event
