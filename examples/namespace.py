"""Chat in a namespace of a host's own python-socketio server: `python namespace.py 5000`, clients connect to /chat.

Three promises fail there, which `mount` and `ChatApp` keep: a client that never reads fills the memory, a push may
overtake the answer to its command, and a client whose socket was closed may keep its TCP connection.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import socketio
from aiohttp import web

from chatcore import Bye, Chat, Push
from chatcore.protocol import push_object
from chatcore_memory import MemoryStore


class Client:
    """The `Connection` of one client. One task sends its pushes in their order."""

    def __init__(self, server: Any, sid: str) -> None:
        self.id, self.pushes = sid, asyncio.Queue[Push | Bye]()
        self.send = self.close = self.pushes.put_nowait
        self.task = asyncio.create_task(self.run(server))

    async def drained(self) -> None: ...

    async def run(self, server: Any) -> None:
        while isinstance(push := await self.pushes.get(), Push):
            await server.emit(push.event, push_object(push.body), to=self.id, namespace="/chat")
        await server.emit("bye", {"code": push.code}, to=self.id, namespace="/chat")
        await server.disconnect(self.id, namespace="/chat")


async def chat(app: web.Application) -> AsyncIterator[None]:
    # In tasks of their own (async_handlers) commands lose their order; before always_connect a push is dropped.
    options: Any = {"async_mode": "aiohttp", "async_handlers": False, "always_connect": True}
    server: Any = socketio.AsyncServer(**options)  # type: ignore[no-untyped-call]
    server.attach(app)
    sockets: dict[str, Any] = {}
    async with Chat(MemoryStore()) as entered:

        async def connect(sid: str, _: object, auth: dict[str, str]) -> None:
            opening = entered.connect(client := Client(server, sid), user=auth["user"])
            sockets[sid] = await opening.__aenter__(), opening, client.task

        async def command(event: str, sid: str, data: object = None) -> object:
            answer = asyncio.get_running_loop().create_future()
            await sockets[sid][0].receive(event, data, answer.set_result)
            return await answer

        async def disconnect(sid: str, _: object) -> None:
            _, opening, task = sockets.pop(sid)
            task.cancel()
            await opening.__aexit__(None, None, None)

        for event, handler in (("connect", connect), ("*", command), ("disconnect", disconnect)):
            server.on(event, handler, namespace="/chat")
        yield


if __name__ == "__main__":
    (host := web.Application()).cleanup_ctx.append(chat)
    web.run_app(host, host="127.0.0.1", port=int(sys.argv[1]))
