"""chatcore as a part of a host's aiohttp application."""

from collections.abc import AsyncIterator, Callable, Mapping

from aiohttp import web
from attrs import evolve

from chatcore.chat import Chat
from chatcore.ports.authenticator import Authenticator
from chatcore_documents import document_endpoints
from chatcore_http import HttpApi, Origins
from chatcore_http.prefixes import check_prefix
from chatcore_socketio import SocketioServer
from chatcore_socketio.server import PATH as SOCKETIO
from chatcore_websocket import ConnectionLimits, Websockets, WebsocketServer
from chatcore_websocket.plain import PATH as WEBSOCKET

from .requests import aiohttp_response, defer_continue, pure_request
from .transport_writer import Flusher
from .websocket_upgrade import TransportUpgrade


def peer(request: web.BaseRequest) -> str | None:
    """Return the address at the other end of the connection."""
    return request.remote


def mount(
    app: web.Application,
    prefix: str,
    chat: Chat,
    authenticate: Authenticator,
    *,
    origins: Origins | None = None,
    limits: ConnectionLimits | None = None,
    remote: Callable[[web.Request], str | None] = peer,
) -> None:
    """Serve a Chat under a prefix of an aiohttp application: the HTTP API, Socket.IO and the plain WebSocket.

    The application enters the Chat when it starts, unless the host has entered it before. Nothing changes outside of
    the prefix. Several mounts in one application may share a Chat.

    Args:
        app: the application, or a part of it that is added with ``add_subapp``.
        prefix: a path such as ``/chat``. The API is at ``/chat/api/v1``, Socket.IO at ``/chat/socket.io/``, the
            plain WebSocket at ``/chat/ws``.
        chat: the Chat.
        authenticate: tells which user the credentials of a request belong to.
        origins: the web pages that may use it, in addition to those of the same host.
        limits: how many connections clients may hold open.
        remote: returns the address of a client. Behind a proxy the host knows whose word to take for it.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the prefix is not a plain path, or the application has a mount there.
        RuntimeError: the application has been started, or was added with ``add_subapp``.
    """
    check_prefix(prefix)
    path = f"{prefix}/{{below:(?s:.*)}}"
    if app.frozen or app.router.frozen:
        raise RuntimeError(f"mount {prefix} before the application starts or is added: its routes are fixed after that")
    if any(resource.canonical == f"{prefix}/{{below}}" for resource in app.router.resources()):
        raise ValueError(f"{prefix} is mounted already: choose another prefix, or mount one Chat there")
    api = HttpApi(chat, authenticate, origins=origins, documents=document_endpoints)
    websockets = Websockets(chat, authenticate, origins=origins, limits=limits)
    socketio = SocketioServer(websockets)
    sockets: Mapping[str, SocketioServer | WebsocketServer] = {
        SOCKETIO: socketio,
        WEBSOCKET: WebsocketServer(websockets),
    }
    flusher = Flusher()

    async def answer(request: web.Request) -> web.StreamResponse:
        pure = evolve(pure_request(request), path=_path_below(request), remote=remote(request))
        if (server := sockets.get(pure.path)) is None:
            return aiohttp_response(await api.answer(pure))
        upgrade = TransportUpgrade(pure, request, flusher)
        response = await server.answer(pure, upgrade)
        return upgrade.response if response is None else aiohttp_response(response)

    async def enter(_: web.Application) -> AsyncIterator[None]:
        if chat.is_entered:
            yield
            return
        async with chat:
            yield

    async def close(_: web.Application) -> None:
        await socketio.close()

    app.router.add_route("*", path, answer, expect_handler=defer_continue)
    app.cleanup_ctx.append(enter)
    app.on_shutdown.append(close)


def _path_below(request: web.Request) -> str:
    """Return the path below the mount as it was sent. Applications around the mount's add to the prefix."""
    resource = request.match_info.route.resource
    depth = resource.canonical.count("/") if resource else 0
    return "/" + request.rel_url.raw_path.split("/", depth)[-1]
