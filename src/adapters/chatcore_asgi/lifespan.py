"""The lifespan of the outer application of a server (ASGI lifespan protocol)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from chatcore.errors import StoreError

from .protocol import ASGIApp, Message, Receive, Scope, Send

log: Final = logging.getLogger(__name__)


class StartupFailed(Exception):
    """An application could not be started. The text is its message."""


async def serve_lifespan(receive: Receive, send: Send, parts: Sequence[AbstractAsyncContextManager[Any]]) -> None:
    """Enter ``parts`` when the server starts, and leave them in reverse order when it stops."""
    await receive()
    async with AsyncExitStack() as entered:
        try:
            for part in parts:
                await entered.enter_async_context(part)
        except Exception as error:
            if not isinstance(error, StartupFailed | StoreError):  # their text, which the server logs, says it all
                log.exception("startup failed")
            await entered.aclose()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def running(app: ASGIApp, scope: Scope) -> AsyncGenerator[None]:
    """Run the lifespan of an application while the block runs, if it has one.

    Raises:
        StartupFailed: the application could not be started.
    """
    events: asyncio.Queue[Message] = asyncio.Queue()
    answers: asyncio.Queue[Message] = asyncio.Queue()
    serving = asyncio.create_task(_serve(app, scope, events, answers))
    events.put_nowait({"type": "lifespan.startup"})
    answer = await answers.get()
    if answer["type"] == "lifespan.startup.failed":
        await serving
        raise StartupFailed(answer.get("message", ""))
    try:
        yield
    finally:
        events.put_nowait({"type": "lifespan.shutdown"})
        await serving


async def _serve(
    app: ASGIApp, scope: Scope, events: "asyncio.Queue[Message]", answers: "asyncio.Queue[Message]"
) -> None:
    """Serve the lifespan of an application to its end. One that knows none ends at once, often with an exception."""
    is_started = False

    async def send(message: Message) -> None:
        nonlocal is_started
        is_started = True
        answers.put_nowait(message)

    try:
        await app(scope, events.get, send)
    except Exception:
        if is_started:
            log.exception("lifespan of the other application failed")
    if not is_started:
        answers.put_nowait({"type": "lifespan.startup.complete"})
