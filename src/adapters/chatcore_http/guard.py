"""What stands before and behind every endpoint: it checks host and origin, answers errors, and adds headers."""

import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from traceback import walk_tb
from typing import Final

from attrs import field, frozen

from chatcore.errors import ChatError, Internal, Invalid
from chatcore.log_throttle import LogThrottle

from .hosts import Hosts
from .origins import Origins, is_preflight, preflight
from .problems import problem
from .requests import INCOMPLETE, Disconnected, Request
from .responses import Response

SECURITY_HEADERS: Mapping[str, str] = {
    "Vary": "Origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every response."""

log: Final = logging.getLogger(__name__)


@frozen
class Guard:
    """Passes on requests for an admitted host and from an admitted origin, and answers the errors of their handlers.

    Attributes:
        origins: the admitted origins.
        hosts: the admitted hosts.
        any_host: paths that are served for any host, because a supervisor may request them by an address.
    """

    origins: Origins
    hosts: Hosts = field(factory=Hosts)
    any_host: Collection[str] = ()
    _throttle: LogThrottle = field(factory=LogThrottle, init=False)
    """Logs an unexpected error once a minute for each line of code: a client without an account may cause it."""

    async def answer(self, request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
        """Return the whole response to a request, whatever happens in its handler."""
        response = self.first_response(request)
        if response is None:
            try:
                response = await handler(request)
            except Exception as error:  # noqa: BLE001
                response = self.error_response(request, error)
        return response.with_headers(self.headers(request))

    def first_response(self, request: Request) -> Response | None:
        """Return the response to a request that no handler sees: a refused one, or a preflight; None for others."""
        if request.path not in self.any_host and (misdirected := self.hosts.refusal(request)):
            return misdirected
        if refusal := self.origins.refusal(request):
            return problem(refusal)
        return preflight() if is_preflight(request) else None

    def error_response(self, request: Request, error: Exception) -> Response:
        """Return the response to a request whose handler has raised ``error``."""
        # Without a traceback a refusal is freed at once: a frame that refers to its error is a reference cycle.
        if isinstance(error, ChatError):
            return problem(error.with_traceback(None))
        if isinstance(error, Disconnected):
            return problem(Invalid(INCOMPLETE))
        if self._throttle.admits(_raised_at(error)):
            log.error("%s %s failed", ascii(request.method), ascii(request.path), exc_info=error)
        return problem(Internal())

    def headers(self, request: Request) -> Mapping[str, str]:
        """Return the headers that every response has, and those that let an admitted page read it."""
        is_readable = self.hosts.admits(request) and not self.origins.refusal(request)
        return {**SECURITY_HEADERS, **(self.origins.headers(request) if is_readable else {})}


def _raised_at(error: Exception) -> Hashable:
    """Return the class of ``error`` and the line of code that raised it."""
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    return type(error), frames[-1] if frames else None
