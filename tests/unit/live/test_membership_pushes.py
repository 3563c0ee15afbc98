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
from tests.unit.live.nodes import Gate, HeldBus, HeldStore, Teller, ghosts, seqs

pytestmark = pytest.mark.anyio


async def create(chat: Chat, *members: str, kind: str = "group") -> str:
    command = CreateRoom(kind=kind, title="Tea", members=members, key=f"{kind} {members}")  # type: ignore[arg-type]
    return (await chat.execute("olga", command)).view.room


async def say(chat: Chat, user: str, room: str, body: str) -> int:
    return (await chat.execute(user, SendMessage(room=room, body=body, key=body))).seq


@asynccontextmanager
async def two_nodes() -> AsyncGenerator[tuple[Chat, Chat, HeldBus]]:
    """Here, where the sockets are; there, where everything is done; hints between them are the test's to deliver."""
    store, bus = HeldStore(), HeldBus()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        yield here, there, bus
    assert ghosts(here, there) == []


async def test_who_is_removed_hears_their_removal_and_nothing_above_it() -> None:
    async with Chat(HeldStore()) as chat:
        room, mia = await create(chat, "mia"), Teller()
        async with chat.connect(mia, user="mia"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chat.execute, "olga", RemoveUser(room=room, user="mia"))
                tasks.start_soon(say, chat, "olga", room, "among us")
            await say(chat, "olga", room, "still among us")
            *before, end = mia.story
            assert end == "room.gone"
            assert before in (["ready", "entry 2"], ["ready", "entry 2", "entry 3"])
            assert mia.entries(room)[-1].affects == ("mia",)
            with pytest.raises(NotFound):
                await chat.execute("mia", History(room=room))
        assert ghosts(chat) == []


async def test_a_removal_reaches_every_device_on_every_node_though_its_hint_is_lost() -> None:
    async with two_nodes() as (here, there, bus):
        room, phone, laptop = await create(there, "mia"), Teller(), Teller()
        async with here.connect(phone, user="mia"), here.connect(laptop, user="mia"):
            await there.execute("olga", RemoveUser(room=room, user="mia"))
            await say(there, "olga", room, "among us")
            await bus.published(3)
            bus.lose()
            for device in (phone, laptop):
                await device.until(lambda heard: "room.gone" in heard.story, within=5)  # type: ignore[attr-defined]
                assert device.story == ["ready", "entry 2", "room.gone"]


async def test_removal_between_reading_rooms_and_subscribing_leaves_no_subscription() -> None:
    store, mia = HeldStore(), Teller()
    async with Chat(store) as chat:
        room = await create(chat, "mia")
        gate = store.hold("memberships", done=True)
        stay = anyio.Event()

        async def connect() -> None:
            async with chat.connect(mia, user="mia"):
                await stay.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connect)
            await gate.reached.wait()
            await chat.execute("olga", RemoveUser(room=room, user="mia"))
            gate.open()
            await mia.until(lambda _: bool(mia.pushes))
            await say(chat, "olga", room, "among us")
            await anyio.wait_all_tasks_blocked()
            assert "among us" not in mia.bodies(room)
            assert ghosts(chat) == [chat._hub._users["mia"]]
            stay.set()


async def test_an_invited_user_hears_of_the_room_and_of_no_entry_until_they_join() -> None:
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), Teller()
        async with chat.connect(ina, user="ina"):
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            await say(chat, "olga", room, "is she coming?")
            assert ina.story == ["ready", "room"]
            (shown,) = ina.rooms(room)
            assert (shown.state, shown.announced_at) == ("invited", None)
            await chat.execute("ina", JoinRoom(room=room))
            await say(chat, "olga", room, "she is")
        assert ina.story == ["ready", "room", "room", "entry 4", "entry 5"]
        assert [one.announced_at for one in ina.rooms(room)] == [None, 3]


@pytest.mark.parametrize("end", [RemoveUser, BanUser])
async def test_an_invitation_that_ends_is_told_by_room_gone_alone(end: type[RemoveUser | BanUser]) -> None:
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), Teller()
        async with chat.connect(ina, user="ina"):
            await chat.execute("olga", InviteUser(room=room, user="ina"))
            await chat.execute("olga", end(room=room, user="ina"))
            assert ina.story == ["ready", "room", "room.gone"]


async def test_an_invitation_and_its_end_reach_a_node_on_which_nobody_is_in_the_room() -> None:
    async with two_nodes() as (here, there, _):
        room, ina = await create(there), Teller()
        async with here.connect(ina, user="ina"):
            await there.execute("olga", InviteUser(room=room, user="ina"))
            await ina.until(lambda _: ina.story == ["ready", "room"], within=5)
            await anyio.sleep(5)
            assert ina.story == ["ready", "room"], "the poller told it again"
            await there.execute("ina", LeaveRoom(room=room))
            await ina.until(lambda _: ina.story == ["ready", "room", "room.gone"], within=5)


async def test_who_was_invited_before_they_connected_hears_the_end_too() -> None:
    async with Chat(HeldStore()) as chat:
        room, ina = await create(chat), Teller()
        await chat.execute("olga", InviteUser(room=room, user="ina"))
        async with chat.connect(ina, user="ina"):
            assert [view.state for view in ina.ready.rooms] == ["invited"]
            await chat.execute("olga", RemoveUser(room=room, user="ina"))
            assert ina.story == ["ready", "room.gone"]


@asynccontextmanager
async def connecting(store: HeldStore, chat: Chat, connection: Teller, user: str) -> AsyncGenerator[Gate]:
    """Within the block the socket has read its user's page of rooms and waits; after it, it is connected for 5 s."""
    gate = store.hold("page", done=True)

    async def connect() -> None:
        async with chat.connect(connection, user=user):
            await anyio.sleep(5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connect)
        yield gate
        gate.open()


async def test_end_of_an_invitation_on_another_node_while_ready_is_read_is_pushed() -> None:
    store, ina = HeldStore(), Teller()
    async with Chat(store) as here, Chat(store) as there:
        room = await create(there)
        await there.execute("olga", InviteUser(room=room, user="ina"))
        async with connecting(store, here, ina, "ina") as gate:
            await gate.reached.wait()
            await there.execute("olga", RemoveUser(room=room, user="ina"))
            await anyio.sleep(3)  # the poller has told it, and will not tell it again
        assert [view.state for view in ina.ready.rooms] == ["invited"]
        assert ina.story == ["ready", "room.gone"]


async def test_end_of_an_invitation_that_is_read_while_ready_is_pushed_is_pushed() -> None:
    """The store is asked for the membership before `ready` shows the invitation, and answers after it."""
    store, ina = HeldStore(), Teller()
    async with Chat(store) as here, Chat(store) as there:
        room = await create(there)
        await there.execute("olga", InviteUser(room=room, user="ina"))
        async with connecting(store, here, ina, "ina") as page:
            await page.reached.wait()
            answer = store.hold("memberships", done=True)
            await there.execute("olga", RemoveUser(room=room, user="ina"))
            await answer.reached.wait()
            page.open()
            await ina.until(lambda _: ina.story == ["ready"])
            answer.open()
        assert [view.state for view in ina.ready.rooms] == ["invited"]
        assert ina.story == ["ready", "room.gone"]


async def test_an_invitation_that_comes_and_goes_while_ready_is_read_is_told_to_have_ended() -> None:
    """It came between the reading of the memberships and that of the page which `ready` shows."""
    store, bus, ina = HeldStore(), HeldBus(), Teller()
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
        assert ina.story == ["ready", "room.gone"]


async def test_join_hinted_while_the_store_is_asked_about_older_changes_is_pushed_at_once() -> None:
    """And not with the next poll: what the store was asked for is as of before the join."""
    store, bus, mia = HeldStore(), HeldBus(), Teller()
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


async def test_a_stranger_who_is_banned_hears_nothing() -> None:
    async with Chat(HeldStore()) as chat:
        room, eve = await create(chat, kind="public"), Teller()
        async with chat.connect(eve, user="eve"):
            await chat.execute("olga", BanUser(room=room, user="eve"))
            await chat.execute("olga", UnbanUser(room=room, user="eve"))
            await anyio.sleep(5)
            assert eve.story == ["ready"]


async def test_who_comes_back_hears_everything_from_their_second_joining_on() -> None:
    async with Chat(HeldStore()) as chat:
        room, mia = await create(chat, "mia", kind="public"), Teller()
        async with chat.connect(mia, user="mia"):
            await chat.execute("mia", LeaveRoom(room=room))
            await say(chat, "olga", room, "gone?")
            await chat.execute("mia", JoinRoom(room=room))
            await say(chat, "olga", room, "back!")
            assert mia.story == ["ready", "entry 2", "room.gone", "room", "entry 4", "entry 5"]
            page = await chat.execute("mia", History(room=room))
            assert [entry.seq for entry in page.entries] == [1, 2, 3, 4, 5]


async def test_who_came_back_on_another_node_hears_nothing_from_before() -> None:
    async with two_nodes() as (here, there, bus):
        room, mia = await create(there, kind="public"), Teller()
        await say(there, "olga", room, "hello")
        async with here.connect(mia, user="mia"):
            await there.execute("mia", JoinRoom(room=room))
            await there.execute("mia", LeaveRoom(room=room))
            await there.execute("mia", JoinRoom(room=room))
            await bus.published(5)
            bus.deliver()
            await mia.until(lambda _: seqs(mia, room)[-1:] == [5], within=1)
            assert mia.story == ["ready", "room", "entry 5"]


async def test_a_join_that_was_undone_meanwhile_is_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    async with two_nodes() as (here, there, bus):
        room, mia, olga = await create(there, kind="public"), Teller(), Teller()
        async with here.connect(mia, user="mia"), here.connect(olga, user="olga"):
            await there.execute("mia", JoinRoom(room=room))
            await there.execute("mia", LeaveRoom(room=room))
            await bus.published(3)
            bus.deliver()
            await olga.until(lambda _: seqs(olga, room) == [2, 3], within=5)
            await anyio.sleep(5)
            assert mia.story == ["ready"]
    assert caplog.messages == []


async def test_invited_user_hears_nothing_of_an_earlier_join_that_was_undone() -> None:
    async with two_nodes() as (here, there, bus):
        room, mia, olga = await create(there, kind="public"), Teller(), Teller()
        async with here.connect(mia, user="mia"), here.connect(olga, user="olga"):
            await there.execute("mia", JoinRoom(room=room))
            await there.execute("mia", LeaveRoom(room=room))
            await there.execute("olga", InviteUser(room=room, user="mia"))
            await bus.published(4)
            bus.deliver()
            await olga.until(lambda _: seqs(olga, room) == [2, 3, 4], within=1)
            assert mia.story == ["ready", "room"]
            assert [shown.state for shown in mia.rooms(room)] == ["invited"]


async def test_a_list_shows_rooms_one_is_in_or_invited_to_and_no_others() -> None:
    async with Chat(HeldStore()) as chat:
        inside, invited, left, banned = [await create(chat, "mia", kind=kind) for kind in ("group", "public")] + [
            await create(chat, "mia", other) for other in ("a", "b")
        ]
        await chat.execute("mia", LeaveRoom(room=left))
        await chat.execute("olga", BanUser(room=banned, user="mia"))
        await chat.execute("mia", LeaveRoom(room=invited))
        await chat.execute("olga", InviteUser(room=invited, user="mia"))
        listed = await chat.execute("mia", ListRooms())
        assert {one.view.room: one.state for one in listed.rooms} == {inside: "member", invited: "invited"}


async def test_membership_read_before_a_removal_does_not_bring_the_removed_back() -> None:
    """A hint of mia's joining comes again; what the store said of her then is looked at after her removal."""
    store, bus, mia = HeldStore(), HeldBus(), Teller()
    async with Chat(store, bus=bus) as here:
        room = await create(here, "mia")
        await bus.published(1)
        hints = list(bus.hints)
        bus.lose()
        for number in range(MISSING_MAX):
            await say(here, "olga", room, str(number))
        async with here.connect(mia, user="mia"), here.connect(Teller(), user="olga"):
            gate = store.hold("memberships", done=True)
            bus.hints = hints
            bus.deliver()
            await gate.reached.wait()
            await here.execute("olga", RemoveUser(room=room, user="mia"))
            await say(here, "olga", room, "among us")
            gate.open()
            await anyio.sleep(1)
            assert mia.story == ["ready", f"entry {MISSING_MAX + 2}", "room.gone"]
            assert mia.bye is None


async def test_invitation_that_was_accepted_meanwhile_is_told_by_the_joining_alone() -> None:
    async with two_nodes() as (here, there, bus):
        room, ina, olga = await create(there), Teller(), Teller()
        async with here.connect(ina, user="ina"), here.connect(olga, user="olga"):
            await there.execute("olga", InviteUser(room=room, user="ina"))
            await there.execute("ina", JoinRoom(room=room))
            await bus.published(3)
            bus.deliver()
            await olga.until(lambda _: seqs(olga, room) == [2, 3], within=1)
            assert ina.story == ["ready", "room", "entry 3"]
            assert [shown.announced_at for shown in ina.rooms(room)] == [2]


async def test_invitation_that_is_told_while_its_room_is_first_read_reaches_its_user() -> None:
    store, bus, ina = HeldStore(), HeldBus(), Teller()
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
            await ina.until(lambda _: ina.story == ["ready", "room"], within=1)  # no poll finds it for her


@pytest.mark.parametrize("bodies", [[], ["welcome"]])
async def test_late_hint_of_a_join_reaches_a_socket_though_its_room_did_not_begin_below_it(bodies: list[str]) -> None:
    """When the hint of mia's joining comes, the room is alive here, from that entry or a later one on."""
    async with two_nodes() as (here, there, bus):
        room, mia, olga = await create(there, kind="public"), Teller(), Teller()
        async with here.connect(mia, user="mia"):
            await there.execute("mia", JoinRoom(room=room))
            for body in bodies:
                await say(there, "olga", room, body)
            await bus.published(2 + len(bodies))
            async with here.connect(olga, user="olga"):
                bus.deliver()
                await mia.until(lambda _: len(seqs(mia, room)) == 1 + len(bodies), within=1)  # no poll finds it for her
        assert mia.story == ["ready", "room", "entry 2", "entry 3"][: 3 + len(bodies)]
