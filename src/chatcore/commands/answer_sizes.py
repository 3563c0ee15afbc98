"""Upper bounds, in bytes, of the size of entries and rooms on the wire: an answer has at most 512 KiB."""

from collections.abc import Sequence

from attrs import define

from ..domain.entries import Banned, Edited, Entry, Message, Removed
from ..domain.serialization import compact_json
from ..domain.state import RoomView
from ..ids import RoomId
from .fields import BODY_BYTES_MAX

ANSWER_BYTES_MAX = 512 * 1024 - 4096
"""The most bytes of the entries and rooms of one answer or push; the other 4 KiB are for the fields around them."""
LAST_BODY_BYTES_MAX = 256
"""The most bytes of the body that a Room shows of its last message."""
_ESCAPED = 6
"""The bytes of a control character in JSON; in UTF-8 it has one."""
_QUOTES = 4
"""The bytes of the quotes of a string, or of null."""
_FIELDS = 512
"""The bytes of an entry's or room's field names, numbers and times."""


def entry_size(entry: Entry, body_max: int = BODY_BYTES_MAX) -> int:
    """Return an upper bound of the entry's bytes on the wire, with its body cut to ``body_max`` bytes."""
    size = _FIELDS + len(entry.room) + _json_size(entry.author) + _json_size(entry.key)
    match entry.event:
        case Message() as event:
            size += min(_json_size(event.body), _ESCAPED * body_max)
            size += _json_size(event.mentions) if event.mentions else 0
            size += _json_size(event.data) if event.data is not None else 0
            size += sum(_json_size([emoji, reaction.users]) + 32 for emoji, reaction in event.reactions.items())
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
    """Return an upper bound of a Room's bytes on the wire. Strangers see neither the last entry nor markers."""
    size = _FIELDS + 4 * len(view.room) + _json_size(view.title)
    if view.member is None:
        return size
    return size + entry_size(view.last, LAST_BODY_BYTES_MAX) + markers_size(view)


def room_size_at_most(view: RoomView) -> int:
    """Return a number that is not below `room_size`: without encoding anything if the last entry is a plain message."""
    if view.member is None:
        return room_size(view)
    size = _FIELDS + 4 * len(view.room) + _ESCAPED * len(view.title or "") + _QUOTES
    return size + entry_size_at_most(view.last, LAST_BODY_BYTES_MAX) + markers_size_at_most(view)


def entry_size_at_most(entry: Entry, body_max: int = BODY_BYTES_MAX) -> int:
    """Return a number that is not below `entry_size`: without encoding anything if the entry is a plain message."""
    event = entry.event
    if not isinstance(event, Message) or event.data is not None or event.mentions or event.reactions or entry.opens:
        return entry_size(entry, body_max)
    text = min(len(event.body), body_max) + len(entry.author) + len(entry.key)
    return _FIELDS + len(entry.room) + _ESCAPED * text + 3 * _QUOTES


def markers_size_at_most(view: RoomView) -> int:
    """Return a number that is not below `markers_size`, without encoding anything."""
    users = view.markers or ()
    return _ESCAPED * sum(map(len, users)) + (_FIELDS // 4 + _QUOTES) * len(users)


def synced_size(room: RoomId) -> int:
    """Return an upper bound of the bytes of a room in the answer of `sync`, without its entries and markers.

    ``room`` may be any string that a cursor names: the answer repeats a string that is no room id as `gone`.
    """
    return _FIELDS // 2 + _json_size(room)


def synced_size_at_most(room: RoomId, view: RoomView | None, entries: Sequence[Entry]) -> int:
    """Return a number that is not below the bytes of a room in the answer of `sync`, with its entries and markers."""
    size = _FIELDS // 2 + _ESCAPED * len(room) + _QUOTES + sum(map(entry_size_at_most, entries))
    return size if view is None else size + markers_size_at_most(view)


def markers_size(view: RoomView) -> int:
    """Return an upper bound of the bytes of all members' markers."""
    return sum(_json_size(user) + _FIELDS // 4 for user in view.markers or ())


@define
class Budget:
    """The bytes that an answer has left."""

    left: int

    def has(self, size: int) -> bool:
        """Return whether ``size`` bytes are left, and take them if so."""
        fits = size <= self.left
        self.left -= size if fits else 0
        return fits


def _json_size(value: object) -> int:
    return len(compact_json(value).encode())
