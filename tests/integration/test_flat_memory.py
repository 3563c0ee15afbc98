"""A process keeps nothing of the messages that have passed through it, on the embedded store."""

import gc
import os
import sys
from pathlib import Path

import pytest

from chatcore import Chat
from chatcore_sqlite import SqliteStore
from tests.counting_client import CountingClient

pytestmark = pytest.mark.anyio

MESSAGES = int(os.environ.get("CHATCORE_TEST_MESSAGES", "50000"))
"""The soak session sends 1,000,000."""
WARM_UP = 10_000
ROUND = 100
"""Messages of a round. Half of them go to a room that stays, half to the room of a guest who comes and goes."""
GUESTS = WARM_UP // ROUND
"""Guests come again and again: bounded caches of names and ids are full after the warm-up."""
BLOCKS_MAX = 2_000
"""Blocks of memory by which the process may grow after the warm-up: a twentieth of a block for each of 40,000 messages.

A single object that stays of every message takes 40,000 blocks, and one that stays of every visit of a guest 400 times
its blocks. What varies are caches that end by time, and those of Python and SQLite.
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.timeout(max(300, MESSAGES // 200))
async def test_memory_is_flat_over_many_messages_in_rooms_that_stay_come_and_go(tmp_path: Path) -> None:
    alice, bob = CountingClient("alice"), CountingClient("bob")
    async with (
        SqliteStore(tmp_path) as store,
        Chat(store) as chat,
        chat.connect(alice, user="alice") as socket,
        chat.connect(bob, user="bob"),
    ):
        warm = 0
        for number in range(MESSAGES // ROUND):
            if number == WARM_UP // ROUND:
                warm = blocks()
            guest = CountingClient(f"guest {number % GUESTS}")
            async with chat.connect(guest, user=guest.id) as guest_socket:
                await alice.talk(socket, "bob", f"round {number}", ROUND // 2)
                await guest.talk(guest_socket, "host", f"round {number}", ROUND // 2)
                assert guest.pushed > ROUND // 2
        grown = blocks() - warm
        assert bob.pushed >= MESSAGES // 2
        assert (chat.stats().rooms, chat.stats().users) == (1, 2)
    print(f"grown by {grown} blocks")
    assert grown <= BLOCKS_MAX
