"""A WebSocket of a FastAPI application's own, with the frames of the plain WebSocket (docs/protocol.md).

pip install fastapi uvicorn websockets, and chatcore. Then: uvicorn fastapi_websocket:app, in the folder of this file.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

import anyio
from fastapi import FastAPI, Header, WebSocket, WebSocketDisconnect, WebSocketException

from chatcore import Chat, Outbox, Socket
from chatcore_memory import MemoryStore

USERS = {"token of alice": "alice", "token of bob": "bob"}

chat = Chat(MemoryStore())


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    async with chat:
        yield


app = FastAPI(lifespan=lifespan)


@app.websocket("/chat")
async def serve(websocket: WebSocket, authorization: Annotated[str, Header()] = "") -> None:
    user = USERS.get(authorization.removeprefix("Bearer "))
    if user is None:
        raise WebSocketException(1008)
    await websocket.accept()
    outbox = Outbox()
    async with chat.connect(outbox, user=user) as socket, anyio.create_task_group() as tasks:
        tasks.start_soon(read, websocket, socket, outbox, tasks.cancel_scope)
        try:
            bye = await outbox.run(websocket.send_text)
            await websocket.close(bye.close_code)
        except WebSocketDisconnect:
            pass  # the client has left
        tasks.cancel_scope.cancel()


async def read(websocket: WebSocket, socket: Socket, outbox: Outbox, serving: anyio.CancelScope) -> None:
    try:
        while True:
            frame: Any = await websocket.receive_json()
            answer = partial(outbox.answer, frame["id"]) if "id" in frame else None
            await socket.receive(frame["event"], frame.get("data"), answer)
    except (WebSocketDisconnect, ValueError, KeyError, TypeError):
        serving.cancel()  # the client has left, or does not follow the protocol
