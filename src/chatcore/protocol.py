"""Wire objects to commands and back: entries, answers and pushes as the contract writes them (``docs/protocol.md``).

Everything here deals in plain dicts; bytes are the adapters' affair. Converting is strict: ``"5"``, ``true`` and
``null`` are not the integer 5, and an unknown field is an error.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Any, TypeAlias, get_args

import attrs
from cattrs import AttributeValidationNote, ClassValidationError, Converter, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from .commands.access import Refreshed
from .commands.command import Changed, Command
from .commands.fields import wire_name
from .commands.marking import Marks
from .commands.membership import MemberPage
from .commands.messages import Edit, Sent
from .commands.reading import Cursor, History, Page, RoomList, RoomSync, Synced
from .commands.sizes import LAST_BODY_BYTES_MAX
from .commands.table import COMMANDS
from .domain.entries import (
    Banned,
    Data,
    Deleted,
    Edited,
    Entry,
    Event,
    Invited,
    Joined,
    Left,
    Message,
    Opened,
    Opens,
    Reacted,
    Reaction,
    Removed,
    RoleChanged,
    Unbanned,
    Updated,
)
from .domain.state import RoomView
from .errors import ChatError, Invalid
from .ids import UserId, private_room_users
from .live.pushes import Expiring, MarkerMoved, Ready, Room, RoomGone
from .ports.connection import Bye

Object: TypeAlias = dict[str, Any]

EVENTS: Mapping[str, type[Event]] = {
    "message": Message,
    "edited": Edited,
    "deleted": Deleted,
    "reacted": Reacted,
    "opened": Opened,
    "joined": Joined,
    "left": Left,
    "invited": Invited,
    "removed": Removed,
    "banned": Banned,
    "unbanned": Unbanned,
    "role": RoleChanged,
    "updated": Updated,
}
KINDS: Mapping[type[Event], str] = {event: kind for kind, event in EVENTS.items()}


def read_command(name: str, data: object) -> Command[Any]:
    """The command that a client means. Raises `Invalid`, with ``field`` where one is wrong."""
    command = COMMANDS.get(name)
    if command is None:
        raise Invalid("There is no such command.")
    if type(data) is not dict:
        raise Invalid("A command is one object.")
    try:
        return _CONVERTER.structure(data, command)
    except ClassValidationError as error:
        raise _what_is_wrong(error) from None


def _what_is_wrong(group: ClassValidationError) -> ChatError:
    """The first of the errors, as clients are told it."""
    error = group.exceptions[0]
    if isinstance(error, ChatError):
        return error
    if isinstance(error, ForbiddenExtraKeysError):
        return Invalid("There is an unknown field.", field=min(error.extra_fields))
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, AttributeValidationNote)]
    field = wire_name(getattr(attrs.fields(group.cl), notes[0].name)) if notes else None
    return Invalid(f"{field} is {'missing' if isinstance(error, KeyError) else 'not as it should be'}.", field=field)


# Objects that are served.


def answer_object(answer: object) -> Object:
    """What a command came to, without ``ok``."""
    return _ANSWERS[type(answer)](answer)


def push_object(body: object) -> Object:
    """The object of a push."""
    return _PUSHES[type(body)](body)


def error_object(error: ChatError) -> Object:
    found: Object = {"code": error.code, "message": error.message, "temporary": error.temporary}
    if error.field is not None:
        found["field"] = error.field
    if error.retry_after_ms is not None:
        found["retry_after_ms"] = error.retry_after_ms
    return found


def entry_object(entry: Entry) -> Object:
    """An entry as the wire has it."""
    found: Object = {
        "room": entry.room,
        "seq": entry.seq,
        "kind": KINDS[type(entry.event)],
        "author": entry.author,
        "at": timestamp(entry.at),
        **event_object(entry.event),
    }
    if isinstance(entry.event, Message | Opened):
        found["key"] = entry.key
    if entry.opens:
        found["opens"] = opens_object(entry.opens)
    return found


def room_object(room: Room) -> Object:
    """A Room: what of it is shown depends on the user's standing, and on whether it is pushed or listed."""
    view = room.view
    found: Object = {
        "room": view.room,
        "epoch": room.epoch,
        "kind": view.kind,
        "head": view.head if room.announced_at is None else room.announced_at,
        "members_count": view.members_count,
    }
    if view.title is not None:
        found["title"] = view.title
    if view.kind == "private":
        found["peer"] = _peer(view, room.user)
    found |= _standing_object(view)
    if room.announced_at is not None:
        found["me"].pop("unread", None)
    elif view.member and view.member.standing == "member":
        found["last"] = _last_object(view.last)
    if room.duplicate is not None:
        found["duplicate"] = room.duplicate
    return found


def _standing_object(view: RoomView) -> Object:
    """``me``, and for members everyone's markers."""
    member = view.member
    if member is None:
        return {}
    me: Object = {"role": member.role, "state": member.standing}
    if member.standing != "member" or view.marker is None:
        return {"me": me}
    me |= {
        "read": view.marker.read,
        "delivered": view.marker.delivered,
        "unread": view.unread,
        "muted": view.marker.muted,
    }
    if view.markers is None:
        return {"me": me}
    markers = {user: {"read": one.read, "delivered": one.delivered} for user, one in view.markers.items()}
    return {"me": me, "markers": markers}


def _peer(view: RoomView, user: UserId) -> UserId:
    one, other = private_room_users(view.room) or (user, user)
    return other if one == user else one


def _last_object(entry: Entry) -> Object:
    found = entry_object(entry)
    body = found.get("body", "").encode()
    if len(body) > LAST_BODY_BYTES_MAX:
        found["body"] = body[:LAST_BODY_BYTES_MAX].decode(errors="ignore")
        found["cut"] = True
    return found


def _sent_object(sent: Sent) -> Object:
    return {
        "room": sent.room,
        "epoch": sent.epoch,
        "seq": sent.seq,
        "at": timestamp(sent.at),
        "duplicate": sent.duplicate,
    }


def _changed_object(changed: Changed) -> Object:
    found: Object = {"duplicate": changed.duplicate}
    if changed.seq is not None:
        found["seq"] = changed.seq
    return found


def _page_object(page: Page) -> Object:
    return {
        "room": page.room,
        "epoch": page.epoch,
        "head": page.head,
        "entries": _entry_objects(page.entries),
        "has_before": page.has_before,
        "has_after": page.has_after,
    }


def _synced_object(synced: Synced) -> Object:
    return {"rooms": {room: _room_sync_object(one, synced.epoch) for room, one in synced.rooms.items()}}


def _room_sync_object(found: RoomSync, epoch: str) -> Object:
    if found.view is None:
        return {"status": found.status}
    written: Object = {"status": found.status, "epoch": epoch, "head": found.view.head, **_standing_object(found.view)}
    if found.entries is not None:
        written["entries"] = _entry_objects(found.entries)
    return written


def _edit_object(edit: Edit) -> Object:
    return {"seq": edit.seq, "version": edit.version, "duplicate": edit.duplicate}


def _marks_object(marks: Marks) -> Object:
    return attrs.asdict(marks)


def _member_page_object(page: MemberPage) -> Object:
    found: Object = {"members": [attrs.asdict(row) for row in page.members]}
    return found | ({"next": page.next} if page.next else {})


def _refreshed_object(refreshed: Refreshed) -> Object:
    return {} if refreshed.expires_in is None else {"expires_in": refreshed.expires_in}


def _expiring_object(expiring: Expiring) -> Object:
    return {"expires_in": expiring.expires_in}


def _room_gone_object(gone: RoomGone) -> Object:
    return {"room": gone.room}


def _marker_object(moved: MarkerMoved) -> Object:
    found: Object = {"room": moved.room, "user": moved.user, "read": moved.read, "delivered": moved.delivered}
    return found if moved.unread is None else found | {"unread": moved.unread}


def _room_list_object(found: RoomList) -> Object:
    return {"rooms": [room_object(room) for room in found.rooms]} | ({"next": found.next} if found.next else {})


def _ready_object(ready: Ready) -> Object:
    found: Object = {
        "protocol": ready.protocol,
        "features": list(ready.features),
        "epoch": ready.epoch,
        "user": ready.user,
        "device": ready.device,
        "socket": ready.socket,
        "node": ready.node,
        "rooms": [room_object(room) for room in ready.rooms],
    }
    if ready.next is not None:
        found["next"] = ready.next
    if ready.expires_in is not None:
        found["expires_in"] = ready.expires_in
    return found


def _bye_object(bye: Bye) -> Object:
    found: Object = {"code": bye.code, "resumable": bye.resumable}
    if bye.retry_after_ms is not None:
        found["retry_after_ms"] = bye.retry_after_ms
    return found


def _entry_objects(entries: Sequence[Entry]) -> list[Object]:
    return [entry_object(entry) for entry in entries]


_ANSWERS: Mapping[type, Callable[[Any], Object]] = {
    Sent: _sent_object,
    Changed: _changed_object,
    Edit: _edit_object,
    Marks: _marks_object,
    Refreshed: _refreshed_object,
    MemberPage: _member_page_object,
    Page: _page_object,
    Synced: _synced_object,
    RoomList: _room_list_object,
    Room: room_object,
}
_PUSHES: Mapping[type, Callable[[Any], Object]] = {
    Entry: entry_object,
    Room: room_object,
    RoomGone: _room_gone_object,
    MarkerMoved: _marker_object,
    Expiring: _expiring_object,
    Ready: _ready_object,
    Bye: _bye_object,
}


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Parts of entries, also for the rows of stores.


def event_object(event: Event) -> Object:
    """What an entry of the event's kind carries, without ``kind``, as plain JSON values."""
    found: Object = _CONVERTER.unstructure(event)
    if isinstance(event, Message):
        if event.deleted:
            del found["body"]
        if event.edited_at:
            found["edited_at"] = timestamp(event.edited_at)
    return found


def read_event(kind: str, fields: Object) -> Event:
    """The inverse of `event_object` for events as they are written. Raises KeyError for a kind that this version does
    not know."""
    if fields.get("deleted"):
        fields = {**fields, "body": ""}
    return _CONVERTER.structure(fields, EVENTS[kind])


def opens_object(opens: Opens) -> Object:
    """``opens`` of the first entry of a log, as plain JSON values."""
    found: Object = _CONVERTER.unstructure(opens)
    return found


def read_opens(fields: Object) -> Opens:
    """The inverse of `opens_object`."""
    return _CONVERTER.structure(fields, Opens)


# The one converter.


def _exactly(*kinds: type) -> Callable[[object, Any], Any]:
    """No conversion: cattrs would turn ``"5"`` into 5 and a text into a list of its characters."""

    def structure(value: object, _: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError
        return value

    return structure


def _user_list(value: object, _: Any) -> list[UserId]:
    if type(value) is not list or any(type(one) is not str for one in value):
        raise TypeError
    return value


def _cursors(value: object, _: Any) -> dict[str, Cursor]:
    if type(value) is not dict:
        raise TypeError
    return {room: _CONVERTER.structure(cursor, Cursor) for room, cursor in value.items()}


def _is_optional(kind: Any) -> bool:
    return isinstance(kind, UnionType) and type(None) in get_args(kind)


def _unless_null(converter: Converter, kind: Any) -> Callable[[object, Any], Any]:
    """An optional field is left out, never null."""
    (inner,) = (one for one in get_args(kind) if one is not type(None))

    def structure(value: object, _: Any) -> Any:
        if value is None:
            raise TypeError
        return converter.structure(value, inner)

    return structure


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook_func(lambda kind: kind == str | int, _exactly(str, int))
    converter.register_structure_hook_func(lambda kind: kind == Data, _exactly(dict))
    converter.register_structure_hook_func(lambda kind: kind == Sequence[UserId], _user_list)
    converter.register_structure_hook_func(lambda kind: kind == Mapping[str, Cursor], _cursors)
    converter.register_structure_hook_factory(_is_optional, lambda kind: _unless_null(converter, kind))
    omitted = override(omit_if_default=True)
    converter.register_unstructure_hook(
        Reaction, make_dict_unstructure_fn(Reaction, converter, mine=override(omit=True))
    )
    converter.register_unstructure_hook(
        Message,
        make_dict_unstructure_fn(
            Message,
            converter,
            data=omitted,
            reply_to=omitted,
            mentions=omitted,
            edited_at=override(omit=True),
            reactions=omitted,
            deleted=omitted,
        ),
    )
    converter.register_unstructure_hook(Edited, make_dict_unstructure_fn(Edited, converter, body=omitted))
    for event in (Removed, Banned):
        converter.register_unstructure_hook(event, make_dict_unstructure_fn(event, converter, reason=omitted))
    converter.register_unstructure_hook(Opens, make_dict_unstructure_fn(Opens, converter, title=omitted))
    converter.register_structure_hook(
        History, make_dict_structure_fn(History, converter, with_=override(rename="with"))
    )
    return converter


_CONVERTER = _converter()
