"""Races between two Chats on stores that write to disk."""

from pathlib import Path

import pytest

from chatcore_sqlite import SqliteStore
from tests.races.first_messages import race_first_messages
from tests.races.race import CONFLICTS_MIN, EACH_ORDER_MIN, RACES, Race, run
from tests.races.races import RACES_OF_TWO

pytestmark = pytest.mark.anyio


async def test_two_simultaneous_first_messages_make_one_room_with_two_messages(tmp_path: Path) -> None:
    conflicts = await race_first_messages(SqliteStore(tmp_path))
    print(f"{conflicts} append conflicts in {RACES} races")
    assert conflicts >= CONFLICTS_MIN


@pytest.mark.parametrize("race", RACES_OF_TWO, ids=lambda race: type(race).__name__)
async def test_results_of_two_simultaneous_commands_fit_some_order(race: Race, tmp_path: Path) -> None:
    tally = await run(race, SqliteStore(tmp_path))
    print(tally)
    assert tally.conflicts >= CONFLICTS_MIN
    assert min(tally.orders[order] for order in race.endings(0)) >= EACH_ORDER_MIN
