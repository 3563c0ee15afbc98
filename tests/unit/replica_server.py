"""A server without a network: real rooms, wire objects, and answers at the time that a test chooses."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chatcore import CreateRoom, SendMessage
from chatcore.commands.command import RoomCommand
from chatcore.commands.history import History, HistoryPage
from chatcore.commands.rooms import GetRoom, ListRooms, RoomList
from chatcore.commands.sync import Cursor, RoomSync, Sync, SyncResult
from chatcore.domain.decider import Facts, decide
from chatcore.domain.entries import Entry
from chatcore.domain.markers import starting_marker
from chatcore.domain.room_projection import RoomProjection
from chatcore.domain.state import RoomView
from chatcore.errors import NotFound
from chatcore.ids import RoomId, Seq, UserId
from chatcore.ports.pushes import Room
from chatcore.protocol import Object, answer_object, entry_object, error_object, push_object, read_command

BEGINNING = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOT_FOUND = {"ok": False, "error": error_object(NotFound())}
UNAVAILABLE = {"ok": False, "error": {"code": "unavailable", "message": "Later.", "temporary": True}}


class Server:
    """Rooms of one epoch. `sync` answers `gap` above ``gap_above`` missing entries."""

    def __init__(self, gap_above: int = 200) -> None:
        self.epoch = "e1"
        self.gap_above = gap_above
        self.rooms: dict[RoomId, RoomProjection] = {}
        self._minutes = 0

    def do(self, user: UserId, command: RoomCommand[Any]) -> Entry | None:
        """Carry out a command. Returns its entry, or None if it changed nothing or was refused."""
        self._minutes += 1
        key = command.key or f"key-{self._minutes}"
        name = command.room_id(user, key)
        room = self.rooms.get(name) or RoomProjection(name)
        entry = decide(room.state, _facts(room, user, command), user, command, key, self._now())
        if not isinstance(entry, Entry):
            return None
        self.rooms[name] = room
        room.apply([entry])
        return entry

    def say(self, user: UserId, to: UserId, *bodies: str) -> list[Object]:
        """Send messages. Returns their pushes."""
        entries = [self.do(user, SendMessage(to=to, body=body, key=f"{user}-{body}")) for body in bodies]
        return [entry_object(entry) for entry in entries if entry]

    def create(self, user: UserId, title: str) -> RoomId:
        entry = self.do(user, CreateRoom(kind="public", title=title, key=title))
        assert entry
        return entry.room

    def restore(self, upto: Seq) -> None:
        """Restore each room to ``upto``, and begin a new epoch as ``chatcore new-epoch`` does."""
        self.epoch += "'"
        for name, room in self.rooms.items():
            self.rooms[name] = RoomProjection(name)
            self.rooms[name].apply(room.entries[:upto])

    def log(self, user: UserId, room: RoomId) -> dict[Seq, Object]:
        """The log of a room as ``user`` reads it now."""
        projection = self.rooms[room]
        return {entry.seq: entry_object(entry) for entry in projection.present(user, projection.entries)}

    def logs(self, user: UserId) -> dict[RoomId, dict[Seq, Object]]:
        return {name: self.log(user, name) for name, room in self.rooms.items() if user in room.members}

    def shown(self, user: UserId, room: RoomId, announced_at: Seq | None = None) -> Object:
        """The Room object, with ``announced_at`` as the push before the entry at ``announced_at + 1``."""
        view = self._view(user, room)
        return push_object(Room(user=user, epoch=self.epoch, view=view, announced_at=announced_at))

    def ready(self, user: UserId, limit: int = 50) -> Object:
        return answer_object(self._list(user, None, limit))

    def answer(self, user: UserId, event: str, data: Object) -> Object:
        """The answer to a well-formed command. A message is stored."""
        match read_command(event, data):
            case Sync() as sync:
                result: object = self._synced(user, sync)
            case History(room=str(room)) as history if self._is_member(user, room):
                result = self._page(user, self.rooms[room], history)
            case GetRoom(room=room) if self._is_listed(user, room):
                return {"ok": True, **self.shown(user, room)}
            case ListRooms(after=after, limit=limit):
                result = self._list(user, after, limit)
            case SendMessage() as command:
                stored = self._stored(user, command)
                entry = stored or self.do(user, command)
                if entry is None:
                    return NOT_FOUND
                result = command.answer(entry, duplicate=stored is not None, epoch=self.epoch)
            case _:
                return NOT_FOUND
        return {"ok": True, **answer_object(result)}

    def _stored(self, user: UserId, command: SendMessage) -> Entry | None:
        """The entry that an earlier attempt with the command's key has made."""
        room = self.rooms.get(command.room_id(user, command.key))
        entries = room.entries if room else []
        return next((entry for entry in entries if (entry.author, entry.key) == (user, command.key)), None)

    def _now(self) -> datetime:
        return BEGINNING + timedelta(minutes=self._minutes)

    def _is_member(self, user: UserId, room: RoomId) -> bool:
        return room in self.rooms and user in self.rooms[room].members

    def _is_listed(self, user: UserId, room: RoomId) -> bool:
        return room in self.rooms and self.rooms[room].listed_member(user) is not None

    def _view(self, user: UserId, room: RoomId) -> RoomView:
        """The room view of a user. This server has no marker updates."""
        projection = self.rooms[room]
        markers = {member: starting_marker(membership.since) for member, membership in projection.members.items()}
        return projection.view(user, markers)

    def _list(self, user: UserId, after: str | None, limit: int) -> RoomList:
        names = [name for name in self.rooms if self._is_listed(user, name)]
        start = names.index(after) + 1 if after else 0
        page = names[start : start + limit]
        rooms = [Room(user=user, epoch=self.epoch, view=self._view(user, name)) for name in page]
        return RoomList(rooms=rooms, next=page[-1] if page and page[-1] != names[-1] else None)

    def _synced(self, user: UserId, sync: Sync) -> SyncResult:
        rooms = {name: self._sync_of(user, name, cursor) for name, cursor in sync.cursors.items()}
        return SyncResult(user=user, epoch=self.epoch, rooms=rooms)

    def _sync_of(self, user: UserId, name: RoomId, cursor: Cursor) -> RoomSync:
        if not self._is_member(user, name):
            return RoomSync(status="gone")
        room = self.rooms[name]
        view = self._view(user, name)
        if cursor.epoch not in (None, self.epoch) or cursor.seq > view.head:
            return RoomSync(status="reset", view=view)
        missing = room.entries[cursor.seq :]
        if len(missing) > self.gap_above:
            return RoomSync(status="gap", view=view)
        return RoomSync(status="events", view=view, entries=room.present(user, missing))

    def _page(self, user: UserId, room: RoomProjection, history: History) -> HistoryPage:
        assert isinstance(history.anchor, int)
        before = history.before or 0
        entries, has_before, has_after = room.around(user, history.anchor, before, 0, messages_only=False)
        return HistoryPage(
            room=room.state.room,
            epoch=self.epoch,
            head=room.state.head,
            entries=entries,
            has_before=has_before,
            has_after=has_after,
        )


def _facts(room: RoomProjection, user: UserId, command: RoomCommand[Any]) -> Facts:
    target = command.target
    if target is None or target > room.state.head:
        return Facts()
    return Facts(target=room.present(user, [room.entries[target - 1]])[0], as_of=room.state.head)
