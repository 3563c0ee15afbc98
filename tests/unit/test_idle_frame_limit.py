"""The limit of frames that carry no command."""

from chatcore_websocket.connection_limits import IdleFrameLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def admitted(limit: IdleFrameLimit) -> int:
    """Return how many of 1,000 frames are within the limit now."""
    return sum(limit.take() for _ in range(1_000))


def test_burst_is_admitted_once_and_then_the_rate() -> None:
    clock = Clock()
    limit = IdleFrameLimit(clock)
    assert admitted(limit) == 500
    assert admitted(limit) == 0
    for _ in range(3):
        clock.now += 0.5
        assert admitted(limit) == 50


def test_idle_client_regains_the_burst_and_no_more() -> None:
    clock = Clock()
    limit = IdleFrameLimit(clock)
    assert admitted(limit) == 500
    clock.now += 3_600
    assert admitted(limit) == 500


def test_frames_at_the_rate_are_always_admitted() -> None:
    clock = Clock()
    limit = IdleFrameLimit(clock)
    for _ in range(10_000):
        clock.now += 0.01
        assert limit.take()


def test_one_frame_is_admitted_at_the_time_of_its_rate() -> None:
    clock = Clock()
    limit = IdleFrameLimit(clock)
    assert admitted(limit) == 500
    for is_admitted in (False, True):
        clock.now += 1 / 128
        assert limit.take() == is_admitted
