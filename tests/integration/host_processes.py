"""`host_program` or `framework_program` in a process of its own, started with the command that its users type."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientError, ClientSession
from attrs import define

from . import http_frameworks
from .clients import TIMEOUT_S
from .host_program import PREFIX as PREFIX
from .socketio.silent import PLAIN, SOCKETIO, SilentClient

ROOT = Path(__file__).parents[2]
ASGI = ("wsproto", "websockets-sansio")
"""The websocket implementations of uvicorn."""
HOSTS = ("aiohttp", *ASGI)


@define
class HostProcess:
    """A process that serves a host's program."""

    process: asyncio.subprocess.Process
    port: int
    prefix: str = PREFIX

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the mount."""
        return self.origin + self.prefix

    async def stop(self) -> int:
        """Ask the process to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(TIMEOUT_S):
            return await self.process.wait()

    def forget_peak(self) -> None:
        """Let `peak` begin at the present resident memory."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    @property
    def peak(self) -> int:
        """The most resident memory of the process in bytes, since `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024

    async def silent_socketio(self, user: str) -> SilentClient:
        """Connect a Socket.IO client that reads nothing from then on."""
        return await (await SilentClient.open(self, path=self.prefix + SOCKETIO)).connect(user)

    async def silent_plain(self, user: str) -> SilentClient:
        """Connect a client of the plain WebSocket that reads nothing from then on."""
        return await (await SilentClient.open(self, path=self.prefix + PLAIN)).connect_plain(user)


@asynccontextmanager
async def host_process(folder: Path, kind: str, *options: str, port: int | None = None) -> AsyncGenerator[HostProcess]:
    """Serve `host_program` in aiohttp or in uvicorn with a websocket implementation, or `framework_program`.

    Its data is in ``folder``. The process is killed at the end of the block if it still runs.
    """
    port = port or _free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *_command(kind, port), *options),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    host = HostProcess(process, port, http_frameworks.PREFIX if kind in http_frameworks.FRAMEWORKS else PREFIX)
    try:
        async with ClientSession() as http, asyncio.timeout(TIMEOUT_S * 2):
            while True:
                try:
                    async with http.get(f"{host.url}/api/v1/rooms"):
                        break
                except ClientError:
                    await asyncio.sleep(0.05)  # nothing tells that another process listens
        yield host
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _command(kind: str, port: int) -> tuple[str, ...]:
    program = "tests.integration.host_program"
    if kind == "aiohttp":
        return ("aiohttp.web", "-H", "127.0.0.1", "-P", str(port), f"{program}:aiohttp_app")
    uvicorn = ("--port", str(port), "--log-level", "warning")
    if framework := http_frameworks.FRAMEWORKS.get(kind):
        options = [f"--{name.replace('_', '-')}={value}" for name, value in framework.options.items()]
        return ("uvicorn", f"tests.integration.framework_program:{kind}", *uvicorn, *options)
    return ("uvicorn", f"{program}:app", *uvicorn, "--ws", kind)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
