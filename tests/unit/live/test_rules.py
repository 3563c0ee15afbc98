"""The rules of docs/live.md, when hints are lost and reads take time."""

from collections.abc import Sequence
from functools import partial

import anyio
import pytest

from chatcore import (
    Chat,
    CreateRoom,
    Cursor,
    DeleteMessage,
    History,
    JoinRoom,
    NotFound,
    SendMessage,
    Sync,
    Unavailable,
)
from chatcore.domain.entries import Entry
from chatcore.ids import private_room_id
from chatcore.live import change_poller
from chatcore.ports.entry_log import AppendResult
from chatcore.testing import Recorder
from chatcore.testing.tasks import at_once
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import EventRecorder, HeldBus, HeldStore, live_objects, seqs

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


async def say(chat: Chat, user: str, to: str, body: str) -> int:
    return (await chat.execute(user, SendMessage(to=to, body=body, key=body))).seq


async def test_hint_reveals_the_lost_hint_before_it() -> None:
    """Bob's node has the room without its state and loses the hint of 2. The hint of 3 makes it deliver both."""
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await say(there, "alice", "bob", "one")
        async with here.connect(bob, user="bob"):
            await bus.published(1)
            bus.lose()
            await say(there, "alice", "bob", "two")
            await bus.published(1)
            bus.lose()
            await say(there, "alice", "bob", "three")
            await bus.published(1)
            began = anyio.current_time()
            bus.deliver()
            await bob.until(lambda _: len(seqs(bob, ROOM)) >= 2)
            assert anyio.current_time() - began < 1, "the node waited for the poller"
        assert seqs(bob, ROOM) == [2, 3]
        assert bob.bodies(ROOM) == ["two", "three"]


async def test_room_without_hints_is_found_by_the_poller() -> None:
    """The hints of the first two entries are lost. Bob gets both entries within 5 s."""
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there, here.connect(bob, user="bob"):
        await say(there, "alice", "bob", "one")
        await say(there, "alice", "bob", "two")
        await bob.until(lambda _: len(seqs(bob, ROOM)) == 2, within=5)
        assert bob.bodies(ROOM) == ["one", "two"]
        (room,) = bob.rooms(ROOM)
        assert room.announced_at == 0


async def test_poll_continues_while_the_store_has_more_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob gets every room within 3 s, although each read gives one change and polls are 2 s apart."""
    monkeypatch.setattr(change_poller, "CHANGES_MAX", 1)
    store, bob, users = HeldStore(), Recorder(), ("alice", "carol", "dave")
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob"):
        for user in users:
            await say(there, user, "bob", "hi")
        await bob.until(lambda _: all(seqs(bob, private_room_id("bob", user)) == [1] for user in users), within=3)


async def test_hint_of_a_later_entry_does_not_hide_the_first_entry() -> None:
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there, here.connect(bob, user="bob"):
        await say(there, "alice", "bob", "one")
        await bus.published(1)
        bus.lose()
        await say(there, "alice", "bob", "two")
        await bus.published(1)
        bus.deliver()
        await bob.until(lambda _: len(seqs(bob, ROOM)) == 2, within=5)
        assert seqs(bob, ROOM) == [1, 2]


async def test_cursor_above_the_head_of_the_node_gets_no_entry_twice() -> None:
    """Bob's node is at 1 and his client has 3 from another node. After the sync the client gets 4 only."""
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await say(there, "alice", "bob", "one")
        async with here.connect(bob, user="bob") as socket:
            await say(there, "alice", "bob", "two")
            await say(there, "alice", "bob", "three")
            await bus.published(3)
            bus.lose()
            answers: list[dict[str, object]] = []
            cursor = {"seq": 3, "epoch": store.epoch}
            await socket.receive("sync", {"cursors": {ROOM: cursor}}, answers.append)
            assert answers[0]["rooms"][ROOM]["status"] == "events"  # type: ignore[index]
            assert answers[0]["rooms"][ROOM]["entries"] == []  # type: ignore[index]
            await say(there, "alice", "bob", "four")
            await bus.published(1)
            bus.deliver()
            await bob.until(lambda _: 4 in seqs(bob, ROOM), within=5)
        assert seqs(bob, ROOM) == [4]


async def test_ready_above_the_live_room_gets_later_entries_only() -> None:
    """The phone is subscribed from 1. The laptop connects at head 3 and gets 4; the phone gets 2, 3 and 4."""
    store, bus = HeldStore(), HeldBus()
    phone, laptop = Recorder(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        await say(there, "alice", "bob", "one")
        async with here.connect(phone, user="bob"):
            await say(there, "alice", "bob", "two")
            await say(there, "alice", "bob", "three")
            await bus.published(3)
            bus.lose()
            async with here.connect(laptop, user="bob"):
                assert [room.view.head for room in laptop.ready.rooms] == [3]
                await say(there, "alice", "bob", "four")
                await bus.published(1)
                bus.deliver()
                await laptop.until(lambda _: 4 in seqs(laptop, ROOM), within=5)
                await phone.until(lambda _: 4 in seqs(phone, ROOM), within=5)
        assert seqs(laptop, ROOM) == [4]
        assert seqs(phone, ROOM) == [2, 3, 4]


async def test_join_during_a_connect_reaches_the_socket() -> None:
    """Alice writes to Bob after the read of his rooms and before `ready`. Bob gets her message after `ready`."""
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        gate = store.hold("memberships", done=True)

        async def connect() -> None:
            async with chat.connect(bob, user="bob"):
                await bob.until(lambda _: bool(bob.entries(ROOM)), within=1)  # before the next poll

        tasks.start_soon(connect)
        await gate.reached.wait()
        page = store.page

        async def stale_page(user: str, after: str | None, limit: int) -> object:
            return empty

        empty = await page("bob", None, 50)
        store.page = stale_page  # type: ignore[method-assign, assignment]
        await say(chat, "alice", "bob", "one")
        gate.open()
    assert bob.events == ["ready", "room", "entry 1"]
    assert bob.ready.rooms == []


async def test_join_during_a_sync_of_its_room_is_delivered() -> None:
    """Bob's sync reads `gone`. He joins before the answer and gets every entry from his join on."""
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        room = (await chat.execute("alice", CreateRoom(kind="public", title="Tea", key="k"))).view.room
        answers: list[dict[str, object]] = []
        async with chat.connect(bob, user="bob") as socket, anyio.create_task_group() as tasks:
            gate = store.hold("catch_up", done=True)

            async def sync() -> None:
                await socket.receive("sync", {"cursors": {room: {"seq": 0}}}, answers.append)

            tasks.start_soon(sync)
            await gate.reached.wait()
            await chat.execute("bob", JoinRoom(room=room))
            await chat.execute("alice", SendMessage(room=room, body="welcome", key="w"))
            assert bob.events == ["ready"], "an entry overtook the answer of the sync"
            gate.open()
            await bob.until(lambda _: bob.bodies(room) == ["welcome"], within=1)  # before the next poll
        assert answers[0]["rooms"] == {room: {"status": "gone"}}
        assert bob.events == ["ready", "room", "entry 2", "entry 3"]


async def test_entries_follow_the_answer_of_a_sync_of_their_room() -> None:
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        await say(chat, "alice", "bob", "one")
        async with chat.connect(bob, user="bob") as socket, anyio.create_task_group() as tasks:
            gate = store.hold("catch_up", done=True)
            tasks.start_soon(socket.receive, "sync", {"cursors": {ROOM: {"seq": 0}}}, bob.answer)
            await gate.reached.wait()
            await say(chat, "alice", "bob", "two")
            assert bob.events == ["ready"]
            gate.open()
            await bob.until(lambda _: 2 in seqs(bob, ROOM))
        assert bob.events == ["ready", "answer None", "entry 2"]


async def test_failed_sync_leaves_subscriptions_unchanged() -> None:
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as chat:
        await say(chat, "alice", "bob", "one")
        async with chat.connect(bob, user="bob") as socket, anyio.create_task_group() as tasks:
            gate = store.hold("catch_up", done=True)
            gate.fails = True
            tasks.start_soon(socket.receive, "sync", {"cursors": {ROOM: {"seq": 0}}}, bob.answer)
            await gate.reached.wait()
            await say(chat, "alice", "bob", "two")
            gate.open()
            await bob.until(lambda _: 2 in seqs(bob, ROOM))
        assert bob.events == ["ready", "answer unavailable", "entry 2"]


async def test_room_with_a_pending_command_is_not_dropped() -> None:
    """The last subscription ends while an append runs. A second command goes to the same live room."""
    store, bob = HeldStore(), Recorder()
    async with Chat(store) as chat:
        await say(chat, "alice", "bob", "one")
        async with anyio.create_task_group() as tasks:
            gate = store.hold("append", done=False)
            async with chat.connect(bob, user="bob"):
                tasks.start_soon(say, chat, "alice", "bob", "two")
                await gate.reached.wait()
            tasks.start_soon(say, chat, "bob", "alice", "three")
            await anyio.wait_all_tasks_blocked()
            assert store.calls.count("append") == 2, "a second live room appended beside the first"
            gate.open()
        page = await chat.execute("bob", History(room=ROOM))
        assert [entry.seq for entry in page.entries] == [1, 2, 3]
        assert live_objects(chat) == []


async def test_member_that_just_joined_on_another_node_is_not_refused() -> None:
    store, bus, owner = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        room = (await here.execute("olga", CreateRoom(kind="public", title="Tea", key="k"))).view.room
        async with here.connect(owner, user="olga"):
            await here.execute("olga", SendMessage(room=room, body="hello", key="h"))  # loads the state of the room
            await there.execute("bob", JoinRoom(room=room))
            sent = await here.execute("bob", SendMessage(room=room, body="me too", key="m"))
            assert sent.seq == 4
        assert seqs(owner, room) == [2, 3, 4]


async def test_refusal_follows_a_read_of_the_store() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        await say(chat, "alice", "bob", "one")
        store.calls.clear()
        with pytest.raises(NotFound):
            await chat.execute("eve", SendMessage(room=ROOM, body="let me in", key="k"))
        assert "read_on" in store.calls


@pytest.mark.parametrize("landed", [True, False])
async def test_write_with_unknown_outcome_is_written_once_and_answered(landed: bool) -> None:
    store, bob = HeldStore(), Recorder()
    async with Chat(store) as chat, chat.connect(bob, user="bob"):
        store.fail("append", done=landed)
        sent = await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert (sent.seq, sent.duplicate) == (1, False)
        await chat.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        assert bob.bodies(ROOM) == ["one", "two"]
        page = await chat.execute("bob", History(room=ROOM))
        assert [entry.seq for entry in page.entries] == [1, 2]


class SizesStore(MemoryStore):
    """Records how many entries each append has."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        self.sizes.append(len(entries))
        return await super().append(entries)


async def test_concurrent_commands_with_one_key_append_one_entry() -> None:
    async with Chat(store := SizesStore()) as chat:
        message = SendMessage(to="bob", body="one", key="k")
        answers = await at_once([partial(chat.execute, "alice", message)] * 2)
        assert sorted(answer.duplicate for answer in answers) == [False, True]
        assert store.sizes == [1]


async def test_late_write_is_recognized_and_not_repeated() -> None:
    """The append fails and takes effect after the next read of the store. The repeated append finds the entry."""
    store, bob = HeldStore(), Recorder()
    async with Chat(store) as chat, chat.connect(bob, user="bob"), anyio.create_task_group() as tasks:
        store.fail("append", done=False)
        gate = store.hold("append", done=False)

        async def send() -> None:
            sent = await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
            assert (sent.seq, sent.duplicate) == (1, False)

        tasks.start_soon(send)
        await gate.reached.wait()
        async with Chat(store) as elsewhere:
            await elsewhere.execute("alice", SendMessage(to="bob", body="one", key="k"))
        gate.open()
        await bob.until(lambda _: bool(seqs(bob, ROOM)))
        assert seqs(bob, ROOM) == [1]


async def test_retry_is_answered_before_its_entry_is_delivered() -> None:
    """Another node has written the first attempt. The retry loses its seq and is answered with that entry."""
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        gate = store.hold("append", done=False)
        message = {"to": "alice", "body": "hi", "key": "k"}
        await socket.receive("message.send", message, bob.answer)
        await gate.reached.wait()
        await there.execute("bob", SendMessage(to="alice", body="hi", key="k"))
        gate.open()
        await bob.until(lambda _: bool(bob.entries(ROOM)))
        assert bob.events == ["ready", "answer 1", "room", "entry 1"]


async def test_retry_found_in_an_entry_is_answered_after_earlier_commands() -> None:
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        gate = store.hold("append", done=False)
        for key in ("first", "retry"):
            await socket.receive("message.send", {"to": "alice", "body": key, "key": key}, bob.answer)
        await gate.reached.wait()
        await there.execute("bob", SendMessage(to="alice", body="retry", key="retry"))
        gate.open()
        await bob.until(lambda _: len(seqs(bob, ROOM)) == 2 and "answer 1" in bob.events)
        assert bob.events == ["ready", "room", "entry 1", "answer 2", "entry 2", "answer 1"]


async def test_entry_of_another_content_under_the_same_key_is_key_reused() -> None:
    """Another node writes the same key with another content while the append is repeated."""
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        store.fail("append", done=False)
        gate = store.hold("read_on", done=False)
        await socket.receive("message.send", {"to": "alice", "body": "hi", "key": "k"}, bob.answer)
        await gate.reached.wait()
        await there.execute("bob", SendMessage(to="alice", body="something else", key="k"))
        gate.open()
        await bob.until(lambda _: "answer key_reused" in bob.events)


async def test_retry_of_a_deleted_message_gets_the_first_answer() -> None:
    """The retry has another content, but the digest of the first content was erased before."""
    store, bob = HeldStore(), EventRecorder()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        await say(there, "alice", "bob", "first")
        await bob.until(lambda _: seqs(bob, ROOM) == [1])
        gate = store.hold("read_on", done=True)
        await say(there, "bob", "alice", "second")
        await gate.reached.wait()
        await there.execute("bob", DeleteMessage(room=ROOM, seq=2, key="delete"))
        await socket.receive("message.send", {"to": "alice", "body": "another", "key": "second"}, bob.answer)
        gate.open()
        await bob.until(lambda _: any(event.startswith("answer") for event in bob.events))
        assert "answer 2" in bob.events


async def test_store_that_keeps_failing_fails_a_command_after_5_s() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        for _ in range(50):
            store.fail("append", done=False)
        began = anyio.current_time()
        with pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert anyio.current_time() - began == pytest.approx(5)


async def test_store_that_hangs_after_a_failed_append_fails_a_command_after_5_s() -> None:
    """The entry was written, so a retry of the command gets its answer."""
    store = HeldStore()
    async with Chat(store) as chat:
        store.fail("append", done=True)
        store.hold("read_on", done=False)
        began = anyio.current_time()
        with pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert anyio.current_time() - began == pytest.approx(5)
        again = await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert (again.seq, again.duplicate) == (1, True)


async def test_append_that_hangs_is_repeated_after_5_s() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        store.hold("append", done=False)
        with pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="one", key="1"))
        assert (await chat.execute("alice", SendMessage(to="bob", body="two", key="2"))).seq == 1


async def test_sync_without_a_socket_returns_events_gap_reset_and_gone() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        for number in range(1, 203):
            await say(chat, "alice", "bob", str(number))
        at = {seq: Cursor(seq=seq, epoch=store.epoch) for seq in (1, 2, 202, 203)}
        for cursor, status, count in [
            (Cursor(seq=0), "gap", None),
            (Cursor(seq=0, epoch=store.epoch), "gap", None),
            (Cursor(seq=0, epoch="another"), "reset", None),
            (at[1], "gap", None),
            (at[2], "events", 200),
            (at[202], "events", 0),
            (at[203], "reset", None),
            (Cursor(seq=2, epoch="another"), "reset", None),
        ]:
            result = (await chat.execute("bob", Sync(cursors={ROOM: cursor}))).rooms[ROOM]
            assert result.status == status
            assert (result.entries if count is None else len(result.entries or ())) == count
        gone = await chat.execute("eve", Sync(cursors={ROOM: at[1], "pvt-x-y": at[1], "nonsense": at[1]}))
        assert {room.status for room in gone.rooms.values()} == {"gone"}
