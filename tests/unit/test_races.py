"""Simultaneous first messages on the memory store."""

import pytest

from chatcore_memory import MemoryStore
from tests.races import CONFLICTS_MIN, race_first_messages

pytestmark = pytest.mark.anyio


async def test_two_simultaneous_first_messages_make_one_room_with_two_messages() -> None:
    conflicts = await race_first_messages(MemoryStore())
    print(f"{conflicts} append conflicts in 1,000 races")
    assert conflicts >= CONFLICTS_MIN
