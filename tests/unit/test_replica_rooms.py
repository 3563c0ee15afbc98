"""Pushes about a client's rooms, and the answers of `sync`."""

import pytest

from chatcore import BanUser, InviteUser, JoinRoom, RemoveUser
from chatcore.protocol import Object, entry_object
from chatcore.replica import Entries, Forget, Missed, Replica, RoomCursor, RoomFields, Typists
from tests.unit.replica_device import Device, events, kinds, seqs
from tests.unit.replica_server import NOT_FOUND, UNAVAILABLE, Server

ROOM = "pvt-alice-bob"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def alice(server: Server) -> Device:
    """Return a device with the two entries of a room."""
    server.say("bob", "alice", "one", "two")
    device = Device(server).start()
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 2)}
    return device


# Pushes.


def test_entry_moves_the_cursor_and_is_as_of_its_own_seq(server: Server, alice: Device) -> None:
    (three,) = server.say("bob", "alice", "three")
    assert alice.receive("entry", three) == [Entries(ROOM, [three], as_of=3)]
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 3)}


def test_entry_of_an_unknown_kind_moves_the_cursor(alice: Device) -> None:
    alice.receive("entry", {"room": ROOM, "seq": 3, "kind": "sung", "author": "bob", "at": "", "tune": "c d e"})
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 3)}


def test_repeated_entry_is_dropped(server: Server, alice: Device) -> None:
    (three,) = server.say("bob", "alice", "three")
    alice.receive("entry", three)
    assert alice.receive("entry", three) == []


def test_skipped_entries_are_reported_and_paged(server: Server, alice: Device) -> None:
    *_, five = server.say("bob", "alice", "three", "four", "five")
    effects = alice.receive("entry", five)
    assert effects[:2] == [Missed(ROOM, 3, 4), Entries(ROOM, [five], as_of=5)]
    assert events(effects) == [("history", {"room": ROOM, "anchor": 4, "before": 1})]
    assert alice.settle().held() == server.logs("alice")


@pytest.mark.parametrize("event", ["marker", "presence", "auth.expiring", "applause"])
def test_push_that_is_not_about_the_log_is_ignored(alice: Device, event: str) -> None:
    assert alice.receive(event, {"room": ROOM, "user": "bob"}) == []


def test_typing_replaces_the_typists_of_its_room_also_before_a_sync(alice: Device) -> None:
    alice.replica.sync([ROOM])
    for users in (["bob"], ["bob", "carol"], []):
        assert alice.receive("typing", {"room": ROOM, "users": users}) == [Typists(ROOM, users)]
    assert [effect for effect in alice.replica.disconnected() if isinstance(effect, Typists)] == []


def test_typists_are_forgotten_with_the_connection(alice: Device) -> None:
    for room, users in ((ROOM, ["bob"]), ("b", ["carol"]), ("c", ["dave"])):
        alice.receive("typing", {"room": room, "users": users})
    alice.receive("typing", {"room": "c", "users": []})
    assert alice.replica.disconnected() == [Typists("b", []), Typists(ROOM, [])]
    alice.connect()
    assert alice.replica.disconnected() == []


def test_typists_of_a_forgotten_room_are_not_named_again(alice: Device) -> None:
    alice.receive("typing", {"room": ROOM, "users": ["bob"]})
    assert alice.receive("room.gone", {"room": ROOM})[0] == Forget(ROOM)
    assert alice.replica.disconnected() == []


def test_new_room_gets_its_first_entry_from_the_next_push(server: Server) -> None:
    device = Device(server).start()
    (one,) = server.say("bob", "alice", "one")
    room = server.shown("alice", ROOM, announced_at=0)
    assert device.receive("room", room) == [RoomFields(ROOM, room)]
    assert device.receive("entry", one) == [Entries(ROOM, [one], as_of=1)]
    assert device.asked == []


def test_join_of_an_old_room_pages_earlier_entries(server: Server) -> None:
    device = Device(server).start()
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    effects = device.receive("room", server.shown("alice", room, announced_at=1))
    assert events(effects) == [("history", {"room": room, "anchor": 1, "before": 0})]


def test_room_push_with_head_above_the_cursor_is_a_gap(server: Server, alice: Device) -> None:
    server.say("bob", "alice", "three", "four")
    effects = alice.receive("room", server.shown("alice", ROOM))
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 4, holes=((3, 4),))}
    assert events(effects) == [("history", {"room": ROOM, "anchor": 4, "before": 1})]


def test_room_push_with_head_below_the_cursor_keeps_the_cursor(server: Server, alice: Device) -> None:
    alice.receive("room", server.shown("alice", ROOM, announced_at=1))
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 2)}


def test_room_push_of_another_epoch_causes_a_sync(server: Server, alice: Device) -> None:
    server.restore(1)
    effects = alice.receive("room", server.shown("alice", ROOM))
    assert events(effects) == [("sync", {"cursors": {ROOM: {"epoch": "e1", "seq": 2}}})]
    assert alice.settle().held() == server.logs("alice")


def test_room_gone_forgets_the_room(alice: Device) -> None:
    assert alice.receive("room.gone", {"room": ROOM}) == [Forget(ROOM)]
    assert alice.replica.cursors == {}
    alice.lose()
    assert alice.connect() == []


# Unknown rooms.


def test_entry_of_an_unknown_room_causes_one_room_get(server: Server) -> None:
    device = Device(server).start()
    one, two = server.say("bob", "alice", "one", "two")
    assert events(device.receive("entry", one)) == [("room.get", {"room": ROOM})]
    assert events(device.receive("entry", two)) == []
    assert device.settle().held() == server.logs("alice")


def test_entries_pushed_during_room_get_are_paged(server: Server) -> None:
    """The answer is older than the second push, which is not repeated."""
    device = Device(server).start()
    device.receive("entry", *server.say("bob", "alice", "one"))
    old = device.ask_server(device.asked[0])
    device.receive("entry", *server.say("bob", "alice", "two"))
    device.answer(old)
    assert device.settle().held() == server.logs("alice")


def test_unknown_room_that_is_not_found_is_not_asked_for_again(server: Server) -> None:
    device = Device(server).start()
    device.receive("entry", *server.say("bob", "alice", "one"))
    assert device.answer(NOT_FOUND) == []


def test_answer_older_than_room_gone_does_not_restore_the_room(server: Server) -> None:
    device = Device(server).start()
    device.receive("entry", *server.say("bob", "alice", "one"))
    device.receive("room.gone", {"room": ROOM})
    assert device.answer() == []
    assert device.replica.cursors == {}


def test_public_room_without_a_membership_is_not_shown(server: Server) -> None:
    device = Device(server).start()
    room = server.create("bob", "tea")
    device.receive("entry", {"room": room, "seq": 7})
    assert device.answer({"ok": True, **server.shown("alice", room)}) == []


def test_rooms_are_read_page_by_page(server: Server) -> None:
    for title in "abcde":
        server.create("alice", title)
    device = Device(server)
    device.connect()
    effects = device.receive("ready", server.ready("alice", limit=2))
    assert kinds(effects)[:2] == [RoomFields, RoomFields]
    assert events(effects) == [("rooms", {"after": effects[1].room})]  # type: ignore[union-attr]
    assert device.settle().held() == server.logs("alice")
    assert len(device.shown) == 5


@pytest.mark.parametrize("broken", [True, False], ids=["a new connection", "a refusal"])
def test_list_of_rooms_stops_after_a_lost_connection_or_a_refusal(server: Server, broken: bool) -> None:
    server.create("alice", "a")
    server.create("alice", "b")
    device = Device(server)
    device.connect()
    device.receive("ready", server.ready("alice", limit=1))
    if broken:
        device.lose()
        assert [event for event, _ in events(device.connect())] == ["sync"]
    else:
        assert [event for event, _ in events(device.answer(NOT_FOUND))] == ["history"]


# Invitations.


def test_invitation_is_shown_without_a_question(server: Server) -> None:
    device = Device(server).start()
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    assert kinds(device.receive("room", server.shown("alice", room))) == [RoomFields]
    assert device.replica.cursors == {}


def test_ended_invitation_is_forgotten(server: Server) -> None:
    device = Device(server).start()
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device.receive("room", server.shown("alice", room))
    assert device.receive("room.gone", {"room": room}) == [Forget(room)]


def test_invitation_that_ended_offline_is_forgotten_on_reconnect(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device = Device(server).start()
    assert room in device.shown
    device.lose()
    server.do("bob", BanUser(room=room, user="alice"))
    assert room not in device.start().shown


def test_room_joined_by_invitation_is_kept_on_reconnect(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device = Device(server).start()
    server.do("alice", JoinRoom(room=room))
    device.receive("room", server.shown("alice", room, announced_at=2))
    device.settle().lose()
    assert Forget(room) not in device.connect()


def test_member_removed_and_invited_again_offline_is_shown_as_invited(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server).start()
    device.lose()
    server.do("bob", RemoveUser(room=room, user="alice"))
    server.do("bob", InviteUser(room=room, user="alice"))
    device.start()
    assert room not in device.held()
    assert device.shown[room]["me"]["state"] == "invited"


def test_room_get_answer_overtaken_by_a_join_does_not_show_an_invitation(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server).start()
    device.lose()
    server.do("bob", RemoveUser(room=room, user="alice"))
    server.do("bob", InviteUser(room=room, user="alice"))
    device.connect()
    device.receive("ready", server.ready("alice"))
    assert events(device.answer()) == [("room.get", {"room": room})]
    overtaken = device.ask_server(device.asked[0])
    joined = server.do("alice", JoinRoom(room=room))
    assert joined
    device.receive("room", server.shown("alice", room, announced_at=4))
    device.receive("entry", entry_object(joined))
    assert RoomFields not in kinds(device.answer(overtaken))
    assert device.settle().shown[room]["me"]["state"] == "member"
    assert device.held() == server.logs("alice")


def test_list_of_rooms_overtaken_by_a_join_does_not_show_an_invitation(server: Server) -> None:
    server.create("alice", "first")
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device = Device(server)
    device.connect()
    device.receive("ready", server.ready("alice", limit=1))
    assert device.asked[0].event == "rooms"
    overtaken = device.ask_server(device.asked[0])
    joined = server.do("alice", JoinRoom(room=room))
    assert joined
    device.receive("room", server.shown("alice", room, announced_at=2))
    device.receive("entry", entry_object(joined))
    assert RoomFields not in kinds(device.answer(overtaken))
    assert device.settle().shown[room]["me"]["state"] == "member"


# The answers of sync.


def test_sync_has_the_epoch_of_a_known_room_and_none_of_an_unknown_room(alice: Device) -> None:
    alice.connect()
    assert alice.asked[-1].data == {"cursors": {ROOM: {"epoch": "e1", "seq": 2}}}
    replica = Device(alice.server).replica
    replica.connected()
    assert events(replica.sync(["pvt-alice-zoe"])) == [("sync", {"cursors": {"pvt-alice-zoe": {"seq": 0}}})]


def test_replica_continues_from_stored_cursors(server: Server) -> None:
    server.say("bob", "alice", "one", "two", "three", "four")
    stored = {ROOM: RoomCursor("e1", 3, holes=((1, 2),))}
    device = Device(server)
    device.replica = Replica("alice", cursors=stored)
    device.start()
    assert sorted(device.held()[ROOM]) == [1, 2, 4]
    assert stored == {ROOM: RoomCursor("e1", 3, holes=((1, 2),))}


def test_events_are_as_of_the_head_of_the_answer_without_known_entries(server: Server, alice: Device) -> None:
    alice.lose()
    server.say("bob", "alice", "three", "four")
    alice.connect()
    answer = alice.ask_server(alice.asked[0])
    answer["rooms"][ROOM]["entries"].insert(0, server.log("alice", ROOM)[2])
    entries, shown = alice.answer(answer)
    assert isinstance(entries, Entries)
    assert (seqs([entries]), entries.as_of) == ([3, 4], 4)
    assert isinstance(shown, RoomFields)
    assert shown.fields.keys() == {"epoch", "head", "me", "markers"}
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 4)}


def test_gap_is_paged_and_moves_the_cursor_to_head_at_once(server: Server, alice: Device) -> None:
    server.gap_above = 2
    alice.lose()
    server.say("bob", "alice", "three", "four", "five")
    alice.connect()
    assert events(alice.answer()) == [("history", {"room": ROOM, "anchor": 5, "before": 2})]
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 5, holes=((3, 5),))}
    (six,) = server.say("bob", "alice", "six")
    assert alice.receive("entry", six) == [Entries(ROOM, [six], as_of=6)]
    assert alice.settle().held() == server.logs("alice")


def test_reset_forgets_the_room_and_pages_it_again(server: Server, alice: Device) -> None:
    alice.lose()
    server.restore(1)
    server.say("bob", "alice", "another")
    alice.connect()
    forget, *_ = answered = alice.answer()
    assert forget == Forget(ROOM)
    assert events(answered) == [("history", {"room": ROOM, "anchor": 2, "before": 1})]
    assert alice.replica.cursors == {ROOM: RoomCursor("e1'", 2, holes=((1, 2),))}
    assert alice.settle().held() == server.logs("alice")


def test_gone_room_is_forgotten(server: Server, alice: Device) -> None:
    alice.connect()
    assert alice.answer({"ok": True, "rooms": {ROOM: {"status": "gone"}}}) == [Forget(ROOM)]
    assert alice.replica.cursors == {}


def test_cursor_at_0_takes_the_epoch_of_the_answer(server: Server) -> None:
    """The connection is lost between the push of the room and its first entry. Then the store is restored."""
    device = Device(server).start()
    server.say("bob", "alice", "one")
    device.receive("room", server.shown("alice", ROOM, announced_at=0))
    device.lose()
    server.restore(1)
    device.start()
    assert device.replica.cursors == {ROOM: RoomCursor("e1'", 1)}


@pytest.mark.parametrize("event", ["entry", "room", "room.gone"])
def test_pushes_between_connect_and_the_answer_of_sync_are_dropped(server: Server, alice: Device, event: str) -> None:
    alice.lose()
    alice.connect()
    (three,) = server.say("bob", "alice", "three")
    push: Object = {"entry": three, "room": server.shown("alice", ROOM), "room.gone": {"room": ROOM}}[event]
    assert alice.receive(event, push) == []
    alice.answer()
    assert seqs(alice.effects[-2:]) == [3]
    assert alice.receive(event, push) != [] or event == "entry"


def test_sync_can_be_requested_at_any_time(server: Server, alice: Device) -> None:
    server.say("bob", "alice", "three")
    alice.take(alice.replica.sync())
    assert alice.settle().held() == server.logs("alice")


def test_sync_that_fails_temporarily_is_repeated_and_drops_pushes_meanwhile(server: Server, alice: Device) -> None:
    alice.lose()
    alice.connect()
    alice.answer(UNAVAILABLE)
    assert alice.waits == [100]
    assert alice.receive("entry", *server.say("bob", "alice", "three")) == []
    assert [event for event, _ in events(alice.retry())] == ["sync"]
    assert alice.settle().held() == server.logs("alice")


def test_refused_sync_is_not_repeated(server: Server, alice: Device) -> None:
    alice.lose()
    alice.connect()
    assert alice.answer(NOT_FOUND) == []
    assert seqs(alice.receive("entry", *server.say("bob", "alice", "three"))) == [3]


@pytest.mark.parametrize(
    ("rooms", "epoch", "asked"),
    [
        ([f"room-{number:026}" for number in range(1001)], "e", [500, 500, 1]),
        ([f"pvt-{'~F0~9F~98~80' * 128}-{number:04}" for number in range(60)], "e" * 1000, [19, 19, 19, 3]),
    ],
    ids=["500 cursors", "64 KiB"],
)
def test_large_sync_is_split_and_drops_pushes_until_its_end(rooms: list[str], epoch: str, asked: list[int]) -> None:
    replica = Replica("alice", cursors={room: RoomCursor(epoch, 1) for room in rooms})
    effects = replica.connected()
    for size in asked:
        ((number, data),) = [(effect.number, effect.data) for effect in effects]  # type: ignore[union-attr]
        assert len(data["cursors"]) == size
        assert len(repr(data)) < 64 * 1024
        assert replica.pushed("room.gone", {"room": rooms[-1]}) == []
        gone = {room: {"status": "gone"} for room in data["cursors"]}
        effects = [
            effect for effect in replica.answered(number, {"ok": True, "rooms": gone}) if not isinstance(effect, Forget)
        ]
    assert effects == []
    assert replica.cursors == {}
