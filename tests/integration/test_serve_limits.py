"""The server's limits over the wire: what is refused, with which answer, and which address counts."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

from chatcore.ports.rate_limiter import Rate
from chatcore_http import Proxies
from chatcore_server.serving import running
from chatcore_server.settings import Settings
from tests.integration.clients import TIMEOUT_S, RawClient, RawClients
from tests.integration.serve_client import PASSWORD, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("default_collector")]

SECRET = b"a secret of the tests, of 32 bytes or more"
LOOPBACK = Proxies.parse("127.0.0.1")
POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def served(**settings: Any) -> AsyncGenerator[tuple[str, ClientSession]]:
    """Serve, and yield the URL and a client."""
    async with (
        running(Settings(port=0, store="memory", secret=SECRET, **settings)) as [(_, port)],
        ClientSession() as http,
    ):
        yield f"http://127.0.0.1:{port}", http


async def post(
    http: ClientSession, url: str, path: str, body: object, forwarded: str | None = None
) -> tuple[int, Mapping[str, Any], str | None]:
    """Send a POST. Returns status, answer and Retry-After."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    async with http.post(f"{url}/api/v1{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers.get("Retry-After")


def wrong(user: str) -> Mapping[str, str]:
    return {"user": user, "password": "a wrong password"}


async def test_wrong_passwords_get_429_with_retry_after() -> None:
    async with served(limit_sign_in=Rate(2, 60)) as (url, http):
        assert [(await post(http, url, "/sessions", wrong("bob")))[0] for _ in range(2)] == [401, 401]
        status, problem, retry_after = await post(http, url, "/sessions", wrong("bob"))
        assert (status, problem["code"], problem["temporary"]) == (429, "rate_limited", True)
        assert 0 < int(retry_after or 0) <= 60
        assert int(retry_after or 0) - 1 <= problem["retry_after_ms"] / 1000 <= int(retry_after or 0)


async def test_switched_off_limits_admit_everything() -> None:
    rate = Rate(1, 3_600)
    async with served(
        limits="off", limit_sign_in=rate, limit_sign_up=rate, limit_send=rate, limit_create=rate, limit_connect=rate
    ) as (url, http):
        assert [(await post(http, url, "/sessions", wrong("bob")))[0] for _ in range(3)] == [401] * 3
        alice, bob = [await sign_in(http, url, name) for name in ("alice", "bob")]
        assert [await alice.send(bob.name, f"{number}") for number in range(3)] == [1, 2, 3]
        for _ in range(3):
            async with http.get(url + POLLING) as answer:
                assert answer.status == 200


async def test_sends_over_http_get_429_with_retry_after() -> None:
    async with served(limit_send=Rate(1, 3_600)) as (url, http):
        alice = await sign_in(http, url, "alice")
        await alice.send("alice", "1")
        async with http.post(
            f"{alice.api}/users/alice/messages", json={"key": "2", "body": "x"}, headers=alice.bearer
        ) as answer:
            assert (answer.status, (await answer.json())["code"]) == (429, "rate_limited")
            assert 3_590 < int(answer.headers["Retry-After"]) <= 3_600


async def test_connections_above_limit_get_429_by_polling_and_1013_by_websocket() -> None:
    async with served(limit_connect=Rate(2, 3_600)) as (url, http):
        alice = await sign_in(http, url, "alice")
        async with AsyncExitStack() as opened:
            clients = RawClients(http, f"{url}/socket.io/")
            first = await clients.connect(alice.token)
            opened.push_async_callback(first.close)
            async with http.get(url + POLLING) as answer:
                assert answer.status == 200
            async with http.get(url + POLLING) as answer:
                assert (answer.status, (await answer.json())["code"]) == (429, "rate_limited")
                assert 3_590 < int(answer.headers["Retry-After"]) <= 3_600
            refused = await clients.open()
            await refused.send("40" + json.dumps({"token": alice.token}))
            assert await refused.closed() == 1013
            assert not [text for text in refused.texts if text.startswith("4")]


async def test_upgrade_of_polling_session_is_not_counted_again() -> None:
    async with served(limit_connect=Rate(1, 3_600)) as (url, http):
        alice = await sign_in(http, url, "alice")
        async with http.get(url + POLLING) as answer:
            sid = json.loads((await answer.text())[1:])["sid"]
        async with http.post(f"{url}{POLLING}&sid={sid}", data="40" + json.dumps({"token": alice.token})) as answer:
            assert answer.status == 200
        client = await RawClients(http, f"{url}/socket.io/").open(sid=sid)
        await client.send("2probe")
        await client.text("3probe")
        await client.send("5")
        await client.text('42["ready"')
        await client.close()


async def test_sign_ups_of_each_client_of_trusted_proxy_are_limited() -> None:
    async with served(limit_sign_up=Rate(1, 3_600), trusted_proxies=LOOPBACK) as (url, http):
        statuses = [
            (await post(http, url, "/accounts", {"user": f"user-{number}", "password": PASSWORD}, client))[0]
            for number, client in enumerate(["198.51.100.1", "198.51.100.2", "198.51.100.1"])
        ]
    assert statuses == [201, 201, 429]


async def test_refused_origins_are_logged_for_each_client_of_trusted_proxy(caplog: pytest.LogCaptureFixture) -> None:
    async with served(trusted_proxies=LOOPBACK) as (url, http):
        for client in ("198.51.100.1", "198.51.100.2", "198.51.100.1"):
            headers = {"Origin": "https://evil.example", "X-Forwarded-For": client}
            async with http.get(f"{url}/api/v1/rooms", headers=headers) as answer:
                assert answer.status == 403
    assert len([message for message in caplog.messages if "Origin refused" in message]) == 2


async def test_connections_above_limit_are_logged_once_a_minute_and_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(limit_connect=Rate(1, 3_600), trusted_proxies=LOOPBACK) as (url, http):
        for _ in range(4):
            for client in ("198.51.100.1", "198.51.100.2"):
                async with http.get(url + POLLING, headers={"X-Forwarded-For": client}):
                    pass
    assert [message for message in caplog.messages if "limit" in message] == [
        f"connection limit reached: limit=connect address={client}" for client in ("198.51.100.1", "198.51.100.2")
    ]


async def test_new_access_token_for_socket_is_not_counted_as_connection() -> None:
    async with served(limit_connect=Rate(1, 3_600)) as (url, http):
        alice = await sign_in(http, url, "alice")
        client = await RawClients(http, f"{url}/socket.io/").connect(alice.token)
        for _ in range(3):
            assert (await client.call("auth.refresh", {"token": alice.token}))["ok"]
        await client.close()


async def test_closed_sign_up_is_forbidden_with_reason() -> None:
    async with served(signup="closed") as (url, http):
        status, problem, _ = await post(http, url, "/accounts", {"user": "bob", "password": PASSWORD})
        assert (status, problem["code"], problem["temporary"]) == (403, "forbidden", False)
        assert "Sign-up is closed" in problem["detail"]
        assert (await post(http, url, "/sessions", wrong("bob")))[0] == 401


async def test_limits_count_client_named_by_trusted_proxy() -> None:
    async with served(limit_sign_in=Rate(1, 60), trusted_proxies=LOOPBACK) as (url, http):
        for client in ("198.51.100.1", "198.51.100.2", "203.0.113.66, 198.51.100.3"):
            assert [(await post(http, url, "/sessions", wrong("bob"), client))[0] for _ in range(2)] == [401, 429]
        assert (await post(http, url, "/sessions", wrong("bob"), "203.0.113.67, 198.51.100.3"))[0] == 429


async def test_forwarded_address_of_untrusted_peer_is_ignored() -> None:
    async with served(limit_sign_in=Rate(1, 60)) as (url, http):
        statuses = [
            (await post(http, url, "/sessions", wrong("bob"), f"198.51.100.{number}"))[0] for number in range(2)
        ]
        assert statuses == [401, 429]


async def test_websockets_of_address_are_capped_by_setting() -> None:
    async with served(sockets_per_address=2, trusted_proxies=LOOPBACK) as (url, http):
        alice = await sign_in(http, url, "alice")

        async def opened(address: str) -> RawClient:
            query = "/socket.io/?EIO=4&transport=websocket"
            websocket = await http.ws_connect(url + query, headers={"X-Forwarded-For": address})
            return RawClient(websocket, answers_pings=True)

        async def status(address: str) -> int:
            headers = {"X-Forwarded-For": address, "Connection": "Upgrade", "Upgrade": "websocket"}
            headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
            async with http.get(f"{url}/socket.io/?EIO=4&transport=websocket", headers=headers) as answer:
                return answer.status

        held = [await opened("198.51.100.1") for _ in range(2)]
        assert await status("198.51.100.1") == 429
        for number in range(8):  # the proxy has more connections than an address may hold
            other = await opened(f"198.51.100.{10 + number}")
            await other.connect(alice.token)
            held.append(other)
        for client in held:
            await client.close()


async def test_idle_connections_of_trusted_proxy_are_not_capped() -> None:
    async with served(sockets_per_address=1, trusted_proxies=LOOPBACK) as (url, _):
        port = int(url.rpartition(":")[2])
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        async with asyncio.timeout(TIMEOUT_S):
            for reader, writer in lines:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await reader.readuntil(b'{"status":"alive"}')
                writer.close()
