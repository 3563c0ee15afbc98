"""The pushes about memberships: invitations, joins, and their ends."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from chatcore import (
    BanUser,
    Chat,
    CreateRoom,
    History,
    InviteUser,
    JoinRoom,
    LeaveRoom,
    ListRooms,
    NotFound,
    RemoveUser,
    SendMessage,
    UnbanUser,
)
from chatcore.live.room import MISSING_MAX
from tests.unit.live.nodes import EventRecorder, Gate, HeldBus, HeldStore, live_objects, seqs

pytestmark = pytest.mark.anyio


async def create(chat: Chat, *members: str, kind: str = "group") -> str:
    command = CreateRoom(kind=kind, title="Tea", members=members, key=f"{kind} {members}")  # type: ignore[arg-type]
    return (await chat.execute("olga", command)).view.room


async def say(chat: Chat, user: str, room: str, body: str) -> int:
    return (await chat.execute(user, SendMessage(room=room, body=body, key=body))).seq


@asynccontextmanager
async def two_nodes() -> AsyncGenerator[tuple[Chat, Chat, HeldBus]]:
    """Yield the node of the sockets, the node of the commands, and the bus between them."""
    store, bus = HeldStore(), HeldBus()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        yield here, there, bus
    assert live_objects(here, there) == []


async def test_removed_user_gets_removal_and_no_later_entry() -> None:
    async with Chat(HeldStore()) as chat:
        room, mia = await create(chat, "mia"), EventRecorder()
        async with chat.connect(mia, user="mia"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chat.execute, "olga", RemoveUser(room=room, user="mia"))
                tasks.start_soon(say, chat, "olga", room, "members only")
            await say(chat, "olga", room, "still members only")
            *before, end = mia.events
            assert end == "room.gone"
            assert before in (["ready", "entry 2"], ["ready", "entry 2", "entry 3"])
            assert mia.entries(room)[-1].affects == ("mia",)
            with pytest.raises(NotFound):
                await chat.execute("mia", History(room=room))
        assert live_objects(chat) == []


async def test_removal_reaches_all_devices_on_all_nodes_though_its_hint_is_lost() -> None:
    async with two_nodes() as (here, there, bus):
        room, phone, laptop = await create(there, "mia"), EventRecorder(), EventRecorder()
        async with here.connect(phone, user="mia"), here.connect(laptop, user="mia"):
            await there.execute("olga", RemoveUser(room=room, user="mia"))
            await say(there, "olga", room, "members only")
            await bus.published(3)
            bus.lose()
            for device in (phone, laptop):
                await device.until(lambda recorder: "room.gone" in recorder.events, within=5)  # type: ignore[attr-defined]
                assert device.events == ["ready", "entry 2", "room.gone"]


async def test_removal_between_reading_rooms_and_subscribing_leaves_no_subscription() -> None:
    store, mia = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        room = await create(chat, "mia")
        gate = store.hold("memberships", done=True)
        done = anyio.Event()

        async def connect() -> None:
            async with chat.connect(mia, user="mia"):
                await done.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connect)
            await gate.reached.wait()
            await chat.execute("olga", RemoveUser(room=room, user="mia"))
            gate.open()
            await mia.until(lambda _: bool(mia.pushes))
            await say(chat, "olga", room, "members only")
            await anyio.wait_all_tasks_blocked()
            assert "members only" not in mia.bodies(room)
            assert live_objects(chat) == [chat._hub._users["mia"]]
            done.set()


async def test_invited_user_gets_the_room_and_no_entry_before_joining() -> None:
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), EventRecorder()
        async with chat.connect(ina, user="ina"):
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            await say(chat, "olga", room, "is she coming?")
            assert ina.events == ["ready", "room"]
            (shown,) = ina.rooms(room)
            assert (shown.state, shown.announced_at) == ("invited", None)
            await chat.execute("ina", JoinRoom(room=room))
            await say(chat, "olga", room, "she is")
        assert ina.events == ["ready", "room", "room", "entry 4", "entry 5"]
        assert [pushed.announced_at for pushed in ina.rooms(room)] == [None, 3]


@pytest.mark.parametrize("end", [RemoveUser, BanUser])
async def test_ended_invitation_is_pushed_as_room_gone_only(end: type[RemoveUser | BanUser]) -> None:
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), EventRecorder()
        async with chat.connect(ina, user="ina"):
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            await chat.execute("olga", end(room=room, user="ina"))
            assert ina.events == ["ready", "room", "room.gone"]


async def test_invitation_and_its_end_reach_a_node_without_members() -> None:
    async with two_nodes() as (here, there, _):
        room, ina = await create(there), EventRecorder()
        async with here.connect(ina, user="ina"):
            await there.execute("olga", InviteUser(room=room, user="ina"))
            await ina.until(lambda _: ina.events == ["ready", "room"], within=5)
            await anyio.sleep(5)
            assert ina.events == ["ready", "room"], "the poller pushed the invitation again"
            await there.execute("ina", LeaveRoom(room=room))
            await ina.until(lambda _: ina.events == ["ready", "room", "room.gone"], within=5)


async def test_end_of_an_invitation_shown_by_ready_is_pushed() -> None:
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), EventRecorder()
        await chat.execute("olga", InviteUser(room=room, user="ina"))
        async with chat.connect(ina, user="ina"):
            assert [view.state for view in ina.ready.rooms] == ["invited"]
            await chat.execute("olga", RemoveUser(room=room, user="ina"))
            assert ina.events == ["ready", "room.gone"]


@asynccontextmanager
async def connecting(store: HeldStore, chat: Chat, connection: EventRecorder, user: str) -> AsyncGenerator[Gate]:
    """Connect a socket whose read of the page of rooms waits at the gate until the end of the block or until `open`.

    The socket stays open for 5 s.
    """
    gate = store.hold("page", done=True)

    async def connect() -> None:
        async with chat.connect(connection, user=user):
            await anyio.sleep(5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connect)
        yield gate
        gate.open()


async def test_end_of_an_invitation_on_another_node_while_ready_is_read_is_pushed() -> None:
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as here, Chat(store) as there:
        room = await create(there)
        await there.execute("olga", InviteUser(room=room, user="ina"))
        async with connecting(store, here, ina, "ina") as gate:
            await gate.reached.wait()
            await there.execute("olga", RemoveUser(room=room, user="ina"))
            await anyio.sleep(3)  # the poller has reported the end and will not repeat it
        assert [view.state for view in ina.ready.rooms] == ["invited"]
        assert ina.events == ["ready", "room.gone"]


async def test_end_of_an_invitation_read_while_ready_is_pushed_is_pushed() -> None:
    """The read of the membership begins before `ready` shows the invitation, and ends after it."""
    store, ina = HeldStore(), EventRecorder()
    async with Chat(store) as here, Chat(store) as there:
        room = await create(there)
        await there.execute("olga", InviteUser(room=room, user="ina"))
        async with connecting(store, here, ina, "ina") as page:
            await page.reached.wait()
            answer = store.hold("memberships", done=True)
            await there.execute("olga", RemoveUser(room=room, user="ina"))
            await answer.reached.wait()
            page.open()
            await ina.until(lambda _: ina.events == ["ready"])
            answer.open()
        assert [view.state for view in ina.ready.rooms] == ["invited"]
        assert ina.events == ["ready", "room.gone"]


async def test_invitation_that_begins_and_ends_while_ready_is_read_is_pushed_as_gone() -> None:
    """The invitation begins between the read of the memberships and the read of the page that `ready` shows."""
    store, bus, ina = HeldStore(), HeldBus(), EventRecorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        room, memberships = await create(there), store.hold("memberships", done=True)
        async with connecting(store, here, ina, "ina") as page:
            for gate, command in ((memberships, InviteUser), (page, RemoveUser)):
                await gate.reached.wait()
                await there.execute("olga", command(room=room, user="ina"))
                await bus.published(1)
                bus.deliver()
                await anyio.wait_all_tasks_blocked()
                memberships.open()
        assert [view.state for view in ina.ready.rooms] == ["invited"]
        assert ina.events == ["ready", "room.gone"]


async def test_join_hinted_during_a_read_of_older_changes_is_pushed_at_once() -> None:
    """The join is not left to the next poll, although the read that runs is older than the join."""
    store, bus, mia = HeldStore(), HeldBus(), EventRecorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        room = await create(there, kind="public")
        async with here.connect(mia, user="mia"):
            await anyio.sleep(0.1)
            gate = store.hold("memberships", done=True)
            for command in (JoinRoom(room=room), LeaveRoom(room=room)):
                await there.execute("mia", command)
            await bus.published(3)
            bus.deliver()
            await gate.reached.wait()
            await there.execute("mia", JoinRoom(room=room))
            await bus.published(1)
            bus.deliver()
            gate.open()
            await mia.until(lambda _: bool(mia.rooms(room)), within=0.5)


async def test_ban_of_a_user_that_is_not_a_member_is_not_pushed_to_that_user() -> None:
    async with Chat(HeldStore()) as chat:
        room, eve = await create(chat, kind="public"), EventRecorder()
        async with chat.connect(eve, user="eve"):
            await chat.execute("olga", BanUser(room=room, user="eve"))
            await chat.execute("olga", UnbanUser(room=room, user="eve"))
            await anyio.sleep(5)
            assert eve.events == ["ready"]


async def test_rejoined_user_gets_every_entry_from_the_second_join_on() -> None:
    async with Chat(HeldStore()) as chat:
        room, mia = await create(chat, "mia", kind="public"), EventRecorder()
        async with chat.connect(mia, user="mia"):
            await chat.execute("mia", LeaveRoom(room=room))
            await say(chat, "olga", room, "gone?")
            await chat.execute("mia", JoinRoom(room=room))
            await say(chat, "olga", room, "back!")
            assert mia.events == ["ready", "entry 2", "room.gone", "room", "entry 4", "entry 5"]
            page = await chat.execute("mia", History(room=room))
            assert [entry.seq for entry in page.entries] == [1, 2, 3, 4, 5]


async def test_user_rejoined_on_another_node_gets_no_earlier_entry() -> None:
    async with two_nodes() as (here, there, bus):
        room, mia = await create(there, kind="public"), EventRecorder()
        await say(there, "olga", room, "hello")
        async with here.connect(mia, user="mia"):
            await there.execute("mia", JoinRoom(room=room))
            await there.execute("mia", LeaveRoom(room=room))
            await there.execute("mia", JoinRoom(room=room))
            await bus.published(5)
            bus.deliver()
            await mia.until(lambda _: seqs(mia, room)[-1:] == [5], within=1)
            assert mia.events == ["ready", "room", "entry 5"]


async def test_join_undone_before_its_delivery_is_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    async with two_nodes() as (here, there, bus):
        room, mia, olga = await create(there, kind="public"), EventRecorder(), EventRecorder()
        async with here.connect(mia, user="mia"), here.connect(olga, user="olga"):
            await there.execute("mia", JoinRoom(room=room))
            await there.execute("mia", LeaveRoom(room=room))
            await bus.published(3)
            bus.deliver()
            await olga.until(lambda _: seqs(olga, room) == [2, 3], within=5)
            await anyio.sleep(5)
            assert mia.events == ["ready"]
    assert caplog.messages == []


async def test_invited_user_gets_no_push_of_an_earlier_undone_join() -> None:
    async with two_nodes() as (here, there, bus):
        room, mia, olga = await create(there, kind="public"), EventRecorder(), EventRecorder()
        async with here.connect(mia, user="mia"), here.connect(olga, user="olga"):
            await there.execute("mia", JoinRoom(room=room))
            await there.execute("mia", LeaveRoom(room=room))
            await there.execute("olga", InviteUser(room=room, user="mia"))
            await bus.published(4)
            bus.deliver()
            await olga.until(lambda _: seqs(olga, room) == [2, 3, 4], within=1)
            assert mia.events == ["ready", "room"]
            assert [shown.state for shown in mia.rooms(room)] == ["invited"]


async def test_list_shows_memberships_and_invitations_only() -> None:
    async with Chat(HeldStore()) as chat:
        inside, invited, left, banned = [await create(chat, "mia", kind=kind) for kind in ("group", "public")] + [
            await create(chat, "mia", other) for other in ("a", "b")
        ]
        await chat.execute("mia", LeaveRoom(room=left))
        await chat.execute("olga", BanUser(room=banned, user="mia"))
        await chat.execute("mia", LeaveRoom(room=invited))
        await chat.execute("olga", InviteUser(room=invited, user="mia"))
        listed = await chat.execute("mia", ListRooms())
        assert {listing.view.room: listing.state for listing in listed.rooms} == {inside: "member", invited: "invited"}


async def test_membership_read_before_a_removal_does_not_restore_it() -> None:
    """A repeated hint of mia's join causes a read. The answer arrives after her removal."""
    store, bus, mia = HeldStore(), HeldBus(), EventRecorder()
    async with Chat(store, bus=bus) as here:
        room = await create(here, "mia")
        await bus.published(1)
        hints = list(bus.hints)
        bus.lose()
        for number in range(MISSING_MAX):
            await say(here, "olga", room, str(number))
        async with here.connect(mia, user="mia"), here.connect(EventRecorder(), user="olga"):
            gate = store.hold("memberships", done=True)
            bus.hints = hints
            bus.deliver()
            await gate.reached.wait()
            await here.execute("olga", RemoveUser(room=room, user="mia"))
            await say(here, "olga", room, "members only")
            gate.open()
            await anyio.sleep(1)
            assert mia.events == ["ready", f"entry {MISSING_MAX + 2}", "room.gone"]
            assert mia.bye is None


async def test_invitation_accepted_before_its_delivery_is_pushed_as_join_only() -> None:
    async with two_nodes() as (here, there, bus):
        room, ina, olga = await create(there), EventRecorder(), EventRecorder()
        async with here.connect(ina, user="ina"), here.connect(olga, user="olga"):
            await there.execute("olga", InviteUser(room=room, user="ina"))
            await there.execute("ina", JoinRoom(room=room))
            await bus.published(3)
            bus.deliver()
            await olga.until(lambda _: seqs(olga, room) == [2, 3], within=1)
            assert ina.events == ["ready", "room", "entry 3"]
            assert [shown.announced_at for shown in ina.rooms(room)] == [2]


async def test_invitation_hinted_while_its_room_is_first_read_reaches_its_user() -> None:
    store, bus, ina = HeldStore(), HeldBus(), EventRecorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        room = await create(there)
        await bus.published(1)
        bus.lose()
        async with here.connect(ina, user="ina"), anyio.create_task_group() as tasks:
            gate = store.hold("state", done=True)
            tasks.start_soon(say, here, "olga", room, "is she coming?")
            await gate.reached.wait()
            await there.execute("olga", InviteUser(room=room, user="ina"))
            await bus.published(1)
            bus.deliver()
            gate.open()
            await ina.until(lambda _: ina.events == ["ready", "room"], within=1)  # before the next poll


@pytest.mark.parametrize("bodies", [[], ["welcome"]])
async def test_late_hint_of_a_join_reaches_a_socket_of_a_room_live_from_above(bodies: list[str]) -> None:
    """When the hint of mia's join arrives, the room is live from that entry or from a later entry on."""
    async with two_nodes() as (here, there, bus):
        room, mia, olga = await create(there, kind="public"), EventRecorder(), EventRecorder()
        async with here.connect(mia, user="mia"):
            await there.execute("mia", JoinRoom(room=room))
            for body in bodies:
                await say(there, "olga", room, body)
            await bus.published(2 + len(bodies))
            async with here.connect(olga, user="olga"):
                bus.deliver()
                await mia.until(lambda _: len(seqs(mia, room)) == 1 + len(bodies), within=1)  # before the next poll
        assert mia.events == ["ready", "room", "entry 2", "entry 3"][: 3 + len(bodies)]
