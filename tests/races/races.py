"""The races, and the results of both orders of each."""

from collections.abc import Mapping, Sequence

from chatcore import ChangeRole, CreateRoom, DeleteMessage, EditMessage, Entry, JoinRoom, RemoveUser, SendMessage
from chatcore.domain.entries import (
    Deleted,
    Edited,
    Invited,
    Joined,
    Message,
    Opened,
    Removed,
    RoleChanged,
    RoomKind,
    RoomOpening,
)
from chatcore.ids import RoomId, created_room_id
from chatcore.ports.store import Store
from chatcore.testing.builders import entry, message, opened

from .race import FOUNDER, Ending, Move, Race


def _opened(room: RoomId, kind: RoomKind = "group") -> Entry:
    """Return the opening of a room that olga and otto own, with mia as a member."""
    members = RoomOpening(kind=kind, members={FOUNDER: "owner", "otto": "owner", "mia": "member"}, title="Tea")
    return opened(room, FOUNDER, opens=members)


class JoinAgainstRemove(Race):
    """Ina accepts her invitation while olga withdraws it. In every second race the room is public."""

    def beginning(self, room: RoomId, number: int) -> Sequence[Entry]:
        kind: RoomKind = "public" if number % 2 else "group"
        return [_opened(room, kind), entry(Invited(user="ina"), room, 2, FOUNDER)]

    def moves(self, room: RoomId, number: int) -> tuple[Move, Move]:
        return Move("ina", JoinRoom(room=room)), Move(FOUNDER, RemoveUser(room=room, user="ina"))

    def endings(self, number: int) -> Mapping[str, Ending]:
        joined, removed = Joined(user="ina"), Removed(user="ina")
        join_first = Ending(one="+1", other="+2", events=[joined, removed])
        if number % 2:  # every user who is not banned may join a public room
            return {"join": join_first, "remove": Ending(one="+2", other="+1", events=[removed, joined])}
        return {"join": join_first, "remove": Ending(one="not_found", other="+1", events=[removed])}


class OwnersRemoveEachOther(Race):
    """Olga removes otto while otto removes her: the user of the first entry stays."""

    def beginning(self, room: RoomId, number: int) -> Sequence[Entry]:
        return [_opened(room)]

    def moves(self, room: RoomId, number: int) -> tuple[Move, Move]:
        return Move(FOUNDER, RemoveUser(room=room, user="otto")), Move("otto", RemoveUser(room=room, user=FOUNDER))

    def endings(self, number: int) -> Mapping[str, Ending]:
        return {
            "olga": Ending(one="+1", other="not_found", events=[Removed(user="otto")]),
            "otto": Ending(one="not_found", other="+1", events=[Removed(user=FOUNDER)]),
        }

    async def check(self, store: Store, room: RoomId, number: int) -> None:
        members = (await store.state(room)).members.values()
        assert [member.role for member in members].count("owner") == 1


class EditAgainstDelete(Race):
    """Mia edits her message while olga deletes it: the text is erased in both orders, and only the edit can fail."""

    def beginning(self, room: RoomId, number: int) -> Sequence[Entry]:
        return [_opened(room), message(room, 2, "mia", body="old words")]

    def moves(self, room: RoomId, number: int) -> tuple[Move, Move]:
        edit = EditMessage(room=room, seq=2, version=1, body="new words")
        return Move("mia", edit), Move(FOUNDER, DeleteMessage(room=room, seq=2))

    def endings(self, number: int) -> Mapping[str, Ending]:
        without_text = Edited(target=2, version=2, body=None)
        return {
            "edit": Ending(one="+1", other="+2", events=[without_text, Deleted(target=2)]),
            "delete": Ending(one="not_found", other="+1", events=[Deleted(target=2)]),
        }

    async def check(self, store: Store, room: RoomId, number: int) -> None:
        for entries in ((await store.read_on(room, 1, 1)).entries, (await store.window("mia", room, 2, 0, 0)).entries):
            assert isinstance(entries[0].event, Message)
            assert entries[0].event.deleted
            assert "words" not in repr(entries)


class CreatesWithOneKey(Race):
    """Olga creates a room on two devices with the same key. In every second race the titles differ."""

    def room(self, number: int) -> RoomId:
        return created_room_id(FOUNDER, f"create {number}")

    def beginning(self, room: RoomId, number: int) -> Sequence[Entry]:
        return []

    def moves(self, room: RoomId, number: int) -> tuple[Move, Move]:
        first = CreateRoom(kind="group", title="Tea", key=f"create {number}", members=["mia"])
        title = "Cake" if number % 2 else "Tea"
        second = CreateRoom(kind="group", title=title, key=f"create {number}", members=["mia"])
        return Move(FOUNDER, first), Move(FOUNDER, second)

    def endings(self, number: int) -> Mapping[str, Ending]:
        late = "key_reused" if number % 2 else "+1 again"
        return {
            "one": Ending(one="+1", other=late, events=[Opened()]),
            "other": Ending(one=late, other="+1", events=[Opened()]),
        }


class RoleAgainstSend(Race):
    """Olga makes mia an admin while mia sends a message: both succeed in either order."""

    def beginning(self, room: RoomId, number: int) -> Sequence[Entry]:
        return [_opened(room)]

    def moves(self, room: RoomId, number: int) -> tuple[Move, Move]:
        role = ChangeRole(room=room, user="mia", role="admin")
        return Move(FOUNDER, role), Move("mia", SendMessage(room=room, key="k", body="hi"))

    def endings(self, number: int) -> Mapping[str, Ending]:
        role, message = RoleChanged(user="mia", role="admin"), Message(body="hi")
        return {
            "role": Ending(one="+1", other="+2", events=[role, message]),
            "send": Ending(one="+2", other="+1", events=[message, role]),
        }

    async def check(self, store: Store, room: RoomId, number: int) -> None:
        assert (await store.state(room)).members["mia"].role == "admin"


RACES_OF_TWO: Sequence[Race] = (
    JoinAgainstRemove(),
    OwnersRemoveEachOther(),
    EditAgainstDelete(),
    CreatesWithOneKey(),
    RoleAgainstSend(),
)
