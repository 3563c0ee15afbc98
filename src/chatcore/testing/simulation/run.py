"""One run of one seed."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random

import anyio
from attrs import frozen

from ...chat import Chat
from ...commands.reading import History
from ...ids import RoomId, Seq, UserId
from ...ports.store import Store
from ...protocol import Object, entry_object
from ..clock import ShuffledLoop
from .cluster import Cluster, Node
from .director import Director
from .logs import Logs
from .owners import own_tasks
from .verdict import judge_answers, judge_entries, judge_shown
from .world import World

WITHIN_S = 5
ENOUGH_S = 3_600
OWN_TASKS = 6


@frozen(kw_only=True)
class Run:
    """What came of one seed: the promises that were broken, how often what happened, and the story."""

    seed: int
    broken: tuple[str, ...]
    counts: Counter[str]
    trace: tuple[str, ...]


def simulate(seed: int, store: Callable[[], Store], *, commands: int = 200, tracing: bool = False) -> Run:
    """Run one seed to its end and judge it. The same seed, store and size give the same run."""
    world = World(seed, tracing=tracing)
    loop_random = Random(world.random.random())
    with (
        _errors_logged(world),
        _no_garbage(),
        asyncio.Runner(loop_factory=lambda: ShuffledLoop(loop_random, world.climate.shuffle)) as runner,
    ):
        runner.run(_play(world, store(), commands))
    return Run(seed=seed, broken=tuple(world.broken), counts=world.counts, trace=tuple(world.trace or ()))


async def _play(world: World, store: Store, commands: int) -> None:
    world.loop = asyncio.get_running_loop()
    own_tasks(world.loop)
    world.loop.set_exception_handler(lambda _, context: world.fault(f"unhandled: {context}"))
    cluster = Cluster(world, store)
    director = Director(world, cluster)
    with anyio.fail_after(ENOUGH_S):
        for number in range(world.climate.nodes):
            cluster.start(number)
        await director.direct(commands)
        await _quiet(world, cluster, director)
        logs = await Logs.read(store)
        await _judge(world, cluster, director, logs)
        await _end(world, cluster, director)


async def _quiet(world: World, cluster: Cluster, director: Director) -> None:
    """The faults end; everybody is given 5 s."""
    await cluster.store.landed()
    await cluster.all_up()
    world.faults.over = True
    world.tell("the faults end")
    for client in director.clients:
        client.poke()
    await asyncio.sleep(WITHIN_S)
    world.tell("judgement")


async def _judge(world: World, cluster: Cluster, director: Director, logs: Logs) -> None:
    judge_entries(world, cluster.attempts, logs)
    judge_answers(world, cluster.attempts, logs)
    judge_shown(world, logs)
    for caller in director.callers:
        if not caller.settled:
            world.fault(f"never settled: {caller}")
    for line in cluster.lines:
        if not line.ended and not line.bye and line.silent():
            world.fault(f"never answered: {line.silent()[0]}")
    snapshots = {
        (user, log.room): await _snapshot(cluster.up[0].chat, user, log.room)
        for log in logs
        for user in log.states[-1].members
    }
    for client in director.clients:
        if client.wanted:
            for number, data in client.open.items():
                world.fault(f"{client.user} still waits for {number}: {data}")
            _compare(world, client.user, client.held, {r: s for (u, r), s in snapshots.items() if u == client.user})
    for (_, room), found in snapshots.items():
        if found != {entry.seq: entry_object(entry) for entry in logs[room].entries}:
            world.fault(f"the history of {room} is not its log")


async def _snapshot(chat: Chat, user: UserId, room: RoomId) -> dict[Seq, Object]:
    """A room as somebody sees it who comes now and pages through all of it."""
    found: dict[Seq, Object] = {}
    anchor: Seq | str = "oldest"
    while True:
        page = await chat.execute(user, History(room=room, anchor=anchor, after=150))
        found.update((entry.seq, entry_object(entry)) for entry in page.entries)
        if not page.has_after:
            return found
        anchor = page.entries[-1].seq


def _compare(
    world: World, user: UserId, held: dict[RoomId, dict[Seq, Object]], due: dict[RoomId, dict[Seq, Object]]
) -> None:
    for room in due.keys() | held.keys():
        if held.get(room, {}) != due.get(room, {}):
            have, want = held.get(room, {}), due.get(room, {})
            world.fault(f"{user} has of {room} {sorted(have)} where {sorted(want)} is")


async def _end(world: World, cluster: Cluster, director: Director) -> None:
    """Everybody leaves: nothing is left alive, but for what a node does by itself."""
    for client in director.clients:
        client.go()
    await asyncio.sleep(10)
    for node in cluster.up:
        for ghost in _ghosts(node):
            world.fault(f"node {node.number} keeps {ghost!r}")
    for task in [cluster.stop(node, again=False) for node in cluster.up]:
        await task
    await asyncio.sleep(10)


def _ghosts(node: Node) -> Generator[object]:
    hub = node.chat._hub  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    yield from hub._rooms.values()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    yield from hub._users.values()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    yield from node.chat._sockets.here.values()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    yield from node.lines
    tasks = node.owner.living()
    if len(tasks) > OWN_TASKS:
        yield tasks


class _Errors(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.fault(f"logged: {self.format(record)}")


@contextmanager
def _errors_logged(world: World) -> Generator[None]:
    """While entered, an error that chatcore logs is a broken promise; warnings are to be expected."""
    logger = logging.getLogger("chatcore")
    handler, level, propagate = _Errors(world), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


@contextmanager
def _no_garbage() -> Generator[None]:
    """No collection while a seed runs: it would come at no certain moment."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)
