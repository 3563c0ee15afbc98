"""The objects and callbacks that a live room uses."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen

from ..domain.decider import Rules
from ..domain.entries import Entry
from ..errors import ChatError
from ..ids import RoomId, UserId
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from .appender import Appender
from .live_sockets import LiveUser
from .typing import Typing


@frozen(kw_only=True)
class RoomContext:
    """The context that all rooms of a Chat share."""

    store: Store
    appender: Appender
    users: Mapping[UserId, LiveUser]
    typing: Typing
    now: Callable[[], datetime]
    start: Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
    publish: Callable[[Sequence[Entry]], None]
    has_commands: Callable[[RoomId], None]
    """Called when a room without pending commands gets one."""
    idle: Callable[[RoomId], None]
    """Called when a room has no subscriptions and no work."""
    uniform: Callable[[float, float], float]
    room_refusal: Callable[[RoomId], ChatError | None]
    """Counts a message for the limit of its room. Returns an error if the limit is reached."""
    directory: UserDirectory | None = None
    rules: Rules = field(factory=Rules)
