"""How large things are on the wire: upper bounds in bytes, so that an answer keeps within 512 KiB."""

from attrs import define

from ..domain.entries import Banned, Edited, Entry, Message, Removed
from ..domain.state import RoomView
from ..domain.texts import compact_json
from ..ids import RoomId
from .fields import BODY_BYTES_MAX

ANSWER_BYTES_MAX = 512 * 1024 - 4096
"""What the parts of one answer or push may have together; the rest is for what stands around them."""
LAST_BODY_BYTES_MAX = 256
_ESCAPED = 6
"""JSON writes a control character, one byte, in six."""
_FIELDS = 512
"""The names of the fields of an entry or room, its numbers and times."""


def entry_size(entry: Entry, body_max: int = BODY_BYTES_MAX) -> int:
    """An upper bound of the entry's bytes on the wire, its body cut to ``body_max`` bytes."""
    size = _FIELDS + len(entry.room) + _json_size([entry.author, entry.key])
    match entry.event:
        case Message() as event:
            size += min(_json_size(event.body), _ESCAPED * body_max) + _json_size(event.mentions)
            size += _json_size(event.data) if event.data is not None else 0
            size += sum(_json_size([emoji, one.users]) + 32 for emoji, one in event.reactions.items())
        case Edited(body=str(body)):
            size += _json_size(body)
        case Removed(reason=str(reason)) | Banned(reason=str(reason)):
            size += _json_size(reason)
        case _:
            pass
    if entry.opens:
        size += _json_size([entry.opens.title, entry.opens.members])
    return size


def room_size(view: RoomView) -> int:
    """An upper bound of a Room's bytes on the wire."""
    size = _FIELDS + 4 * len(view.room) + _json_size(view.title) + entry_size(view.last, LAST_BODY_BYTES_MAX)
    return size + markers_size(view)


def synced_size(room: RoomId) -> int:
    """An upper bound of the bytes of a room in a `sync`'s answer beside entries and markers.

    A cursor may name anything: what is no room's id is answered as `gone`, with its name.
    """
    return _FIELDS // 2 + _json_size(room)


def markers_size(view: RoomView) -> int:
    """An upper bound of the bytes of everyone's markers."""
    return sum(_json_size(user) + _FIELDS // 4 for user in view.markers or ())


@define
class Budget:
    """The bytes that are left of an answer."""

    left: int

    def has(self, size: int) -> bool:
        """Whether so much is left, which is taken then."""
        fits = size <= self.left
        self.left -= size if fits else 0
        return fits


def _json_size(value: object) -> int:
    return len(compact_json(value).encode())
