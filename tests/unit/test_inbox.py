"""Packets that wait for a dispatcher are bounded, and the reader goes on once half of the bound is free."""

import pytest

from chatcore_socketio.inbox import FRAMES_MAX, Inbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(("packet", "most"), [("x", 256), ("x" * 65_536, 4)])
async def test_inbox_is_full_by_packets_or_by_characters(packet: str, most: int) -> None:
    inbox = Inbox()
    for _ in range(2):
        for _ in range(most - 1):
            inbox.put(packet)
            assert not inbox.full
        inbox.put(packet)
        assert inbox.full
        room = inbox.room()
        for _ in range(most // 2 - 1):
            assert await inbox.take() == packet
            assert not room.done()
        assert inbox.holds_up_the_reader
        await inbox.take()
        assert room.done()
        assert not inbox.holds_up_the_reader
        for _ in range(most // 2):
            await inbox.take()


async def test_closed_inbox_gives_what_is_there_and_lets_the_reader_go() -> None:
    inbox = Inbox()
    for number in range(FRAMES_MAX):
        inbox.put(f"{number}")
    room = inbox.room()
    inbox.close()
    assert room.done()
    assert [await inbox.take() for _ in range(FRAMES_MAX + 1)] == [*(f"{number}" for number in range(FRAMES_MAX)), None]
