"""The port of a store for the blocks of users, which are not part of the logs."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import TypeAlias

from attrs import frozen

from ..domain.blocks import BlockedPair
from ..ids import UserId

BlockPosition: TypeAlias = int
"""The position of a block among all blocks. Opaque."""


@frozen(kw_only=True)
class NewBlocks:
    """Blocks that were made after a position, and the position from which the next call continues."""

    pairs: Sequence[BlockedPair]
    position: BlockPosition


class Blocks(ABC):
    """Which users have blocked which.

    Every method is one atomic operation. Every method raises `Unavailable` if the store cannot be reached or does not
    answer within 2 seconds. `RoomViews.state` returns the blocks of a private room with its state.
    """

    @abstractmethod
    async def block(self, user: UserId, other: UserId, limit: int) -> None:
        """Let ``user`` block ``other``, durably. A block that is there stays as it is.

        Raises:
            Conflict: the user has blocked ``limit`` others; nothing changes.
        """

    @abstractmethod
    async def unblock(self, user: UserId, other: UserId) -> None:
        """End a block, durably. A block that is not there is no error."""

    @abstractmethod
    async def blocks(self, user: UserId) -> Sequence[UserId]:
        """Return the users whom ``user`` has blocked, in the order of their code points."""

    @abstractmethod
    async def blocks_among(self, pairs: Collection[BlockedPair]) -> frozenset[BlockedPair]:
        """Return those of ``pairs`` of which the first user has blocked the second."""

    @abstractmethod
    async def new_blocks(self, after: BlockPosition | None) -> NewBlocks:
        """Return the blocks that were made after the position ``after`` and have not ended since.

        With None the result has no blocks, only the position to start from. No block that becomes visible after a call
        is missing from all later ones, but a block may come more than once. Nodes ask every 2 s, to forget what they
        remember of private rooms.
        """
