"""The middleware of every handler. It checks host and origin, answers errors, and adds headers."""

import logging
from collections.abc import Collection, Hashable, Mapping
from http import HTTPStatus
from traceback import walk_tb

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from attrs import field, frozen

from chatcore.errors import ChatError, Internal, Invalid, NotFound, TooLarge
from chatcore.log_throttle import LogThrottle

from .hosts import Hosts
from .origins import Origins, is_preflight, preflight
from .problems import method_not_allowed, problem

SECURITY_HEADERS = {
    hdrs.VARY: hdrs.ORIGIN,
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every response."""

log = logging.getLogger(__name__)


@frozen
class Guard:
    """Passes requests for an admitted host and from an admitted origin on, and answers the errors of their handlers.

    Attributes:
        origins: the admitted origins.
        hosts: the admitted hosts.
        any_host: paths that are served for any host: a supervisor may request them by an address.
    """

    origins: Origins
    hosts: Hosts = field(factory=Hosts)
    any_host: Collection[str] = ()
    _throttle: LogThrottle = field(factory=LogThrottle, init=False)
    """Logs an unexpected error once a minute for each line of code: a client without an account may cause it."""

    def add_to(self, app: web.Application) -> None:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answer(request, handler)

        app.middlewares.insert(0, guard)
        app.on_response_prepare.append(self._add_headers)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in self.any_host and (misdirected := self.hosts.refusal(request)):
            return misdirected
        if refusal := self.origins.refusal(request):
            return problem(refusal)
        if is_preflight(request):
            return preflight()
        # Without their tracebacks, refusals are freed at once: a frame that refers to its error is a reference cycle.
        try:
            return await handler(request)
        except ChatError as error:
            return problem(error.with_traceback(None))
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            return _problem_of_http_error(error.with_traceback(None))
        except Exception as error:
            if not _is_lost_connection(error, request) and self._throttle.admits(_raised_at(error)):
                log.exception("%s %s failed", ascii(request.method), ascii(request.rel_url.raw_path))
            return problem(Internal())

    async def _add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        is_readable = self.hosts.admits(request) and not self.origins.refusal(request)
        cors: Mapping[str, str] = self.origins.headers(request) if is_readable else {}
        for name, value in {**SECURITY_HEADERS, **cors}.items():
            response.headers.setdefault(name, value)


def _is_lost_connection(error: Exception, request: web.Request) -> bool:
    return isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing())


def _raised_at(error: Exception) -> Hashable:
    """Return the class of ``error`` and the line of code that raised it."""
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    return type(error), frames[-1]


def _problem_of_http_error(error: web.HTTPException) -> web.Response:
    """Return an error of aiohttp as problem details."""
    status = HTTPStatus(error.status)
    match status:
        case HTTPStatus.NOT_FOUND:
            return problem(NotFound())
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return problem(TooLarge())
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return method_not_allowed(error.headers[hdrs.ALLOW].split(","))
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return problem(Invalid(error.text), status=status)
        case _:
            return problem(Internal(), status=status)
