"""How a client fills the holes of a room from its history."""

import pytest

from chatcore import JoinRoom, RemoveUser
from chatcore.replica import Forget, Replica, RoomCursor
from tests.unit.replica_device import Device, events, seqs
from tests.unit.replica_server import NOT_FOUND, Server

ROOM = "pvt-alice-bob"


def paging(server: Server, page: int = 3) -> Device:
    """A device that has begun to page seven entries."""
    server.say("bob", "alice", *"1234567")
    device = Device(server, page=page)
    device.connect()
    device.hear("ready", server.ready("alice"))
    return device


def anchors(device: Device) -> list[tuple[int, int]]:
    return [(data["anchor"], data["before"]) for event, data in events(device.said) if event == "history"]


def test_history_is_paged_from_its_end_in_pages_of_the_size_that_was_asked_for() -> None:
    device = paging(Server()).settle()
    assert anchors(device) == [(7, 2), (4, 2), (1, 0)]
    assert seqs(device.said) == [5, 6, 7, 2, 3, 4, 1]
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 7)}


def test_a_page_that_was_cut_for_its_size_leaves_the_rest_lacking() -> None:
    device = paging(Server(), page=100)
    page = device.ask_server(device.asked[0])
    device.answer({**page, "entries": page["entries"][-2:]})
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 7, holes=((1, 5),))}
    assert device.settle().held() == device.server.logs("alice")


def test_newer_holes_are_filled_before_older_ones() -> None:
    server = Server()
    device = paging(server)
    *_, last = server.say("bob", "alice", "8", "9")
    device.hear("entry", last)
    device.answer()
    assert anchors(device) == [(7, 2), (8, 0)]
    device.settle()
    assert anchors(device) == [(7, 2), (8, 0), (4, 2), (1, 0)]


def test_a_break_in_the_middle_of_paging_costs_nothing() -> None:
    device = paging(Server())
    device.answer()
    device.lose()
    assert device.replica.cursors == {ROOM: RoomCursor("e1", 7, holes=((1, 4),))}
    assert device.come().held() == device.server.logs("alice")
    assert anchors(device) == [(7, 2), (4, 2), (4, 2), (1, 0)]


def test_nothing_is_paged_before_what_is_in_doubt_is_known() -> None:
    server = Server()
    device = paging(server)
    device.lose()
    device.connect()
    device.hear("ready", server.ready("alice"))
    assert [event for event, _ in events(device.said)][-1] == "sync"
    assert [ask.event for ask in device.asked] == ["sync"]


def test_a_page_of_another_epoch_is_not_taken_and_the_room_asked_for() -> None:
    server = Server()
    device = paging(server)
    server.restore(7)
    assert [event for event, _ in events(device.answer())] == ["sync"]
    assert device.held() == {}
    assert device.settle().held() == server.logs("alice")


def test_a_log_that_ends_below_the_hole_is_asked_for() -> None:
    """A backup was played back and nobody ran new-epoch: there is no page to be had, and `sync` says so."""
    server = Server()
    device = paging(server)
    server.restore(5)
    server.epoch = "e1"
    assert [event for event, _ in events(device.answer())] == ["sync"]
    assert Forget(ROOM) in device.answer()
    assert device.settle().held() == server.logs("alice")


def test_a_refused_page_asks_whether_one_is_a_member_still() -> None:
    device = paging(Server())
    assert [event for event, _ in events(device.answer(NOT_FOUND))] == ["sync"]
    assert device.answer({"ok": True, "rooms": {ROOM: {"status": "gone"}}}) == [Forget(ROOM)]


def test_who_is_a_member_again_after_a_refused_page_lacks_nothing() -> None:
    """Removed when the page was read, joined again before `sync`: `room.gone` was dropped meanwhile."""
    server = Server()
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server)
    device.connect()
    device.hear("ready", server.ready("alice"))
    server.do("bob", RemoveUser(room=room, user="alice"))
    device.answer()
    server.do("alice", JoinRoom(room=room))
    assert device.settle().held() == server.logs("alice")


@pytest.mark.parametrize("back", [False, True], ids=["gone", "back"])
def test_a_page_of_a_room_forgotten_meanwhile_is_not_taken(back: bool) -> None:
    server = Server()
    room = server.create("bob", "tea")
    server.do("alice", JoinRoom(room=room))
    device = Device(server)
    device.connect()
    device.hear("ready", server.ready("alice"))
    page = device.ask_server(device.asked[0])
    server.do("bob", RemoveUser(room=room, user="alice"))
    device.hear("room.gone", {"room": room})
    if back:
        server.do("alice", JoinRoom(room=room))
        device.hear("room", server.shown("alice", room, announced_at=3))
        device.hear("entry", server.log("alice", room)[4])
    assert seqs(device.answer(page)) == []
    assert device.settle().held() == server.logs("alice")


@pytest.mark.parametrize("answer", [NOT_FOUND, None], ids=["refused", "answered"])
def test_the_page_of_a_forgotten_room_is_the_end_of_it(answer: dict[str, object] | None) -> None:
    device = paging(Server())
    device.hear("room.gone", {"room": ROOM})
    assert device.answer(answer) == []


@pytest.mark.parametrize("page", [0, 201])
def test_a_page_that_no_server_would_give_is_not_asked_for(page: int) -> None:
    with pytest.raises(ValueError, match="page"):
        Replica("alice", page=page)


def test_one_question_is_asked_at_a_time() -> None:
    server = Server()
    for title in "abcd":
        server.create("alice", title)
    device = Device(server)
    device.connect()
    device.hear("ready", server.ready("alice", limit=1))
    while device.asked:
        device.hear("typing", {"room": "r", "users": ["bob"]})
        assert len(device.asked) == 1
        device.answer()
    assert device.held() == server.logs("alice")
