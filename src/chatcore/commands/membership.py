"""Who belongs to a room: joining and leaving, inviting, removing, banning, roles, and the list of members."""

import base64
from collections.abc import Collection, Mapping, Sequence

from attrs import field, frozen
from attrs.validators import optional

from ..domain import permissions
from ..domain.decider import Facts
from ..domain.entries import Banned, Event, Invited, Joined, Left, Removed, Role, RoleChanged, Standing, Unbanned
from ..domain.permissions import may_act_on, rank
from ..domain.state import RoomState
from ..errors import ChatError, Forbidden, Invalid, NotFound
from ..ids import RoomId, UserId
from ..ports.rate_limiter import LimitName
from . import fields
from .command import ChangeCommand, Context, ReadingCommand, Route

ROLES: Sequence[Role] = ("member", "admin", "owner")
"""From the lowest to the highest."""
NOT_TO_LEADERS = "An admin can't do this to an owner or an admin."


@frozen(kw_only=True)
class JoinRoom(ChangeCommand):
    """Become a member of a public room, or of a group that one is invited to."""

    name = "room.join"
    action = "join"
    routes = (Route("PUT", "/rooms/{room}/members/{self}"),)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        return None if state.member(user) else Joined(user=user)


@frozen(kw_only=True)
class LeaveRoom(ChangeCommand):
    """Stop being a member, or decline an invitation. The last owner goes only as the last member."""

    name = "room.leave"
    action = "leave"
    routes = (Route("DELETE", "/rooms/{room}/members/{self}"),)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if state.is_last_owner(user) and state.count() > 1:
            return Forbidden(
                "The last owner can't leave while there are other members; make another member an owner first."
            )
        return Left(user=user)


@frozen(kw_only=True)
class UserCommand(ChangeCommand):
    """What somebody who leads a room does about ``user``."""

    user_fields = ("user",)

    user: UserId = field(validator=fields.user)


@frozen(kw_only=True)
class InviteUser(UserCommand):
    """Let somebody join."""

    name = "room.invite"
    action = "invite"
    routes = (Route("PUT", "/rooms/{room}/invitations/{user}"),)

    @property
    def counts(self) -> Mapping[LimitName, int]:
        return {"invite": 1}

    def required_users(self, state: RoomState) -> Collection[UserId]:
        return (self.user,)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if facts.unknown_users:
            return NotFound()
        member = state.members.get(self.user)
        if member and member.standing == "banned":
            return Forbidden("This user is banned.")
        return None if member else Invited(user=self.user)


@frozen(kw_only=True)
class RemoveUser(UserCommand):
    """End somebody's membership, or withdraw their invitation."""

    name = "room.remove"
    action = "remove"
    routes = (
        Route("DELETE", "/rooms/{room}/members/{user}"),
        Route("DELETE", "/rooms/{room}/invitations/{user}"),
    )

    reason: str | None = field(default=None, validator=optional(fields.reason))

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        member = state.members.get(self.user)
        if refusal := _refusal(state, user, self.user):
            return refusal
        return None if member is None or member.standing == "banned" else Removed(user=self.user, reason=self.reason)


@frozen(kw_only=True)
class BanUser(UserCommand):
    """End somebody's membership, or invitation, and keep them out."""

    name = "room.ban"
    action = "ban"
    routes = (Route("PUT", "/rooms/{room}/bans/{user}"),)

    reason: str | None = field(default=None, validator=optional(fields.reason))

    def required_users(self, state: RoomState) -> Collection[UserId]:
        return (self.user,)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if facts.unknown_users:
            return NotFound()
        if refusal := _refusal(state, user, self.user):
            return refusal
        member = state.members.get(self.user)
        return None if member and member.standing == "banned" else Banned(user=self.user, reason=self.reason)


@frozen(kw_only=True)
class UnbanUser(UserCommand):
    """Let somebody in again who was banned."""

    name = "room.unban"
    action = "unban"
    routes = (Route("DELETE", "/rooms/{room}/bans/{user}"),)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        member = state.members.get(self.user)
        if not may_act_on(state.members.get(user), member):
            return Forbidden(NOT_TO_LEADERS)
        return Unbanned(user=self.user) if member and member.standing == "banned" else None


@frozen(kw_only=True)
class ChangeRole(UserCommand):
    """Give a member another role, which is an owner's to do; or step down oneself."""

    name = "room.role"
    action = "role"
    routes = (Route("PATCH", "/rooms/{room}/members/{user}"),)

    role: Role = field(validator=fields.one_of(*ROLES))

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        member = state.member(self.user)
        if self.user == user and member is not None:
            return self._step_down(state, member.role)
        if rank(state.members.get(user)) != "owner":
            return Forbidden("Only an owner may change the role of another member.")
        if member is None:
            return NotFound()
        return None if member.role == self.role else RoleChanged(user=self.user, role=self.role)

    def _step_down(self, state: RoomState, present: Role) -> Event | ChatError | None:
        if self.role == present:
            return None
        if ROLES.index(self.role) > ROLES.index(present):
            return Invalid("user must be another user, except to step down.", field="user")
        if state.is_last_owner(self.user):
            return Forbidden("The last owner can't step down; make another member an owner first.")
        return RoleChanged(user=self.user, role=self.role)


def _refusal(state: RoomState, user: UserId, other: UserId) -> ChatError | None:
    """Why a leader may not remove or ban somebody."""
    if user == other:
        return Invalid("user must be another user; to leave the room, use room.leave.", field="user")
    if not may_act_on(state.members.get(user), state.members.get(other)):
        return Forbidden(NOT_TO_LEADERS)
    return None


@frozen(kw_only=True)
class MemberRow:
    """One of those who belong to a room, or are kept out of it."""

    user: UserId
    role: Role
    state: Standing


@frozen(kw_only=True)
class MemberPage:
    """A page of a room's members, by user id; ``next`` is the ``after`` of the next page."""

    members: Sequence[MemberRow]
    next: str | None = None


@frozen(kw_only=True)
class ListMembers(ReadingCommand[MemberPage]):
    """Who belongs to a room or is invited; whoever leads it also sees who is banned."""

    name = "room.members"
    routes = (Route("GET", "/rooms/{room}/members"),)

    room: RoomId = field(validator=fields.room)
    after: str | None = field(default=None, validator=optional(fields.text(1, 1024)))
    limit: int = field(default=50, validator=fields.integer(1, fields.PAGE_MAX))

    async def handle(self, context: Context) -> MemberPage:
        after = None if self.after is None else _user_at(self.after)
        state = await context.store.state(self.room)
        refusal = permissions.refusal("read", state.kind, state.members.get(context.user), context.rights)
        if refusal:
            raise refusal
        sees_bans = rank(state.members.get(context.user)) in permissions.LEADERS
        rows = [
            MemberRow(user=user, role=member.role, state=member.standing)
            for user, member in sorted(state.members.items())
            if (after is None or user > after) and (sees_bans or member.standing != "banned")
        ]
        more = len(rows) > self.limit
        return MemberPage(members=rows[: self.limit], next=_cursor(rows[self.limit - 1].user) if more else None)


def _cursor(user: UserId) -> str:
    return base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")


def _user_at(cursor: str) -> UserId:
    try:
        user = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise Invalid("after must be the next of an earlier page.", field="after") from None
    if _cursor(user) != cursor:
        raise Invalid("after must be the next of an earlier page.", field="after")
    return user
