"""The hosts that a server answers to. A foreign name that resolves to its address is refused (DNS rebinding)."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from chatcore_http import Hosts, Origins
from chatcore_server.serving import Timeouts, running
from chatcore_server.settings import Settings
from tests.integration.clients import TIMEOUT_S

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("default_collector")]

SECRET = b"a secret of the tests, of 32 bytes or more"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
FOREIGN = "rebound.example"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def served(hosts: str | None = None, origins: str | None = None) -> AsyncGenerator[int]:
    """Serve on 127.0.0.1, and yield the port."""
    settings = Settings(
        port=0,
        store="memory",
        secret=SECRET,
        origins=Origins.parse(origins),
        hosts=None if hosts is None else Hosts.parse(hosts),
    )
    async with running(settings, Timeouts(handling=0.1)) as [(_, port)]:
        yield port


async def ask(
    port: int, *hosts: str, target: str = "/", method: str = "GET", headers: str = "", version: str = "1.1"
) -> tuple[int, str]:
    """Send a request with a Host header for each of ``hosts``. Returns status and complete answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    writer.write(f"{method} {target} HTTP/{version}\r\n{lines}{headers}\r\n".encode("latin-1"))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
            body = (await reader.readexactly(int(length or 0))).decode()
    finally:
        writer.close()
    return int(head.split()[1]), head + body


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost:{port}",
        "127.0.0.1:{port}",
        "[::1]:{port}",
        "[::1]",
        "[0::1]:1",
    ],
)
async def test_server_on_loopback_answers_to_its_usual_names(host: str) -> None:
    async with served() as port:
        assert (await ask(port, host.format(port=port)))[0] == 200


@pytest.mark.parametrize(
    "host",
    [FOREIGN, f"{FOREIGN}:{{port}}", "localhost.example", "127.0.0.2", "127.0.0.1.example", "[::2]", "192.0.2.1"],
)
async def test_server_on_loopback_refuses_other_host_with_421(host: str) -> None:
    async with served() as port:
        status, answer = await ask(port, host.format(port=port))
    problem = json.loads(answer.partition("\r\n\r\n")[2])
    assert (status, problem["status"], problem["code"], problem["title"]) == (
        421,
        421,
        "invalid",
        "Misdirected Request",
    )
    assert "CHATCORE_HOSTS" in problem["detail"]
    assert host.partition(":")[0] not in problem["detail"]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "target", ["/", "/api/v1/rooms", "/api/v1/sessions", "/nonsense", "/socket.io/?EIO=4&transport=polling"]
)
async def test_every_route_refuses_other_host_also_if_origin_matches(method: str, target: str) -> None:
    async with served() as port:
        origin = f"Origin: http://{FOREIGN}:{port}\r\nAccess-Control-Request-Method: POST\r\n"
        status, answer = await ask(port, f"{FOREIGN}:{port}", method=method, target=target, headers=origin)
    assert status == 421
    assert "Access-Control-Allow-Origin" not in answer


async def test_websocket_for_other_host_is_refused() -> None:
    target = "/socket.io/?EIO=4&transport=websocket"
    async with served() as port:
        assert (await ask(port, FOREIGN, target=target, headers=UPGRADE))[0] == 421
        assert (await ask(port, "localhost", target=target, headers=UPGRADE))[0] == 101


@pytest.mark.parametrize("target", ["/healthz", "/readyz"])
async def test_health_is_served_for_any_host(target: str) -> None:
    async with served(hosts="chat.example") as port:
        assert (await ask(port, FOREIGN, target=target))[0] == 200
        assert (await ask(port, target=target, version="1.0"))[0] == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("hosts", [(), ("localhost", "localhost"), ("",), ("a b",), ("\xff",), ("localhost:x",)])
async def test_request_without_single_host_is_invalid(hosts: tuple[str, ...], version: str) -> None:
    async with served() as port:
        status, answer = await ask(port, *hosts, version=version)
    assert status == 400
    assert '"code":"invalid"' in answer


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost/", "localhost", 200),
        ("http://localhost:1/", FOREIGN, 200),
        ("http://[::1]:1/", FOREIGN, 200),
        (f"http://{FOREIGN}/", "localhost", 421),
        (f"http://localhost@{FOREIGN}/", "localhost", 421),
        (f"HTTPS://{FOREIGN}/", "localhost", 421),
        ("/?http://localhost/", FOREIGN, 421),
    ],
)
async def test_absolute_target_takes_precedence_over_host_header(target: str, host: str, status: int) -> None:
    async with served() as port:
        assert (await ask(port, host, target=target))[0] == status


async def test_hosts_of_origins_are_answered_on_loopback() -> None:
    async with served(origins="https://chat.example:8443") as port:
        assert (await ask(port, "chat.example"))[0] == 200
        assert (await ask(port, FOREIGN))[0] == 421


async def test_setting_replaces_usual_names() -> None:
    async with served(hosts="chat.example,[2001:db8::1]", origins="https://other.example") as port:
        for host in ("chat.example", "Chat.Example.:80", "[2001:DB8:0::1]:1"):
            assert (await ask(port, host))[0] == 200
        for host in ("localhost", "127.0.0.1", "other.example"):
            assert (await ask(port, host))[0] == 421


async def test_setting_of_star_answers_to_any_host() -> None:
    async with served(hosts="*") as port:
        assert (await ask(port, FOREIGN))[0] == 200
        assert (await ask(port, version="1.0"))[0] == 200


async def test_refused_host_is_logged_once_a_minute_with_setting(caplog: pytest.LogCaptureFixture) -> None:
    async with served(hosts="chat.example") as port:
        for host in (FOREIGN, "second.example", FOREIGN, "x\r\nX: y"):
            await ask(port, host)
    (line,) = [message for message in caplog.messages if "Host refused" in message]
    assert f"host={FOREIGN}." in line
    assert f"CHATCORE_HOSTS=chat.example,{FOREIGN}" in line
