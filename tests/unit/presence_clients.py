"""Clients that watch the presence of users, for tests in virtual time."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from attrs import define, field

from chatcore import Chat, CreateRoom, GetPresence, PresencePush, Socket, UserPresence
from chatcore.ids import RoomId, UserId
from chatcore.live.presence import COALESCED_S, QUESTION_S
from chatcore.protocol import Object
from chatcore.testing import Recorder

PUSHED_S = 2 * COALESCED_S + 0.05
"""Seconds in which a change on the same node is pushed."""
FOUND_S = QUESTION_S + 3 * COALESCED_S + 0.05
"""Seconds in which a change on another node is pushed without a bus."""


class Client(Recorder):
    """A recorder whose socket commands are answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Object] = []

    @property
    def presence(self) -> list[tuple[UserId, str]]:
        """The users and states of the pushes."""
        return [(push.user, push.state) for push in self.presence_pushes]

    @property
    def presence_pushes(self) -> list[PresencePush]:
        return [body for push in self.pushes if isinstance(body := push.body, PresencePush)]

    def clear(self) -> None:
        self.pushes.clear()


@define
class Opened:
    """An open socket of a user, until `close`."""

    client: Client
    socket: Socket
    _left: AsyncExitStack = field(alias="left")

    async def command(self, name: str, **fields: object) -> Any:
        """Return the answer of a command over the socket."""
        answers: list[Object] = []
        await self.socket.receive(name, fields, answers.append)
        (answer,) = answers
        return answer

    async def watch(self, *users: UserId) -> Mapping[str, str]:
        """Watch users, and return their states."""
        answer = await self.command("presence", users=[*users])
        assert answer["ok"], answer
        return {user: shown["state"] for user, shown in answer["presence"].items()}

    async def close(self) -> None:
        await self._left.aclose()


async def opened(chat: Chat, user: UserId) -> Opened:
    """Open a socket, which a test closes."""
    client, left = Client(), AsyncExitStack()
    socket = await left.enter_async_context(chat.connect(client, user=user))
    return Opened(client, socket, left)


async def group(chat: Chat, *members: UserId, key: str = "k") -> RoomId:
    """Make a group of which the first user is the owner."""
    return (await chat.execute(members[0], CreateRoom(kind="group", title="T", members=members, key=key))).room


async def shown(chat: Chat, user: UserId, other: UserId) -> UserPresence:
    """Return what a user is shown of another one, without a socket."""
    return (await chat.execute(user, GetPresence(users=[other]))).presence[other]


async def states(chat: Chat, user: UserId, *others: UserId) -> Sequence[str]:
    presence = (await chat.execute(user, GetPresence(users=others))).presence
    return [presence[other].state for other in others]
