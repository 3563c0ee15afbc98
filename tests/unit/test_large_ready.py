"""A `ready` that would be too large shows fewer rooms. Its socket gets the entries of all of them."""

import pytest

from chatcore import Chat, CreateRoom, SendMessage
from chatcore.domain.entries import Entry
from chatcore.ids import UserId
from chatcore.ports.room_views import Overview
from chatcore.testing import Recorder
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

ROOMS = 50
MEMBERS = [str(number) + 120 * "\N{PILE OF POO}" for number in range(18)]
DATA = {"text": "x" * 8_000}


class PageStore(MemoryStore):
    """A memory store that reads no memberships beside a page that shows all rooms, as SQLite does."""

    async def overview(self, user: UserId, limit: int) -> Overview:
        page = await self.page(user, None, limit)
        return Overview(memberships=await self.memberships(user) if page.next else (), page=page)


async def test_socket_gets_entries_of_rooms_that_a_large_ready_leaves_out() -> None:
    async with Chat(PageStore()) as chat:
        rooms: list[str] = []
        for number in range(ROOMS):
            created = CreateRoom(kind="group", title="Tea", members=["mia", *MEMBERS], key=str(number))
            rooms.append((await chat.execute("olga", created)).room)
            await chat.execute("olga", SendMessage(room=rooms[-1], body="", data=DATA, key="large"))
        recorder = Recorder()
        async with chat.connect(recorder, user="mia"):
            assert 0 < len(recorder.ready.rooms) < ROOMS
            assert recorder.ready.next
            for room in rooms:
                await chat.execute("olga", SendMessage(room=room, body="new", key="new"))
        entries = [push.body for push in recorder.pushes if isinstance(push.body, Entry)]
        assert [entry.room for entry in entries] == rooms
