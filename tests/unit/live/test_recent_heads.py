"""How long the highest reported seq of a room is remembered."""

import anyio
import pytest

from chatcore.live.recent_heads import REMEMBERED_S, RecentHeads

pytestmark = pytest.mark.anyio

STORE_S = 2
"""How long a store may take to answer (`chatcore.ports.store`)."""


async def test_late_hint_of_a_lower_seq_does_not_lower_a_recent_head() -> None:
    recent = RecentHeads()
    recent.note("room", 5)
    recent.note("room", 3)
    assert recent.seq("room") == 5
    recent.note("room", 6)
    assert (recent.seq("room"), recent.seq("another")) == (6, 0)


async def test_recent_head_is_remembered_for_the_time_of_a_connect() -> None:
    """A connect reads the memberships and up to two pages of rooms. Meanwhile other rooms are reported."""
    recent = RecentHeads()
    recent.note("room", 5)
    for number in range(3 * STORE_S):
        await anyio.sleep(1)
        recent.note(f"room {number}", 1)
    assert recent.seq("room") == 5


async def test_recent_heads_are_forgotten_in_the_order_of_their_last_report() -> None:
    """A room that is reported repeatedly keeps no other room in memory."""
    await anyio.sleep(10 * REMEMBERED_S)
    recent = RecentHeads()
    recent.note("reported again", 1)
    recent.note("reported once", 1)
    for seq in range(2, 5):
        await anyio.sleep(0.4 * REMEMBERED_S)
        recent.note("reported again", seq)
    assert (recent.seq("reported once"), recent.seq("reported again")) == (0, 4)
