"""The servers that the official suites require: Engine.IO and Socket.IO that echo what a client sends.

Both are `SocketioServer`. Engine.IO sends back the payload of a message. Socket.IO sends back the object of an event,
as a push or as the acknowledgement.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiohttp import web
from attrs import define

from chatcore import Chat, Credentials, Entry, Principal
from chatcore.ports.connection import Connection
from chatcore.ports.pushes import Push
from chatcore.protocol import Object
from chatcore_aiohttp import add_socketio
from chatcore_aiohttp.frames import text_frame
from chatcore_socketio import SocketioServer, session
from chatcore_socketio.packet_handler import PacketHandler
from chatcore_websocket import Timing, Websockets

from ...clients import TIMEOUT_S, RawClient, RawClients, raw_clients

STRICT = Timing(ping_interval=0.3, ping_timeout=0.2, connect_timeout=0.5)
"""The heartbeat that the suites require."""
PATIENT = Timing(ping_interval=0.3)
"""The same interval. A PONG may take 20 s, so that no test fails on a busy machine."""
WITHOUT_TOKEN = "guest"


class EchoPush(Push):
    """A push with any event name and object, which the domain does not have."""

    def encoded(self, encode: Callable[[Push], bytes]) -> bytes:
        return text_frame("42" + json.dumps([self.event, self.body], separators=(",", ":")))


class EchoSocket:
    """Replaces the server's `chatcore.Socket`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def receive(self, event: str, data: object, answer: Callable[[Object], None] | None = None) -> None:
        if event == "message-with-ack" and answer:
            answer(cast("Object", data))
        elif event == "message":
            self._connection.send(EchoPush("message-back", cast("Entry", data)))

    def end(self) -> None:
        """Do nothing: `receive` never waits."""


class EchoChat:
    """Replaces the server's `Chat`. The first push has the payload of CONNECT."""

    async def authenticated(
        self, authenticate: Callable[[str | None], Awaitable[Principal]], token: str | None
    ) -> Principal:
        return await authenticate(token)

    @asynccontextmanager
    async def connect(self, connection: Connection, *, user: str, **_: object) -> AsyncGenerator[EchoSocket]:
        connection.send(EchoPush("auth", cast("Entry", {} if user == WITHOUT_TOKEN else {"token": user})))
        yield EchoSocket(connection)


class EnginePacketHandler(PacketHandler):
    """Replaces the handler of Socket.IO packets by plain Engine.IO, which sends back each message."""

    async def run(self) -> None:
        self.has_received_connect = True
        while (payload := await self.queue.take()) is not None:
            self._writer.write(text_frame("4" + payload))


async def authenticate(credentials: Credentials) -> Principal:
    return Principal(credentials.token or WITHOUT_TOKEN)


@define
class Echo:
    """A running server."""

    server: SocketioServer
    clients: RawClients

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that no event announces."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def request(self, method: str, query: dict[str, str], body: str | None = None) -> tuple[int, str]:
        async with self.clients.http.request(method, self.clients.url, params=query, data=body) as answer:
            return answer.status, await answer.text()

    async def open_polling(self) -> str:
        """Open a session by long polling. Returns its id."""
        _, packet = await self.request("GET", {"EIO": "4", "transport": "polling"})
        return str(json.loads(packet[1:])["sid"])

    async def poll(self, sid: str) -> tuple[int, str]:
        return await self.request("GET", {"EIO": "4", "transport": "polling", "sid": sid})

    async def start_poll(self, sid: str) -> asyncio.Task[tuple[int, str]]:
        """Send a GET, and return it once the server has received it and not answered."""
        waiting = asyncio.create_task(self.poll(sid))
        await self.until(lambda: self.server._polling_sessions.find(sid)._is_polled)
        return waiting

    async def post(self, sid: str, body: str) -> tuple[int, str]:
        return await self.request("POST", {"EIO": "4", "transport": "polling", "sid": sid}, body)

    async def upgrade(self, sid: str) -> RawClient:
        """Open a websocket for the session, and probe it."""
        client = await self.clients.open(sid=sid)
        await client.send("2probe")
        await client.text("3probe")
        return client


@asynccontextmanager
async def socket_echo(timing: Timing, *, path: str = "/socket.io/", port: int = 0) -> AsyncGenerator[Echo]:
    """Serve Socket.IO that sends back events."""
    server = SocketioServer(Websockets(cast("Chat", EchoChat()), authenticate, timing=timing))
    app = web.Application()
    add_socketio(app, server, path)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        async with raw_clients(f"http://127.0.0.1:{site.port}{path}") as clients:
            yield Echo(server, clients)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def engine_echo(timing: Timing, *, path: str = "/engine.io/", port: int = 0) -> AsyncGenerator[Echo]:
    """Serve Engine.IO that sends back messages."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(session, "PacketHandler", EnginePacketHandler)
        async with socket_echo(timing, path=path, port=port) as echo:
            yield echo


def opened(packet: str) -> Any:
    """Return the payload of an ``open`` packet."""
    assert packet.startswith("0")
    payload = json.loads(packet[1:])
    assert payload.keys() == {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
    assert type(payload["sid"]) is str
    assert (payload["pingInterval"], payload["pingTimeout"], payload["maxPayload"]) == (300, 200, 65_536)
    return payload
