"""Answers as wire objects."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..commands.auth import RefreshResult
from ..commands.blocks import BlockedUsers, BlockResult
from ..commands.command import ChangeResult
from ..commands.history import HistoryPage
from ..commands.markers import MarkResult
from ..commands.membership import MemberPage
from ..commands.messages import EditResult, SendResult
from ..commands.people import PeopleResult
from ..commands.presence import PresenceResult, PresenceSet
from ..commands.profiles import ProfilesResult
from ..commands.rooms import RoomList
from ..commands.sync import RoomSync, SyncResult
from ..commands.typing import TypingResult
from ..ports.pushes import Room
from ..ports.room_views import UnreadTotal
from .objects import entry_objects, membership_object, room_object, user_presence_object
from .values import Object, timestamp


def answer_object(answer: object) -> Object:
    """Return the wire object of a command's answer, without ``ok``."""
    return _ANSWERS[type(answer)](answer)


def _sent_object(sent: SendResult) -> Object:
    return {
        "room": sent.room,
        "epoch": sent.epoch,
        "seq": sent.seq,
        "at": timestamp(sent.at),
        "duplicate": sent.duplicate,
    }


def _changed_object(changed: ChangeResult) -> Object:
    wire: Object = {"duplicate": changed.duplicate}
    if changed.seq is not None:
        wire["seq"] = changed.seq
    return wire


def _page_object(page: HistoryPage) -> Object:
    return {
        "room": page.room,
        "epoch": page.epoch,
        "head": page.head,
        "entries": entry_objects(page.entries),
        "has_before": page.has_before,
        "has_after": page.has_after,
    }


def _synced_object(synced: SyncResult) -> Object:
    return {"rooms": {room: _room_sync_object(sync, synced.epoch) for room, sync in synced.rooms.items()}}


def _room_sync_object(sync: RoomSync, epoch: str) -> Object:
    if sync.view is None:
        return {"status": sync.status}
    wire: Object = {"status": sync.status, "epoch": epoch, "head": sync.view.head, **membership_object(sync.view)}
    if sync.entries is not None:
        wire["entries"] = entry_objects(sync.entries)
    return wire


def _edit_object(edit: EditResult) -> Object:
    return {"seq": edit.seq, "version": edit.version, "duplicate": edit.duplicate}


def _marks_object(marks: MarkResult) -> Object:
    return attrs.asdict(marks)


def _profiles_object(result: ProfilesResult) -> Object:
    profiles = {
        user: attrs.asdict(profile, recurse=False, filter=lambda _, value: value is not None)
        for user, profile in result.profiles.items()
    }
    return {"profiles": profiles} | ({"rest": list(result.rest)} if result.rest else {})


def _people_object(result: PeopleResult) -> Object:
    return {"people": [attrs.asdict(person, filter=lambda _, value: value is not None) for person in result.people]}


def _presence_object(result: PresenceResult) -> Object:
    return {"presence": {user: user_presence_object(shown) for user, shown in result.presence.items()}}


def _member_page_object(page: MemberPage) -> Object:
    wire: Object = {"members": [attrs.asdict(row) for row in page.members]}
    return wire | ({"next": page.next} if page.next else {})


def _refreshed_object(refreshed: RefreshResult) -> Object:
    return {} if refreshed.expires_in is None else {"expires_in": refreshed.expires_in}


def _room_list_object(page: RoomList) -> Object:
    return {"rooms": [room_object(room) for room in page.rooms]} | ({"next": page.next} if page.next else {})


_ANSWERS: Mapping[type, Callable[[Any], Object]] = {
    SendResult: _sent_object,
    ChangeResult: _changed_object,
    EditResult: _edit_object,
    MarkResult: _marks_object,
    UnreadTotal: attrs.asdict,
    ProfilesResult: _profiles_object,
    PeopleResult: _people_object,
    PresenceSet: attrs.asdict,
    PresenceResult: _presence_object,
    BlockResult: attrs.asdict,
    TypingResult: attrs.asdict,
    BlockedUsers: lambda blocked: {"users": list(blocked.users)},
    RefreshResult: _refreshed_object,
    MemberPage: _member_page_object,
    HistoryPage: _page_object,
    SyncResult: _synced_object,
    RoomList: _room_list_object,
    Room: room_object,
}
