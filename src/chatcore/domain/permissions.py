"""The contract's table of rights (``docs/protocol.md``).

A row names an action and, for each kind of room, the ranks that have the right to it. A member without the right gets
``forbidden``. Any other user without the right gets ``not_found``, as if the room did not exist.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from ..errors import ChatError, Forbidden, NotFound
from .entries import Role, RoomKind
from .state import Membership

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
NO_RANK: frozenset[Rank] = frozenset()
WRITING: frozenset[Action] = frozenset({"send", "edit", "react"})
"""What a user may not do in the private room with a user who has blocked that user."""


def _row(private: frozenset[Rank], group: frozenset[Rank], public: frozenset[Rank]) -> Row:
    return {"private": private, "group": group, "public": public}


RIGHTS: Rights = {
    # action           private   group               public
    "create":     _row(NO_RANK,   NO_RANK,             NO_RANK),
    "send":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "edit":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "delete":     _row(MEMBERS,  MEMBERS,            MEMBERS),
    "react":      _row(MEMBERS,  MEMBERS,            MEMBERS),
    "read":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "mark":       _row(MEMBERS,  MEMBERS,            MEMBERS),
    "get":        _row(MEMBERS,  MEMBERS | INVITED,  MEMBERS | INVITED | STRANGERS),
    "join":       _row(NO_RANK,   MEMBERS | INVITED,  MEMBERS | INVITED | STRANGERS),
    "leave":      _row(NO_RANK,   MEMBERS | INVITED,  MEMBERS | INVITED),
    "update":     _row(NO_RANK,   LEADERS,            LEADERS),
    "invite":     _row(NO_RANK,   LEADERS,            LEADERS),
    "remove":     _row(NO_RANK,   LEADERS,            LEADERS),
    "ban":        _row(NO_RANK,   LEADERS,            LEADERS),
    "unban":      _row(NO_RANK,   LEADERS,            LEADERS),
    "role":       _row(NO_RANK,   MEMBERS,            MEMBERS),
}  # fmt: skip
"""The ranks that may do an action at all.

Commands check more: only the author edits a message, only the author or a leader deletes one (`may_delete`), and the
rank of the other user decides who may remove or ban that user (`may_act_on`). A member may join: it changes nothing.
``create`` is for rooms without entries, so no rank has it.
"""


def refusal(
    action: Action,
    kind: RoomKind | None,
    member: Membership | None,
    rights: Rights = RIGHTS,
    *,
    trusted: bool = False,
) -> ChatError | None:
    """Return None if the user has the right to the action, else the error that the user gets.

    Args:
        kind: the kind of the room; None for a room without entries.
        member: the user's membership in the room; None for a stranger.
        trusted: whether the user has every right that any rank has, except if banned. In a private room only its two
            users have rights.
    """
    user_rank = rank(member)
    if kind is not None and user_rank in rights[action][kind]:
        return None
    if trusted and kind in ("group", "public") and user_rank != "banned" and rights[action][kind]:
        return None
    return Forbidden() if kind is not None and user_rank in MEMBERS else NotFound()


def rank(member: Membership | None) -> Rank:
    """Return the rank of a user with this membership: a member's role, else the membership state, or ``stranger``."""
    if member is None:
        return "stranger"
    return member.role if member.state == "member" else member.state


def sees_banned(member: Membership | None) -> bool:
    """Return whether the list of members shows the banned users to a user with this membership."""
    return rank(member) in LEADERS


def may_delete(kind: RoomKind | None, member: Membership | None, *, is_author: bool) -> bool:
    """Return whether a member may delete a message.

    An author may. A leader of a group or public room may delete every message.
    """
    return is_author or (kind != "private" and rank(member) in LEADERS)


def may_act_on(member: Membership | None, other: Membership | None) -> bool:
    """Return whether leader ``member`` may remove, ban or unban ``other``. An admin may not act on leaders."""
    return rank(member) == "owner" or rank(other) not in LEADERS
