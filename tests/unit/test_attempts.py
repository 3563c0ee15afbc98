"""The bounded memory of recent sign-in attempts and successes."""

import pytest

from chatcore.accounts.attempts import HALF_LIFE_S, RecentAttempts, RecentSuccesses

from .accounts_node import Clock


def test_attempt_counts_half_after_its_half_life() -> None:
    clock = Clock()
    attempts = RecentAttempts(clock)
    attempts.add("a")
    clock.tick(HALF_LIFE_S)
    attempts.add("a")
    assert attempts.of("a") == pytest.approx(1.5)
    assert attempts.of("b") == 0


def test_least_recently_attempted_key_is_forgotten_first() -> None:
    attempts = RecentAttempts(Clock(), keys_max=2)
    for key in ("a", "b", "a", "c"):
        attempts.add(key)
    assert [attempts.of(key) for key in "abc"] == [2, 0, 1]


def test_least_recent_success_is_forgotten_first() -> None:
    successes = RecentSuccesses(Clock(), keys_max=2)
    for key in ("a", "b", "a", "c"):
        successes.add(key)
    assert [key in successes for key in "abc"] == [True, False, True]
