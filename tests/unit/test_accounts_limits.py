"""Sign-ins and sign-ups are limited before a password is hashed. Attempts of others do not lock a user out."""

import logging
from itertools import pairwise
from typing import Any

import anyio
import pytest

from chatcore.errors import Conflict, RateLimited
from chatcore.ports.rate_limiter import Rate
from chatcore.testing import virtual_time

from .accounts_node import PASSWORD
from .sign_in_node import ELSEWHERE, HOME, RATES, WRONG, SignInNode, SlowHasher

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


@pytest.fixture
async def node() -> SignInNode:
    node = SignInNode()
    await node.add("alice", "bob", "carol")
    return node


async def test_wrong_passwords_from_one_address_are_refused_before_hashing(node: SignInNode) -> None:
    assert [await node.sign_in("bob", ELSEWHERE, WRONG) for _ in range(10)] == ["wrong"] * 10
    hashes = node.hasher.hashes
    assert [await node.sign_in("bob", ELSEWHERE, password) for password in (WRONG, PASSWORD)] == ["limited"] * 2
    assert node.hasher.hashes == hashes


async def test_refused_address_can_try_again_after_retry_after(node: SignInNode) -> None:
    for _ in range(10):
        await node.sign_in("bob", ELSEWHERE, WRONG)
    with pytest.raises(RateLimited) as refused:
        await node.accounts.sign_in("bob", PASSWORD, address=ELSEWHERE)
    assert 290_000 < (refused.value.retry_after_ms or 0) < 300_000
    await anyio.sleep((refused.value.retry_after_ms or 0) / 1000)
    assert await node.sign_in("bob", ELSEWHERE) == "in"


async def test_spellings_of_a_name_share_its_limit(node: SignInNode) -> None:
    for spelling in ("bob", "Bob", "BOB", "boB", "bOb"):
        for _ in range(2):
            assert await node.sign_in(spelling, ELSEWHERE, WRONG) == "wrong"
    assert await node.sign_in("bOB", ELSEWHERE, WRONG) == "limited"


async def test_addresses_of_one_ipv6_network_share_a_limit(node: SignInNode) -> None:
    for number in range(10):
        assert await node.sign_in("bob", f"2001:db8::{number:x}", WRONG) == "wrong"
    assert await node.sign_in("bob", "2001:db8::ffff:0:0:1") == "limited"
    assert await node.sign_in("bob", "2001:db8:0:1::1") == "in"


async def test_success_clears_the_failures_of_its_name_and_address(node: SignInNode) -> None:
    for _ in range(3):
        assert [await node.sign_in("bob", HOME, WRONG) for _ in range(9)] == ["wrong"] * 9
        assert await node.sign_in("bob", HOME) == "in"


async def test_successes_are_not_limited(node: SignInNode) -> None:
    assert [await node.sign_in("bob", HOME) for _ in range(150)] == ["in"] * 150


async def test_address_with_many_failures_is_refused_for_all_other_names(node: SignInNode) -> None:
    for number in range(100):
        assert await node.sign_in(f"name-{number}", ELSEWHERE, WRONG) == "wrong"
    hashes = node.hasher.hashes
    assert await node.sign_in("alice", ELSEWHERE) == "limited"
    assert node.hasher.hashes == hashes
    assert await node.sign_in("alice", HOME) == "in"


async def test_refusals_of_one_name_do_not_affect_other_names_of_the_address(node: SignInNode) -> None:
    for _ in range(500):
        await node.sign_in("bob", ELSEWHERE, WRONG)
    assert await node.sign_in("alice", ELSEWHERE) == "in"


async def test_known_name_passes_the_limit_of_its_address(node: SignInNode) -> None:
    assert await node.sign_in("alice", HOME) == "in"
    for number in range(101):
        await node.sign_in(f"name-{number}", HOME, WRONG)
    assert [await node.sign_in(user, HOME) for user in ("alice", "bob")] == ["in", "limited"]


async def test_sign_up_makes_a_name_known_to_its_address(node: SignInNode) -> None:
    await node.accounts.sign_up("dave", PASSWORD, address=HOME)
    for number in range(101):
        await node.sign_in(f"name-{number}", HOME, WRONG)
    assert await node.sign_in("dave", HOME) == "in"


async def test_known_name_has_its_own_strict_limit(node: SignInNode) -> None:
    assert await node.sign_in("bob", HOME) == "in"
    results = [await node.sign_in("bob", HOME, WRONG) for _ in range(12)]
    assert results == ["wrong"] * 10 + ["limited"] * 2


async def test_success_is_remembered_for_thirty_days(node: SignInNode) -> None:
    assert await node.sign_in("alice", HOME) == "in"
    for days, expected in ((29.9, "in"), (30.1, "limited")):
        await anyio.sleep(days * 86_400)
        for number in range(101):
            await node.sign_in(f"name-{number}", HOME, WRONG)
        assert await node.sign_in("alice", HOME) == expected


async def test_guessed_name_is_checked_slowly_from_unknown_addresses(node: SignInNode) -> None:
    for number in range(100):
        assert await node.sign_in("bob", f"198.51.100.{number}", WRONG) == "wrong"
    began = anyio.current_time()
    for number in range(4):
        assert await node.sign_in("bob", f"203.0.113.{number}", WRONG) == "wrong"
    assert 3.0 <= anyio.current_time() - began < 4.5
    assert await node.patient_sign_in("bob", HOME) < 2


async def test_known_address_does_not_wait_while_its_name_is_guessed(node: SignInNode) -> None:
    assert await node.sign_in("bob", HOME) == "in"
    for number in range(101):
        await node.sign_in("bob", f"198.51.100.{number}", WRONG)
    began = anyio.current_time()
    assert await node.sign_in("bob", HOME) == "in"
    assert anyio.current_time() - began == pytest.approx(node.hasher.seconds)


async def test_slow_lane_holds_few_attempts_and_refuses_the_others_at_once(node: SignInNode) -> None:
    for number in range(101):
        await node.sign_in("bob", f"198.51.100.{number}", WRONG)
    results: list[tuple[str, float]] = []

    async def attempt(address: str) -> None:
        began = anyio.current_time()
        results.append((await node.sign_in("bob", address, WRONG), anyio.current_time() - began))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(attempt, f"203.0.113.{number}")
    refused = [seconds for result, seconds in results if result == "limited"]
    assert len(refused) == 45
    assert max(refused) < 1
    assert len(results) == 50


async def test_fault_of_the_server_does_not_count_as_a_failure(node: SignInNode) -> None:
    users = [f"user-{number}" for number in range(200)]
    await node.add(*users)
    async with anyio.create_task_group() as tasks:
        for user in users:
            tasks.start_soon(node.sign_in, user, HOME)
    assert node.hasher.hashes < 50
    assert [await node.sign_in(f"name-{number}", HOME, WRONG) for number in range(100)] == ["wrong"] * 100


async def test_sign_ups_of_an_address_are_limited_before_hashing() -> None:
    node = SignInNode(rates={**RATES, "sign_up": Rate(3, 3600)})
    for number in range(3):
        await node.accounts.sign_up(f"new-{number}", PASSWORD, address=ELSEWHERE)
    hashes = node.hasher.hashes
    with pytest.raises(RateLimited) as refused:
        await node.accounts.sign_up("new-3", PASSWORD, address=ELSEWHERE)
    assert 3_590_000 < (refused.value.retry_after_ms or 0) <= 3_600_000
    assert node.hasher.hashes == hashes
    assert await node.accounts.sign_up("new-3", PASSWORD, address=HOME) == "new-3"


async def test_sign_up_with_a_taken_name_hashes_nothing_and_is_limited(node: SignInNode) -> None:
    for _ in range(10):
        with pytest.raises(Conflict):
            await node.accounts.sign_up("Bob", PASSWORD, address=ELSEWHERE)
    with pytest.raises(RateLimited):
        await node.accounts.sign_up("bob", PASSWORD, address=ELSEWHERE)
    assert node.hasher.hashes == 0


async def test_sign_ups_with_a_taken_name_do_not_count_as_failed_sign_ins(node: SignInNode) -> None:
    for _ in range(10):
        with pytest.raises(Conflict):
            await node.accounts.sign_up("bob", PASSWORD, address=ELSEWHERE)
    assert await node.sign_in("bob", ELSEWHERE) == "in"


async def test_sign_ups_refused_by_a_full_queue_are_not_counted() -> None:
    node = SignInNode(rates={**RATES, "sign_up": Rate(60, 3600)})
    outcomes: list[bool] = []

    async def sign_up(name: str) -> None:
        try:
            await node.accounts.sign_up(name, PASSWORD, address=HOME)
        except RateLimited:
            outcomes.append(False)
        else:
            outcomes.append(True)

    async with anyio.create_task_group() as tasks:
        for number in range(60):
            tasks.start_soon(sign_up, f"crowd-{number}")
    refused = outcomes.count(False)
    assert refused > 20
    outcomes.clear()
    for number in range(refused + 1):
        await sign_up(f"later-{number}")
    assert outcomes == [True] * refused + [False]


async def test_limit_is_logged_once_a_minute_without_password_or_raw_name(
    node: SignInNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(30):
        await node.sign_in("bob", ELSEWHERE, WRONG)
    (line,) = caplog.messages
    assert line == f"sign-in limit reached: limit=sign_in name='bob' address={ELSEWHERE}"
    await anyio.sleep(60)
    for _ in range(3):
        await node.sign_in("bob", ELSEWHERE, WRONG)
    assert caplog.messages == [line, line]


async def test_name_is_logged_escaped_and_truncated(caplog: pytest.LogCaptureFixture) -> None:
    node = SignInNode()
    accounts = node.accounts
    accounts._normalise = lambda name: name
    for _ in range(11):
        await node.sign_in("ev\nil " + "x" * 1_000, "not an address\n", WRONG)
    (line,) = caplog.messages
    assert line == f"sign-in limit reached: limit=sign_in name='ev\\nil {'x' * 58}' address=unknown"


# Floods: 200 wrong passwords a second against a server that hashes 10 passwords a second.


async def flood(
    node: SignInNode, names: int | None, addresses: int, legitimate: tuple[str, str], after: float
) -> float:
    """Return the seconds of a legitimate sign-in that begins ``after`` seconds of a flood.

    The flood tries ``names`` names (None: bob only) from ``addresses`` addresses.
    """
    took = 0.0
    async with anyio.create_task_group() as tasks:

        async def attack() -> None:
            number = 0
            while True:
                user = "bob" if names is None else f"name-{number % names}"
                address = (
                    f"198.51.{100 + number % addresses // 250}.{number % addresses % 250}" if addresses > 1 else HOME
                )
                tasks.start_soon(node.sign_in, user, address, WRONG)
                number += 1
                await anyio.sleep(1 / 200)

        tasks.start_soon(attack)
        await anyio.sleep(after)
        took = await node.patient_sign_in(*legitimate)
        tasks.cancel_scope.cancel()
    return took


AFTER = [0.0, 12.0]
"""Seconds of the flood: at its beginning, and after the limits of addresses and of the name are reached."""


@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("known", [True, False])
async def test_user_signs_in_while_50_addresses_guess_the_users_password(
    node: SignInNode, after: float, known: bool
) -> None:
    if known:
        assert await node.sign_in("bob", HOME) == "in"
    assert await flood(node, None, 50, ("bob", HOME), after) < 5


@pytest.mark.parametrize("after", AFTER)
async def test_known_user_signs_in_while_the_address_guesses_other_names(node: SignInNode, after: float) -> None:
    assert await node.sign_in("alice", HOME) == "in"
    assert await flood(node, 100_000, 1, ("alice", HOME), after) < 5


@pytest.mark.parametrize("after", AFTER)
async def test_other_users_sign_in_while_one_address_guesses_names(node: SignInNode, after: float) -> None:
    assert await flood(node, 100_000, 1, ("alice", ELSEWHERE), after) < 5


@pytest.mark.parametrize("after", AFTER)
async def test_other_users_sign_in_while_50_addresses_guess_names(node: SignInNode, after: float) -> None:
    assert await flood(node, 100_000, 50, ("alice", HOME), after) < 5


async def test_user_signs_in_after_the_queue_was_full_of_first_attempts(node: SignInNode) -> None:
    """Hashes take 1 s, so the queue still holds the first attempts of addresses that have tried again since."""
    node.hasher.seconds = 1.0
    assert await flood(node, None, 50, ("bob", HOME), 1.5) < 5


async def test_user_that_signs_in_repeatedly_does_not_block_others(node: SignInNode) -> None:
    async with anyio.create_task_group() as tasks:

        async def repeat() -> None:
            while True:
                tasks.start_soon(node.sign_in, "bob", ELSEWHERE)
                await anyio.sleep(1 / 200)

        tasks.start_soon(repeat)
        await anyio.sleep(5)
        assert await node.patient_sign_in("alice", HOME) < 5
        assert await node.patient_sign_in("alice", HOME) < 5
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("addresses", [1, 100])
async def test_100_concurrent_sign_ins_are_spread_over_the_time_of_their_hashes(addresses: int) -> None:
    node = SignInNode()
    users = [f"user-{number}" for number in range(100)]
    await node.add(*users)
    times: list[float] = []
    attempts = 0
    sign_in = node.accounts.sign_in

    async def attempt(number: int) -> None:
        times.append(await node.patient_sign_in(users[number], f"198.51.100.{number % addresses}"))

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal attempts
        attempts += 1
        return await sign_in(*arguments, **options)

    node.accounts.sign_in = counted  # type: ignore[method-assign]
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(attempt, number)
    assert len(times) == 100
    assert max(times) < 2 * 100 * node.hasher.seconds / 2
    assert attempts < 250
    assert node.hasher.most_running == 2


async def test_refused_clients_get_different_retry_times(node: SignInNode) -> None:
    waits: list[int] = []
    await node.add(*(f"user-{number}" for number in range(126)))

    async def attempt(number: int) -> None:
        try:
            await node.accounts.sign_in(f"user-{number}", PASSWORD, address=f"198.51.100.{number}")
        except RateLimited as error:
            waits.append(error.retry_after_ms or 0)

    async with anyio.create_task_group() as tasks:
        for number in range(126):
            tasks.start_soon(attempt, number)
    waits.sort()
    assert len(waits) == 100
    assert waits[-1] - waits[0] > 4_000
    assert max(later - earlier for earlier, later in pairwise(waits)) < 2_000


async def test_cancelled_sign_in_leaves_its_turn_to_others() -> None:
    node = SignInNode(hasher=SlowHasher(1))
    await node.add("alice", "bob", "carol", "dave")
    async with anyio.create_task_group() as tasks:
        for user in ("alice", "bob"):
            tasks.start_soon(node.sign_in, user, HOME)
        await anyio.sleep(0.5)
        async with anyio.create_task_group() as cancelled:
            cancelled.start_soon(node.sign_in, "carol", HOME)
            await anyio.sleep(0.1)
            cancelled.cancel_scope.cancel()
        assert await node.patient_sign_in("dave", HOME) == pytest.approx(1.4)
    assert node.hasher.hashes == 3
