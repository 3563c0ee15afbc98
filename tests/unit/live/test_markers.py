"""Which sockets get the push of a marker, and how often."""

from typing import Any

import anyio
import pytest
from attrs import evolve

from chatcore import Chat, CreateRoom, History, Invalid, ListRooms, Mark, NotFound, SendMessage, Unavailable
from chatcore.live.marker_pushes import REMEMBERED_MAX
from chatcore.ports.bus import MarkerHint
from chatcore.ports.pushes import MarkerPush
from chatcore.testing import Recorder
from chatcore_memory import MemoryBus, MemoryStore
from tests.unit.live.nodes import HeldBus, HeldStore

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


def markers(recorder: Recorder) -> list[MarkerPush]:
    return [push.body for push in recorder.pushes if isinstance(push.body, MarkerPush)]


async def send_messages(chat: Chat, count: int) -> None:
    for number in range(count):
        await chat.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))


async def test_own_sockets_get_the_unread_count_others_only_the_positions() -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 3)
        phone, laptop, alice = Recorder(), Recorder(), Recorder()
        async with (
            chat.connect(phone, user="bob") as socket,
            chat.connect(laptop, user="bob"),
            chat.connect(alice, user="alice"),
        ):
            answers: list[dict[str, object]] = []
            await socket.receive("mark", {"room": ROOM, "read": 2}, answers.append)
            assert answers == [{"ok": True, "read": 2, "delivered": 2, "unread": 1, "muted": False}]
            assert markers(phone) == []
            assert markers(laptop) == [MarkerPush(room=ROOM, user="bob", read=2, delivered=2, unread=1)]
            assert markers(alice) == [MarkerPush(room=ROOM, user="bob", read=2, delivered=2)]


@pytest.mark.parametrize(
    "change",
    [{"unread_from": 1}, {"muted": True}, {"read": 2}, {"delivered": 1}],
    ids=["unread_from", "muted", "read", "delivered"],
)
async def test_mark_that_moves_no_position_is_pushed_to_own_sockets_only(change: dict[str, Any]) -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 3)
        await chat.execute("bob", Mark(room=ROOM, read=2))
        await anyio.sleep(1)
        laptop, alice = Recorder(), Recorder()
        async with chat.connect(laptop, user="bob"), chat.connect(alice, user="alice"):
            marks = await chat.execute("bob", Mark(room=ROOM, **change))
            await anyio.sleep(1)
            assert markers(laptop) == [MarkerPush(room=ROOM, user="bob", read=2, delivered=2, unread=marks.unread)]
            assert markers(alice) == []


async def test_first_mark_that_only_mutes_is_not_pushed_to_others() -> None:
    """The Chat has not pushed this marker before."""
    store = HeldStore()
    async with Chat(store) as chat:
        await send_messages(chat, 3)
        await chat.execute("bob", Mark(room=ROOM, read=2))
    alice = Recorder()
    async with Chat(store) as chat, chat.connect(alice, user="alice"):
        await chat.execute("bob", Mark(room=ROOM, muted=True))
        await anyio.sleep(1)
        assert markers(alice) == []


async def test_delayed_position_reaches_others_though_a_mute_follows() -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 3)
        alice = Recorder()
        async with chat.connect(alice, user="alice"):
            await chat.execute("bob", Mark(room=ROOM, read=1))
            await chat.execute("bob", Mark(room=ROOM, read=2))
            await chat.execute("bob", Mark(room=ROOM, muted=True))
            await anyio.sleep(1)
            assert [marker.read for marker in markers(alice)] == [1, 2]


async def test_repeated_mark_is_pushed_after_an_unanswered_first_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, alice = HeldStore(), Recorder()

    async def lost(*arguments: Any) -> None:
        await MemoryStore.mark(store, *arguments)
        raise Unavailable

    async with Chat(store) as chat:
        await send_messages(chat, 3)
        async with chat.connect(alice, user="alice"):
            with monkeypatch.context() as patch:
                patch.setattr(store, "mark", lost)
                with pytest.raises(Unavailable):
                    await chat.execute("bob", Mark(room=ROOM, read=2))
            assert markers(alice) == []
            await chat.execute("bob", Mark(room=ROOM, read=2))
            assert markers(alice) == [MarkerPush(room=ROOM, user="bob", read=2, delivered=2)]


async def test_mark_that_only_mutes_reaches_own_sockets_only_on_other_nodes() -> None:
    store, bus, laptop, alice = HeldStore(), MemoryBus(), Recorder(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await send_messages(there, 3)
        async with here.connect(laptop, user="bob"), here.connect(alice, user="alice"):
            await there.execute("bob", Mark(room=ROOM, read=2))
            await anyio.sleep(1)
            await there.execute("bob", Mark(room=ROOM, muted=True))
            await anyio.sleep(1)
            assert [marker.read for marker in markers(laptop)] == [2, 2]
            assert [marker.read for marker in markers(alice)] == [2]


async def test_empty_mark_is_not_pushed() -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 3)
        laptop = Recorder()
        async with chat.connect(laptop, user="bob"):
            marks = await chat.execute("bob", Mark(room=ROOM))
            assert (marks.read, marks.delivered, marks.unread, marks.muted) == (0, 0, 3, False)
            assert markers(laptop) == []


async def test_markers_are_pushed_at_most_once_in_250_ms_ending_with_the_newest() -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 20)
        alice = Recorder()
        async with chat.connect(alice, user="alice"):
            for read in range(1, 21):
                await chat.execute("bob", Mark(room=ROOM, read=read))
                await anyio.sleep(0.05)
            await anyio.sleep(1)
            pushed = [marker.read for marker in markers(alice)]
            assert pushed == sorted(pushed)
            assert (pushed[0], pushed[-1]) == (1, 20)
            assert len(pushed) <= 5


async def test_marker_reaches_other_nodes() -> None:
    store, bus, alice = HeldStore(), MemoryBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await send_messages(there, 1)
        async with here.connect(alice, user="alice"):
            await there.execute("bob", Mark(room=ROOM, delivered=1))
            await alice.until(lambda _: bool(markers(alice)), within=1)
            assert markers(alice) == [MarkerPush(room=ROOM, user="bob", read=0, delivered=1)]


async def test_own_sockets_on_other_nodes_get_the_unread_count() -> None:
    store, bus, phone = HeldStore(), MemoryBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await send_messages(there, 2)
        async with here.connect(phone, user="bob"):
            await there.execute("bob", Mark(room=ROOM, read=1))
            await phone.until(lambda _: len(markers(phone)) == 1, within=1)
            await there.execute("bob", Mark(room=ROOM, read=2))
            await phone.until(lambda _: len(markers(phone)) == 2, within=1)
        assert [marker.unread for marker in markers(phone)] == [1, 0]


async def test_marker_is_pushed_once_though_the_bus_returns_own_hints() -> None:
    bus, phone, laptop, alice = HeldBus(), Recorder(), Recorder(), Recorder()
    async with Chat(HeldStore(), bus=bus) as chat:
        await send_messages(chat, 1)
        async with (
            chat.connect(phone, user="bob") as socket,
            chat.connect(laptop, user="bob"),
            chat.connect(alice, user="alice"),
        ):
            bus.lose()
            await socket.receive("mark", {"room": ROOM, "read": 1})
            await bus.published(1)
            # Between processes a node's id is an equal text, and not the same object.
            bus.hints = [
                evolve(hint, node=hint.node.encode().decode()) for hint in bus.hints if isinstance(hint, MarkerHint)
            ]
            bus.deliver()
            await anyio.sleep(1)
            assert [len(markers(device)) for device in (phone, laptop, alice)] == [0, 1, 1]


def marker_at(read: int, delivered: int | None = None) -> MarkerHint:
    delivered = read if delivered is None else delivered
    return MarkerHint(
        node="elsewhere", room=ROOM, user="bob", read=read, delivered=delivered, unread=9 - read, everyone=True
    )


async def test_reordered_hints_do_not_move_a_marker_back() -> None:
    bus, alice = MemoryBus(), Recorder()
    async with Chat(HeldStore(), bus=bus) as chat:
        await send_messages(chat, 9)
        async with chat.connect(alice, user="alice"):
            for read in (3, 1, 3, 4, 2):
                await bus.publish([marker_at(read)])
            assert [marker.read for marker in markers(alice)] == [3, 4]


async def test_late_hints_move_neither_position_of_a_marker_back() -> None:
    bus, alice = MemoryBus(), Recorder()
    async with Chat(HeldStore(), bus=bus) as chat:
        await send_messages(chat, 9)
        async with chat.connect(alice, user="alice"):
            for read, delivered in [(3, 3), (3, 5), (3, 3), (3, 4), (4, 5), (3, 5), (2, 2), (3, 5)]:
                await bus.publish([marker_at(read, delivered)])
            assert [(marker.read, marker.delivered) for marker in markers(alice)] == [(3, 3), (3, 5), (4, 5)]


async def test_delayed_push_does_not_move_a_marker_back_behind_a_later_hint() -> None:
    bus, alice = MemoryBus(), Recorder()
    async with Chat(HeldStore(), bus=bus) as chat:
        await send_messages(chat, 9)
        async with chat.connect(alice, user="alice"):
            for read in (1, 2):
                await chat.execute("bob", Mark(room=ROOM, read=read))
            await bus.publish([marker_at(3)])
            await anyio.sleep(1)
            assert [marker.read for marker in markers(alice)] == [1, 3]


async def test_reordered_answers_of_the_store_do_not_move_a_marker_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mark of 2 takes effect before the mark of 3, and is answered after it."""
    store, alice = HeldStore(), Recorder()
    mark, late = store.mark, [1.0, 0.1]

    async def slow(*arguments: Any) -> Any:
        view = await mark(*arguments)
        await anyio.sleep(late.pop(0) if late else 0)
        return view

    async with Chat(store) as chat:
        await send_messages(chat, 9)
        await chat.execute("bob", Mark(room=ROOM, read=1))
        monkeypatch.setattr(store, "mark", slow)
        async with chat.connect(alice, user="alice"), anyio.create_task_group() as tasks:
            for read in (2, 3):
                tasks.start_soon(chat.execute, "bob", Mark(room=ROOM, read=read))
                await anyio.wait_all_tasks_blocked()
        await anyio.sleep(1)
        assert [marker.read for marker in markers(alice)] == [3]


async def test_remembered_positions_of_markers_are_bounded() -> None:
    async with Chat(HeldStore()) as chat:
        pushes = chat._hub.markers
        for number in range(REMEMBERED_MAX + 5):
            pushes.take_hint(evolve(marker_at(1), user=str(number)))
        assert len(pushes._known) == REMEMBERED_MAX


async def test_markers_are_not_pushed_to_others_in_rooms_of_more_than_20() -> None:
    async with Chat(HeldStore()) as chat:
        members = [f"user {number}" for number in range(20)]
        room = (await chat.execute("olga", CreateRoom(kind="group", title="t", members=members, key="k"))).view.room
        olga, laptop = Recorder(), Recorder()
        async with chat.connect(olga, user="olga"), chat.connect(laptop, user="user 1"):
            await chat.execute("user 1", Mark(room=room, read=1))
            assert markers(olga) == []
            assert len(markers(laptop)) == 1


async def test_unread_from_counts_until_the_next_read() -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 5)
        await chat.execute("bob", Mark(room=ROOM, read=5))
        assert (await chat.execute("bob", Mark(room=ROOM, unread_from=3))).unread == 3
        page = await chat.execute("bob", History(room=ROOM, anchor="first_unread", before=0, after=0))
        assert [entry.seq for entry in page.entries] == [3]
        (listed,) = (await chat.execute("bob", ListRooms())).rooms
        assert (listed.view.unread, listed.view.marker.read if listed.view.marker else None) == (3, 5)
        assert (await chat.execute("bob", Mark(room=ROOM, read=5))).unread == 0


async def test_marker_moves_neither_back_nor_above_head() -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 5)
        await chat.execute("bob", Mark(room=ROOM, read=3, delivered=5))
        marks = await chat.execute("bob", Mark(room=ROOM, read=1, delivered=2))
        assert (marks.read, marks.delivered) == (3, 5)
        for name in ("read", "delivered", "unread_from"):
            with pytest.raises(Invalid) as refused:
                await chat.execute("bob", Mark(room=ROOM, muted=True, **{name: 6}))
            assert refused.value.field == name
        assert not (await chat.execute("bob", Mark(room=ROOM))).muted


async def test_mark_by_a_user_that_is_not_a_member_is_not_found() -> None:
    async with Chat(HeldStore()) as chat:
        await send_messages(chat, 1)
        for room in (ROOM, "pvt-x-y", "nonsense"):
            with pytest.raises(NotFound):
                await chat.execute("eve", Mark(room=room, read=1))
