"""The chat programs talk through a proxy that cuts their connections at random bytes.

``CHATCORE_TEST_CUTS`` is the number of faults (60). The seeds are fixed, except for one that depends on the commit.
``CHATCORE_TEST_CUTS_SEED`` runs one seed alone.
"""

import asyncio
import gc
import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CoroutineType
from typing import Any

import pytest
from attrs import frozen

from chatcore.live.background import Background
from chatcore_server.serving import running
from chatcore_server.settings import Settings
from tests.seeds import commit_id

from .cutting_proxy import CuttingProxy, cutting_proxy, faults_of
from .terminals import Program, Terminal, javascript_program, python_program

CUTS = int(os.environ.get("CHATCORE_TEST_CUTS", "60"))
ARRIVES_S = 180
"""Seconds. An official client notices a dead connection within 45 s, by the pings; three times that, and a reserve."""
IS_ONLINE_S = 600
"""Seconds. A swallowed sign-in takes a program 30 s, and a third of sign-ins is swallowed: never twenty in a row."""
TYPES_EVERY_S = 0.1
AFTER_CUTS_TYPES_EVERY_S = 1
SERVING = ("chatcore.live", "chatcore.socket", "chatcore_socketio", "chatcore_server", "aiohttp")

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(IS_ONLINE_S + ARRIVES_S * 3 + CUTS * 5)]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop of the server."""
    return "asyncio", {"use_uvloop": True}


def seeds() -> Sequence[str]:
    if seed := os.environ.get("CHATCORE_TEST_CUTS_SEED"):
        return [seed]
    return ["first", commit_id()]


def open_files() -> Iterator[str]:
    """Return the targets of the open file descriptors of this process: paths, `socket`, `pipe`."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            yield str(descriptor.readlink()).partition(":[")[0]


def is_idle(task: asyncio.Task[Any]) -> bool:
    """Return whether `Background` keeps the task for later work: up to a bound, as many as ever ran at once."""
    waits: object = task.get_coro()
    while isinstance(waits, CoroutineType) and waits.cr_code is not Background._next.__code__:
        waits = waits.cr_await
    return isinstance(waits, CoroutineType)


@frozen
class Held:
    """The resources of the process: file descriptors, tasks, and objects of the modules that serve connections.

    Objects that the server's collector has frozen count too: their reference cycles are never freed. Idle tasks of a
    `Background` do not count, nor the `Handover` for which each waits, nor the open files of the database: a reading
    thread opens them with its first job.
    """

    counts: Counter[str]

    @classmethod
    def now(cls) -> "Held":
        gc.collect()
        gc.unfreeze()
        objects = gc.get_objects()
        gc.freeze()
        tasks = asyncio.all_tasks()
        idle = sum(is_idle(task) for task in tasks)
        counts = Counter(tasks=len(tasks) - idle)
        counts.update(file for file in open_files() if "chatcore.sqlite3" not in file)
        for kind, number in Counter(map(type, objects)).items():
            if str(kind.__module__).startswith(SERVING):
                counts[kind.__qualname__] += number
        counts["Handover"] -= idle
        return cls(counts)

    @classmethod
    async def without_connections(cls) -> "Held":
        """Return the resources once no client is connected."""
        end = time.monotonic() + ARRIVES_S
        while (held := cls.now()).counts["HttpProtocol"]:
            assert time.monotonic() < end, held
            await asyncio.sleep(0.1)
        return held

    async def comes_back(self) -> None:
        """Wait until the process holds no further resources."""
        end = time.monotonic() + ARRIVES_S
        while more := Held.now().counts - self.counts:
            assert time.monotonic() < end, more
            await asyncio.sleep(0.5)


@frozen
class Conversation:
    """Two users who type numbered messages to each other."""

    users: tuple[str, str]
    terminals: tuple[Terminal, Terminal]
    typed: list[str]

    async def type_on(self) -> None:
        for user, terminal in zip(self.users, self.terminals, strict=True):
            body = f"{user} says {len(self.typed)}"
            self.typed.append(f"{user}: {body}")
            await terminal.types(body)

    async def arrives(self) -> None:
        """Wait until both users see every message once, in the same order.

        Each must make progress within `ARRIVES_S`, since the number of missing messages depends on the machine.
        """
        last_cut = len(self.typed)
        least, end = -1, 0.0
        while (now := min(len(terminal.messages) for terminal in self.terminals)) < last_cut:
            if now > least:
                least, end = now, time.monotonic() + ARRIVES_S
            assert time.monotonic() < end, [terminal.shown[-20:] for terminal in self.terminals]
            await asyncio.sleep(AFTER_CUTS_TYPES_EVERY_S)
            # A program that sends notices a dead connection within 5 s, a program that reads within 45 s.
            await self.type_on()
        for terminal in self.terminals:
            await terminal.until(partial(self._is_all, terminal), ARRIVES_S)
        first, second = (terminal.messages for terminal in self.terminals)
        assert first == second
        assert [line.partition(" ")[0] for line in first] == [str(seq) for seq in range(1, len(self.typed) + 1)]
        shown = [line.partition(" ")[2] for line in first]
        for user in self.users:  # the messages of each user stay in order
            assert [line for line in shown if line.startswith(user)] == [
                line for line in self.typed if line.startswith(user)
            ]

    def _is_all(self, terminal: Terminal, _: Sequence[str]) -> bool:
        return len(terminal.messages) >= len(self.typed)

    def complaints(self) -> Sequence[str]:
        return [line for terminal in self.terminals for line in terminal.complained]


async def converse(proxy: CuttingProxy, programs: Sequence[Program], cuts: int, name: str) -> None:
    """Let all pairs talk until ``cuts`` faults have struck. Then every typed message must arrive."""
    striking = asyncio.create_task(proxy.until_struck(cuts))
    async with asyncio.TaskGroup() as group:
        for number, pair in enumerate(zip(programs[::2], programs[1::2], strict=True)):
            group.create_task(converse_in_a_pair(proxy, (pair[0], pair[1]), striking, f"{name}-{number}"))


async def converse_in_a_pair(
    proxy: CuttingProxy, programs: tuple[Program, Program], striking: asyncio.Task[None], name: str
) -> None:
    users = f"{name}-a", f"{name}-b"
    async with (
        programs[0].run(users[0], users[1], proxy.url) as first,
        programs[1].run(users[1], users[0], proxy.url) as second,
    ):
        conversation = Conversation(users, (first, second), [])
        for terminal in conversation.terminals:  # a message to a user without an account is refused
            await terminal.is_online(within=IS_ONLINE_S)
        while not striking.done():
            await conversation.type_on()
            await asyncio.wait({striking}, timeout=TYPES_EVERY_S)
        await conversation.arrives()
        for terminal in conversation.terminals:
            assert await terminal.ends() == 0
        assert conversation.complaints() == []


async def test_cuts_neither_lose_duplicate_reorder_nor_hide_messages(tmp_path: Path, node_modules: Path) -> None:
    chosen = seeds()
    print("CHATCORE_TEST_CUTS_SEED is one of", *chosen)  # shown if the test fails
    faults = itertools.chain.from_iterable(faults_of(seed, CUTS // len(chosen)) for seed in chosen)
    javascript, python = javascript_program(node_modules), python_program()
    programs = [javascript, javascript, python, python, javascript, python]
    settings = Settings(port=0, data_dir=tmp_path / "data", limits="off")
    async with running(settings) as [(_, port)]:
        async with cutting_proxy(port, iter(())) as proxy:
            await converse(proxy, programs[-2:], 0, "calm")
        before = await Held.without_connections()
        async with cutting_proxy(port, faults) as proxy:
            await converse(proxy, programs, CUTS, "cut")
        await before.comes_back()
