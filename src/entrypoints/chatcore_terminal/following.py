"""`chatcore tail` and `chatcore chat`: the entries of rooms, each once and in order.

A Room says that it has new entries; they are then read page by page from the last one that was shown. So nothing is
missed after a break, edits and deletions are shown too, and the memory that it takes does not grow.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

from attrs import define

from chatcore_client import Client, ClientError, Message

from .connecting import ask, connected, outbox, say, together, until_output_closes
from .display import safe
from .errors import CommandError
from .printer import Entry, RoomInfo, print_entry, print_entry_with_room, print_json
from .sending import Reports, send_all
from .sessions import Session
from .targets import history_of, is_user, room_of

PAGE = 199
"""Entries of a page besides the one at its anchor: the server gives 200."""
FIRST_MAX = 50
"""Entries to show of a room that the user has come to, at most."""

Show: TypeAlias = Callable[[Entry, RoomInfo], object]


@define
class Cursor:
    """The last entry of a room that was shown."""

    epoch: str
    seq: int


async def tail(session: Session, to: str | None, *, lines: int, as_json: bool) -> None:
    """Print what is written to a room, or to all rooms of the user, until the process is interrupted.

    Args:
        session: the user.
        to: a user or a room; None for all rooms.
        lines: messages from before to begin with, of one room.
        as_json: whether to print entries as JSON objects.
    """
    async with connected(session) as client:
        if to is None:
            following = _follow_all(client, print_json if as_json else print_entry_with_room)
        else:
            following = _follow_one(client, to, lines, print_json if as_json else print_entry)
        await together(following, until_output_closes())


async def chat(session: Session, to: str, typed: AsyncIterator[str], *, lines: int) -> int:
    """Show what is written to a room, and send what is typed, until the end of the input. Returns the exit code.

    What was typed here is on the terminal already, so it is not shown again.
    """
    async with connected(session, outbox(session)) as client:
        room, reports = room_of(client, to), Reports()
        own: set[str | None] = set()

        def note(message: Message) -> None:
            own.add(message.key)

        def show(entry: Entry, info: RoomInfo) -> None:
            if entry.get("key") in own:
                own.discard(entry["key"])
            else:
                print_entry(entry, info)
            room.mark(entry["seq"])

        following = asyncio.create_task(_follow_one(client, to, lines, show))
        sending = asyncio.create_task(send_all(room, typed, reports, on_send=note))
        try:
            await asyncio.wait({following, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in (following, sending):
                if task.done():
                    task.result()
        finally:
            following.cancel()
            sending.cancel()
    return reports.code


async def _follow_one(client: Client, to: str, lines: int, show: Show) -> None:
    """Show the last messages of a room, and what comes. Raises `CommandError` if the user has no such room."""
    try:
        page = await ask(client, "history", {**history_of(to), "before": lines, "after": 0, "messages_only": True})
    except ClientError as error:
        if error.code != "not_found":
            raise
        raise CommandError(f"There is no user {safe(to)}, and you are in no room of this id.") from error
    for entry in page["entries"]:
        show(entry, page)
    cursor = Cursor(page["epoch"], page["head"])
    was_member = False
    async for info in client.room(page["room"]).info:
        if info is not None and info["me"]["state"] == "member":
            was_member = True
            await _catch_up(client, info, cursor, show)
        elif was_member and not is_user(to):
            raise CommandError(f"You are not in {safe(to)} any more.")


async def _follow_all(client: Client, show: Show) -> None:
    """Show what comes in all rooms of the user."""
    cursors = await _present_cursors(client)
    async for rooms in client.rooms:
        for info in reversed(rooms):  # the room with the oldest news first
            if info["me"]["state"] == "member":
                begin = max(info["me"]["read"], info["head"] - FIRST_MAX)
                cursor = cursors.setdefault(info["room"], Cursor(info["epoch"], begin))
                await _catch_up(client, info, cursor, show)


async def _present_cursors(client: Client) -> dict[str, Cursor]:
    cursors: dict[str, Cursor] = {}
    after: str | None = None
    while True:
        page = await ask(client, "rooms", {} if after is None else {"after": after})
        cursors |= {info["room"]: Cursor(info["epoch"], info["head"]) for info in page["rooms"]}
        after = page.get("next")
        if after is None:
            return cursors


async def _catch_up(client: Client, info: RoomInfo, cursor: Cursor, show: Show) -> None:
    """Show the entries above the cursor, and move it."""
    while (info["epoch"], info["head"]) != (cursor.epoch, cursor.seq):
        place = {"anchor": cursor.seq, "before": 0} if cursor.seq else {"anchor": "oldest"}
        try:
            page = await ask(client, "history", {"room": info["room"], **place, "after": PAGE})
        except ClientError:
            return  # not a member any more, as the next Room says
        if page["epoch"] != cursor.epoch or page["head"] < cursor.seq:
            say("The server's data was replaced; what was not read comes next.")
            cursor.epoch, cursor.seq = page["epoch"], min(info["me"]["read"], page["head"])
            continue
        for entry in page["entries"]:
            if entry["seq"] > cursor.seq:
                show(entry, info)
                cursor.seq = entry["seq"]
        if not page["has_after"]:
            return
