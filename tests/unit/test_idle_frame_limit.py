"""The bound on frames that carry no command."""

from chatcore_socketio.connection_limits import IdleFrameLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def spent(allowance: IdleFrameLimit) -> int:
    """How many of 1,000 frames are admitted now."""
    return sum(allowance.spend() for _ in range(1_000))


def test_burst_is_admitted_once_and_the_rate_after_it() -> None:
    clock = Clock()
    allowance = IdleFrameLimit(clock)
    assert spent(allowance) == 500
    assert spent(allowance) == 0
    for _ in range(3):
        clock.now += 0.5
        assert spent(allowance) == 50


def test_quiet_client_gets_back_the_burst_and_no_more() -> None:
    clock = Clock()
    allowance = IdleFrameLimit(clock)
    assert spent(allowance) == 500
    clock.now += 3_600
    assert spent(allowance) == 500


def test_frames_at_the_rate_are_admitted_for_ever() -> None:
    clock = Clock()
    allowance = IdleFrameLimit(clock)
    for _ in range(10_000):
        clock.now += 0.01
        assert allowance.spend()


def test_one_frame_is_admitted_as_soon_as_it_has_been_earned() -> None:
    clock = Clock()
    allowance = IdleFrameLimit(clock)
    assert spent(allowance) == 500
    for is_admitted in (False, True):
        clock.now += 1 / 128
        assert allowance.spend() == is_admitted
