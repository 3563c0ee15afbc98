"""Password hashes by argon2-cffi: what they are, and that they stay off the loop and within bounds."""

import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel
import argon2
import pytest

from chatcore_security import Argon2Hasher

pytestmark = pytest.mark.anyio

QUICK = argon2.profiles.CHEAPEST


class HeldHasher(Argon2Hasher):
    """Verifies only once its block is left, and knows how many verifications ran at the same time."""

    def __init__(self, *, threads: int) -> None:
        super().__init__(QUICK, threads=threads)
        self.go_on = threading.Event()
        self.running = self.most_running = 0
        self._counting = threading.Lock()

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.go_on.set()

    def _matches(self, password_hash: str, password: str) -> bool:
        with self._counting:
            self.running += 1
            self.most_running = max(self.running, self.most_running)
        self.go_on.wait(10)
        with self._counting:
            self.running -= 1
        return super()._matches(password_hash, password)


async def until(true: Callable[[], bool]) -> None:
    """Let everything else run until ``true``; other tasks and threads make it so."""
    with anyio.fail_after(10):
        while not true():
            await anyio.lowlevel.checkpoint()


async def test_a_hash_is_of_its_password_and_no_other() -> None:
    hasher = Argon2Hasher(QUICK)
    found = await hasher.hash("pässword 🙂")
    assert await hasher.verify("pässword 🙂", found)
    assert not await hasher.verify("passwörd 🙂", found)
    assert not await hasher.verify("", found)


async def test_two_hashes_of_one_password_differ() -> None:
    hasher = Argon2Hasher(QUICK)
    assert await hasher.hash("password") != await hasher.hash("password")


async def test_by_default_it_is_argon2id_with_the_second_option_of_rfc_9106() -> None:
    parameters = argon2.extract_parameters(await Argon2Hasher().hash("password"))
    assert (parameters.type, parameters.version) == (argon2.Type.ID, 19)
    assert (parameters.time_cost, parameters.memory_cost, parameters.parallelism) == (3, 65_536, 4)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)


async def test_a_hash_of_other_parameters_is_still_verified() -> None:
    found = await Argon2Hasher(argon2.Parameters(argon2.Type.ID, 19, 16, 32, 2, 16, 1)).hash("password")
    assert await Argon2Hasher(QUICK).verify("password", found)


async def test_nobodys_password_is_verified_with_the_hashers_parameters_and_is_never_right() -> None:
    computed: list[str] = []

    class Watched(Argon2Hasher):
        def _matches(self, password_hash: str, password: str) -> bool:
            computed.append(password_hash)
            super()._matches(password_hash, password)
            return True

    parameters = argon2.Parameters(argon2.Type.ID, 19, 16, 32, 2, 16, 1)
    assert not await Watched(parameters).verify("password", None)
    assert [argon2.extract_parameters(found) for found in computed] == [parameters]


async def test_a_broken_hash_in_the_store_is_a_fault_and_no_wrong_password() -> None:
    with pytest.raises(argon2.exceptions.InvalidHashError):
        await Argon2Hasher(QUICK).verify("password", "$broken$")


async def test_hashing_leaves_the_loop_alone_and_runs_as_many_at_once_as_it_may() -> None:
    hasher = HeldHasher(threads=2)
    async with anyio.create_task_group() as tasks:
        with hasher:
            for _ in range(8):
                tasks.start_soon(hasher.verify, "password", None)
            await until(lambda: hasher.running == 2)
    assert hasher.most_running == hasher.at_once == 2
