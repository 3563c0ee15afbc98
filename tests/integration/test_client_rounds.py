"""Both clients lose, double and reorder nothing, whatever happens to their tabs, their network and the server.

``CHATCORE_TEST_CLIENT_ROUNDS`` is the number of rounds (30). Half of them have seeds that depend on the commit.
``CHATCORE_TEST_CLIENT_ROUNDS_SEED`` runs one seed alone.
"""

import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.seeds import commit_id

from .client_rounds import a_world
from .javascript_client import install_client

ROUNDS = int(os.environ.get("CHATCORE_TEST_CLIENT_ROUNDS", "30"))
ROUNDS_OF_A_WORLD = 250
"""Rounds after which a world is checked, and the next one begins."""

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300 + 4 * ROUNDS)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def seeds(world: int) -> Sequence[str]:
    if seed := os.environ.get("CHATCORE_TEST_CLIENT_ROUNDS_SEED"):
        return [seed]
    return [f"fixed {world}", f"{commit_id()} {world}"]


async def test_clients_lose_double_and_reorder_nothing(tmp_path: Path, node_modules: Path) -> None:
    folder = install_client(node_modules)
    worlds = math.ceil(ROUNDS / ROUNDS_OF_A_WORLD)
    happened: Counter[str] = Counter()
    messages, cuts, began = 0, 0, time.monotonic()
    for number in range(worlds):
        chosen = seeds(number)
        print("CHATCORE_TEST_CLIENT_ROUNDS_SEED is one of", chosen)  # shown if the test fails
        world_folder = tmp_path / str(number)
        world_folder.mkdir()
        async with a_world(world_folder, folder) as world:
            for seed in chosen:
                await world.play(math.ceil(ROUNDS / worlds / len(chosen)), seed)
            await world.check()
        assert world.returned
        happened += world.happened
        messages += len(world.returned)
        cuts += sum(tabs.cuts for tabs in world.processes)
        seconds = time.monotonic() - began
        print(f"{happened.total()} rounds in {seconds:.0f} s, {messages} messages, {cuts} connections cut")
    print(dict(sorted(happened.items())))
