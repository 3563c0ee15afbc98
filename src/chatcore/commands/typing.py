"""The command that says that the user types."""

from typing import ClassVar

from attrs import field, frozen

from ..errors import NotFound
from ..ids import RoomId, is_room_id
from . import fields
from .command import Context, ReadingCommand, Refusals


@frozen
class TypingResult:
    """The answer of `SetTyping`."""


@frozen(kw_only=True)
class SetTyping(ReadingCommand[TypingResult]):
    """Say that the user types in a room, or has ended. Repeat it every 3 to 5 s while the user types.

    Typing ends 6 s after the last ``on``, with a message of the user in the room, and with the socket that said it.
    A socket may type in 10 rooms at a time, and 10 users in a room; what is beyond is not shown. Nothing is stored.

    Attributes:
        on: whether the user types.
    """

    name = "typing"
    refusals: ClassVar[Refusals] = {"not_found": "the user is not a member"}

    room: RoomId = field(validator=fields.room)
    on: bool = field(validator=fields.boolean)

    async def handle(self, context: Context) -> TypingResult:
        socket = context.socket
        subscription = socket.subscriptions.get(self.room) if socket else None
        if not (subscription and subscription.member) and not await self._is_member(context):
            raise NotFound
        context.hub.typing.say(self.room, context.user, socket, on=self.on)
        return TypingResult()

    async def _is_member(self, context: Context) -> bool:
        """Ask the store: during a `sync`, and without a socket, there is no subscription that says it."""
        if not is_room_id(self.room):
            return False
        rows = await context.store.memberships(context.user, self.room)
        return any(row.member.state == "member" for row in rows)
