"""Commands that block users, and list the blocked ones."""

from collections.abc import Sequence
from typing import ClassVar

from attrs import field, frozen

from ..domain.blocks import BLOCKS_MAX
from ..errors import Invalid, NotFound
from ..ids import UserId
from . import fields
from .command import Context, ReadingCommand, Refusals, Route, Routes, UserFields


@frozen
class BlockResult:
    """The answer of `BlockUser` and `UnblockUser`."""


@frozen(kw_only=True)
class BlockUser(ReadingCommand[BlockResult]):
    """Block a user, who then cannot write in the private room of the two. Blocking a blocked user changes nothing.

    Fails with `Conflict` if the user has blocked 1,000 others.
    """

    name = "block"
    routes: ClassVar[Routes] = (Route("PUT", "/blocks/{user}"),)
    user_fields: ClassVar[UserFields] = ("user",)
    refusals: ClassVar[Refusals] = {
        "conflict": "the caller has blocked 1,000 users",
        "invalid": "`user` is the caller",
        "not_found": "the user does not exist",
    }

    user: UserId = field(validator=fields.user)

    async def handle(self, context: Context) -> BlockResult:
        if self.user == context.user:
            raise Invalid("user must be another user.", field="user")
        if context.directory and not await context.directory([self.user]):
            raise NotFound
        try:
            await context.store.block(context.user, self.user, BLOCKS_MAX)
        finally:  # after a failure the outcome is unknown
            context.hub.block_changed(context.user, self.user)
        return BlockResult()


@frozen(kw_only=True)
class UnblockUser(ReadingCommand[BlockResult]):
    """End the block of a user. Where there is none, nothing changes."""

    name = "unblock"
    routes: ClassVar[Routes] = (Route("DELETE", "/blocks/{user}"),)
    user_fields: ClassVar[UserFields] = ("user",)

    user: UserId = field(validator=fields.user)

    async def handle(self, context: Context) -> BlockResult:
        await context.store.unblock(context.user, self.user)
        context.hub.presence.note_block(context.user, self.user)
        return BlockResult()


@frozen(kw_only=True)
class BlockedUsers:
    """The answer of `ListBlocks`, in the order of user ids."""

    users: Sequence[UserId]


@frozen(kw_only=True)
class ListBlocks(ReadingCommand[BlockedUsers]):
    """List the users whom the user has blocked, at most 1,000."""

    name = "blocks"
    routes: ClassVar[Routes] = (Route("GET", "/blocks"),)

    async def handle(self, context: Context) -> BlockedUsers:
        return BlockedUsers(users=await context.store.blocks(context.user))
