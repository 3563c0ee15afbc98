"""A real store is paused for 8 s under load: messages are acknowledged again within a second of its return."""

import asyncio
import itertools
import secrets
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from attrs import define, field

from .cheap_accounts import make_accounts, make_mongo_accounts
from .clients import RawClient, raw_clients
from .listeners import listeners
from .mongod import Mongod, a_mongod
from .serve_client import sign_in
from .serving import Server, serving
from .sqlite_group import other_process

pytestmark = pytest.mark.anyio

USERS = [f"user{number}" for number in range(10)]
SOCKETS = 500
MESSAGES_A_SECOND = 150
OUTAGE_S = 8
RECOVERY_S = 1
"""The promised time in seconds. Tests allow three times as long, for slow machines."""
AFTER_S = 3
SECRET = "a secret of the tests, of 32 bytes or more"

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define
class Sender:
    """Sends messages to a room over a socket, and keeps the answer to each key."""

    client: RawClient
    room: str
    keys: dict[int, str] = field(factory=dict)
    """Keys by the number of the acknowledgement."""

    async def send(self, number: int) -> None:
        self.keys[number] = secrets.token_hex(8)
        message = {"room": self.room, "body": "x" * 200, "key": self.keys[number]}
        await self.client.emit("message.send", message, number=number)

    @property
    def acknowledged(self) -> list[str]:
        return [self.keys[number] for number, answer in self.client.answers.items() if answer["ok"]]


async def room_of_all(server: Server, http: ClientSession) -> tuple[str, list[str]]:
    """Create a public room with all users as members. Returns its id and the users' tokens."""
    users = [await sign_in(http, server.url, user) for user in USERS]
    api, creation = users[0].api, {"kind": "public", "title": "Busy", "key": "busy"}
    async with http.post(f"{api}/rooms", json=creation, headers=users[0].bearer) as answer:
        room: str = (await answer.json())["room"]
    for user in users[1:]:
        async with http.put(f"{api}/rooms/{room}/members/{user.name}", headers=user.bearer) as answer:
            assert answer.status == 200
    return room, [user.token for user in users]


async def send_on(senders: list[Sender]) -> None:
    """Send at a steady rate, until cancelled."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in itertools.count():
        await asyncio.sleep(began + number / MESSAGES_A_SECOND - loop.time())
        await senders[number % len(senders)].send(number)


async def recovers(server: Server, paused: Callable[[], AbstractAsyncContextManager[None]]) -> None:
    """Load the server and pause its store. The server must recover in time, and keep acknowledged messages."""
    async with ClientSession() as http, raw_clients(f"{server.url}/socket.io/") as clients:
        room, tokens = await room_of_all(server, http)
        senders = [Sender(await clients.connect(token), room) for token in tokens]
        more = itertools.islice(itertools.cycle(tokens), SOCKETS - len(tokens))
        async with listeners(server.port, [*more]) as others:
            load = asyncio.create_task(send_on(senders))
            try:
                await senders[0].client.until(lambda _: all(sender.acknowledged for sender in senders))
                async with paused():
                    await asyncio.sleep(OUTAGE_S)
                    before = [len(sender.acknowledged) for sender in senders]
                print(f"first success after {await until_one_succeeds(senders, before):.2f} s")
                await asyncio.sleep(AFTER_S)
            finally:
                load.cancel()
            assert not any(listener.ended for listener in others)
        for sender in senders:
            await sender.client.until(partial(_is_all_answered, sender))
        stored = [entry["key"] for entry in await read_all(http, server, room, tokens[0]) if entry["kind"] == "message"]
        assert len(stored) == len(set(stored))
        assert {key for sender in senders for key in sender.acknowledged} <= set(stored)


async def until_one_succeeds(senders: Sequence[Sender], before: Sequence[int]) -> float:
    """Wait for the first acknowledgement beyond ``before``. Returns the seconds that it took."""
    began = asyncio.get_running_loop().time()

    async def succeeds(sender: Sender, count: int) -> None:
        await sender.client.until(lambda _: len(sender.acknowledged) > count)

    waits = [asyncio.create_task(succeeds(*pair)) for pair in zip(senders, before, strict=True)]
    try:
        done, _ = await asyncio.wait(waits, timeout=3 * RECOVERY_S, return_when=asyncio.FIRST_COMPLETED)
        assert done, "no message was acknowledged in time"
    finally:
        for wait in waits:
            wait.cancel()
    return asyncio.get_running_loop().time() - began


def _is_all_answered(sender: Sender, client: RawClient) -> bool:
    return sender.keys.keys() <= client.answers.keys()


async def read_all(http: ClientSession, server: Server, room: str, token: str) -> list[Any]:
    entries: list[Any] = []
    place, more = "oldest", True
    while more:
        url = f"{server.url}/api/v1/rooms/{room}/entries?anchor={place}&after=199"
        async with http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
            page = await answer.json()
        entries += page["entries"][1 if entries else 0 :]
        place, more = str(entries[-1]["seq"]), page["has_after"]
    return entries


async def test_busy_room_on_sqlite_recovers_from_lock_of_other_process(tmp_path: Path) -> None:
    @asynccontextmanager
    async def locked() -> AsyncGenerator[None]:
        async with other_process(LOCK, tmp_path / "chatcore-data" / "chatcore.sqlite3"):
            yield

    await make_accounts(tmp_path, USERS)
    async with serving(tmp_path) as server:
        await recovers(server, locked)


async def test_busy_room_on_mongodb_recovers_from_stopped_database(tmp_path: Path) -> None:
    with a_mongod() as mongod:
        await make_mongo_accounts(mongod.url, USERS)
        environment: Mapping[str, str] = {"CHATCORE_STORE": mongod.url, "CHATCORE_SECRET": SECRET}
        async with serving(tmp_path, environment=environment) as server:
            await recovers(server, partial(stopped, mongod))


@asynccontextmanager
async def stopped(mongod: Mongod) -> AsyncGenerator[None]:
    mongod.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        mongod.signal(signal.SIGCONT)
