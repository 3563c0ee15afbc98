"""A Socket.IO client that shows every frame: raw packets over aiohttp's websocket."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType

TIMEOUT_S = 15
"""Seconds that a test waits for a frame that should come at once."""


class RawClient:
    """One websocket. Received frames are sorted into ``texts``, ``pushes`` and ``answers``, and can be awaited."""

    def __init__(self, websocket: ClientWebSocketResponse, *, answers_pings: bool = True) -> None:
        self.websocket = websocket
        self.texts: list[str] = []
        self.pushes: list[tuple[str, Any]] = []
        self.answers: dict[int, Any] = {}
        self.order: list[str | int] = []
        """Names of pushes and ids of answers, in the order of arrival."""
        self.close_code: int | None = None
        self.answers_pings = answers_pings
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    # Received frames.

    @property
    def ready(self) -> Any:
        return self.bodies_of("ready")[0]

    @property
    def is_closed(self) -> bool:
        return self._reading.done()

    @property
    def last_answer(self) -> str:
        """The text of the latest answer, without the number of its command."""
        text = next(text for text in reversed(self.texts) if text.startswith("43"))
        return text[2:].lstrip("0123456789")

    def bodies_of(self, event: str) -> list[Any]:
        return [body for name, body in self.pushes if name == event]

    def entries(self, room: str) -> list[Any]:
        return [entry for entry in self.bodies_of("entry") if entry["room"] == room]

    async def until(self, condition: Callable[[Self], bool]) -> None:
        """Return once ``condition`` holds. Raises TimeoutError after `TIMEOUT_S`."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not condition(self):
                    if self._reading.done():
                        raise ConnectionError(f"closed with {self.close_code}; received {self.texts}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"received {self.texts}") from None

    async def closed(self) -> int | None:
        """Wait for the end of the websocket. Returns the close code."""
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.wait({self._reading})
        return self.close_code

    async def text(self, start: str) -> str:
        """Wait for a frame that begins with ``start``."""
        await self.until(lambda client: any(text.startswith(start) for text in client.texts))
        return next(text for text in self.texts if text.startswith(start))

    # Sending.

    async def send(self, *texts: str) -> None:
        for text in texts:
            await self.websocket.send_str(text)

    async def connect(self, token: str | None = "alice") -> Self:
        """Send CONNECT, and wait for `ready`."""
        await self.send("40" if token is None else "40" + json.dumps({"token": token}))
        await self.until(lambda client: bool(client.bodies_of("ready")))
        return self

    async def emit(self, *event: object, number: int | None = None) -> None:
        """Send an event. With ``number`` it requests an answer."""
        await self.send(f"42{'' if number is None else number}{json.dumps(event)}")

    async def call(self, event: str, data: object) -> Any:
        """Send a command and wait for its answer."""
        number = next(self._numbers)
        await self.emit(event, data, number=number)
        return await self.answered(number)

    async def answered(self, number: int) -> Any:
        await self.until(lambda client: number in client.answers)
        return self.answers[number]

    async def close(self) -> None:
        await self.websocket.close()
        self._reading.cancel()
        await asyncio.wait({self._reading})

    # Reading.

    async def _read(self) -> None:
        try:
            while True:
                message = await self.websocket.receive()
                if message.type is not WSMsgType.TEXT:
                    self.close_code = self.websocket.close_code
                    return
                await self._take(message.data)
                self._changed.set()
        finally:
            self._changed.set()

    async def _take(self, text: str) -> None:
        self.texts.append(text)
        if text == "2" and self.answers_pings:
            await self.websocket.send_str("3")
        elif text.startswith("42"):
            event, body = json.loads(text[2:])
            self.pushes.append((event, body))
            self.order.append(event)
        elif text.startswith("43"):
            number, _, answer = text[2:].partition("[")
            self.answers[int(number)] = json.loads("[" + answer)[0]
            self.order.append(int(number))


class RawClients:
    """Opens raw clients at one server."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self._opened: list[RawClient] = []

    async def open(self, *, sid: str | None = None, answers_pings: bool = True, **headers: str) -> RawClient:
        """Open a websocket without CONNECT. ``sid`` continues a polling session."""
        query = {"EIO": "4", "transport": "websocket"} | ({} if sid is None else {"sid": sid})
        websocket = await self.http.ws_connect(
            self.url, params=query, headers=headers, max_msg_size=0, autoclose=True, autoping=True
        )
        client = RawClient(websocket, answers_pings=answers_pings)
        self._opened.append(client)
        return client

    async def connect(self, token: str | None = "alice", *, answers_pings: bool = True) -> RawClient:
        """Open a websocket, send CONNECT, and wait for `ready`."""
        return await (await self.open(answers_pings=answers_pings)).connect(token)

    async def close(self) -> None:
        for client in self._opened:
            await client.close()


@asynccontextmanager
async def raw_clients(url: str) -> AsyncGenerator[RawClients]:
    """Clients for the Socket.IO path at ``url``, which ends with a slash."""
    async with ClientSession(connector=TCPConnector(limit=0)) as http:
        clients = RawClients(http, url)
        try:
            yield clients
        finally:
            await clients.close()
