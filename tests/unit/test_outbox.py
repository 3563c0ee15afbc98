"""An outbox keeps order and bounds, and ends with the Chat's reason."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest

from chatcore import Bye, Chat, Outbox, SendMessage, Socket, outbox
from chatcore.outbox import DRAINED_BELOW, UNSENT_MAX, OutgoingQueue
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"
BODY = "x" * 16_000
KIB = 1024


class Reader:
    """A client that reads while its gate is open."""

    def __init__(self) -> None:
        self.texts: list[Any] = []
        self.gate = anyio.Event()
        self.news = anyio.Event()

    async def send(self, text: str) -> None:
        await self.gate.wait()
        self.texts.append(json.loads(text))
        self.news.set()
        self.news = anyio.Event()

    async def until(self, condition: Callable[[list[Any]], bool]) -> None:
        with anyio.fail_after(15):
            while not condition(self.texts):
                await self.news.wait()

    def entries(self) -> list[int]:
        return [text["data"]["seq"] for text in self.texts if text.get("event") == "entry"]


class Client:
    """Bob's client: his outbox, its reader, and what `run` returned."""

    def __init__(self, chat: Chat, box: Outbox, reader: Reader, socket: Socket) -> None:
        self.chat, self.box, self.reader, self.socket = chat, box, reader, socket
        self.byes: list[Bye] = []
        self.has_ended = anyio.Event()

    async def run(self) -> None:
        self.byes.append(await self.box.run(self.reader.send))
        self.has_ended.set()

    async def ended(self) -> Bye:
        with anyio.fail_after(15):
            await self.has_ended.wait()
        return self.byes[0]

    async def receive(self, number: int, event: str, data: object) -> None:
        await self.socket.receive(event, data, partial(self.box.answer, number))


@asynccontextmanager
async def connected() -> AsyncGenerator[Client]:
    async with Chat(MemoryStore()) as chat, anyio.create_task_group() as tasks:
        box, reader = Outbox(), Reader()
        async with chat.connect(box, user="bob") as socket:
            client = Client(chat, box, reader, socket)
            tasks.start_soon(client.run)
            yield client
        tasks.cancel_scope.cancel()


async def test_answers_and_pushes_arrive_in_order() -> None:
    async with connected() as client:
        client.reader.gate.set()
        for number in range(100):
            await client.receive(number, "message.send", {"to": "alice", "body": f"{number}", "key": f"k{number}"})
            await client.chat.execute("alice", SendMessage(to="bob", body="hi", key=f"a{number}"))
        await client.reader.until(lambda _: len(client.reader.entries()) == 200)
        texts = client.reader.texts
        assert texts[0]["event"] == "ready"
        assert client.reader.entries() == list(range(1, 201))
        answers = [text for text in texts if "id" in text]
        assert [text["id"] for text in answers] == list(range(100))
        assert all(text["answer"]["ok"] for text in answers)
        own = [text.get("id", text.get("data", {}).get("body")) for text in texts]
        assert [own.index(number) < own.index(f"{number}") for number in range(100)] == [True] * 100


async def test_client_that_never_reads_is_cut_with_bye_slow_above_1_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "CLOSE_S", 0.05)
    async with connected() as client:
        sent = 0
        while client.box._bye is None:
            assert client.box._queue.unsent <= UNSENT_MAX
            await client.chat.execute("alice", SendMessage(to="bob", body=BODY, key=f"k{sent}"))
            sent += 1
        assert sent * (len(BODY) + 300) > UNSENT_MAX > (sent - 2) * len(BODY)
        unsent = client.box._queue.unsent
        assert unsent < UNSENT_MAX + 17 * KIB
        await client.chat.execute("alice", SendMessage(to="bob", body=BODY, key="later"))
        assert client.box._queue.unsent == unsent
        bye = await client.ended()
        assert (bye.code, bye.close_code) == ("slow", 1013)
        assert client.reader.texts == []
        assert client.box._queue.unsent == 0


async def test_client_that_reads_again_finds_bye_behind_all_that_waited() -> None:
    async with connected() as client:
        sent = 0
        while client.box._bye is None:
            await client.chat.execute("alice", SendMessage(to="bob", body=BODY, key=f"k{sent}"))
            sent += 1
        client.reader.gate.set()
        assert (await client.ended()).code == "slow"
        assert client.reader.entries() == list(range(1, sent + 1))
        assert client.reader.texts[-1] == {"event": "bye", "data": {"code": "slow", "resumable": True}}


async def test_large_answers_wait_for_the_reader_and_do_not_cut_it() -> None:
    async with connected() as client:
        for number in range(40):
            await client.chat.execute("bob", SendMessage(to="bob", body=BODY, key=f"k{number}"))
        client.reader.gate.set()
        await client.reader.until(lambda _: len(client.reader.entries()) == 40)
        client.reader.gate = anyio.Event()

        async def read() -> None:
            for number in range(10):
                await client.receive(number, "history", {"with": "bob"})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
            assert DRAINED_BELOW <= client.box._queue.unsent < DRAINED_BELOW + 600 * KIB
            client.reader.gate.set()
        await client.reader.until(lambda texts: texts[-1].get("id") == 9)
        assert [text["id"] for text in client.reader.texts if "id" in text] == list(range(10))
        assert client.box._bye is None


@pytest.mark.parametrize("size", [DRAINED_BELOW - 1, DRAINED_BELOW])
async def test_drained_waits_until_less_than_256_kib_is_unsent(size: int) -> None:
    queue, is_drained = OutgoingQueue(), anyio.Event()
    gate = anyio.Event()

    async def send(_: str) -> None:
        await gate.wait()

    async def drain() -> None:
        await queue.drained()
        is_drained.set()

    queue.put(b"x")
    queue.put(bytes(size - 1))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.send_all, send)
        tasks.start_soon(drain)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert is_drained.is_set() == (size < DRAINED_BELOW)
        gate.set()
        with anyio.fail_after(5):
            await is_drained.wait()
        queue.close()


async def test_close_ends_run_of_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "CLOSE_S", 0.05)
    async with connected() as client:
        client.socket.close(Bye(code="kicked"))
        bye = await client.ended()
        assert (bye.code, bye.close_code) == ("kicked", 1000)


@pytest.mark.parametrize("code", ["shutdown", "expired", "signed_out", "kicked", "protocol"])
async def test_bye_is_the_last_text(code: Any) -> None:
    async with connected() as client:
        client.reader.gate.set()
        client.socket.close(Bye(code=code))
        client.box.answer(1, {"ok": True})
        client.box.close(Bye(code="shutdown"))
        assert (await client.ended()).code == code
        assert [text["event"] for text in client.reader.texts] == ["ready", "bye"]
        assert client.reader.texts[-1]["data"]["code"] == code


async def test_outbox_closed_before_run_sends_bye() -> None:
    box, reader = Outbox(), Reader()
    reader.gate.set()
    box.close(Bye(code="expired"))
    assert (await box.run(reader.send)).code == "expired"
    assert [text["data"]["code"] for text in reader.texts] == ["expired"]


async def test_second_run_of_broken_outbox_is_refused() -> None:
    box = Outbox()
    box.answer(1, {})
    with pytest.raises(ConnectionResetError):
        await box.run(_failing)
    with pytest.raises(RuntimeError, match="before"):
        await box.run(_failing)


async def _failing(_: str) -> None:
    raise ConnectionResetError


async def _cancelled(_: str) -> None:
    await anyio.sleep_forever()


async def test_exception_of_send_is_raised_by_run_and_nothing_waits_afterwards() -> None:
    box = Outbox()
    box.answer(1, {"ok": True})
    box._queue.put(bytes(DRAINED_BELOW))
    with pytest.raises(ConnectionResetError):
        await box.run(_failing)
    await _is_over(box)


async def test_cancelled_run_drops_what_waits() -> None:
    box = Outbox()
    box._queue.put(bytes(DRAINED_BELOW))
    with anyio.move_on_after(0.01) as scope:
        await box.run(_cancelled)
    assert scope.cancelled_caught
    await _is_over(box)


async def _is_over(box: Outbox) -> None:
    box.answer(2, {"ok": True})
    assert box._queue.unsent == 0
    with anyio.fail_after(5):
        await box.drained()


async def test_waiting_drained_returns_when_the_outbox_is_closed() -> None:
    box = Outbox()
    box._queue.put(bytes(DRAINED_BELOW))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(box.drained)
        await anyio.lowlevel.checkpoint()
        box.close(Bye(code="kicked"))
