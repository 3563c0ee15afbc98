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

from ...ports.registry import LEASE_S, SocketRegistry
from ...ports.store import Store
from ..clock import ShuffledLoop, Stuck
from .cancellation import CancelAt
from .climate import STRANGER
from .closings import RENEWED_S
from .cluster import Cluster, Node
from .comparison import judge_clients
from .director import Director
from .faults import Injected
from .logs import Logs
from .owners import current, numbered_scopes, own_tasks
from .stress import STRESSES, Stress
from .verdict import judge_answers, judge_entries, judge_recovery
from .verdict_on_pushes import judge_pushes
from .world import World

WITHIN_S = 5
ENOUGH_S = 3_600
OWN_TASKS = 8
TRIED_AGAIN = (
    "%s failed, and is tried again: %s",
    "the socket registry can't be reached: %s; it is repaired with the next renewal",
)
UNBEGUN = "coroutine 'Background._carry_out' was never awaited"


@frozen(kw_only=True)
class Run:
    """What came of one seed: the promises that were broken, how often what happened, and the story."""

    seed: int
    broken: tuple[str, ...]
    counts: Counter[str]
    trace: tuple[str, ...]


def simulate(
    seed: int,
    store: Callable[[], Store],
    registry: Callable[[Callable[[], float]], SocketRegistry],
    *,
    commands: int = 200,
    tracing: bool = False,
    cancel_at: CancelAt | None = None,
    stress: str | None = None,
    large: bool = False,
) -> Run:
    """Run one seed to its end and judge it. The same arguments give the same run.

    Args:
        seed: decides everything that chance decides.
        store: makes the store.
        registry: makes the registry; it is given the clock of its leases, in seconds.
        commands: how many commands are given, without a ``stress``.
        tracing: whether the run keeps its story.
        cancel_at: has calls of one kind cancelled at one of their awaits; every second command is of that kind then.
        stress: one of `STRESSES`: the world undergoes this.
        large: whether the stress has the size that it has in the long campaigns.
    """
    chosen = STRESSES[stress] if stress else None
    world = World(seed, tracing=tracing, cancel_at=cancel_at, climate=chosen.climate if chosen else None)
    run = _run(world, store, registry, commands, chosen, large=large)
    del world
    gc.collect(1)  # a world is full of cycles: without a collection each one stays in memory
    return run


def _run(
    world: World,
    store: Callable[[], Store],
    registry: Callable[[Callable[[], float]], SocketRegistry],
    commands: int,
    stress: Stress | None,
    *,
    large: bool,
) -> Run:
    world.loop = ShuffledLoop(Random(world.random.random()), world.climate.shuffle)
    with (
        _log_judged(world),
        _warnings_judged(world),
        _no_garbage(),
        asyncio.Runner(loop_factory=lambda: world.loop) as runner,
    ):
        try:
            runner.run(_play(world, store(), registry(world.loop.time), commands, stress, large=large))
        except Stuck as error:
            world.fault(str(error))
    return Run(seed=world.seed, broken=tuple(world.broken), counts=world.counts, trace=tuple(world.trace or ()))


async def _play(
    world: World, store: Store, registry: SocketRegistry, commands: int, stress: Stress | None, *, large: bool
) -> None:
    own_tasks(world.loop)
    world.loop.set_exception_handler(lambda _, context: world.fault(f"unhandled: {context}"))
    cluster = Cluster(world, store, registry)
    director = Director(world, cluster)
    with numbered_scopes(), anyio.fail_after(ENOUGH_S):
        for number in range(world.climate.nodes):
            cluster.start(number)
        if stress:
            await stress.play(director, stress.large if large else 1)
        await director.direct(stress.ordinary if stress else commands)
        await _quiet(world, cluster, director)
        logs = await Logs.read(store, world.truth.entries)
        await _judge(world, cluster, director, logs)
        await _judge_sockets(world, cluster)
        await _end(world, cluster, director)


async def _quiet(world: World, cluster: Cluster, director: Director) -> None:
    """The faults end; everybody is given 5 s."""
    await cluster.all_up()
    world.faults.over = True
    # What was sent until now may land late.
    await cluster.store.landed()
    await cluster.registry.landed()
    for node in cluster.blocked:
        node.release()
    world.tell("the faults end")
    director.sign_out()  # no fault comes between it and its end
    for client in director.clients:
        client.poke()
    await asyncio.sleep(WITHIN_S)
    world.tell("judgement")


async def _judge(world: World, cluster: Cluster, director: Director, logs: Logs) -> None:
    judge_entries(world, cluster.attempts, logs)
    judge_answers(world, cluster.attempts, logs)
    judge_pushes(world, logs)
    judge_recovery(world, cluster.attempts)
    for caller in director.callers:
        if not caller.ended.is_set():
            world.fault(f"never settled: {caller}")
    for line in cluster.lines:
        if line.silent() and (line.ended or line.bye):
            world.excuse("a socket ends before its commands are answered")
        elif line.silent():
            world.fault(f"never answered: {line.silent()[0]}")
        if line.unsaid() and not line.raised:
            world.fault(f"{line} was never told that these are gone: {line.unsaid()}")
    await judge_clients(world, cluster.up[0].chat, director.clients, logs)


async def _judge_sockets(world: World, cluster: Cluster) -> None:
    """The registry shows the sockets that are open, and those of nodes that crashed no longer than their lease."""
    await asyncio.sleep(LEASE_S + RENEWED_S)
    for user in (*world.users, STRANGER):
        shown = {one.id for one in await cluster.up[0].chat.sockets(user)}
        here = {line.id for node in cluster.up for line in node.lines if line.user == user}
        if shown != here:
            world.fault(f"the registry shows the sockets {sorted(shown)} of {user}, where {sorted(here)} are open")


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
    for user in (*world.users, STRANGER):
        for left in await cluster.registry.inner.of_user(user):
            world.fault(f"the registry keeps {left}")


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


def _is_due(record: logging.LogRecord) -> bool:
    """Whether the error logs what a port or a callback of the host did against its contract."""
    error = record.exc_info[1] if record.exc_info else None
    return isinstance(error, Injected) or (isinstance(error, TimeoutError) and record.msg == "the directory failed")


class _Records(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if (owner := current()) and owner.dead:
            self._world.excuse("a process logs while it is killed")
        elif record.levelno == logging.WARNING and record.msg in TRIED_AGAIN:
            self._world.excuse("a warning is logged: a port fails, and is tried again")
        elif _is_due(record):
            self._world.excuse("an error is logged: a port or a callback of the host broke its contract")
        else:
            self._world.fault(f"logged: {self.format(record)}")


@contextmanager
def _log_judged(world: World) -> Generator[None]:
    """While entered, what chatcore logs from warnings on is a broken promise, except where an excuse names it."""
    logger = logging.getLogger("chatcore")
    handler, level, propagate = _Records(world), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


@contextmanager
def _warnings_judged(world: World) -> Generator[None]:
    """While entered, a warning is a broken promise, except where an excuse names it: a node that crashes leaves work
    that had not begun, which anyio's tasks hold, and which is awaited nowhere."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if str(warning.message) == UNBEGUN:
            world.excuse("work that had not begun ends with its process")
        else:
            world.fault(f"warned: {warning.message}")


@contextmanager
def _no_garbage() -> Generator[None]:
    """No collection while a seed runs: it would come at no certain moment."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)
