"""What stands around every handler: hosts, origins, errors, and the headers of every answer."""

import logging
from collections.abc import Collection, Hashable, Mapping
from http import HTTPStatus
from traceback import walk_tb

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from attrs import field, frozen

from chatcore.errors import ChatError, Internal, Invalid, NotFound, TooLarge
from chatcore.ports.log_throttle import LogThrottle

from .hosts import Hosts
from .origins import Origins, is_preflight, preflight
from .problems import problem

EVERYWHERE = {
    hdrs.VARY: hdrs.ORIGIN,
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
}

log = logging.getLogger(__name__)


@frozen
class Guard:
    """Lets requests for admitted hosts and of admitted origins in, and answers whatever their handlers raise.

    Attributes:
        any_host: paths that are served whatever the host: a supervisor asks them by an address.
    """

    origins: Origins
    hosts: Hosts = field(factory=Hosts)
    any_host: Collection[str] = ()
    _throttle: LogThrottle = field(factory=LogThrottle, init=False)
    """A failure is logged once a minute for each place in the code: a client without an account may cause it."""

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
        # Refusals are freed without their tracebacks: a frame that keeps its error is a reference cycle.
        try:
            return await handler(request)
        except ChatError as error:
            return problem(error.with_traceback(None))
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            return _problem_of(error.with_traceback(None))
        except Exception as error:
            if not _is_of_a_client_that_left(error, request) and self._throttle.admits(_place(error)):
                log.exception("%s %s failed", ascii(request.method), ascii(request.rel_url.raw_path))
            return problem(Internal())

    async def _add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        is_readable = self.hosts.admits(request) and not self.origins.refusal(request)
        cors: Mapping[str, str] = self.origins.headers(request) if is_readable else {}
        for name, value in {**EVERYWHERE, **cors}.items():
            response.headers.setdefault(name, value)


def _is_of_a_client_that_left(error: Exception, request: web.Request) -> bool:
    return isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing())


def _place(error: Exception) -> Hashable:
    """The line of code that raised ``error``."""
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    return type(error), frames[-1]


def _problem_of(error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals, in our words."""
    status = HTTPStatus(error.status)
    match status:
        case HTTPStatus.NOT_FOUND:
            return problem(NotFound())
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return problem(TooLarge())
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers: Mapping[str, str] = {hdrs.ALLOW: ", ".join(error.headers[hdrs.ALLOW].split(","))}
            return problem(
                Invalid("Method not allowed; the Allow header lists the methods of this path."),
                status=status,
                headers=headers,
            )
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return problem(Invalid(error.text), status=status)
        case _:
            return problem(Internal(), status=status)
