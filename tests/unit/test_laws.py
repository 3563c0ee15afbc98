"""Laws of the domain for every command: `evolve` accepts the entries of `decide`, and laws of any log."""

from datetime import UTC, datetime

import attrs
from hypothesis import given
from hypothesis import strategies as st

from chatcore import (
    BanUser,
    ChangeRole,
    CreateRoom,
    DeleteMessage,
    EditMessage,
    Entry,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    React,
    RemoveUser,
    SendMessage,
    UnbanUser,
    UpdateRoom,
)
from chatcore.commands.command import RoomCommand
from chatcore.domain.decider import Facts, decide, evolve
from chatcore.domain.entries import Deleted, Edited, Event, Message
from chatcore.domain.redaction import holds_text_of, redacted
from chatcore.domain.state import RoomState

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EMPTY = RoomState(room="r")
SECRET = "secret"

users = st.sampled_from(["alice", "bob", "carol", "dave"])
seqs = st.integers(1, 12)
room = st.just("r")
key = st.just("k")
changes: st.SearchStrategy[RoomCommand[object]] = st.one_of(
    st.builds(SendMessage, room=room, body=st.just(SECRET), key=key, reply_to=st.none() | seqs),
    st.builds(EditMessage, room=room, seq=seqs, version=st.integers(1, 3), body=st.just(SECRET)),
    st.builds(DeleteMessage, room=room, seq=seqs),
    st.builds(React, room=room, seq=seqs, emoji=st.sampled_from("xy"), on=st.booleans()),
    st.builds(JoinRoom, room=room),
    st.builds(LeaveRoom, room=room),
    st.builds(InviteUser, room=room, user=users),
    st.builds(RemoveUser, room=room, user=users),
    st.builds(BanUser, room=room, user=users),
    st.builds(UnbanUser, room=room, user=users),
    st.builds(ChangeRole, room=room, user=users, role=st.sampled_from(["owner", "admin", "member"])),
    st.builds(UpdateRoom, room=room, title=st.sampled_from("ab")),
)
openings: st.SearchStrategy[tuple[str, RoomCommand[object]]] = st.one_of(
    st.tuples(st.just("alice"), st.builds(SendMessage, to=st.just("bob"), body=st.just(SECRET), key=key)),
    st.tuples(
        st.just("alice"),
        st.builds(
            CreateRoom,
            kind=st.sampled_from(["group", "public"]),
            title=st.just("t"),
            members=st.lists(users, max_size=3),
            key=key,
        ),
    ),
)
histories = st.builds(lambda first, rest: [first, *rest], openings, st.lists(st.tuples(users, changes), max_size=40))
"""The first command of a room and random commands of four users."""


def facts(log: list[Entry], target: int | None) -> Facts:
    """The target in its present state, without reactions, which these laws do not need."""
    if target is None or target > len(log):
        return Facts()
    message = log[target - 1]
    for entry in log:
        match entry.event, message.event:
            case Edited(target=edited, body=str(body), version=version), Message() if edited == target:
                message = attrs.evolve(message, event=attrs.evolve(message.event, body=body, version=version))
            case Deleted(target=deleted), _ if deleted == target:
                message = redacted(message)
            case _:
                pass
    return Facts(target=message, as_of=len(log))


def log_of(history: list[tuple[str, RoomCommand[object]]]) -> list[Entry]:
    log: list[Entry] = []
    state = EMPTY
    for user, command in history:
        entry = decide(state, facts(log, command.target), user, command, "k", NOW)
        if isinstance(entry, Entry):
            log.append(entry)
            state = evolve(state, entry)
    return log


def fold(log: list[Entry], state: RoomState = EMPTY) -> RoomState:
    for entry in log:
        state = evolve(state, entry)
    return state


@given(histories)
def test_log_has_no_hole_and_only_its_first_entry_opens_a_room(
    history: list[tuple[str, RoomCommand[object]]],
) -> None:
    log = log_of(history)
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    assert [bool(entry.opens) for entry in log] == [True] + [False] * (len(log) - 1)


@given(histories, st.integers(0, 40))
def test_fold_does_not_depend_on_batching(history: list[tuple[str, RoomCommand[object]]], cut: int) -> None:
    log = log_of(history)
    assert fold(log[cut:], fold(log[:cut])) == fold(log)


@given(histories)
def test_created_room_has_an_owner_while_never_empty(
    history: list[tuple[str, RoomCommand[object]]],
) -> None:
    log = log_of(history)
    for upto in range(1, len(log) + 1):
        state = fold(log[:upto])
        if state.kind == "private" or state.count() == 0:
            return
        owners = [user for user, member in state.members.items() if member.role == "owner" and member.state == "member"]
        assert owners


@given(histories)
def test_authors_of_entries_were_members(history: list[tuple[str, RoomCommand[object]]]) -> None:
    log = log_of(history)
    for entry in log[1:]:
        before = fold(log[: entry.seq - 1])
        if not entry.affects:
            assert before.member(entry.author)


@given(histories)
def test_entry_affects_exactly_the_users_whose_membership_state_changes(
    history: list[tuple[str, RoomCommand[object]]],
) -> None:
    log = log_of(history)
    for entry in log:
        before, after = fold(log[: entry.seq - 1]).members, fold(log[: entry.seq]).members
        changed = {
            user
            for user in before.keys() | after.keys()
            if (user in before and before[user].state) != (user in after and after[user].state)
        }
        assert changed == set(entry.affects)


@given(histories)
def test_redacted_entries_of_a_deleted_message_have_no_text(history: list[tuple[str, RoomCommand[object]]]) -> None:
    log = log_of(history)
    for deletion in log:
        if isinstance(deletion.event, Deleted):
            texts = [redacted(entry) for entry in log if holds_text_of(entry, deletion.event.target)]
            assert texts
            assert SECRET not in repr(texts)
            kinds: set[type[Event]] = {type(entry.event) for entry in texts}
            assert kinds <= {Message, Edited}
