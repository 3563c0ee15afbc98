"""The projection of a log to memberships: the users that an entry affects, and their memberships after the entry."""

from collections.abc import Mapping, MutableMapping, Sequence

import attrs

from ..ids import Seq, UserId
from .entries import Banned, Entry, Invited, Joined, Left, MembershipEvent, Removed, RoleChanged, Unbanned
from .state import Membership


def affected_users(entry: Entry) -> Sequence[UserId]:
    """Return the users to whom the entry may give another membership or role, without repetitions.

    `Entry.affects` leaves out users who only get another role: they stay in the room.
    """
    match entry.event:
        case RoleChanged(user=user) if user not in entry.affects:
            return (*entry.affects, user)
        case _:
            return entry.affects


def evolve_members(members: Mapping[UserId, Membership], entry: Entry) -> Mapping[UserId, Membership]:
    """Return the memberships after ``entry``; the same mapping if the entry changes none.

    ``members`` holds at least the memberships of `affected_users`: a store needs to read no others.
    """
    if entry.opens:
        members = {user: Membership(role, since=entry.seq) for user, role in entry.opens.members.items()}
    match entry.event:
        case Joined() | Left() | Invited() | Removed() | Banned() | Unbanned():
            return _evolve_member(members, entry.event, entry.seq)
        case RoleChanged(user=user, role=role):
            return {**members, user: attrs.evolve(members[user], role=role)}
        case _:
            return members


def _evolve_member(
    members: Mapping[UserId, Membership], event: MembershipEvent, seq: Seq
) -> Mapping[UserId, Membership]:
    user = event.user
    match event:
        case Joined(role=role):
            return {**members, user: Membership(role, since=seq)}
        case Invited():
            return {**members, user: Membership("member", since=seq, state="invited")}
        case Banned():
            return {**members, user: Membership("member", since=seq, state="banned")}
        case Left() | Removed() | Unbanned():
            return {other: member for other, member in members.items() if other != user}


def apply_changes(members: MutableMapping[UserId, Membership], changes: Mapping[UserId, Membership | None]) -> None:
    """Replace the memberships of the users in ``changes``; None removes one."""
    for user, member in changes.items():
        if member:
            members[user] = member
        else:
            members.pop(user, None)
