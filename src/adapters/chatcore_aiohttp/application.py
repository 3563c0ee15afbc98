"""The HTTP API as the parts of an aiohttp application of its own, as the bundled server has it."""

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from chatcore.errors import Internal, Invalid, NotFound, TooLarge
from chatcore_http.endpoints import PREFIX, Endpoint, Endpoints
from chatcore_http.guard import Guard
from chatcore_http.problems import method_not_allowed, problem
from chatcore_http.proxies import Proxies
from chatcore_http.responses import Response
from chatcore_socketio import SocketioServer
from chatcore_socketio.server import PATH
from chatcore_websocket import WebsocketServer
from chatcore_websocket.plain import PATH as WEBSOCKET

from .requests import aiohttp_response, defer_continue, drop_pure_request, keep_pure_request, pure_request
from .transport_writer import Flusher
from .websocket_upgrade import TransportUpgrade


def add_endpoints(app: web.Application, endpoints: Endpoints) -> None:
    """Serve the endpoints.

    aiohttp gets one route for all of them: it decodes a path before it looks for segments, and ``%2F`` would count as
    a slash.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        return aiohttp_response(await endpoints.answer(pure_request(request)))

    path = f"{PREFIX}/{{rest:(?s:.*)}}"  # any character, also a line break
    app.router.add_route("*", path, answer, expect_handler=defer_continue)


def add_pages(app: web.Application, endpoints: Sequence[Endpoint]) -> None:
    """Serve endpoints whose paths have no fields, at the root."""
    pages = Endpoints(endpoints, prefix="")

    async def answer(request: web.Request) -> web.StreamResponse:
        return aiohttp_response(await pages.answer(pure_request(request)))

    for endpoint in endpoints:
        app.router.add_route("*", endpoint.path, answer, expect_handler=defer_continue)


def add_guard(app: web.Application, guard: Guard) -> None:
    """Guard every handler of an application, and aiohttp's own answers."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        pure = keep_pure_request(request)
        try:
            if response := guard.first_response(pure):
                return aiohttp_response(response)
            return await handler(request)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            return aiohttp_response(_problem_of_http_error(error.with_traceback(None)))
        except Exception as error:  # noqa: BLE001
            return aiohttp_response(guard.error_response(pure, error))
        finally:
            drop_pure_request(request)

    async def add_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
        for name, value in guard.headers(pure_request(request)).items():
            response.headers.setdefault(name, value)

    app.middlewares.insert(0, answer)
    app.on_response_prepare.append(add_headers)


def add_proxies(app: web.Application, proxies: Proxies) -> None:
    """Give every handler and middleware of ``app`` the client's address as ``request.remote``, and its scheme.

    Call it after all other middlewares have been added.
    """

    @web.middleware
    async def forward(request: web.Request, handler: Handler) -> web.StreamResponse:
        forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
        client = proxies.client(request.remote, forwarded)
        schemes = request.headers.getall(hdrs.X_FORWARDED_PROTO, [])
        scheme = proxies.scheme(request.remote, forwarded, schemes) or request.scheme
        if client is not None and (client, scheme) != (request.remote, request.scheme):
            request = request.clone(remote=client, scheme=scheme)
        return await handler(request)

    if proxies.trusted:
        app.middlewares.insert(0, forward)


def add_socketio(app: web.Application, server: SocketioServer, path: str = PATH) -> None:
    """Serve Socket.IO at ``path`` until the shutdown of an application."""

    async def close(_: web.Application) -> None:
        await server.close()

    _add_sockets(app, server, path)
    app.on_shutdown.append(close)


def add_websocket(app: web.Application, server: WebsocketServer) -> None:
    """Serve the plain WebSocket."""
    _add_sockets(app, server, WEBSOCKET)


def _add_sockets(app: web.Application, server: SocketioServer | WebsocketServer, path: str) -> None:
    flusher = Flusher()

    async def answer(request: web.Request) -> web.StreamResponse:
        pure = pure_request(request)
        upgrade = TransportUpgrade(pure, request, flusher)
        response = await server.answer(pure, upgrade)
        return upgrade.response if response is None else aiohttp_response(response)

    app.router.add_route("*", path, answer, expect_handler=defer_continue)


def _problem_of_http_error(error: web.HTTPException) -> Response:
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
