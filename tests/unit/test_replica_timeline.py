"""What a client shows of a room: the present state of its messages, whatever came in whichever order."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore import JoinRoom, React, SendMessage
from chatcore.commands.command import RoomCommand
from chatcore.domain.entries import REACTION_USERS_MAX
from chatcore.ids import Seq, UserId
from chatcore.protocol import Object, entry_object
from chatcore.replica import Entries, Timeline
from tests.unit.replica_server import Server
from tests.unit.replica_talk import ROOM, acts, begun, many

Acts = list[tuple[UserId, RoomCommand[Any]]]
MESSAGE: Object = {
    "room": ROOM,
    "seq": 1,
    "kind": "message",
    "author": "alice",
    "at": "then",
    "key": "k",
    "body": "secret one",
    "data": {"secret": 1},
    "version": 1,
    "reply_to": 1,
}
EDITED: Object = {"room": ROOM, "seq": 2, "kind": "edited", "author": "alice", "at": "now", "target": 1}
EDIT: Object = {**EDITED, "body": "secret two", "version": 2}
REACTED: Object = {"room": ROOM, "seq": 3, "kind": "reacted", "author": "bob", "at": "now", "target": 1}
REACTION: Object = {**REACTED, "emoji": "x", "on": True}
DELETED: Object = {"room": ROOM, "seq": 4, "kind": "deleted", "author": "alice", "at": "now", "target": 1}


def pushes(*entries: Object) -> list[Entries]:
    return [Entries(ROOM, [entry], as_of=entry["seq"]) for entry in entries]


def shown(found: Sequence[Entries]) -> dict[Seq, Object]:
    timeline = Timeline()
    for one in found:
        timeline.take(one)
    return timeline.present()


def history(server: Server, done: Acts) -> list[dict[Seq, Object]]:
    """The room as of each head from 0 on, as a client sees it that comes then."""
    snapshots: list[dict[Seq, Object]] = [{}, server.log("alice", ROOM)]
    for user, command in done:
        if server.do(user, command):
            snapshots.append(server.log("alice", ROOM))
    return snapshots


@given(many(acts), st.data())
def test_a_snapshot_and_what_is_pushed_after_it_are_a_fresh_snapshot(done: Acts, data: st.DataObject) -> None:
    snapshots = history(begun(), done)
    head = len(snapshots) - 1
    cut = data.draw(st.integers(0, head))
    snapshot = Entries(ROOM, list(snapshots[cut].values()), as_of=cut)
    assert shown([snapshot, *pushes(*(snapshots[seq][seq] for seq in range(cut + 1, head + 1)))]) == snapshots[-1]


@given(many(acts), st.data())
def test_it_makes_no_difference_in_which_order_and_how_old_each_entry_comes(done: Acts, data: st.DataObject) -> None:
    snapshots = history(begun(), done)
    head = len(snapshots) - 1
    ages = [data.draw(st.integers(seq, head)) for seq in range(1, head + 1)]
    found = [Entries(ROOM, [snapshots[as_of][seq]], as_of=as_of) for seq, as_of in enumerate(ages, start=1)]
    twice = data.draw(st.permutations(found + found[: data.draw(st.integers(0, head))]))
    assert shown(twice) == snapshots[-1]


@pytest.mark.parametrize(
    ("changes", "becomes"),
    [
        ([EDIT], {"body": "secret two", "version": 2, "edited_at": "now"}),
        ([REACTION], {"reactions": {"x": {"count": 1, "users": ["bob"]}}}),
        ([REACTION, {**REACTION, "seq": 4, "on": False}], {}),
        ([{**REACTION, "on": False}], {}),
        ([{**EDITED, "kind": "sung", "tune": "c d e"}], {}),
    ],
    ids=["edited", "reacted", "taken back", "taken back before it was given", "a kind that nobody knows"],
)
def test_a_change_above_what_a_message_came_with_is_applied(changes: list[Object], becomes: Object) -> None:
    assert shown(pushes(MESSAGE, *changes))[1] == MESSAGE | becomes


@pytest.mark.parametrize("change", [EDIT, REACTION], ids=["edited", "reacted"])
def test_a_change_that_a_message_already_came_with_is_not_applied_again(change: Object) -> None:
    present = {**MESSAGE, "version": 3, "body": "three", "reactions": {"x": {"count": 1, "users": ["bob"]}}}
    assert shown([Entries(ROOM, [present, change], as_of=9)])[1] == present


@given(st.permutations([MESSAGE, EDIT, {**EDIT, "seq": 3, "version": 3, "body": "three"}]))
def test_of_two_edits_the_later_one_holds_whichever_comes_first(entries: list[Object]) -> None:
    assert shown(pushes(*entries))[1] == {**MESSAGE, "version": 3, "body": "three", "edited_at": "now"}


@given(st.permutations([MESSAGE, EDIT, REACTION, DELETED]))
def test_a_deletion_leaves_a_stub_and_no_text_anywhere(entries: list[Object]) -> None:
    timeline = Timeline()
    for one in pushes(*entries):
        timeline.take(one)
    assert timeline.present() == {
        1: {name: MESSAGE[name] for name in ("room", "seq", "kind", "author", "at", "key", "reply_to")}
        | {"version": 2, "deleted": True},
        2: {**EDITED, "version": 2},
        3: REACTION,
        4: DELETED,
    }
    assert "secret" not in repr(timeline)


def test_an_edit_without_its_text_says_that_the_message_was_deleted_since() -> None:
    """A page ends below the deletion, which comes with the next one."""
    found = shown([*pushes(MESSAGE), Entries(ROOM, [{**EDITED, "version": 2}], as_of=9)])
    assert found[1]["deleted"]
    assert "body" not in found[1]


TWENTY = [f"user-{number}" for number in range(20)]


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ((20, TWENTY), [("zoe", True)], (21, TWENTY)),
        ((25, TWENTY), [("zoe", False)], (24, TWENTY)),
        ((25, TWENTY), [("user-0", False), ("zoe", True)], (25, TWENTY[1:])),
        ((19, TWENTY[1:]), [("zoe", True)], (20, [*TWENTY[1:], "zoe"])),
    ],
    ids=["beyond twenty", "one who was not named", "behind some who are not named", "the twentieth"],
)
def test_nobody_is_named_behind_users_who_are_not(
    before: tuple[int, list[UserId]], changes: list[tuple[UserId, bool]], after: tuple[int, list[UserId]]
) -> None:
    message = {**MESSAGE, "reactions": {"x": {"count": before[0], "users": before[1]}}}
    reactions = [{**REACTION, "seq": seq, "author": user, "on": on} for seq, (user, on) in enumerate(changes, start=2)]
    (found,) = shown(pushes(message, *reactions))[1]["reactions"].values()
    assert (found["count"], found["users"]) == after


given_or_taken_back = st.tuples(st.integers(0, 22), st.sampled_from([True, True, True, False]))


@given(st.lists(given_or_taken_back, min_size=40, max_size=60), st.integers(0, 60))
def test_of_more_than_twenty_who_react_all_are_counted_and_no_wrong_one_is_named(
    reactions: list[tuple[int, bool]], cut: int
) -> None:
    server = Server()
    room = server.create("alice", "tea")
    message = server.do("alice", SendMessage(room=room, body="hi", key="k"))
    assert message
    users = [f"user-{number}" for number in range(23)]
    for joining in users:
        server.do(joining, JoinRoom(room=room))
    most, found = 0, [Entries(room, [entry_object(message)], as_of=message.seq)]
    for number, (user, on) in enumerate(reactions):
        if entry := server.do(users[user], React(room=room, seq=message.seq, emoji="x", on=on)):
            due = server.log("alice", room)[message.seq]
            most = max(most, _count(due))
            found = [*found, *pushes(entry_object(entry))] if number > cut else [Entries(room, [due], as_of=entry.seq)]
    due, mine = server.log("alice", room)[message.seq], shown(found)[message.seq]
    assert _count(mine) == _count(due)
    assert _named(mine) == _named(due)[: len(_named(mine))]
    assert _named(mine) == _named(due) or most > REACTION_USERS_MAX


def _count(message: Object) -> int:
    count: int = message.get("reactions", {}).get("x", {"count": 0})["count"]
    return count


def _named(message: Object) -> list[UserId]:
    users: list[UserId] = message.get("reactions", {}).get("x", {"users": []})["users"]
    return users
