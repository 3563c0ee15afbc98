"""The command that reads the profiles of users."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from attrs import field, frozen

from ..domain.serialization import compact_json
from ..ids import UserId
from ..ports.user_directory import Profile
from . import fields
from .answer_sizes import ANSWER_BYTES_MAX, Budget
from .command import Context, ReadingCommand, Route, Routes, UserFields

USERS_MAX = 500
"""The most users that `Profiles` names."""
_FIELDS = 64
"""The bytes of a profile's field names."""


@frozen(kw_only=True)
class ProfilesResult:
    """The answer of `Profiles`. ``rest`` are the users whose profiles did not fit into it, to be asked for again."""

    profiles: Mapping[UserId, Profile]
    rest: Sequence[UserId] = ()


@frozen(kw_only=True)
class Profiles(ReadingCommand[ProfilesResult]):
    """Read the profiles of up to 500 users who share a room or an invitation with the user.

    The answer leaves out all other users, like users who do not exist. It always has the user's own profile.
    """

    name = "profiles"
    routes: ClassVar[Routes] = (Route("GET", "/profiles"),)
    user_fields: ClassVar[UserFields] = ("users",)
    impossible_users: ClassVar[Literal["refused", "skipped", "kept"]] = "skipped"

    users: Sequence[UserId] = field(
        converter=fields.ids, validator=fields.users(USERS_MAX), metadata={fields.QUERY_NAME: "user"}
    )

    async def handle(self, context: Context) -> ProfilesResult:
        users = fields.each_once(self.users)
        others = [user for user in users if user != context.user]
        shown = await context.store.acquaintances(context.user, others) if others else frozenset()
        asked = [user for user in users if user in shown or user == context.user]
        found = await context.directory(asked) if context.directory else dict.fromkeys(asked, Profile())
        budget = Budget(ANSWER_BYTES_MAX)
        fitting = {user: profile for user, profile in found.items() if budget.has(_size(user, profile))}
        return ProfilesResult(profiles=fitting, rest=[user for user in found if user not in fitting])


def _size(user: UserId, profile: Profile) -> int:
    """Return an upper bound of the bytes of the profile on the wire, and of the user in ``rest``."""
    values = [user, profile.name, profile.avatar, profile.data]
    return _FIELDS + len(compact_json(user).encode()) + len(compact_json(values).encode())
