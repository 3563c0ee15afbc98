"""Chat in a namespace of a host's own python-socketio server: `python namespace.py 5000`, clients connect to /chat.

Three promises fail there, which `mount` and `ChatApp` keep: a client that never reads fills the memory, a push may
overtake the answer to its command, and a client whose socket was closed may keep its TCP connection.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

import socketio
from aiohttp import web

from chatcore import Chat, Outbox
from chatcore_memory import MemoryStore

# In tasks of their own (async_handlers) commands lose their order; before always_connect a push is dropped.
server: Any = socketio.AsyncServer(async_handlers=False, always_connect=True)  # type: ignore[no-untyped-call]
chat = Chat(MemoryStore())
sockets: dict[str, Any] = {}


async def connect(sid: str, _: object, auth: dict[str, str]) -> None:
    opening = chat.connect(outbox := Outbox(), user=auth["user"])  # your program checks a session here
    sockets[sid] = await opening.__aenter__(), opening, asyncio.create_task(push(sid, outbox))


async def push(sid: str, outbox: Outbox) -> None:
    async def emit(text: str) -> None:
        frame = json.loads(text)
        await server.emit(frame["event"], frame["data"], to=sid, namespace="/chat")

    await outbox.run(emit)
    await server.disconnect(sid, namespace="/chat")


async def command(event: str, sid: str, data: object = None) -> object:
    await sockets[sid][0].receive(event, data, (answer := asyncio.Future[object]()).set_result)
    return await answer


async def disconnect(sid: str, _: object) -> None:
    _, opening, pushing = sockets.pop(sid)
    pushing.cancel()
    await opening.__aexit__(None, None, None)


async def chatting(_: web.Application) -> AsyncGenerator[None]:
    for event, handler in {"connect": connect, "*": command, "disconnect": disconnect}.items():
        server.on(event, handler, namespace="/chat")
    async with chat:
        yield


if __name__ == "__main__":
    server.attach(host := web.Application())
    host.cleanup_ctx.append(chatting)
    web.run_app(host, host="127.0.0.1", port=int(sys.argv[1]))
