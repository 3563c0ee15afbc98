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


def configure(stream: TextIO = sys.stderr) -> None:
    """Send everything that anybody logs, from `logging.INFO` up, to ``stream``."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(foreign_pre_chain=_BEFORE, processors=_rendering(stream.isatty())))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    structlog.configure(
        processors=[*_BEFORE, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        """The line without tokens: an exception's text may quote what it choked on."""
        return _TOKENS.sub("[token]", super().format(record))


def _rendering(terminal: bool) -> list[Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    # No formatter that shows local variables: passwords stand in them.
    if terminal:
        return [remove, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [remove, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _is_ours(record: logging.LogRecord) -> bool:
    """aiohttp logs every malformed request as an error, with the line that it could not read: anybody's noise."""
    error = record.exc_info[1] if record.exc_info else None
    return not type(error).__module__.startswith("aiohttp.http")


_BEFORE: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
