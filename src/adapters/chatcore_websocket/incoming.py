"""What a client sends over a websocket, as a session takes it."""

from typing import NamedTuple, TypeAlias

WHOLE_MAX = 64 * 1024
"""Bytes of the largest message that is kept whole."""
MESSAGE_MAX = 1024 * 1024
"""Bytes of the largest message; a larger message ends the websocket."""
START_MAX = 64
"""Bytes from the start of a message above `WHOLE_MAX` that are kept."""


class FrameError(Exception):
    """The client violated RFC 6455. No further frames can be read.

    Attributes:
        code: the close code for this violation.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class TruncatedText(str):
    """The first `START_MAX` bytes of a text message above `WHOLE_MAX`. The rest was counted and discarded."""

    __slots__ = ()


class Fragment(NamedTuple):
    """A frame of a message that further frames continue; ``size`` is the size of its payload in bytes."""

    size: int


class Ping(NamedTuple):
    """A ping with at most 125 bytes."""

    payload: bytes


class Pong(NamedTuple):
    """A pong with at most 125 bytes."""

    payload: bytes


class Close(NamedTuple):
    """A close frame, the client's last frame. ``code`` is None if the frame carries no close code."""

    code: int | None


Event: TypeAlias = str | TruncatedText | bytes | Fragment | Ping | Pong | Close
"""The event of a frame: the end of a message, a fragment, or a control frame.

A message is a whole text message, the start of a large text message, or a binary message, of which a large one is kept
in part.
"""
