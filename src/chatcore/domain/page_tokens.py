"""The cursor of a list of rooms, which is sorted by last entry, newest first."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

from attrs import frozen

from ..errors import Invalid
from ..ids import RoomId

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_INTEGER_MAX = 2**63 - 1


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down; exact for every year, which floats are not."""
    return (at - EPOCH) // _MILLISECOND


def from_milliseconds(at: int) -> datetime:
    return EPOCH + at * _MILLISECOND


@frozen(order=True)
class PageToken:
    """A room's place in the list: the time of its last entry, and the number that its store gave the room.

    The number only tells rooms of the same millisecond apart; it is short, which a room's id is not. The list shows
    the greatest place first, and the page after a cursor has what is less.
    """

    at_ms: int
    number: int

    @classmethod
    def of(cls, room: RoomId, at_ms: int) -> "PageToken":
        """A place for stores that give rooms no numbers: the number is 62 bits of a hash of the room's id."""
        return cls(at_ms, int.from_bytes(hashlib.sha256(room.encode()).digest()[:8], "big") >> 2)

    def encoded(self) -> str:
        """An opaque string for clients."""
        text = json.dumps([self.at_ms, self.number], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decoded(cls, cursor: str) -> "PageToken":
        """The inverse of `encoded`. Raises `Invalid` for a string that was not made by it."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            match json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)):
                case [int(at_ms), int(number)] if abs(at_ms) < _INTEGER_MAX and abs(number) < _INTEGER_MAX:
                    if (found := cls(at_ms, number)).encoded() == cursor:
                        return found
                case _:
                    pass
        except (ValueError, RecursionError):
            pass
        raise Invalid("after must be the next of an earlier page.", field="after")
