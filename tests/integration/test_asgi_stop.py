"""The stop of ASGI servers amid traffic: in time, nothing that was acknowledged is lost, and clients resume."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import ClientError, ClientSession, TCPConnector
from attrs import Factory, define

from chatcore import Chat
from chatcore_asgi import ChatApp
from chatcore_memory import MemoryStore

from .clients import TIMEOUT_S, RawClient, raw_clients
from .host_processes import ASGI, HostProcess, host_process
from .host_program import authenticate
from .plain_client import PlainClient

pytestmark = pytest.mark.anyio

ROOMS, MEMBERS = 30, 10
MESSAGES = 30
"""Messages that each sender sends."""
ANSWERS_BEFORE_STOP = ROOMS * MESSAGES // 3
STOP_S = 10
BODY = "x" * 16_000

Client: TypeAlias = RawClient | PlainClient


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define(eq=False)
class Member:
    """A user with one socket, who keeps what comes."""

    name: str
    room: str = ""
    client: Client | None = None
    entries: dict[int, Any] = Factory(dict)
    acknowledged: dict[str, int] = Factory(dict)
    close_codes: list[int | None] = Factory(list)
    byes: list[Any] = Factory(list)

    async def resume(self) -> None:
        """Ask for what is missing, and keep it."""
        assert self.client
        cursor = {"seq": max(self.entries, default=0), "epoch": self.client.bodies_of("ready")[0]["epoch"]}
        answer = await self.client.call("sync", {"cursors": {self.room: cursor}})
        found = answer["rooms"][self.room]
        assert found["status"] == "events"
        self._keep(found["entries"])

    async def send(self, answers: asyncio.Semaphore) -> None:
        """Send messages one after the other, until the connection ends or all are acknowledged. Each answer counts."""
        assert self.client
        with suppress(ConnectionError, ClientError):
            while (number := len(self.acknowledged)) < MESSAGES:
                key = f"{self.name} {number}"
                answer = await self.client.call("message.send", {"room": self.room, "key": key, "body": key})
                self.acknowledged[key] = answer["seq"]
                answers.release()

    async def ended(self) -> None:
        """Wait until the connection has ended, and keep what came."""
        assert self.client
        self.close_codes.append(await self.client.closed())
        self.byes += self.client.bodies_of("bye")
        self._keep(self.client.bodies_of("entry"))

    async def received(self, head: int) -> None:
        """Wait for the entry with the seq ``head``, and keep what came."""
        assert self.client
        await self.client.until(
            lambda client: head in self.entries or any(entry["seq"] == head for entry in client.bodies_of("entry"))
        )
        self._keep(self.client.bodies_of("entry"))

    def _keep(self, entries: Sequence[Any]) -> None:
        for entry in entries:
            assert self.entries.setdefault(entry["seq"], entry) == entry


@asynccontextmanager
async def connected(host: HostProcess, members: Sequence[Member]) -> AsyncGenerator[None]:
    """Connect the members: in turn over Socket.IO and over the plain WebSocket."""
    async with (
        raw_clients(f"{host.url}/socket.io/") as clients,
        ClientSession(connector=TCPConnector(limit=0)) as http,
    ):

        async def connect(number: int, member: Member) -> None:
            if number % 2:
                member.client = await (await PlainClient.open(http, f"{host.url}/ws")).connect(member.name)
            else:
                member.client = await clients.connect(member.name)

        await asyncio.gather(*(connect(number, member) for number, member in enumerate(members)))
        yield


async def gather_in_rooms(members: Sequence[Member]) -> Sequence[Sequence[Member]]:
    """Let each `MEMBERS` users join a room of their own. Returns the members of each room."""
    groups = [members[first : first + MEMBERS] for first in range(0, len(members), MEMBERS)]

    async def join(group: Sequence[Member]) -> None:
        owner, *others = group
        assert owner.client
        created = {"kind": "group", "title": "t", "members": [member.name for member in others], "key": "r"}
        owner.room = (await owner.client.call("room.create", created))["room"]
        for member in others:
            assert member.client
            member.room = owner.room
            assert (await member.client.call("room.join", {"room": owner.room}))["ok"]

    for group in groups:
        await join(group)
    return groups


async def stopped(host: HostProcess) -> float:
    """Stop a server. Returns the seconds until its end."""
    began = time.monotonic()
    host.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(STOP_S + 5):
        assert await host.process.wait() == -signal.SIGTERM  # uvicorn ends by the signal, once it has stopped
    return time.monotonic() - began


@pytest.mark.parametrize("implementation", ASGI)
async def test_server_with_300_sockets_ends_within_10_s_and_clients_resume(implementation: str, tmp_path: Path) -> None:
    members = [Member(f"u{number}") for number in range(ROOMS * MEMBERS)]
    async with host_process(tmp_path, implementation) as host, connected(host, members):
        groups = await gather_in_rooms(members)
        senders = [group[place % MEMBERS] for place, group in enumerate(groups)]
        answers = asyncio.Semaphore(0)
        sending = [asyncio.create_task(sender.send(answers)) for sender in senders]
        async with asyncio.timeout(TIMEOUT_S * 4):
            for _ in range(ANSWERS_BEFORE_STOP):
                await answers.acquire()
        assert await stopped(host) < STOP_S
        await asyncio.gather(*sending)
        await asyncio.gather(*(member.ended() for member in members))
        assert {code for member in members for code in member.close_codes} == {1012}
        assert not any(member.byes for member in members)
    before_stop = [dict(sender.acknowledged) for sender in senders]
    assert sum(map(len, before_stop)) < ROOMS * MESSAGES
    async with host_process(tmp_path, implementation, port=host.port) as again, connected(again, members):
        await asyncio.gather(*(member.resume() for member in members))
        await asyncio.gather(*(sender.send(answers) for sender in senders))
        for group, sender, acknowledged in zip(groups, senders, before_stop, strict=True):
            assert sender.acknowledged.items() >= acknowledged.items()
            expected = [f"{sender.name} {number}" for number in range(MESSAGES)]
            head = sender.acknowledged[expected[-1]]
            for member in group:
                await member.received(head)
                assert sorted(member.entries) == list(range(min(member.entries), head + 1))
                texts = {
                    seq: entry["body"] for seq, entry in sorted(member.entries.items()) if entry["kind"] == "message"
                }
                assert list(texts.values()) == expected
                assert texts == {seq: key for key, seq in sender.acknowledged.items()}


@pytest.mark.parametrize("implementation", ASGI)
async def test_clients_that_never_read_delay_the_stop_for_the_graceful_timeout_at_most(
    implementation: str, tmp_path: Path
) -> None:
    """uvicorn waits for their connections, which it cannot abort."""
    async with host_process(tmp_path, implementation, "--timeout-graceful-shutdown", "2") as host:
        async with raw_clients(f"{host.url}/socket.io/") as clients:
            alice = await clients.connect("alice")
            silent = [await host.silent_socketio("silent"), await host.silent_plain("silent")]
            sent, is_open = 0, True
            async with ClientSession(headers={"Authorization": "Bearer silent"}) as http:
                while is_open:
                    for _ in range(20):
                        answer = await alice.call("message.send", {"to": "silent", "key": f"k{sent}", "body": BODY})
                        sent += 1
                        assert answer["seq"] == sent
                    async with http.get(f"{host.url}/api/v1/sockets") as listed:
                        is_open = bool((await listed.json())["sockets"])
            assert await stopped(host) < STOP_S
            assert await alice.closed() == 1012
        for client in silent:
            client.close()
    async with (
        host_process(tmp_path, implementation, port=host.port) as again,
        raw_clients(f"{again.url}/socket.io/") as clients,
    ):
        alice = await clients.connect("alice")
        assert (await alice.call("room.get", {"room": "pvt-alice-silent"}))["head"] == sent


async def test_websocket_whose_task_the_server_cancels_ends_with_bye_shutdown_and_1001() -> None:
    """Hypercorn stops in this way."""
    received: asyncio.Queue[Any] = asyncio.Queue()
    sent: asyncio.Queue[Any] = asyncio.Queue()
    connect = {"event": "connect", "data": {"token": "alice"}}
    received.put_nowait({"type": "websocket.connect"})
    received.put_nowait({"type": "websocket.receive", "text": json.dumps(connect)})
    scope = {"type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"", "headers": []}
    async with Chat(MemoryStore()) as chat, asyncio.timeout(TIMEOUT_S):
        serving = asyncio.create_task(ChatApp(chat, authenticate)(scope, received.get, sent.put))
        assert (await sent.get())["type"] == "websocket.accept"
        assert json.loads((await sent.get())["text"])["event"] == "ready"
        serving.cancel()
        bye = {"event": "bye", "data": {"code": "shutdown", "resumable": True}}
        assert json.loads((await sent.get())["text"]) == bye
        assert await sent.get() == {"type": "websocket.close", "code": 1001}
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert chat.stats().sockets == 0
