"""What people do in the private room of alice and bob: strategies for the laws of a client."""

from typing import Any

from hypothesis import strategies as st

from chatcore import DeleteMessage, EditMessage, React, SendMessage
from chatcore.commands.command import RoomCommand
from chatcore.ids import UserId
from tests.unit.replica_server import Server

ROOM = "pvt-alice-bob"

seqs = st.integers(1, 12)
commands: st.SearchStrategy[RoomCommand[Any]] = st.one_of(
    st.builds(SendMessage, room=st.just(ROOM), body=st.sampled_from(["hi", "ho"]), key=st.uuids().map(str)),
    st.builds(EditMessage, room=st.just(ROOM), seq=seqs, version=st.integers(1, 3), body=st.sampled_from("ab")),
    st.builds(DeleteMessage, room=st.just(ROOM), seq=seqs),
    st.builds(React, room=st.just(ROOM), seq=seqs, emoji=st.sampled_from("xy"), on=st.booleans()),
)
acts: st.SearchStrategy[tuple[UserId, RoomCommand[Any]]] = st.tuples(st.sampled_from(["alice", "bob"]), commands)


def begun(gap_above: int = 200) -> Server:
    """A server with one message in the room."""
    server = Server(gap_above)
    server.say("alice", "bob", "first")
    return server
