"""What a server does in a second of its processor's time, over real websockets, with 200-byte messages.

    python bench/sockets.py [memory] [sqlite]

pairs: 250 pairs of users, each with one message under way; messages acknowledged. room: 500 members, of whom 5 send;
deliveries. Prints for each store the median, lowest and highest of some rounds: per second of the server's processor
time, which other programs of the machine disturb less than the wall's.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from statistics import median

import aiohttp
import uvloop
from aiohttp import web

from chatcore import Chat
from chatcore.ports.authenticator import Credentials, Principal
from chatcore.ports.store import Store
from chatcore_aiohttp import add_socketio
from chatcore_memory import MemoryStore
from chatcore_server import garbage_collector
from chatcore_socketio import SocketioServer
from chatcore_sqlite import SqliteStore
from chatcore_websocket import Websockets

PAIRS = 250
MEMBERS = 500
SENDERS = 5
ROUNDS = 7
SECONDS = 2.0
BODY = "x" * 200
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


async def serve(store: Store) -> None:
    """Whoever comes is who their token says."""

    async def authenticate(credentials: Credentials) -> Principal | None:
        return Principal(credentials.token) if credentials.token else None

    app = web.Application()
    async with Chat(store) as chat:
        add_socketio(app, SocketioServer(Websockets(chat, authenticate)))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(site.port, flush=True)
        with garbage_collector.set_for_serving():
            await asyncio.Event().wait()


class Client:
    """One websocket, with one command under way."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._numbers = count()
        self._answered = asyncio.Event()
        self._answer = ""
        self.answers = 0
        self.entries = 0
        self.task = asyncio.create_task(self._read())

    async def command(self, name: str, fields: str) -> str:
        self._answered.clear()
        await self._websocket.send_str(f'42{next(self._numbers)}["{name}",{{{fields}}}]')
        await self._answered.wait()
        return self._answer

    async def send(self, where: str) -> None:
        await self.command("message.send", f'{where},"body":"{BODY}","key":"{next(KEYS)}"')
        self.answers += 1

    async def _read(self) -> None:
        async for message in self._websocket:
            text = message.data
            if text.startswith('42["entry"'):
                self.entries += 1
            elif text.startswith(('42["ready"', "43")):
                self._answer = text
                self._answered.set()
            elif text == "2":
                await self._websocket.send_str("3")

    async def ready(self, user: str) -> None:
        await self._websocket.send_str(f'40{{"token":"{user}"}}')
        await self._answered.wait()


KEYS = count(time.time_ns())


async def connect(http: aiohttp.ClientSession, port: int, user: str) -> Client:
    websocket = await http.ws_connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", max_msg_size=0)
    client = Client(websocket)
    await client.ready(user)
    return client


def used(process: int) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


async def rate(process: int, senders: list[tuple[Client, str]], counted: Callable[[], int]) -> float:
    """How much was counted in a second of the process's time, while every sender sends as fast as it is answered."""
    stop = asyncio.Event()

    async def chatter(client: Client, where: str) -> None:
        while not stop.is_set():
            await client.send(where)

    before, began = counted(), used(process)
    async with asyncio.TaskGroup() as tasks:
        for client, where in senders:
            tasks.create_task(chatter(client, where))
        await asyncio.sleep(SECONDS)
        stop.set()
    return (counted() - before) / (used(process) - began)


async def pairs(http: aiohttp.ClientSession, port: int, process: int) -> list[float]:
    names = [(f"a{number}", f"b{number}") for number in range(PAIRS)]
    clients = [(await connect(http, port, a), await connect(http, port, b), b) for a, b in names]
    senders = [(one, f'"to":"{name}"') for one, _, name in clients]
    return [await rate(process, senders, lambda: sum(one.answers for one, _, _ in clients)) for _ in range(ROUNDS)]


async def room(http: aiohttp.ClientSession, port: int, process: int) -> list[float]:
    members = [await connect(http, port, f"m{number}") for number in range(MEMBERS)]
    made = await members[0].command("room.create", f'"kind":"public","title":"all","key":"{next(KEYS)}"')
    name = made.partition('"room":"')[2].partition('"')[0]
    for one in members[1:]:
        await one.command("room.join", f'"room":"{name}"')
    senders = [(one, f'"room":"{name}"') for one in members[:SENDERS]]
    return [await rate(process, senders, lambda: sum(one.entries for one in members)) for _ in range(ROUNDS)]


async def measure(name: str, what: Callable[[aiohttp.ClientSession, int, int], Awaitable[list[float]]]) -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, __file__, "serve", name, stdout=subprocess.PIPE)
    try:
        assert server.stdout
        port = int(await server.stdout.readline())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            rates = await what(http, port, server.pid)
    finally:
        server.kill()
        await server.wait()
    print(f"{what.__name__:6} {name:7} {median(rates):9,.0f}  ({min(rates):,.0f} to {max(rates):,.0f})", flush=True)


def main(names: list[str]) -> None:
    if names[:1] == ["serve"]:
        with tempfile.TemporaryDirectory() as folder:
            uvloop.run(serve(MemoryStore() if names[1] == "memory" else SqliteStore(folder)))
    for name in names or ["memory", "sqlite"]:
        for what in (pairs, room):
            uvloop.run(measure(name, what))


if __name__ == "__main__":
    main(sys.argv[1:])
