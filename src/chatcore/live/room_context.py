"""What a live room reaches outside itself."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..domain.decider import Rules
from ..domain.entries import Entry
from ..errors import ChatError
from ..ids import RoomId, UserId
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from .live_sockets import LiveUser

if TYPE_CHECKING:
    from .room import LiveRoom


@frozen(kw_only=True)
class RoomContext:
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
    directory: UserDirectory | None = None
    rules: Rules = field(factory=Rules)
