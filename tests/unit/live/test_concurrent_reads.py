"""Changes during a read, or between a read and the use of its result. The simulation found these cases."""

from collections.abc import Collection, Mapping
from typing import Any

import anyio
import pytest

from chatcore import Chat, CreateRoom, JoinRoom, LeaveRoom, NotFound, Profile, SendMessage, Unavailable
from chatcore.live.change_poller import POLL_S
from chatcore.live.in_flight import InFlight
from chatcore.live.live_sockets import LiveSocket
from chatcore.live.room import MISSING_MAX
from chatcore.ports.bus import RoomHint
from chatcore.protocol import Object
from chatcore.testing import Recorder
from tests.unit.live.nodes import HeldBus, HeldStore, ghosts, seqs

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


async def test_what_was_told_between_the_reading_of_a_head_and_the_follow_is_not_forgotten() -> None:
    """Bob's head is read as 1; 2 is written and told while the room is alive nowhere here; then he follows from 1."""
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await there.execute("alice", SendMessage(to="bob", body="one", key="one"))
        await bus.published(1)
        bus.lose()
        read, reached, opened = store.page, anyio.Event(), anyio.Event()

        async def held(user: str, after: str | None, limit: int) -> Any:
            found = await read(user, after, limit)
            reached.set()
            await opened.wait()
            return found

        store.page = held  # type: ignore[method-assign]

        async def connect() -> None:
            async with here.connect(bob, user="bob"):
                await bob.until(lambda _: seqs(bob, ROOM) == [2], within=1)  # the poller might find it later

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connect)
            await reached.wait()
            await there.execute("alice", SendMessage(to="bob", body="two", key="two"))
            await bus.published(1)
            bus.deliver()
            opened.set()
        assert [room.view.head for room in bob.ready.rooms] == [1]


async def test_entry_of_a_room_dropped_while_a_socket_connects_reaches_that_socket() -> None:
    """Bob's head is read as 1; here 2 is written, the change poller passes it, and the room's last follower leaves."""
    store, bob, connected = HeldStore(), Recorder(), anyio.Event()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        await chat.execute("alice", SendMessage(to="bob", body="one", key="one"))
        async with chat.connect(Recorder(), user="alice"):
            gate = store.hold("page", done=True)

            async def connect() -> None:
                async with chat.connect(bob, user="bob"):
                    await connected.wait()

            tasks.start_soon(connect)
            await gate.reached.wait()
            await chat.execute("alice", SendMessage(to="bob", body="two", key="two"))
            await anyio.sleep(POLL_S + 0.1)  # from here on no poll finds it
        assert not chat._hub._rooms
        gate.open()
        await bob.until(lambda _: seqs(bob, ROOM) == [2])
        connected.set()
    assert [room.view.head for room in bob.ready.rooms] == [1]


async def test_sync_answered_after_its_socket_has_ended_leaves_no_room() -> None:
    store, answers = HeldStore(), list[Object]()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        await chat.execute("alice", SendMessage(to="bob", body="one", key="one"))
        gate = store.hold("catch_up", done=True)
        async with chat.connect(Recorder(), user="bob") as socket:
            tasks.start_soon(socket.receive, "sync", {"cursors": {ROOM: {"seq": 0}}}, answers.append)
            await gate.reached.wait()
        gate.open()
        await anyio.wait_all_tasks_blocked()
        assert [answer["ok"] for answer in answers] == [True]
        assert ghosts(chat) == []


async def test_join_noted_during_a_sync_is_followed_once() -> None:
    """Bob joins during a sync, and has left when the next one names the room: it is gone, and his socket goes on."""
    store, bob = HeldStore(), Recorder()
    async with Chat(store) as chat, chat.connect(Recorder(), user="alice"):
        room = (await chat.execute("alice", CreateRoom(kind="public", title="Tea", key="k"))).view.room
        sync, answers = {"cursors": {room: {"seq": 0}}}, list[Object]()
        async with chat.connect(bob, user="bob") as socket, anyio.create_task_group() as tasks:
            gate = store.hold("catch_up", done=True)
            tasks.start_soon(socket.receive, "sync", sync, answers.append)
            await gate.reached.wait()
            await chat.execute("bob", JoinRoom(room=room))
            gate.open()
            await bob.until(lambda _: seqs(bob, room) == [2])
            for number in range(MISSING_MAX):
                await chat.execute("alice", SendMessage(room=room, body="hi", key=str(number)))
            await chat.execute("bob", LeaveRoom(room=room))
            await socket.receive("sync", sync, answers.append)
            await anyio.wait_all_tasks_blocked()
            assert [answer["rooms"][room] for answer in answers] == [{"status": "gone"}] * 2
            assert bob.bye is None


async def test_join_told_late_does_not_take_a_noted_join_back() -> None:
    bob = LiveSocket(Recorder(), "bob", InFlight())
    for seq in (4, 2):
        assert bob.defer_join(ROOM, seq)
    assert bob.deferred_joins == {ROOM: 4}


async def test_follow_from_above_the_live_room_makes_it_catch_up() -> None:
    """The phone's room stands at 1 and has lost the hint of 2, which the laptop's `ready` shows."""
    store, bus, phone = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await there.execute("alice", SendMessage(to="bob", body="one", key="one"))
        async with here.connect(phone, user="bob"):
            await there.execute("alice", SendMessage(to="bob", body="two", key="two"))
            await bus.published(2)
            bus.lose()
            async with here.connect(Recorder(), user="bob"):
                await phone.until(lambda _: seqs(phone, ROOM) == [2], within=1)  # the poller would find it later


async def test_socket_that_follows_from_below_the_live_room_gets_every_entry() -> None:
    """Bob's head is read as 5; the room is alive here from 8 on when he follows."""
    store, bob, connected = HeldStore(), Recorder(), anyio.Event()
    async with Chat(store) as here, Chat(store) as there, anyio.create_task_group() as tasks:

        async def connect() -> None:
            async with here.connect(bob, user="bob"):
                await connected.wait()

        for number in range(5):
            await there.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))
        gate = store.hold("page", done=True)
        tasks.start_soon(connect)
        await gate.reached.wait()
        for number in range(5, 8):
            await there.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))
        async with here.connect(Recorder(), user="alice"):
            gate.open()
            await bob.until(lambda _: seqs(bob, ROOM) == [6, 7, 8], within=1)
            connected.set()


async def test_hint_of_the_next_entry_that_brings_it_asks_for_no_read() -> None:
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await there.execute("alice", SendMessage(to="bob", body="hi", key="0"))
        async with here.connect(bob, user="bob"):
            for number in range(1, 4):
                await there.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))
            await bus.published(4)
            _, *hints = bus.hints
            store.calls.clear()
            for hint in hints:
                bus.hints = [hint]
                bus.deliver()
                await anyio.wait_all_tasks_blocked()
            assert seqs(bob, ROOM) == [2, 3, 4]
            assert store.calls == []


async def test_hint_above_what_the_store_has_is_looked_up_once() -> None:
    store, bus = HeldStore(), HeldBus()
    async with Chat(store, bus=bus) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="one", key="one"))
        async with chat.connect(Recorder(), user="bob"):
            store.calls.clear()
            bus.hints = [RoomHint(room=ROOM, seq=99)]
            bus.deliver()
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
            assert store.calls == ["read_on"]


async def test_first_poll_begins_behind_what_was_there_when_the_chat_was_entered() -> None:
    store = HeldStore()
    async with Chat(store) as earlier:
        await earlier.execute("alice", SendMessage(to="bob", body="one", key="one"))
    async with Chat(store) as chat, chat.connect(Recorder(), user="bob"), chat.connect(Recorder(), user="alice"):
        store.calls.clear()
        await anyio.sleep(2 * POLL_S)
        assert store.calls == []


async def test_who_exists_is_asked_though_the_store_fails_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look at the message replied to fails: the mention of nobody is found out all the same."""

    async def directory(users: Collection[str]) -> Mapping[str, Profile]:
        return {user: Profile() for user in users if user != "ghost"}

    store = HeldStore()
    async with Chat(store, directory=directory) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="one", key="one"))
        read, failures = store.window, [Unavailable()]

        async def failing(*arguments: Any, **more: Any) -> Any:
            if failures:
                raise failures.pop()
            return await read(*arguments, **more)

        monkeypatch.setattr(store, "window", failing)
        with pytest.raises(NotFound):
            await chat.execute("bob", SendMessage(to="alice", body="two", key="two", reply_to=1, mentions=["ghost"]))
