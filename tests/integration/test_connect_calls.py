"""The number of function calls of a connect, which does not depend on the machine.

It is counted in the bundled server on SQLite, from the bytes of the request to those of `ready`, in the event loop and
in the threads of the store. Calls of libraries are not counted.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest
from attrs import define, field

from chatcore.accounts import Session
from chatcore.testing.builders import conversation
from chatcore_security import JwtTokens
from chatcore_server.serving import running
from chatcore_server.settings import Settings
from chatcore_sqlite import SqliteAccounts, SqliteStore

from ..unit.client_frames import TEXT, client_frame

pytestmark = pytest.mark.anyio

CALLS_MAX = 320
ROOM_CALLS_MAX = 24
SPARE = 1.02
CONNECTS = 20
ROOMS = (0, 10, 50)
"""The users have so many rooms."""
SOURCE = str(Path(__file__).parents[2] / "src")
SECRET = b"the secret of a test, 32 bytes long"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """uvloop, as in the server."""
    return "asyncio", {"use_uvloop": True}


@define
class Calls:
    """Counts calls of functions in `SOURCE`, in all threads that were started since."""

    seen: list[str] = field(factory=list)
    is_counting: bool = False

    @contextmanager
    def counted(self) -> Generator[None]:
        self.seen.clear()
        self.is_counting = True
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            self.is_counting = False

    @contextmanager
    def in_new_threads(self) -> Generator[None]:
        threading.setprofile(self._note)
        try:
            yield
        finally:
            threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if self.is_counting and event == "call" and code.co_filename.startswith(SOURCE):
            self.seen.append(code.co_qualname)


@define
class Client:
    """A user's websocket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connected(cls, port: int, token: str) -> Self:
        """Return a client once it has the last field of `ready`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024 * 1024)
        writer.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b'"maxPayload":65536}')
        writer.write(client_frame(TEXT, f'40{{"token":"{token}"}}'.encode()))
        await reader.readuntil(b'"expires_in":')
        return cls(reader, writer)


@define
class Server:
    """A server in this process, and its users by the number of their rooms."""

    port: int
    tokens: dict[int, str]
    calls: Calls
    clients: list[Client] = field(factory=list)

    async def calls_of_connect(self, rooms: int) -> int:
        """Return the calls of a connect of the user with so many rooms: the least, without those of a timer."""
        counts: list[int] = []
        for _ in range(CONNECTS):
            with self.calls.counted():
                self.clients.append(await Client.connected(self.port, self.tokens[rooms]))
            counts.append(len(self.calls.seen))
        return min(counts)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    settings = Settings(data_dir=tmp_path, port=0, secret=SECRET, limits="off")
    issuer, tokens = JwtTokens(SECRET), dict[int, str]()
    async with SqliteStore(tmp_path) as store:
        accounts = SqliteAccounts(store.database)
        for rooms in ROOMS:
            user = f"user{rooms}"
            session = Session(id=user, user=user, device="phone", generation=1)
            await accounts.create(user, "no hash", None)
            await accounts.open_session(session, timedelta(days=1))
            tokens[rooms] = issuer.issue_access(session)[0]
            names = [f"pvt-peer{number}-{user}" for number in range(rooms)]
            for name in names:
                written = await store.append(conversation(name, 3, users=(name.split("-")[1], user), kind="private"))
                assert written.written == 3
    calls = Calls()
    with calls.in_new_threads():
        async with running(settings) as addresses:
            served = Server(addresses[0][1], tokens, calls)
            yield served
            for client in served.clients:
                client.writer.close()


async def test_connect_takes_few_calls_and_few_for_each_room_of_ready(server: Server) -> None:
    none, some, many = [await server.calls_of_connect(rooms) for rooms in ROOMS]
    assert none <= CALLS_MAX
    assert (many - some) / (ROOMS[2] - ROOMS[1]) <= SPARE * (some - none) / (ROOMS[1] - ROOMS[0])
    assert (many - none) / ROOMS[2] <= ROOM_CALLS_MAX


async def test_connect_takes_as_many_calls_beside_10_and_300_sockets(server: Server) -> None:
    few = await server.calls_of_connect(0)
    for _ in range(300):
        server.clients.append(await Client.connected(server.port, server.tokens[10]))
    assert await server.calls_of_connect(0) <= SPARE * few
