"""The blocks of users: a list of them, for stores that keep it in memory."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..errors import Conflict
from ..ids import RoomId, UserId, private_room_users

BLOCKS_MAX = 1_000
"""The most users that a user may have blocked."""
TOO_MANY = "The user blocks as many users as possible; unblock one first."

BlockedPair: TypeAlias = tuple[UserId, UserId]
"""A user, and the user whom that user has blocked."""


def private_room_pairs(room: RoomId) -> Sequence[BlockedPair]:
    """Return the blocks that a private room of two users can have; none for another room."""
    users = private_room_users(room)
    return () if users is None or users[0] == users[1] else (users, (users[1], users[0]))


class BlockList:
    """The blocks of all users, with a number for each that grows from block to block."""

    def __init__(self) -> None:
        self._blocked: dict[UserId, dict[UserId, int]] = {}
        self._new: dict[int, BlockedPair] = {}  # in the order of their numbers
        self._number = 0

    def is_new(self, user: UserId, other: UserId, limit: int) -> bool:
        """Return whether `add` would add a block. Raises `Conflict` if the user has ``limit`` others."""
        blocked = self._blocked.get(user, {})
        if other in blocked:
            return False
        if len(blocked) >= limit:
            raise Conflict(TOO_MANY)
        return True

    def add(self, user: UserId, other: UserId) -> None:
        """Add a new block."""
        self._number += 1
        self._blocked.setdefault(user, {})[other] = self._number
        self._new[self._number] = user, other

    def remove(self, user: UserId, other: UserId) -> None:
        """Remove a block, if it is there."""
        if number := self._blocked.get(user, {}).pop(other, None):
            del self._new[number]

    def of(self, user: UserId) -> Sequence[UserId]:
        """Return the users whom a user has blocked, sorted."""
        return sorted(self._blocked.get(user, ()))

    def among(self, pairs: Iterable[BlockedPair]) -> frozenset[BlockedPair]:
        """Return those of ``pairs`` that are blocks."""
        return frozenset(pair for pair in pairs if pair[1] in self._blocked.get(pair[0], ()))

    def since(self, number: int | None) -> tuple[int, Sequence[BlockedPair]]:
        """Return the last number, and the blocks with a higher one than ``number``; no blocks for None."""
        if number is None or number >= self._number:
            return self._number, []
        return self._number, [pair for new, pair in self._new.items() if new > number]
