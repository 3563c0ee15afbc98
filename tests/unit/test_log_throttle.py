"""One log line for each key and interval."""

from chatcore.log_throttle import LogThrottle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_key_is_admitted_once_in_an_interval() -> None:
    clock = Clock()
    throttle = LogThrottle(60, clock=clock)
    assert throttle.admits("alice")
    clock.now = 59.9
    assert not throttle.admits("alice")
    clock.now = 60.0
    assert throttle.admits("alice")
    clock.now = 119.9
    assert not throttle.admits("alice")


def test_each_key_has_its_own_interval() -> None:
    throttle = LogThrottle(60, clock=Clock())
    assert throttle.admits("alice")
    assert throttle.admits("bob")


def test_keys_above_the_bound_are_forgotten_oldest_first() -> None:
    clock = Clock()
    throttle = LogThrottle(60, keys_max=2, clock=clock)
    for key in ("a", "b", "c"):
        assert throttle.admits(key)
    assert not throttle.admits("c")
    assert not throttle.admits("b")
    assert throttle.admits("a")
