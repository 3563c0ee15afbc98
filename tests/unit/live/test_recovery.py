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
from chatcore.ids import Key, RoomId, Seq, UserId, private_room_id
from chatcore.live import room
from chatcore.live.command_queue import PendingCommand
from chatcore.live.facts import note_facts
from chatcore.ports.entry_log import AppendResult, LogSlice
from chatcore.ports.user_directory import UserDirectory
from chatcore.protocol import Object
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore
from tests.unit.live.nodes import EventRecorder, HeldBus, HeldStore

pytestmark = pytest.mark.anyio

T = TypeVar("T")

CALL_S = 0.02
LIMIT_S = 1.7
OUTAGE_S = 6
BEFORE_S, AFTER_S = 1, 3
COMMAND_S = 5
RECOVERY_S = 1


class PausedStore(MemoryStore):
    """A memory store whose calls take 20 ms. During a pause a call waits, and fails after 1.7 s.

    A call that waits when the pause ends takes effect, as in a database that was stopped or locked.
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
    """The answers to a load of equal commands. Times are seconds of the event loop's clock."""

    succeeded: list[float] = field(factory=list)
    failed: list[float] = field(factory=list)
    waited: list[float] = field(factory=list)
    """Seconds from each command to its answer."""

    def note(self, sent: float, *, ok: bool) -> None:
        now = anyio.current_time()
        (self.succeeded if ok else self.failed).append(now)
        self.waited.append(now - sent)

    def check(self, returned: float) -> None:
        """Check the promises for an outage that ended at ``returned``."""
        first = next(at for at in self.succeeded if at >= returned)
        assert first - returned < RECOVERY_S
        assert all(at < returned + RECOVERY_S for at in self.failed), "commands fail although the store is back"
        assert max(self.waited) < COMMAND_S + 0.1
        assert self.failed, "the outage was too short to matter"


async def run_load(store: PausedStore, interval: float, send: Callable[[int], Awaitable[None]]) -> float:
    """Send a command every ``interval`` seconds before, during and after an outage. Returns the time of its end."""

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
async def test_busy_room_serves_again_within_a_second_of_the_end_of_an_outage(interval: float) -> None:
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
async def test_command_at_a_store_that_never_answers_fails_after_5_s(operation: str) -> None:
    """The first call of a room is included. The room continues once the store answers."""
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


async def test_first_command_of_a_chat_expires() -> None:
    store = HeldStore()
    store.hold("state", done=False)
    async with Chat(store) as chat:
        await anyio.wait_all_tasks_blocked()
        began = anyio.current_time()
        with anyio.fail_after(15), pytest.raises(Unavailable):
            await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert anyio.current_time() - began == pytest.approx(5, abs=0.1)


async def test_expired_command_fails_the_later_commands_of_its_socket() -> None:
    """A later command of the socket must not overtake a failed command. Commands of other sockets stay pending."""
    store, answers = HeldStore(), list[tuple[str, bool]]()
    gates = [store.hold("state", done=False) for _ in range(2)]  # the room gives the first read up after 5 s
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
        for gate in gates:
            gate.open()
        await alice.receive("message.send", {"to": "bob", "body": "4", "key": "4"}, answer_of("alice 4"))
        await anyio.sleep(1)
        assert answers[2:] == [("bob 2", True), ("alice 4", True)]


async def test_append_that_failed_twice_is_repeated_within_100_ms() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        for _ in range(2):
            store.fail("append", done=False)
        began = anyio.current_time()
        await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert anyio.current_time() - began < 0.1


async def test_commands_queued_during_a_failing_append_share_the_next_append() -> None:
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


async def test_entry_from_before_the_first_try_is_a_duplicate() -> None:
    """A retry whose first append fails without effect is answered with the old entry."""
    store = HeldStore()
    async with Chat(store) as chat:
        first = await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        await chat.execute("alice", SendMessage(to="bob", body="two", key="another"))
        store.fail("append", done=False)
        again = await chat.execute("alice", SendMessage(to="bob", body="one", key="k"))
        assert (first.seq, first.duplicate) == (1, False)
        assert (again.seq, again.duplicate) == (1, True)


async def test_entry_below_the_seq_of_every_try_is_a_duplicate() -> None:
    """A stale node appends the command in a failing batch, after another command. Another node has written its key."""
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


async def test_command_repeated_at_a_lower_seq_is_no_duplicate() -> None:
    """In a failing batch the command follows a retry, which gets no entry of its own."""
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


async def test_command_of_an_append_with_unknown_outcome_is_no_duplicate() -> None:
    store = HeldStore()
    async with Chat(store) as chat:
        await chat.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        store.fail("append", done=True)
        sent = await chat.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        assert (sent.seq, sent.duplicate) == (2, False)


async def test_entry_of_another_node_that_takes_seq_and_key_is_a_duplicate() -> None:
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
    assert [(result.seq, result.duplicate) for result in sent] == [(1, True)]


async def test_node_that_lost_a_seq_waits_at_most_twice_the_time_of_its_append() -> None:
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


class KeyReportingStore(MemoryStore):
    """A store that reports a used key even if the seq is used too."""

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        appended = await super().append(entries)
        if appended.written == len(entries):
            return appended
        entry = entries[appended.written]
        name = entry.author, entry.key
        log_slice = await self.read_on(entry.room, entry.seq, 1, [name])
        return evolve(appended, taken=log_slice.by_key.get(name))


async def test_answer_to_a_key_of_another_node_follows_the_entries_before_it() -> None:
    store, bob = KeyReportingStore(), EventRecorder()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob") as socket:
        await here.execute("alice", SendMessage(to="bob", body="one", key="k1"))
        await there.execute("alice", SendMessage(to="bob", body="two", key="k2"))
        await there.execute("bob", SendMessage(to="alice", body="three", key="k"))
        await socket.receive("message.send", {"to": "alice", "body": "three", "key": "k"}, bob.answer)
        await bob.until(lambda _: "entry 3" in bob.events, within=1)
        assert bob.events == ["ready", "room", "entry 1", "entry 2", "answer 3", "entry 3"]


async def test_first_command_in_a_room_behind_the_store_waits_for_no_poll() -> None:
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


async def test_command_that_lost_its_seq_waits_for_no_poll() -> None:
    """Hints deliver the entries before the command, except for the last entry."""
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


async def test_commands_of_callers_expire_separately() -> None:
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


async def test_room_that_fails_to_decide_does_not_hold_rooms_of_the_same_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_in_one_room(commands: Sequence[PendingCommand], state: RoomState, directory: UserDirectory | None) -> None:
        if state.room == private_room_id("alice", "bob"):
            raise ZeroDivisionError
        note_facts(commands, state, directory)

    async with Chat(HeldStore()) as chat, chat.connect(Recorder(), user="alice") as alice:
        for peer in ("bob", "carol"):
            await chat.execute("alice", SendMessage(to=peer, body="1", key="1"))
        monkeypatch.setattr(room, "note_facts", fail_in_one_room)
        answers: list[Object] = []
        for peer in ("bob", "carol"):
            await alice.receive("message.send", {"to": peer, "body": "2", "key": "2"}, answers.append)
        await anyio.sleep(0.5)
    assert [answer["ok"] for answer in answers] == [True, True]
