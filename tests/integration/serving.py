"""The product as its users have it: the command `chatcore` in a process of its own."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from attrs import define, field

CHATCORE = Path(sys.executable).with_name("chatcore")
TIMEOUT_S = 60
"""What a slow machine may take for what should come at once."""

_LISTENS = re.compile(r"listens on (http://\S+)")


@define(eq=False)
class Server:
    """A process of `chatcore`: what it has printed and logged so far, and its URL once it listens."""

    process: asyncio.subprocess.Process
    printed: list[str] = field(factory=list)
    logged: list[str] = field(factory=list)
    url: str = ""
    _changed: asyncio.Event = field(factory=asyncio.Event)
    _reading: asyncio.Future[tuple[None, None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._reading = asyncio.gather(self._read_output(), self._read_log())
        self._reading.add_done_callback(lambda _: self._changed.set())

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return "\n".join(self.logged)

    @property
    def events(self) -> Sequence[Mapping[str, str]]:
        """The log's lines, as JSON has them."""
        return [json.loads(line) for line in self.logged]

    async def until(self, condition: Callable[[Self], object]) -> None:
        """Wait until what it has said meets ``condition``. Raises RuntimeError with all of it where it ends before."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not condition(self):
                    if self._reading.done():
                        raise RuntimeError("\n".join(["chatcore has ended", *self.printed, *self.logged]))
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError("\n".join(["it had said", *self.printed, *self.logged])) from None

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and give the exit code once it has ended."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()

    async def kill(self) -> None:
        """End it as a crash would."""
        await self.stop(signal.SIGKILL)

    async def ended(self) -> int:
        """The exit code, once the process has ended and everything it said has been read. It is killed in the end."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.shield(self._reading)
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            raise TimeoutError("\n".join(["it does not end; it had said", *self.printed, *self.logged])) from None

    async def _read_output(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.printed.append(line.decode().rstrip("\n"))
            if found := _LISTENS.search(self.printed[-1]):
                self.url = found[1]
            self._changed.set()

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.logged.append(line.decode().rstrip("\n"))
            self._changed.set()


async def launch(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Server:
    """Start `chatcore` with ``folder`` as its working directory, where its data stands as well."""
    process = await asyncio.create_subprocess_exec(
        CHATCORE,
        *arguments,
        cwd=folder,
        env={**_no_settings(), "PYTHONWARNINGS": "error", **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Server(process)


@asynccontextmanager
async def serving(
    folder: Path, *flags: str, port: int = 0, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Server]:
    """A server that listens, on a port of its own unless one is given; whatever is left of it is killed at the end.

    Its data stays in ``folder``: serve it again, with the same port, for a restart.
    """
    server = await launch(folder, "serve", "--port", str(port), *flags, environment=environment)
    try:
        await server.until(lambda server: server.url)
        yield server
    finally:
        await server.kill()


def _no_settings() -> Mapping[str, str]:
    """The environment of the tests without settings of whoever runs them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHATCORE_")}
