"""Commands about memberships: join, leave, invite, remove, ban, roles, and the list of members."""

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import optional

from ..domain import permissions
from ..domain.decider import Facts
from ..domain.entries import Banned, Event, Invited, Joined, Left, MembershipState, Removed, Role, RoleChanged, Unbanned
from ..domain.permissions import Action, may_act_on, rank
from ..domain.state import RoomState
from ..errors import ChatError, Forbidden, Invalid, NotFound
from ..ids import RoomId, UserId
from ..ports.rate_limiter import LimitName
from . import fields
from .command import ChangeCommand, Context, ReadingCommand, Refusals, Route, Routes, UserFields

ROLES: Sequence[Role] = ("member", "admin", "owner")
"""All roles, from the lowest to the highest."""
NOT_TO_LEADERS = "An admin can't do this to an owner or an admin."
BANNED = "This user is banned."
LAST_OWNER_STEPS_DOWN = "The last owner can't step down; make another member an owner first."


@frozen(kw_only=True)
class JoinRoom(ChangeCommand):
    """Join a public room, or a group to which the user is invited."""

    name = "room.join"
    action: ClassVar[Action] = "join"
    routes: ClassVar[Routes] = (Route("PUT", "/rooms/{room}/members/{self}"),)
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is banned, or is not invited to the group, or may not know of the room",
        "forbidden": "a member of a private room; over HTTP, another user in the path",
        "conflict": "the room is full",
    }

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        return None if state.member(user) else Joined(user=user)


@frozen(kw_only=True)
class LeaveRoom(ChangeCommand):
    """Leave a room or decline an invitation. The last owner may leave only as the last member."""

    name = "room.leave"
    action: ClassVar[Action] = "leave"
    routes: ClassVar[Routes] = (Route("DELETE", "/rooms/{room}/members/{self}"),)
    refusals: ClassVar[Refusals] = {
        "forbidden": "the last owner, while there are other members; a private room",
        "not_found": "the user is neither a member nor invited",
    }

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if user not in state.members:
            return None  # only for a trusted command: other users without a membership may not leave
        if state.is_last_owner(user) and state.count() > 1:
            return Forbidden(
                "The last owner can't leave while there are other members; make another member an owner first."
            )
        return Left(user=user)


@frozen(kw_only=True)
class UserCommand(ChangeCommand):
    """A leader's command about another user."""

    user_fields: ClassVar[UserFields] = ("user",)

    user: UserId = field(validator=fields.user)


@frozen(kw_only=True)
class InviteUser(UserCommand):
    """Invite a user, who may then join."""

    name = "room.invite"
    action: ClassVar[Action] = "invite"
    routes: ClassVar[Routes] = (Route("PUT", "/rooms/{room}/invitations/{user}"),)
    refusals: ClassVar[Refusals] = {
        "forbidden": "the member is no admin or owner; `user` is banned; a private room",
        "not_found": "the caller is not a member; `user` does not exist",
        "rate_limited": "the limit of invitations",
    }

    @property
    def counts(self) -> Mapping[LimitName, int]:
        return {"invite": 1}

    def required_users(self, state: RoomState) -> Collection[UserId]:
        return (self.user,)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if facts.unknown_users:
            return NotFound()
        member = state.members.get(self.user)
        if member and member.state == "banned":
            return Forbidden(BANNED)
        return None if member else Invited(user=self.user)


@frozen(kw_only=True)
class RemoveUser(UserCommand):
    """End a user's membership or withdraw the invitation."""

    name = "room.remove"
    action: ClassVar[Action] = "remove"
    routes: ClassVar[Routes] = (
        Route("DELETE", "/rooms/{room}/members/{user}"),
        Route("DELETE", "/rooms/{room}/invitations/{user}"),
    )
    refusals: ClassVar[Refusals] = {
        "forbidden": "the member has no right to it; a private room",
        "invalid": "`user` is the caller",
        "not_found": "the caller is not a member",
    }

    reason: str | None = field(default=None, validator=optional(fields.reason))

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        member = state.members.get(self.user)
        if refusal := _refusal(state, facts, user, self.user):
            return refusal
        return None if member is None or member.state == "banned" else Removed(user=self.user, reason=self.reason)


@frozen(kw_only=True)
class BanUser(UserCommand):
    """Ban a user: end the membership or invitation, and refuse a later one."""

    name = "room.ban"
    action: ClassVar[Action] = "ban"
    routes: ClassVar[Routes] = (Route("PUT", "/rooms/{room}/bans/{user}"),)
    refusals: ClassVar[Refusals] = {
        "forbidden": "the member has no right to it; a private room",
        "invalid": "`user` is the caller",
        "not_found": "the caller is not a member; `user` does not exist",
    }

    reason: str | None = field(default=None, validator=optional(fields.reason))

    def required_users(self, state: RoomState) -> Collection[UserId]:
        return (self.user,)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if facts.unknown_users:
            return NotFound()
        if refusal := _refusal(state, facts, user, self.user):
            return refusal
        member = state.members.get(self.user)
        return None if member and member.state == "banned" else Banned(user=self.user, reason=self.reason)


@frozen(kw_only=True)
class UnbanUser(UserCommand):
    """End the ban of a user."""

    name = "room.unban"
    action: ClassVar[Action] = "unban"
    routes: ClassVar[Routes] = (Route("DELETE", "/rooms/{room}/bans/{user}"),)
    refusals: ClassVar[Refusals] = {
        "forbidden": "the member has no right to it; a private room",
        "not_found": "the caller is not a member",
    }

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        member = state.members.get(self.user)
        if not facts.trusted and not may_act_on(state.members.get(user), member):
            return Forbidden(NOT_TO_LEADERS)
        return Unbanned(user=self.user) if member and member.state == "banned" else None


@frozen(kw_only=True)
class ChangeRole(UserCommand):
    """Change a member's role. Only an owner may change another member's role; every member may step down."""

    name = "room.role"
    action: ClassVar[Action] = "role"
    routes: ClassVar[Routes] = (Route("PATCH", "/rooms/{room}/members/{user}"),)
    refusals: ClassVar[Refusals] = {
        "forbidden": "the member is no owner; the last owner steps down; a private room",
        "invalid": "`user` is the caller, and it is no step down",
        "not_found": "the caller is not a member; `user` is not a member",
    }

    role: Role = field(validator=fields.one_of(*ROLES))

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        member = state.member(self.user)
        if self.user == user and member is not None and not facts.trusted:
            return self._step_down(state, member.role)
        if rank(state.members.get(user)) != "owner" and not facts.trusted:
            return Forbidden("Only an owner may change the role of another member.")
        if member is None:
            return NotFound()
        if self.role != "owner" and state.is_last_owner(self.user):
            return Forbidden(LAST_OWNER_STEPS_DOWN)
        return None if member.role == self.role else RoleChanged(user=self.user, role=self.role)

    def _step_down(self, state: RoomState, present: Role) -> Event | ChatError | None:
        if self.role == present:
            return None
        if ROLES.index(self.role) > ROLES.index(present):
            return Invalid("user must be another user, except to step down.", field="user")
        if state.is_last_owner(self.user):
            return Forbidden(LAST_OWNER_STEPS_DOWN)
        return RoleChanged(user=self.user, role=self.role)


@frozen(kw_only=True)
class AddMember(UserCommand):
    """Make a user a member without an invitation: for hosts, which execute it with ``trusted=True``.

    It changes nothing for a member. A banned user stays out. No transport serves it.
    """

    name = "room.add"
    action: ClassVar[Action] = "invite"

    role: Role = field(default="member", validator=fields.one_of(*ROLES))

    def required_users(self, state: RoomState) -> Collection[UserId]:
        return (self.user,)

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if not facts.trusted:
            return Forbidden("Only the host may add a member without an invitation: execute it with trusted=True.")
        if facts.unknown_users:
            return NotFound()
        member = state.members.get(self.user)
        if member and member.state == "banned":
            return Forbidden(BANNED)
        return None if member and member.state == "member" else Joined(user=self.user, role=self.role)


def _refusal(state: RoomState, facts: Facts, user: UserId, other: UserId) -> ChatError | None:
    """Return the refusal if ``user``, a leader, may not remove or ban ``other``; else None."""
    if user == other:
        return Invalid("user must be another user; to leave the room, use room.leave.", field="user")
    if not facts.trusted and not may_act_on(state.members.get(user), state.members.get(other)):
        return Forbidden(NOT_TO_LEADERS)
    if state.is_last_owner(other) and state.count() > 1:
        return Forbidden("The last owner can't be removed; make another member an owner first.")
    return None


@frozen(kw_only=True)
class MemberRow:
    """A user's membership in a page of members: a member, invited, or banned."""

    user: UserId
    role: Role
    state: MembershipState


@frozen(kw_only=True)
class MemberPage:
    """The answer of `ListMembers`.

    Attributes:
        members: in the order of user ids.
        next: the ``after`` of the next page; None if there is none.
    """

    members: Sequence[MemberRow]
    next: str | None = None


@frozen(kw_only=True)
class ListMembers(ReadingCommand[MemberPage]):
    """List the members and invited users of a room. Leaders also get the banned users."""

    name = "room.members"
    routes: ClassVar[Routes] = (Route("GET", "/rooms/{room}/members"),)
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is not a member",
    }

    room: RoomId = field(validator=fields.room)
    after: str | None = field(default=None, validator=optional(fields.text(1, 1024)))
    limit: int = field(default=50, validator=fields.integer(1, fields.PAGE_MAX))

    async def handle(self, context: Context) -> MemberPage:
        after = None if self.after is None else _user_of(self.after)
        page = await context.store.members(context.user, self.room, after, self.limit)
        if refusal := permissions.refusal("read", page.kind, page.member, context.rights):
            raise refusal
        rows = [MemberRow(user=user, role=member.role, state=member.state) for user, member in page.users]
        return MemberPage(members=rows, next=_page_token(rows[-1].user) if page.has_after else None)


def _page_token(user: UserId) -> str:
    return base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")


def _user_of(token: str) -> UserId:
    """Return the last user of the previous page. Raises `Invalid` for a string that is no page token."""
    try:
        user = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)).decode()
    except ValueError:
        raise Invalid("after must be the next of an earlier page.", field="after") from None
    if _page_token(user) != token:
        raise Invalid("after must be the next of an earlier page.", field="after")
    return user
