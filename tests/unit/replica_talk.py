"""Strategies of hypothesis for commands in the private room of alice and bob."""

from typing import Any

from hypothesis import strategies as st

from chatcore import DeleteMessage, EditMessage, React, SendMessage
from chatcore.commands.command import RoomCommand
from chatcore.ids import UserId
from tests.unit.replica_server import Server

ROOM = "pvt-alice-bob"

seqs = st.integers(1, 4)
sends = st.builds(SendMessage, room=st.just(ROOM), body=st.sampled_from(["hi", "ho"]), key=st.uuids().map(str))
edits = st.builds(EditMessage, room=st.just(ROOM), seq=seqs, version=st.integers(1, 3), body=st.sampled_from("ab"))
deletions = st.builds(DeleteMessage, room=st.just(ROOM), seq=seqs)
reactions = st.builds(React, room=st.just(ROOM), seq=seqs, emoji=st.sampled_from("xy"), on=st.booleans())


def weighted(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw from one of the strategies. A strategy that is named more often is drawn more often."""
    return st.integers(0, len(strategies) - 1).flatmap(lambda number: strategies[number])


commands = weighted(sends, sends, sends, edits, edits, edits, reactions, reactions, reactions, deletions)
actions: st.SearchStrategy[tuple[UserId, RoomCommand[Any]]] = st.tuples(st.sampled_from(["alice", "bob"]), commands)


def many(*steps: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of few or of many steps, because hypothesis prefers short lists. Each kind of step is equally frequent."""
    step = weighted(*steps)
    return st.lists(step, max_size=10) | st.lists(step, min_size=25, max_size=60)


def started_server(gap_above: int = 200) -> Server:
    """Return a server with one message in the room."""
    server = Server(gap_above)
    server.say("alice", "bob", "first")
    return server
