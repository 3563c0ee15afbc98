"""An exception of a host's ``canonical`` fails only the command that names the user."""

from typing import Any

import pytest

from chatcore import Chat, Internal, SendMessage
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import EventRecorder

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


def canonical(user: str) -> str:
    if user == "x":
        raise LookupError("the host's table of names is closed")
    return user


@pytest.mark.parametrize(
    "message",
    [
        {"to": "x", "body": "hi", "key": "k"},
        {"to": "x", "body": 5, "key": "k"},
        {"room": ROOM, "body": "hi", "key": "k", "mentions": ["x"]},
    ],
    ids=["valid", "invalid", "mention"],
)
async def test_canonical_that_raises_is_answered_internal_and_the_socket_continues(
    message: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with Chat(MemoryStore(), canonical=canonical) as chat:
        alice = EventRecorder()
        async with chat.connect(alice, user="alice") as socket:
            await socket.receive("message.send", message, alice.answer)
            await alice.until(lambda _: len(alice.events) == 2)
            await socket.receive("message.send", {"to": "bob", "body": "hi", "key": "2"}, alice.answer)
            await alice.until(lambda _: "entry 1" in alice.events)
    assert alice.events == ["ready", "answer internal", "answer 1", "room", "entry 1"]
    assert "LookupError" in caplog.text


async def test_execute_raises_internal_where_canonical_raises() -> None:
    async with Chat(MemoryStore(), canonical=canonical) as chat:
        with pytest.raises(Internal):
            await chat.execute("alice", SendMessage(to="x", body="hi", key="k"))
        assert (await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))).seq == 1


async def test_internal_of_canonical_follows_earlier_commands_to_the_room() -> None:
    async with Chat(MemoryStore(), canonical=canonical) as chat:
        alice = EventRecorder()
        async with chat.connect(alice, user="alice") as socket:
            await socket.receive("message.send", {"to": "bob", "body": "1", "key": "1"}, alice.answer)
            mention = {"room": ROOM, "body": "2", "key": "2", "mentions": ["x"]}
            await socket.receive("message.send", mention, alice.answer)
            await alice.until(lambda _: "answer internal" in alice.events)
    assert [event for event in alice.events if event.startswith("answer")] == ["answer 1", "answer internal"]
