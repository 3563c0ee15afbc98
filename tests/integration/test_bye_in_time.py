"""A socket whose access ends hears its `bye` within a second, over Socket.IO and the plain WebSocket on every host."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from .clients import RawClient
from .plain_client import PlainClient
from .socket_hosts import EVERYWHERE, SocketHost, socket_host

pytestmark = pytest.mark.anyio

PROMISED_S = 1
WITHIN_S = 3 * PROMISED_S
"""A test may wait longer than promised, since the machine may be busy."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=EVERYWHERE)
async def host(request: pytest.FixtureRequest) -> AsyncGenerator[SocketHost]:
    async with socket_host(request.param) as found:
        yield found


@pytest.fixture(params=["Socket.IO", "plain WebSocket"])
def is_plain(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "plain WebSocket")


async def connect(host: SocketHost, is_plain: bool, user: str) -> RawClient | PlainClient:
    return await (host.connect(user) if is_plain else host.clients.connect(user))


async def assert_ended(client: RawClient | PlainClient, bye: str, close_code: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        assert await client.closed() == close_code
    is_resumable = close_code == 1001
    assert client.bodies_of("bye") == [{"code": bye, "resumable": is_resumable}]
    if isinstance(client, RawClient):
        assert (client.texts[-1] == "41") != is_resumable


async def test_sign_out_ends_sockets_of_its_session_in_time(host: SocketHost, is_plain: bool) -> None:
    signed_out, other = [await connect(host, is_plain, user) for user in ("bob", "carl")]
    await host.chat.close_session("bob", "of bob")
    await assert_ended(signed_out, "signed_out", 1000)
    assert (await other.call("rooms", {}))["ok"]
    await other.close()


async def test_close_sockets_ends_all_sockets_of_a_user_in_time(host: SocketHost, is_plain: bool) -> None:
    clients = [await connect(host, is_plain, "bob") for _ in range(3)]
    other = await connect(host, is_plain, "carl")
    await host.chat.close_sockets("bob")
    for client in clients:
        await assert_ended(client, "signed_out", 1000)
    assert (await other.call("rooms", {}))["ok"]
    await other.close()


async def test_closed_socket_ends_as_kicked_in_time(host: SocketHost, is_plain: bool) -> None:
    client, other = [await connect(host, is_plain, "bob") for _ in range(2)]
    await host.chat.close_socket("bob", client.bodies_of("ready")[0]["socket"])
    await assert_ended(client, "kicked", 1000)
    assert (await other.call("rooms", {}))["ok"]
    await other.close()


async def test_expired_access_ends_socket_in_time(host: SocketHost, is_plain: bool) -> None:
    client = await connect(host, is_plain, "expiring")  # its access ends half a second later
    await assert_ended(client, "expired", 1001)
    assert client.bodies_of("auth.expiring")
