"""`Chat.feed`: batches, positions, waiting, and faults of the store."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest

from chatcore import (
    Chat,
    DeleteMessage,
    EditMessage,
    Entry,
    FeedBatch,
    FeedPage,
    FeedReader,
    FeedReset,
    Invalid,
    Message,
    SendMessage,
    Unavailable,
)
from chatcore.feed import BATCH_MAX, POLL_S, READ_PAUSE_S, RETRY_MAX_S
from chatcore.ids import private_room_id
from chatcore.ports.entry_feed import FeedStart
from chatcore.testing import virtual_time
from chatcore.testing.builders import conversation
from chatcore.testing.default_views import DefaultViews
from chatcore.testing.logs import write
from chatcore_memory import MemoryBus, MemoryStore

pytestmark = pytest.mark.anyio

ROOM = private_room_id("alice", "bob")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


class Consumer:
    """Takes the batches of a feed in a task of its own."""

    def __init__(self, feed: AsyncIterator[FeedBatch]) -> None:
        self._feed = feed
        self.batches: list[FeedBatch] = []
        self.times: list[float] = []
        self.ended = False

    async def run(self) -> None:
        async for batch in self._feed:
            self.batches.append(batch)
            self.times.append(anyio.current_time())
        self.ended = True

    @property
    def entries(self) -> Sequence[Entry]:
        return [one for batch in self.batches for one in batch.entries]

    @property
    def seqs(self) -> Sequence[int]:
        return [one.seq for one in self.entries]


async def send(chat: Chat, key: str) -> None:
    await chat.execute("alice", SendMessage(to="bob", body=key, key=key))


async def first(feed: AsyncIterator[FeedBatch]) -> FeedBatch:
    """Return the first batch of a feed, and leave it as `break` does."""
    async for batch in feed:
        return batch
    raise AssertionError("the feed has ended")


async def test_feed_gives_messages_edits_and_deletions_of_all_rooms() -> None:
    async with Chat(MemoryStore()) as chat:
        await send(chat, "1")
        await chat.execute("alice", EditMessage(room=ROOM, seq=1, version=1, body="new", key="2"))
        await chat.execute("alice", DeleteMessage(room=ROOM, seq=1, key="3"))
        await chat.execute("carol", SendMessage(to="dan", body="hi", key="1"))
        entries = (await first(chat.feed())).entries
        assert [type(one.event).__name__ for one in entries] == ["Message", "Edited", "Deleted", "Message"]
        assert entries[0].event == Message(body="", deleted=True)


async def test_feed_goes_on_from_a_position_in_a_later_chat_on_the_same_store() -> None:
    store = MemoryStore()
    async with Chat(store) as chat:
        await send(chat, "1")
        position = (await first(chat.feed())).position
        await send(chat, "2")
    assert position.isascii()
    assert len(position) <= 64
    async with Chat(store) as chat:
        assert [one.seq for one in (await first(chat.feed(position))).entries] == [2]
        assert [one.seq for one in (await first(chat.feed(after=None))).entries] == [1, 2]


async def test_feed_from_now_gives_only_later_entries() -> None:
    async with Chat(MemoryStore()) as chat, anyio.create_task_group() as tasks:
        await send(chat, "1")
        consumer = Consumer(chat.feed("now"))
        tasks.start_soon(consumer.run)
        await anyio.wait_all_tasks_blocked()
        await send(chat, "2")
        await anyio.sleep(POLL_S)
        assert consumer.seqs == [2]
        tasks.cancel_scope.cancel()


async def test_large_log_comes_in_batches_without_pauses() -> None:
    store = MemoryStore()
    async with Chat(store) as chat:
        await write(store, conversation("room", 2 * BATCH_MAX + 1))
        start, sizes = anyio.current_time(), list[int]()
        async for batch in chat.feed():
            sizes.append(len(batch.entries))
            if len(sizes) == 3:
                break
        assert sizes == [BATCH_MAX, BATCH_MAX, 1]
        assert anyio.current_time() == start
        second = await anext(chat.feed((await anext(chat.feed())).position))
        assert [one.seq for one in second.entries] == list(range(BATCH_MAX + 1, 2 * BATCH_MAX + 1))


async def test_entry_of_this_node_comes_at_once_and_those_of_a_busy_room_together() -> None:
    async with Chat(MemoryStore()) as chat, anyio.create_task_group() as tasks:
        consumer = Consumer(chat.feed())
        tasks.start_soon(consumer.run)
        await anyio.sleep(POLL_S / 2)
        sent_at = anyio.current_time()
        for number in range(20):
            await send(chat, str(number))
            await anyio.sleep(READ_PAUSE_S / 10)
        await anyio.sleep(READ_PAUSE_S)
        assert consumer.seqs == list(range(1, 21))
        assert consumer.times[0] == sent_at
        assert len(consumer.batches) <= 4
        tasks.cancel_scope.cancel()


async def test_entry_of_another_node_comes_at_once_with_a_bus_and_else_within_two_seconds() -> None:
    store, bus = MemoryStore(), MemoryBus()
    near, far, writer = Chat(store, bus=bus), Chat(store), Chat(store, bus=bus)
    async with near, far, writer, anyio.create_task_group() as tasks:
        consumers = [Consumer(near.feed()), Consumer(far.feed())]
        for consumer in consumers:
            tasks.start_soon(consumer.run)
        await anyio.sleep(POLL_S / 2)
        sent_at = anyio.current_time()
        await send(writer, "1")
        await anyio.sleep(POLL_S)
        assert [consumer.seqs for consumer in consumers] == [[1], [1]]
        assert consumers[0].times == [sent_at]
        assert sent_at < consumers[1].times[0] <= sent_at + 2
        tasks.cancel_scope.cancel()


async def test_feeds_do_not_affect_each_other() -> None:
    async with Chat(MemoryStore()) as chat:
        await send(chat, "1")
        feeds = [chat.feed(), chat.feed()]
        start = await anext(feeds[0])
        await send(chat, "2")
        assert [one.seq for one in (await anext(feeds[1])).entries] == [1, 2]
        assert [one.seq for one in (await anext(feeds[0])).entries] == [2]
        assert [one.seq for one in start.entries] == [1]


async def test_all_feeds_that_wait_get_an_entry_at_once_and_then_read_every_two_seconds() -> None:
    store = Failing()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        consumers = [Consumer(chat.feed()), Consumer(chat.feed())]
        for consumer in consumers:
            tasks.start_soon(consumer.run)
        await anyio.sleep(POLL_S / 2)
        sent_at = anyio.current_time()
        await send(chat, "1")
        await anyio.wait_all_tasks_blocked()
        assert [consumer.times for consumer in consumers] == [[sent_at], [sent_at]]
        await anyio.sleep(POLL_S)
        store.reads.clear()
        await anyio.sleep(20)
        assert len(store.reads) == 2 * 10
        tasks.cancel_scope.cancel()


async def test_cancelled_wait_for_a_batch_loses_no_entry() -> None:
    async with Chat(MemoryStore()) as chat:
        feed = chat.feed()
        for number in range(1, 4):
            with anyio.move_on_after(POLL_S * number / 3):
                await anext(feed)
        await send(chat, "1")
        assert [one.seq for one in (await anext(feed)).entries] == [1]


class Failing(MemoryStore):
    """A store whose feed is unavailable while ``failing``."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = False
        self.reads: list[float] = []

    def feed(self, after: FeedStart) -> FeedReader:
        store, reader = self, super().feed(after)

        class Reader(FeedReader):
            async def read(self, limit: int) -> FeedPage:
                store.reads.append(anyio.current_time())
                if store.failing:
                    raise Unavailable
                return await reader.read(limit)

        return Reader()


async def test_feed_survives_an_outage_with_growing_pauses_and_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "chatcore.feed")
    store = Failing()
    async with Chat(store) as chat, anyio.create_task_group() as tasks:
        consumer = Consumer(chat.feed())
        tasks.start_soon(consumer.run)
        await anyio.wait_all_tasks_blocked()
        store.failing = True
        await send(chat, "1")
        await anyio.sleep(60)
        pauses = [round(later - one, 3) for one, later in zip(store.reads[1:], store.reads[2:], strict=False)]
        assert pauses[:6] == [0.5, 1, 2, 4, 8, 8]
        store.failing = False
        await anyio.sleep(RETRY_MAX_S)
        assert consumer.seqs == [1]
        tasks.cancel_scope.cancel()
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "reading the feed failed, and is tried again",
        "reading the feed works again",
    ]


@pytest.mark.parametrize("failing", [False, True], ids=["at its end", "while the store is unavailable"])
async def test_feed_ends_when_the_chat_is_left(failing: bool) -> None:
    store = Failing()
    chat = Chat(store)
    async with anyio.create_task_group() as tasks:
        async with chat:
            consumer = Consumer(chat.feed())
            tasks.start_soon(consumer.run)
            await anyio.wait_all_tasks_blocked()
            if failing:
                store.failing = True
                await anyio.sleep(2 * POLL_S)
            left_at = anyio.current_time()
        with anyio.fail_after(1):
            await anyio.wait_all_tasks_blocked()
        assert consumer.ended
        assert anyio.current_time() == left_at
    with pytest.raises(Unavailable):
        chat.feed()


async def test_chat_is_left_while_its_feed_is_between_two_batches() -> None:
    chat = Chat(MemoryStore())
    async with chat:
        await send(chat, "1")
        feed = chat.feed()
        await anext(feed)
    with pytest.raises(StopAsyncIteration):
        await anext(feed)


POSITION = "0123456789abcdef-0000000000000001"


@pytest.mark.parametrize(
    "garbage",
    ["", "x", "1", "NOW", POSITION[:-1], POSITION + "0", POSITION.upper(), POSITION + "\n", " " + POSITION, "é" * 33],
)
async def test_garbage_is_invalid_and_says_what_to_pass(garbage: str) -> None:
    async with Chat(MemoryStore()) as chat:
        with pytest.raises(Invalid, match="pass the position of a batch") as refused:
            chat.feed(garbage)
        assert not isinstance(refused.value, FeedReset)
        assert refused.value.field == "after"


async def test_value_of_another_type_is_invalid() -> None:
    async with Chat(MemoryStore()) as chat:
        for wrong in (0, 5, b"now", ["now"]):
            with pytest.raises(Invalid):
                chat.feed(wrong)  # type: ignore[arg-type]


async def test_position_of_another_store_is_reset() -> None:
    async with Chat(MemoryStore()) as chat:
        await send(chat, "1")
        position = (await first(chat.feed())).position
    async with Chat(MemoryStore()) as chat:
        await send(chat, "1")
        for other in (position, f"{'0' * 16}-{'0' * 16}", f"{'f' * 16}-{'0' * 16}"):
            with pytest.raises(FeedReset):
                chat.feed(other)


async def test_position_above_all_entries_is_reset() -> None:
    store = MemoryStore()
    async with Chat(store) as chat:
        await send(chat, "1")
        position = (await first(chat.feed())).position
        with pytest.raises(FeedReset):
            await first(chat.feed(position[:-1] + "2"))


async def test_feed_of_a_chat_that_was_not_entered_is_refused() -> None:
    with pytest.raises(RuntimeError, match="enter the Chat first"):
        Chat(MemoryStore()).feed()


async def test_other_exceptions_of_a_store_reach_the_consumer() -> None:
    class Broken(MemoryStore):
        def feed(self, after: FeedStart) -> FeedReader:
            class Reader(FeedReader):
                async def read(self, limit: int) -> FeedPage:
                    raise ZeroDivisionError

            return Reader()

    async with Chat(Broken()) as chat:
        with pytest.raises(ZeroDivisionError):
            await first(chat.feed())


async def test_chat_on_a_store_without_a_feed_is_a_type_error() -> None:
    class PlainStore(DefaultViews):
        """A store without the capability."""

    async with Chat(PlainStore(MemoryStore())) as chat:
        with pytest.raises(TypeError, match="PlainStore has no feed"):
            chat.feed()
