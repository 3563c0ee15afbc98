"""The work of a message does not grow with the log, with the other rooms, or with the members for each receiver.

The work is the number of lines of Python that run, each pass of a loop or a comprehension included. It does not depend
on the machine.
"""

from contextlib import AsyncExitStack

import anyio
import pytest

from chatcore import Bye, Chat, Push, Socket
from chatcore.protocol import Object
from chatcore.testing.builders import message, opened, opens
from chatcore_memory import MemoryStore
from tests.unit.work import Work

ROUNDS = 3
"""The least of some rounds counts: background tasks may run in the others."""
MESSAGES = 5
SPARE = 1.02


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Client:
    """A connection that counts pushes."""

    def __init__(self, user: str) -> None:
        self.id = user
        self.pushed = 0

    def send(self, push: Push) -> None:
        self.pushed += 1

    def close(self, bye: Bye) -> None: ...

    async def drained(self) -> None: ...


async def say(socket: Socket, room: str, key: str) -> None:
    """Send a message, and return once it is answered."""
    answered = anyio.Event()

    def take(answer: Object) -> None:
        assert answer["ok"], answer
        answered.set()

    await socket.receive("message.send", {"room": room, "key": key, "body": "hello"}, take)
    await answered.wait()


async def work_of_message(socket: Socket, room: str) -> float:
    """Return the lines that run for a message in a room that is live."""
    rounds: list[int] = []
    await say(socket, room, "first")
    for number in range(ROUNDS):
        with Work(__file__) as work:
            for index in range(MESSAGES):
                await say(socket, room, f"{number} {index}")
        rounds.append(work.lines)
    return min(rounds) / MESSAGES


def room_id(number: int) -> str:
    return f"room-{number:026d}".translate(str.maketrans("0189", "abcd"))


async def work_after(*, entries: int = 1, rooms: int = 1, members: int = 2) -> float:
    """Return the lines that run for a message of the first member. All members are connected.

    Args:
        entries: how many entries the room has before.
        rooms: how many rooms all of the members have.
    """
    users = [f"user{number}" for number in range(members)]
    store = MemoryStore()
    for number in range(rooms):
        await store.append([opened(room_id(number), users[0], opens=opens(*users))])
    written = [message(room_id(0), seq, users[0]) for seq in range(2, entries + 1)]
    assert not written or (await store.append(written)).written == len(written)
    async with Chat(store) as chat, AsyncExitStack() as connected:
        clients = [Client(user) for user in users]
        sockets = [
            await connected.enter_async_context(chat.connect(client, user=user))
            for client, user in zip(clients, users, strict=True)
        ]
        work = await work_of_message(sockets[0], room_id(0))
        assert chat.stats().rooms == rooms
        assert all(client.pushed > ROUNDS * MESSAGES for client in clients)
    return work


@pytest.mark.anyio
async def test_work_of_a_message_is_the_same_after_100_and_10000_entries() -> None:
    assert await work_after(entries=10_000) <= SPARE * await work_after(entries=100)


@pytest.mark.anyio
async def test_work_of_a_message_is_the_same_beside_10_and_1000_rooms() -> None:
    assert await work_after(rooms=1_000) <= SPARE * await work_after(rooms=10)


@pytest.mark.anyio
async def test_work_of_a_message_for_each_receiver_is_the_same_with_10_and_1000_members() -> None:
    none, few, many = [await work_after(members=members) for members in (2, 10, 1_000)]
    assert (many - none) / 998 <= SPARE * (few - none) / 8
