"""Simultaneous first messages on the stores that write to disk."""

from pathlib import Path

import pytest

from chatcore_sqlite import SqliteStore
from tests.races import CONFLICTS_MIN, race_first_messages

pytestmark = pytest.mark.anyio


async def test_two_simultaneous_first_messages_make_one_room_with_two_messages(tmp_path: Path) -> None:
    conflicts = await race_first_messages(SqliteStore(tmp_path))
    print(f"{conflicts} append conflicts in 1,000 races")
    assert conflicts >= CONFLICTS_MIN
