"""The rules of docs/live.md, one by one: what a node may not get wrong when hints are lost and reads take time."""

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
from tests.unit.live.nodes import HeldBus, HeldStore, Teller, ghosts, seqs

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


async def say(chat: Chat, user: str, to: str, body: str) -> int:
    return (await chat.execute(user, SendMessage(to=to, body=body, key=body))).seq


async def test_a_hint_is_checked_for_the_one_before_it_that_was_lost() -> None:
    """Bob's node follows the room without its state, loses the hint of 2, hears of 3, and delivers both."""
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
            assert anyio.current_time() - began < 1, "it waited for the poller"
        assert seqs(bob, ROOM) == [2, 3]
        assert bob.bodies(ROOM) == ["two", "three"]


async def test_a_room_that_no_hint_told_of_is_found_by_the_poller() -> None:
    """The hints of a room's birth and of its second entry are lost: bob hears both, within 5 s."""
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there, here.connect(bob, user="bob"):
        await say(there, "alice", "bob", "one")
        await say(there, "alice", "bob", "two")
        await bob.until(lambda _: len(seqs(bob, ROOM)) == 2, within=5)
        assert bob.bodies(ROOM) == ["one", "two"]
        (room,) = bob.rooms(ROOM)
        assert room.announced_at == 0


async def test_one_poll_asks_as_long_as_the_store_has_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob hears of every room within 3 s, although it is told of one change at a time, and polls are 2 s apart."""
    monkeypatch.setattr(change_poller, "CHANGES_MAX", 1)
    store, bob, users = HeldStore(), Recorder(), ("alice", "carol", "dave")
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob"):
        for user in users:
            await say(there, user, "bob", "hi")
        await bob.until(lambda _: all(seqs(bob, private_room_id("bob", user)) == [1] for user in users), within=3)


async def test_a_hint_of_a_later_entry_does_not_hide_a_birth_that_was_not_told() -> None:
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


async def test_a_cursor_ahead_of_this_nodes_head_gets_nothing_twice() -> None:
    """Bob's node stands at 1, his client has 3 from elsewhere: after the sync he gets 4 and nothing before it."""
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


async def test_ready_may_be_ahead_of_the_live_room() -> None:
    """A phone followed from 1 on; a laptop that connects when the store is at 3 gets only 4, the phone gets 2, 3, 4."""
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


async def test_a_join_while_a_socket_connects_reaches_it() -> None:
    """Bob's rooms have been read, and he is written to before `ready`: he hears the first message after it."""
    store, bob = HeldStore(), Teller()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        gate = store.hold("memberships", done=True)

        async def connect() -> None:
            async with chat.connect(bob, user="bob"):
                await bob.until(lambda _: bool(bob.entries(ROOM)), within=1)  # the poller would find it later

        tasks.start_soon(connect)
        await gate.reached.wait()
        page = store.page

        async def stale_page(user: str, after: str | None, limit: int) -> object:
            return empty

        empty = await page("bob", None, 50)
        store.page = stale_page  # type: ignore[method-assign, assignment]
        await say(chat, "alice", "bob", "one")
        gate.open()
    assert bob.story == ["ready", "room", "entry 1"]
    assert bob.ready.rooms == []


async def test_a_join_during_a_sync_that_names_the_room_is_not_lost() -> None:
    """A stranger's sync has read `gone`; they join before its answer, and hear everything from their join on."""
    store, bob = HeldStore(), Teller()
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
            assert bob.story == ["ready"], "an entry overtook the answer of the sync"
            gate.open()
            await bob.until(lambda _: bob.bodies(room) == ["welcome"], within=1)  # the poller would find it later
        assert answers[0]["rooms"] == {room: {"status": "gone"}}
        assert bob.story == ["ready", "room", "entry 2", "entry 3"]


async def test_no_entry_overtakes_the_answer_of_a_sync_that_names_its_room() -> None:
    store, bob = HeldStore(), Teller()
    async with Chat(store) as chat:
        await say(chat, "alice", "bob", "one")
        async with chat.connect(bob, user="bob") as socket, anyio.create_task_group() as tasks:
            gate = store.hold("catch_up", done=True)
            tasks.start_soon(socket.receive, "sync", {"cursors": {ROOM: {"seq": 0}}}, bob.answer)
            await gate.reached.wait()
            await say(chat, "alice", "bob", "two")
            assert bob.story == ["ready"]
            gate.open()
            await bob.until(lambda _: 2 in seqs(bob, ROOM))
        assert bob.story == ["ready", "answer None", "entry 2"]


async def test_a_sync_that_fails_leaves_the_socket_where_it_was() -> None:
    store, bob = HeldStore(), Teller()
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
        assert bob.story == ["ready", "answer unavailable", "entry 2"]


async def test_a_room_is_not_dropped_while_a_command_waits_in_it() -> None:
    """The last follower leaves while a send waits for the store: a second send meets the same live room."""
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
        assert ghosts(chat) == []


async def test_a_member_who_joined_on_another_node_a_moment_ago_is_not_refused() -> None:
    store, bus, owner = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there:
        room = (await here.execute("olga", CreateRoom(kind="public", title="Tea", key="k"))).view.room
        async with here.connect(owner, user="olga"):
            await here.execute("olga", SendMessage(room=room, body="hello", key="h"))  # the state is loaded here
            await there.execute("bob", JoinRoom(room=room))
            sent = await here.execute("bob", SendMessage(room=room, body="me too", key="m"))
            assert sent.seq == 4
        assert seqs(owner, room) == [2, 3, 4]


async def test_a_refusal_is_given_only_after_the_store_was_asked() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        await say(chat, "alice", "bob", "one")
        store.calls.clear()
        with pytest.raises(NotFound):
            await chat.execute("eve", SendMessage(room=ROOM, body="let me in", key="k"))
        assert "read_on" in store.calls


@pytest.mark.parametrize("landed", [True, False])
async def test_a_write_whose_outcome_is_unknown_is_written_once_and_answered(landed: bool) -> None:
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


async def test_commands_with_one_key_at_once_append_one_entry() -> None:
    async with Chat(store := SizesStore()) as chat:
        message = SendMessage(to="bob", body="one", key="k")
        answers = await at_once([partial(chat.execute, "alice", message)] * 2)
        assert sorted(answer.duplicate for answer in answers) == [False, True]
        assert store.sizes == [1]


async def test_a_write_that_lands_late_is_recognised_and_not_repeated() -> None:
    """The write was given up, the store read without it, and only then does it land: the repetition meets it."""
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


async def test_a_retry_is_answered_before_its_entry_is_delivered() -> None:
    """The first attempt was written on another node; here the retry loses the seq, and learns it from the entry."""
    store, bob = HeldStore(), Teller()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        gate = store.hold("append", done=False)
        message = {"to": "alice", "body": "hi", "key": "k"}
        await socket.receive("message.send", message, bob.answer)
        await gate.reached.wait()
        await there.execute("bob", SendMessage(to="alice", body="hi", key="k"))
        gate.open()
        await bob.until(lambda _: bool(bob.entries(ROOM)))
        assert bob.story == ["ready", "answer 1", "room", "entry 1"]


async def test_retry_found_in_an_entry_is_answered_after_earlier_commands_of_its_socket() -> None:
    store, bob = HeldStore(), Teller()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        gate = store.hold("append", done=False)
        for key in ("first", "retry"):
            await socket.receive("message.send", {"to": "alice", "body": key, "key": key}, bob.answer)
        await gate.reached.wait()
        await there.execute("bob", SendMessage(to="alice", body="retry", key="retry"))
        gate.open()
        await bob.until(lambda _: len(seqs(bob, ROOM)) == 2 and "answer 1" in bob.story)
        assert bob.story == ["ready", "room", "entry 1", "answer 2", "entry 2", "answer 1"]


async def test_ones_own_entry_is_not_taken_for_anothers_with_the_same_key() -> None:
    """The same key with another content, written meanwhile on another node, is `key_reused`, not an answer."""
    store, bob = HeldStore(), Teller()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        store.fail("append", done=False)
        gate = store.hold("read_on", done=False)
        await socket.receive("message.send", {"to": "alice", "body": "hi", "key": "k"}, bob.answer)
        await gate.reached.wait()
        await there.execute("bob", SendMessage(to="alice", body="something else", key="k"))
        gate.open()
        await bob.until(lambda _: "answer key_reused" in bob.story)


async def test_retry_after_deletion_of_a_message_read_before_gets_its_first_answer() -> None:
    """Whatever the retry's content is: the digest that it differs from was erased before it came."""
    store, bob = HeldStore(), Teller()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        await say(there, "alice", "bob", "first")
        await bob.until(lambda _: seqs(bob, ROOM) == [1])
        gate = store.hold("read_on", done=True)
        await say(there, "bob", "alice", "second")
        await gate.reached.wait()
        await there.execute("bob", DeleteMessage(room=ROOM, seq=2, key="delete"))
        await socket.receive("message.send", {"to": "alice", "body": "another", "key": "second"}, bob.answer)
        gate.open()
        await bob.until(lambda _: any(said.startswith("answer") for said in bob.story))
        assert "answer 2" in bob.story


async def test_a_store_that_stays_away_fails_a_command_after_five_seconds() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        for _ in range(50):
            store.fail("append", done=False)
        began = anyio.current_time()
        with pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert anyio.current_time() - began == pytest.approx(5)


async def test_store_that_hangs_when_asked_again_fails_a_command_after_five_seconds() -> None:
    """What it had written is there: the same command again gets its answer."""
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


async def test_sync_without_a_socket_says_events_gap_reset_and_gone() -> None:
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
            found = (await chat.execute("bob", Sync(cursors={ROOM: cursor}))).rooms[ROOM]
            assert found.status == status
            assert (found.entries if count is None else len(found.entries or ())) == count
        gone = await chat.execute("eve", Sync(cursors={ROOM: at[1], "pvt-x-y": at[1], "nonsense": at[1]}))
        assert {room.status for room in gone.rooms.values()} == {"gone"}
