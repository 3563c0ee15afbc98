"""A busy room serves commands again soon after an outage of its store, and answers each command in time meanwhile."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

import anyio
import pytest
from attrs import define, evolve, field

from chatcore import Chat, CreateRoom, Entry, JoinRoom, SendMessage, SendResult, Unavailable
from chatcore.domain.state import RoomState
from chatcore.ids import Key, RoomId, Seq, UserId
from chatcore.ports.entry_log import AppendResult, LogSlice
from chatcore.protocol import Object
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import HeldBus, HeldStore, Teller

pytestmark = pytest.mark.anyio

T = TypeVar("T")

CALL_S = 0.02
LIMIT_S = 1.7
OUTAGE_S = 6
BEFORE_S, AFTER_S = 1, 3
COMMAND_S = 5
RECOVERY_S = 1


class PausedStore(MemoryStore):
    """A memory store whose calls take 20 ms. While it is paused a call waits, and fails after 1.7 s as a store has to.

    A call that waits when the pause ends is carried out, as by a database that was stopped or locked.
    """

    def __init__(self) -> None:
        super().__init__()
        self._resumed = anyio.Event()
        self._resumed.set()

    @asynccontextmanager
    async def paused(self) -> AsyncGenerator[None]:
        self._resumed = anyio.Event()
        try:
            yield
        finally:
            self._resumed.set()

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        with anyio.move_on_after(LIMIT_S):
            await self._resumed.wait()
        if not self._resumed.is_set():
            raise Unavailable
        await anyio.sleep(CALL_S)
        return await call()

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        return await self._call(partial(super().append, entries))

    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        return await self._call(partial(super().read_on, room, after, limit, keys))

    async def state(self, room: RoomId) -> RoomState:
        return await self._call(partial(super().state, room))


@define
class Load:
    """What a load of equal commands was answered. Times are seconds of the event loop's clock."""

    succeeded: list[float] = field(factory=list)
    failed: list[float] = field(factory=list)
    waited: list[float] = field(factory=list)
    """Seconds from each command to its answer."""

    def note(self, sent: float, *, ok: bool) -> None:
        now = anyio.current_time()
        (self.succeeded if ok else self.failed).append(now)
        self.waited.append(now - sent)

    def check(self, returned: float) -> None:
        """The promises, for an outage that ended at ``returned``."""
        first = next(at for at in self.succeeded if at >= returned)
        assert first - returned < RECOVERY_S
        assert all(at < returned + RECOVERY_S for at in self.failed), "commands fail although the store is back"
        assert max(self.waited) < COMMAND_S + 0.1
        assert self.failed, "the outage was too short to matter"


async def run_load(store: PausedStore, interval: float, send: Callable[[int], Awaitable[None]]) -> float:
    """Send a command every ``interval`` seconds, before, during and after an outage; the time of the store's return."""

    async def commands() -> None:
        number = 0
        while True:
            await send(number)
            number += 1
            await anyio.sleep(interval)

    returned = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands)
        await anyio.sleep(BEFORE_S)
        async with store.paused():
            await anyio.sleep(OUTAGE_S)
        returned = anyio.current_time()
        await anyio.sleep(AFTER_S)
        tasks.cancel_scope.cancel()
    return returned


@pytest.mark.parametrize("interval", [0.05, 0.01, 0.002])
async def test_busy_room_serves_again_within_a_second_of_the_stores_return(interval: float) -> None:
    store, load = PausedStore(), Load()
    async with Chat(store) as chat, anyio.create_task_group() as callers:

        async def send_one(number: int) -> None:
            sent = anyio.current_time()
            try:
                await chat.execute("alice", SendMessage(to="bob", body="hi", key=str(number)))
            except Unavailable:
                load.note(sent, ok=False)
            else:
                load.note(sent, ok=True)

        async def send(number: int) -> None:
            callers.start_soon(send_one, number)

        returned = await run_load(store, interval, send)
        load.check(returned)


async def test_busy_room_with_many_sockets_serves_again_within_a_second() -> None:
    store, load = PausedStore(), Load()
    async with Chat(store) as chat, AsyncExitStack() as connected:
        room = (await chat.execute("owner", CreateRoom(kind="public", title="t", key="k"))).view.room
        users = [f"user{number}" for number in range(50)]
        sockets = []
        for user in users:
            await chat.execute(user, JoinRoom(room=room))
            sockets.append(await connected.enter_async_context(chat.connect(Recorder(), user=user)))

        async def send(number: int) -> None:
            sent = anyio.current_time()

            def answer(answer: Object) -> None:
                load.note(sent, ok=bool(answer["ok"]))

            command = {"room": room, "key": str(number), "body": "hi"}
            await sockets[number % len(sockets)].receive("message.send", command, answer)

        returned = await run_load(store, 0.01, send)
        load.check(returned)


@pytest.mark.parametrize("operation", ["state", "append"])
async def test_command_at_a_store_that_never_answers_fails_after_five_seconds(operation: str) -> None:
    """Also where this is the first call of all; the room goes on once the store answers."""
    store = HeldStore()
    gate = store.hold(operation, done=False)
    async with Chat(store) as chat:
        began = anyio.current_time()
        with pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        assert anyio.current_time() - began == pytest.approx(COMMAND_S, abs=0.1)
        gate.open()
        sent = await chat.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        assert sent.seq in (1, 2)


async def test_first_command_of_a_chat_expires_too() -> None:
    store = HeldStore()
    store.hold("state", done=False)
    async with Chat(store) as chat:
        await anyio.wait_all_tasks_blocked()
        began = anyio.current_time()
        with anyio.fail_after(15), pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert anyio.current_time() - began == pytest.approx(5, abs=0.1)


async def test_commands_of_a_socket_fail_with_its_first_that_expires() -> None:
    """A later command of the same socket must not overtake one that failed; other sockets' commands wait on."""
    store, answers = HeldStore(), list[tuple[str, bool]]()
    gate = store.hold("state", done=False)
    async with (
        Chat(store) as chat,
        chat.connect(Recorder(), user="alice") as alice,
        chat.connect(Recorder(), user="bob") as bob,
    ):

        def answer_of(name: str) -> Callable[[Object], None]:
            return lambda answer: answers.append((name, bool(answer["ok"])))

        await alice.receive("message.send", {"to": "bob", "body": "1", "key": "1"}, answer_of("alice 1"))
        await anyio.sleep(3)
        await bob.receive("message.send", {"to": "alice", "body": "2", "key": "2"}, answer_of("bob 2"))
        await alice.receive("message.send", {"to": "bob", "body": "3", "key": "3"}, answer_of("alice 3"))
        await anyio.sleep(2.1)
        assert answers == [("alice 1", False), ("alice 3", False)]
        gate.open()
        await alice.receive("message.send", {"to": "bob", "body": "4", "key": "4"}, answer_of("alice 4"))
        await anyio.sleep(1)
        assert answers[2:] == [("bob 2", True), ("alice 4", True)]


async def test_write_that_failed_twice_is_tried_again_within_a_tenth_of_a_second() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        for _ in range(2):
            store.fail("append", done=False)
        began = anyio.current_time()
        await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert anyio.current_time() - began < 0.1


async def test_commands_queued_while_a_write_fails_share_the_next_one() -> None:
    store = HeldStore()
    gate = store.hold("append", done=False)
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        tasks.start_soon(chat.execute, "alice", SendMessage(to="bob", body="one", key="0"))
        await gate.reached.wait()
        for number in range(1, 10):
            tasks.start_soon(chat.execute, "alice", SendMessage(to="bob", body="more", key=str(number)))
        await anyio.wait_all_tasks_blocked()
        gate.fails = True
        gate.open()
    assert store.calls.count("append") == 2


async def test_entry_that_stood_before_the_first_try_is_a_duplicate() -> None:
    """A repetition whose first append fails before it takes effect is answered by the old entry."""
    store = HeldStore()
    async with Chat(store) as chat:
        first = await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        await chat.execute("alice", SendMessage(to="bob", body="two", key="another"))
        store.fail("append", done=False)
        again = await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert (first.seq, first.duplicate) == (1, False)
        assert (again.seq, again.duplicate) == (1, True)


async def test_entry_below_the_seq_of_every_try_is_a_duplicate() -> None:
    """A stale node tries the command behind another one, in a batch that fails; its key was written in between."""
    store = HeldStore()
    answers: dict[str, SendResult] = {}
    async with Chat(store) as here, Chat(store) as there:
        await there.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        stale = store.hold("state", done=True)

        async def send(key: str) -> None:
            answers[key] = await here.execute("alice", SendMessage(to="bob", body="two", key=key))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, "first in the batch")
            await stale.reached.wait()
            tasks.start_soon(send, "k2")
            await there.execute("alice", SendMessage(to="bob", body="two", key="k2"))
            store.fail("append", done=False)
            stale.open()
        assert (answers["k2"].seq, answers["k2"].duplicate) == (2, True)


async def test_entry_tried_again_at_a_lower_seq_is_the_commands_own() -> None:
    """In a batch that fails a command stands behind a repetition, which has no entry of its own."""
    store = HeldStore()
    answers: dict[str, SendResult] = {}
    async with Chat(store) as chat:

        async def send(key: str) -> None:
            answers[key] = await chat.execute("alice", SendMessage(to="bob", body="one", key=key))

        await send("k1")
        loading = store.hold("state", done=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, "k1")
            await loading.reached.wait()
            tasks.start_soon(send, "k2")
            await anyio.wait_all_tasks_blocked()
            store.fail("append", done=False)
            loading.open()
        assert {key: (sent.seq, sent.duplicate) for key, sent in answers.items()} == {"k1": (1, True), "k2": (2, False)}


async def test_entry_of_an_append_with_unknown_outcome_is_the_commands_own() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        store.fail("append", done=True)
        sent = await chat.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        assert (sent.seq, sent.duplicate) == (2, False)


async def test_entry_written_elsewhere_while_an_append_lost_its_seq_is_a_duplicate() -> None:
    store = HeldStore()
    gate = store.hold("append", done=False)
    command, sent = SendMessage(to="bob", body="one", key="k"), list[SendResult]()
    async with Chat(store) as here, Chat(store) as there, anyio.create_task_group() as tasks:

        async def send() -> None:
            sent.append(await here.execute("alice", command))

        tasks.start_soon(send)
        await gate.reached.wait()
        assert not (await there.execute("alice", command)).duplicate
        gate.open()
    assert [(one.seq, one.duplicate) for one in sent] == [(1, True)]


async def test_node_that_lost_a_seq_waits_at_most_twice_as_long_as_its_append_took() -> None:
    store, spans = HeldStore(), list[tuple[float, float]]()

    def longest(low: float, high: float) -> float:
        spans.append((low, high))
        return high

    gate = store.hold("append", done=False)
    async with Chat(store, uniform=longest) as here, Chat(store) as there, anyio.create_task_group() as tasks:
        await anyio.sleep(1)
        tasks.start_soon(here.execute, "alice", SendMessage(to="bob", body="one", key="k1"))
        await gate.reached.wait()
        await there.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        await anyio.sleep(0.1)
        gate.open()
    [span] = spans
    assert span == pytest.approx((0, 0.2))


class StoreOfKeys(MemoryStore):
    """A store that reports that a key is taken where the seq is taken too."""

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        appended = await super().append(entries)
        if appended.written == len(entries):
            return appended
        entry = entries[appended.written]
        name = entry.author, entry.key
        news = await self.read_on(entry.room, entry.seq, 1, [name])
        return evolve(appended, taken=news.by_key.get(name))


async def test_answer_to_a_key_written_elsewhere_comes_after_the_entries_before_it() -> None:
    store, bob = StoreOfKeys(), Teller()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        await here.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        await there.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        await there.execute("bob", SendMessage(to="alice", body="three", key="k"))
        await socket.receive("message.send", {"to": "alice", "body": "three", "key": "k"}, bob.answer)
        await bob.until(lambda _: "entry 3" in bob.story, within=1)
        assert bob.story == ["ready", "room", "entry 1", "entry 2", "answer 3", "entry 3"]


async def test_first_command_in_a_room_that_is_behind_the_store_waits_for_no_poll() -> None:
    store, bob = HeldStore(), Recorder()
    async with Chat(store) as here, Chat(store) as there:
        await there.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        async with here.connect(bob, user="bob"):
            await there.execute("alice", SendMessage(to="bob", body="two", key="k2"))
            began = anyio.current_time()
            sent = await here.execute("alice", SendMessage(to="bob", body="three", key="k3"))
            assert sent.seq == 3
            assert anyio.current_time() == began
            assert bob.bodies(sent.room) == ["two", "three"]


async def test_command_that_lost_its_seq_is_carried_out_without_waiting_for_a_poll() -> None:
    """Hints brought the entries before it, but for the last one, whose hint was lost."""
    store, bus, bob = HeldStore(), HeldBus(), Recorder()
    async with Chat(store, bus=bus) as here, Chat(store, bus=bus) as there, here.connect(bob, user="bob"):
        await here.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        await there.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        await bus.published(2)
        bus.deliver()
        await there.execute("alice", SendMessage(to="bob", body="three", key="k3"))
        began = anyio.current_time()
        sent = await here.execute("alice", SendMessage(to="bob", body="four", key="k4"))
        assert sent.seq == 4
        assert anyio.current_time() - began < 1
        assert bob.bodies(sent.room) == ["one", "two", "three", "four"]


async def test_commands_of_callers_expire_one_by_one() -> None:
    store, failed = HeldStore(), list[float]()
    store.hold("state", done=False)
    async with Chat(store) as chat, anyio.create_task_group() as tasks:

        async def send(key: str) -> None:
            with pytest.raises(Unavailable):
                await chat.execute("alice", SendMessage(to="bob", body="hi", key=key))
            failed.append(anyio.current_time() - began)

        began = anyio.current_time()
        tasks.start_soon(send, "k1")
        await anyio.sleep(3)
        store.hold("state", done=False)
        tasks.start_soon(send, "k2")
    assert failed == [pytest.approx(COMMAND_S, abs=0.1), pytest.approx(3 + COMMAND_S, abs=0.1)]
