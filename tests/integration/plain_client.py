"""A client of the plain WebSocket. What it receives can be awaited."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from .clients import TIMEOUT_S


class PlainClient:
    """One websocket."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.texts: list[str] = []
        self.frames: list[Any] = []
        """The objects in ``texts``."""
        self.close_code: int | None = None
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, http: ClientSession, url: str, **headers: str) -> Self:
        return cls(await http.ws_connect(url, headers=headers, max_msg_size=0))

    async def connect(self, token: str | None = "alice") -> Self:
        await self.send({"event": "connect", "data": {"token": token}} if token else {"event": "connect"})
        await self.until(lambda client: bool(client.bodies_of("ready")))
        return self

    @property
    def ready(self) -> Any:
        return self.bodies_of("ready")[0]

    @property
    def is_closed(self) -> bool:
        return self._reading.done()

    @property
    def last_answer(self) -> str:
        """The text of the latest answer, without the id of its command."""
        text = next(text for text in reversed(self.texts) if "answer" in json.loads(text))
        return re.sub(r'"id":\d+,', "", text, count=1)

    def bodies_of(self, event: str) -> list[Any]:
        return [frame["data"] for frame in self.frames if frame.get("event") == event]

    async def send(self, frame: object) -> None:
        await self.websocket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def call(self, event: str, data: object) -> Any:
        number = next(self._numbers)
        await self.send({"id": number, "event": event, "data": data})
        return await self.answered(number)

    async def answered(self, id: int | str) -> Any:  # noqa: A002
        await self.until(lambda client: any(frame.get("id") == id for frame in client.frames))
        return next(frame["answer"] for frame in self.frames if frame.get("id") == id)

    async def until(self, condition: Callable[[Self], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not condition(self):
                if self._reading.done():
                    raise ConnectionError(f"closed with {self.close_code}; received {self.frames}")
                self._changed.clear()
                await self._changed.wait()

    async def closed(self) -> int | None:
        """Wait for the end. Returns the close code."""
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.wait({self._reading})
        return self.close_code

    async def close(self) -> None:
        await self.websocket.close()
        await self.closed()

    async def _read(self) -> None:
        try:
            async for message in self.websocket:
                if message.type is WSMsgType.TEXT:
                    self.texts.append(message.data)
                    self.frames.append(json.loads(message.data))
                    self._changed.set()
        finally:
            self.close_code = self.websocket.close_code
            self._changed.set()


class PlainClients:
    """Opens clients at one server."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self._opened: list[PlainClient] = []

    async def open(self, **headers: str) -> PlainClient:
        """Open a websocket, and send nothing."""
        client = await PlainClient.open(self.http, self.url, **headers)
        self._opened.append(client)
        return client

    async def connect(self, token: str | None = "alice") -> PlainClient:
        """Open a websocket, connect, and wait for `ready`."""
        return await (await self.open()).connect(token)

    async def close(self) -> None:
        for client in self._opened:
            await client.close()


@asynccontextmanager
async def plain_clients(url: str) -> AsyncGenerator[PlainClients]:
    """Clients for the plain WebSocket at ``url``."""
    async with ClientSession() as http:
        clients = PlainClients(http, url)
        try:
            yield clients
        finally:
            await clients.close()
