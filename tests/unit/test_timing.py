"""The durations of a session."""

import pytest

from chatcore_websocket import Timing


def test_default_durations_are_those_of_the_wire_contract() -> None:
    assert Timing() == Timing(ping_interval=25, ping_timeout=20, connect_timeout=10, close_timeout=1)


@pytest.mark.parametrize(
    ("timing", "interval"),
    [
        (Timing(), 1),
        (Timing(ping_interval=0.5), 0.1),
        (Timing(ping_timeout=0.5), 0.1),
        (Timing(connect_timeout=0.5), 0.1),
        (Timing(close_timeout=0.5), 1),
    ],
    ids=repr,
)
def test_deadlines_are_checked_every_fifth_of_the_shortest_up_to_a_second(timing: Timing, interval: float) -> None:
    assert timing.check_interval == pytest.approx(interval)
