"""Password hashes by argon2-cffi, in worker threads."""

import base64
import secrets
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import argon2

from chatcore.accounts import PasswordHasher

_Result = TypeVar("_Result")


class Argon2Hasher(PasswordHasher):
    """Hashes passwords by argon2id.

    Args:
        parameters: each hash takes ``memory_cost`` KiB of memory. The default is the second recommended option of
            RFC 9106, section 4: 64 MiB, about 0.1 s of a core.
        threads: how many hashes run at the same time; further ones wait.
    """

    def __init__(
        self,
        parameters: argon2.Parameters = argon2.profiles.RFC_9106_LOW_MEMORY,
        *,
        threads: int = 2,
    ) -> None:
        self._argon2 = argon2.PasswordHasher.from_parameters(parameters)
        self._hash_of_unknown_user = _random_hash(parameters)
        self._limiter = anyio.CapacityLimiter(threads)
        self.at_once = threads

    async def hash(self, password: str) -> str:
        return await self._run(partial(self._argon2.hash, password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        matches = await self._run(partial(self._matches, password_hash or self._hash_of_unknown_user, password))
        return matches and password_hash is not None

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except argon2.exceptions.VerifyMismatchError:
            return False

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


def _random_hash(parameters: argon2.Parameters) -> str:
    """Return the hash of no password. Verifying against it takes as long as against any other hash."""
    costs = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    salt, digest = (_unpadded(secrets.token_bytes(length)) for length in (parameters.salt_len, parameters.hash_len))
    return f"$argon2{parameters.type.name.lower()}$v={parameters.version}${costs}${salt}${digest}"


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
