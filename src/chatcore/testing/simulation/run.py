"""One run of one seed: start the nodes, give the commands, end the faults, and check the result."""

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
from .checker import (
    check_answers,
    check_blocks,
    check_clients,
    check_logs,
    check_presence,
    check_pushed_typing,
    check_pushes,
    check_recovery,
    check_typing,
)
from .cluster import RENEWAL_CLOSES_S, Cluster, Node
from .driver import EVENTS, FREQUENT_EVENTS, Driver
from .processes import CancelAt, assign_tasks, current_process, numbered_scopes
from .profile import STRANGER, InjectedError
from .reference_log import StoredLogs
from .scenarios import SCENARIOS, play
from .stress import STRESSES, Stress
from .world import World

SCENARIO_SHARE = 0.25
"""The share of the driver's steps that play a scenario."""
HEAL_S = 5
"""Seconds between the end of the faults and the checks."""
LIMIT_S = 3_600
IDLE_TASKS = 14
"""The most tasks of a node without sockets, beside the idle ones of its background work."""
RETRIED_WARNINGS = (
    "background work failed, is repeated: work=%r reason=%s",
    "socket registry not reached: reason=%s. The next renewal repairs it.",
    "presence not stored: users=%s reason=%s",
)
CALLBACK_TIMEOUTS = (
    "user directory failed: reason=the directory took more than 2 s",
    "user search failed: reason=the search took more than 2 s",
    "authentication failed: reason=authenticate took more than 2 s",
)
NEVER_AWAITED = "coroutine 'Background._carry_out' was never awaited"


@frozen(kw_only=True)
class Run:
    """The result of one run.

    Attributes:
        violations: The promises that were broken.
        counts: How often each command, answer, fault and scenario occurred.
        trace: The events of the run, line by line, if it was traced.
    """

    seed: int
    violations: tuple[str, ...]
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
    """Run one seed to its end and check it. The same arguments give the same run.

    Args:
        seed: Every random choice of the run follows from it.
        store: Creates the store.
        registry: Creates the registry. Its argument is the clock of the leases, in seconds.
        commands: How many commands are given, without a ``stress``.
        tracing: Whether the run keeps its trace.
        cancel_at: The calls that are cancelled, and at which await. Then about every second command is such a call.
        stress: The stress of the world, one of `STRESSES`.
        large: Whether the stress has its scale of the long campaigns.
    """
    chosen = STRESSES[stress] if stress else None
    world = World(seed, tracing=tracing, cancel_at=cancel_at, adapt_profile=chosen.adapt_profile if chosen else None)
    run = _run(world, store, registry, commands, chosen, large=large)
    del world
    gc.collect(1)  # a world has many reference cycles, and would stay in memory
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
    world.loop = ShuffledLoop(Random(world.random.random()), world.profile.shuffle)
    with (
        _checked_logging(world),
        _checked_warnings(world),
        _no_garbage_collection(),
        asyncio.Runner(loop_factory=lambda: world.loop) as runner,
    ):
        try:
            runner.run(_play(world, store(), registry(world.loop.time), commands, stress, large=large))
        except Stuck as error:
            world.violation(str(error))
    trace = tuple(world.trace_lines or ())
    return Run(seed=world.seed, violations=tuple(world.violations), counts=world.counts, trace=trace)


async def _play(
    world: World, store: Store, registry: SocketRegistry, commands: int, stress: Stress | None, *, large: bool
) -> None:
    assign_tasks(world.loop)
    world.loop.set_exception_handler(lambda _, context: world.violation(f"unhandled: {context}"))
    cluster = Cluster(world, store, registry)
    driver = Driver(world, cluster)
    with numbered_scopes(), anyio.fail_after(LIMIT_S):
        for number in range(world.profile.nodes):
            cluster.start(number)
        if stress:
            await stress.play(driver, stress.large if large else 1)
        await _give_commands(driver, stress.ordinary if stress else commands)
        await _heal(driver)
        logs = await StoredLogs.read(store, world.reference.entries)
        await _check(driver, logs)
        _change_presence(driver)
        await _check_registry(world, cluster)
        logs = await StoredLogs.read(store, world.reference.entries)  # clients that came online had commands to repeat
        await check_presence(world, cluster, driver.clients, logs)
        await _end(driver)


async def _give_commands(driver: Driver, commands: int) -> None:
    """Give as many commands, with faults and scenarios between them."""
    world, random, profile = driver.world, driver.world.random, driver.world.profile
    for client in driver.clients:
        if random.random() < 0.7:
            world.call_later(random.random(), client.go_online)
    given = 0
    while given < commands:
        await asyncio.sleep(random.expovariate(1 / profile.pause_s))
        if event := world.faults.draw(tuple(EVENTS)):
            EVENTS[event](driver)
        elif random.random() < 0.05:
            driver.go_online_or_offline()
        if (frequent_event := FREQUENT_EVENTS.get(world.cancelled_call or "")) and random.random() < 0.5:
            frequent_event(driver)
        if random.random() < SCENARIO_SHARE:
            (name,) = random.choices(list(SCENARIOS), [weight for weight, _ in SCENARIOS.values()])
            given += play(name, driver)
            continue
        for _ in range(min(random.randint(1, profile.burst_max), commands - given)):
            driver.command(*driver.workload.next_command())
            given += 1


async def _heal(driver: Driver) -> None:
    """End the faults, and give nodes and clients the time to recover from them."""
    world, cluster = driver.world, driver.cluster
    await cluster.all_running()
    world.faults.stopped = True
    # Calls that were made until now may be applied late.
    await cluster.store.calls_applied()
    await cluster.registry.calls_applied()
    for node in cluster.blocked:
        node.unblock()
    world.trace("the faults end")
    driver.sign_out()  # without a fault: it must succeed at once
    for client in driver.clients:
        client.retry_now()
    await asyncio.sleep(HEAL_S)
    world.trace("the checks start")


async def _check(driver: Driver, logs: StoredLogs) -> None:
    world, cluster = driver.world, driver.cluster
    check_logs(world, logs)
    check_answers(world, logs)
    check_pushes(world, logs)
    check_recovery(world)
    for caller in driver.callers:
        if not caller.finished.is_set():
            world.violation(f"not finished: {caller}")
    for connection in cluster.connections:
        unanswered, missing_gone = connection.invariants.unanswered, connection.invariants.missing_gone
        if unanswered and not connection.is_open:
            world.tolerate("a socket ends before its commands are answered")
        elif unanswered:
            world.violation(f"not answered: {unanswered[0]}")
        if missing_gone and not connection.raised:
            world.violation(f"{connection} did not get room.gone for {missing_gone}")
    await check_clients(world, cluster.running[0].chat, driver.clients, logs)
    await check_blocks(world, [node.chat for node in cluster.running])
    await check_typing(world, driver.clients, logs)
    check_pushed_typing(world, logs)


def _change_presence(driver: Driver) -> None:
    """Let all clients watch everybody, while some of them go offline, come online, or are away."""
    world, users = driver.world, [*driver.world.users, STRANGER]
    for client in driver.clients:
        client.command("presence", {"users": users})
        match world.random.choice(("stays", "goes", "comes", "away", "online")):
            case "goes":
                world.call_later(world.random.random(), client.go_offline)
            case "comes":
                world.call_later(world.random.random(), client.go_online)
            case "away" | "online" as state:
                world.call_later(world.random.random(), client.command, "presence.set", {"state": state})
            case _:
                pass


async def _check_registry(world: World, cluster: Cluster) -> None:
    """Check that the registry lists the open sockets, and those of crashed nodes only while their leases last."""
    await asyncio.sleep(LEASE_S + RENEWAL_CLOSES_S)
    for user in (*world.users, STRANGER):
        listed = {socket.id for socket in await cluster.running[0].chat.sockets(user)}
        is_open = {socket.id for node in cluster.running for socket in node.connections if socket.user == user}
        if listed != is_open:
            world.violation(f"the registry lists {sorted(listed)} of {user}, but {sorted(is_open)} are open")


async def _end(driver: Driver) -> None:
    """Disconnect all clients and stop all nodes, and check that they leave nothing behind."""
    world, cluster = driver.world, driver.cluster
    for client in driver.clients:
        client.go_offline()
    await asyncio.sleep(20)
    for node in cluster.running:
        for leftover in _leftovers(node):
            world.violation(f"node {node.number} keeps {leftover!r}")
    for task in [cluster.stop(node, restart=False) for node in cluster.running]:
        await task
    await asyncio.sleep(10)
    for user in (*world.users, STRANGER):
        for socket in await cluster.registry.inner.of_user(user):
            world.violation(f"the registry keeps {socket}")


def _leftovers(node: Node) -> Generator[object]:
    """Yield everything that a node without sockets should not keep."""
    stats = node.chat.stats()
    if stats.rooms or stats.users or stats.sockets or stats.in_flight or stats.watched:
        yield stats
    yield from node.connections
    tasks = node.process.running_tasks()
    if len(tasks) - stats.idle_tasks > IDLE_TASKS:
        yield tasks


class _LogHandler(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if (process := current_process()) and process.killed:
            self._world.tolerate("a process logs while it is killed")
        elif record.levelno == logging.WARNING and record.msg in RETRIED_WARNINGS:
            self._world.tolerate("a warning is logged: a port failed and is called again")
        elif _logs_injected_fault(record):
            self._world.tolerate("an error is logged: a port or a callback of the host broke its contract")
        else:
            self._world.violation(f"logged: {self.format(record)}")


def _logs_injected_fault(record: logging.LogRecord) -> bool:
    """Return whether the record logs that a port or a callback of the host broke its contract."""
    error = record.exc_info[1] if record.exc_info else None
    return isinstance(error, InjectedError) or record.getMessage().startswith(CALLBACK_TIMEOUTS)


@contextmanager
def _checked_logging(world: World) -> Generator[None]:
    """Record a violation for each warning and error in chatcore's log, unless it is tolerated."""
    logger = logging.getLogger("chatcore")
    handler, level, propagate = _LogHandler(world), logger.level, logger.propagate
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
def _checked_warnings(world: World) -> Generator[None]:
    """Record a violation for each Python warning, unless it is tolerated.

    A node that crashes leaves coroutines behind that had not begun. anyio's tasks hold them, and nothing awaits them.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if str(warning.message) == NEVER_AWAITED:
            world.tolerate("work that had not begun ends with its process")
        else:
            world.violation(f"warned: {warning.message}")


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Disable garbage collection during a run, because its time is not deterministic."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)
