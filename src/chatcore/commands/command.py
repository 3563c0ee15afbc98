"""The base classes of commands."""

import copy
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, Self, TypeAlias, TypeVar

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
from ..ports.user_directory import UserDirectory, UserSearch
from . import fields

Answer_co = TypeVar("Answer_co", covariant=True)
_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

GENERAL_REFUSALS: Mapping[str, str] = {
    "invalid": "a field is missing, unknown or out of bounds; `field` says which",
    "unauthenticated": "the access token is missing, wrong, expired or revoked",
    "too_large": "the message or body has more than 64 KiB",
    "rate_limited": "too many requests; `retry_after_ms` says when to try again",
    "internal": "the server has a defect; repeat the command with the same key",
    "unavailable": "the store cannot be reached; repeat the command with the same key",
}
"""Codes of the errors that every command may be refused with, and when."""
KEYED_REFUSALS: Mapping[str, str] = {"key_reused": "the key was used in this room with another content"}
"""The same of every command that appends to a room."""
NAMING_REFUSALS: Mapping[str, str] = {"not_found": "no account can have the user id"}
"""The same of every command that names users."""


@frozen
class Route:
    """An HTTP method and path, below ``/api/v1``, that serves a command.

    Attributes:
        path: ``{name}`` stands for the field of that name, ``{self}`` for the caller's user id.
        created: whether the status of success is 201, or 200 for a duplicate, instead of always 200.
        fixed: the fields whose values the method implies.
    """

    method: Method
    path: str
    created: bool = False
    fixed: Mapping[str, object] = field(factory=dict)


Routes: TypeAlias = tuple[Route, ...]
UserFields: TypeAlias = tuple[str, ...]
Refusals: TypeAlias = Mapping[str, str]
"""Codes of errors, and when a command is refused with them."""
Conditions: TypeAlias = tuple[fields.Keywords, ...]


@frozen(kw_only=True)
class Command(ABC, Generic[Answer_co]):
    """A user's command. `Chat.execute` returns its answer or raises a `ChatError`.

    The constructor checks the fields. It raises `Invalid` with the name of the invalid field.
    """

    name: ClassVar[str]
    """The Socket.IO event that carries the command."""
    routes: ClassVar[Routes] = ()
    user_fields: ClassVar[UserFields] = ()
    """The attributes that hold a user id or a list of user ids."""
    impossible_users: ClassVar[Literal["refused", "skipped", "kept"]] = "refused"
    """What is done with ids that no user can have: the command fails with `NotFound`, or a list leaves them out, or has
    them as they are."""
    refusals: ClassVar[Refusals] = {}
    """The refusals that are special to the command, beside `GENERAL_REFUSALS` and `KEYED_REFUSALS`."""
    conditions: ClassVar[Conditions] = ()
    """What the constructor requires of several fields together, as schemas (JSON Schema)."""


class _DigestSlot:
    """Where a `RoomCommand` keeps its digest, which is no field of the command.

    A cached property of a class of attrs would be found by its `__getattr__`, which takes longer than the hash.
    """

    __slots__ = ("_digest",)

    _digest: str


@frozen(kw_only=True)
class RoomCommand(Command[Answer_co], AppendCommand, _DigestSlot):
    """A command that appends to one room's log, and is queued at that room. All its methods are pure.

    A retry with the same ``key`` gets the first answer. Without a key every call is a new command.
    """

    is_message: ClassVar[bool] = False
    """Whether limits count the command as a message that a user sends."""

    key: Key | None = field(default=None, validator=optional(fields.key))

    @property
    def counts(self) -> Mapping[LimitName, int]:
        """The number of events that a `RateLimiter` counts for the command, by limit."""
        return {}

    @abstractmethod
    def room_id(self, user: UserId, key: Key) -> RoomId:
        """Return the id of the room at which the command of ``user`` is queued."""

    @abstractmethod
    def answer(self, entry: Entry, *, duplicate: bool, epoch: str) -> Answer_co:
        """Return the answer for the command's entry, which an earlier attempt wrote if ``duplicate``."""

    def unchanged(self) -> Answer_co:
        """Return the answer if `event` returned None. Only commands that may change nothing override this method."""
        raise TypeError(f"{self.name} always changes something")

    @property
    def digest(self) -> str:
        try:
            return self._digest
        except AttributeError:
            digest = self._content_digest()
            object.__setattr__(self, "_digest", digest)
            return digest

    def with_digest_of(self, sent: "RoomCommand[Answer_co]") -> Self:
        """Return this command with the digest of ``sent``: the command as the client sent it."""
        command = copy.copy(self)
        object.__setattr__(command, "_digest", sent.digest)
        return command

    def _content_digest(self) -> str:
        """The hash of the content.

        Different values, and different lists of values, are written differently. A string is written as its length and
        itself, in a third of the time that JSON takes.
        """
        values = [
            f"{len(value)}:{value}"
            if isinstance(value, str)
            else ("-" if value is None else _CANONICAL_JSON.encode(value))
            for value in self.content().values()
        ]
        return hashlib.sha256(",".join([self.name, *values]).encode()).hexdigest()[:32]

    def content(self) -> Mapping[str, Any]:
        """Return the fields that a retry with the same key must repeat."""
        return attrs.asdict(self, filter=lambda attribute, _: attribute.name != "key")


@frozen(kw_only=True)
class ChangeResult:
    """The answer of a `ChangeCommand`: the seq of its entry, or None if the command changed nothing."""

    seq: Seq | None
    duplicate: bool


@frozen(kw_only=True)
class ChangeCommand(RoomCommand[ChangeResult]):
    """A command about an existing room that may change nothing."""

    room: RoomId = field(validator=fields.room)

    def room_id(self, user: UserId, key: Key) -> RoomId:
        return self.room

    def answer(self, entry: Entry, *, duplicate: bool, epoch: str) -> ChangeResult:
        return ChangeResult(seq=entry.seq, duplicate=duplicate)

    def unchanged(self) -> ChangeResult:
        return ChangeResult(seq=None, duplicate=False)


@frozen(kw_only=True)
class Context:
    """What a reading command may use. ``socket`` is None over HTTP and from `Chat.execute`."""

    user: UserId
    store: Store
    hub: Hub
    directory: UserDirectory | None
    people: UserSearch | None
    rights: Rights
    socket: LiveSocket | None


@frozen(kw_only=True)
class ReadingCommand(Command[Answer_co]):
    """A command that reads. On a socket it runs after all earlier commands of the socket have been answered."""

    @abstractmethod
    async def handle(self, context: Context) -> Answer_co:
        """Return the answer. Raises `ChatError`."""
