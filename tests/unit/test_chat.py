"""Commands by `Chat.execute` and by sockets, in memory."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import anyio
import pytest

from chatcore import (
    Bye,
    Chat,
    CommandLimits,
    CreateRoom,
    Entry,
    GetRoom,
    History,
    Internal,
    Invalid,
    InviteUser,
    JoinRoom,
    KeyReused,
    ListRooms,
    NotFound,
    Profile,
    SendMessage,
    SendRates,
    Unavailable,
)
from chatcore.chat import utc_now
from chatcore.commands.dispatcher import CommandDispatcher
from chatcore.domain.entries import Event, Message, Role, RoomOpening
from chatcore.ports.rate_limiter import Rate, Unlimited
from chatcore.ports.registry import SocketInfo
from chatcore.testing import Recorder, virtual_time
from chatcore.testing.tasks import at_once
from chatcore_memory import MemoryBus, MemoryRegistry, MemoryStore
from tests.unit.live.nodes import EventRecorder, HeldStore, live_objects, seqs

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


async def test_message_reaches_two_devices_and_a_retry_gets_the_first_answer() -> None:
    """The first example of the README."""
    async with Chat(MemoryStore()) as chat:
        phone, laptop = Recorder(), Recorder()
        async with chat.connect(phone, user="bob", device="phone"), chat.connect(laptop, user="bob", device="laptop"):
            sent = await chat.execute("alice", SendMessage(to="bob", body="hi", key="k1"))
            again = await chat.execute("alice", SendMessage(to="bob", body="hi", key="k1"))
            assert (again.seq, again.duplicate) == (sent.seq, True) == (1, True)
            assert phone.bodies(sent.room) == laptop.bodies(sent.room) == ["hi"]
        assert live_objects(chat) == []


async def test_key_with_another_content_is_key_reused_and_writes_nothing() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        for number in range(8):  # digests below and above that of the first content
            with pytest.raises(KeyReused):
                await chat.execute("alice", SendMessage(to="bob", body=f"ho {number}", key="k"))
        await chat.execute("bob", SendMessage(to="alice", body="ho", key="k"))
        page = await chat.execute("bob", History(peer="alice"))
        assert [(entry.seq, entry.author) for entry in page.entries] == [(1, "alice"), (2, "bob")]


async def test_retry_is_answered_after_the_peer_has_left_the_directory() -> None:
    """The sender could not write a new message to the unknown peer."""
    gone: set[str] = set()

    async def directory(users: Collection[str]) -> Mapping[str, Profile]:
        return {user: Profile() for user in users if user not in gone}

    async with Chat(MemoryStore(), directory=directory) as chat:
        first = await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        gone.add("bob")
        again = await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        assert (again.seq, again.duplicate) == (first.seq, True)


async def test_command_that_names_an_unknown_user_is_not_found() -> None:
    async def directory(users: Collection[str]) -> Mapping[str, Profile]:
        return {user: Profile() for user in users if user != "ghost"}

    async with Chat(MemoryStore(), directory=directory) as chat:
        for command in (
            SendMessage(to="ghost", body="hi", key="k"),
            SendMessage(to="bob", body="hi", key="k", mentions=["ghost"]),
            CreateRoom(kind="group", title="t", members=["ghost"], key="k"),
            History(peer="ghost"),
        ):
            with pytest.raises(NotFound):
                await chat.execute("alice", command)
        assert (await chat.execute("alice", ListRooms())).rooms == []


async def test_failing_directory_makes_only_commands_that_name_users_unavailable(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def directory(users: Collection[str]) -> Mapping[str, Profile]:
        raise OSError("the host's database is away")

    async with Chat(MemoryStore(), directory=directory) as chat:
        with pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        created = await chat.execute("alice", CreateRoom(kind="group", title="t", key="k"))
        assert created.view.head == 1
    assert "user directory failed" in caplog.text


async def test_directory_is_not_asked_about_a_command_without_users() -> None:
    asked: list[Collection[str]] = []

    async def directory(users: Collection[str]) -> Mapping[str, Profile]:
        asked.append(users)
        return {user: Profile() for user in users}

    async with Chat(MemoryStore(), directory=directory) as chat:
        room = (await chat.execute("alice", SendMessage(to="bob", body="one", key="1"))).room
        asked.clear()
        await chat.execute("alice", SendMessage(room=room, body="two", key="2"))
    assert asked == []


async def test_concurrent_commands_that_name_different_users_are_carried_out() -> None:
    async def directory(users: Collection[str]) -> Mapping[str, Profile]:
        return {user: Profile() for user in users}

    async with Chat(MemoryStore(), directory=directory) as chat:
        room = (await chat.execute("alice", CreateRoom(kind="group", title="Tea", key="k"))).view.room
        invitations = [partial(chat.execute, "alice", InviteUser(room=room, user=user)) for user in ("bob", "carol")]
        assert sorted(answer.seq or 0 for answer in await at_once(invitations)) == [2, 3]


async def test_names_of_users_are_canonicalized() -> None:
    def canonical(name: str) -> str | None:
        return name.lower() if name.isalpha() else None

    async with Chat(MemoryStore(), canonical=canonical) as chat:
        sent = await chat.execute("alice", SendMessage(to="BOB", body="hi", key="k", mentions=["BoB"]))
        assert sent.room == ROOM
        with pytest.raises(NotFound):
            await chat.execute("alice", SendMessage(to="b0b", body="hi", key="k2"))


async def test_user_named_twice_in_any_spelling_counts_once() -> None:
    def create(*members: str) -> CreateRoom:
        return CreateRoom(kind="group", title="Tea", members=members, key="k")

    def mention(*users: str) -> SendMessage:
        return SendMessage(to="bob", body="hi", key="k", mentions=users)

    async with Chat(MemoryStore(), canonical=str.lower) as chat:
        made = await chat.execute("alice", create("carol", "bob", "Alice", "BOB", "bob"))
        members: Mapping[str, Role] = {"carol": "member", "bob": "member", "alice": "owner"}
        assert made.view.last.opens == RoomOpening(kind="group", title="Tea", members=members)
        assert (await chat.execute("alice", create("carol", "bob", "alice"))).duplicate
        first = await chat.execute("alice", mention("carol", "bob", "BOB"))
        assert (await chat.execute("alice", mention("carol", "bob"))).duplicate
        page = await chat.execute("alice", History(room=first.room))
        assert page.entries[0].event == Message(body="hi", mentions=("carol", "bob"))


async def test_room_is_created_once_per_key_and_shown_as_of_its_first_entry() -> None:
    async with Chat(MemoryStore()) as chat:
        create = CreateRoom(kind="group", title="Tea", members=["bob"], key="k")
        first = await chat.execute("alice", create)
        await chat.execute("bob", SendMessage(room=first.view.room, body="hello", key="h"))
        again = await chat.execute("alice", create)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert again.view == first.view
        assert (again.view.head, again.view.members_count) == (1, 2)
        with pytest.raises(KeyReused):
            await chat.execute("alice", CreateRoom(kind="group", title="Coffee", members=["bob"], key="k"))


async def test_room_joined_outside_a_socket_is_pushed_to_the_open_socket() -> None:
    async with Chat(MemoryStore()) as chat:
        room = (await chat.execute("olga", CreateRoom(kind="public", title="Tea", key="k"))).view.room
        await chat.execute("olga", SendMessage(room=room, body="before", key="b"))
        bob = Recorder()
        async with chat.connect(bob, user="bob"):
            joined = await chat.execute("bob", JoinRoom(room=room))
            again = await chat.execute("bob", JoinRoom(room=room))
            await chat.execute("olga", SendMessage(room=room, body="after", key="a"))
            assert (joined.seq, again.seq) == (3, None)
            assert seqs(bob, room) == [3, 4]
            (announced,) = bob.rooms(room)
            assert announced.announced_at == 2


async def test_public_room_is_shown_to_others_group_and_private_room_are_not() -> None:
    async with Chat(MemoryStore()) as chat:
        public = (await chat.execute("olga", CreateRoom(kind="public", title="Tea", key="k"))).view.room
        group = (await chat.execute("olga", CreateRoom(kind="group", title="Tea", key="g"))).view.room
        await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        seen = await chat.execute("eve", GetRoom(room=public))
        assert (seen.view.title, seen.view.member) == ("Tea", None)
        for room in (group, ROOM, "pvt-x-y", "nonsense"):
            for command in (GetRoom(room=room), History(room=room), SendMessage(room=room, body="x", key="x")):
                with pytest.raises(NotFound):
                    await chat.execute("eve", command)
        with pytest.raises(NotFound):
            await chat.execute("eve", History(room=public))


async def test_history_with_a_peer_without_messages_writes_nothing() -> None:
    async with Chat(MemoryStore()) as chat:
        page = await chat.execute("alice", History(peer="bob"))
        assert (page.room, page.head, page.entries) == (ROOM, 0, [])
        assert (page.has_before, page.has_after) == (False, False)
        assert (await chat.execute("alice", ListRooms())).rooms == []


async def test_anchor_above_head_is_the_newest_position() -> None:
    async with Chat(MemoryStore()) as chat:
        for number in range(60):
            await chat.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))
        newest = await chat.execute("bob", History(room=ROOM))
        assert len(newest.entries) == 50
        assert await chat.execute("bob", History(room=ROOM, anchor=61)) == newest
        assert await chat.execute("bob", History(room=ROOM, anchor=10**9)) == newest
        few = await chat.execute("bob", History(room=ROOM, anchor=61, before=3))
        assert [entry.seq for entry in few.entries] == [58, 59, 60]


async def test_reply_needs_an_existing_message() -> None:
    async with Chat(MemoryStore()) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        await chat.execute("bob", SendMessage(to="alice", body="re", key="k", reply_to=1))
        with pytest.raises(Invalid) as refused:
            await chat.execute("bob", SendMessage(to="alice", body="re", key="k2", reply_to=3))
        assert refused.value.field == "reply_to"
        async with anyio.create_task_group() as tasks:
            # The second message replies to the first, which is not durable when both are decided.
            tasks.start_soon(chat.execute, "bob", SendMessage(to="alice", body="three", key="k3"))
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(chat.execute, "bob", SendMessage(to="alice", body="re", key="k4", reply_to=3))
        assert (await chat.execute("bob", History(room=ROOM))).head == 4


async def test_commands_of_one_socket_keep_their_order_in_a_room() -> None:
    async with Chat(MemoryStore()) as chat:
        bob = EventRecorder()
        async with chat.connect(bob, user="bob") as socket:
            for number in range(300):
                message = {"to": "alice", "body": str(number), "key": f"k{number}"}
                await socket.receive("message.send", message, bob.answer)
            await bob.until(lambda _: len(bob.entries(ROOM)) == 300)
        assert bob.bodies(ROOM) == [str(number) for number in range(300)]
        answers = [event for event in bob.events if event.startswith("answer")]
        assert answers == [f"answer {seq}" for seq in range(1, 301)]


async def test_answer_precedes_its_push_and_a_refusal_keeps_its_place() -> None:
    async with Chat(MemoryStore()) as chat:
        bob = EventRecorder()
        async with chat.connect(bob, user="bob") as socket:
            await socket.receive("message.send", {"to": "alice", "body": "1", "key": "1"}, bob.answer)
            await socket.receive("message.send", {"to": "alice", "body": 5, "key": "2"}, bob.answer)
            await socket.receive("message.send", {"to": "alice", "body": "3", "key": "3"}, bob.answer)
            await bob.until(lambda _: len(bob.entries(ROOM)) == 2)
        assert bob.events == ["ready", "answer 1", "room", "entry 1", "answer invalid", "answer 2", "entry 2"]


async def test_command_sees_earlier_commands_of_its_socket() -> None:
    async with Chat(MemoryStore()) as chat:
        bob = EventRecorder()
        async with chat.connect(bob, user="bob") as socket:
            answers: list[dict[str, Any]] = []
            await socket.receive("message.send", {"to": "alice", "body": "1", "key": "1"}, bob.answer)
            await socket.receive("history", {"with": "alice"}, answers.append)
        assert [entry["seq"] for entry in answers[0]["entries"]] == [1]


async def test_temporary_failure_fails_later_commands_of_its_socket_to_that_room() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        for _ in range(100):
            store.fail("append", done=False)
        bob, carol = EventRecorder(), EventRecorder()
        async with chat.connect(bob, user="bob") as socket, chat.connect(carol, user="carol") as other:
            await socket.receive("message.send", {"to": "alice", "body": "1", "key": "1"}, bob.answer)
            await anyio.sleep(3)
            await socket.receive("message.send", {"to": "alice", "body": "2", "key": "2"}, bob.answer)
            await anyio.sleep(1)
            await other.receive("message.send", {"to": "bob", "body": "3", "key": "3"}, carol.answer)
            await anyio.sleep(1.1)
            assert bob.events == ["ready", "answer unavailable", "answer unavailable"]
            assert carol.events == ["ready"]


async def test_exception_in_a_decision_is_internal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def planted(*_: object) -> Event:
        raise RuntimeError("planted")

    async with Chat(MemoryStore()) as chat:
        bob = EventRecorder()
        with monkeypatch.context() as patch:
            patch.setattr(SendMessage, "event", planted)
            with pytest.raises(Internal):
                await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
            async with chat.connect(bob, user="bob") as socket:
                await socket.receive("message.send", {"to": "alice", "body": "1", "key": "1"}, bob.answer)
                await bob.until(lambda _: (len(bob.pushes) == 1 and "answer internal" in bob.events) or False)
        assert (await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))).seq == 1
    assert "planted" in caplog.text


async def test_internal_failure_fails_later_commands_of_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    event = SendMessage.event

    def planted(command: SendMessage, *arguments: Any) -> Any:
        if command.body == "2":
            raise RuntimeError("planted")
        return event(command, *arguments)

    monkeypatch.setattr(SendMessage, "event", planted)
    store, bob, carol = HeldStore(), EventRecorder(), EventRecorder()
    async with Chat(store) as chat:
        room = (await chat.execute("bob", CreateRoom(kind="group", title="t", members=["carol"], key="k"))).view.room
        async with chat.connect(bob, user="bob") as socket, chat.connect(carol, user="carol") as other:
            gate = store.hold("state", done=False)
            for body in ("1", "2", "3"):
                await socket.receive("message.send", {"room": room, "body": body, "key": body}, bob.answer)
            await other.receive("message.send", {"room": room, "body": "4", "key": "4"}, carol.answer)
            gate.open()
            await carol.until(lambda _: carol.bodies(room) == ["1", "4"])
        assert bob.events == ["ready", "answer 2", "entry 2", "answer internal", "answer internal", "entry 3"]
        assert carol.events == ["ready", "entry 2", "answer 3", "entry 3"]


async def test_internal_failure_of_one_caller_fails_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    event = SendMessage.event

    def planted(command: SendMessage, *arguments: Any) -> Any:
        if command.body == "1":
            raise RuntimeError("planted")
        return event(command, *arguments)

    monkeypatch.setattr(SendMessage, "event", planted)
    store, outcomes = HeldStore(), dict[str, str | int]()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        gate = store.hold("state", done=False)

        async def send(body: str) -> None:
            try:
                outcomes[body] = (await chat.execute("alice", SendMessage(to="bob", body=body, key=body))).seq
            except Internal as error:
                outcomes[body] = error.code

        for body in ("1", "2"):
            tasks.start_soon(send, body)
            await anyio.wait_all_tasks_blocked()
        gate.open()
    assert outcomes == {"1": "internal", "2": 1}


async def test_unexpected_fault_of_a_store_is_internal_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Chat(MemoryStore()) as chat:
        with monkeypatch.context() as patch:

            async def broken(_: object) -> None:
                raise OSError("planted")

            patch.setattr(chat.store, "state", broken)
            began = anyio.current_time()
            with pytest.raises(Internal):
                await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
            assert anyio.current_time() - began < 1
        assert (await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))).seq == 1


@pytest.mark.parametrize(("owner", "method"), [(CommandDispatcher, "addressed"), (History, "handle")])
async def test_exception_before_or_in_a_handler_is_internal(
    owner: type, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def planted(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(owner, method, planted)
    async with Chat(MemoryStore()) as chat:
        bob = EventRecorder()
        async with chat.connect(bob, user="bob") as socket:
            await socket.receive("history", {"with": "alice"}, bob.answer)
        assert bob.events == ["ready", "answer internal"]
    assert "planted" in caplog.text


async def test_answer_that_cannot_be_encoded_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def planted(*_: object) -> object:
        return object()

    monkeypatch.setattr(History, "handle", planted)
    async with Chat(MemoryStore()) as chat:
        bob = EventRecorder()
        async with chat.connect(bob, user="bob") as socket:
            await socket.receive("history", {"with": "alice"}, bob.answer)
        assert bob.events == ["ready", "answer internal"]


@pytest.mark.parametrize("event", ["nonsense", "connect", "message.edit", ""])
async def test_unknown_command_is_invalid(event: str) -> None:
    async with Chat(MemoryStore()) as chat:
        bob = EventRecorder()
        async with chat.connect(bob, user="bob") as socket:
            await socket.receive(event, {}, bob.answer)
            await socket.receive(event, {})
        assert bob.events == ["ready", "answer invalid"]


async def test_at_most_64_commands_of_a_socket_are_in_flight() -> None:
    store = HeldStore()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        gate = store.hold("append", done=False)
        bob = EventRecorder()
        received: list[int] = []

        async def flood() -> None:
            async with chat.connect(bob, user="bob") as socket:
                for number in range(100):
                    message = {"to": "alice", "body": str(number), "key": str(number)}
                    await socket.receive("message.send", message, bob.answer)
                    received.append(number)
                await bob.until(lambda _: len(bob.entries(ROOM)) == 100)

        tasks.start_soon(flood)
        await gate.reached.wait()
        with anyio.move_on_after(1):
            await anyio.sleep_forever()
        assert len(received) == 64
        gate.open()


@pytest.mark.parametrize("body", [5, "above the limit"])
async def test_refused_commands_are_in_flight_until_they_are_answered(body: object) -> None:
    """A refusal for an invalid field or a reached limit waits for the earlier commands of the socket."""
    store, limits = HeldStore(), CommandLimits(SendRates(user=Rate(1, 3600)), Unlimited())
    gate, bob, received = store.hold("append", done=False), EventRecorder(), list[int]()
    async with Chat(store, limits=limits) as chat, anyio.create_task_group() as tasks:

        async def flood() -> None:
            async with chat.connect(bob, user="bob") as socket:
                await socket.receive("message.send", {"to": "alice", "body": "1", "key": "1"}, bob.answer)
                for number in range(2, 101):
                    await socket.receive("message.send", {"to": "alice", "body": body, "key": str(number)}, bob.answer)
                    received.append(number)

        tasks.start_soon(flood)
        await gate.reached.wait()
        await anyio.sleep(1)
        assert len(received) == 63
        assert bob.events == ["ready"]
        gate.open()
    code = "invalid" if body == 5 else "rate_limited"
    assert [event for event in bob.events if event.startswith("answer")] == ["answer 1", *[f"answer {code}"] * 99]


async def test_command_that_waits_for_its_turn_continues_when_its_socket_ends() -> None:
    store = HeldStore()
    store.hold("append", done=False)
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        received: list[int] = []
        async with chat.connect(Recorder(), user="bob") as socket:

            async def flood() -> None:
                for number in range(65):
                    await socket.receive("message.send", {"to": "alice", "body": "hi", "key": str(number)})
                    received.append(number)

            tasks.start_soon(flood)
            await anyio.wait_all_tasks_blocked()
            assert len(received) == 64
        await anyio.wait_all_tasks_blocked()
        assert len(received) == 65


async def test_reading_command_waits_until_its_connection_has_drained() -> None:
    class Slow(EventRecorder):
        def __init__(self) -> None:
            super().__init__()
            self.taken = anyio.Event()

        async def drained(self) -> None:
            await self.taken.wait()

    store, bob = HeldStore(), Slow()
    async with Chat(store) as chat, chat.connect(bob, user="bob") as socket, anyio.create_task_group() as tasks:
        store.calls.clear()
        tasks.start_soon(socket.receive, "rooms", {}, bob.answer)
        await anyio.wait_all_tasks_blocked()
        assert (store.calls, bob.events) == ([], ["ready"])
        bob.taken.set()
        await anyio.wait_all_tasks_blocked()
        assert (store.calls, bob.events) == (["page"], ["ready", "answer None"])


@pytest.mark.parametrize("call", ["state", "append"])
async def test_command_of_a_caller_cancelled_after_queueing_is_written(call: str) -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        gate = store.hold(call, done=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat.execute, "alice", SendMessage(to="bob", body="hi", key="k"))
            await gate.reached.wait()
            tasks.cancel_scope.cancel()
        gate.open()
        again = await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        assert (again.seq, again.duplicate) == (1, True)


async def test_push_is_shared_by_all_connections() -> None:
    async with Chat(MemoryStore()) as chat:
        phone, laptop = Recorder(), Recorder()
        async with chat.connect(phone, user="bob"), chat.connect(laptop, user="bob"):
            await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        assert phone.pushes[-1] is laptop.pushes[-1]
        assert isinstance(phone.pushes[-1].body, Entry)


@pytest.mark.parametrize("missing", [200, 201])
async def test_subscription_behind_by_more_than_200_entries_is_cut_as_slow(missing: int) -> None:
    """The entries are written between the read of bob's rooms and his subscription."""
    store, bob = HeldStore(), Recorder()
    async with Chat(store) as chat, chat.connect(Recorder(), user="alice"), anyio.create_task_group() as tasks:
        await chat.execute("alice", SendMessage(to="bob", body="hi", key="first"))
        gate = store.hold("page", done=True)

        async def connect() -> None:
            async with chat.connect(bob, user="bob"):
                await bob.until(lambda _: bob.bye is not None or len(seqs(bob, ROOM)) == missing)

        tasks.start_soon(connect)
        await gate.reached.wait()
        for number in range(missing):
            await chat.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))
        gate.open()
    if missing == 200:
        assert (bob.bye, seqs(bob, ROOM)) == (None, list(range(2, 202)))
    else:
        assert (bob.bye, seqs(bob, ROOM)) == (Bye(code="slow"), [])


async def test_room_that_catches_up_in_steps_cuts_no_subscription() -> None:
    store = MemoryStore()
    async with Chat(store) as here, Chat(store) as there:
        await there.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        bob = Recorder()
        async with here.connect(bob, user="bob") as socket:
            sync = {"cursors": {ROOM: {"seq": 1, "epoch": store.epoch}}}
            for number in range(202):
                await there.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))
            await here.execute("alice", SendMessage(to="bob", body="last", key="last"))
            assert bob.bye is None
            assert seqs(bob, ROOM) == list(range(2, 205))
            await socket.receive("sync", sync, lambda _: None)
        assert live_objects(here, there) == []


async def test_expired_access_ends_the_socket() -> None:
    began = datetime(2026, 11, 25, tzinfo=UTC)
    start = anyio.current_time()

    def clock() -> datetime:
        return began + timedelta(seconds=anyio.current_time() - start)

    async with Chat(MemoryStore(), clock=clock) as chat:
        bob, carol = Recorder(), Recorder()
        expires_at = began + timedelta(seconds=900)
        async with chat.connect(bob, user="bob", expires_at=expires_at), chat.connect(carol, user="carol"):
            assert (bob.ready.expires_in, carol.ready.expires_in) == (900, None)
            await anyio.sleep(899)
            assert bob.bye is None
            await bob.until(lambda _: bob.bye is not None, within=3)
            assert bob.bye == Bye(code="expired")
            assert carol.bye is None


async def test_ended_session_closes_its_sockets_on_every_node() -> None:
    bus, registry, store = MemoryBus(), MemoryRegistry(), MemoryStore()
    phone, laptop, earlier, later = (Recorder() for _ in range(4))
    async with (
        Chat(store, bus=bus, registry=registry) as here,
        Chat(store, bus=bus, registry=registry) as there,
        here.connect(phone, user="bob", session="s2"),
        there.connect(laptop, user="bob", session="s2"),
        there.connect(earlier, user="bob", session="s1"),
        there.connect(later, user="bob", session="s3"),
    ):
        await here.close_session("bob", b"s2".decode())  # equal to the id of the session, but another object
        assert phone.bye == Bye(code="signed_out")
        await laptop.until(lambda _: laptop.bye is not None, within=2)
        assert (laptop.bye, earlier.bye, later.bye) == (Bye(code="signed_out"), None, None)


async def test_equal_session_id_of_another_user_is_not_closed() -> None:
    alice, bob = Recorder(), Recorder()
    async with (
        Chat(MemoryStore(), registry=MemoryRegistry(anyio.current_time)) as chat,
        chat.connect(alice, user="alice", session="s"),
        chat.connect(bob, user="bob", session="s"),
    ):
        await chat.close_session("bob", "s")
        assert (alice.bye, bob.bye) == (None, Bye(code="signed_out"))


async def test_ended_session_is_closed_on_this_node_though_the_registry_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_: str) -> Sequence[SocketInfo]:
        raise Unavailable

    registry, sessions = MemoryRegistry(anyio.current_time), product(("alice", "bob", "carol"), ("s1", "s2", "s3"))
    recorders = {session: Recorder() for session in sessions}
    async with Chat(MemoryStore(), registry=registry) as chat, AsyncExitStack() as sockets:
        for (user, session), recorder in recorders.items():
            await sockets.enter_async_context(chat.connect(recorder, user=user, session=session))
        monkeypatch.setattr(registry, "of_user", fail)
        with pytest.raises(Unavailable):
            await chat.close_session("bob", "s2")
        assert {session: recorder.bye for session, recorder in recorders.items() if recorder.bye} == {
            ("bob", "s2"): Bye(code="signed_out")
        }


async def test_chat_exit_sends_bye_and_carries_out_queued_commands() -> None:
    store, bob = HeldStore(), EventRecorder()
    async with anyio.create_task_group() as tasks, Chat(store) as chat:
        gate = store.hold("append", done=False)

        async def talk() -> None:
            async with chat.connect(bob, user="bob") as socket:
                await socket.receive("message.send", {"to": "alice", "body": "1", "key": "1"}, bob.answer)
                await bob.until(lambda _: bob.bye is not None)
                gate.open()

        tasks.start_soon(talk)
        await gate.reached.wait()
    assert bob.bye == Bye(code="shutdown")
    assert bob.events == ["ready", "answer 1"]


async def test_two_chats_in_one_process_are_independent() -> None:
    async with Chat(MemoryStore()) as first, Chat(MemoryStore()) as second:
        await first.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        assert (await second.execute("bob", ListRooms())).rooms == []


async def test_invalid_user_id_is_refused() -> None:
    async with Chat(MemoryStore()) as chat:
        with pytest.raises(Invalid):
            await chat.execute("a\n", ListRooms())


async def test_room_id_with_a_lone_surrogate_is_refused() -> None:
    async with Chat(MemoryStore()) as chat:
        with pytest.raises(Invalid):
            await chat.execute("alice", SendMessage(room="pvt-\ud800", body="hi", key="k"))


@pytest.mark.parametrize(
    ("user", "device", "field"),
    [
        ("", None, "user"),
        ("a\nb", "phone", "user"),
        ("bob", "", "device"),
        ("bob", "d" * 65, "device"),
        ("bob", "a\nb", "device"),
    ],
)
async def test_socket_with_an_invalid_user_or_device_is_refused(user: str, device: str | None, field: str) -> None:
    bob = Recorder()
    async with Chat(MemoryStore()) as chat:
        with pytest.raises(Invalid) as refused:
            async with chat.connect(bob, user=user, device=device):
                pass
        assert (refused.value.field, bob.pushes, live_objects(chat)) == (field, [], [])
        async with chat.connect(bob, user="bob", device="d" * 64):
            assert bob.ready.device == "d" * 64


async def test_chat_that_was_not_entered_raises_runtime_error() -> None:
    """The commands work once the Chat is entered."""
    chat = Chat(MemoryStore())
    for command in (SendMessage(to="bob", body="hi", key="k"), ListRooms()):
        with pytest.raises(RuntimeError, match="enter the Chat first"):
            await chat.execute("alice", command)
    with pytest.raises(RuntimeError, match="enter the Chat first"):
        async with chat.connect(Recorder(), user="bob"):
            pass
    async with chat:
        with anyio.fail_after(1):
            assert (await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))).seq == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_chat_on_asyncio_can_be_left_by_another_task(anyio_backend: str) -> None:
    chat = Chat(MemoryStore())
    await asyncio.create_task(chat.__aenter__())
    assert (await chat.execute("alice", SendMessage(to="bob", body="hi", key="k"))).seq == 1
    await asyncio.create_task(chat.__aexit__(None, None, None))


def test_utc_now_is_truncated_to_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatcore.chat.time_ns", lambda: 1_767_323_045_678_901_234)
    assert utc_now() == datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
