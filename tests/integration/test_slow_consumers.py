"""Clients that never read, in the programs of hosts: they are cut, cost little memory, and disturb no neighbours."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from attrs import define

from chatcore import SendMessage
from chatcore_websocket import Timing, websockets

from .clients import TIMEOUT_S, RawClient, raw_clients
from .host_processes import HOSTS, HostProcess, host_process
from .plain_client import PlainClient
from .socket_hosts import PREFIX, socket_host
from .socketio.silent import PLAIN, SOCKETIO, SilentClient

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
BODY = "x" * 16_000
MESSAGES = 20 * MIB // len(BODY) + 1
COST_MAX = 4 * MIB
STEADY = MIB // 4
"""Growth of a program below which a round of messages counts as one that needed no more memory."""
ROUNDS_MAX = 12


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define
class Neighbours:
    """Clients that read everything: a sender and a receiver over Socket.IO, and a receiver over a plain WebSocket."""

    sender: RawClient
    socketio: RawClient
    plain: PlainClient
    room: str
    sent: int = 0

    async def send_20_mib(self) -> None:
        """Send `MESSAGES` messages to the room, 20 at a time, and wait until the receivers have them."""
        for _ in range(0, MESSAGES, 20):
            texts = range(self.sent, self.sent + 20)
            await asyncio.gather(
                *(
                    self.sender.call("message.send", {"room": self.room, "key": f"k{number}", "body": BODY})
                    for number in texts
                )
            )
            self.sent = texts.stop
        head = (await self.sender.call("room.get", {"room": self.room}))["head"]
        await self.socketio.until(lambda client: client.bodies_of("entry")[-1]["seq"] == head)
        await self.plain.until(lambda client: client.bodies_of("entry")[-1]["seq"] == head)

    def assert_everything_came_in_order(self) -> None:
        for client in (self.sender, self.socketio, self.plain):
            seqs = [entry["seq"] for entry in client.bodies_of("entry")]
            assert seqs == list(range(seqs[0], seqs[-1] + 1))
            assert len(seqs) >= self.sent


@asynccontextmanager
async def neighbours(host: HostProcess) -> AsyncGenerator[Neighbours]:
    """Three clients in a group with ``silent``, who is a member and has no socket."""
    async with raw_clients(f"{host.url}/socket.io/") as clients, ClientSession() as http:
        sender, socketio, silent = [await clients.connect(user) for user in ("alice", "bob", "silent")]
        plain = await (await PlainClient.open(http, f"{host.url}/ws")).connect("carl")
        group = {"kind": "group", "title": "all", "members": ["bob", "carl", "silent"], "key": "r"}
        room = (await sender.call("room.create", group))["room"]
        for client in (socketio, plain, silent):
            assert (await client.call("room.join", {"room": room}))["ok"]
        await silent.close()
        yield Neighbours(sender, socketio, plain, room)
        await plain.close()


@pytest.mark.parametrize("kind", HOSTS)
async def test_client_that_never_reads_is_cut_and_costs_at_most_4_mib(kind: str, tmp_path: Path) -> None:
    """20 MiB are pushed to a client of each transport. Neighbours receive everything in order."""
    async with (
        host_process(tmp_path, kind) as host,
        neighbours(host) as others,
        ClientSession(headers={"Authorization": "Bearer silent"}) as http,
    ):
        await _warm_up(host, others)
        for silence in (host.silent_socketio, host.silent_plain):
            silent = await silence("silent")
            host.forget_peak()
            before = host.peak
            await others.send_20_mib()
            assert host.peak - before <= COST_MAX, silence
            async with http.get(f"{host.url}/api/v1/sockets") as answer:
                assert (await answer.json())["sockets"] == []
            silent.close()
        others.assert_everything_came_in_order()


async def _warm_up(host: HostProcess, others: Neighbours) -> None:
    """Send until the program has what memory it needs for itself: for its caches, and for the peaks of its heap."""
    steady = 0
    for _ in range(ROUNDS_MAX):
        host.forget_peak()
        before = host.peak
        await others.send_20_mib()
        steady = steady + 1 if host.peak - before < STEADY else 0
        if steady == 2:
            return


@pytest.mark.parametrize("path", [SOCKETIO, PLAIN], ids=["Socket.IO", "plain WebSocket"])
@pytest.mark.parametrize("kind", HOSTS)
async def test_cut_client_finds_bye_slow_and_1013_behind_what_it_had_not_read(
    kind: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads again before the time to close is over; afterwards nothing can reach it."""
    monkeypatch.setattr(websockets, "Timing", lambda: Timing(close_timeout=TIMEOUT_S))
    async with socket_host(kind) as host:
        silent = await SilentClient.open(host, path=PREFIX + path)
        await (silent.connect() if path == SOCKETIO else silent.connect_plain())
        sent = 0
        while host.chat.stats().sockets and sent < MESSAGES:
            await host.chat.execute("alice", SendMessage(to="silent", body=BODY, key=f"k{sent}"))
            sent += 1
        received = await silent.read_until(b"\x88\x02\x03\xf5")
        bye = b'{"code":"slow","resumable":true}'
        assert received.index(bye) > received.rindex(BODY.encode())
        assert received.count(BODY.encode()) < sent
        silent.close()
