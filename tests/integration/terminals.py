"""The chat programs in examples/, each in a separate process with a keyboard and a screen."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field

from .clients import TIMEOUT_S
from .javascript import NODE

WITHIN_S = 3 * TIMEOUT_S
"""Seconds that a test waits for a line. An official client waits up to 5 s between two attempts."""
EXAMPLES = Path(__file__).parents[2] / "examples"


@define(eq=False)
class Terminal:
    """A running chat program: its input, and the lines that it has shown."""

    process: asyncio.subprocess.Process
    shown: list[str] = field(factory=list)
    complained: list[str] = field(factory=list)
    """The lines of the standard error."""
    _changed: asyncio.Event = field(factory=asyncio.Event)
    _reading: asyncio.Future[tuple[None, None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        assert self.process.stdout
        assert self.process.stderr
        self._reading = asyncio.gather(
            self._read(self.process.stdout, self.shown), self._read(self.process.stderr, self.complained)
        )

    @property
    def messages(self) -> Sequence[str]:
        """Return the lines `seq author: body`."""
        return [line for line in self.shown if line.partition(" ")[0].isdigit()]

    async def types(self, *lines: str) -> None:
        assert self.process.stdin
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        await self.process.stdin.drain()

    async def until(self, condition: Callable[[Sequence[str]], object], within: float = WITHIN_S) -> None:
        """Wait until the lines shown meet ``condition``."""
        try:
            async with asyncio.timeout(within):
                while not condition(self.shown):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError("\n".join(["it has shown", *self.shown, *self.complained])) from None

    async def shows(self, *lines: str, within: float = WITHIN_S) -> None:
        """Wait until all of the lines are shown."""
        await self.until(lambda shown: set(lines) <= set(shown), within)

    async def is_online(self, times: int = 1, within: float = WITHIN_S) -> None:
        await self.until(lambda shown: sum(line.endswith(" is online") for line in shown) >= times, within)

    async def ends(self) -> int:
        """Close the input, and return the exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end of the program, and return the exit code."""
        async with asyncio.timeout(WITHIN_S):
            code = await self.process.wait()
            await self._reading
        return code

    async def _read(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode().rstrip("\n"))
            self._changed.set()


@define
class Program:
    """A chat program, and the command that runs it."""

    command: Sequence[str]

    @asynccontextmanager
    async def run(self, *arguments: str, **environment: str) -> AsyncGenerator[Terminal]:
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *arguments,
            env=os.environ | {"PYTHONWARNINGS": "error", **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield Terminal(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def python_program() -> Program:
    return Program([sys.executable, str(EXAMPLES / "chat.py")])


def javascript_program(node_modules: Path, node: str = NODE) -> Program:
    """``node_modules`` holds the official client. Node looks for packages beside a program, so a copy runs there."""
    copy = node_modules.parent / "chat.mjs"
    copy.write_bytes((EXAMPLES / "chat.mjs").read_bytes())
    return Program([node, str(copy)])
