"""What commands come to, as clients get it."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..commands.access import Refreshed
from ..commands.command import Changed
from ..commands.marking import Marks
from ..commands.membership import MemberPage
from ..commands.messages import Edit, Sent
from ..commands.reading import Page, RoomList, RoomSync, Synced
from ..live.pushes import Room
from .objects import entry_objects, room_object, standing_object
from .values import Object, timestamp


def answer_object(answer: object) -> Object:
    """What a command came to, without ``ok``."""
    return _ANSWERS[type(answer)](answer)


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
        "entries": entry_objects(page.entries),
        "has_before": page.has_before,
        "has_after": page.has_after,
    }


def _synced_object(synced: Synced) -> Object:
    return {"rooms": {room: _room_sync_object(one, synced.epoch) for room, one in synced.rooms.items()}}


def _room_sync_object(found: RoomSync, epoch: str) -> Object:
    if found.view is None:
        return {"status": found.status}
    written: Object = {"status": found.status, "epoch": epoch, "head": found.view.head, **standing_object(found.view)}
    if found.entries is not None:
        written["entries"] = entry_objects(found.entries)
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


def _room_list_object(found: RoomList) -> Object:
    return {"rooms": [room_object(room) for room in found.rooms]} | ({"next": found.next} if found.next else {})


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
