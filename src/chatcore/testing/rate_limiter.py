"""The contract suite of `RateLimiter`."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest

from ..ports.rate_limiter import LimitName, Rate, RateLimiter
from .logs import HOSTILE_NAMES


class SteppedClock:
    """A monotonic clock in seconds that a test sets."""

    def __init__(self) -> None:
        self.now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


RateLimiters: TypeAlias = Callable[[Mapping[LimitName, Rate], Callable[[], float]], RateLimiter]
"""A function that makes a limiter from rates and a monotonic clock."""


class RateLimiterContract:
    """Subclass it, with a fixture ``limiters``: a function that makes a limiter."""

    @pytest.fixture
    def limiters(self) -> RateLimiters:
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> SteppedClock:
        return SteppedClock()

    @pytest.fixture
    def limiter(self, limiters: RateLimiters, clock: SteppedClock) -> RateLimiter:
        """A limiter of three sign-ins in 10 s and one created room in an hour."""
        return limiters({"sign_in": Rate(3, 10), "create": Rate(1, 3600)}, clock)

    def test_events_within_the_rate_are_admitted(self, limiter: RateLimiter) -> None:
        assert [limiter.take("sign_in", "bob") for _ in range(3)] == [0, 0, 0]

    def test_event_above_the_rate_waits_until_an_earlier_event_leaves(
        self, limiter: RateLimiter, clock: SteppedClock
    ) -> None:
        for _ in range(3):
            assert limiter.take("sign_in", "bob") == 0
            clock.now += 1
        assert limiter.take("sign_in", "bob") == 7_000
        clock.now += 6.5
        assert limiter.take("sign_in", "bob") == 500
        clock.now += 0.5
        assert limiter.take("sign_in", "bob") == 0

    def test_window_moves_with_its_events(self, limiter: RateLimiter, clock: SteppedClock) -> None:
        for second in (0, 9, 9):
            clock.now = 1_000 + second
            assert limiter.take("sign_in", "bob") == 0
        clock.now = 1_010
        assert limiter.take("sign_in", "bob") == 0
        assert limiter.take("sign_in", "bob") == 9_000

    def test_refused_event_is_not_counted(self, limiter: RateLimiter, clock: SteppedClock) -> None:
        for _ in range(3):
            limiter.take("sign_in", "bob")
        clock.now += 9
        assert [limiter.take("sign_in", "bob") for _ in range(5)] == [1_000] * 5
        clock.now += 1
        assert [limiter.take("sign_in", "bob") for _ in range(3)] == [0, 0, 0]

    def test_keys_and_limits_are_counted_separately(self, limiter: RateLimiter) -> None:
        for key in (*HOSTILE_NAMES, "a/b", "a", "", "1/10"):
            assert [limiter.take("sign_in", key) > 0 for _ in range(4)] == [False, False, False, True]
            assert [limiter.take("create", key) > 0 for _ in range(2)] == [False, True]

    def test_limit_without_a_rate_admits_everything(self, limiter: RateLimiter) -> None:
        assert not any(limiter.take("invite", "bob", cost=100) for _ in range(100))
        limiter.give_back("invite", "bob")
        limiter.clear("invite", "bob")

    def test_given_back_events_are_admitted_again(self, limiter: RateLimiter) -> None:
        for _ in range(3):
            limiter.take("sign_in", "bob")
        limiter.give_back("sign_in", "bob", cost=2)
        assert [limiter.take("sign_in", "bob") > 0 for _ in range(3)] == [False, False, True]

    def test_giving_back_more_than_was_counted_adds_nothing(self, limiter: RateLimiter) -> None:
        limiter.give_back("sign_in", "bob")
        limiter.take("sign_in", "bob")
        limiter.give_back("sign_in", "bob", cost=9)
        assert [limiter.take("sign_in", "bob") > 0 for _ in range(4)] == [False, False, False, True]

    def test_cleared_key_has_its_whole_rate_again(self, limiter: RateLimiter) -> None:
        for key in ("bob", "eve"):
            for _ in range(3):
                limiter.take("sign_in", key)
        limiter.clear("sign_in", "bob")
        assert [limiter.take("sign_in", "bob") > 0 for _ in range(4)] == [False, False, False, True]
        assert limiter.take("sign_in", "eve") > 0

    def test_cost_counts_as_that_many_events(self, limiter: RateLimiter) -> None:
        assert limiter.take("sign_in", "bob", cost=2) == 0
        assert limiter.take("sign_in", "bob", cost=2) > 0
        assert limiter.take("sign_in", "bob", cost=1) == 0

    def test_cost_above_the_amount_takes_the_whole_amount(self, limiter: RateLimiter, clock: SteppedClock) -> None:
        assert limiter.take("sign_in", "bob", cost=100) == 0
        assert limiter.take("sign_in", "bob") == 10_000
        clock.now += 10
        assert limiter.take("sign_in", "bob", cost=100) == 0
