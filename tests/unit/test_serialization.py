"""Entries as stores keep them."""

from hypothesis import given
from hypothesis import strategies as st

from chatcore.domain.entries import Edited, Event, Message, Reaction
from chatcore.domain.serialization import compact_json, event_json, stored_event

users = st.text(max_size=5)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Message,
        body=st.text(max_size=20),
        data=st.none() | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
        reply_to=st.none() | st.integers(1, 2**53),
        mentions=st.lists(users, max_size=2),
        version=st.integers(1, 3),
        reactions=st.just({}) | st.just({"👍": Reaction(count=1, users=["bob"])}),
        deleted=st.booleans(),
    ),
    st.builds(Edited, target=st.integers(1, 9), version=st.integers(2, 9), body=st.none() | st.text(max_size=20)),
)


@given(event=events)
def test_json_of_event_is_that_of_its_stored_form(event: Event) -> None:
    assert event_json(event) == compact_json(stored_event(event))
