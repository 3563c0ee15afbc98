"""The official Socket.IO clients with their default options. Received events are kept in order and can be awaited."""

import asyncio
import itertools
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import socketio

from .clients import TIMEOUT_S
from .javascript import HERE, NODE

COMES_BACK_S = 30
"""Official clients wait up to 5 s, and up to half of it more, between two attempts."""


class OfficialClient(ABC):
    """A client. ``arrived`` holds ("push", event, body), ("answer", number, answer) and ("life", what, detail)."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, Any, Any]] = []
        self.listener: Callable[[str, Any, Any], None] = lambda kind, name, detail: None
        self._changed = asyncio.Event()
        self._numbers = itertools.count()

    @abstractmethod
    def emit(self, event: str, data: object) -> int:
        """Send a command once the client is connected. Returns the number of its answer."""

    def bodies_of(self, event: str) -> list[Any]:
        return [body for kind, name, body in self.arrived if (kind, name) == ("push", event)]

    def life(self, what: str) -> list[Any]:
        return [detail for kind, name, detail in self.arrived if (kind, name) == ("life", what)]

    async def until(self, condition: Callable[[Self], object], within: float = TIMEOUT_S) -> None:
        try:
            async with asyncio.timeout(within):
                while not condition(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"received {self.arrived}") from None

    async def call(self, event: str, data: object) -> Any:
        number = self.emit(event, data)
        await self.until(lambda client: client._answers(number))
        return self._answers(number)[0]

    def _answers(self, number: int) -> list[Any]:
        return [answer for kind, name, answer in self.arrived if (kind, name) == ("answer", number)]

    def _arrive(self, kind: str, name: Any, detail: Any) -> None:
        self.arrived.append((kind, name, detail))
        self.listener(kind, name, detail)
        self._changed.set()


class PythonClient(OfficialClient):
    """The client of python-socketio."""

    def __init__(self, client: socketio.AsyncClient | None = None) -> None:
        super().__init__()
        self.client = client or socketio.AsyncClient()
        self._sending: set[asyncio.Task[None]] = set()
        for what in ("connect", "disconnect", "connect_error"):
            self.client.on(what, lambda detail=None, what=what: self._arrive("life", what, detail))
        self.client.on("*", lambda event, body: self._arrive("push", event, body))

    def listen(self, namespace: str) -> None:
        """Keep the events of another namespace too."""
        self.client.on("*", lambda event, body: self._arrive("push", event, body), namespace=namespace)

    def emit(self, event: str, data: object) -> int:
        number = next(self._numbers)
        task = asyncio.create_task(self._send(event, data, number))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return number

    async def _send(self, event: str, data: object, number: int) -> None:
        await self.until(lambda client: client.client.connected, COMES_BACK_S)
        await self.client.emit(event, data, callback=lambda answer: self._arrive("answer", number, answer))


class JavascriptClient(OfficialClient):
    """The client from npm, in a separate process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self._process = process
        self.reading = asyncio.create_task(self._read())

    def emit(self, event: str, data: object) -> int:
        number = next(self._numbers)
        self.write({"event": event, "data": data, "number": number})
        return number

    def write(self, line: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            self._arrive(*json.loads(line))


@asynccontextmanager
async def python_client(url: str, token: str, path: str = "/socket.io/") -> AsyncGenerator[PythonClient]:
    """A client of the server at ``url``, after `ready`."""
    client = PythonClient()
    try:
        await client.client.connect(url, auth={"token": token}, socketio_path=path)
        await client.until(lambda client: client.bodies_of("ready"))
        yield client
    finally:
        await client.client.shutdown()


@asynccontextmanager
async def javascript_client(
    url: str,
    token: str,
    node_modules: Path,
    path: str = "/socket.io/",
    *,
    ready: bool = True,
    library: str = "socket.io-client",
) -> AsyncGenerator[JavascriptClient]:
    """A client of the package ``library`` of `package.json`, after `ready` unless ``ready`` is false."""
    program = shutil.copy(HERE / "client.mjs", node_modules.parent)  # Node looks for packages beside a program
    process = await asyncio.create_subprocess_exec(
        NODE,
        program,
        url,
        token,
        library,
        path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    client = JavascriptClient(process)
    try:
        if ready:
            await client.until(lambda client: client.bodies_of("ready"))
        yield client
    finally:
        process.kill()
        await process.wait()
        await client.reading
