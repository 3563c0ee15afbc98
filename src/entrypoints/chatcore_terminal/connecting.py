"""The client of a signed-in user, and what the terminal says about its connection."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from chatcore_client import Client, ClientEnded, ClientError, FileStore, SignedOut, Status, Store, connect

from .display import safe
from .errors import TEMPORARY, USAGE, CommandError
from .sessions import Session, SessionFile, name_of, state_folder

STDOUT = 1
PATIENCE_S = 2.0
"""Seconds after which a first connection that is not there is worth a line."""
RETRY_S = 0.5
"""Seconds before a question is asked again whose refusal is temporary and names no time."""


def outbox(session: Session) -> FileStore:
    """Return the file with the messages of a user that are not sent yet."""
    return FileStore(state_folder() / f"{name_of(session.url, session.user)}.outbox")


@asynccontextmanager
async def connected(session: Session, store: Store | None = None) -> AsyncGenerator[Client]:
    """Run a client, and say on stderr when it is offline, and when it is online again.

    Raises:
        CommandError: the client has ended: the user has to sign in anew, or the outbox cannot be used.
    """
    file = SessionFile.of(session.url, session.user)

    async def token(refused: str | None) -> str:
        try:
            return await file.token(refused)
        except CommandError as error:
            if error.exit_code == TEMPORARY:
                raise  # the client tries again
            raise SignedOut(str(error)) from error

    try:
        client = connect(session.url, token, store=store)
        async with client:
            watch = asyncio.create_task(_say_when_offline(client, session.url))
            try:
                yield client
            finally:
                watch.cancel()
    except ClientEnded as ended:
        raise CommandError(_why(ended, session), USAGE) from ended
    except (OSError, ValueError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CommandError(f"The outbox can't be used: {error}") from error


async def online(client: Client) -> Status:
    """Wait until the client is online. Raises `ClientEnded`."""
    async for status in client.status:
        if status.state == "online":
            return status
    raise ClientEnded(client.status.snapshot().error or {})


async def ask(client: Client, event: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a question, which is asked again after a temporary error.

    Raises:
        ClientError: it is refused.
    """
    while True:
        try:
            return await client.call(event, data)
        except ClientEnded:
            raise
        except ClientError as error:
            if not error.temporary:
                raise
            await asyncio.sleep(error.error.get("retry_after_ms", RETRY_S * 1000) / 1000)
            await online(client)


async def together(*commands: Coroutine[Any, Any, None]) -> None:
    """Run all until all have ended, or until the first one fails."""
    try:
        async with asyncio.TaskGroup() as group:
            for command in commands:
                group.create_task(command)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def until_output_closes() -> None:
    """Raise BrokenPipeError once standard output is a pipe that nothing reads any more.

    Otherwise a command that has nothing to print would not notice it.
    """
    closed = asyncio.Event()
    if stat.S_ISFIFO(os.fstat(STDOUT).st_mode):
        asyncio.get_running_loop().add_reader(STDOUT, closed.set)  # the end that is written is never readable
    try:
        await closed.wait()
    finally:
        asyncio.get_running_loop().remove_reader(STDOUT)
    raise BrokenPipeError


async def _say_when_offline(client: Client, url: str) -> None:
    """Print a line for each change between online and offline; the first one if there is no connection at once."""
    is_online = True
    try:
        async with asyncio.timeout(PATIENCE_S):
            await online(client)
    except TimeoutError:
        is_online = False
        say(_offline(client, url))
    except ClientEnded:
        return
    async for status in client.status:
        if is_online != (status.state == "online"):
            is_online = status.state == "online"
            if status.state != "ended":
                say("online again" if is_online else _offline(client, url))


def _offline(client: Client, url: str) -> str:
    error = client.status.snapshot().error or {}
    why = str(error.get("message") or f"{url} does not answer.")
    return f"offline; trying again. {why}"


def say(text: str) -> None:
    print(f"chatcore: {safe(text)}", file=sys.stderr, flush=True)


def _why(ended: ClientEnded, session: Session) -> str:
    if "message" in ended.error:
        return safe(str(ended))
    return f"The session of {safe(session.user)} at {session.url} was closed ({safe(ended.code)})."
