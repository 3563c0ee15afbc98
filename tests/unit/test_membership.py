"""Who may change who belongs to a room, and what each change does."""

from datetime import UTC, datetime

import pytest

from chatcore import (
    BanUser,
    ChangeRole,
    ChatError,
    Conflict,
    CreateRoom,
    Entry,
    Forbidden,
    Invalid,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    NotFound,
    RemoveUser,
    Rules,
    SendMessage,
    UnbanUser,
    UpdateRoom,
)
from chatcore.commands.command import RoomCommand
from chatcore.domain.decider import Facts, decide, evolve
from chatcore.domain.entries import (
    Banned,
    Event,
    Invited,
    Joined,
    Left,
    Opened,
    Removed,
    Role,
    RoleChanged,
    RoomKind,
    Unbanned,
)
from chatcore.domain.permissions import RIGHTS, Rank, Rights
from chatcore.domain.state import Membership, RoomState

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROOM = "room-" + "a" * 26
PEOPLE = {
    "olga": Membership("owner", since=1),
    "otto": Membership("owner", since=1),
    "anna": Membership("admin", since=1),
    "adam": Membership("admin", since=1),
    "mia": Membership("member", since=1),
    "ina": Membership("member", since=2, state="invited"),
    "ben": Membership("member", since=3, state="banned"),
}


def room(kind: RoomKind = "group", **people: Membership) -> RoomState:
    return RoomState(room=ROOM, head=9, kind=kind, title="Tea", members=people or PEOPLE)


def outcome(
    user: str, command: RoomCommand[object], state: RoomState | None = None, rules: Rules | None = None
) -> Event | ChatError | None:
    found = decide(state or room(), Facts(), user, command, "k", NOW, rules or Rules())
    return found.event if isinstance(found, Entry) else found


def kind_of(found: object) -> type | None:
    return None if found is None else type(found)


def remove(user: str) -> RemoveUser:
    return RemoveUser(room=ROOM, user=user)


@pytest.mark.parametrize(
    ("user", "other", "refused"),
    [
        ("olga", "otto", None), ("olga", "anna", None), ("olga", "mia", None), ("olga", "ina", None),
        ("anna", "otto", Forbidden), ("anna", "adam", Forbidden), ("anna", "mia", None), ("anna", "ina", None),
        ("mia", "olga", Forbidden), ("mia", "ina", Forbidden), ("mia", "mia", Forbidden),
        ("olga", "olga", Invalid), ("anna", "anna", Invalid),
        ("ina", "mia", NotFound), ("ben", "mia", NotFound), ("eve", "mia", NotFound),
    ],
)  # fmt: skip
def test_owners_remove_and_ban_anyone_and_admins_whoever_does_not_lead(
    user: str, other: str, refused: type[ChatError] | None
) -> None:
    assert kind_of(outcome(user, remove(other))) is (refused or Removed)
    assert kind_of(outcome(user, BanUser(room=ROOM, user=other))) is (refused or Banned)


def test_a_reason_may_have_several_lines() -> None:
    reason = "spam:\r\n\tagain\0"
    assert outcome("olga", BanUser(room=ROOM, user="mia", reason=reason)) == Banned(user="mia", reason=reason)


def test_removing_who_is_not_there_changes_nothing() -> None:
    assert outcome("olga", remove("eve")) is None
    assert outcome("olga", remove("ben")) is None


def test_a_ban_keeps_out_until_it_is_lifted() -> None:
    state = room("public")
    banned = decide(state, Facts(), "anna", BanUser(room=ROOM, user="eve", reason="spam"), "k", NOW, Rules())
    assert isinstance(banned, Entry)
    assert (banned.event, banned.affects) == (Banned(user="eve", reason="spam"), ("eve",))
    state = evolve(state, banned)
    assert kind_of(outcome("eve", JoinRoom(room=ROOM), state)) is NotFound
    assert kind_of(outcome("anna", InviteUser(room=ROOM, user="eve"), state)) is Forbidden
    assert outcome("anna", BanUser(room=ROOM, user="eve"), state) is None
    lifted = decide(state, Facts(), "anna", UnbanUser(room=ROOM, user="eve"), "k", NOW, Rules())
    assert isinstance(lifted, Entry)
    assert lifted.event == Unbanned(user="eve")
    assert outcome("eve", JoinRoom(room=ROOM), evolve(state, lifted)) == Joined(user="eve")
    assert outcome("anna", UnbanUser(room=ROOM, user="mia"), state) is None


def test_a_group_is_joined_by_whoever_is_invited() -> None:
    assert outcome("ina", JoinRoom(room=ROOM)) == Joined(user="ina")
    assert kind_of(outcome("eve", JoinRoom(room=ROOM))) is NotFound
    assert kind_of(outcome("ben", JoinRoom(room=ROOM))) is NotFound
    assert outcome("mia", JoinRoom(room=ROOM)) is None


def test_leaders_invite_and_nobody_twice() -> None:
    assert outcome("anna", InviteUser(room=ROOM, user="eve")) == Invited(user="eve")
    assert outcome("anna", InviteUser(room=ROOM, user="ina")) is None
    assert outcome("anna", InviteUser(room=ROOM, user="mia")) is None
    assert kind_of(outcome("mia", InviteUser(room=ROOM, user="eve"))) is Forbidden


def test_nobody_is_invited_who_does_not_exist() -> None:
    command = InviteUser(room=ROOM, user="ghost")
    found = decide(room(), Facts(unknown_users=frozenset({"ghost"})), "olga", command, "k", NOW, Rules())
    assert isinstance(found, NotFound)


def test_members_and_the_invited_leave_and_the_last_owner_only_as_the_last_member() -> None:
    assert outcome("mia", LeaveRoom(room=ROOM)) == Left(user="mia")
    assert outcome("ina", LeaveRoom(room=ROOM)) == Left(user="ina")
    assert outcome("olga", LeaveRoom(room=ROOM)) == Left(user="olga")
    alone, invited = Membership("owner", since=1), Membership("member", since=2, state="invited")
    assert kind_of(outcome("o", LeaveRoom(room=ROOM), room(o=alone, m=Membership("member", since=1)))) is Forbidden
    assert outcome("o", LeaveRoom(room=ROOM), room(o=alone, i=invited)) == Left(user="o")
    for outsider in ("eve", "ben"):
        assert kind_of(outcome(outsider, LeaveRoom(room=ROOM))) is NotFound


@pytest.mark.parametrize(
    ("user", "other", "role", "expected"),
    [
        ("olga", "mia", "admin", RoleChanged), ("olga", "mia", "owner", RoleChanged),
        ("olga", "otto", "member", RoleChanged),
        ("olga", "mia", "member", None), ("olga", "eve", "admin", NotFound), ("olga", "ina", "admin", NotFound),
        ("olga", "olga", "member", RoleChanged), ("olga", "olga", "owner", None),
        ("anna", "anna", "member", RoleChanged), ("anna", "anna", "owner", Invalid),
        ("anna", "mia", "admin", Forbidden),
        ("mia", "mia", "admin", Invalid), ("mia", "olga", "member", Forbidden), ("eve", "mia", "admin", NotFound),
    ],
)  # fmt: skip
def test_owners_give_roles_and_everybody_may_step_down(
    user: str, other: str, role: Role, expected: type | None
) -> None:
    assert kind_of(outcome(user, ChangeRole(room=ROOM, user=other, role=role))) is expected


def test_the_last_owner_may_not_step_down() -> None:
    state = room(o=Membership("owner", since=1), m=Membership("member", since=1))
    assert kind_of(outcome("o", ChangeRole(room=ROOM, user="o", role="member"), state)) is Forbidden


def test_leaders_give_a_room_its_title() -> None:
    assert kind_of(outcome("mia", UpdateRoom(room=ROOM, title="Cake"))) is Forbidden
    assert outcome("anna", UpdateRoom(room=ROOM, title="Tea")) is None
    found = decide(room(), Facts(), "anna", UpdateRoom(room=ROOM, title="Cake"), "k", NOW, Rules())
    assert isinstance(found, Entry)
    assert evolve(room(), found).title == "Cake"


def test_a_private_rooms_two_members_can_not_change_who_they_are() -> None:
    state = room("private", alice=Membership("member", since=1), bob=Membership("member", since=1))
    for command in (
        JoinRoom(room=ROOM), LeaveRoom(room=ROOM), InviteUser(room=ROOM, user="eve"), remove("bob"),
        BanUser(room=ROOM, user="bob"), UnbanUser(room=ROOM, user="eve"), UpdateRoom(room=ROOM, title="x"),
        ChangeRole(room=ROOM, user="alice", role="member"),
    ):  # fmt: skip
        assert kind_of(outcome("alice", command, state)) is Forbidden
        assert kind_of(outcome("eve", command, state)) is NotFound


def test_a_full_room_is_not_joined() -> None:
    rules = Rules(members_max=5)
    assert kind_of(outcome("ina", JoinRoom(room=ROOM), rules=rules)) is Conflict
    assert outcome("ina", JoinRoom(room=ROOM), rules=Rules(members_max=6)) == Joined(user="ina")


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        (["bob", "carol"], None),
        (["bob", "carol", "alice", "bob"], None),
        (["bob", "carol", "dave"], "members"),
    ],
    ids=["as many as fit", "the creator and a repeated name", "too many"],
)
def test_room_create_above_members_max_is_invalid(members: list[str], wrong: str | None) -> None:
    create = CreateRoom(kind="group", title="Tea", members=members, key="k")
    found = outcome("alice", create, RoomState(room=ROOM), Rules(members_max=3))
    assert (found.field if isinstance(found, Invalid) else None) == wrong
    assert isinstance(found, Opened) is (wrong is None)


def test_full_room_can_invite() -> None:
    assert isinstance(outcome("olga", InviteUser(room=ROOM, user="eve"), rules=Rules(members_max=5)), Invited)


def test_private_room_has_two_members_whatever_members_max_is() -> None:
    message = SendMessage(to="bob", body="hi", key="k")
    found = decide(RoomState(room=ROOM), Facts(), "alice", message, "k", NOW, Rules(members_max=1))
    assert isinstance(found, Entry)


def test_a_host_may_give_other_rights() -> None:
    plain: frozenset[Rank] = frozenset({"member"})
    rights: Rights = {**RIGHTS, "update": {**RIGHTS["update"], "group": plain}}
    assert kind_of(outcome("mia", UpdateRoom(room=ROOM, title="Cake"), rules=Rules(rights=rights))) is not Forbidden
    assert kind_of(outcome("olga", UpdateRoom(room=ROOM, title="Cake"), rules=Rules(rights=rights))) is Forbidden
