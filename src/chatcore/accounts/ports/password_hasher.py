"""Passwords at rest."""

from abc import ABC, abstractmethod


class PasswordHasher(ABC):
    """Slow hashes, off the event loop. `Accounts` calls it at most ``at_once`` times at the same time.

    Attributes:
        at_once: how many hashes the hasher computes at the same time.
    """

    at_once: int

    @abstractmethod
    async def hash(self, password: str) -> str:
        """A salted hash that names its own parameters: two hashes of one password differ."""

    @abstractmethod
    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is this password's. None, the hash of a user who does not exist, is nobody's, and finding
        that out takes the work of verifying one that `hash` made."""
