"""Requests that a cookie authenticates: a page of another site must not be able to send them in a user's name."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from chatcore import Credentials, Principal
from chatcore_http import Origins
from tests.integration.http_hosts import EVERYWHERE
from tests.integration.http_node import Answer, HttpNode, http_node
from tests.integration.http_samples import PUBLIC
from tests.integration.http_world import settle, stored_content

pytestmark = [pytest.mark.anyio, *EVERYWHERE]

LISTED = "https://shop.example"
OTHER = "https://evil.example"
MESSAGE = b'{"key": "k", "body": "x"}'
TYPES = [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
"""No type, and the types that a page may send to any site without asking first."""
UNSAFE = [
    ("POST", "/users/bob/messages", MESSAGE),
    ("PUT", f"/rooms/{PUBLIC}/members/alice", None),
    ("PATCH", "/rooms/pvt-alice-bob/messages/1", b'{"body": "y", "version": 1}'),
    ("DELETE", "/rooms/pvt-alice-bob/messages/1", None),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def by_cookie(credentials: Credentials) -> Principal | None:
    """The cookie ``session`` names the user; a bearer token takes precedence."""
    user = credentials.token or credentials.cookies.get("session")
    return Principal(user) if user in ("alice", "bob") else None


@asynccontextmanager
async def shop_node(*, credentials: bool = True) -> AsyncGenerator[HttpNode]:
    async with http_node(authenticate=by_cookie, origins=Origins([LISTED], credentials=credentials)) as node:
        await node.sign_in("alice", "bob", "carol")
        yield node


async def ask(node: HttpNode, method: str, path: str, data: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await node.ask(method, path, data=data, headers=named)


async def test_cookie_authenticates_reads_with_and_without_origin() -> None:
    async with shop_node() as node:
        for origin in ({}, {"Origin": LISTED}, {"Origin": node.origin}):
            answer = await ask(node, "GET", "/rooms", Cookie="theme=dark; session=alice", **origin)
            assert answer.status == 200
        assert (await ask(node, "GET", "/rooms", Cookie="session=eve")).refusal == (401, "unauthenticated", None)
        assert (await ask(node, "GET", "/rooms", Cookie="session=alice", Origin=OTHER)).status == 403


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize(("method", "path", "data"), UNSAFE)
async def test_unsafe_request_without_origin_and_json_type_does_nothing(
    method: str, path: str, data: object, content_type: str | None
) -> None:
    async with shop_node() as node:
        await settle(node.chat)
        before = await stored_content(node)
        headers = {} if content_type is None else {"Content_Type": content_type}
        answer = await ask(node, method, path, data, Cookie="session=alice", **headers)
        assert answer.refusal == (400, "invalid", None)
        assert "application/json" in answer.json["detail"]
        assert await stored_content(node) == before


@pytest.mark.parametrize(("method", "path", "data"), UNSAFE)
async def test_unsafe_request_with_json_type_or_admitted_origin_is_carried_out(
    method: str, path: str, data: object
) -> None:
    for headers in ({"Content_Type": "application/json"}, {"Origin": LISTED}, {"Origin": "own"}):
        async with shop_node() as node:
            await settle(node.chat)
            given = {**headers, "Origin": node.origin} if headers.get("Origin") == "own" else headers
            if data is not None:
                given = {**given, "Content_Type": "application/json"}
            answer = await ask(node, method, path, data, Cookie="session=alice", **given)
            assert answer.status in (200, 201), answer


@pytest.mark.parametrize(("method", "path", "data"), UNSAFE)
async def test_bearer_token_needs_neither_origin_nor_json_type_without_body(
    method: str, path: str, data: object
) -> None:
    async with shop_node() as node:
        await settle(node.chat)
        headers = {} if data is None else {"Content_Type": "application/json"}
        answer = await ask(node, method, path, data, Authorization="Bearer alice", Cookie="session=bob", **headers)
        assert answer.status in (200, 201), answer


async def test_foreign_origin_is_refused_with_json_type_too() -> None:
    async with shop_node() as node:
        await settle(node.chat)
        before = await stored_content(node)
        headers = {"Origin": OTHER, "Content_Type": "application/json"}
        answer = await ask(node, "POST", "/users/bob/messages", MESSAGE, Cookie="session=alice", **headers)
        assert answer.refusal == (403, "forbidden", None)
        assert await stored_content(node) == before


@pytest.mark.parametrize(
    ("cookies", "status", "detail"),
    [
        ("session=alice; session=alice", 200, ""),
        ("a=1; a=2; session=alice", 200, ""),
        ("no pair; session=alice", 200, ""),
        ('session="alice"', 200, ""),
        ("session=alice; session=bob", 401, "two cookies of one name"),
        ("session=bob; session=alice", 401, "two cookies of one name"),
        ("session", 401, "malformed cookie"),
        ("=alice", 401, "malformed cookie"),
        ("", 401, "The access token is missing"),
    ],
)
async def test_cookie_counts_only_if_it_is_clear(cookies: str, status: int, detail: str) -> None:
    async with shop_node() as node:
        answer = await ask(node, "GET", "/rooms", Cookie=cookies)
        assert answer.status == status
        if status == 401:
            assert detail in answer.json["detail"]
            assert "\n" not in answer.json["detail"]


async def test_several_authorization_headers_are_refused_beside_a_cookie() -> None:
    async with shop_node() as node:
        headers = [("Authorization", "Bearer alice"), ("Authorization", "Bearer bob"), ("Cookie", "session=alice")]
        async with node.client.get(f"{node.url}/api/v1/rooms", headers=headers) as answer:
            assert answer.status == 401
            assert "several Authorization headers; send one" in (await answer.json(content_type=None))["detail"]


async def test_listed_origin_may_send_cookies_and_own_origin_needs_no_leave() -> None:
    async with shop_node() as node:
        for method in ("GET", "OPTIONS"):
            preflight = {"Access_Control_Request_Method": "POST"} if method == "OPTIONS" else {}
            listed = await ask(node, method, "/rooms", Cookie="session=alice", Origin=LISTED, **preflight)
            own = await ask(node, method, "/rooms", Cookie="session=alice", Origin=node.origin, **preflight)
            assert listed.headers["Access-Control-Allow-Credentials"] == "true"
            assert listed.headers["Access-Control-Allow-Origin"] == LISTED
            assert "Access-Control-Allow-Credentials" not in own.headers
    async with shop_node(credentials=False) as node:
        answer = await ask(node, "GET", "/rooms", Cookie="session=alice", Origin=LISTED)
        assert (answer.status, "Access-Control-Allow-Credentials" in answer.headers) == (200, False)


async def test_refusal_of_origin_names_the_argument_of_the_host(caplog: pytest.LogCaptureFixture) -> None:
    async with shop_node() as node:
        answer = await ask(node, "GET", "/rooms", Origin=OTHER)
        assert answer.json["detail"].endswith("how to allow it with origins=.")
    (line,) = caplog.messages
    assert f'origins=Origins([…, "{OTHER}"])' in line
    assert "CHATCORE_" not in line
