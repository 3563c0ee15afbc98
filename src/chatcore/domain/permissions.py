"""Who may do what: the contract's table of rights.

A row names an action and, for each kind of room, the ranks that have the right to it. A member without the right is
told ``forbidden``; everybody else is told ``not_found``, as if the room did not exist.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from ..errors import ChatError, Forbidden, NotFound
from .entries import Role, RoomKind
from .state import Member

Action: TypeAlias = Literal["create", "send", "read", "get", "join"]
Rank: TypeAlias = Role | Literal["invited", "banned", "stranger"]

MEMBERS: frozenset[Rank] = frozenset({"owner", "admin", "member"})
INVITED: frozenset[Rank] = frozenset({"invited"})
STRANGERS: frozenset[Rank] = frozenset({"stranger"})
NOBODY: frozenset[Rank] = frozenset()

RIGHTS: Mapping[Action, Mapping[RoomKind, frozenset[Rank]]] = {
    "create": {"private": NOBODY, "group": NOBODY, "public": NOBODY},
    "send": {"private": MEMBERS, "group": MEMBERS, "public": MEMBERS},
    "read": {"private": MEMBERS, "group": MEMBERS, "public": MEMBERS},
    "get": {"private": MEMBERS, "group": MEMBERS | INVITED, "public": MEMBERS | INVITED | STRANGERS},
    "join": {"private": NOBODY, "group": MEMBERS | INVITED, "public": MEMBERS | INVITED | STRANGERS},
}
"""Joining a room that one is a member of is a right too: it changes nothing. Nobody may create what is there."""


def refusal(action: Action, kind: RoomKind | None, member: Member | None) -> ChatError | None:
    """None where the right is there; what the user is told otherwise. ``kind`` is None for a room that is unborn."""
    rank = _rank(member)
    if kind is not None and rank in RIGHTS[action][kind]:
        return None
    return Forbidden() if kind is not None and rank in MEMBERS else NotFound()


def _rank(member: Member | None) -> Rank:
    if member is None:
        return "stranger"
    return member.role if member.standing == "member" else member.standing
