"""A room as a program uses it."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from .live import Live
from .message import Message
from .transport import Object


class RoomActions(Protocol):
    """What a room needs of its client. Rooms are named by `{"room": id}`, or `{"to": user}` for the private room."""

    def room_id(self, to: Object) -> str | None: ...

    def send(self, to: Object, fields: Object) -> Message: ...

    async def change(self, to: Object, event: str, data: Object) -> Object:
        raise NotImplementedError

    async def more(self, to: Object, count: int, until: int | None) -> bool:
        raise NotImplementedError

    def mark(self, to: Object, seq: int) -> None: ...

    def typing(self, to: Object, *, on: bool) -> None: ...


class Room:
    """One room: what it shows, and what the user does in it.

    Get it from `Client.room`. The program may hold it while the user is not in the room: nothing is created before its
    first message.

    Attributes:
        info: live: the Room object of ``docs/protocol.md``, or None if the user has no such room.
        messages: live: what to show, oldest first. Iterating over it, or subscribing to it, opens the room: its newest
            entries are loaded.
        typists: live: the users who type.
    """

    def __init__(
        self,
        actions: RoomActions,
        to: Object,
        *,
        info: Live[Object | None],
        messages: Live[Sequence[Message]],
        typists: Live[Sequence[str]],
    ) -> None:
        self._actions = actions
        self._to = to
        self.info: Live[Object | None] = info
        self.messages: Live[Sequence[Message]] = messages
        self.typists: Live[Sequence[str]] = typists

    @property
    def id(self) -> str | None:
        """The room's id. That of a room `with_` a user is None until the first connection."""
        return self._actions.room_id(self._to)

    def send(
        self,
        body: str,
        *,
        data: Mapping[str, Any] | None = None,
        reply_to: int | None = None,
        mentions: Sequence[str] | None = None,
    ) -> Message:
        """Send a message.

        It is in the client's store when this returns, and is sent until the server has answered. `await message.done`
        waits for that.

        Args:
            body: the text; may be empty where there is `data`.
            data: a JSON object for programs.
            reply_to: the seq of the message that this one replies to.
            mentions: users.

        Returns:
            The message in state `sending`.

        Raises:
            OSError: The store can't keep the message, which is not sent.
            ValueError: `data` is no JSON object.
            ClientEnded: The client has ended, or was closed.
        """
        optional = {"data": None if data is None else dict(data), "reply_to": reply_to, "mentions": mentions}
        fields = {name: value for name, value in optional.items() if value is not None}
        if mentions is not None:
            fields["mentions"] = list(mentions)
        return self._actions.send(self._to, {"body": body, **fields})

    async def edit(self, message: Message, body: str) -> Object:
        """Change the text of a message. Returns the answer. Raises `ClientError` if the server refuses it."""
        data = {"seq": message.seq, "version": message.version, "body": body}
        return await self._actions.change(self._to, "message.edit", data)

    async def delete(self, message: Message) -> Object:
        """Erase a message. Returns the answer. Raises `ClientError` if the server refuses it."""
        return await self._actions.change(self._to, "message.delete", {"seq": message.seq})

    async def react(self, message: Message, emoji: str, on: bool = True) -> Object:
        """Add an emoji to a message, or take it back. Returns the answer. Raises `ClientError` if it is refused."""
        return await self._actions.change(self._to, "message.react", {"seq": message.seq, "emoji": emoji, "on": on})

    def more(self, count: int = 50, *, until: int | None = None) -> Awaitable[bool]:
        """Load older entries. Opens the room.

        It waits while there is no connection.

        Args:
            count: how many more.
            until: the seq of the oldest entry to load, instead of a count.

        Returns:
            Whether still older entries are left.
        """
        return self._actions.more(self._to, count, until)

    def mark(self, seq: int) -> None:
        """Raise the user's read marker to a position of the room."""
        self._actions.mark(self._to, seq)

    def typing(self, on: bool = True) -> None:
        """Say that the user types. Call it for every change of the text, with whether there is text."""
        self._actions.typing(self._to, on=on)
