"""What a live room reaches outside itself."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..domain.entries import Entry
from ..domain.rooms import Rules
from ..errors import ChatError
from ..ids import RoomId, UserId
from ..ports.directory import Directory
from ..ports.store import Store
from .user import LiveUser

if TYPE_CHECKING:
    from .room import LiveRoom


@frozen(kw_only=True)
class Surroundings:
    """The same for all rooms of a Chat."""

    store: Store
    users: Mapping[UserId, LiveUser]
    now: Callable[[], datetime]
    start: Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
    publish: Callable[[Sequence[Entry]], None]
    idle: Callable[["LiveRoom"], None]
    uniform: Callable[[float, float], float]
    room_refusal: Callable[[RoomId], ChatError | None]
    """Counts a message for the limit of its room; gives the refusal where the limit is reached."""
    directory: Directory | None = None
    rules: Rules = field(factory=Rules)
