"""The client's commands of `chatcore` in separate processes, with pipes or with a pseudo-terminal."""

import asyncio
import fcntl
import os
import pty
import signal
import termios
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from attrs import define, field, frozen

from .serving import CHATCORE, TIMEOUT_S

PASSWORD = "correct horse"

Ended: TypeAlias = tuple[int, Sequence[str], Sequence[str]]
"""The exit code, and the lines of the output and of the errors."""


@define(eq=False)
class Running:
    """A running command: what it has printed, and its input."""

    process: asyncio.subprocess.Process
    printed: list[str] = field(factory=list)
    complained: list[str] = field(factory=list)
    _changed: asyncio.Event = field(factory=asyncio.Event)
    _reading: asyncio.Future[tuple[None, None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        assert self.process.stdout
        assert self.process.stderr
        self._reading = asyncio.gather(
            self._read(self.process.stdout, self.printed), self._read(self.process.stderr, self.complained)
        )

    async def types(self, *lines: str) -> None:
        assert self.process.stdin
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        await self.process.stdin.drain()

    def ends_input(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    async def until(self, condition: Callable[["Running"], object]) -> None:
        """Wait until the lines so far meet ``condition``."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not condition(self):
                    self._changed.clear()
                    if self._reading.done():
                        raise RuntimeError("\n".join(["it has ended", *self.printed, *self.complained]))
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError("\n".join(["it has printed", *self.printed, *self.complained])) from None

    async def stop(self, number: int = signal.SIGINT) -> Ended:
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> Ended:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.shield(self._reading)
                return await self.process.wait(), self.printed, self.complained
        except TimeoutError:
            self.process.kill()
            raise TimeoutError("\n".join(["it does not end", *self.printed, *self.complained])) from None

    async def _read(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode().rstrip("\n"))
            self._changed.set()
        self._changed.set()


@frozen
class CommandLine:
    """The commands of one user of the machine, whose state is in ``state``, for the server at ``url``."""

    state: Path
    url: str

    def environment(self, **more: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("CHATCORE_")}
        return {
            **own,
            "PYTHONWARNINGS": "error",
            "XDG_STATE_HOME": str(self.state),
            "CHATCORE_URL": self.url,
            "TZ": "UTC",
            **more,
        }

    @asynccontextmanager
    async def running(self, *arguments: str, **environment: str) -> AsyncGenerator[Running]:
        """Run a command with pipes. It is killed at the end."""
        process = await asyncio.create_subprocess_exec(
            CHATCORE,
            *arguments,
            env=self.environment(**environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        running = Running(process)
        try:
            yield running
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def run(self, *arguments: str, typed: str = "", **environment: str) -> Ended:
        """Run a command to its end."""
        async with self.running(*arguments, **environment) as running:
            assert running.process.stdin
            running.process.stdin.write(typed.encode())
            running.process.stdin.close()
            return await running.ended()

    async def login(self, *users: str) -> None:
        """Create the accounts of users, and sign them in."""
        for user in users:
            code, _, complaints = await self.run("login", user, "--sign-up", CHATCORE_PASSWORD=PASSWORD)
            assert code == 0, complaints

    @asynccontextmanager
    async def on_terminal(self, *arguments: str, **environment: str) -> AsyncGenerator["Screen"]:
        """Run a command on a pseudo-terminal. It is killed at the end."""
        keyboard, terminal = pty.openpty()

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = await asyncio.create_subprocess_exec(
            CHATCORE,
            *arguments,
            env=self.environment(**environment),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        screen = Screen(process, keyboard, terminal)
        asyncio.get_running_loop().add_reader(keyboard, screen.read)
        try:
            yield screen
        finally:
            asyncio.get_running_loop().remove_reader(keyboard)
            if process.returncode is None:
                process.kill()
            await process.wait()
            os.close(keyboard)
            os.close(terminal)


@define(eq=False)
class Screen:
    """A pseudo-terminal with a running command: what is on it, and its keyboard."""

    process: asyncio.subprocess.Process
    _keyboard: int
    _terminal: int
    """It is kept open, so that its modes can be read after the end."""
    text: str = ""
    _changed: asyncio.Event = field(factory=asyncio.Event)

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def read(self) -> None:
        self.text += os.read(self._keyboard, 65536).decode(errors="replace").replace("\r\n", "\n")
        self._changed.set()

    def types(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    async def shows(self, text: str, times: int = 1) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while self.text.count(text) < times:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"the terminal shows\n{self.text}") from None

    async def ended(self) -> int:
        async with asyncio.timeout(TIMEOUT_S):
            return await self.process.wait()
