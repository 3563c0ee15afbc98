"""Page tokens: of a user's rooms, sorted by the time of the last entry, and of public rooms, sorted by their titles."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from ..errors import Invalid
from ..ids import RoomId

_INTEGER_MAX = 2**63 - 1
_NO_TOKEN = "after must be the next of an earlier page."


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
        return _encoded([self.at_ms, self.number])

    @classmethod
    def decoded(cls, encoded: str) -> "PageToken":
        """Return the token of an encoded string. Raises `Invalid` for a string that `encoded` did not make."""
        try:
            match _decoded(encoded):
                case [int(at_ms), int(number)] if abs(at_ms) < _INTEGER_MAX and abs(number) < _INTEGER_MAX:
                    if (token := cls(at_ms, number)).encoded() == encoded:
                        return token
                case _:
                    pass
        except (ValueError, RecursionError):
            pass
        raise Invalid(_NO_TOKEN, field="after")


@frozen(order=True)
class TitlePlace:
    """A public room's position in the list. The list shows the least one first; the next page has greater ones.

    Attributes:
        form: `title_form` of the room's title.
        room: the room, which orders rooms with the same form.
    """

    form: str
    room: RoomId

    @classmethod
    def start(cls, prefix: str, after: str | None) -> "TitlePlace":
        """Return the place above which a page begins.

        Args:
            prefix: the `title_form` with which the forms of all titles of the list begin.
            after: the encoded place of the last room of the page before; None for the first page. Raises `Invalid` for
                a string that `encoded` did not make.
        """
        first = cls(prefix, "")
        return first if after is None else max(first, cls.decoded(after))

    def encoded(self) -> str:
        """Return the place as an opaque string for clients."""
        return _encoded([self.form, self.room])

    @classmethod
    def decoded(cls, encoded: str) -> "TitlePlace":
        """Return the place of an encoded string. Raises `Invalid` for a string that `encoded` did not make."""
        try:
            match _decoded(encoded):
                case [str(form), str(room)]:
                    if (place := cls(form, room)).encoded() == encoded:
                        return place
                case _:
                    pass
        except (ValueError, RecursionError):
            pass
        raise Invalid(_NO_TOKEN, field="after")


def _encoded(values: Sequence[object]) -> str:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(encoded: str) -> Any:
    """Return what may be the values of an encoded string. Raises ValueError or RecursionError."""
    padded = encoded.encode("ascii") + b"=" * (-len(encoded) % 4)
    return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
