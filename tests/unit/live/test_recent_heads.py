"""How long, and how, the highest seq that was told of a room is remembered."""

import anyio
import pytest

from chatcore.live.recent_heads import REMEMBERED_S, RecentHeads

pytestmark = pytest.mark.anyio

STORE_S = 2
"""How long a store may take to answer (`chatcore.ports.store`)."""


async def test_seq_told_late_does_not_take_a_recent_head_back() -> None:
    recent = RecentHeads()
    recent.note("room", 5)
    recent.note("room", 3)
    assert recent.seq("room") == 5
    recent.note("room", 6)
    assert (recent.seq("room"), recent.seq("another")) == (6, 0)


async def test_recent_head_is_remembered_while_a_connecting_socket_reads_its_rooms() -> None:
    """A connect reads the memberships and then up to two pages of rooms; meanwhile other rooms are told of."""
    recent = RecentHeads()
    recent.note("room", 5)
    for number in range(3 * STORE_S):
        await anyio.sleep(1)
        recent.note(f"room {number}", 1)
    assert recent.seq("room") == 5


async def test_recent_heads_are_forgotten_in_the_order_in_which_they_were_last_told() -> None:
    """A room that is told of again and again keeps no other room in memory."""
    await anyio.sleep(10 * REMEMBERED_S)
    recent = RecentHeads()
    recent.note("told again", 1)
    recent.note("told once", 1)
    for seq in range(2, 5):
        await anyio.sleep(0.4 * REMEMBERED_S)
        recent.note("told again", seq)
    assert (recent.seq("told once"), recent.seq("told again")) == (0, 4)
