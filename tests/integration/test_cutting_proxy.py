"""The chat programs talk through a proxy that cuts their connections at random bytes.

``CHATCORE_TEST_CUTS`` says how many faults strike (60). The seeds are fixed, and one is new with each commit. A seed
that fails is run again alone by ``CHATCORE_TEST_CUTS_SEED``.
"""

import asyncio
import gc
import itertools
import os
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from attrs import frozen

from chatcore_server.serving import running
from chatcore_server.settings import Settings

from .cutting_proxy import CuttingProxy, cutting_proxy, faults_of
from .terminals import Program, Terminal, javascript_program, python_program

CUTS = int(os.environ.get("CHATCORE_TEST_CUTS", "60"))
ARRIVES_S = 180
"""An official client notices a dead connection within 45 s, by the server's pings; three times that, and a reserve."""
TYPES_EVERY_S = 0.1
SERVING = ("chatcore.live", "chatcore.socket", "chatcore_socketio", "chatcore_server", "aiohttp")

FEW = 5
"""Opened at first use, or referred to by variables of waiting tasks: a number that does not grow with the cuts."""

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(ARRIVES_S * 3 + CUTS * 5)]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that the server runs on."""
    return "asyncio", {"use_uvloop": True}


def seeds() -> Sequence[str]:
    if seed := os.environ.get("CHATCORE_TEST_CUTS_SEED"):
        return [seed]
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return ["first", commit or "no commit"]


@frozen
class Held:
    """What the process holds: file descriptors, tasks, and objects of the modules that serve connections."""

    descriptors: int
    tasks: int
    objects: Counter[str]

    @classmethod
    def now(cls) -> "Held":
        gc.collect()
        kinds = Counter(type(found) for found in gc.get_objects())
        objects = Counter(
            {kind.__qualname__: n for kind, n in kinds.items() if str(kind.__module__).startswith(SERVING)}
        )
        return cls(sum(1 for _ in Path("/proc/self/fd").iterdir()), len(asyncio.all_tasks()), objects)

    def more_than(self, other: "Held") -> Counter[str]:
        """What this holds beyond the other."""
        counts = Counter(descriptors=self.descriptors - other.descriptors, tasks=self.tasks - other.tasks)
        return counts + (self.objects - other.objects)

    async def comes_back(self) -> None:
        """Wait until the process holds `FEW` of each kind more than this at most."""
        end = time.monotonic() + ARRIVES_S
        while max((more := Held.now().more_than(self)).values(), default=0) > FEW:
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

    async def arrives(self, within: float) -> None:
        """Wait until both have been shown everything; each was shown every message once, in one order."""
        for terminal in self.terminals:
            await terminal.until(partial(self._is_all, terminal), within)
        one, other = (terminal.messages for terminal in self.terminals)
        assert one == other
        assert [line.partition(" ")[0] for line in one] == [str(seq) for seq in range(1, len(self.typed) + 1)]
        shown = [line.partition(" ")[2] for line in one]
        for user in self.users:  # what one user types stays in its order
            assert [line for line in shown if line.startswith(user)] == [
                line for line in self.typed if line.startswith(user)
            ]

    def _is_all(self, terminal: Terminal, _: Sequence[str]) -> bool:
        return len(terminal.messages) >= len(self.typed)

    def complaints(self) -> Sequence[str]:
        return [line for terminal in self.terminals for line in terminal.complained]


async def converse(proxy: CuttingProxy, programs: Sequence[Program], cuts: int, name: str) -> None:
    """All pairs talk until so many faults have struck; then all that was typed must arrive."""
    async with AsyncExitStack() as stack:
        conversations: list[Conversation] = []
        for number, pair in enumerate(zip(programs[::2], programs[1::2], strict=True)):
            users = f"{name}-{number}-a", f"{name}-{number}-b"
            terminals = [
                await stack.enter_async_context(program.run(user, peer, proxy.url))
                for program, user, peer in zip(pair, users, reversed(users), strict=True)
            ]
            conversations.append(Conversation(users, (terminals[0], terminals[1]), []))
        for conversation in conversations:  # a message to a user without an account is refused
            for terminal in conversation.terminals:
                await terminal.is_online(within=ARRIVES_S)
        striking = asyncio.create_task(proxy.until_struck(cuts))
        while not striking.done():
            for conversation in conversations:
                await conversation.type_on()
            await asyncio.wait({striking}, timeout=TYPES_EVERY_S)
        for conversation in conversations:
            await conversation.type_on()
        for conversation in conversations:
            await conversation.arrives(ARRIVES_S)
            for terminal in conversation.terminals:
                assert await terminal.ends() == 0
            assert conversation.complaints() == []


async def test_no_cut_loses_doubles_reorders_or_hides_a_message(tmp_path: Path, node_modules: Path) -> None:
    chosen = seeds()
    print("CHATCORE_TEST_CUTS_SEED is one of", *chosen)  # shown where the test fails
    faults = itertools.chain.from_iterable(faults_of(seed, CUTS // len(chosen)) for seed in chosen)
    javascript, python = javascript_program(node_modules), python_program()
    programs = [javascript, javascript, python, python, javascript, python]
    settings = Settings(port=0, data_dir=tmp_path / "data", limits="off")
    async with running(settings) as [(_, port)]:
        async with cutting_proxy(port, iter(())) as proxy:
            await converse(proxy, programs[-2:], 0, "calm")
        before = Held.now()
        async with cutting_proxy(port, faults) as proxy:
            await converse(proxy, programs, CUTS, "cut")
        await before.comes_back()
        print("held more than before:", Held.now().more_than(before))
