"""What a client sends and shows, rule by rule of ``docs/clients.md``."""

import pytest

from chatcore import DeleteMessage, EditMessage, InviteUser, JoinRoom, RemoveUser, SendMessage, UpdateRoom
from chatcore.protocol import Object
from chatcore.replica import Changed, ClientState, Drop, Failed, Keep, SendCommand, Wake
from chatcore.replica.command_queues import TOO_LARGE, UNAVAILABLE
from tests.unit.client_world import World, say
from tests.unit.replica_server import NOT_FOUND
from tests.unit.replica_server import UNAVAILABLE as LATER

ROOM = "pvt-alice-bob"
FORBIDDEN: Object = {"ok": False, "error": {"code": "forbidden", "message": "No.", "temporary": False}}


def started(messages: int = 3, gap_above: int = 200) -> World:
    """Return a client that is online, of a user with a room of ``messages`` messages."""
    world = World(gap_above)
    say(world, *(str(number) for number in range(1, messages + 1)))
    return world.settle()


def opened(messages: int = 3, gap_above: int = 200) -> World:
    world = started(messages, gap_above)
    world.open(ROOM)
    return world.settle()


def sent(world: World) -> list[tuple[str, Object]]:
    return [(command.event, command.data) for command in world.commands]


def shown(world: World) -> list[str]:
    return [body for body, _state in world.bodies()]


# Rooms.


def test_room_that_is_not_open_is_not_paged() -> None:
    world = started(120)
    say(world, "new")
    world.settle()
    assert not world.asked("history")
    assert shown(world) == ["new"]


def test_room_that_is_not_open_keeps_its_newest_entries() -> None:
    world = started(1)
    say(world, *(f"new {number}" for number in range(250)))
    world.settle()
    assert len(shown(world)) == 149
    world.open(ROOM)
    world.settle()
    assert not world.asked("history")
    world.take(world.client.more(ROOM, count=500))
    world.settle()
    assert len(shown(world)) == 251


def test_opened_room_loads_its_newest_50_entries() -> None:
    world = opened(120)
    assert world.asked("history") == [{"room": ROOM, "anchor": 120, "before": 49}]
    assert shown(world) == [str(number) for number in range(71, 121)]
    assert world.client.loaded(ROOM) is True


def test_opened_room_asks_only_for_entries_that_it_lacks() -> None:
    world = started(120)
    say(world, "new", "newer")
    world.settle()
    world.open(ROOM)
    world.settle()
    assert world.asked("history") == [{"room": ROOM, "anchor": 120, "before": 47}]
    assert len(shown(world)) == 50


def test_more_loads_that_many_older_entries() -> None:
    world = opened(120)
    world.take(world.client.more(ROOM, count=30))
    assert world.client.loaded(ROOM) is None
    world.settle()
    assert shown(world)[0] == "41"
    assert world.client.loaded(ROOM) is True
    world.take(world.client.more(ROOM, count=200))
    world.settle()
    assert shown(world)[0] == "1"
    assert world.client.loaded(ROOM) is False


def test_more_until_a_seq_loads_down_to_it_by_pages_of_100() -> None:
    world = opened(300)
    world.take(world.client.more(ROOM, until=5))
    world.settle()
    assert shown(world)[0] == "5"
    assert [ask["before"] for ask in world.asked("history")] == [49, 99, 99, 45]


def test_gap_is_paged_down_to_the_oldest_entry_that_was_asked_for() -> None:
    world = opened(60, gap_above=3)
    world.lose()
    say(world, *(f"missed {number}" for number in range(250)))
    world.settle()
    assert len(shown(world)) == 50 + 250
    assert world.asked("history")[1]["anchor"] == 310


def test_gap_of_a_room_that_was_complete_is_paged_whole() -> None:
    world = World(gap_above=3)
    world.settle()
    say(world, "1", "2", "3")
    world.settle()
    world.open(ROOM)
    world.lose()
    say(world, *(f"missed {number}" for number in range(250)))
    world.settle()
    assert len(shown(world)) == 253


def test_gap_of_a_room_that_is_born_while_open_is_paged_whole() -> None:
    world = World(gap_above=3)
    world.open(ROOM)
    world.settle()
    say(world, "first")
    world.settle()
    world.lose()
    say(world, *(f"missed {number}" for number in range(250)))
    world.settle()
    assert len(shown(world)) == 251


def test_entries_below_a_gap_are_shown_when_it_is_closed() -> None:
    world = opened(3, gap_above=1)
    world.lose()
    say(world, *(str(number) for number in range(4, 204)))
    world.connect()
    while not any(command.event == "history" for command in world.commands):
        world.serve()
        world.arrive()
    say(world, "204")
    world.arrive()
    assert shown(world) == ["204"]
    world.settle()
    assert shown(world) == [str(number) for number in range(1, 205)]


def test_nothing_is_sent_before_ready() -> None:
    world = World()
    world.open(ROOM)
    world.send("early")
    world.take(world.client.mark(ROOM, 1))
    world.take(world.client.type(ROOM, on=True))
    assert not world.commands


def test_rooms_are_ordered_by_their_last_entries() -> None:
    world = started(1)
    say(world, "later", user="carol")
    world.settle()
    rooms = [room["room"] for room in world.client.rooms()]
    assert rooms == ["pvt-alice-carol", ROOM]
    say(world, "latest")
    world.settle()
    assert [room["room"] for room in world.client.rooms()] == [ROOM, "pvt-alice-carol"]


def test_room_without_last_entry_comes_first() -> None:
    world = started(1)
    room = world.server.create("bob", "tea")
    world.do("bob", InviteUser(room=room, user="alice"))
    world.frames.append(("room", world.server.shown("alice", room)))
    world.settle()
    first, second = world.client.rooms()
    assert (first["room"], first["me"]["state"]) == (room, "invited")
    assert second["room"] == ROOM


def test_room_follows_its_entries() -> None:
    world = started(3)
    say(world, "4", "5")
    world.settle()
    info = world.client.info(ROOM)
    assert info
    assert (info["head"], info["last"]["body"], info["me"]["unread"]) == (5, "5", 5)
    assert not world.asked("room.get")


def test_room_counts_to_100_unread_messages() -> None:
    world = started(99)
    say(world, "100", "101", "102")
    world.settle()
    info = world.client.info(ROOM)
    assert info
    assert info["me"]["unread"] == 100


def test_title_follows_the_entry_that_changes_it() -> None:
    world = World()
    room = world.server.create("bob", "tea")
    world.server.do("alice", JoinRoom(room=room))
    world.settle()
    world.do("bob", UpdateRoom(room=room, title="cake"))
    world.settle()
    info = world.client.info(room)
    assert info
    assert info["title"] == "cake"


def test_entry_about_a_member_and_a_deletion_cause_room_get() -> None:
    world = World()
    room = world.server.create("bob", "tea")
    world.server.do("alice", JoinRoom(room=room))
    world.settle()
    world.do("carol", JoinRoom(room=room))
    world.settle()
    info = world.client.info(room)
    assert info
    assert info["members_count"] == 3
    world.do("bob", SendMessage(room=room, body="x", key="x"))
    world.do("bob", DeleteMessage(room=room, seq=4))
    world.settle()
    assert world.asked("room.get") == [{"room": room}] * 2


def test_reset_loads_the_newest_page_again() -> None:
    world = opened(120)
    world.take(world.client.more(ROOM, count=20))
    world.settle()
    world.lose()
    world.server.restore(100)
    world.settle()
    assert shown(world) == [str(number) for number in range(51, 101)]
    info = world.client.info(ROOM)
    assert info
    assert (info["head"], info["epoch"]) == (100, "e1'")


def test_room_gone_drops_the_room() -> None:
    world = World()
    room = world.server.create("bob", "tea")
    world.server.do("alice", JoinRoom(room=room))
    world.open(room)
    world.settle()
    world.do("bob", RemoveUser(room=room, user="alice"))
    world.settle()
    assert (world.client.rooms(), world.client.messages(room), world.client.info(room)) == ([], [], None)


def test_invitation_that_the_whole_list_does_not_show_is_gone() -> None:
    world = World()
    room = world.server.create("bob", "tea")
    world.server.do("bob", InviteUser(room=room, user="alice"))
    world.settle()
    assert world.client.info(room)
    world.lose()
    world.server.do("bob", RemoveUser(room=room, user="alice"))
    assert world.client.info(room)
    world.settle()
    assert world.client.info(room) is None


# Messages.


def test_message_is_shown_at_once_and_sent_when_it_is_acknowledged() -> None:
    world = opened(1)
    key = world.send("hi")
    assert world.bodies()[-1] == ("hi", "sending")
    world.settle()
    assert world.bodies() == [("1", "sent"), ("hi", "sent")]
    assert (world.delivered, world.kept) == ({key: 2}, {})


def test_acknowledged_message_stays_last_until_its_entry_comes() -> None:
    world = opened(1)
    world.send("hi")
    say(world, "2")
    world.serve()
    two = world.frames.popleft()
    world.arrive()
    assert world.bodies() == [("1", "sent"), ("hi", "sent")]
    world.frames.appendleft(two)
    world.settle()
    assert shown(world) == ["1", "2", "hi"]


def test_one_command_of_a_room_is_on_its_way_at_a_time() -> None:
    world = opened(1)
    world.send("a")
    world.send("b")
    world.send("c", to="carol")
    assert [data["body"] for _event, data in sent(world)] == ["a", "c"]
    world.settle()
    assert shown(world) == ["1", "a", "b"]


def test_called_command_to_a_user_waits_for_the_commands_of_their_room() -> None:
    world = opened(1)
    world.send("a")
    _number, effects = world.client.command("message.send", {"to": "bob", "body": "b", "key": "called"})
    world.take(effects)
    assert [data["body"] for _event, data in sent(world)] == ["a"]
    world.settle()
    assert shown(world) == ["1", "a", "b"]


def test_message_is_sent_again_with_its_key_after_a_break() -> None:
    world = opened(1)
    key = world.send("hi")
    world.serve()
    world.lose()
    assert world.bodies()[-1] == ("hi", "sending")
    world.settle()
    assert world.delivered == {key: 2}
    assert shown(world) == ["1", "hi"]
    assert len(world.server.rooms[ROOM].entries) == 2


def test_entry_that_comes_first_counts_as_the_answer() -> None:
    world = opened(1)
    key = world.send("hi")
    world.serve()
    answer = world.frames.popleft()
    effects = world.take(world.client.pushed(*world.frames.popleft()))  # type: ignore[arg-type]
    assert Drop(key) in effects
    world.frames.append(answer)
    world.settle()
    assert world.bodies() == [("1", "sent"), ("hi", "sent")]


def test_commands_of_a_room_wait_after_a_temporary_error() -> None:
    world = opened(1)
    world.send("a")
    world.send("b")
    for pause in (100, 200, 400):
        world.refuse()
        world.arrive()
        assert list(world.wakes.values()) == [pause]
        assert not world.commands
        world.wake()
    limited = {**LATER["error"], "retry_after_ms": 7_000}  # type: ignore[dict-item]
    world.serve({"ok": False, "error": limited})
    world.arrive()
    assert list(world.wakes.values()) == [7_000]
    world.send("other room", to="carol")
    assert [data["body"] for _event, data in sent(world)] == ["other room"]
    world.settle()
    assert shown(world) == ["1", "a", "b"]


def test_refused_message_fails_and_the_next_one_is_sent() -> None:
    world = opened(1)
    key = world.send("a")
    world.send("b")
    world.serve(FORBIDDEN)
    world.arrive()
    assert Failed(key, FORBIDDEN["error"]) in world.effects
    assert world.kept[key]["error"] == FORBIDDEN["error"]
    world.settle()
    assert world.bodies() == [("1", "sent"), ("b", "sent"), ("a", "failed")]


def test_failed_message_is_sent_again_with_its_key() -> None:
    world = opened(1)
    key = world.send("a")
    world.serve(FORBIDDEN)
    world.arrive()
    effects = world.take(world.client.retry(key))
    assert Keep({"user": "alice", "room": ROOM, "body": "a", "key": key}) in effects
    world.settle()
    assert (world.delivered, world.kept, shown(world)) == ({key: 2}, {}, ["1", "a"])


def test_discarded_message_leaves_the_store() -> None:
    world = opened(1)
    key = world.send("a")
    world.serve(FORBIDDEN)
    world.arrive()
    world.take(world.client.discard(key))
    assert (world.kept, shown(world)) == ({}, ["1"])


@pytest.mark.parametrize("act", ["retry", "discard"])
def test_message_that_has_not_failed_is_neither_retried_nor_discarded(act: str) -> None:
    world = opened(1)
    key = world.send("a")
    assert getattr(world.client, act)(key) == []
    assert world.bodies()[-1] == ("a", "sending")


def test_largest_message_fails_when_it_ends_the_connection() -> None:
    world = opened(1)
    world.send("small", to="carol")
    key = world.send("large " * 20_000)
    world.lose(1009)
    assert world.failed == {key: TOO_LARGE}
    world.settle()
    assert [state for _body, state in world.bodies()] == ["sent", "failed"]
    assert world.client.messages("pvt-alice-carol")[-1]["state"] == "sent"


def test_messages_of_an_earlier_run_are_sent_and_failed_ones_shown() -> None:
    world = opened(1)
    waiting = world.send("a")
    world.restart()
    failed = {"user": "alice", "room": ROOM, "key": "f", "body": "b", "error": FORBIDDEN["error"]}
    world.client = ClientState([*world.kept.values(), failed])
    world.open(ROOM)
    world.settle()
    assert world.delivered == {waiting: 2}
    assert world.bodies() == [("1", "sent"), ("a", "sent"), ("b", "failed")]


def test_messages_of_another_user_are_neither_sent_nor_shown() -> None:
    world = started(1)
    world.restart()
    world.client = ClientState([{"user": "bob", "room": ROOM, "key": "b", "body": "b"}])
    world.settle()
    assert not world.asked("message.send")
    assert shown(world) == []


def test_message_from_before_the_first_ready_is_of_the_user_of_ready() -> None:
    world = World()
    key = world.send("early", to="bob")
    assert [message["state"] for message in world.client.unaddressed({"to": "bob"})] == ["sending"]
    world.connect()
    world.arrive()
    assert world.kept[key] == {"user": "alice", "to": "bob", "body": "early", "key": key}
    world.settle()
    assert world.delivered == {key: 1}


def test_edit_is_repeated_after_a_break_and_another_command_fails() -> None:
    world = opened(1)
    edit = {"room": ROOM, "seq": 1, "version": 1, "body": "x", "key": "e"}
    number, effects = world.client.command("message.edit", edit)
    other, more = world.client.command("blocks", {})
    world.take([*effects, *more])
    world.lose()
    assert world.answers == {other: {"ok": False, "error": UNAVAILABLE}}
    world.connect()
    world.arrive()
    assert ("message.edit", edit) in sent(world)
    assert number not in world.answers


def test_command_without_a_connection_waits_for_one() -> None:
    world = World()
    _, effects = world.client.command("blocks", {})
    assert effects == []
    world.connect()
    world.arrive()
    assert sent(world) == [("blocks", {})]


def test_edits_change_their_message_and_keep_other_objects() -> None:
    world = opened(2)
    one, two = world.client.messages(ROOM)
    world.do("bob", EditMessage(room=ROOM, seq=1, version=1, body="changed"))
    world.settle()
    changed, same = world.client.messages(ROOM)
    assert (changed["body"], one["body"]) == ("changed", "1")
    assert same is two


# Markers, typing and presence.


def test_mark_shows_the_position_at_once_and_sends_the_highest_only() -> None:
    world = opened(3)
    for seq in (1, 2, 1, 3):
        world.take(world.client.mark(ROOM, seq))
    info = world.client.info(ROOM)
    assert info
    assert (info["me"]["read"], info["me"]["delivered"], info["me"]["unread"]) == (3, 3, 0)
    assert info["markers"]["alice"] == {"read": 3, "delivered": 3}
    assert sent(world) == [("mark", {"room": ROOM, "read": 1})]
    world.serve({"ok": True, "read": 1, "delivered": 1, "unread": 2, "muted": False})
    world.arrive()
    assert sent(world) == [("mark", {"room": ROOM, "read": 3})]
    world.lose()
    world.connect()
    world.arrive()
    assert ("mark", {"room": ROOM, "read": 3}) in sent(world)


def test_mark_is_repeated_after_a_temporary_error_and_not_after_a_refusal() -> None:
    world = opened(3)
    world.take(world.client.mark(ROOM, 2))
    world.refuse()
    world.arrive()
    assert list(world.wakes.values()) == [100]
    world.wake()
    assert sent(world) == [("mark", {"room": ROOM, "read": 2})]
    world.serve(FORBIDDEN)
    world.arrive()
    info = world.client.info(ROOM)
    assert info
    assert info["me"]["read"] == 0
    assert not world.commands


def test_marker_pushes_never_go_back() -> None:
    world = opened(3)
    for read in (2, 1):
        push = {"room": ROOM, "user": "bob", "read": read, "delivered": read}
        world.take(world.client.pushed("marker", push))
    own = {"room": ROOM, "user": "alice", "read": 2, "delivered": 2, "unread": 1}
    world.take(world.client.pushed("marker", own))
    info = world.client.info(ROOM)
    assert info
    assert info["markers"]["bob"] == {"read": 2, "delivered": 2}
    assert (info["me"]["read"], info["me"]["unread"]) == (2, 1)


def test_typing_is_sent_at_most_every_3_s_and_its_end_once() -> None:
    world = opened(1)
    said = [False, True, True, True, False, False]
    for on in said:
        world.take(world.client.type(ROOM, on=on))
    assert [data["on"] for _event, data in sent(world)] == [True, False]
    assert 3_000 in world.wakes.values()


def test_typing_goes_on_after_3_s() -> None:
    world = opened(1)
    world.take(world.client.type(ROOM, on=True))
    world.wake()
    world.take(world.client.type(ROOM, on=True))
    assert [data["on"] for _event, data in sent(world)] == [True, True]


def test_send_ends_typing_without_saying_so() -> None:
    world = opened(1)
    world.take(world.client.type(ROOM, on=True))
    world.send("hi")
    world.take(world.client.type(ROOM, on=False))
    world.take(world.client.type(ROOM, on=True))
    assert [data["on"] for event, data in sent(world) if event == "typing"] == [True, True]


def test_typist_is_gone_with_a_message_and_with_the_connection() -> None:
    world = opened(1)
    world.take(world.client.pushed("typing", {"room": ROOM, "users": ["bob", "carol"]}))
    assert world.client.typists(ROOM) == ("bob", "carol")
    say(world, "2")
    world.settle()
    assert world.client.typists(ROOM) == ("carol",)
    world.lose()
    assert world.client.typists(ROOM) == ()


def test_presence_is_asked_again_after_a_break() -> None:
    world = opened(1)
    _, effects = world.client.command("presence", {"users": ["bob"]})
    world.take(effects)
    world.serve({"ok": True, "presence": {"bob": {"state": "online"}}})
    world.arrive()
    assert world.client.presence == {"bob": {"state": "online"}}
    world.take(world.client.pushed("presence", {"user": "bob", "state": "away"}))
    assert world.client.presence == {"bob": {"state": "away"}}
    world.lose()
    world.connect()
    world.arrive()
    assert ("presence", {"users": ["bob"]}) in sent(world)


# The connection.


def test_questions_go_out_one_at_a_time_and_again_after_a_pause() -> None:
    world = started(120)
    world.open(ROOM)
    world.open("pvt-alice-carol")
    assert len(world.commands) == 1
    world.refuse()
    world.arrive()
    assert list(world.wakes.values()) == [100]
    world.settle()
    assert len(shown(world)) == 50


def test_sync_and_what_has_no_answer_go_out_together() -> None:
    world = opened(1)
    world.send("hi")
    world.lose()
    world.connect()
    world.arrive()
    assert [event for event, _data in sent(world)] == ["sync", "message.send"]


def test_another_user_begins_with_nothing() -> None:
    world = opened(1)
    world.send("mine")
    world.lose()
    say(world, "for carol", to="carol")
    world.user = "carol"
    world.settle()
    assert [room["room"] for room in world.client.rooms()] == ["pvt-bob-carol"]
    assert world.client.messages(ROOM) == ()
    assert len(world.asked("message.send")) == 1


def test_unknown_pushes_and_kinds_do_no_harm() -> None:
    world = opened(1)
    world.take(world.client.pushed("applause", {"room": ROOM}))
    entry = {"room": ROOM, "seq": 2, "kind": "sung", "author": "bob", "at": "2026-11-30T00:00:00.000Z"}
    effects = world.take(world.client.pushed("entry", entry))
    assert Changed("messages", ROOM) in effects
    assert world.client.messages(ROOM)[-1] == {**entry, "state": "sent"}


def test_refused_question_is_not_asked_again() -> None:
    world = World()
    world.settle()
    world.take(world.client.pushed("entry", {"room": "r", "seq": 1, "kind": "message", "author": "bob", "at": ""}))
    world.serve(NOT_FOUND)
    world.arrive()
    assert not [effect for effect in world.effects if isinstance(effect, Wake)]
    assert [effect.event for effect in world.effects if isinstance(effect, SendCommand)] == ["room.get"]
