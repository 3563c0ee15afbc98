"""Invitations during a `sync` or a connect. The simulation found these cases."""

from typing import Any

import anyio
import pytest

from chatcore import Chat, CreateRoom, InviteUser, JoinRoom, LeaveRoom, Mark, RemoveUser, SendMessage
from chatcore.live.change_poller import POLL_S
from chatcore.live.recent_heads import REMEMBERED_S
from chatcore.ports.pushes import Room
from tests.unit.live.nodes import EventRecorder, Gate, HeldBus, HeldStore, live_objects

pytestmark = pytest.mark.anyio


def hold(store: HeldStore, operation: str, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Delay the next call of ``operation`` after it has taken effect."""
    call, gate = getattr(store, operation), Gate(done=True, fails=False)

    async def held(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(store, operation, call)
        result = await call(*arguments, **more)
        await gate.wait()
        return result

    monkeypatch.setattr(store, operation, held)
    return gate


async def create(chat: Chat, *members: str, kind: str = "group") -> str:
    command = CreateRoom(kind=kind, title="Tea", members=members, key="k")  # type: ignore[arg-type]
    return (await chat.execute("olga", command)).view.room


def states(recorder: EventRecorder, room: str) -> list[str | None]:
    return [body.state for push in recorder.pushes if isinstance(body := push.body, Room) and body.view.room == room]


async def test_invitation_is_pushed_again_after_a_sync_reports_its_room_gone() -> None:
    """The client drops pushes before the answer of a `sync`. The answer, "or what follows it, brings them again"."""
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), EventRecorder()
        async with chat.connect(ina, user="ina") as socket:
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            await ina.until(lambda _: len(states(ina, room)) == 2, within=1)  # before the next poll
        assert ina.events == ["ready", "room", "answer None", "room"]
        assert states(ina, room) == ["invited", "invited"]
        assert live_objects(chat) == []


async def test_end_of_an_invitation_is_pushed_after_a_sync_reported_its_room_gone() -> None:
    """After that answer the client may have asked for the room and have got the invitation."""
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as chat, Chat(store) as elsewhere:
        room = await create(chat)
        async with chat.connect(ina, user="ina") as socket:
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            gate = store.hold("memberships", done=False)
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            await gate.reached.wait()
            await socket.receive("room.get", {"room": room}, ina.answer)
            await elsewhere.execute("olga", RemoveUser(room=room, user="ina"))
            gate.open()
            await ina.until(lambda _: ina.events[-1] == "room.gone", within=1)  # before the next poll


async def test_invitation_is_pushed_to_a_socket_whose_sync_began_as_a_member() -> None:
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as chat, Chat(store) as elsewhere:
        room = await create(chat, "ina")
        async with chat.connect(ina, user="ina") as socket:
            await elsewhere.execute("ina", LeaveRoom(room=room))
            await elsewhere.execute("olga", InviteUser(room=room, user="ina"))
            await socket.receive("sync", {"cursors": {room: {"seq": 1, "epoch": store.epoch}}}, ina.answer)
            await ina.until(lambda _: states(ina, room) == ["invited"], within=1)  # before the next poll
        assert ina.events == ["ready", "answer None", "room"]


async def test_invitation_is_pushed_after_a_sync_that_began_during_its_push(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        room = await create(chat)
        async with chat.connect(ina, user="ina") as socket, anyio.create_task_group() as tasks:
            gate = hold(store, "views", monkeypatch)
            tasks.start_soon(chat.execute, "olga", InviteUser(room=room, user="ina"))
            await gate.reached.wait()
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            gate.open()
            await ina.until(lambda _: states(ina, room) == ["invited"], within=1)  # before the next poll
        assert ina.events == ["ready", "answer None", "room"]


async def test_invitation_whose_push_a_failing_sync_interrupts_is_pushed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Meanwhile the change poller passes the invitation, the room is dropped, and its recent head is forgotten."""
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        room = await create(chat)
        async with chat.connect(ina, user="ina") as socket, anyio.create_task_group() as tasks:
            view_read, catch_up = hold(store, "views", monkeypatch), store.hold("catch_up", done=False)
            tasks.start_soon(chat.execute, "olga", InviteUser(room=room, user="ina"))
            await view_read.reached.wait()
            tasks.start_soon(socket.receive, "sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            await catch_up.reached.wait()
            await anyio.sleep(POLL_S + 0.1)
            view_read.open()
            await anyio.sleep(REMEMBERED_S + 0.1)
            await chat.execute("olga", SendMessage(to="bob", body="hello", key="h"))
            catch_up.fails = True
            catch_up.open()
            await ina.until(lambda _: states(ina, room) == ["invited"], within=1)
        assert ina.events == ["ready", "answer unavailable", "room"]


async def test_invitation_is_pushed_again_to_a_socket_subscribed_above_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The room has a pending command after the push of the invitation, so the socket is still subscribed."""
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        room = await create(chat)
        async with chat.connect(ina, user="ina") as socket, anyio.create_task_group() as tasks:
            view_read = hold(store, "views", monkeypatch)
            tasks.start_soon(chat.execute, "olga", InviteUser(room=room, user="ina"))
            await view_read.reached.wait()
            more = store.hold("append", done=False)
            tasks.start_soon(chat.execute, "olga", SendMessage(room=room, body="is she coming?", key="m"))
            view_read.open()
            await more.reached.wait()
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            await anyio.wait_all_tasks_blocked()
            more.open()
            await ina.until(lambda _: len(states(ina, room)) == 2, within=1)
        assert ina.events == ["ready", "room", "answer None", "room"]


async def test_invitation_shown_only_by_ready_ends_with_room_gone() -> None:
    """The invitation is written between the two reads of a connect, and its hint is lost."""
    store, bus, ina = HeldStore(), HeldBus(), EventRecorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        room = await create(there)
        async with anyio.create_task_group() as tasks:
            gate, stay = store.hold("memberships", done=True), anyio.Event()

            async def connect() -> None:
                async with here.connect(ina, user="ina"):
                    await stay.wait()

            tasks.start_soon(connect)
            await gate.reached.wait()
            await there.execute("olga", InviteUser(room=room, user="ina"))
            gate.open()
            await ina.until(lambda _: bool(ina.pushes))
            assert [shown.state for shown in ina.ready.rooms] == ["invited"]
            await there.execute("olga", RemoveUser(room=room, user="ina"))
            await bus.published(3)
            bus.lose()
            await ina.until(lambda _: "room.gone" in ina.events, within=5)
            stay.set()
        assert ina.events[-1] == "room.gone"


async def test_connect_of_an_invited_user_reads_memberships_once() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        room = await create(chat)
        await chat.execute("olga", InviteUser(room=room, user="ina"))
        store.calls.clear()
        async with chat.connect(EventRecorder(), user="ina"):
            await anyio.wait_all_tasks_blocked()
            assert store.calls.count("memberships") == 1


async def test_membership_that_ended_between_the_reads_of_a_connect_is_not_subscribed() -> None:
    store, mia = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        room = await create(chat, "mia")
        async with anyio.create_task_group() as tasks:
            gate, stay = store.hold("memberships", done=True), anyio.Event()

            async def connect() -> None:
                async with chat.connect(mia, user="mia"):
                    await stay.wait()

            tasks.start_soon(connect)
            await gate.reached.wait()
            await chat.execute("olga", RemoveUser(room=room, user="mia"))
            gate.open()
            await mia.until(lambda _: bool(mia.pushes))
            await chat.execute("olga", SendMessage(room=room, body="among us", key="m"))
            await anyio.wait_all_tasks_blocked()
            stay.set()
        assert mia.ready.rooms == []
        assert mia.events == ["ready"]


async def test_marker_of_a_room_is_not_pushed_before_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    store, bob, olga = HeldStore(), EventRecorder(), EventRecorder()
    async with Chat(store) as chat:
        room = await create(chat, kind="public")
        async with chat.connect(bob, user="bob"), anyio.create_task_group() as tasks:
            gate = hold(store, "views", monkeypatch)
            tasks.start_soon(chat.execute, "bob", JoinRoom(room=room))
            await gate.reached.wait()
            async with chat.connect(olga, user="olga"):
                await chat.execute("bob", Mark(room=room, read=2))
                await chat.execute("olga", Mark(room=room, muted=True))
                assert (bob.events, olga.events) == (["ready"], ["ready", "marker"])
            gate.open()
        assert bob.events == ["ready", "room", "entry 2"]


async def test_mark_carried_out_during_chat_exit_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark failed as `internal`, because no task was left that pushes it."""
    store = HeldStore()
    marks: list[int] = []

    async def mark() -> None:
        marks.append((await chat.execute("olga", Mark(room=room, read=1))).read)

    chat = Chat(store)
    async with anyio.create_task_group() as tasks:
        async with chat:
            room = await create(chat)
            gate = hold(store, "mark", monkeypatch)
            tasks.start_soon(mark)
            await gate.reached.wait()
        gate.open()
    assert marks == [1]


@pytest.mark.parametrize(("back", "pushed"), [(InviteUser, ["room"]), (JoinRoom, ["room", "entry 3"])])
async def test_socket_gets_leaving_and_return_of_its_user_during_a_failed_sync(back: type, pushed: list[str]) -> None:
    """The socket is behind both entries and passes them in one step. Another socket keeps the room live."""
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as chat, chat.connect(EventRecorder(), user="olga"):
        room = await create(chat, "ina", kind="public")
        async with chat.connect(ina, user="ina") as socket, anyio.create_task_group() as tasks:
            gate = store.hold("catch_up", done=False)
            cursors = {"cursors": {room: {"seq": 1, "epoch": store.epoch}}}
            tasks.start_soon(socket.receive, "sync", cursors, ina.answer)
            await gate.reached.wait()
            await chat.execute("ina", LeaveRoom(room=room))
            if back is InviteUser:
                await chat.execute("olga", InviteUser(room=room, user="ina"))
            else:
                await chat.execute("ina", JoinRoom(room=room))
            gate.fails = True
            gate.open()
            expected = ["ready", "answer unavailable", "entry 2", "room.gone", *pushed]
            await ina.until(lambda _: ina.events == expected, within=1)  # before the next poll


async def test_membership_read_before_an_invitation_does_not_end_it() -> None:
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as chat, Chat(store) as elsewhere:
        room = await create(chat)
        async with chat.connect(ina, user="ina"):
            await elsewhere.execute("olga", InviteUser(room=room, user="ina"))
            await ina.until(lambda _: states(ina, room) == ["invited"])
            gate = store.hold("memberships", done=True)
            await elsewhere.execute("olga", RemoveUser(room=room, user="ina"))
            await gate.reached.wait()
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            await ina.until(lambda _: states(ina, room) == ["invited", "invited"])
            gate.open()
            await anyio.sleep(5)
        assert ina.events == ["ready", "room", "room"]


async def test_end_of_an_invitation_pushed_during_a_read_is_pushed_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A repeated hint of the invitation causes a read of the store. The invitation ends during the read."""
    store, bus, ina = HeldStore(), HeldBus(), EventRecorder()
    async with Chat(store, bus=bus) as chat:
        room = await create(chat)
        await bus.published(1)
        bus.lose()
        await chat.execute("olga", InviteUser(room=room, user="ina"))
        await bus.published(1)
        async with chat.connect(ina, user="ina"), chat.connect(EventRecorder(), user="olga"):
            gate = store.hold("memberships", done=False)
            bus.deliver()
            await gate.reached.wait()
            await chat.execute("olga", RemoveUser(room=room, user="ina"))
            assert ina.events == ["ready", "room.gone"]
            gate.open()
            await anyio.wait_all_tasks_blocked()
        assert ina.events == ["ready", "room.gone"]
    assert caplog.messages == []
