"""A race of two moves, and a function that runs a race many times."""

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import anyio
from attrs import frozen

from chatcore import Chat, ChatError, Entry
from chatcore.commands.command import RoomCommand
from chatcore.domain.decider import evolve
from chatcore.domain.entries import Event
from chatcore.domain.state import RoomState
from chatcore.ids import RoomId, UserId, created_room_id
from chatcore.ports.store import Store
from chatcore_memory import MemoryBus

from .barrier import Arrival, Barrier

RACES = int(os.environ.get("CHATCORE_TEST_RACES", "200"))
"""How often each race runs."""
CONFLICTS_MIN = RACES * 9 // 10
EACH_ORDER_MIN = RACES // 10
AT_ONCE = 20
FOUNDER = "olga"
FIRST: Sequence[Arrival | None] = ("earlier", "later", None, None)
"""Which append is let in first, in turns."""


@frozen
class Move:
    """A command of one of the two users."""

    user: UserId
    command: RoomCommand[Any]


@frozen(kw_only=True)
class Ending:
    """The result of one order of the two moves: both answers, and the events after those of the beginning.

    An answer is ``+1`` for the first entry after the beginning, ``+1 again`` for a duplicate of it, or an error code.
    """

    one: str
    other: str
    events: Sequence[Event]


class Race(ABC):
    """Two moves in a room, each of which would append an entry if it were alone."""

    def room(self, number: int) -> RoomId:
        return created_room_id(FOUNDER, f"{type(self).__name__} {number}")

    @abstractmethod
    def beginning(self, room: RoomId, number: int) -> Sequence[Entry]:
        """The log before the race."""

    @abstractmethod
    def moves(self, room: RoomId, number: int) -> tuple[Move, Move]: ...

    @abstractmethod
    def endings(self, number: int) -> Mapping[str, Ending]:
        """The possible results of each order of moves, by a name of the order."""

    async def check(self, store: Store, room: RoomId, number: int) -> None:  # noqa: B027 (most races need none)
        """Check further conditions after the race."""


@frozen
class Tally:
    conflicts: int
    orders: Mapping[str, int]


async def run(race: Race, store: Store, other: Store | None = None) -> Tally:
    """Run a race `RACES` times. Asserts each time that one order of the moves explains answers, log and state.

    ``other`` is the second Chat's store, of the same database. Without ``other``, both Chats share ``store``.
    """
    stores = store, other or store
    barrier, bus, orders = Barrier(*dict.fromkeys(stores)), MemoryBus(), Counter[str]()
    async with Chat(stores[0], bus=bus) as here, Chat(stores[1], bus=bus) as there:
        limiter = anyio.CapacityLimiter(AT_ONCE)

        async def run_one(number: int) -> None:
            async with limiter:
                orders[await _run_one(race, number, store, barrier, (here, there))] += 1

        async with anyio.create_task_group() as tasks:
            for number in range(RACES):
                tasks.start_soon(run_one, number)
    return Tally(barrier.conflicts, orders)


async def _run_one(race: Race, number: int, store: Store, barrier: Barrier, chats: tuple[Chat, Chat]) -> str:
    room = race.room(number)
    beginning = race.beginning(room, number)
    if beginning:
        assert (await store.append(beginning)).written == len(beginning)
    barrier.expect(room, len(beginning) + 1, FIRST[number // 4 % len(FIRST)])
    answers = await _both(race.moves(room, number), chats, len(beginning), swapped=number // 2 % 2 == 1)
    log = (await store.read_on(room, 0, 1_000)).entries
    actual = Ending(one=answers[0], other=answers[1], events=[entry.event for entry in log[len(beginning) :]])
    possible = race.endings(number)
    matching = [order for order, ending in possible.items() if ending == actual]
    assert len(matching) == 1, f"{actual} is none of {possible}"
    await _check_state(store, room, log)
    await race.check(store, room, number)
    return matching[0]


async def _both(moves: tuple[Move, Move], chats: tuple[Chat, Chat], head: int, *, swapped: bool) -> tuple[str, str]:
    """Start each move at a different Chat, and return both answers. ``swapped`` starts the second move first."""
    answers: dict[int, str] = {}

    async def make(index: int) -> None:
        answers[index] = await _answer(chats[index], moves[index], head)

    async with anyio.create_task_group() as tasks:
        for index in (1, 0) if swapped else (0, 1):
            tasks.start_soon(partial(make, index))
    return answers[0], answers[1]


async def _answer(chat: Chat, move: Move, head: int) -> str:
    try:
        answer = await chat.execute(move.user, move.command)
    except ChatError as error:
        return error.code
    seq = answer.view.head if hasattr(answer, "view") else answer.seq
    return f"+{seq - head}" + (" again" if answer.duplicate else "")


async def _check_state(store: Store, room: RoomId, log: Sequence[Entry]) -> None:
    """Assert that the log has no hole and no key twice, and that the store's state is the projection of the log."""
    state = RoomState(room=room)
    for entry in log:
        state = evolve(state, entry)
    assert state == await store.state(room)
    keys = [(entry.author, entry.key) for entry in log]
    assert len(keys) == len(set(keys))
