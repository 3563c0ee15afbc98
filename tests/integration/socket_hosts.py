"""Programs with the websockets of a Chat: the bundled server's, an aiohttp application, and ChatApp on uvicorn."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import ClientSession, web
from attrs import define

from chatcore import Chat, Credentials, Principal, Unavailable
from chatcore.chat import utc_now
from chatcore.ports.authenticator import Authenticator
from chatcore_aiohttp import add_guard, add_socketio, add_websocket, mount
from chatcore_asgi import ChatApp
from chatcore_http import Guard, Origins
from chatcore_memory import MemoryRegistry, MemoryStore
from chatcore_socketio import SocketioServer
from chatcore_websocket import Websockets, WebsocketServer

from .clients import RawClients, raw_clients
from .http_hosts import aiohttp_listening, uvicorn_listening
from .plain_client import PlainClient

PREFIX = "/chat"
HOSTS = ("aiohttp", "wsproto", "websockets-sansio")
EVERYWHERE = ("server", *HOSTS)


async def authenticate(credentials: Credentials) -> Principal | None:
    """``bob`` is bob, by his token or by the cookie ``user``."""
    token = credentials.token or credentials.cookies.get("user")
    match token:
        case None | "nobody":
            return None
        case "down":
            raise Unavailable
        case _:
            expires_at = utc_now() + timedelta(seconds=0.5) if token == "expiring" else None
            return Principal(token, expires_at=expires_at, session=f"of {token}")


@define
class SocketHost:
    chat: Chat
    url: str
    """The URL of the place of the sockets."""
    http: ClientSession
    clients: RawClients
    """Socket.IO clients that show every frame."""

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0])

    async def open(self, **headers: str) -> PlainClient:
        """Open a plain WebSocket."""
        return await PlainClient.open(self.http, f"{self.url}/ws", **headers)

    async def connect(self, token: str = "alice") -> PlainClient:
        return await (await self.open()).connect(token)


@asynccontextmanager
async def socket_host(kind: str, authenticate: Authenticator = authenticate) -> AsyncGenerator[SocketHost]:
    """Serve a Chat.

    Args:
        kind: ``server`` for the websockets of the bundled server, ``aiohttp`` for a mount in an application, or a
            websocket implementation of uvicorn for ChatApp.
        authenticate: that of the host.
    """
    chat = Chat(MemoryStore(), registry=MemoryRegistry())
    async with (
        _listening(kind, chat, authenticate, Origins.parse("https://page.example")) as url,
        ClientSession() as http,
        raw_clients(f"{url}/socket.io/") as clients,
    ):
        yield SocketHost(chat, url, http, clients)


@asynccontextmanager
async def _listening(kind: str, chat: Chat, authenticate: Authenticator, origins: Origins) -> AsyncGenerator[str]:
    """Serve a Chat, and yield the URL of the place of its sockets."""
    match kind:
        case "server":
            app = web.Application()
            websockets = Websockets(chat, authenticate, origins=origins)
            add_guard(app, Guard(origins))
            add_socketio(app, SocketioServer(websockets))
            add_websocket(app, WebsocketServer(websockets))
            async with chat, aiohttp_listening(app) as url:
                yield url
        case "aiohttp":
            app = web.Application()
            mount(app, PREFIX, chat, authenticate, origins=origins)
            async with aiohttp_listening(app) as url:
                yield url + PREFIX
        case _:
            chat_app = ChatApp(chat, authenticate, prefix=PREFIX, origins=origins)
            async with uvicorn_listening(chat_app, ws=kind) as url:
                yield url + PREFIX
