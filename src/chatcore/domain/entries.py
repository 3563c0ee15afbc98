"""The entries of a room's log.

An `Entry` is what stands in the log: where (``room``, ``seq``), who and when, the key and digest that make a retry
recognisable, and the event itself. The first entry of a log also carries what it opens.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import Factory, field, frozen

from ..ids import Key, RoomId, Seq, UserId

RoomKind: TypeAlias = Literal["private", "group", "public"]
Role: TypeAlias = Literal["owner", "admin", "member"]
Standing: TypeAlias = Literal["member", "invited", "banned"]
Data: TypeAlias = Mapping[str, Any]

REACTIONS_MAX = 20
"""Different emoji on one message."""
REACTION_USERS_MAX = 20
"""Users of an emoji that are named; the others are only counted."""


def _ids(values: Iterable[UserId]) -> Sequence[UserId]:
    return tuple(values)


@frozen(kw_only=True)
class Reaction:
    """An emoji on a message: how many gave it, and the first 20 of them. ``mine`` says whether whoever reads is among
    those who gave it; it is not on the wire."""

    count: int
    users: Sequence[UserId] = field(converter=_ids)
    mine: bool = False


@frozen(kw_only=True)
class Message:
    """Somebody's words. ``version`` counts from 1; ``data`` is a JSON object kept as it came.

    As written ``edited_at``, ``reactions`` and ``deleted`` say nothing. In its present state a message has the body
    and version of its last edit, and, once deleted, neither body nor data.
    """

    body: str
    data: Data | None = None
    reply_to: Seq | None = None
    mentions: Sequence[UserId] = field(default=(), converter=_ids)
    version: int = 1
    edited_at: datetime | None = None
    reactions: Mapping[str, Reaction] = field(factory=dict)
    deleted: bool = False


@frozen(kw_only=True)
class Edited:
    """The author gave a message another body, which is None once the message has been deleted."""

    target: Seq
    version: int
    body: str | None = None


@frozen(kw_only=True)
class Deleted:
    """The text of a message is gone, also from its `Edited` entries."""

    target: Seq


@frozen(kw_only=True)
class Reacted:
    """The author put an emoji on a message (``on``), or took it back."""

    target: Seq
    emoji: str
    on: bool


@frozen
class Opened:
    """The room was created on purpose, before any message."""


@frozen(kw_only=True)
class Joined:
    """``user`` became a member, by their own act."""

    user: UserId
    role: Role = "member"


@frozen(kw_only=True)
class Left:
    """``user`` stopped being a member, or declined an invitation, by their own act."""

    user: UserId


@frozen(kw_only=True)
class Invited:
    """``user`` may join."""

    user: UserId


@frozen(kw_only=True)
class Removed:
    """``user`` stopped being a member, or is no longer invited, by somebody else's act."""

    user: UserId
    reason: str | None = None


@frozen(kw_only=True)
class Banned:
    """``user`` is not a member (any more), and can't become one."""

    user: UserId
    reason: str | None = None


@frozen(kw_only=True)
class Unbanned:
    """``user`` may become a member again."""

    user: UserId


@frozen(kw_only=True)
class RoleChanged:
    """``user`` has another role."""

    user: UserId
    role: Role


@frozen(kw_only=True)
class Updated:
    """The room has another title."""

    title: str


Standings: TypeAlias = Joined | Left | Invited | Removed | Banned | Unbanned
"""The events that change who belongs to a room."""

Event: TypeAlias = Message | Edited | Deleted | Reacted | Opened | Standings | RoleChanged | Updated


@frozen(kw_only=True)
class Opens:
    """What the first entry of a log brings into being. ``members`` maps each first member to a role."""

    kind: RoomKind
    members: Mapping[UserId, Role]
    title: str | None = None


def _affected(entry: "Entry") -> tuple[UserId, ...]:
    opened = tuple(entry.opens.members) if entry.opens else ()
    match entry.event:
        case Joined() | Left() | Invited() | Removed() | Banned() | Unbanned():
            return opened if entry.event.user in opened else (*opened, entry.event.user)
        case _:
            return opened


@frozen(kw_only=True)
class Entry:
    """One entry of a room's log. ``at`` is UTC and for display only; nothing inside a room is ordered by it.

    ``digest`` identifies the command that made the entry; it is None once a deletion has erased it.
    """

    room: RoomId
    seq: Seq
    author: UserId
    at: datetime
    key: Key
    digest: str | None
    event: Event
    opens: Opens | None = None
    affects: tuple[UserId, ...] = field(init=False, default=Factory(_affected, takes_self=True))
    """The users whose membership this entry changes: through it a user's rooms are found from the log alone."""
