"""Races between two nodes on one MongoDB database, each with a separate client."""

from functools import partial

import pytest

from chatcore.domain.entries import Entry
from chatcore.testing.builders import message
from chatcore.testing.logs import everything, write
from chatcore.testing.tasks import at_once
from chatcore_mongo import MongoStore
from tests.races.first_messages import race_first_messages
from tests.races.race import CONFLICTS_MIN, EACH_ORDER_MIN, RACES, Race, run
from tests.races.races import RACES_OF_TWO

from .mongo_database import empty

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def url(mongo_url: str) -> str:
    empty(mongo_url)
    return mongo_url


async def test_two_simultaneous_first_messages_make_one_room_with_two_messages(url: str) -> None:
    conflicts = await race_first_messages(MongoStore(url), MongoStore(url))
    print(f"{conflicts} append conflicts in {RACES} races")
    assert conflicts >= CONFLICTS_MIN


@pytest.mark.parametrize("race", RACES_OF_TWO, ids=lambda race: type(race).__name__)
async def test_results_of_two_simultaneous_commands_fit_some_order(race: Race, url: str) -> None:
    tally = await run(race, MongoStore(url), MongoStore(url))
    print(tally)
    assert tally.conflicts >= CONFLICTS_MIN
    assert min(tally.orders[order] for order in race.endings(0)) >= EACH_ORDER_MIN


SEQS = 1_000


async def test_each_seq_goes_to_one_of_two_racing_clients_without_holes(url: str) -> None:
    async with MongoStore(url) as here, MongoStore(url) as there:
        log: list[Entry] = []
        for seq in range(1, SEQS + 1):
            racers = [(here, message("room", seq, "alice")), (there, message("room", seq, "bob"))]
            if seq % 2:
                racers.reverse()
            outcomes = await at_once([partial(store.append, [entry]) for store, entry in racers])
            assert sorted((outcome.written, outcome.taken) for outcome in outcomes) == [(0, None), (1, None)]
            log += [entry for (_, entry), outcome in zip(racers, outcomes, strict=True) if outcome.written]
        print(f"{SEQS} conflicts; {sum(entry.author == 'alice' for entry in log)} seqs went to the first client")
        assert await everything(there, "room") == log


async def test_key_taken_by_other_client_ends_batch_at_its_entry(url: str) -> None:
    async with MongoStore(url) as here, MongoStore(url) as there:
        for number in range(200):
            room, taken = f"room {number}", message(f"room {number}", 1, "bob", key="taken")
            batch = [message(room, seq, key=f"{seq}") for seq in range(2, 8)]
            batch[number % 6] = message(room, 2 + number % 6, "bob", key="taken", body="other")
            await write(there, [taken])
            appended = await here.append(batch)
            assert (appended.written, appended.taken) == (number % 6, taken)
            assert await everything(there, room) == [taken, *batch[: number % 6]]
