"""A message is one write to the transport of each receiver, whatever the sizes of the room and of the chat."""

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from attrs import frozen

from chatcore.testing.builders import message, opened, opens
from chatcore.testing.logs import write

from .node import socketio_node
from .silent import SilentClient, frame

pytestmark = pytest.mark.anyio

ENTRIES = int(os.environ.get("CHATCORE_TEST_LOG_LENGTH", "10000"))
ROOMS = int(os.environ.get("CHATCORE_TEST_ROOMS", "1000"))
MEMBERS = int(os.environ.get("CHATCORE_TEST_MEMBERS", "1000"))
RECEIVERS = 300
"""Connected members of a large room."""
MESSAGES = 5


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class CountingSocket(socket.socket):
    """A socket that counts its writes. A listening one makes such sockets of its connections."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connections: list[CountingSocket] = []
        self.writes = 0

    def accept(self) -> tuple["CountingSocket", Any]:
        plain, address = super().accept()
        connection = CountingSocket(fileno=plain.detach())
        self.connections.append(connection)
        return connection, address

    def send(self, *data: Any) -> int:
        self.writes += 1
        return super().send(*data)


@frozen
class Crowd:
    """Connected members of a room. The first of them sends."""

    clients: Sequence[SilentClient]
    connections: Sequence[CountingSocket]

    async def say(self, *keys: str) -> Sequence[int]:
        """Send messages at once, and return the writes to each member once all have got them, and the answers."""
        before = [connection.writes for connection in self.connections]
        frames = [f'42{n}["message.send",{{"room":"room 0","key":"{key}","body":"hi"}}]' for n, key in enumerate(keys)]
        sender, *receivers = self.clients
        await sender.write(b"".join(map(frame, frames)))
        await asyncio.gather(*[client.read_until(b'42["entry"', len(keys)) for client in receivers])
        received = await sender.read_until(b'42["entry"', len(keys))
        assert received.count(b'"ok":true') == len(keys)
        return [connection.writes - count for connection, count in zip(self.connections, before, strict=True)]


async def a_crowd(
    running: AsyncExitStack, *, entries: int = 1, rooms: int = 1, members: int = 10, connected: int = 10
) -> Crowd:
    node = await running.enter_async_context(socketio_node())
    listening = CountingSocket()
    listening.bind(("127.0.0.1", 0))
    await web.SockSite(node.runner, listening).start()
    users = [f"user{number}" for number in range(members)]
    for number in range(rooms):
        await node.store.append(
            [opened(f"room {number}", users[0], opens=opens(*users[: members if not number else 1]))]
        )
    await write(node.store, [message("room 0", seq, users[0]) for seq in range(2, entries + 1)])
    place = Place(listening.getsockname()[1])
    clients = [await (await SilentClient.open(place, 65_536)).connect(user) for user in users[:connected]]
    for client in clients:
        running.callback(client.close)
    return Crowd(clients, listening.connections)


@frozen
class Place:
    """The port of the counting site."""

    port: int


SIZES = [{"entries": 100}, {"entries": ENTRIES}, {"rooms": 10}, {"rooms": ROOMS}, {"members": MEMBERS}]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("size", [*SIZES, {"members": RECEIVERS, "connected": RECEIVERS}], ids=str)
async def test_message_is_one_write_to_each_receiver_and_one_with_the_answer(size: dict[str, int]) -> None:
    async with AsyncExitStack() as running:
        crowd = await a_crowd(running, **size)
        await crowd.say("first")
        for number in range(MESSAGES):
            assert set(await crowd.say(str(number))) == {1}


async def test_messages_that_arrive_together_are_at_most_two_writes_to_each_receiver() -> None:
    async with AsyncExitStack() as running:
        crowd = await a_crowd(running)
        await crowd.say("first")
        assert max(await crowd.say(*map(str, range(30)))) <= 2
