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


def _fixed(users: Iterable[UserId]) -> Sequence[UserId]:
    return tuple(users)


@frozen(kw_only=True)
class Message:
    """Somebody's words. ``version`` counts from 1; ``data`` is a JSON object kept as it came."""

    body: str
    data: Data | None = None
    reply_to: Seq | None = None
    mentions: Sequence[UserId] = field(default=(), converter=_fixed)
    version: int = 1


@frozen
class Opened:
    """The room was created on purpose, before any message."""


@frozen(kw_only=True)
class Joined:
    """``user`` became a member, by their own act or because somebody let them in."""

    user: UserId
    role: Role = "member"


Event: TypeAlias = Message | Opened | Joined


@frozen(kw_only=True)
class Opens:
    """What the first entry of a log brings into being. ``members`` maps each first member to a role."""

    kind: RoomKind
    members: Mapping[UserId, Role]
    title: str | None = None


def _affected(entry: "Entry") -> tuple[UserId, ...]:
    opened = tuple(entry.opens.members) if entry.opens else ()
    match entry.event:
        case Joined(user=user) if user not in opened:
            return (*opened, user)
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
