"""The work of a read is bounded by what it returns, not by what the room has.

The work is the number of lines of Python that run in the memory store.
"""

import pytest

from chatcore.domain.state import MEMBERS_MAX, MarkerUpdate
from chatcore.ports.room_views import FirstUnread
from chatcore.testing.builders import banned, deleted, message, opened, opens
from chatcore.testing.logs import write
from chatcore_memory import MemoryStore
from tests.unit.work import Work

pytestmark = pytest.mark.anyio

SPARE = 1.02
DELETED = 20_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def work_of_members(count: int, bans: int) -> int:
    """Return the lines that run for two pages of the members of a room."""
    store = MemoryStore()
    users = [f"user {number:04}" for number in range(count)]
    await write(store, [opened(opens=opens(*users))])
    await write(store, [banned("room", 2 + number, f"bad {number:04}") for number in range(bans)])
    await store.members(users[1], "room", None, 1)
    with Work(__file__) as work:
        first = await store.members(users[1], "room", None, 50)
        last = await store.members(users[1], "room", users[-20], 50)
    assert [user for user, _ in (*first.users, *last.users)] == users[:50] + users[-19:]
    return work.lines


async def test_work_of_a_page_of_members_is_the_same_with_100_and_5000_members_and_bans() -> None:
    assert await work_of_members(MEMBERS_MAX, bans=500) <= SPARE * await work_of_members(100, bans=0)


async def work_of_unread(*, gone: int, own: int) -> int:
    """Return the lines that run to count and to find unread messages above deleted messages and the user's own."""
    store = MemoryStore()
    await write(store, [opened(opens=opens("alice", "bob"))])
    await write(store, [message("room", seq) for seq in range(2, gone + 2)])
    await write(store, [deleted(gone + seq, seq) for seq in range(2, gone + 2)])
    head = 2 * gone + 1
    await write(store, [message("room", head + number, "bob") for number in range(1, own + 1)])
    await write(store, [message("room", head + own + number) for number in (1, 2, 3)])
    await store.mark("bob", "room", MarkerUpdate(read=1))
    await store.unread_total("bob")
    with Work(__file__) as work:
        total = await store.unread_total("bob")
        window = await store.window("bob", "room", FirstUnread(user="bob", read=1), 0, 0)
    assert total.messages == 3
    assert [entry.seq for entry in window.entries] == [head + own + 1]
    return work.lines


async def test_work_of_unread_is_the_same_over_100_and_20000_deleted_and_own_messages() -> None:
    many, few = [await work_of_unread(gone=count, own=count // 4) for count in (DELETED, 100)]
    assert many <= few + 30  # the steps of a binary search
