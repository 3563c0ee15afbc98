"""The search index follows a Chat through edits, deletions, restarts and another history of the store."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from search_index import SearchIndex

from chatcore import Chat, DeleteMessage, EditMessage, Entry, SendMessage
from chatcore.ids import private_room_id
from chatcore.testing import virtual_time
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

ROOM = private_room_id("alice", "bob")
INDEXED_S = 2


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


class Counting(SearchIndex):
    """An index that knows which entries it has taken since it was opened."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.seqs: list[int] = []

    def put(self, entry: Entry) -> None:
        self.seqs.append(entry.seq)
        super().put(entry)


async def send(chat: Chat, body: str) -> int:
    return (await chat.execute("alice", SendMessage(to="bob", body=body, key=body[:64]))).seq


async def test_index_finds_new_texts_and_neither_edited_nor_deleted_ones(tmp_path: Path) -> None:
    index = SearchIndex(tmp_path / "index")
    async with Chat(MemoryStore()) as chat, anyio.create_task_group() as tasks:
        tasks.start_soon(index.follow, chat)
        for body in ("green apples", "red apples", 'green "pears" AND more'):
            await send(chat, body)
        await anyio.sleep(INDEXED_S)
        assert sorted(index.search("apples")) == [(ROOM, 1), (ROOM, 2)]
        assert index.search("apples", "green") == [(ROOM, 1)]
        assert index.search('"pears"', "AND") == [(ROOM, 3)]
        await chat.execute("alice", EditMessage(room=ROOM, seq=1, version=1, body="yellow plums", key="edit"))
        await chat.execute("alice", DeleteMessage(room=ROOM, seq=2, key="delete"))
        await anyio.sleep(INDEXED_S)
        assert index.search("apples") == []
        assert index.search("plums") == [(ROOM, 1)]
        await chat.execute("alice", DeleteMessage(room=ROOM, seq=1, key="delete too"))
        await anyio.sleep(INDEXED_S)
        assert index.search("plums") == []
        tasks.cancel_scope.cancel()


async def test_index_goes_on_from_its_saved_position(tmp_path: Path) -> None:
    store = MemoryStore()
    for number in (1, 2, 3):
        index = Counting(tmp_path / "index")
        async with Chat(store) as chat, anyio.create_task_group() as tasks:
            await send(chat, f"word{number}")
            tasks.start_soon(index.follow, chat)
            await anyio.sleep(INDEXED_S)
            tasks.cancel_scope.cancel()
        assert index.seqs == [number]
        assert index.search("word1") == [(ROOM, 1)]


async def test_repeated_entries_change_nothing(tmp_path: Path) -> None:
    index = Counting(tmp_path / "index")
    async with Chat(MemoryStore()) as chat:
        await send(chat, "old")
        batches = [await anext(chat.feed())]
        await chat.execute("alice", EditMessage(room=ROOM, seq=1, version=1, body="new", key="edit"))
        batches.append(await anext(chat.feed()))
        for batch in (*batches, *batches):
            index.take(batch)
    assert index.seqs == [1, 2]
    assert (index.search("old"), index.search("new")) == ([], [(ROOM, 1)])


async def test_index_begins_again_with_another_history(tmp_path: Path) -> None:
    index = SearchIndex(tmp_path / "index")
    for word in ("first", "second"):
        async with Chat(MemoryStore()) as chat, anyio.create_task_group() as tasks:
            await send(chat, word)
            tasks.start_soon(index.follow, chat)
            await anyio.sleep(INDEXED_S)
            tasks.cancel_scope.cancel()
        assert index.search(word) == [(ROOM, 1)]
    assert index.search("first") == []
