"""A host's gate and rules, which are asked about commands of clients before these are queued."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import anyio
import pytest
from attrs import evolve

from chatcore import (
    Ask,
    Chat,
    ChatError,
    Command,
    CommandLimits,
    CreateRoom,
    EditMessage,
    Forbidden,
    Gate,
    History,
    InviteUser,
    JoinRoom,
    NotFound,
    RateLimited,
    React,
    Rules,
    SendMessage,
    SendRates,
    Unavailable,
    UpdateRoom,
)
from chatcore.domain.entries import Message, RoomKind
from chatcore.ports.rate_limiter import Rate
from chatcore.protocol import Object
from chatcore.testing import Recorder, virtual_time
from chatcore_limits import MemoryRateLimiter
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

HI = SendMessage(to="bob", body="hi", key="k1")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


class Answers:
    """The answers to the commands of a socket."""

    def __init__(self) -> None:
        self.taken: list[Object] = []
        self._more = anyio.Event()

    def take(self, answer: Object) -> None:
        self.taken.append(answer)
        self._more.set()

    async def until(self, count: int) -> None:
        while len(self.taken) < count:
            self._more = anyio.Event()
            await self._more.wait()


async def moderates(ask: Ask) -> Command[Any]:
    """Refuse a word, and replace another."""
    command = ask.command
    if not isinstance(command, SendMessage | EditMessage):
        return command
    if "spam" in command.body:
        raise Forbidden("No spam here.")
    return evolve(command, body=command.body.replace("damn", "****"))


async def hangs(ask: Ask) -> Command[Any]:
    await anyio.sleep_forever()
    return ask.command


async def hangs_in_a_scope(ask: Ask) -> Command[Any]:
    with anyio.fail_after(60):
        await anyio.sleep_forever()
    return ask.command


async def raises(_: Ask) -> Command[Any]:
    raise OSError("the moderation service is away")


async def times_out(_: Ask) -> Command[Any]:
    raise TimeoutError


async def returns_none(_: Ask) -> Any:
    return None


def is_not_async(ask: Ask) -> Any:
    return ask.command


async def returns_another_class(ask: Ask) -> Command[Any]:
    return UpdateRoom(room="room-x", title="hi")


async def returns_a_read(_: Ask) -> Command[Any]:
    return History(peer="bob")


async def returns_another_room(ask: Ask) -> Command[Any]:
    return SendMessage(to="eve", body="hi", key="k1")


async def returns_another_key(ask: Ask) -> Command[Any]:
    return SendMessage(to="bob", body="hi", key="another")


async def body_is_too_large(ask: Ask) -> Command[Any]:
    assert isinstance(ask.command, SendMessage)
    return evolve(ask.command, body="x" * 16_385)


FAULTY: dict[str, Gate] = {
    gate.__name__: gate
    for gate in (
        hangs,
        hangs_in_a_scope,
        raises,
        times_out,
        returns_none,
        is_not_async,
        returns_another_class,
        returns_a_read,
        returns_another_room,
        returns_another_key,
    )
}


async def bodies(chat: Chat, user: str = "alice", peer: str = "bob") -> list[str]:
    page = await chat.execute(user, History(peer=peer, before=200))
    return [entry.event.body for entry in page.entries if isinstance(entry.event, Message)]


async def test_gate_is_asked_about_each_command_of_clients_that_appends() -> None:
    asked: list[Ask] = []

    async def gate(ask: Ask) -> Command[Any]:
        asked.append(ask)
        return ask.command

    answers = Answers()
    async with (
        Chat(MemoryStore(), gate=gate, canonical=str.lower) as chat,
        chat.connect(Recorder(), user="Alice") as socket,
    ):
        await socket.receive("message.send", {"to": "Bob", "body": "first", "key": "k1"}, answers.take)
        created = await chat.request("bob", CreateRoom(kind="public", title="Cats", key="k2"))
        await socket.receive("room.join", {"room": created.room}, answers.take)
        await socket.receive("history", {"with": "bob"}, answers.take)
        await chat.request("bob", History(peer="alice"))
        await chat.execute("bob", SendMessage(to="alice", body="of the host", key="k3"))
        await answers.until(3)
    assert all(answer["ok"] for answer in answers.taken)
    assert [(ask.user, type(ask.command), ask.via) for ask in asked] == [
        ("alice", SendMessage, "socket"),
        ("bob", CreateRoom, "http"),
        ("alice", JoinRoom, "socket"),
    ]


async def test_gate_rewrites_and_refuses_sends_and_edits() -> None:
    async with Chat(MemoryStore(), gate=moderates) as chat:
        sent = await chat.request("alice", SendMessage(to="bob", body="damn", key="k1"))
        with pytest.raises(Forbidden, match="No spam here"):
            await chat.request("alice", SendMessage(to="bob", body="spam", key="k2"))
        with pytest.raises(Forbidden, match="No spam here"):
            await chat.request("alice", EditMessage(room=sent.room, seq=1, version=1, body="spam"))
        await chat.request("alice", EditMessage(room=sent.room, seq=1, version=1, body="damn it", key="k3"))
        assert await bodies(chat) == ["**** it"]


async def test_1000_retries_across_a_rewriting_gate_are_duplicates() -> None:
    asked = 0

    async def gate(ask: Ask) -> Command[Any]:
        nonlocal asked
        asked += 1
        assert isinstance(ask.command, SendMessage)
        return evolve(ask.command, body=f"rewritten {asked}")

    async with Chat(MemoryStore(), gate=gate) as chat:
        answers = [await chat.request("alice", HI) for _ in range(1_000)]
        assert {answer.seq for answer in answers} == {1}
        assert [answer.duplicate for answer in answers] == [False, *[True] * 999]
        assert await bodies(chat) == ["rewritten 1"]


@pytest.mark.parametrize("gate", FAULTY.values(), ids=FAULTY.keys())
async def test_retry_of_a_used_key_gets_the_first_answer_for_any_gate(gate: Gate) -> None:
    """A gate that refuses the message now is included."""

    async def refuses(_: Ask) -> Command[Any]:
        raise Forbidden

    store = MemoryStore()
    async with Chat(store) as chat:
        first = await chat.request("alice", HI)
    for changed in (gate, refuses):
        async with Chat(store, gate=changed) as chat:
            again = await chat.request("alice", HI)
            assert (again.seq, again.duplicate) == (first.seq, True)


@pytest.mark.parametrize("gate", FAULTY.values(), ids=FAULTY.keys())
async def test_faulty_gate_is_unavailable_and_logged_once(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    async with Chat(MemoryStore(), gate=gate, gate_s=1) as chat:
        for number in range(3):
            began = anyio.current_time()
            with pytest.raises(Unavailable):
                await chat.request("alice", evolve(HI, key=f"k{number}"))
            assert anyio.current_time() - began == (1 if gate in (hangs, hangs_in_a_scope) else 0)
        assert await bodies(chat) == []
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "gate failed: passed=False" in record.getMessage()


@pytest.mark.parametrize("gate", FAULTY.values(), ids=FAULTY.keys())
async def test_faulty_open_gate_lets_the_command_pass_and_logs_it(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    async with Chat(MemoryStore(), gate=gate, gate_open=True) as chat:
        await chat.request("alice", HI)
        assert await bodies(chat) == ["hi"]
    assert "gate failed: passed=True" in caplog.text


async def test_gate_that_is_not_async_is_unavailable_and_the_log_says_what_to_write(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate: Any = lambda ask: ask.command  # noqa: E731
    async with Chat(MemoryStore(), gate=gate) as chat:
        with pytest.raises(Unavailable):
            await chat.request("alice", HI)
    assert "the gate is not async: write `async def gate(ask)`" in caplog.text.splitlines()[0]


async def test_fields_of_a_rewritten_command_keep_their_bounds() -> None:
    async with Chat(MemoryStore(), gate=body_is_too_large) as chat:
        with pytest.raises(ChatError) as refused:
            await chat.request("alice", HI)
        assert refused.value.code == "invalid"


async def test_commands_of_a_socket_keep_their_order_for_any_delay_of_the_gate() -> None:
    delays = iter([0.3, 0, 0.2, 0.1, 0] * 10)

    async def gate(ask: Ask) -> Command[Any]:
        await anyio.sleep(next(delays))
        return ask.command

    answers = Answers()
    async with Chat(MemoryStore(), gate=gate) as chat, chat.connect(Recorder(), user="alice") as socket:
        for number in range(50):
            message = {"to": "bob", "body": str(number), "key": f"k{number}"}
            await socket.receive("message.send", message, answers.take)
        await answers.until(50)
        assert await bodies(chat) == [str(number) for number in range(50)]


async def test_time_of_the_gate_counts_for_the_deadline_of_the_command() -> None:
    async def slow(ask: Ask) -> Command[Any]:
        await anyio.sleep(4)
        return ask.command

    class HangingStore(MemoryStore):
        async def append(self, entries: Any) -> Any:
            await anyio.sleep_forever()

    answers = Answers()
    async with Chat(HangingStore(), gate=slow, gate_s=4.5) as chat, chat.connect(Recorder(), user="alice") as socket:
        began = anyio.current_time()
        await socket.receive("message.send", {"to": "bob", "body": "hi", "key": "k"}, answers.take)
        await answers.until(1)
        assert answers.taken[0]["error"]["code"] == "unavailable"
        assert 5 <= anyio.current_time() - began < 5.5


async def test_refusal_of_the_gate_is_hidden_from_a_user_that_is_not_a_member() -> None:
    async with Chat(MemoryStore(), gate=moderates) as chat:
        room = (await chat.request("alice", CreateRoom(kind="group", title="Cats", key="k1"))).room
        with pytest.raises(NotFound):
            await chat.request("eve", SendMessage(room=room, body="spam", key="k2"))


async def test_command_above_the_limits_is_refused_before_the_gate_is_asked() -> None:
    asked = 0

    async def gate(ask: Ask) -> Command[Any]:
        nonlocal asked
        asked += 1
        return ask.command

    limits = CommandLimits(rates=SendRates(user=Rate(2, 3_600)), limiter=MemoryRateLimiter({}))
    async with Chat(MemoryStore(), gate=gate, limits=limits) as chat:
        for number in range(2):
            await chat.request("alice", evolve(HI, key=f"k{number}"))
        with pytest.raises(RateLimited):
            await chat.request("alice", evolve(HI, key="k2"))
    assert asked == 2


async def test_cancelled_caller_of_a_hanging_gate_is_cancelled() -> None:
    async with Chat(MemoryStore(), gate=hangs) as chat:
        with anyio.move_on_after(0.5) as scope:
            await chat.request("alice", HI)
        assert scope.cancelled_caught


# The rules of the host.


def plain(rule: Callable[..., bool]) -> Callable[..., bool]:
    return rule


def asynchronous(rule: Callable[..., bool]) -> Callable[..., Awaitable[bool]]:
    async def answer(*arguments: object) -> bool:
        await anyio.sleep(0.01)
        return rule(*arguments)

    return answer


@pytest.mark.parametrize("made", [plain, asynchronous])
async def test_rules_are_asked_about_every_command_but_trusted_ones(made: Callable[[Any], Any]) -> None:
    asked: list[tuple[str, ...]] = []

    def may_create(user: str, kind: RoomKind) -> bool:
        asked.append(("create", user, kind))
        return kind == "group"

    def may_write(user: str, peer: str) -> bool:
        asked.append(("write", user, peer))
        return peer != "bob"

    rules = Rules(may_create=made(may_create), may_write=made(may_write))
    answers = Answers()
    public, group = (CreateRoom(kind=kind, title="Cats", key=kind) for kind in get_args(RoomKind) if kind != "private")
    if public.kind == "group":
        public, group = group, public
    async with Chat(MemoryStore(), rules=rules) as chat, chat.connect(Recorder(), user="alice") as socket:
        for ask in (chat.request, chat.execute):
            with pytest.raises(Forbidden):
                await ask("alice", HI)
            with pytest.raises(Forbidden):
                await ask("alice", public)
        await socket.receive("message.send", {"to": "bob", "body": "hi", "key": "k"}, answers.take)
        await answers.until(1)
        assert answers.taken[0]["error"]["code"] == "forbidden"
        assert set(asked) == {("write", "alice", "bob"), ("create", "alice", "public")}

        sent = await chat.execute("alice", HI, trusted=True)
        assert sent.room == "pvt-alice-bob"
        for command in (
            SendMessage(room=sent.room, body="again", key="k2"),
            EditMessage(room=sent.room, seq=1, version=1, body="again"),
            React(room=sent.room, seq=1, emoji="x", on=True),
        ):
            with pytest.raises(Forbidden):
                await chat.request("alice", command)
        await chat.request("bob", SendMessage(room=sent.room, body="an answer", key="k3"))
        room = (await chat.request("alice", group)).room
        await chat.request("alice", InviteUser(room=room, user="bob"))
        await chat.request("alice", SendMessage(room=room, body="in a group", key="k4"))
        asked.clear()
        await chat.request("alice", SendMessage(to="alice", body="a note", key="k5"))
        with pytest.raises(NotFound):
            await chat.request("eve", SendMessage(room=sent.room, body="hi", key="k6"))
        assert asked == []


@pytest.mark.parametrize("fault", [hangs, raises])
async def test_faulty_rule_is_unavailable_after_2_s_at_most(
    fault: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def may_write(user: str, peer: str) -> bool:
        await fault(Ask("alice", HI, "http"))
        return True

    async with Chat(MemoryStore(), rules=Rules(may_write=may_write)) as chat:
        began = anyio.current_time()
        with pytest.raises(Unavailable):
            await chat.request("alice", HI)
        assert anyio.current_time() - began == (2 if fault is hangs else 0)
        assert await bodies(chat) == []
    assert "rule failed: rule=may_write" in caplog.text
