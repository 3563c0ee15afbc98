"""Page tokens of the list of rooms, which is sorted by the time of the last entry, newest first."""

import base64
import hashlib
import json

from attrs import frozen

from ..errors import Invalid
from ..ids import RoomId

_INTEGER_MAX = 2**63 - 1


@frozen(order=True)
class PageToken:
    """A room's position in the list. The list shows the greatest token first; the next page has lesser tokens.

    Attributes:
        at_ms: the time of the room's last entry, in milliseconds since 1970.
        number: the store's number of the room, which orders rooms of the same millisecond.
    """

    at_ms: int
    number: int

    @classmethod
    def of(cls, room: RoomId, at_ms: int) -> "PageToken":
        """Return the token for a store that does not number rooms: the number is 62 bits of a hash of the id."""
        return cls(at_ms, int.from_bytes(hashlib.sha256(room.encode()).digest()[:8], "big") >> 2)

    def encoded(self) -> str:
        """Return the token as an opaque string for clients."""
        text = json.dumps([self.at_ms, self.number], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decoded(cls, encoded: str) -> "PageToken":
        """Return the token of an encoded string. Raises `Invalid` for a string that `encoded` did not make."""
        try:
            padded = encoded.encode("ascii") + b"=" * (-len(encoded) % 4)
            match json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)):
                case [int(at_ms), int(number)] if abs(at_ms) < _INTEGER_MAX and abs(number) < _INTEGER_MAX:
                    if (token := cls(at_ms, number)).encoded() == encoded:
                        return token
                case _:
                    pass
        except (ValueError, RecursionError):
            pass
        raise Invalid("after must be the next of an earlier page.", field="after")
