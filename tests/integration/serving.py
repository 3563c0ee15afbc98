"""The command `chatcore` in a separate process."""

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
"""Seconds that a slow machine may take for an immediate reaction."""

_LISTENS = re.compile(r"listens on (http://\S+)")


@define(eq=False)
class Server:
    """A process of `chatcore`: its output and log so far, and its URL once it listens."""

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
        """Return the lines of the JSON log."""
        return [json.loads(line) for line in self.logged]

    async def until(self, condition: Callable[[Self], object]) -> None:
        """Wait until the output meets ``condition``. Raises RuntimeError with the output if the process ends before."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not condition(self):
                    if self._reading.done():
                        raise RuntimeError("\n".join(["chatcore has ended", *self.printed, *self.logged]))
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError("\n".join(["the output was", *self.printed, *self.logged])) from None

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code once the process has ended."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()

    async def kill(self) -> None:
        """End the process as a crash would."""
        await self.stop(signal.SIGKILL)

    async def ended(self) -> int:
        """Return the exit code once the process has ended and its output has been read. After a timeout, kill it."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.shield(self._reading)
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            raise TimeoutError(
                "\n".join(["the process does not end; its output", *self.printed, *self.logged])
            ) from None

    async def _read_output(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.printed.append(line.decode().rstrip("\n"))
            if match := _LISTENS.search(self.printed[-1]):
                self.url = match[1]
            self._changed.set()

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.logged.append(line.decode().rstrip("\n"))
            self._changed.set()


_ENVIRONMENT: Mapping[str, str] = {
    "PYTHONWARNINGS": "error",
    "SSL_CERT_FILE": os.devnull,  # each start would read the system's certificates, which are for aiohttp's client
}


async def launch(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Server:
    """Start `chatcore` with ``folder`` as its working directory, which has its data too."""
    process = await asyncio.create_subprocess_exec(
        CHATCORE,
        *arguments,
        cwd=folder,
        env={**_no_settings(), **_ENVIRONMENT, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Server(process)


@asynccontextmanager
async def serving(
    folder: Path, *flags: str, port: int = 0, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Server]:
    """A server that listens, on a free port unless ``port`` is given. Its process is killed at the end.

    The data stays in ``folder``: for a restart, serve the folder again with the same port.
    """
    server = await launch(folder, "serve", "--port", str(port), *flags, environment=environment)
    try:
        await server.until(lambda server: server.url)
        yield server
    finally:
        await server.kill()


def _no_settings() -> Mapping[str, str]:
    """Return the environment of the tests without settings of `chatcore`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHATCORE_")}
