"""Bounds of the size of rooms on the wire."""

from collections.abc import Mapping

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from chatcore.commands.answer_sizes import room_size, room_size_at_most
from chatcore.domain.entries import Entry, Message
from chatcore.domain.state import Marker, Membership, RoomView
from chatcore.testing.builders import edited, message, opened, opens

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
USERS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128)
LAST = st.one_of(
    st.builds(lambda body, author, key: message("room", 2, author, body=body, key=key), TEXTS, USERS, USERS),
    st.builds(
        lambda body, data: evolve(message("room", 2), event=Message(body=body, data={"text": data})), TEXTS, TEXTS
    ),
    st.builds(lambda body: edited(2, body=body), TEXTS),
    st.builds(lambda title: opened(opens=opens("alice", "bob", title=title)), TEXTS),
)


def view(last: Entry, title: str | None, users: list[str] | None) -> RoomView:
    markers: Mapping[str, Marker] | None = None if users is None else dict.fromkeys(users, Marker(0, 0))
    return RoomView(
        room="room",
        kind="group",
        title=title,
        head=last.seq,
        members_count=2,
        last=last,
        member=Membership("member", since=1),
        marker=Marker(0, 0),
        unread=0,
        markers=markers,
    )


@given(st.builds(view, LAST, st.none() | TEXTS, st.none() | st.lists(USERS, max_size=20)))
def test_bound_of_a_room_without_encoding_is_not_below_its_size(room: RoomView) -> None:
    assert room_size_at_most(room) >= room_size(room)
