"""The timeline of a client: the present state of the messages of a room, for any order of entries."""

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
from tests.unit.replica_talk import ROOM, actions, many, started_server

Actions = list[tuple[UserId, RoomCommand[Any]]]
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


def shown(batches: Sequence[Entries]) -> dict[Seq, Object]:
    timeline = Timeline()
    for entries in batches:
        timeline.take(entries)
    return timeline.present()


def history(server: Server, done: Actions) -> list[dict[Seq, Object]]:
    """Return the log of the room as of each head from 0 on."""
    snapshots: list[dict[Seq, Object]] = [{}, server.log("alice", ROOM)]
    for user, command in done:
        if server.do(user, command):
            snapshots.append(server.log("alice", ROOM))
    return snapshots


@given(many(actions), st.data())
def test_snapshot_with_later_pushes_equals_a_fresh_snapshot(done: Actions, data: st.DataObject) -> None:
    snapshots = history(started_server(), done)
    head = len(snapshots) - 1
    cut = data.draw(st.integers(0, head))
    snapshot = Entries(ROOM, list(snapshots[cut].values()), as_of=cut)
    assert shown([snapshot, *pushes(*(snapshots[seq][seq] for seq in range(cut + 1, head + 1)))]) == snapshots[-1]


@given(many(actions), st.data())
def test_timeline_does_not_depend_on_the_order_and_age_of_entries(done: Actions, data: st.DataObject) -> None:
    snapshots = history(started_server(), done)
    head = len(snapshots) - 1
    ages = [data.draw(st.integers(seq, head)) for seq in range(1, head + 1)]
    entries = [Entries(ROOM, [snapshots[as_of][seq]], as_of=as_of) for seq, as_of in enumerate(ages, start=1)]
    repeated = data.draw(st.permutations(entries + entries[: data.draw(st.integers(0, head))]))
    assert shown(repeated) == snapshots[-1]


@pytest.mark.parametrize(
    ("changes", "becomes"),
    [
        ([EDIT], {"body": "secret two", "version": 2, "edited_at": "now"}),
        ([REACTION], {"reactions": {"x": {"count": 1, "users": ["bob"]}}}),
        ([REACTION, {**REACTION, "seq": 4, "on": False}], {}),
        ([{**REACTION, "on": False}], {}),
        ([{**EDITED, "kind": "sung", "tune": "c d e"}], {}),
    ],
    ids=["edited", "reacted", "withdrawn", "withdrawn before it was added", "an unknown kind"],
)
def test_change_above_as_of_of_a_message_is_applied(changes: list[Object], becomes: Object) -> None:
    assert shown(pushes(MESSAGE, *changes))[1] == MESSAGE | becomes


@pytest.mark.parametrize("change", [EDIT, REACTION], ids=["edited", "reacted"])
def test_change_included_in_a_message_is_not_applied_again(change: Object) -> None:
    present = {**MESSAGE, "version": 3, "body": "three", "reactions": {"x": {"count": 1, "users": ["bob"]}}}
    assert shown([Entries(ROOM, [present, change], as_of=9)])[1] == present


@given(st.permutations([MESSAGE, EDIT, {**EDIT, "seq": 3, "version": 3, "body": "three"}]))
def test_later_of_two_edits_wins_in_any_order(entries: list[Object]) -> None:
    assert shown(pushes(*entries))[1] == {**MESSAGE, "version": 3, "body": "three", "edited_at": "now"}


@given(st.permutations([MESSAGE, EDIT, REACTION, DELETED]))
def test_deletion_leaves_a_stub_without_text(entries: list[Object]) -> None:
    timeline = Timeline()
    for push in pushes(*entries):
        timeline.take(push)
    assert timeline.present() == {
        1: {name: MESSAGE[name] for name in ("room", "seq", "kind", "author", "at", "key", "reply_to")}
        | {"version": 2, "deleted": True},
        2: {**EDITED, "version": 2},
        3: REACTION,
        4: DELETED,
    }
    assert "secret" not in repr(timeline)


def test_edit_without_text_marks_the_message_as_deleted() -> None:
    """The page ends below the deletion, which is on the next page."""
    messages = shown([*pushes(MESSAGE), Entries(ROOM, [{**EDITED, "version": 2}], as_of=9)])
    assert messages[1]["deleted"]
    assert "body" not in messages[1]


TWENTY = [f"user-{number}" for number in range(20)]


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ((20, TWENTY), [("zoe", True)], (21, TWENTY)),
        ((25, TWENTY), [("zoe", False)], (24, TWENTY)),
        ((25, TWENTY), [("user-0", False), ("zoe", True)], (25, TWENTY[1:])),
        ((19, TWENTY[1:]), [("zoe", True)], (20, [*TWENTY[1:], "zoe"])),
    ],
    ids=["beyond twenty", "an unnamed user", "after unnamed users", "the twentieth user"],
)
def test_users_after_unnamed_users_are_not_named(
    before: tuple[int, list[UserId]], changes: list[tuple[UserId, bool]], after: tuple[int, list[UserId]]
) -> None:
    message = {**MESSAGE, "reactions": {"x": {"count": before[0], "users": before[1]}}}
    reactions = [{**REACTION, "seq": seq, "author": user, "on": on} for seq, (user, on) in enumerate(changes, start=2)]
    (reaction,) = shown(pushes(message, *reactions))[1]["reactions"].values()
    assert (reaction["count"], reaction["users"]) == after


added_or_withdrawn = st.tuples(st.integers(0, 22), st.sampled_from([True, True, True, False]))


@given(st.lists(added_or_withdrawn, min_size=40, max_size=60), st.integers(0, 60))
def test_reactions_of_more_than_20_users_are_counted_and_named_in_order(
    reactions: list[tuple[int, bool]], cut: int
) -> None:
    server = Server()
    room = server.create("alice", "tea")
    message = server.do("alice", SendMessage(room=room, body="hi", key="k"))
    assert message
    users = [f"user-{number}" for number in range(23)]
    for joining in users:
        server.do(joining, JoinRoom(room=room))
    most, batches = 0, [Entries(room, [entry_object(message)], as_of=message.seq)]
    for number, (user, on) in enumerate(reactions):
        if entry := server.do(users[user], React(room=room, seq=message.seq, emoji="x", on=on)):
            expected = server.log("alice", room)[message.seq]
            most = max(most, _count(expected))
            batches = (
                [*batches, *pushes(entry_object(entry))]
                if number > cut
                else [Entries(room, [expected], as_of=entry.seq)]
            )
    expected, actual = server.log("alice", room)[message.seq], shown(batches)[message.seq]
    assert _count(actual) == _count(expected)
    assert _named(actual) == _named(expected)[: len(_named(actual))]
    assert _named(actual) == _named(expected) or most > REACTION_USERS_MAX


def _count(message: Object) -> int:
    count: int = message.get("reactions", {}).get("x", {"count": 0})["count"]
    return count


def _named(message: Object) -> list[UserId]:
    users: list[UserId] = message.get("reactions", {}).get("x", {"users": []})["users"]
    return users
