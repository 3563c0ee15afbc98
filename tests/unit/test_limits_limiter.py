"""The contract suite on the limiter by the library limits, its bounded memory, and the notation of rates."""

import threading

import pytest

from chatcore.ports.rate_limiter import Rate
from chatcore.testing import RateLimiterContract, RateLimiters
from chatcore_limits import MemoryRateLimiter, parse_rate


class TestMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    def limiters(self) -> RateLimiters:
        return lambda rates, clock: MemoryRateLimiter(rates, clock=clock)


def test_limiter_remembers_a_bounded_number_of_keys_of_each_limit() -> None:
    limiter = MemoryRateLimiter({"sign_in": Rate(1, 60), "connect": Rate(1, 60)}, keys_max=10)
    limiter.take("connect", "early")
    for number in range(1_000):
        limiter.take("sign_in", f"{number}")
    assert [limiter.take("sign_in", f"{number}") > 0 for number in (999, 990, 989)] == [True, True, False]
    assert limiter.take("connect", "early") > 0
    assert len(limiter._counters["sign_in"].storage._times) == 10


def test_key_that_is_counted_again_is_not_forgotten_first() -> None:
    limiter = MemoryRateLimiter({"sign_in": Rate(2, 60)}, keys_max=2)
    for key in ("a", "b", "a", "c"):
        assert limiter.take("sign_in", key) == 0
    assert limiter.take("sign_in", "a") > 0


def test_limiter_starts_no_thread() -> None:
    before = threading.active_count()
    MemoryRateLimiter({"sign_in": Rate(1, 60)}).take("sign_in", "bob")
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("text", "rate", "shown"),
    [
        ("10/5 minutes", Rate(10, 300), "10/5 minutes"),
        ("10/5minute", Rate(10, 300), "10/5 minutes"),
        ("10 per 5 minutes", Rate(10, 300), "10/5 minutes"),
        ("1/second", Rate(1, 1), "1/second"),
        ("500/90 seconds", Rate(500, 90), "500/90 seconds"),
        (" 7 / day ", Rate(7, 86_400), "7/day"),
        ("7/48 hours", Rate(7, 172_800), "7/2 days"),
        ("1000000/month", Rate(1_000_000, 2_592_000), "1000000/30 days"),
    ],
)
def test_rate_has_one_notation(text: str, rate: Rate, shown: str) -> None:
    assert parse_rate(text) == rate
    assert str(rate) == shown
    assert parse_rate(shown) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "10/",
        "/second",
        "0/second",
        "-1/second",
        "1.5/second",
        "10/5",
        "10/0 seconds x",
        "10/fortnight",
        "10/second; 5/minute",
        "10/second,5/minute",
        "1000001/second",
        "1/2 months",
        "1/year",
        "\u0661/second",
        "9" * 5_000 + "/second",
        "1/" + "9" * 90 + " seconds",
        "1/second\n\n" + "x",
    ],
)
def test_invalid_rate_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a rate") as refused:
        parse_rate(text)
    assert len(text) < 8 or text not in str(refused.value)
