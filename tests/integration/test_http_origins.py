"""Which web pages may use the server over HTTP (Fetch, "CORS protocol")."""

from collections.abc import Mapping

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.integration.http_hosts import EVERYWHERE
from tests.integration.http_node import Answer, HttpNode, http_node

pytestmark = [pytest.mark.anyio, *EVERYWHERE]

LISTED = "https://chat.example"
OTHER = "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def get(node: HttpNode, origin: str | None, **more: str) -> Answer:
    headers: Mapping[str, str] = more if origin is None else {"Origin": origin, **more}
    return await node.ask("GET", "/rooms", headers=headers, user="alice")


async def test_default_admits_same_origin_and_requests_without_origin() -> None:
    async with http_node() as node:
        await node.sign_in("alice")
        for origin in (None, node.origin, node.origin.upper()):
            answer = await get(node, origin)
            assert answer.status == 200
            assert answer.headers.get("Access-Control-Allow-Origin") == origin
            assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("origin", "host", "admitted"),
    [
        ("https://chat.example", "chat.example", True),  # behind a proxy that terminates TLS
        ("https://chat.example", "chat.example:443", True),
        ("https://chat.example:443", "chat.example", True),
        ("http://chat.example", "chat.example:80", True),
        ("http://chat.example:3001", "chat.example:3001", True),
        ("http://chat.example", "CHAT.example", True),
        ("http://[::1]:3001", "[::1]:3001", True),
        ("https://chat.example", "chat.example:80", False),
        ("http://chat.example:3002", "chat.example:3001", False),
        ("http://chat.example", "chat.example:3001", False),
        ("http://chat.example.evil", "chat.example", False),
        ("http://evil-chat.example", "chat.example", False),
        ("http://localhost", "127.0.0.1", False),
        ("capacitor://localhost", "localhost", False),
    ],
)
async def test_same_origin_has_same_host_and_port(origin: str, host: str, admitted: bool) -> None:
    async with http_node() as node:
        await node.sign_in("alice")
        assert (await get(node, origin, Host=host)).status == (200 if admitted else 403)


async def test_list_admits_listed_origins_and_same_origin() -> None:
    async with http_node(origins=f"{LISTED},http://localhost:5173") as node:
        await node.sign_in("alice")
        for origin in (LISTED, "https://CHAT.example:443", "http://localhost:5173", node.origin):
            answer = await get(node, origin)
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)
        for origin in (OTHER, "http://chat.example", "https://chat.example:8443", "http://localhost:5174"):
            assert (await get(node, origin)).status == 403


@pytest.mark.parametrize("setting", [None, LISTED])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_refusal_names_setting_without_repeating_origin(setting: str | None, method: str) -> None:
    async with http_node(origins=setting) as node:
        await node.sign_in("alice")
        headers = {"Origin": OTHER, **(PREFLIGHT if method == "OPTIONS" else {})}
        answer = await node.ask(method, "/rooms", headers=headers, user="alice")
        assert answer.refusal == (403, "forbidden", None)
        assert "CHATCORE_ORIGINS" in answer.json["detail"]
        assert (
            answer.json["detail"]
            == "This origin is not allowed; the server's log says how to allow it with CHATCORE_ORIGINS."
        )
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_request_of_refused_origin_changes_nothing() -> None:
    async with http_node() as node:
        await node.sign_in("alice")
        body = {"key": "k", "body": "x"}
        await node.ask("POST", "/users/alice/messages", body, headers={"Origin": OTHER}, user="alice")
        assert (await node.ask("GET", "/users/alice/entries", user="alice")).json["head"] == 0


@pytest.mark.parametrize("path", ["/api/v1/rooms", "/api/v1/users/%2F/messages", "/nonsense", "/"])
async def test_preflight_of_admitted_origin_is_answered_without_token(path: str) -> None:
    async with http_node(origins=LISTED) as node:
        answer = await node.send("OPTIONS", path, None, {"Origin": LISTED, **PREFLIGHT})
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == LISTED
        assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) >= {
            "GET",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
        }
        assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Vary"] == "Origin"


async def test_admitted_origin_may_read_refusals() -> None:
    async with http_node(origins=LISTED) as node:
        for method, path, status in [("GET", "/rooms", 401), ("GET", "/nonsense", 404), ("PATCH", "/rooms", 405)]:
            answer = await node.ask(method, path, headers={"Origin": LISTED})
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, LISTED)
            assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


HOSTILE = ["null", "", "*", "nonsense", "https://", "https://a@b", "https://a/b", "x" * 8000, "https://a.example b"]


@pytest.mark.parametrize("origin", HOSTILE, ids=range(len(HOSTILE)))
async def test_malformed_origin_is_refused_by_every_setting_and_not_repeated(origin: str) -> None:
    for setting in (None, LISTED):
        async with http_node(origins=setting) as node:
            answer = await node.ask("GET", "/rooms", headers={"Origin": origin})
            assert answer.refusal == (403, "forbidden", None)
            assert len(answer.json["detail"]) < 200


async def test_refused_origin_is_logged_once_a_minute_and_address(caplog: pytest.LogCaptureFixture) -> None:
    async with http_node() as node:
        for origin in (OTHER, "https://other.example", OTHER):
            await node.ask("GET", "/rooms", headers={"Origin": origin})
        (line,) = caplog.messages
        assert f"CHATCORE_ORIGINS={OTHER}" in line
        async with ClientSession(connector=TCPConnector(local_addr=("127.0.0.2", 0))) as elsewhere:
            for _ in range(2):
                async with elsewhere.get(f"{node.url}/api/v1/rooms", headers={"Origin": OTHER}) as answer:
                    assert answer.status == 403
    assert caplog.messages == [line, line]


@pytest.mark.parametrize("origin", ["x\u2028forged", "x\u009b31m", "x" * 8000])
async def test_hostile_origin_can_not_forge_log_line(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    async with http_node() as node:
        await node.ask("GET", "/rooms", headers={"Origin": origin})
    (line,) = caplog.messages
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 500


async def test_two_origin_headers_are_refused() -> None:
    async with http_node(origins=LISTED) as node:
        headers = [("Origin", LISTED), ("Origin", LISTED)]
        async with node.client.get(f"{node.url}/api/v1/rooms", headers=headers) as answer:
            assert answer.status == 403
