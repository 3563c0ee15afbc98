"""The entries of a room's log.

An `Entry` has its position (``room``, ``seq``), its author and time, the key and digest that identify a retry, and one
event. The first entry of a log also carries what it opens.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import Factory, field, frozen

from ..ids import Key, RoomId, Seq, UserId

RoomKind: TypeAlias = Literal["private", "group", "public"]
Role: TypeAlias = Literal["owner", "admin", "member"]
MembershipState: TypeAlias = Literal["member", "invited", "banned"]
Data: TypeAlias = Mapping[str, Any]

REACTIONS_MAX = 20
"""The most different emoji on one message."""
REACTION_USERS_MAX = 20
"""How many users of an emoji are named; the others are only counted."""


def _ids(values: Iterable[UserId]) -> Sequence[UserId]:
    return tuple(values)


@frozen(kw_only=True)
class Reaction:
    """The users who gave one emoji to a message.

    Attributes:
        count: how many users gave it.
        users: the first 20 of them, in the order in which they gave it.
        mine: whether the reading user gave it; not on the wire.
    """

    count: int
    users: Sequence[UserId] = field(converter=_ids)
    mine: bool = False


@frozen(kw_only=True)
class Message:
    """A user sent a message. ``version`` counts from 1; ``data`` is a JSON object that is stored unchanged.

    A message is appended with the defaults of ``version``, ``edited_at``, ``reactions`` and ``deleted``. In its present
    state it has the body and version of its last edit; a deleted message has neither body nor data.
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
    """The author changed the body of a message. ``body`` is None after the message is deleted."""

    target: Seq
    version: int
    body: str | None = None


@frozen(kw_only=True)
class Deleted:
    """The author deleted a message: its text is erased, also from the entries of its edits."""

    target: Seq


@frozen(kw_only=True)
class Reacted:
    """The author gave an emoji to a message (``on``), or took it back."""

    target: Seq
    emoji: str
    on: bool


@frozen
class Opened:
    """The author created the room without a message."""


@frozen(kw_only=True)
class Joined:
    """``user`` became a member: the author, or a user whom the host added."""

    user: UserId
    role: Role = "member"


@frozen(kw_only=True)
class Left:
    """``user``, the author, stopped being a member or declined an invitation."""

    user: UserId


@frozen(kw_only=True)
class Invited:
    """The author invited ``user``, who may join."""

    user: UserId


@frozen(kw_only=True)
class Removed:
    """The author ended the membership or the invitation of ``user``."""

    user: UserId
    reason: str | None = None


@frozen(kw_only=True)
class Banned:
    """The author banned ``user``, who is now neither a member nor invited, and may not join."""

    user: UserId
    reason: str | None = None


@frozen(kw_only=True)
class Unbanned:
    """The author ended the ban of ``user``, who may become a member again."""

    user: UserId


@frozen(kw_only=True)
class RoleChanged:
    """The author changed the role of ``user``."""

    user: UserId
    role: Role


@frozen(kw_only=True)
class Updated:
    """The author changed the title of the room."""

    title: str


MembershipEvent: TypeAlias = Joined | Left | Invited | Removed | Banned | Unbanned
"""The events that change a user's membership state."""

Event: TypeAlias = Message | Edited | Deleted | Reacted | Opened | MembershipEvent | RoleChanged | Updated


@frozen(kw_only=True)
class RoomOpening:
    """The room that the first entry of a log opens. ``members`` maps each first member to a role."""

    kind: RoomKind
    members: Mapping[UserId, Role]
    title: str | None = None


def _affected(entry: "Entry") -> tuple[UserId, ...]:
    opened = tuple(entry.opens.members) if entry.opens else ()
    match entry.event:
        case Message():  # most entries: without the comparisons below
            return opened
        case Joined() | Left() | Invited() | Removed() | Banned() | Unbanned():
            return opened if entry.event.user in opened else (*opened, entry.event.user)
        case _:
            return opened


@frozen(kw_only=True)
class Entry:
    """One entry of a room's log.

    Attributes:
        at: UTC time for display; entries of a room are ordered by ``seq`` alone.
        digest: the content digest of the command that made the entry; None after a deletion has erased it.
        opens: the room that the entry opens; only the first entry of a log has it.
        affects: the users to whom the entry gives another membership state. Stores find a user's rooms by it.
    """

    room: RoomId
    seq: Seq
    author: UserId
    at: datetime
    key: Key
    digest: str | None
    event: Event
    opens: RoomOpening | None = None
    affects: tuple[UserId, ...] = field(init=False, default=Factory(_affected, takes_self=True))
