"""What a client makes of the pushes about its rooms, and of the answers of `sync`."""

import pytest

from chatcore import BanUser, InviteUser, JoinRoom, RemoveUser
from chatcore.protocol import Object, entry_object
from chatcore.replica import Entries, Forget, Missed, Replica, RoomCursor, RoomFields
from tests.unit.replica_device import Device, events, kinds, seqs
from tests.unit.replica_server import NOT_FOUND, UNAVAILABLE, Server

ROOM = "pvt-alice-bob"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def alice(server: Server) -> Device:
    """A device that has the two entries of a room."""
    server.say("bob", "alice", "one", "two")
    device = Device(server).come()
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 2)}
    return device


# Pushes.


def test_an_entry_moves_the_cursor_and_is_given_as_of_its_own_seq(server: Server, alice: Device) -> None:
    (three,) = server.say("bob", "alice", "three")
    assert alice.hear("entry", three) == [Entries(ROOM, [three], as_of=3)]
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 3)}


def test_an_entry_of_a_kind_that_nobody_knows_moves_the_cursor_too(alice: Device) -> None:
    alice.hear("entry", {"room": ROOM, "seq": 3, "kind": "sung", "author": "bob", "at": "", "tune": "c d e"})
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 3)}


def test_an_entry_that_came_before_is_dropped(server: Server, alice: Device) -> None:
    (three,) = server.say("bob", "alice", "three")
    alice.hear("entry", three)
    assert alice.hear("entry", three) == []


def test_entries_that_were_passed_over_are_reported_and_paged(server: Server, alice: Device) -> None:
    *_, five = server.say("bob", "alice", "three", "four", "five")
    heard = alice.hear("entry", five)
    assert heard[:2] == [Missed(ROOM, 3, 4), Entries(ROOM, [five], as_of=5)]
    assert events(heard) == [("history", {"room": ROOM, "anchor": 4, "before": 1})]
    assert alice.settle().held() == server.logs("alice")


@pytest.mark.parametrize("event", ["typing", "marker", "presence", "auth.expiring", "applause"])
def test_a_push_that_is_no_affair_of_the_log_is_ignored(alice: Device, event: str) -> None:
    assert alice.hear(event, {"room": ROOM, "user": "bob"}) == []


def test_a_room_just_born_has_its_first_entry_from_the_push_that_follows(server: Server) -> None:
    device = Device(server).come()
    (one,) = server.say("bob", "alice", "one")
    room = server.shown("alice", ROOM, announced_at=0)
    assert device.hear("room", room) == [RoomFields(ROOM, room)]
    assert device.hear("entry", one) == [Entries(ROOM, [one], as_of=1)]
    assert device.asked == []


def test_joining_an_old_room_pages_what_was_before(server: Server) -> None:
    device = Device(server).come()
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    heard = device.hear("room", server.shown("alice", room, announced_at=1))
    assert events(heard) == [("history", {"room": room, "anchor": 1, "before": 0})]


def test_a_room_whose_head_is_above_the_cursor_is_a_gap_that_is_paged(server: Server, alice: Device) -> None:
    server.say("bob", "alice", "three", "four")
    heard = alice.hear("room", server.shown("alice", ROOM))
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 4, holes=((3, 4),))}
    assert events(heard) == [("history", {"room": ROOM, "anchor": 4, "before": 1})]


def test_a_room_whose_head_is_below_the_cursor_changes_nothing_of_it(server: Server, alice: Device) -> None:
    alice.hear("room", server.shown("alice", ROOM, announced_at=1))
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 2)}


def test_a_room_of_another_epoch_is_asked_for(server: Server, alice: Device) -> None:
    server.restore(1)
    heard = alice.hear("room", server.shown("alice", ROOM))
    assert events(heard) == [("sync", {"cursors": {ROOM: {"epoch": "e1", "seq": 2}}})]
    assert alice.settle().held() == server.logs("alice")


def test_after_room_gone_nothing_is_kept_and_nothing_asked(alice: Device) -> None:
    assert alice.hear("room.gone", {"room": ROOM}) == [Forget(ROOM)]
    assert alice.replica.cursors == {}
    alice.lose()
    assert alice.connect() == []


# Rooms not known yet.


def test_an_entry_of_an_unknown_room_asks_for_the_room_once_and_gives_the_entry(server: Server) -> None:
    device = Device(server).come()
    one, two = server.say("bob", "alice", "one", "two")
    assert events(device.hear("entry", one)) == [("room.get", {"room": ROOM})]
    assert events(device.hear("entry", two)) == []
    assert device.settle().held() == server.logs("alice")


def test_entries_that_came_while_an_unknown_room_was_asked_for_are_paged(server: Server) -> None:
    """The answer is older than the second push, which comes no more."""
    device = Device(server).come()
    device.hear("entry", *server.say("bob", "alice", "one"))
    old = device.ask_server(device.asked[0])
    device.hear("entry", *server.say("bob", "alice", "two"))
    device.answer(old)
    assert device.settle().held() == server.logs("alice")


def test_an_unknown_room_that_is_not_found_is_not_asked_for_again(server: Server) -> None:
    device = Device(server).come()
    device.hear("entry", *server.say("bob", "alice", "one"))
    assert device.answer(NOT_FOUND) == []


def test_an_answer_that_is_older_than_room_gone_does_not_bring_the_room_back(server: Server) -> None:
    device = Device(server).come()
    device.hear("entry", *server.say("bob", "alice", "one"))
    device.hear("room.gone", {"room": ROOM})
    assert device.answer() == []
    assert device.replica.cursors == {}


def test_a_public_room_that_one_is_a_stranger_to_is_not_shown(server: Server) -> None:
    device = Device(server).come()
    room = server.create("bob", "tea")
    device.hear("entry", {"room": room, "seq": 7})
    assert device.answer({"ok": True, **server.shown("alice", room)}) == []


def test_rooms_come_page_by_page(server: Server) -> None:
    for title in "abcde":
        server.create("alice", title)
    device = Device(server)
    device.connect()
    heard = device.hear("ready", server.ready("alice", limit=2))
    assert kinds(heard)[:2] == [RoomFields, RoomFields]
    assert events(heard) == [("rooms", {"after": heard[1].room})]  # type: ignore[union-attr]
    assert device.settle().held() == server.logs("alice")
    assert len(device.shown) == 5


@pytest.mark.parametrize("broken", [True, False], ids=["a new line", "a refusal"])
def test_a_list_is_not_read_on_after(server: Server, broken: bool) -> None:
    server.create("alice", "a")
    server.create("alice", "b")
    device = Device(server)
    device.connect()
    device.hear("ready", server.ready("alice", limit=1))
    if broken:
        device.lose()
        assert [event for event, _ in events(device.connect())] == ["sync"]
    else:
        assert [event for event, _ in events(device.answer(NOT_FOUND))] == ["history"]


# Invitations.


def test_an_invitation_is_shown_without_anything_being_asked(server: Server) -> None:
    device = Device(server).come()
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    assert kinds(device.hear("room", server.shown("alice", room))) == [RoomFields]
    assert device.replica.cursors == {}


def test_an_invitation_that_ends_is_forgotten(server: Server) -> None:
    device = Device(server).come()
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device.hear("room", server.shown("alice", room))
    assert device.hear("room.gone", {"room": room}) == [Forget(room)]


def test_an_invitation_that_ended_while_away_is_forgotten_on_the_next_line(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device = Device(server).come()
    assert room in device.shown
    device.lose()
    server.do("bob", BanUser(room=room, user="alice"))
    assert room not in device.come().shown


def test_a_room_once_joined_by_invitation_is_kept_over_a_break(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device = Device(server).come()
    server.do("alice", JoinRoom(room=room))
    device.hear("room", server.shown("alice", room, announced_at=2))
    device.settle().lose()
    assert Forget(room) not in device.connect()


def test_who_was_removed_and_invited_again_while_away_is_shown_as_invited(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server).come()
    device.lose()
    server.do("bob", RemoveUser(room=room, user="alice"))
    server.do("bob", InviteUser(room=room, user="alice"))
    device.come()
    assert room not in device.held()
    assert device.shown[room]["me"]["state"] == "invited"


def test_room_get_answer_overtaken_by_joining_does_not_show_an_invitation(server: Server) -> None:
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server).come()
    device.lose()
    server.do("bob", RemoveUser(room=room, user="alice"))
    server.do("bob", InviteUser(room=room, user="alice"))
    device.connect()
    device.hear("ready", server.ready("alice"))
    assert events(device.answer()) == [("room.get", {"room": room})]
    overtaken = device.ask_server(device.asked[0])
    joined = server.do("alice", JoinRoom(room=room))
    assert joined
    device.hear("room", server.shown("alice", room, announced_at=4))
    device.hear("entry", entry_object(joined))
    assert RoomFields not in kinds(device.answer(overtaken))
    assert device.settle().shown[room]["me"]["state"] == "member"
    assert device.held() == server.logs("alice")


def test_list_of_rooms_overtaken_by_joining_does_not_show_an_invitation(server: Server) -> None:
    server.create("alice", "first")
    room = server.create("bob", "tea")
    server.do("bob", InviteUser(room=room, user="alice"))
    device = Device(server)
    device.connect()
    device.hear("ready", server.ready("alice", limit=1))
    assert device.asked[0].event == "rooms"
    overtaken = device.ask_server(device.asked[0])
    joined = server.do("alice", JoinRoom(room=room))
    assert joined
    device.hear("room", server.shown("alice", room, announced_at=2))
    device.hear("entry", entry_object(joined))
    assert RoomFields not in kinds(device.answer(overtaken))
    assert device.settle().shown[room]["me"]["state"] == "member"


# The answers of sync.


def test_a_cursor_is_named_with_its_epoch_and_nothing_known_without(alice: Device) -> None:
    alice.connect()
    assert alice.asked[-1].data == {"cursors": {ROOM: {"epoch": "e1", "seq": 2}}}
    asked = Device(alice.server).replica
    asked.connected()
    assert events(asked.sync(["pvt-alice-zoe"])) == [("sync", {"cursors": {"pvt-alice-zoe": {"seq": 0}}})]


def test_what_a_client_kept_from_an_earlier_life_is_where_it_goes_on(server: Server) -> None:
    server.say("bob", "alice", "one", "two", "three", "four")
    kept = {ROOM: RoomCursor("e1", 3, holes=((1, 2),))}
    device = Device(server)
    device.replica = Replica("alice", cursors=kept)
    device.come()
    assert sorted(device.held()[ROOM]) == [1, 2, 4]
    assert kept == {ROOM: RoomCursor("e1", 3, holes=((1, 2),))}


def test_events_are_given_as_of_the_answers_head_and_without_what_is_there(server: Server, alice: Device) -> None:
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


def test_a_gap_is_paged_and_the_cursor_stands_at_head_at_once(server: Server, alice: Device) -> None:
    server.gap_above = 2
    alice.lose()
    server.say("bob", "alice", "three", "four", "five")
    alice.connect()
    assert events(alice.answer()) == [("history", {"room": ROOM, "anchor": 5, "before": 2})]
    assert alice.replica.cursors == {ROOM: RoomCursor("e1", 5, holes=((3, 5),))}
    (six,) = server.say("bob", "alice", "six")
    assert alice.hear("entry", six) == [Entries(ROOM, [six], as_of=6)]
    assert alice.settle().held() == server.logs("alice")


def test_a_reset_forgets_the_room_before_it_is_paged_anew(server: Server, alice: Device) -> None:
    alice.lose()
    server.restore(1)
    server.say("bob", "alice", "another")
    alice.connect()
    forget, *_ = answered = alice.answer()
    assert forget == Forget(ROOM)
    assert events(answered) == [("history", {"room": ROOM, "anchor": 2, "before": 1})]
    assert alice.replica.cursors == {ROOM: RoomCursor("e1'", 2, holes=((1, 2),))}
    assert alice.settle().held() == server.logs("alice")


def test_a_room_that_is_gone_is_forgotten(server: Server, alice: Device) -> None:
    alice.connect()
    assert alice.answer({"ok": True, "rooms": {ROOM: {"status": "gone"}}}) == [Forget(ROOM)]
    assert alice.replica.cursors == {}


def test_a_cursor_at_nothing_takes_the_epoch_that_it_is_answered_with(server: Server) -> None:
    """The line breaks between the room and its first entry, and then the store is restored."""
    device = Device(server).come()
    server.say("bob", "alice", "one")
    device.hear("room", server.shown("alice", ROOM, announced_at=0))
    device.lose()
    server.restore(1)
    device.come()
    assert device.replica.cursors == {ROOM: RoomCursor("e1'", 1)}


@pytest.mark.parametrize("event", ["entry", "room", "room.gone"])
def test_pushes_of_a_room_between_connecting_and_the_answer_of_sync_are_dropped(
    server: Server, alice: Device, event: str
) -> None:
    alice.lose()
    alice.connect()
    (three,) = server.say("bob", "alice", "three")
    push: Object = {"entry": three, "room": server.shown("alice", ROOM), "room.gone": {"room": ROOM}}[event]
    assert alice.hear(event, push) == []
    alice.answer()
    assert seqs(alice.said[-2:]) == [3]
    assert alice.hear(event, push) != [] or event == "entry"


def test_one_can_ask_at_any_time_what_was_missed(server: Server, alice: Device) -> None:
    server.say("bob", "alice", "three")
    alice.take(alice.replica.sync())
    assert alice.settle().held() == server.logs("alice")


def test_a_sync_that_fails_for_now_is_asked_again_and_drops_pushes_until_then(server: Server, alice: Device) -> None:
    alice.lose()
    alice.connect()
    alice.answer(UNAVAILABLE)
    assert alice.waits == [100]
    assert alice.hear("entry", *server.say("bob", "alice", "three")) == []
    assert [event for event, _ in events(alice.retry())] == ["sync"]
    assert alice.settle().held() == server.logs("alice")


def test_a_sync_that_is_refused_is_not_asked_again(server: Server, alice: Device) -> None:
    alice.lose()
    alice.connect()
    assert alice.answer(NOT_FOUND) == []
    assert seqs(alice.hear("entry", *server.say("bob", "alice", "three"))) == [3]


@pytest.mark.parametrize(
    ("rooms", "epoch", "asked"),
    [
        ([f"room-{number:026}" for number in range(1001)], "e", [500, 500, 1]),
        ([f"pvt-{'~F0~9F~98~80' * 128}-{number:04}" for number in range(60)], "e" * 1000, [19, 19, 19, 3]),
    ],
    ids=["500 cursors", "64 KiB"],
)
def test_a_large_sync_is_split_and_the_rest_stays_in_doubt(rooms: list[str], epoch: str, asked: list[int]) -> None:
    replica = Replica("alice", cursors={room: RoomCursor(epoch, 1) for room in rooms})
    effects = replica.connected()
    for size in asked:
        ((number, data),) = [(effect.number, effect.data) for effect in effects]  # type: ignore[union-attr]
        assert len(data["cursors"]) == size
        assert len(repr(data)) < 64 * 1024
        assert replica.pushed("room.gone", {"room": rooms[-1]}) == []
        gone = {room: {"status": "gone"} for room in data["cursors"]}
        effects = [one for one in replica.answered(number, {"ok": True, "rooms": gone}) if not isinstance(one, Forget)]
    assert effects == []
    assert replica.cursors == {}
