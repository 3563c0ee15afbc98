"""How long a session waits for what."""

import pytest

from chatcore_socketio import Timing


def test_durations_are_those_of_the_protocol() -> None:
    assert Timing() == Timing(ping_interval=25, ping_timeout=20, connect_within=10, close_within=1)


@pytest.mark.parametrize(
    ("timing", "tick"),
    [
        (Timing(), 1),
        (Timing(ping_interval=0.5), 0.1),
        (Timing(ping_timeout=0.5), 0.1),
        (Timing(connect_within=0.5), 0.1),
        (Timing(close_within=0.5), 1),
    ],
    ids=repr,
)
def test_deadlines_are_looked_at_every_fifth_of_the_shortest_or_every_second(timing: Timing, tick: float) -> None:
    assert timing.tick == pytest.approx(tick)
