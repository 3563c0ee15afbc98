"""`decide` and `evolve`: what may happen in a room, and what it changes."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcore import BanUser, ChatError, CreateRoom, Entry, Forbidden, Invalid, JoinRoom, NotFound, SendMessage
from chatcore.commands.command import RoomCommand
from chatcore.domain.decider import Facts, Rules, decide, evolve
from chatcore.domain.entries import Joined, Message
from chatcore.domain.permissions import RIGHTS
from chatcore.domain.state import Membership, RoomState

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PRIVATE = "pvt-alice-bob"


def outcome(state: RoomState, user: str, command: RoomCommand[object], **facts: object) -> Entry | ChatError | None:
    return decide(state, Facts(**facts), user, command, command.key or "k", NOW, Rules())  # type: ignore[arg-type]


def entry(state: RoomState, user: str, command: RoomCommand[object], **facts: object) -> Entry:
    found = outcome(state, user, command, **facts)
    assert isinstance(found, Entry), found
    return found


def born() -> RoomState:
    unborn = RoomState(room=PRIVATE)
    return evolve(unborn, entry(unborn, "alice", SendMessage(to="bob", body="hi", key="k")))


def public() -> RoomState:
    unborn = RoomState(room="room-" + "a" * 26)
    return evolve(unborn, entry(unborn, "olga", CreateRoom(kind="public", title="Tea", members=["mia"], key="k")))


def test_the_first_message_opens_the_room_in_the_same_entry() -> None:
    found = entry(RoomState(room=PRIVATE), "alice", SendMessage(to="bob", body="hi", key="k"))
    assert (found.seq, found.author, found.event) == (1, "alice", Message(body="hi"))
    assert found.opens
    assert found.opens.members == {"alice": "member", "bob": "member"}
    assert found.affects == ("alice", "bob")


def test_a_later_message_opens_nothing() -> None:
    found = entry(born(), "bob", SendMessage(to="alice", body="ho", key="k2"))
    assert (found.seq, found.opens, found.affects) == (2, None, ())


def test_only_to_opens_a_room() -> None:
    assert isinstance(
        outcome(RoomState(room=PRIVATE), "alice", SendMessage(room=PRIVATE, body="hi", key="k")), NotFound
    )


def test_a_first_message_to_nobody_opens_nothing() -> None:
    command = SendMessage(to="ghost", body="hi", key="k")
    assert isinstance(outcome(RoomState(room="pvt-a-ghost"), "a", command, unknown_users={"ghost"}), NotFound)


def test_a_stranger_is_told_the_same_of_a_room_and_of_none() -> None:
    there = outcome(born(), "eve", SendMessage(room=PRIVATE, body="hi", key="k"))
    nowhere = outcome(RoomState(room="pvt-x-y"), "eve", SendMessage(room="pvt-x-y", body="hi", key="k"))
    assert isinstance(there, NotFound)
    assert isinstance(nowhere, NotFound)
    assert there.message == nowhere.message


def test_a_private_room_can_not_be_joined() -> None:
    assert isinstance(outcome(born(), "alice", JoinRoom(room=PRIVATE)), Forbidden)
    assert isinstance(outcome(born(), "eve", JoinRoom(room=PRIVATE)), NotFound)


def test_anyone_joins_a_public_room_once() -> None:
    state = public()
    joined = entry(state, "bob", JoinRoom(room=state.room))
    assert (joined.event, joined.affects) == (Joined(user="bob"), ("bob",))
    after = evolve(state, joined)
    assert after.members["bob"] == Membership("member", since=2)
    assert outcome(after, "bob", JoinRoom(room=state.room)) is None


def test_a_creator_is_owner_and_the_named_are_members() -> None:
    state = public()
    assert {user: one.role for user, one in state.members.items()} == {"olga": "owner", "mia": "member"}
    assert (state.kind, state.title, state.head) == ("public", "Tea", 1)


def test_a_room_that_is_there_is_not_created_again() -> None:
    state = public()
    command = CreateRoom(kind="public", title="Tea", key="k")
    assert isinstance(outcome(state, "olga", command), Forbidden)
    assert isinstance(outcome(state, "eve", command), NotFound)


def test_a_reply_is_to_a_message_of_the_room() -> None:
    state = born()
    first = entry(RoomState(room=PRIVATE), "alice", SendMessage(to="bob", body="hi", key="k"))
    reply = SendMessage(room=PRIVATE, body="re", key="r", reply_to=1)
    assert entry(state, "bob", reply, target=first).event == Message(body="re", reply_to=1)
    for target in (None, entry(RoomState(room="r"), "o", CreateRoom(kind="group", title="t", key="k"))):
        refused = outcome(state, "bob", reply, target=target)
        assert isinstance(refused, Invalid)
        assert refused.field == "reply_to"


def test_a_message_copies_no_members() -> None:
    state = public()
    after = evolve(state, entry(state, "olga", SendMessage(room=state.room, body="hi", key="k2")))
    assert after.members is state.members


def test_an_entry_that_does_not_follow_is_refused() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        evolve(born(), entry(RoomState(room=PRIVATE), "alice", SendMessage(to="bob", body="hi", key="k")))


def test_the_table_of_rights_says_something_for_every_kind() -> None:
    assert {frozenset(row) for row in RIGHTS.values()} == {frozenset({"private", "group", "public"})}


def test_the_way_a_room_is_addressed_is_no_part_of_a_messages_content() -> None:
    one, other = SendMessage(to="bob", body="hi", key="k"), SendMessage(room=PRIVATE, body="hi", key="k2")
    assert one.digest == other.digest


@pytest.mark.parametrize(
    "other",
    [
        SendMessage(to="bob", body="ho", key="k"),
        SendMessage(to="bob", body="hi", data={"a": 1}, key="k"),
        SendMessage(to="bob", body="hi", reply_to=1, key="k"),
        SendMessage(to="bob", body="hi", mentions=["bob"], key="k"),
    ],
)
def test_another_content_has_another_digest(other: SendMessage) -> None:
    assert SendMessage(to="bob", body="hi", key="k").digest != other.digest


TEXTS = st.text(",:-1", min_size=1, max_size=4)
CONTENTS = st.tuples(TEXTS, TEXTS, st.none() | TEXTS)


@given(one=CONTENTS, other=CONTENTS)
@example(one=("room", "user", None), other=("room", "user", "-"))
@example(one=("room,1", "1", None), other=("room", "1,1", None))
def test_contents_have_one_digest_exactly_when_they_are_equal(
    one: tuple[str, str, str | None], other: tuple[str, str, str | None]
) -> None:
    first, second = (BanUser(room=room, user=user, reason=reason) for room, user, reason in (one, other))
    assert (first.digest == second.digest) is (one == other)


def test_the_order_of_names_in_data_makes_no_difference() -> None:
    one = SendMessage(to="bob", body="", data={"a": 1, "b": {"c": 2, "d": 3}}, key="k")
    other = SendMessage(to="bob", body="", data={"b": {"d": 3, "c": 2}, "a": 1}, key="k")
    assert one.digest == other.digest
