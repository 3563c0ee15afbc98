"""`chatcore send`: messages that stay in an outbox until the server has them, also if the process ends before."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, field

from chatcore_client import Client, ClientEnded, ClientError, Message, Room

from .connecting import connected, online, outbox, together
from .display import safe
from .errors import FAILED, TEMPORARY, CommandError
from .sessions import Session
from .targets import room_of

AHEAD_MAX = 100
"""Messages that are read and not answered yet."""
SHOWN = 60
"""Characters of a message in an error."""


def kept_text(session: Session) -> str:
    """Return one sentence about the messages that wait in the outbox; empty if there are none."""
    with suppress(OSError, ValueError):  # the command has said what is wrong with the outbox
        if count := len(list(outbox(session).load())):
            return f"{count} message{' is' if count == 1 else 's are'} kept, and will go with the next send or chat."
    return ""


async def send(session: Session, to: str, lines: AsyncIterator[str], *, as_json: bool, wait_s: int | None) -> int:
    """Send messages in their order, and those that an earlier command has left in the outbox.

    Args:
        session: the user.
        to: a user or a room.
        lines: the messages.
        as_json: whether to print an object for each message.
        wait_s: seconds to wait for the answer to a message; None waits until there is one.

    Returns:
        The exit code: 0, or 1 if the server refused a message.

    Raises:
        CommandError: the user has to sign in anew, a line is no message, or there is no answer within ``wait_s``.
    """
    store = outbox(session)
    async with connected(session, store) as client:
        reports = Reports(as_json, wait_s)
        earlier = list(store.load())
        await together(send_all(room_of(client, to), lines, reports), _report_earlier(client, earlier, reports))
    return reports.code


async def send_all(
    room: Room, lines: AsyncIterator[str], reports: "Reports", *, on_send: Callable[[Message], object] | None = None
) -> None:
    """Send each line as a message, and wait for the answers to all of them. Raises as ``lines`` does, after that."""
    messages: asyncio.Queue[Message | None] = asyncio.Queue(AHEAD_MAX)

    async def put_all() -> None:
        try:
            async for line in lines:
                message = room.send(line)
                if on_send:
                    on_send(message)
                await messages.put(message)
        except Exception:
            await messages.put(None)
            raise
        await messages.put(None)

    sending = asyncio.create_task(put_all())
    try:
        while message := await messages.get():
            await reports.report(room, message)
        await sending
    finally:
        sending.cancel()


async def _report_earlier(client: Client, items: Sequence[dict[str, Any]], reports: "Reports") -> None:
    """Report the messages that an earlier command has left in the outbox, once the client knows their rooms."""
    if not items:
        return
    await online(client)
    for item in items:
        room = client.room(with_=item["to"]) if "to" in item else client.room(item["room"])
        for message in room.messages.snapshot():
            if message.key == item["key"]:
                await reports.report(room, message)


@define
class Reports:
    """Reports what becomes of messages.

    Attributes:
        code: the exit code of all messages so far.
    """

    _as_json: bool = False
    _wait_s: int | None = None
    code: int = field(default=0, init=False)

    async def report(self, room: Room, message: Message) -> None:
        """Wait for the answer to a message. A refused message leaves the outbox."""
        try:
            async with asyncio.timeout(self._wait_s):
                seq = await message.done
        except TimeoutError as error:
            raise CommandError(f"There is no answer within {self._wait_s} s.", TEMPORARY) from error
        except ClientEnded:
            raise
        except ClientError as error:
            self.code = FAILED
            message.discard()
            self._print({"room": room.id, "key": message.key, "error": error.error})
            body = safe(message.body or "")
            body = f"{body[:SHOWN]}…" if len(body) > SHOWN else body
            print(f"chatcore: not sent: {body} ({safe(str(error))})", file=sys.stderr)
        else:
            self._print({"room": room.id, "key": message.key, "seq": seq})

    def _print(self, answer: dict[str, Any]) -> None:
        if self._as_json:
            print(json.dumps(answer), flush=True)
