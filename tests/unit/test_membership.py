"""Commands about memberships: which users may give them, and what they change."""

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
MEMBERS = {
    "olga": Membership("owner", since=1),
    "otto": Membership("owner", since=1),
    "anna": Membership("admin", since=1),
    "adam": Membership("admin", since=1),
    "mia": Membership("member", since=1),
    "ina": Membership("member", since=2, state="invited"),
    "ben": Membership("member", since=3, state="banned"),
}


def room(kind: RoomKind = "group", **members: Membership) -> RoomState:
    return RoomState(room=ROOM, head=9, kind=kind, title="Tea", members=members or MEMBERS)


def outcome(
    user: str, command: RoomCommand[object], state: RoomState | None = None, rules: Rules | None = None
) -> Event | ChatError | None:
    result = decide(state or room(), Facts(), user, command, "k", NOW, rules or Rules())
    return result.event if isinstance(result, Entry) else result


def kind_of(result: object) -> type | None:
    return None if result is None else type(result)


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
def test_owners_remove_and_ban_any_user_and_admins_plain_users(
    user: str, other: str, refused: type[ChatError] | None
) -> None:
    assert kind_of(outcome(user, remove(other))) is (refused or Removed)
    assert kind_of(outcome(user, BanUser(room=ROOM, user=other))) is (refused or Banned)


def test_reason_can_have_several_lines() -> None:
    reason = "spam:\r\n\tagain\0"
    assert outcome("olga", BanUser(room=ROOM, user="mia", reason=reason)) == Banned(user="mia", reason=reason)


def test_removal_of_a_user_that_is_not_a_member_changes_nothing() -> None:
    assert outcome("olga", remove("eve")) is None
    assert outcome("olga", remove("ben")) is None


def test_banned_user_is_kept_out_until_unbanned() -> None:
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


def test_invited_user_joins_a_group_others_cannot() -> None:
    assert outcome("ina", JoinRoom(room=ROOM)) == Joined(user="ina")
    assert kind_of(outcome("eve", JoinRoom(room=ROOM))) is NotFound
    assert kind_of(outcome("ben", JoinRoom(room=ROOM))) is NotFound
    assert outcome("mia", JoinRoom(room=ROOM)) is None


def test_owners_and_admins_invite_a_user_once() -> None:
    assert outcome("anna", InviteUser(room=ROOM, user="eve")) == Invited(user="eve")
    assert outcome("anna", InviteUser(room=ROOM, user="ina")) is None
    assert outcome("anna", InviteUser(room=ROOM, user="mia")) is None
    assert kind_of(outcome("mia", InviteUser(room=ROOM, user="eve"))) is Forbidden


def test_invitation_of_an_unknown_user_is_not_found() -> None:
    command = InviteUser(room=ROOM, user="ghost")
    result = decide(room(), Facts(unknown_users=frozenset({"ghost"})), "olga", command, "k", NOW, Rules())
    assert isinstance(result, NotFound)


def test_members_and_invited_leave_the_last_owner_only_as_last_member() -> None:
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
def test_owners_change_roles_and_members_can_step_down(
    user: str, other: str, role: Role, expected: type | None
) -> None:
    assert kind_of(outcome(user, ChangeRole(room=ROOM, user=other, role=role))) is expected


def test_last_owner_cannot_step_down() -> None:
    state = room(o=Membership("owner", since=1), m=Membership("member", since=1))
    assert kind_of(outcome("o", ChangeRole(room=ROOM, user="o", role="member"), state)) is Forbidden


def test_owners_and_admins_change_the_title() -> None:
    assert kind_of(outcome("mia", UpdateRoom(room=ROOM, title="Cake"))) is Forbidden
    assert outcome("anna", UpdateRoom(room=ROOM, title="Tea")) is None
    entry = decide(room(), Facts(), "anna", UpdateRoom(room=ROOM, title="Cake"), "k", NOW, Rules())
    assert isinstance(entry, Entry)
    assert evolve(room(), entry).title == "Cake"


def test_members_of_a_private_room_are_fixed() -> None:
    state = room("private", alice=Membership("member", since=1), bob=Membership("member", since=1))
    for command in (
        JoinRoom(room=ROOM), LeaveRoom(room=ROOM), InviteUser(room=ROOM, user="eve"), remove("bob"),
        BanUser(room=ROOM, user="bob"), UnbanUser(room=ROOM, user="eve"), UpdateRoom(room=ROOM, title="x"),
        ChangeRole(room=ROOM, user="alice", role="member"),
    ):  # fmt: skip
        assert kind_of(outcome("alice", command, state)) is Forbidden
        assert kind_of(outcome("eve", command, state)) is NotFound


def test_full_room_cannot_be_joined() -> None:
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
    result = outcome("alice", create, RoomState(room=ROOM), Rules(members_max=3))
    assert (result.field if isinstance(result, Invalid) else None) == wrong
    assert isinstance(result, Opened) is (wrong is None)


def test_full_room_can_invite() -> None:
    assert isinstance(outcome("olga", InviteUser(room=ROOM, user="eve"), rules=Rules(members_max=5)), Invited)


def test_private_room_has_two_members_for_any_members_max() -> None:
    message = SendMessage(to="bob", body="hi", key="k")
    result = decide(RoomState(room=ROOM), Facts(), "alice", message, "k", NOW, Rules(members_max=1))
    assert isinstance(result, Entry)


def test_host_can_change_the_rights() -> None:
    plain: frozenset[Rank] = frozenset({"member"})
    rights: Rights = {**RIGHTS, "update": {**RIGHTS["update"], "group": plain}}
    assert kind_of(outcome("mia", UpdateRoom(room=ROOM, title="Cake"), rules=Rules(rights=rights))) is not Forbidden
    assert kind_of(outcome("olga", UpdateRoom(room=ROOM, title="Cake"), rules=Rules(rights=rights))) is Forbidden
