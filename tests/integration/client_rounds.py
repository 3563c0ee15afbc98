"""Rounds of what happens to clients: kills, reloads, cut and absent networks, restarts and kills of the server.

A world has a server, and users in pairs: one of the Python client, one of the JavaScript client. Every user has two
tabs on one store, in two processes. All write to their peers meanwhile. At the end every message that `send` returned
for must be in the log of its room once, each tab's in their order, and every tab must show its room as the log has it.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import aiohttp
from attrs import define, field

from .cheap_accounts import make_accounts
from .cutting_proxy import CuttingProxy, Fault
from .javascript import HERE, NODE
from .serve_client import User, sign_in
from .serving import Server, launch

Kind: TypeAlias = Literal["python", "javascript"]
Happening: TypeAlias = Literal["kill", "reload", "cut", "offline", "restart", "server kill"]

KINDS: Sequence[Kind] = ("python", "javascript")
PROCESSES = 2
"""Processes of each kind of client. Every user of the kind has a tab in each of them."""
PAIRS = 2
OF_CLIENTS: Mapping[Happening, int] = {"kill": 2, "reload": 4, "cut": 7, "offline": 4}
"""How often a thing happens to a process of tabs, as weights."""
SERVER_ENDS_EVERY = 25
"""Rounds, on average, in which the server restarts or is killed once."""
OFFLINE_S_MAX = 0.5
CUT_BYTES_LOG2_MAX = 12
COMES_BACK_S = 90
"""Seconds, three times as long as a loaded machine has taken to bring back all tabs."""
PYTHON_TABS = Path(__file__).with_name("client_tabs.py")


class Violation(AssertionError):
    """A message was lost, doubled, out of order or not shown."""


@define(eq=False)
class Network:
    """The way of one process to the server: a proxy that cuts connections, and is away for a while."""

    proxy: CuttingProxy
    faults: list[Fault] = field(factory=list)
    _listener: asyncio.Server | None = None
    _port: int = 0

    @classmethod
    def to(cls, port: int) -> Self:
        faults: list[Fault] = []
        return cls(CuttingProxy(port, _Taken(faults)), faults)

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self.proxy.carry, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def end(self) -> None:
        if self._listener:
            self._listener.close()
            await self.proxy.end()

    async def away(self, seconds: float) -> None:
        await self.end()
        await asyncio.sleep(seconds)  # the length of a time offline
        await self.start()


@define
class _Taken(Iterator[Fault]):
    """Gives the faults of a list away, also those that are added after its end was seen."""

    faults: list[Fault]

    def __next__(self) -> Fault:
        if not self.faults:
            raise StopIteration
        return self.faults.pop()


@define(eq=False)
class Tabs:
    """A process with a tab of every user of one kind."""

    kind: Kind
    folder: Path
    network: Network
    options: Mapping[str, Mapping[str, str]]
    """What each tab is started with, by the tab's name."""
    returned: list[str]
    """The messages of the world for which `send` has returned."""
    states: dict[str, str] = field(factory=dict)
    answers: dict[int, Any] = field(factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _reading: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(factory=asyncio.Event)

    async def start(self) -> None:
        program = (
            [sys.executable, "-P", str(PYTHON_TABS)] if self.kind == "python" else [NODE, str(self.folder / "tabs.mjs")]
        )
        options = json.dumps({"url": self.network.url, "tabs": self.options})
        self._process = await asyncio.create_subprocess_exec(*program, options, stdin=PIPE, stdout=PIPE, limit=2**26)
        self._reading = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            match json.loads(line):
                case {"tab": tab, "state": state}:
                    self.states[tab] = state
                case {"returned": body}:
                    self.returned.append(body)
                case {"tab": _, "number": number, "messages": messages}:
                    self.answers[number] = messages
                case other:
                    raise ValueError(other)
            self._changed.set()

    async def kill(self) -> None:
        assert self._process
        assert self._reading
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading  # what it has said counts
        self.states.clear()

    def tell(self, **line: Any) -> None:
        assert self._process
        assert self._process.stdin
        if self._process.returncode is not None:
            raise Violation(f"a process of {self.kind} tabs has ended with {self._process.returncode}")
        self._process.stdin.write(f"{json.dumps(line)}\n".encode())

    @property
    def cuts(self) -> int:
        """How many connections were cut."""
        return self.network.proxy.struck.total()

    @property
    def are_online(self) -> bool:
        return list(self.states.values()) == ["online"] * len(self.options)

    async def show(self, tab: str, number: int) -> Any:
        """Return what the room of a tab shows. ``number`` was used for no other answer."""
        self.tell(tab=tab, show=number)
        await self.until(lambda tabs: number in tabs.answers)
        return self.answers.pop(number)

    async def until(self, condition: Callable[[Self], object], within: float = COMES_BACK_S) -> None:
        try:
            async with asyncio.timeout(within):
                while not condition(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Violation(f"{self.kind} tabs are {self.states}") from None


@define(eq=False)
class World:
    """One server with its users, and what has happened so far."""

    folder: Path
    server: Server
    port: int
    users: Mapping[str, User]
    processes: Sequence[Tabs]
    returned: list[str]
    happened: Counter[str] = field(factory=Counter)
    _asked: set[str] = field(factory=set)
    """The messages that tabs were told to send."""
    _numbers: "itertools.count[int]" = field(factory=itertools.count)

    async def play(self, rounds: int, seed: str) -> None:
        """Let as many things happen, to all processes at the same time. First each is killed with messages not sent."""
        left = iter(range(rounds))
        lock = asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            for number, tabs in enumerate(self.processes):
                group.create_task(self._happen(tabs, left, lock, random.Random(f"{seed} {number}")))

    async def _happen(self, tabs: Tabs, left: Iterator[int], server: asyncio.Lock, source: random.Random) -> None:
        if next(left, None) is not None:
            self.happened[f"{tabs.kind} kill"] += 1
            await self._kill_offline(tabs, source)
        for _ in left:
            self._write(tabs, source)
            if source.randrange(SERVER_ENDS_EVERY) == 0:
                async with server:
                    await self._end_server(source.choice(("restart", "server kill")))
                continue
            (what,) = source.choices(list(OF_CLIENTS), list(OF_CLIENTS.values()))
            self.happened[f"{tabs.kind} {what}"] += 1
            match what:
                case "kill" if source.random() < 0.5:
                    await self._kill_offline(tabs, source)
                case "kill":
                    await tabs.kill()
                    await tabs.start()
                case "reload":
                    tabs.tell(tab=source.choice(list(tabs.options)), reload=True)
                case "cut":
                    kind: Literal["rst", "fin"] = source.choice(("rst", "fin"))
                    tabs.network.faults.append(Fault(kind, int(2 ** source.uniform(0, CUT_BYTES_LOG2_MAX))))
                case _:
                    await tabs.network.away(source.uniform(0, OFFLINE_S_MAX))
            self._write(tabs, source)
            if source.random() < 0.7:
                await tabs.until(lambda tabs: tabs.are_online)
                self._write(tabs, source)

    async def _kill_offline(self, tabs: Tabs, source: random.Random) -> None:
        """Kill a process with messages that it could not send, and start it again."""
        await tabs.network.end()
        asked = self._write(tabs, source, least=1)
        await tabs.until(lambda _: asked <= set(self.returned))
        await tabs.kill()
        await tabs.network.start()
        await tabs.start()

    def _write(self, tabs: Tabs, source: random.Random, *, least: int = 0) -> set[str]:
        """Let a process send some messages. Returns their bodies."""
        asked = set()
        for _ in range(source.randrange(least, 3)):
            tab = source.choice(list(tabs.options))
            asked.add(body := f"{tab}#{next(self._numbers)}")
            tabs.tell(tab=tab, send=body)
        self._asked |= asked
        return asked

    async def _end_server(self, how: Literal["restart", "server kill"]) -> None:
        self.happened[how] += 1
        if how == "restart":
            await self.server.stop()
        else:
            await self.server.kill()
        self.server = await listening(self.folder, self.port)

    # What must be true at the end.

    async def check(self) -> None:
        """Raise `Violation` unless everything is in the logs, and every tab shows its log."""
        for tabs in self.processes:
            tabs.network.faults.clear()
        for tabs in self.processes:
            await tabs.until(lambda tabs: tabs.are_online)
        end = time.monotonic() + COMES_BACK_S
        while differences := await self._differences():
            if time.monotonic() > end:
                raise Violation("\n".join([f"after {dict(self.happened)}:", *differences[:10]]))
            await asyncio.sleep(0.1)  # until all have sent and seen everything

    async def _differences(self) -> Sequence[str]:
        """Return what is not as it must be, or not yet."""
        logs = await self._logs()
        written = Counter(body for log in logs.values() for _, body in log)
        found = [f"{body} was written {count} times" for body, count in written.items() if count > 1]
        found += [f"{body} was lost" for body in self.returned if body not in written]
        found += [f"{body} was never sent" for body in written if body not in self._asked]
        for room, log in logs.items():
            numbers: dict[str, int] = defaultdict(int)
            for _, body in log:
                tab, _, number = body.partition("#")
                if int(number) < numbers[tab]:
                    found.append(f"{body} is out of order in {room}")
                numbers[tab] = int(number)
        return found or await self._shown_differences(logs)

    async def _logs(self) -> Mapping[str, Sequence[tuple[int, str]]]:
        logs = {}
        for number in range(PAIRS):
            entries = await self.users[f"python{number}"].entries(f"javascript{number}")
            logs[f"{number}"] = [(entry["seq"], entry["body"]) for entry in entries]
        return logs

    async def _shown_differences(self, logs: Mapping[str, Sequence[tuple[int, str]]]) -> Sequence[str]:
        found = []
        for tabs in self.processes:
            for name, options in tabs.options.items():
                shown = await tabs.show(name, next(self._numbers))
                log = [[seq, "sent", body] for seq, body in logs[options["pair"]]]
                if shown != log:
                    strange = [message for message in shown if message not in log]
                    missing = [message for message in log if message not in shown]
                    found.append(
                        f"{name} shows {strange[:5]}, misses {missing[:5]}, and has {len(shown)} of {len(log)}"
                    )
        return found


async def listening(folder: Path, port: int) -> Server:
    """Start the server of a world, and return it once it listens."""
    server = await launch(folder, "serve", "--port", str(port), "--limits", "off", "--access-token-s", "3600")
    await server.until(lambda server: server.url)
    return server


@asynccontextmanager
async def a_world(folder: Path, javascript: Path) -> AsyncGenerator[World]:
    """A world that runs. ``javascript`` is a folder with the JavaScript client, as npm installs it."""
    names = [f"{kind}{number}" for number in range(PAIRS) for kind in KINDS]
    await make_accounts(folder, names)
    (javascript / "tabs.mjs").write_bytes((HERE / "tabs.mjs").read_bytes())
    server = await listening(folder, 0)
    returned: list[str] = []
    processes: list[Tabs] = []
    async with aiohttp.ClientSession() as http:
        users = {name: await sign_in(http, server.url, name) for name in names}
        for kind, process in itertools.product(KINDS, range(PROCESSES)):
            peer: Kind = "javascript" if kind == "python" else "python"
            options = {
                f"{kind}{number}-{process}": {
                    "token": users[f"{kind}{number}"].token,
                    "file": str(folder / f"{kind}{number}.outbox"),
                    "peer": f"{peer}{number}",
                    "pair": f"{number}",
                }
                for number in range(PAIRS)
            }
            processes.append(Tabs(kind, javascript, Network.to(server.port), options, returned))
        world = World(folder, server, server.port, users, processes, returned)
        try:
            for tabs in processes:
                await tabs.network.start()
                await tabs.start()
            for tabs in processes:
                await tabs.until(lambda tabs: tabs.are_online)
            yield world
        finally:
            for tabs in processes:
                await tabs.kill()
                await tabs.network.end()
            await world.server.kill()
