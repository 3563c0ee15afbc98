"""What every command has in common."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import attrs
from attrs import field, frozen
from attrs.validators import optional

from ..domain.decider import AppendCommand
from ..domain.entries import Entry
from ..domain.permissions import Rights
from ..ids import Key, RoomId, Seq, UserId
from ..live.hub import Hub
from ..live.live_sockets import LiveSocket
from ..ports.rate_limiter import LimitName
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from . import fields

Answer_co = TypeVar("Answer_co", covariant=True)
_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@frozen
class Route:
    """Where HTTP serves a command, below ``/api/v1``. ``{name}`` in the path is the field of that name; ``{self}`` is
    the caller's own id. ``created`` says that success is 201, or 200 for a duplicate; ``fixed`` are fields that the
    method stands for."""

    method: Method
    path: str
    created: bool = False
    fixed: Mapping[str, object] = field(factory=dict)


@frozen(kw_only=True)
class Command(ABC, Generic[Answer_co]):
    """Something a user wants of the chat; carried out, it comes to an ``Answer`` or raises a `ChatError`.

    Constructing one checks its fields and raises `Invalid` with the wrong field's name.
    """

    name: ClassVar[str]
    """The Socket.IO event."""
    routes: ClassVar[tuple[Route, ...]] = ()
    user_fields: ClassVar[tuple[str, ...]] = ()
    """The attributes that hold a user id or several."""


@frozen(kw_only=True)
class RoomCommand(Command[Answer_co], AppendCommand):
    """A command that appends to one room's log and takes its turn there: an `AppendCommand`. All its methods are pure.

    Repeated with its ``key`` it gets its first answer; without one it is another command each time.
    """

    is_message: ClassVar[bool] = False
    """Whether limits count it as a message that a user sends."""

    key: Key | None = field(default=None, validator=optional(fields.key))

    @property
    def counts(self) -> Mapping[LimitName, int]:
        """The events that the command is for limits of a `RateLimiter`: their number, by limit."""
        return {}

    @abstractmethod
    def room_id(self, user: UserId, key: Key) -> RoomId:
        """The room in which ``user`` does this."""

    @abstractmethod
    def answer(self, entry: Entry, *, duplicate: bool, epoch: str) -> Answer_co:
        """What the user is told of the entry that the command made."""

    def unchanged(self) -> Answer_co:
        """What the user is told where `event` was None; only commands that may change nothing have it."""
        raise TypeError(f"{self.name} always changes something")

    @property
    def digest(self) -> str:
        return self._digest

    @cached_property
    def _digest(self) -> str:
        """Identifies the content.

        No two values, and no two lists of values, are written alike. A string is written as its length and itself, in
        a third of the time that JSON takes.
        """
        values = [
            f"{len(value)}:{value}"
            if isinstance(value, str)
            else ("-" if value is None else _CANONICAL_JSON.encode(value))
            for value in self.content().values()
        ]
        return hashlib.sha256(",".join([self.name, *values]).encode()).hexdigest()[:32]

    def content(self) -> Mapping[str, Any]:
        """What a repetition with the same key must repeat."""
        return attrs.asdict(self, filter=lambda attribute, _: attribute.name != "key")


@frozen(kw_only=True)
class ChangeResult:
    """What a command changed: the seq of its entry, or None where there was nothing to change."""

    seq: Seq | None
    duplicate: bool


@frozen(kw_only=True)
class ChangeCommand(RoomCommand[ChangeResult]):
    """A command to a room that is there, which may find nothing to change."""

    room: RoomId = field(validator=fields.room)

    def room_id(self, user: UserId, key: Key) -> RoomId:
        return self.room

    def answer(self, entry: Entry, *, duplicate: bool, epoch: str) -> ChangeResult:
        return ChangeResult(seq=entry.seq, duplicate=duplicate)

    def unchanged(self) -> ChangeResult:
        return ChangeResult(seq=None, duplicate=False)


@frozen(kw_only=True)
class Context:
    """What a reading command reaches; ``socket`` is None over HTTP and from `Chat.execute`."""

    user: UserId
    store: Store
    hub: Hub
    directory: UserDirectory | None
    rights: Rights
    socket: LiveSocket | None


@frozen(kw_only=True)
class ReadingCommand(Command[Answer_co]):
    """A command that reads, in one step that is not a room's: it waits for what its socket sent before it."""

    @abstractmethod
    async def handle(self, context: Context) -> Answer_co: ...
