"""Programs of hosts with the websockets of a Chat: an aiohttp application, and ChatApp on uvicorn."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import ClientSession, web
from attrs import define

from chatcore import Chat, Credentials, Principal, Unavailable
from chatcore.chat import utc_now
from chatcore.ports.authenticator import Authenticator
from chatcore_aiohttp import mount
from chatcore_asgi import ChatApp
from chatcore_http import Origins
from chatcore_memory import MemoryRegistry, MemoryStore

from .clients import RawClients, raw_clients
from .http_hosts import aiohttp_listening, uvicorn_listening
from .plain_client import PlainClient

PREFIX = "/chat"
HOSTS = ("aiohttp", "wsproto", "websockets-sansio")


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
    """The URL of the mount."""
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
    """Serve a Chat in an aiohttp application, or in ChatApp on uvicorn with one of its websocket implementations."""
    chat = Chat(MemoryStore(), registry=MemoryRegistry())
    origins = Origins.parse("https://page.example")
    if kind == "aiohttp":
        app = web.Application()
        mount(app, PREFIX, chat, authenticate, origins=origins)
        listening = aiohttp_listening(app)
    else:
        listening = uvicorn_listening(ChatApp(chat, authenticate, prefix=PREFIX, origins=origins), ws=kind)
    async with listening as url, ClientSession() as http, raw_clients(f"{url}{PREFIX}/socket.io/") as clients:
        yield SocketHost(chat, url + PREFIX, http, clients)
