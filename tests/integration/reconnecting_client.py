"""A client of the plain WebSocket that connects again when its connection ends, as official clients do."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse

from .official import COMES_BACK_S, OfficialClient

PAUSE_S = 0.2
"""Seconds between two attempts to connect."""
CONNECTS_AGAIN = (1001, 1011, 1012, 1013)
"""The close codes after which a client connects again, by the contract."""


class ReconnectingClient(OfficialClient):
    """A client that is used as an official client is."""

    def __init__(self, http: ClientSession, url: str, token: str) -> None:
        super().__init__()
        self._http = http
        self._url = url
        self._token = token
        self._websocket: ClientWebSocketResponse | None = None
        """The websocket, from `ready` to its end."""
        self._sending: set[asyncio.Task[None]] = set()
        self._running = asyncio.create_task(self._run())

    def emit(self, event: str, data: object) -> int:
        number = next(self._numbers)
        task = asyncio.create_task(self._send({"id": number, "event": event, "data": data}))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return number

    async def close(self) -> None:
        tasks = {self._running, *self._sending}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _send(self, frame: object) -> None:
        await self.until(lambda client: client._websocket, COMES_BACK_S)
        assert self._websocket is not None
        await self._websocket.send_str(json.dumps(frame))

    async def _run(self) -> None:
        code: int | None = 1012
        while code in CONNECTS_AGAIN:
            try:
                code = await self._live()
                self._arrive("life", "disconnect", code)
            except ClientError:
                await asyncio.sleep(PAUSE_S)

    async def _live(self) -> int | None:
        """Connect, and take what arrives. Returns the close code."""
        async with self._http.ws_connect(self._url) as websocket:
            await websocket.send_str(json.dumps({"event": "connect", "data": {"token": self._token}}))
            async for message in websocket:
                self._take(websocket, json.loads(message.data))
        self._websocket = None
        return websocket.close_code

    def _take(self, websocket: ClientWebSocketResponse, frame: Any) -> None:
        if "answer" in frame:
            self._arrive("answer", frame["id"], frame["answer"])
            return
        if frame["event"] == "ready":
            self._websocket = websocket
        self._arrive("push", frame["event"], frame["data"])


@asynccontextmanager
async def reconnecting_client(url: str, token: str) -> AsyncGenerator[ReconnectingClient]:
    """A client of the plain WebSocket at ``url``, after `ready`."""
    async with ClientSession() as http:
        client = ReconnectingClient(http, url, token)
        try:
            await client.until(lambda client: client.bodies_of("ready"))
            yield client
        finally:
            await client.close()
