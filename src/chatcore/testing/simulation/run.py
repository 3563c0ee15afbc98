"""One run of one seed."""

import asyncio
import gc
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random

import anyio
from attrs import frozen

from ...ports.store import Store
from ..clock import ShuffledLoop, Stuck
from .cluster import Cluster, Node
from .comparison import judge_clients
from .director import Director
from .logs import Logs
from .owners import own_tasks
from .verdict import judge_answers, judge_entries
from .verdict_on_pushes import judge_pushes
from .world import World

WITHIN_S = 5
ENOUGH_S = 3_600
OWN_TASKS = 7


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
        _unbegun_left(),
        _no_garbage(),
        asyncio.Runner(loop_factory=lambda: ShuffledLoop(loop_random, world.climate.shuffle)) as runner,
    ):
        try:
            runner.run(_play(world, store(), commands))
        except Stuck as error:
            world.fault(str(error))
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
        logs = await Logs.read(store, world.truth.entries)
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
    judge_pushes(world, logs)
    for caller in director.callers:
        if not caller.settled:
            world.fault(f"never settled: {caller}")
    for line in cluster.lines:
        if not line.ended and not line.bye and line.silent():
            world.fault(f"never answered: {line.silent()[0]}")
        if line.unsaid():
            world.fault(f"{line} was never told that these are gone: {line.unsaid()}")
    await judge_clients(world, cluster.up[0].chat, director.clients, logs)


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
    idle = node.chat._background.idle  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if len(tasks) - idle > OWN_TASKS:
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
def _unbegun_left() -> Generator[None]:
    """A node that crashes leaves work that had not begun: anyio's tasks hold it, and it is awaited nowhere."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"coroutine '_(logged|kept)' was never awaited", RuntimeWarning)
        yield


@contextmanager
def _no_garbage() -> Generator[None]:
    """No collection while a seed runs: it would come at no certain moment."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)
