"""Laws of the domain over every command: what `decide` returns `evolve` takes, and what must hold of any log."""

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

people = st.sampled_from(["alice", "bob", "carol", "dave"])
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
    st.builds(InviteUser, room=room, user=people),
    st.builds(RemoveUser, room=room, user=people),
    st.builds(BanUser, room=room, user=people),
    st.builds(UnbanUser, room=room, user=people),
    st.builds(ChangeRole, room=room, user=people, role=st.sampled_from(["owner", "admin", "member"])),
    st.builds(UpdateRoom, room=room, title=st.sampled_from("ab")),
)
births: st.SearchStrategy[tuple[str, RoomCommand[object]]] = st.one_of(
    st.tuples(st.just("alice"), st.builds(SendMessage, to=st.just("bob"), body=st.just(SECRET), key=key)),
    st.tuples(
        st.just("alice"),
        st.builds(
            CreateRoom,
            kind=st.sampled_from(["group", "public"]),
            title=st.just("t"),
            members=st.lists(people, max_size=3),
            key=key,
        ),
    ),
)
histories = st.builds(lambda first, rest: [first, *rest], births, st.lists(st.tuples(people, changes), max_size=40))
"""A birth, and whatever four people then try."""


def facts(log: list[Entry], target: int | None) -> Facts:
    """The target in its present state (reactions apart, which only decide what changes nothing)."""
    if target is None or target > len(log):
        return Facts()
    found = log[target - 1]
    for entry in log:
        match entry.event, found.event:
            case Edited(target=edited, body=str(body), version=version), Message() if edited == target:
                found = attrs.evolve(found, event=attrs.evolve(found.event, body=body, version=version))
            case Deleted(target=deleted), _ if deleted == target:
                found = redacted(found)
            case _:
                pass
    return Facts(target=found, as_of=len(log))


def log_of(history: list[tuple[str, RoomCommand[object]]]) -> list[Entry]:
    log: list[Entry] = []
    state = EMPTY
    for user, command in history:
        found = decide(state, facts(log, command.target), user, command, "k", NOW)
        if isinstance(found, Entry):
            log.append(found)
            state = evolve(state, found)
    return log


def fold(log: list[Entry], state: RoomState = EMPTY) -> RoomState:
    for entry in log:
        state = evolve(state, entry)
    return state


@given(histories)
def test_a_log_has_no_hole_and_only_its_first_entry_opens_a_room(
    history: list[tuple[str, RoomCommand[object]]],
) -> None:
    log = log_of(history)
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    assert [bool(entry.opens) for entry in log] == [True] + [False] * (len(log) - 1)


@given(histories, st.integers(0, 40))
def test_folding_is_the_same_in_any_batching(history: list[tuple[str, RoomCommand[object]]], cut: int) -> None:
    log = log_of(history)
    assert fold(log[cut:], fold(log[:cut])) == fold(log)


@given(histories)
def test_a_created_room_has_an_owner_as_long_as_it_was_never_empty(
    history: list[tuple[str, RoomCommand[object]]],
) -> None:
    log = log_of(history)
    for upto in range(1, len(log) + 1):
        state = fold(log[:upto])
        if state.kind == "private" or state.count() == 0:
            return
        owners = [user for user, one in state.members.items() if one.role == "owner" and one.state == "member"]
        assert owners


@given(histories)
def test_only_who_belonged_to_the_room_has_written_to_it(history: list[tuple[str, RoomCommand[object]]]) -> None:
    log = log_of(history)
    for entry in log[1:]:
        before = fold(log[: entry.seq - 1])
        if not entry.affects:
            assert before.member(entry.author)


@given(histories)
def test_an_entry_affects_exactly_those_whose_standing_it_changes(
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
def test_after_a_deletion_nothing_of_the_text_is_left(history: list[tuple[str, RoomCommand[object]]]) -> None:
    log = log_of(history)
    for deletion in log:
        if isinstance(deletion.event, Deleted):
            texts = [redacted(entry) for entry in log if holds_text_of(entry, deletion.event.target)]
            assert texts
            assert SECRET not in repr(texts)
            kinds: set[type[Event]] = {type(entry.event) for entry in texts}
            assert kinds <= {Message, Edited}
