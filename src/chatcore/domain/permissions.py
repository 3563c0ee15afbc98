"""Who may do what: the contract's table of rights.

A row names an action and, for each kind of room, the ranks that have the right to it. A member without the right is
told ``forbidden``; everybody else is told ``not_found``, as if the room did not exist.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from ..errors import ChatError, Forbidden, NotFound
from .entries import Role, RoomKind
from .state import Member

Action: TypeAlias = Literal[
    "create", "send", "edit", "delete", "react", "read", "mark", "get", "join", "leave", "update", "invite", "remove",
    "ban", "unban", "role",
]  # fmt: skip
Rank: TypeAlias = Role | Literal["invited", "banned", "stranger"]
Row: TypeAlias = Mapping[RoomKind, frozenset[Rank]]
Rights: TypeAlias = Mapping[Action, Row]

MEMBERS: frozenset[Rank] = frozenset({"owner", "admin", "member"})
LEADERS: frozenset[Rank] = frozenset({"owner", "admin"})
INVITED: frozenset[Rank] = frozenset({"invited"})
STRANGERS: frozenset[Rank] = frozenset({"stranger"})
NOBODY: frozenset[Rank] = frozenset()


def _row(private: frozenset[Rank], group: frozenset[Rank], public: frozenset[Rank]) -> Row:
    return {"private": private, "group": group, "public": public}


RIGHTS: Rights = {
    # action           private   group               public
    "create":     _row(NOBODY,   NOBODY,             NOBODY),
    "send":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "edit":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "delete":     _row(MEMBERS,  MEMBERS,            MEMBERS),
    "react":      _row(MEMBERS,  MEMBERS,            MEMBERS),
    "read":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "mark":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "get":        _row(MEMBERS,  MEMBERS | INVITED,  MEMBERS | INVITED | STRANGERS),
    "join":       _row(NOBODY,   MEMBERS | INVITED,  MEMBERS | INVITED | STRANGERS),
    "leave":      _row(NOBODY,   MEMBERS | INVITED,  MEMBERS | INVITED),
    "update":     _row(NOBODY,   LEADERS,            LEADERS),
    "invite":     _row(NOBODY,   LEADERS,            LEADERS),
    "remove":     _row(NOBODY,   LEADERS,            LEADERS),
    "ban":        _row(NOBODY,   LEADERS,            LEADERS),
    "unban":      _row(NOBODY,   LEADERS,            LEADERS),
    "role":       _row(NOBODY,   MEMBERS,            MEMBERS),
}  # fmt: skip
"""What a rank may do at all. Beyond it: only the author edits; only author and leaders of a group or public room
delete (`may_delete`); whom one may remove, ban, or give a role depends on their rank (`may_act_on`). Joining a room
that one is a member of is a right too: it changes nothing. Nobody may create what is there."""


def refusal(action: Action, kind: RoomKind | None, member: Member | None, rights: Rights = RIGHTS) -> ChatError | None:
    """None where the right is there; what the user is told otherwise. ``kind`` is None for a room that is unborn."""
    its_rank = rank(member)
    if kind is not None and its_rank in rights[action][kind]:
        return None
    return Forbidden() if kind is not None and its_rank in MEMBERS else NotFound()


def rank(member: Member | None) -> Rank:
    if member is None:
        return "stranger"
    return member.role if member.standing == "member" else member.standing


def may_delete(kind: RoomKind | None, member: Member | None, *, is_author: bool) -> bool:
    """Whether a member may delete a message: one's own; leaders any, but for private rooms, which have none."""
    return is_author or (kind != "private" and rank(member) in LEADERS)


def may_act_on(member: Member | None, other: Member | None) -> bool:
    """Whether a leader may remove, ban or unban somebody: an owner anyone, an admin whoever is not a leader."""
    return rank(member) == "owner" or rank(other) not in LEADERS
