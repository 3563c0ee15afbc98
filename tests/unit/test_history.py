"""Pages of a room's history that are cut for their size."""

from typing import Any

import pytest

from chatcore import Chat, Cursor, DeleteMessage, History, Mark, SendMessage, Sync
from chatcore.ids import Seq
from chatcore.protocol import answer_object
from chatcore_http.codec import encode
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"
ANSWER_BYTES_MAX = 512 * 1024


async def fill(chat: Chat, count: int = 100) -> None:
    """Send messages of alice to bob. At most 31 of them fit into an answer."""
    for number in range(count):
        await chat.execute("alice", SendMessage(to="bob", body="x" * 16_384, key=str(number)))


async def read(chat: Chat, **fields: Any) -> tuple[list[Seq], bool, bool]:
    page = await chat.execute("bob", History(room=ROOM, **fields))
    assert len(encode(answer_object(page))) <= ANSWER_BYTES_MAX
    return [entry.seq for entry in page.entries], page.has_before, page.has_after


async def test_page_cut_for_its_size_reports_missing_entries() -> None:
    async with Chat(MemoryStore()) as chat:
        await fill(chat)
        newest, has_before, has_after = await read(chat, before=100)
        assert (newest, has_before, has_after) == (list(range(newest[0], 101)), True, False)
        assert len(newest) >= 30
        oldest, has_before, has_after = await read(chat, anchor="oldest", after=100)
        assert (oldest, has_before, has_after) == (list(range(1, oldest[-1] + 1)), False, True)
        assert len(oldest) >= 30
        around, has_before, has_after = await read(chat, anchor=50, before=49, after=50)
        assert (around, has_before, has_after) == (list(range(around[0], around[-1] + 1)), True, True)
        assert len(around) >= 30
        assert abs(50 - around[0] - (around[-1] - 50)) <= 1


async def test_paging_back_through_cut_pages_returns_every_message() -> None:
    async with Chat(MemoryStore()) as chat:
        await fill(chat)
        seqs, has_before, _ = await read(chat, before=100)
        while has_before:
            older, has_before, _ = await read(chat, anchor=seqs[0], before=100)
            seqs = older[:-1] + seqs
        assert seqs == list(range(1, 101))


async def test_full_sync_reports_events_for_rooms_without_missing_entries() -> None:
    async with Chat(MemoryStore()) as chat:
        await fill(chat)
        for peer in ("carol", "dave"):
            await chat.execute(peer, SendMessage(to="bob", body="x", key="1"))
        epoch = chat.store.epoch
        cursors = {ROOM: Cursor(seq=0), "pvt-bob-carol": Cursor(seq=1, epoch=epoch), "pvt-bob-dave": Cursor(seq=0)}
        synced = await chat.execute("bob", Sync(cursors=cursors))
        assert [room.status for room in synced.rooms.values()] == ["gap", "events", "gap"]
        assert list(synced.rooms["pvt-bob-carol"].entries or ()) == []


@pytest.mark.parametrize(
    ("mark", "first"),
    [
        (Mark(room=ROOM, read=40), 42),
        (Mark(room=ROOM, read=60, unread_from=30), 30),
        (Mark(room=ROOM, read=20, unread_from=30), 21),
        (Mark(room=ROOM, unread_from=30), 1),
    ],
)
async def test_page_around_the_first_unread_message_is_cut_on_both_sides(mark: Mark, first: Seq) -> None:
    """The message at 41 is deleted. ``unread_from`` marks messages as unread and none as read."""
    async with Chat(MemoryStore()) as chat:
        await fill(chat)
        await chat.execute("alice", DeleteMessage(room=ROOM, seq=41))
        await chat.execute("bob", mark)
        alone, *_ = await read(chat, anchor="first_unread", before=0, after=0)
        assert alone == [first]
        around, has_before, has_after = await read(chat, anchor="first_unread", before=100, after=100)
        assert around == list(range(around[0], around[-1] + 1))
        assert first in around
        assert (has_before, has_after) == (first > 15, True)
        if first > 15:
            assert abs(first - around[0] - (around[-1] - first)) <= 1
