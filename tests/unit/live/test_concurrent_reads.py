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
from tests.unit.live.nodes import HeldBus, HeldStore, live_objects, seqs

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


async def test_entry_hinted_between_read_of_head_and_subscription_is_delivered() -> None:
    """Bob's node reads head 1. Entry 2 is hinted while the node has no live room. Then the socket subscribes from 1."""
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await there.execute("alice", SendMessage(to="bob", body="one", key="one"))
        await bus.published(1)
        bus.lose()
        read, reached, opened = store.page, anyio.Event(), anyio.Event()

        async def held(user: str, after: str | None, limit: int) -> Any:
            page = await read(user, after, limit)
            reached.set()
            await opened.wait()
            return page

        store.page = held  # type: ignore[method-assign]

        async def connect() -> None:
            async with here.connect(bob, user="bob"):
                await bob.until(lambda _: seqs(bob, ROOM) == [2], within=1)  # before the next poll

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connect)
            await reached.wait()
            await there.execute("alice", SendMessage(to="bob", body="two", key="two"))
            await bus.published(1)
            bus.deliver()
            opened.set()
        assert [room.view.head for room in bob.ready.rooms] == [1]


async def test_entry_of_a_room_dropped_during_a_connect_reaches_the_socket() -> None:
    """Bob's node reads head 1. Entry 2 is written, the change poller passes it, and the last subscription ends."""
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
            await anyio.sleep(POLL_S + 0.1)  # no later poll reports the entry
        assert not chat._hub._rooms
        gate.open()
        await bob.until(lambda _: seqs(bob, ROOM) == [2])
        connected.set()
    assert [room.view.head for room in bob.ready.rooms] == [1]


async def test_sync_answered_after_the_end_of_its_socket_leaves_no_live_room() -> None:
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
        assert live_objects(chat) == []


async def test_join_deferred_during_a_sync_subscribes_once() -> None:
    """Bob joins during a sync and leaves before the next sync. The room is gone, and Bob's socket stays open."""
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


async def test_late_hint_of_an_earlier_join_does_not_replace_a_deferred_join() -> None:
    bob = LiveSocket(Recorder(), "bob", InFlight())
    for seq in (4, 2):
        assert bob.defer_join(ROOM, seq)
    assert bob.deferred_joins == {ROOM: 4}


async def test_subscription_above_the_live_room_makes_the_room_catch_up() -> None:
    """The live room is at 1 and its hint of 2 is lost. The `ready` of the laptop shows head 2."""
    store, bus, phone = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await there.execute("alice", SendMessage(to="bob", body="one", key="one"))
        async with here.connect(phone, user="bob"):
            await there.execute("alice", SendMessage(to="bob", body="two", key="two"))
            await bus.published(2)
            bus.lose()
            async with here.connect(Recorder(), user="bob"):
                await phone.until(lambda _: seqs(phone, ROOM) == [2], within=1)  # before the next poll


async def test_subscription_below_the_live_room_gets_every_entry() -> None:
    """Bob's node reads head 5. The room is live from 8 on when he subscribes."""
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


async def test_hint_with_the_next_entry_causes_no_read() -> None:
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


async def test_hint_above_the_head_of_the_store_causes_one_read() -> None:
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


async def test_first_poll_begins_at_the_newest_change_at_chat_entry() -> None:
    store = HeldStore()
    async with Chat(store) as earlier:
        await earlier.execute("alice", SendMessage(to="bob", body="one", key="one"))
    async with Chat(store) as chat, chat.connect(Recorder(), user="bob"), chat.connect(Recorder(), user="alice"):
        store.calls.clear()
        await anyio.sleep(2 * POLL_S)
        assert store.calls == []


async def test_unknown_mention_is_not_found_after_a_failed_read_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read of the target message fails. The unknown mention is not found nevertheless."""

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
