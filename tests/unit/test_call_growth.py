"""The cost of a message does not grow with the log, with the other rooms, or with the members for each receiver.

The cost is the number of lines of Python that run, and of the bytes of memory that they take. It does not depend on the
machine.
"""

import os
from contextlib import AsyncExitStack

import anyio
import pytest
from attrs import frozen

from chatcore import Chat, Socket
from chatcore.protocol import Object
from chatcore.testing.builders import message, opened, opens
from chatcore_memory import MemoryStore
from tests import counting_client
from tests.counting_client import CountingClient
from tests.unit.work import Work

ENTRIES = int(os.environ.get("CHATCORE_TEST_LOG_LENGTH", "10000"))
"""The entries of a long room. The soak session uses 1,000,000."""
ROOMS = int(os.environ.get("CHATCORE_TEST_ROOMS", "1000"))
"""Many live rooms. The soak session uses 100,000."""
ROOMS_EACH = 1_000
MEMBERS = int(os.environ.get("CHATCORE_TEST_MEMBERS", "1000"))
"""The members of a large room. The soak session uses 5,000."""
MESSAGES = 8
"""The least of some messages counts: background tasks may run meanwhile, and lists and tables grow."""
SPARE = 1.02
BYTES_MAX = 37_000
"""Most of it are the frames of the calls, which a traced line keeps."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def say(socket: Socket, room: str, key: str) -> None:
    """Send a message, and return once it is answered."""
    answered = anyio.Event()

    def take(answer: Object) -> None:
        assert answer["ok"], answer
        answered.set()

    await socket.receive("message.send", {"room": room, "key": key, "body": "hello"}, take)
    await answered.wait()


@frozen
class Cost:
    """The least lines that run for a message, and the fewest bytes of memory that they take."""

    lines: int
    bytes: int


async def cost_of_message(socket: Socket, room: str) -> Cost:
    """Return the cost of a message in a room that is live."""
    works: list[Work] = []
    await say(socket, room, "first")
    for number in range(MESSAGES):
        with Work(__file__, counting_client.__file__) as work:
            await say(socket, room, str(number))
        works.append(work)
    return Cost(lines=min(work.lines for work in works), bytes=min(work.bytes for work in works))


def room_id(number: int) -> str:
    return f"room-{number:026d}".translate(str.maketrans("0189", "abcd"))


async def cost_after(*, entries: int = 1, rooms: int = 1, members: int = 2) -> Cost:
    """Return the cost of a message of the first member. All members are connected.

    Args:
        entries: how many entries the room has before.
        rooms: how many rooms are live. The members have `ROOMS_EACH` of them, and others as many each.
        members: how many members the room has.
    """
    users = [f"user{number}" for number in range(members)]
    others = [f"other{number}" for number in range(-(-rooms // ROOMS_EACH) - 1)]
    store = MemoryStore()
    for number in range(rooms):
        owners = [others[number // ROOMS_EACH - 1]] if number >= ROOMS_EACH else users
        await store.append([opened(room_id(number), owners[0], opens=opens(*owners))])
    written = [message(room_id(0), seq, users[0]) for seq in range(2, entries + 1)]
    assert not written or (await store.append(written)).written == len(written)
    async with Chat(store) as chat, AsyncExitStack() as connected:
        clients = [CountingClient(user) for user in users]
        sockets = [
            await connected.enter_async_context(chat.connect(client, user=client.id))
            for client in (*clients, *map(CountingClient, others))
        ]
        cost = await cost_of_message(sockets[0], room_id(0))
        assert chat.stats().rooms == rooms
        assert all(client.pushed > MESSAGES for client in clients)
    return cost


def check_is_flat(cost: Cost, base: Cost) -> None:
    assert cost.lines <= SPARE * base.lines
    assert cost.bytes <= SPARE * base.bytes


@pytest.mark.anyio
async def test_message_between_two_users_takes_at_most_37000_bytes_of_memory() -> None:
    assert (await cost_after()).bytes <= BYTES_MAX


@pytest.mark.anyio
@pytest.mark.timeout(3600)
async def test_cost_of_a_message_is_the_same_after_100_and_many_entries() -> None:
    check_is_flat(await cost_after(entries=ENTRIES), await cost_after(entries=100))


@pytest.mark.anyio
@pytest.mark.timeout(3600)
async def test_cost_of_a_message_is_the_same_beside_10_and_many_rooms() -> None:
    check_is_flat(await cost_after(rooms=ROOMS), await cost_after(rooms=10))


@pytest.mark.anyio
@pytest.mark.timeout(3600)
async def test_cost_of_a_message_for_each_receiver_is_the_same_with_100_and_many_members() -> None:
    none, few, many = [await cost_after(members=members) for members in (2, 100, MEMBERS)]
    assert (many.lines - none.lines) / (MEMBERS - 2) <= SPARE * (few.lines - none.lines) / 98
    assert (many.bytes - none.bytes) / (MEMBERS - 2) <= 1.1 * (few.bytes - none.bytes) / 98
