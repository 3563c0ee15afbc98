"""The server's log: for people on a terminal, JSON lines otherwise. It goes to stderr, and shows no token."""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

_TOKENS = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]+"  # an access token is a JWT
    r"|[\w-]{16,}\.[0-9]+\.[\w-]{43}"  # a refresh token: session, generation, signature
)

_BEFORE: list[Processor] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
_META: Processor = structlog.stdlib.ProcessorFormatter.remove_processors_meta


def configure(stream: TextIO | None = None) -> None:
    """Send everything that anybody logs, from `logging.INFO` up, to ``stream``, or to stderr."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_for_people() if stream is not None and stream.isatty() else _for_machines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # no line for each request


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        """The line without tokens: an exception's text may quote what it choked on."""
        return _TOKENS.sub("[token]", super().format(record))


# Neither shows local variables with a traceback: passwords stand in them.


def _for_people() -> logging.Formatter:
    time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return _Formatter(foreign_pre_chain=[*_BEFORE, time], processors=[_META, renderer])


def _for_machines() -> logging.Formatter:
    time = structlog.processors.TimeStamper(fmt="iso", utc=True)
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    return _Formatter(
        foreign_pre_chain=[*_BEFORE, time], processors=[_META, structlog.processors.format_exc_info, renderer]
    )


def _is_ours(record: logging.LogRecord) -> bool:
    """aiohttp logs every malformed request as an error, with the line that it could not read: anybody's noise."""
    error = record.exc_info[1] if record.exc_info else None
    return not type(error).__module__.startswith("aiohttp.http")
