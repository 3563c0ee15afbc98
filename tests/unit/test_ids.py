"""Private room ids: total, symmetric, injective and invertible over all of Unicode."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.ids import created_room_id, is_room_id, is_user_id, private_room_id, private_room_users

users = st.text(min_size=1, max_size=128).filter(is_user_id)
tricky = st.text(alphabet="-~%._/ab{}A2D0\U0001f600é", min_size=1, max_size=6).filter(is_user_id)
any_users = users | tricky


@given(any_users, any_users)
def test_private_room_id_does_not_depend_on_the_order_of_its_users(one: str, other: str) -> None:
    assert private_room_id(one, other) == private_room_id(other, one)


@given(any_users, any_users)
def test_private_room_id_decodes_to_its_users(one: str, other: str) -> None:
    assert private_room_users(private_room_id(one, other)) == tuple(sorted((one, other)))


@given(any_users, any_users)
def test_private_room_id_needs_no_encoding_in_a_path(one: str, other: str) -> None:
    room = private_room_id(one, other)
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", room)
    assert is_room_id(room)


def test_hyphen_in_a_user_id_does_not_change_the_pair() -> None:
    assert private_room_id("a-b", "c") == "pvt-a~2Db-c"
    assert private_room_id("a", "b-c") == "pvt-a-b~2Dc"


def test_private_room_of_a_user_with_itself_has_an_id() -> None:
    assert private_room_id("a", "a") == "pvt-a-a"
    assert private_room_users("pvt-a-a") == ("a", "a")


def test_users_in_a_private_room_id_are_in_code_point_order() -> None:
    assert private_room_id("b", "B") == "pvt-B-b"
    assert private_room_id("é", "z") == "pvt-z-~C3~A9"


@pytest.mark.parametrize(
    "room",
    ["pvt-b-a", "pvt-a~2d-b", "pvt-~41-b", "pvt-~FF-b", "pvt-a", "pvt-a-b-c", "pvt--b", "room-x", "", "pvt-~2E-a"],
)
def test_room_id_of_no_pair_has_no_users(room: str) -> None:
    assert private_room_users(room) is None


@pytest.mark.parametrize("user", ["", ".", "..", "a\n", "\x00", "\x7f", "\ud800", "x" * 129])
def test_invalid_user_id_is_recognized(user: str) -> None:
    assert not is_user_id(user)


@pytest.mark.parametrize("user", ["a", "...", "x" * 128, "\U0001f600" * 128, "a b", "{}", "a/b", "%2F", "\u200b"])
def test_valid_user_id_is_recognized(user: str) -> None:
    assert is_user_id(user)


@given(any_users, st.text(min_size=1, max_size=64, alphabet=st.characters(exclude_categories=["Cs"])))
def test_created_room_id_depends_on_author_and_key(author: str, key: str) -> None:
    room = created_room_id(author, key)
    assert re.fullmatch(r"room-[a-z2-7]{26}", room)
    assert room == created_room_id(author, key)


def test_created_room_id_separates_author_and_key() -> None:
    assert created_room_id("ab", "c") != created_room_id("a", "bc")
