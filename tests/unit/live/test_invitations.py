"""Invitations beside a `sync` or a connect, neither of which is told all about them. Found by the simulation."""

from typing import Any

import anyio
import pytest

from chatcore import Chat, CreateRoom, InviteUser, JoinRoom, LeaveRoom, Mark, RemoveUser, SendMessage
from chatcore.live.change_poller import POLL_S
from chatcore.live.recent_heads import REMEMBERED_S
from chatcore.ports.pushes import Room
from tests.unit.live.nodes import Gate, HeldBus, HeldStore, Teller, ghosts

pytestmark = pytest.mark.anyio


def hold(store: HeldStore, operation: str, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Hold up the next call of ``operation`` when it has been carried out."""
    call, gate = getattr(store, operation), Gate(done=True, fails=False)

    async def held(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(store, operation, call)
        found = await call(*arguments, **more)
        await gate.stand()
        return found

    monkeypatch.setattr(store, operation, held)
    return gate


async def create(chat: Chat, *members: str, kind: str = "group") -> str:
    command = CreateRoom(kind=kind, title="Tea", members=members, key="k")  # type: ignore[arg-type]
    return (await chat.execute("olga", command)).view.room


def states(heard: Teller, room: str) -> list[str | None]:
    return [body.state for push in heard.pushes if isinstance(body := push.body, Room) and body.view.room == room]


async def test_an_invitation_is_told_again_after_a_sync_that_calls_its_room_gone() -> None:
    """A client drops what comes before the answer of a `sync`: the answer, "or what follows it, brings them again"."""
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), Teller()
        async with chat.connect(ina, user="ina") as socket:
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            await ina.until(lambda _: len(states(ina, room)) == 2, within=1)  # before anything else tells of it
        assert ina.story == ["ready", "room", "answer None", "room"]
        assert states(ina, room) == ["invited", "invited"]
        assert ghosts(chat) == []


async def test_the_end_of_an_invitation_is_told_though_a_sync_called_its_room_gone_before() -> None:
    """After that answer the client may have asked for the room, and have been shown the invitation."""
    store, ina = HeldStore(), Teller()
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
            await ina.until(lambda _: ina.story[-1] == "room.gone", within=1)  # the poller might find it later


async def test_invitation_is_pushed_to_socket_whose_sync_began_as_a_member_before_it() -> None:
    store, ina = HeldStore(), Teller()
    async with Chat(store) as chat, Chat(store) as elsewhere:
        room = await create(chat, "ina")
        async with chat.connect(ina, user="ina") as socket:
            await elsewhere.execute("ina", LeaveRoom(room=room))
            await elsewhere.execute("olga", InviteUser(room=room, user="ina"))
            await socket.receive("sync", {"cursors": {room: {"seq": 1, "epoch": store.epoch}}}, ina.answer)
            await ina.until(lambda _: states(ina, room) == ["invited"], within=1)  # the poller might find it later
        assert ina.story == ["ready", "answer None", "room"]


async def test_an_invitation_is_told_after_a_sync_that_began_while_it_was_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, ina = HeldStore(), Teller()
    async with Chat(store) as chat:
        room = await create(chat)
        async with chat.connect(ina, user="ina") as socket, anyio.create_task_group() as tasks:
            gate = hold(store, "views", monkeypatch)
            tasks.start_soon(chat.execute, "olga", InviteUser(room=room, user="ina"))
            await gate.reached.wait()
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            gate.open()
            await ina.until(lambda _: states(ina, room) == ["invited"], within=1)  # the poller might find it later
        assert ina.story == ["ready", "answer None", "room"]


async def test_invitation_being_pushed_when_a_sync_begins_is_pushed_though_the_sync_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Meanwhile the change poller has passed it, its room was dropped, and the room's head is not remembered."""
    store, ina = HeldStore(), Teller()
    async with Chat(store) as chat:
        room = await create(chat)
        async with chat.connect(ina, user="ina") as socket, anyio.create_task_group() as tasks:
            told, read = hold(store, "views", monkeypatch), store.hold("catch_up", done=False)
            tasks.start_soon(chat.execute, "olga", InviteUser(room=room, user="ina"))
            await told.reached.wait()
            tasks.start_soon(socket.receive, "sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            await read.reached.wait()
            await anyio.sleep(POLL_S + 0.1)
            told.open()
            await anyio.sleep(REMEMBERED_S + 0.1)
            await chat.execute("olga", SendMessage(to="bob", body="hello", key="h"))
            read.fails = True
            read.open()
            await ina.until(lambda _: states(ina, room) == ["invited"], within=1)
        assert ina.story == ["ready", "answer unavailable", "room"]


async def test_invitation_is_pushed_again_though_its_socket_is_subscribed_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The room has more to do when it has told the invitation, so whoever is no member has not been dropped yet."""
    store, ina = HeldStore(), Teller()
    async with Chat(store) as chat:
        room = await create(chat)
        async with chat.connect(ina, user="ina") as socket, anyio.create_task_group() as tasks:
            told = hold(store, "views", monkeypatch)
            tasks.start_soon(chat.execute, "olga", InviteUser(room=room, user="ina"))
            await told.reached.wait()
            more = store.hold("append", done=False)
            tasks.start_soon(chat.execute, "olga", SendMessage(room=room, body="is she coming?", key="m"))
            told.open()
            await more.reached.wait()
            await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, ina.answer)
            await anyio.wait_all_tasks_blocked()
            more.open()
            await ina.until(lambda _: len(states(ina, room)) == 2, within=1)
        assert ina.story == ["ready", "room", "answer None", "room"]


async def test_an_invitation_that_only_ready_has_told_ends_with_room_gone() -> None:
    """It came between the two reads of a connect, and no hint told of it."""
    store, bus, ina = HeldStore(), HeldBus(), Teller()
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
            await ina.until(lambda _: "room.gone" in ina.story, within=5)
            stay.set()
        assert ina.story[-1] == "room.gone"


async def test_connect_of_an_invited_user_reads_their_memberships_once() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        room = await create(chat)
        await chat.execute("olga", InviteUser(room=room, user="ina"))
        store.calls.clear()
        async with chat.connect(Teller(), user="ina"):
            await anyio.wait_all_tasks_blocked()
            assert store.calls.count("memberships") == 1


async def test_what_ended_between_the_two_reads_of_a_connect_is_not_followed() -> None:
    store, mia = HeldStore(), Teller()
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
        assert mia.story == ["ready"]


async def test_a_marker_of_a_room_is_not_pushed_before_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    store, bob, olga = HeldStore(), Teller(), Teller()
    async with Chat(store) as chat:
        room = await create(chat, kind="public")
        async with chat.connect(bob, user="bob"), anyio.create_task_group() as tasks:
            gate = hold(store, "views", monkeypatch)
            tasks.start_soon(chat.execute, "bob", JoinRoom(room=room))
            await gate.reached.wait()
            async with chat.connect(olga, user="olga"):
                await chat.execute("bob", Mark(room=room, read=2))
                await chat.execute("olga", Mark(room=room, muted=True))
                assert (bob.story, olga.story) == (["ready"], ["ready", "marker"])
            gate.open()
        assert bob.story == ["ready", "room", "entry 2"]


async def test_a_mark_that_is_carried_out_while_the_chat_is_left_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It failed as `internal`: nothing runs any more that would push it."""
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


@pytest.mark.parametrize(("back", "heard"), [(InviteUser, ["room"]), (JoinRoom, ["room", "entry 3"])])
async def test_who_left_and_came_back_while_a_sync_failed_hears_of_both(back: type, heard: list[str]) -> None:
    """The socket is a member where it stands, and is taken over both entries at once; another one keeps the room."""
    store, ina = HeldStore(), Teller()
    async with Chat(store) as chat, chat.connect(Teller(), user="olga"):
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
            expected = ["ready", "answer unavailable", "entry 2", "room.gone", *heard]
            await ina.until(lambda _: ina.story == expected, within=1)  # the poller might find it later


async def test_a_look_that_is_older_than_an_invitation_does_not_end_it() -> None:
    store, ina = HeldStore(), Teller()
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
        assert ina.story == ["ready", "room", "room"]


async def test_end_of_an_invitation_pushed_while_the_store_is_asked_is_pushed_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A hint of the invitation comes again, and the store is asked; meanwhile it ends."""
    store, bus, ina = HeldStore(), HeldBus(), Teller()
    async with Chat(store, bus=bus) as chat:
        room = await create(chat)
        await bus.published(1)
        bus.lose()
        await chat.execute("olga", InviteUser(room=room, user="ina"))
        await bus.published(1)
        async with chat.connect(ina, user="ina"), chat.connect(Teller(), user="olga"):
            gate = store.hold("memberships", done=False)
            bus.deliver()
            await gate.reached.wait()
            await chat.execute("olga", RemoveUser(room=room, user="ina"))
            assert ina.story == ["ready", "room.gone"]
            gate.open()
            await anyio.wait_all_tasks_blocked()
        assert ina.story == ["ready", "room.gone"]
    assert caplog.messages == []
