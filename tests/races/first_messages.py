"""Two users send each other their first messages at the same instant, each at a different Chat."""

from functools import partial

import anyio

from chatcore import Chat, History, SendMessage
from chatcore.ids import private_room_id
from chatcore.ports.store import Store
from chatcore_memory import MemoryBus

from .barrier import Barrier
from .race import AT_ONCE, RACES


async def race_first_messages(store: Store, other: Store | None = None) -> int:
    """Let `RACES` pairs write to each other at the same instant, each user at a different Chat.

    ``other`` is the second Chat's store, of the same database. Without ``other``, both Chats share ``store``. Returns
    the number of conflicts.

    Asserts that each pair has one room with both messages, in seqs 1 and 2.
    """
    stores = store, other or store
    barrier = Barrier(*dict.fromkeys(stores))
    bus = MemoryBus()
    async with Chat(stores[0], bus=bus) as here, Chat(stores[1], bus=bus) as there:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for number in range(RACES):
                barrier.expect(private_room_id(f"anna-{number}", f"zoe-{number}"), 1)
                tasks.start_soon(_race, limiter, here, there, f"anna-{number}", f"zoe-{number}")
    return barrier.conflicts


async def _race(limiter: anyio.CapacityLimiter, here: Chat, there: Chat, user: str, peer: str) -> None:
    async with limiter:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(here.execute, user, SendMessage(to=peer, body="hi", key="k")))
            tasks.start_soon(partial(there.execute, peer, SendMessage(to=user, body="ho", key="k")))
        page = await here.execute(user, History(peer=peer))
        assert page.room == private_room_id(user, peer)
        assert [entry.seq for entry in page.entries] == [1, 2]
        assert {entry.author for entry in page.entries} == {user, peer}
        assert [bool(entry.opens) for entry in page.entries] == [True, False]
