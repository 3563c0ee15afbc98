"""The effects of a `ClientState`."""

from typing import Literal, TypeAlias

from attrs import frozen

from ..ids import RoomId, Seq
from .effects import Object, SendCommand

Shown: TypeAlias = Literal["rooms", "presence", "info", "messages", "typists"]
"""What a client shows: of all rooms together, or of one room."""


@frozen
class Changed:
    """What is shown has changed. ``room`` is None for `rooms` and `presence`."""

    what: Shown
    room: RoomId | None = None


@frozen
class Answered:
    """The final answer to a command of the user. A command that the client gave up has an error of its own."""

    number: int
    answer: Object


@frozen
class Delivered:
    """The message with this key is stored, as the entry ``seq``."""

    key: str
    seq: Seq


@frozen
class Failed:
    """The message with this key was refused. It is not sent again unless the user wants it."""

    key: str
    error: Object


@frozen
class Keep:
    """Put this item into the store, in the place of an item with the same key, before the next effect."""

    item: Object


@frozen
class Drop:
    """Remove the item with this key from the store."""

    key: str


@frozen
class Wake:
    """Call `ClientState.woke` with this number after ``ms`` milliseconds."""

    number: int
    ms: int


ClientEffect: TypeAlias = SendCommand | Changed | Answered | Delivered | Failed | Keep | Drop | Wake
ClientEffects: TypeAlias = list[ClientEffect]
