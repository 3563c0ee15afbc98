"""What a send costs in a group of 5,000 members against one of 50, with 50 connected in both; in memory.

    python bench/rooms.py

Prints the ratio of alternating runs: its median, lowest and highest. At most 1.2 is what is promised.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import median

from chatcore import Chat, CreateRoom, JoinRoom, Push, SendMessage
from chatcore.ids import RoomId
from chatcore.ports.pushes import Bye
from chatcore_memory import MemoryStore

CONNECTED = 50
LARGE = 5_000
ROUNDS = 11
SENDS = 300


class Sink:
    """A connection that takes everything and keeps nothing."""

    def __init__(self, number: int) -> None:
        self.id = str(number)

    def send(self, push: Push) -> None: ...

    def close(self, bye: Bye) -> None: ...

    async def drained(self) -> None: ...


async def make(chat: Chat, size: int) -> RoomId:
    room = (await chat.execute("olga", CreateRoom(kind="public", title=str(size), key=str(size)))).view.room
    for number in range(size - 1):
        await chat.execute(f"user {number}", JoinRoom(room=room))
    return room


async def send(chat: Chat, room: RoomId, run: int) -> float:
    began = time.perf_counter()
    for number in range(SENDS):
        await chat.execute("olga", SendMessage(room=room, body="x" * 200, key=f"{run} {number}"))
    return (time.perf_counter() - began) / SENDS


async def main() -> None:
    async with Chat(MemoryStore()) as chat, AsyncExitStack() as connected:
        small, large = await make(chat, CONNECTED), await make(chat, LARGE)
        for number in range(CONNECTED - 1):
            await connected.enter_async_context(chat.connect(Sink(number), user=f"user {number}"))
        await connected.enter_async_context(chat.connect(Sink(CONNECTED), user="olga"))
        ratios = []
        for run in range(ROUNDS):
            in_small = await send(chat, small, run)
            in_large = await send(chat, large, run)
            ratios.append(in_large / in_small)
        print(f"a send in a group of {LARGE} against one of {CONNECTED}, {CONNECTED} connected in both:")
        print(f"  ratio {median(ratios):.2f} (lowest {min(ratios):.2f}, highest {max(ratios):.2f}), {ROUNDS} rounds")


if __name__ == "__main__":
    asyncio.run(main())
