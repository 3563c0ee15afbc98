"""Races between two Chats on the memory store."""

import pytest

from chatcore_memory import MemoryStore
from tests.races.first_messages import race_first_messages
from tests.races.race import CONFLICTS_MIN, EACH_ORDER_MIN, RACES, Race, run
from tests.races.races import RACES_OF_TWO

pytestmark = pytest.mark.anyio


async def test_two_simultaneous_first_messages_make_one_room_with_two_messages() -> None:
    conflicts = await race_first_messages(MemoryStore())
    print(f"{conflicts} append conflicts in {RACES} races")
    assert conflicts >= CONFLICTS_MIN


@pytest.mark.parametrize("race", RACES_OF_TWO, ids=lambda race: type(race).__name__)
async def test_results_of_two_simultaneous_commands_fit_some_order(race: Race) -> None:
    tally = await run(race, MemoryStore())
    print(tally)
    assert tally.conflicts >= CONFLICTS_MIN
    assert min(tally.orders[order] for order in race.endings(0)) >= EACH_ORDER_MIN
