"""The JavaScript client: its files, and programs on it that a test drives."""

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from attrs import define, field

from .clients import TIMEOUT_S
from .javascript import HERE, NODE

PACKAGE = Path(__file__).parents[2] / "src" / "entrypoints" / "chatcore_web" / "chatcore-client"
COMES_BACK_S = 3 * TIMEOUT_S


def install_client(node_modules: Path) -> Path:
    """Put the client's package beside its dependencies, as npm installs it. Returns the folder for programs."""
    shutil.copytree(PACKAGE, node_modules / "chatcore-client", dirs_exist_ok=True)
    return node_modules.parent


@define(eq=False)
class Chatter:
    """A running `chatter.mjs`: what its client shows now, and how often it has shown each value."""

    process: asyncio.subprocess.Process
    shown: dict[str, Any] = field(factory=dict)
    answers: dict[int, Any] = field(factory=dict)
    counts: dict[str, int] = field(factory=dict)
    _numbers: Iterator[int] = field(factory=itertools.count)
    _changed: asyncio.Event = field(factory=asyncio.Event)

    @property
    def state(self) -> str:
        return str(self.shown["status"]["state"])

    @property
    def messages(self) -> list[Any]:
        """Return what the open room shows."""
        return list(self.shown.get("messages", ()))

    @property
    def sent(self) -> list[str]:
        """Return the bodies of the sent messages of the open room."""
        return [message["body"] for message in self.messages if message["state"] == "sent" and "body" in message]

    def begin(self, name: str, room: str | None = None, *args: object, peer: str | None = None) -> int:
        """Begin a call. Returns its number in ``answers``."""
        number = next(self._numbers)
        where = {"with": peer} if peer else room
        line = {"number": number, "name": name, "room": where, "args": args}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        return number

    async def do(self, name: str, room: str | None = None, *args: object, peer: str | None = None) -> Any:
        """Make a call, and return its result, which is ``{"error": …}`` where it fails."""
        number = self.begin(name, room, *args, peer=peer)
        await self.until(lambda self: number in self.answers)
        return self.answers[number]

    async def until(self, condition: Callable[[Self], object], within: float = COMES_BACK_S) -> None:
        try:
            async with asyncio.timeout(within):
                while not ("status" in self.shown and condition(self)):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"the client shows {self.shown} and has answered {self.answers}") from None

    async def read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            name, *values = json.loads(line)
            if name == "answers":
                self.answers[values[0]] = values[1]
            else:
                self.shown[name] = values[0]
                self.counts[name] = self.counts.get(name, 0) + 1
            self._changed.set()

    async def kill(self) -> None:
        """End the process as a crash would."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def chatter(folder: Path, *, node: str = NODE, **options: object) -> AsyncGenerator[Chatter]:
    """A client in a separate process. ``folder`` is that of `install_client`; ``options`` are those of the program."""
    program = shutil.copy(HERE / "chatter.mjs", folder)
    process = await asyncio.create_subprocess_exec(
        node,
        program,
        json.dumps(options, default=str),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    chatter = Chatter(process)
    reading = asyncio.create_task(chatter.read())
    try:
        yield chatter
    finally:
        await chatter.kill()
        await reading
