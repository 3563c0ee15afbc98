"""A fault of one caller, host or client does not affect others."""

import gc
import weakref
from collections.abc import Collection, Mapping

import anyio
import pytest

from chatcore import Chat, CreateRoom, Forbidden, History, Mark, SendMessage, Socket, Unavailable
from chatcore.domain.decider import Rules
from chatcore.domain.permissions import NO_RANK, RIGHTS, Rights
from chatcore.domain.state import Marker
from chatcore.ids import UserId
from chatcore.ports.user_directory import Profile
from chatcore.protocol import Object
from chatcore.testing import Recorder
from chatcore_http.codec import encode
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import EventRecorder, HeldStore

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


def message(body: str, **more: object) -> Object:
    return {"room": ROOM, "body": body, "key": body, **more}


async def test_callback_that_raises_fails_no_other_command(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Object) -> None:
        raise ZeroDivisionError

    async with Chat(MemoryStore()) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        async with chat.connect(Recorder(), user="alice") as alice, chat.connect(Recorder(), user="bob") as bob:
            answers: list[Object] = []
            await alice.receive("message.send", message("one"), fail)
            await bob.receive("message.send", message("two"), answers.append)
            await alice.receive("rooms", {}, fail)
            await alice.receive("history", {"room": 5}, fail)
            await bob.receive("rooms", {}, answers.append)
            assert [answer["ok"] for answer in answers] == [True, True]
            assert caplog.messages == ["answer callback failed"] * 3


async def test_refusal_keeps_its_place_for_any_spelling_of_the_peer() -> None:
    async with Chat(MemoryStore(), canonical=str.lower) as chat, chat.connect(Recorder(), user="alice") as alice:
        answers: list[bool] = []
        await alice.receive(
            "message.send", {"to": "Bob", "body": "1", "key": "1"}, lambda answer: answers.append(answer["ok"])
        )
        await alice.receive(
            "message.send", {"to": "Bob", "body": 2, "key": "2"}, lambda answer: answers.append(answer["ok"])
        )
        await alice.receive("rooms", {})
        assert answers == [True, False]


async def test_refused_read_waits_for_no_command_of_its_socket() -> None:
    store, alice = HeldStore(), EventRecorder()
    gate = store.hold("append", done=False)
    async with Chat(store) as chat, chat.connect(alice, user="alice") as socket:
        await socket.receive("message.send", {"to": "bob", "body": "1", "key": "1"}, alice.answer)
        await socket.receive("history", {"room": ROOM, "limit": 0}, alice.answer)
        assert alice.events == ["ready", "answer invalid"]
        gate.open()
        await alice.until(lambda _: "answer 1" in alice.events)


async def hanging(users: Collection[UserId]) -> Mapping[UserId, Profile]:
    await anyio.sleep_forever()
    raise AssertionError


async def broken(users: Collection[UserId]) -> Mapping[UserId, Profile]:
    raise OSError


@pytest.mark.parametrize("directory", [hanging, broken])
async def test_directory_that_hangs_or_fails_makes_a_command_unavailable_within_2_s(directory: object) -> None:
    async with Chat(MemoryStore(), directory=directory) as chat:  # type: ignore[arg-type]
        for command in (SendMessage(to="bob", body="hi", key="k"), History(peer="bob")):
            began = anyio.current_time()
            with pytest.raises(Unavailable):
                await chat.execute("alice", command)
            assert anyio.current_time() - began <= 2


async def test_mark_refused_by_the_rules_of_a_host_moves_no_marker() -> None:
    rights: Rights = {**RIGHTS, "mark": dict.fromkeys(RIGHTS["mark"], NO_RANK)}
    store = MemoryStore()
    async with Chat(store, rules=Rules(rights=rights)) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        with pytest.raises(Forbidden):
            await chat.execute("bob", Mark(room=ROOM, read=1))
        assert await store.markers(ROOM, ["bob"]) == {"bob": Marker(0, 0)}


async def test_answer_of_a_sync_leaves_out_markers_above_its_size_limit() -> None:
    async with Chat(MemoryStore()) as chat, chat.connect(Recorder(), user="alice") as alice:
        members = ["\N{CJK UNIFIED IDEOGRAPH-8A71}" * 32 + f"{number:03}" for number in range(19)]
        rooms = [
            (
                await chat.execute("alice", CreateRoom(kind="group", title="t", members=members, key=f"{number}"))
            ).view.room
            for number in range(500)
        ]
        answers: list[Object] = []
        cursors = {room: {"seq": 0} for room in rooms}
        await alice.receive("sync", {"cursors": cursors}, answers.append)
        assert len(encode(answers[0])) <= 512 * 1024
        results = [answers[0]["rooms"][room] for room in rooms]
        assert results[0]["markers"].keys() == {"alice", *members}
        assert "markers" not in results[-1]
        assert all(result["me"]["role"] == "owner" for result in results)


async def test_answer_of_a_sync_counts_rooms_that_are_gone_for_its_size() -> None:
    """The command names as many unknown rooms as it may hold, and a room with messages that fill an answer alone."""
    async with Chat(MemoryStore()) as chat, chat.connect(Recorder(), user="alice") as alice:
        await chat.execute("bob", SendMessage(to="alice", body="hi", key="few"))
        for number in range(30):
            await chat.execute("eve", SendMessage(to="alice", body="x" * 16_384, key=f"{number}"))
        unknown = [f"{number:03}{'x' * 147}" for number in range(390)]
        rooms = [ROOM, "pvt-alice-eve", *unknown]
        command = {"cursors": {room: {"seq": 0} for room in rooms}}
        assert len(encode(command)) <= 64 * 1024
        answers: list[Object] = []
        await alice.receive("sync", command, answers.append)
        assert len(encode(answers[0])) <= 512 * 1024
        results = answers[0]["rooms"]
        assert [results[room]["status"] for room in rooms] == ["events", "gap", *["gone"] * len(unknown)]


async def test_ended_socket_keeps_no_reference_to_its_transport() -> None:
    """A transport refers to the socket, and the socket to its `authenticate`. A cycle would keep both in memory."""

    class Transport:
        socket: Socket | None = None

        async def authenticate(self, _: str | None) -> None: ...

    async with Chat(MemoryStore()) as chat:
        gc.collect()
        gc.disable()
        try:
            transport = Transport()
            async with chat.connect(Recorder(), user="alice", authenticate=transport.authenticate) as socket:
                transport.socket = socket
            reference = weakref.ref(transport)
            del transport, socket
            assert reference() is None
        finally:
            gc.enable()


async def test_refused_read_leaves_no_reference_cycle() -> None:
    async with Chat(MemoryStore()) as chat, chat.connect(Recorder(), user="alice") as alice:
        gc.collect()
        gc.disable()
        try:
            await alice.receive("history", {"room": "pvt-bob-eve"})
            assert not any(issubclass(type(tracked), History) for tracked in gc.get_objects())
        finally:
            gc.enable()
