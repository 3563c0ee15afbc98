"""Password hashes by argon2-cffi: their parameters, threads and bounds."""

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
    """Verifies only after its block is left, and counts concurrent verifications."""

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


async def until(condition: Callable[[], bool]) -> None:
    """Wait until other tasks or threads make ``condition`` true."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_hash_verifies_its_password_only() -> None:
    hasher = Argon2Hasher(QUICK)
    hashed = await hasher.hash("pässword 🙂")
    assert await hasher.verify("pässword 🙂", hashed)
    assert not await hasher.verify("passwörd 🙂", hashed)
    assert not await hasher.verify("", hashed)


async def test_two_hashes_of_one_password_differ() -> None:
    hasher = Argon2Hasher(QUICK)
    assert await hasher.hash("password") != await hasher.hash("password")


async def test_default_hash_is_argon2id_with_the_second_option_of_rfc_9106() -> None:
    parameters = argon2.extract_parameters(await Argon2Hasher().hash("password"))
    assert (parameters.type, parameters.version) == (argon2.Type.ID, 19)
    assert (parameters.time_cost, parameters.memory_cost, parameters.parallelism) == (3, 65_536, 4)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)


async def test_hash_with_other_parameters_is_verified() -> None:
    hashed = await Argon2Hasher(argon2.Parameters(argon2.Type.ID, 19, 16, 32, 2, 16, 1)).hash("password")
    assert await Argon2Hasher(QUICK).verify("password", hashed)


async def test_password_of_an_unknown_user_is_verified_with_equal_effort_and_wrong() -> None:
    computed: list[str] = []

    class Watched(Argon2Hasher):
        def _matches(self, password_hash: str, password: str) -> bool:
            computed.append(password_hash)
            super()._matches(password_hash, password)
            return True

    parameters = argon2.Parameters(argon2.Type.ID, 19, 16, 32, 2, 16, 1)
    assert not await Watched(parameters).verify("password", None)
    assert [argon2.extract_parameters(hashed) for hashed in computed] == [parameters]


async def test_broken_hash_in_the_store_raises_and_is_no_wrong_password() -> None:
    with pytest.raises(argon2.exceptions.InvalidHashError):
        await Argon2Hasher(QUICK).verify("password", "$broken$")


async def test_hashing_does_not_block_the_loop_and_has_bounded_concurrency() -> None:
    hasher = HeldHasher(threads=2)
    async with anyio.create_task_group() as tasks:
        with hasher:
            for _ in range(8):
                tasks.start_soon(hasher.verify, "password", None)
            await until(lambda: hasher.running == 2)
    assert hasher.most_running == hasher.at_once == 2
