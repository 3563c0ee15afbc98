"""A client fills the holes of a room from its history."""

import pytest

from chatcore import JoinRoom, RemoveUser
from chatcore.replica import Forget, Replica, RoomCursor
from tests.unit.replica_device import Device, events, seqs
from tests.unit.replica_server import NOT_FOUND, Server

ROOM = "pvt-alice-bob"


def paging(server: Server, page: int = 3) -> Device:
    """Return a device that has begun to page seven entries."""
    server.say("bob", "alice", *"1234567")
    device = Device(server, page=page)
    device.connect()
    device.receive("ready", server.ready("alice"))
    return device


def anchors(device: Device) -> list[tuple[int, int]]:
    return [(data["anchor"], data["before"]) for event, data in events(device.effects) if event == "history"]


def test_history_is_paged_from_its_end_in_pages_of_the_requested_size() -> None:
    device = paging(Server()).settle()
    assert anchors(device) == [(7, 2), (4, 2), (1, 0)]
    assert seqs(device.effects) == [5, 6, 7, 2, 3, 4, 1]
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 7)}


def test_page_cut_for_its_size_leaves_the_rest_missing() -> None:
    device = paging(Server(), page=100)
    page = device.ask_server(device.asked[0])
    device.answer({**page, "entries": page["entries"][-2:]})
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 7, holes=((1, 5),))}
    assert device.settle().held() == device.server.logs("alice")


def test_newer_holes_are_filled_before_older_ones() -> None:
    server = Server()
    device = paging(server)
    *_, last = server.say("bob", "alice", "8", "9")
    device.receive("entry", last)
    device.answer()
    assert anchors(device) == [(7, 2), (8, 0)]
    device.settle()
    assert anchors(device) == [(7, 2), (8, 0), (4, 2), (1, 0)]


def test_lost_connection_during_paging_loses_no_page() -> None:
    device = paging(Server())
    device.answer()
    device.lose()
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 7, holes=((1, 4),))}
    assert device.start().held() == device.server.logs("alice")
    assert anchors(device) == [(7, 2), (4, 2), (4, 2), (1, 0)]


def test_paging_waits_for_the_sync_after_a_reconnect() -> None:
    server = Server()
    device = paging(server)
    device.lose()
    device.connect()
    device.receive("ready", server.ready("alice"))
    assert [event for event, _ in events(device.effects)][-1] == "sync"
    assert [ask.event for ask in device.asked] == ["sync"]


def test_page_of_another_epoch_is_dropped_and_causes_a_sync() -> None:
    server = Server()
    device = paging(server)
    server.restore(7)
    assert [event for event, _ in events(device.answer())] == ["sync"]
    assert device.held() == {}
    assert device.settle().held() == server.logs("alice")


def test_page_of_a_log_that_ends_below_the_hole_causes_a_sync() -> None:
    """A backup was restored without a new epoch. The server has no page above the head, and `sync` reports it."""
    server = Server()
    device = paging(server)
    server.restore(5)
    server.epoch = "e1"
    assert [event for event, _ in events(device.answer())] == ["sync"]
    assert Forget(ROOM) in device.answer()
    assert device.settle().held() == server.logs("alice")


def test_refused_page_causes_a_sync() -> None:
    device = paging(Server())
    assert [event for event, _ in events(device.answer(NOT_FOUND))] == ["sync"]
    assert device.answer({"ok": True, "rooms": {ROOM: {"status": "gone"}}}) == [Forget(ROOM)]


def test_member_again_after_a_refused_page_gets_all_entries() -> None:
    """Alice is not a member when the page is read and is a member again at the `sync`. `room.gone` was dropped."""
    server = Server()
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server)
    device.connect()
    device.receive("ready", server.ready("alice"))
    server.do("bob", RemoveUser(room=room, user="alice"))
    device.answer()
    server.do("alice", JoinRoom(room=room))
    assert device.settle().held() == server.logs("alice")


@pytest.mark.parametrize("back", [False, True], ids=["gone", "back"])
def test_page_of_a_forgotten_room_is_dropped(back: bool) -> None:
    server = Server()
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server)
    device.connect()
    device.receive("ready", server.ready("alice"))
    page = device.ask_server(device.asked[0])
    server.do("bob", RemoveUser(room=room, user="alice"))
    device.receive("room.gone", {"room": room})
    if back:
        server.do("alice", JoinRoom(room=room))
        device.receive("room", server.shown("alice", room, announced_at=3))
        device.receive("entry", server.log("alice", room)[4])
    assert seqs(device.answer(page)) == []
    assert device.settle().held() == server.logs("alice")


@pytest.mark.parametrize("answer", [NOT_FOUND, None], ids=["refused", "answered"])
def test_answer_for_a_forgotten_room_has_no_effect(answer: dict[str, object] | None) -> None:
    device = paging(Server())
    device.receive("room.gone", {"room": ROOM})
    assert device.answer(answer) == []


@pytest.mark.parametrize("page", [0, 201])
def test_invalid_page_size_is_refused(page: int) -> None:
    with pytest.raises(ValueError, match="page"):
        Replica("alice", page=page)


def test_replica_asks_one_question_at_a_time() -> None:
    server = Server()
    for title in "abcd":
        server.create("alice", title)
    device = Device(server)
    device.connect()
    device.receive("ready", server.ready("alice", limit=1))
    while device.asked:
        device.receive("typing", {"room": "r", "users": ["bob"]})
        assert len(device.asked) == 1
        device.answer()
    assert device.held() == server.logs("alice")
