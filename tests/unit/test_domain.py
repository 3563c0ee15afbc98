"""`decide` and `evolve`: which commands are allowed in a room, and which entries follow."""

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
    result = outcome(state, user, command, **facts)
    assert isinstance(result, Entry), result
    return result


def private_room() -> RoomState:
    unborn = RoomState(room=PRIVATE)
    return evolve(unborn, entry(unborn, "alice", SendMessage(to="bob", body="hi", key="k")))


def public_room() -> RoomState:
    unborn = RoomState(room="room-" + "a" * 26)
    return evolve(unborn, entry(unborn, "olga", CreateRoom(kind="public", title="Tea", members=["mia"], key="k")))


def test_first_message_opens_the_room_in_the_same_entry() -> None:
    first = entry(RoomState(room=PRIVATE), "alice", SendMessage(to="bob", body="hi", key="k"))
    assert (first.seq, first.author, first.event) == (1, "alice", Message(body="hi"))
    assert first.opens
    assert first.opens.members == {"alice": "member", "bob": "member"}
    assert first.affects == ("alice", "bob")


def test_later_message_opens_no_room() -> None:
    later = entry(private_room(), "bob", SendMessage(to="alice", body="ho", key="k2"))
    assert (later.seq, later.opens, later.affects) == (2, None, ())


def test_message_without_to_does_not_open_a_room() -> None:
    assert isinstance(
        outcome(RoomState(room=PRIVATE), "alice", SendMessage(room=PRIVATE, body="hi", key="k")), NotFound
    )


def test_first_message_to_an_unknown_user_opens_no_room() -> None:
    command = SendMessage(to="ghost", body="hi", key="k")
    assert isinstance(outcome(RoomState(room="pvt-a-ghost"), "a", command, unknown_users={"ghost"}), NotFound)


def test_refusal_does_not_show_whether_the_room_exists() -> None:
    existing = outcome(private_room(), "eve", SendMessage(room=PRIVATE, body="hi", key="k"))
    unborn = outcome(RoomState(room="pvt-x-y"), "eve", SendMessage(room="pvt-x-y", body="hi", key="k"))
    assert isinstance(existing, NotFound)
    assert isinstance(unborn, NotFound)
    assert existing.message == unborn.message


def test_private_room_cannot_be_joined() -> None:
    assert isinstance(outcome(private_room(), "alice", JoinRoom(room=PRIVATE)), Forbidden)
    assert isinstance(outcome(private_room(), "eve", JoinRoom(room=PRIVATE)), NotFound)


def test_user_joins_a_public_room_once() -> None:
    state = public_room()
    joined = entry(state, "bob", JoinRoom(room=state.room))
    assert (joined.event, joined.affects) == (Joined(user="bob"), ("bob",))
    after = evolve(state, joined)
    assert after.members["bob"] == Membership("member", since=2)
    assert outcome(after, "bob", JoinRoom(room=state.room)) is None


def test_creator_is_owner_and_named_users_are_members() -> None:
    state = public_room()
    assert {user: member.role for user, member in state.members.items()} == {"olga": "owner", "mia": "member"}
    assert (state.kind, state.title, state.head) == ("public", "Tea", 1)


def test_existing_room_is_not_created_again() -> None:
    state = public_room()
    command = CreateRoom(kind="public", title="Tea", key="k")
    assert isinstance(outcome(state, "olga", command), Forbidden)
    assert isinstance(outcome(state, "eve", command), NotFound)


def test_reply_needs_a_message_of_the_room() -> None:
    state = private_room()
    first = entry(RoomState(room=PRIVATE), "alice", SendMessage(to="bob", body="hi", key="k"))
    reply = SendMessage(room=PRIVATE, body="re", key="r", reply_to=1)
    assert entry(state, "bob", reply, target=first).event == Message(body="re", reply_to=1)
    for target in (None, entry(RoomState(room="r"), "o", CreateRoom(kind="group", title="t", key="k"))):
        refused = outcome(state, "bob", reply, target=target)
        assert isinstance(refused, Invalid)
        assert refused.field == "reply_to"


def test_message_does_not_copy_the_members() -> None:
    state = public_room()
    after = evolve(state, entry(state, "olga", SendMessage(room=state.room, body="hi", key="k2")))
    assert after.members is state.members


def test_entry_with_a_wrong_seq_is_refused() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        evolve(private_room(), entry(RoomState(room=PRIVATE), "alice", SendMessage(to="bob", body="hi", key="k")))


def test_rights_cover_every_kind_of_room() -> None:
    assert {frozenset(row) for row in RIGHTS.values()} == {frozenset({"private", "group", "public"})}


def test_digest_does_not_depend_on_the_addressing_of_the_room() -> None:
    by_user, by_room = SendMessage(to="bob", body="hi", key="k"), SendMessage(room=PRIVATE, body="hi", key="k2")
    assert by_user.digest == by_room.digest


@pytest.mark.parametrize(
    "other",
    [
        SendMessage(to="bob", body="ho", key="k"),
        SendMessage(to="bob", body="hi", data={"a": 1}, key="k"),
        SendMessage(to="bob", body="hi", reply_to=1, key="k"),
        SendMessage(to="bob", body="hi", mentions=["bob"], key="k"),
    ],
)
def test_different_content_has_a_different_digest(other: SendMessage) -> None:
    assert SendMessage(to="bob", body="hi", key="k").digest != other.digest


TEXTS = st.text(",:-1", min_size=1, max_size=4)
CONTENTS = st.tuples(TEXTS, TEXTS, st.none() | TEXTS)


@given(one=CONTENTS, other=CONTENTS)
@example(one=("room", "user", None), other=("room", "user", "-"))
@example(one=("room,1", "1", None), other=("room", "1,1", None))
def test_digests_are_equal_exactly_for_equal_contents(
    one: tuple[str, str, str | None], other: tuple[str, str, str | None]
) -> None:
    first, second = (BanUser(room=room, user=user, reason=reason) for room, user, reason in (one, other))
    assert (first.digest == second.digest) is (one == other)


def test_digest_does_not_depend_on_the_order_of_names_in_data() -> None:
    one = SendMessage(to="bob", body="", data={"a": 1, "b": {"c": 2, "d": 3}}, key="k")
    other = SendMessage(to="bob", body="", data={"b": {"d": 3, "c": 2}, "a": 1}, key="k")
    assert one.digest == other.digest
