"""Virtual time."""

import asyncio
from random import Random

import pytest

from chatcore.testing.clock import ShuffledLoop, Stuck


async def turn_round_and_round() -> None:
    while True:  # noqa: ASYNC110 - it is to wait for nothing
        await asyncio.sleep(0)


def test_what_goes_round_in_a_circle_for_which_no_time_passes_is_ended() -> None:
    with asyncio.Runner(loop_factory=lambda: ShuffledLoop(Random(1))) as runner, pytest.raises(Stuck):
        runner.run(turn_round_and_round())
