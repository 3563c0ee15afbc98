"""The official clients with their default options, against a node of the Socket.IO adapter."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import socketio
from socketio.exceptions import ConnectionError as SocketIOConnectionError

from chatcore.ports.pushes import Bye, ByeCode
from chatcore_websocket import ConnectionLimits, Timing

from ..official import COMES_BACK_S, OfficialClient, PythonClient, javascript_client, python_client
from .cutting_proxy import upgrade_cutter
from .node import QUICK, SocketioNode, socketio_node, transport_of

pytestmark = pytest.mark.anyio

BRIEF = Timing(connect_timeout=2)
"""The default deadlines, except that for a missing websocket."""

Connect: TypeAlias = Callable[[SocketioNode, str], AbstractAsyncContextManager[OfficialClient]]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop of the server. The other suites run on both loops."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(params=["python", "javascript"])
def connect(request: pytest.FixtureRequest, node_modules: Path) -> Connect:
    """Opens a JavaScript or a Python client."""

    def opened(node: SocketioNode, token: str) -> AbstractAsyncContextManager[OfficialClient]:
        if request.param == "python":
            return python_client(node.origin, token)
        return javascript_client(node.origin, token, node_modules)

    return opened


async def test_default_client_chats(node: SocketioNode, connect: Connect) -> None:
    async with connect(node, "alice") as alice, connect(node, "bob") as bob:
        answer = await alice.call("message.send", {"to": "bob", "key": "k1", "body": "hi 😀"})
        assert (answer["ok"], answer["seq"]) == (True, 1)
        for client in (alice, bob):
            await client.until(lambda client: client.bodies_of("entry"))
            assert client.bodies_of("entry")[0]["body"] == "hi 😀"
        assert len(node.server.websockets) == 2
        await node.until(lambda: node.server.polling_sessions == 0)
    await node.nothing_left()


async def test_500_commands_of_default_client_stay_in_order(node: SocketioNode, connect: Connect) -> None:
    async with connect(node, "alice") as alice:
        for n in range(500):
            alice.emit("message.send", {"to": "bob", "key": f"k{n}", "body": str(n)})
        await alice.until(lambda client: len(client.bodies_of("entry")) == 500)
        assert [entry["body"] for entry in alice.bodies_of("entry")] == [str(n) for n in range(500)]


async def test_client_reconnects_after_resumable_bye(node: SocketioNode, connect: Connect) -> None:
    async with said_goodbye(node, connect, "shutdown", "slow", "expired") as clients:
        for client in clients:
            await client.until(lambda client: len(client.bodies_of("ready")) == 2, COMES_BACK_S)
            assert (await client.call("rooms", {}))["ok"]


async def test_client_stays_away_after_final_bye(node: SocketioNode, connect: Connect) -> None:
    async with said_goodbye(node, connect, "signed_out", "kicked", "protocol") as clients:
        for client in clients:
            await client.until(lambda client: client.life("disconnect"))
        await node.nothing_left()
        await asyncio.sleep(2)  # the first retry would come within one and a half
        assert len(node.server.websockets) == node.server.polling_sessions == 0


@asynccontextmanager
async def said_goodbye(node: SocketioNode, connect: Connect, *codes: ByeCode) -> AsyncGenerator[list[OfficialClient]]:
    """Return a client for each code, which has received a bye with it."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(node, code)) for code in codes]
        sessions = {session._connection.id: session for session in node.server.websockets._sessions}
        for client, code in zip(clients, codes, strict=True):
            sessions[client.bodies_of("ready")[0]["socket"]].close(Bye(code=code))
            await client.until(lambda client: client.bodies_of("bye"))
            assert [body["code"] for body in client.bodies_of("bye")] == [code]
        yield clients


async def test_client_reconnects_after_broken_connection(node: SocketioNode, connect: Connect) -> None:
    async with connect(node, "alice") as alice:
        (session,) = node.server.websockets._sessions
        transport_of(session).abort()
        await alice.until(lambda client: len(client.bodies_of("ready")) == 2, COMES_BACK_S)


async def test_heartbeat_keeps_default_clients_connected(connect: Connect) -> None:
    async with socketio_node(timing=QUICK) as node, connect(node, "alice") as alice:
        await asyncio.sleep(4 * (QUICK.ping_interval + QUICK.ping_timeout))
        assert len(node.server.websockets) == 1
        assert alice.life("disconnect") == []


async def test_refused_javascript_client_gets_error_object_and_does_not_retry(
    node: SocketioNode, node_modules: Path
) -> None:
    async with javascript_client(node.origin, "nobody", node_modules, ready=False) as client:
        await client.until(lambda client: client.life("connect_error"))
        (error,) = client.life("connect_error")
        assert error["data"] == {"code": "unauthenticated", "message": error["message"], "temporary": False}
        await node.nothing_left()
        await asyncio.sleep(2)
        assert len(client.life("connect_error")) == 1


async def test_refused_python_client_gets_error_object(node: SocketioNode) -> None:
    client = socketio.AsyncClient()
    refusals: list[Any] = []
    client.on("connect_error", refusals.append)
    with pytest.raises(SocketIOConnectionError):
        await client.connect(node.origin, auth={"token": "nobody"})
    await client.shutdown()
    (refusal,) = refusals
    assert refusal["data"] == {"code": "unauthenticated", "message": refusal["message"], "temporary": False}
    await node.nothing_left()


async def test_javascript_client_retries_while_token_can_not_be_checked(node: SocketioNode, node_modules: Path) -> None:
    with node.failing(ZeroDivisionError()):
        async with javascript_client(node.origin, "alice", node_modules, ready=False) as client:
            await node.until(lambda: len(node.attempts) >= 2)
            node.store.fault = None
            await client.until(lambda client: client.bodies_of("ready"), COMES_BACK_S)


JAVASCRIPT = ["socket.io-client", "socket.io-client-4.0", "socket.io-client-3.1"]
"""Packages of `package.json`: the newest version, and older versions with the same protocol."""


@pytest.mark.parametrize("library", JAVASCRIPT)
async def test_javascript_client_connects_after_reset_upgrade(library: str, node_modules: Path) -> None:
    async with (
        socketio_node(timing=BRIEF) as node,
        upgrade_cutter(node.port, cuts=1) as (cutter, origin),
        javascript_client(origin, "alice", node_modules, ready=False, library=library) as client,
    ):
        await client.until(lambda client: client.bodies_of("ready"), COMES_BACK_S)
        assert cutter.cuts == 0
        assert client.life("connect_error")[0]["status"] == 503
        assert len(client.life("connect")) == 1


async def test_python_client_connects_after_reset_upgrade() -> None:
    client = PythonClient()
    # aiohttp repeats a GET if its reused connection breaks, so two connections are cut.
    async with socketio_node(timing=BRIEF) as node, upgrade_cutter(node.port, cuts=2) as (cutter, origin):
        await client.client.connect(origin, auth={"token": "alice"}, wait_timeout=COMES_BACK_S)
        await client.until(lambda client: client.bodies_of("ready"))
        assert cutter.cuts == 0
        await client.client.shutdown()


async def test_client_reconnects_when_upgrade_of_reconnect_is_reset(node_modules: Path) -> None:
    async with (
        socketio_node(timing=BRIEF) as node,
        upgrade_cutter(node.port, cuts=0) as (cutter, origin),
        javascript_client(origin, "alice", node_modules) as javascript,
        python_client(origin, "alice") as python,
    ):
        cutter.cuts = 3
        for session in tuple(node.server.websockets._sessions):
            transport_of(session).abort()
        for client in (javascript, python):
            await client.until(lambda client: len(client.bodies_of("ready")) == 2, 2 * COMES_BACK_S)


@pytest.mark.parametrize("library", JAVASCRIPT)
async def test_client_refused_at_address_cap_connects_later(library: str, node_modules: Path) -> None:
    async with socketio_node(limits=ConnectionLimits(websockets_per_address=1)) as node:
        first = await node.clients.connect("bob")
        async with javascript_client(node.origin, "alice", node_modules, ready=False, library=library) as client:
            await client.until(lambda client: client.life("connect_error"), COMES_BACK_S)
            await first.close()
            await client.until(lambda client: client.bodies_of("ready"), COMES_BACK_S)
        assert all(error["data"] is None for error in client.life("connect_error"))


async def test_client_of_version_2_is_refused_and_log_names_versions(
    node: SocketioNode, node_modules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with javascript_client(
        node.origin, "alice", node_modules, ready=False, library="socket.io-client-2"
    ) as client:
        await client.until(lambda client: len(client.life("connect_error")) == 2, COMES_BACK_S)
    assert client.life("connect_error")[0]["status"] == 400
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "EIO=3" in line
    assert "address=127.0.0.1" in line
    assert "Install version 3 or 4" in line
