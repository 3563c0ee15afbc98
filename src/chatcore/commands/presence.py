"""Commands about presence: say whether the user is away, and read and watch who is online."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from attrs import field, frozen

from ..domain.presence import ActiveState, UserPresence
from ..errors import Invalid
from ..ids import UserId
from . import fields
from .command import Context, ReadingCommand, Route, Routes, UserFields

USERS_MAX = 500
"""The most users that `GetPresence` names, and that a socket watches."""


@frozen
class PresenceSet:
    """The answer of `SetPresence`."""


@frozen(kw_only=True)
class SetPresence(ReadingCommand[PresenceSet]):
    """Say whether the user of this device is away. It holds until the connection ends.

    A user is away while all connections of the user are.

    Attributes:
        state: `away`, or `online` again.
    """

    name = "presence.set"
    state: ActiveState = field(validator=fields.one_of("online", "away"))

    async def handle(self, context: Context) -> PresenceSet:
        if context.socket is None:
            raise Invalid("Only a socket can be away.")
        context.hub.presence.set_away(context.socket, away=self.state == "away")
        return PresenceSet()


@frozen(kw_only=True)
class PresenceResult:
    """The answer of `GetPresence`: every user that was named, each once."""

    presence: Mapping[UserId, UserPresence]


@frozen(kw_only=True)
class GetPresence(ReadingCommand[PresenceResult]):
    """Read who of up to 500 users is online. Over a socket the changes of these users are pushed from now on.

    They replace the users of the command before. Users who share no room with the user, and users of whom one has
    blocked the other, are `offline`, like users who do not exist.
    """

    name = "presence"
    routes: ClassVar[Routes] = (Route("GET", "/presence"),)
    user_fields: ClassVar[UserFields] = ("users",)
    impossible_users: ClassVar[Literal["refused", "skipped", "kept"]] = "kept"

    users: Sequence[UserId] = field(
        converter=fields.ids, validator=fields.users(USERS_MAX), metadata={fields.QUERY_NAME: "user"}
    )

    async def handle(self, context: Context) -> PresenceResult:
        users = fields.each_once(self.users)
        # No await between the return and the answer: pushes follow it.
        return PresenceResult(presence=await context.hub.presence.read(context.user, users, context.socket))
