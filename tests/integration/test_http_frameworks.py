"""ChatApp in FastAPI, Starlette, Litestar and around Django, under uvicorn, with and without a root path."""

import pytest

from tests.integration.http_hosts import IN_FRAMEWORKS
from tests.integration.http_node import http_node
from tests.integration.http_samples import SAMPLES, Sample, path_of, query_of
from tests.integration.http_world import http_world, stored_content
from tests.integration.test_http_input import title

pytestmark = [pytest.mark.anyio, *IN_FRAMEWORKS]

NAMES = ["a/b", "//", "%2F", "{user}", "{", "ä/{ö}%20", "api/v1", "~", "a.b"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("sample", SAMPLES, ids=title)
async def test_every_route_succeeds_and_names_its_error(sample: Sample) -> None:
    async with http_world() as node:
        query = query_of(sample.fields) if sample.in_query else ""
        body = None if sample.in_query else dict(sample.fields)
        before = await stored_content(node)
        without_token = await node.ask(sample.method, path_of(sample) + query, body)
        assert without_token.refusal == (401, "unauthenticated", None)
        if sample.in_query:
            nonsense = query_of({**sample.fields, "nonsense": 1})
            wrong = await node.ask(sample.method, path_of(sample) + nonsense, user="alice")
        else:
            wrong = await node.ask(sample.method, path_of(sample), {**sample.fields, "nonsense": 1}, user="alice")
        assert wrong.refusal == (400, "invalid", "nonsense")
        assert await stored_content(node) == before
        answer = await node.ask(sample.method, path_of(sample) + query, body, user="alice")
        assert (answer.status, answer.headers["Content-Type"]) == (sample.status, "application/json")


@pytest.mark.parametrize("name", NAMES)
async def test_user_name_in_path_may_hold_anything(name: str) -> None:
    async with http_node(canonical=lambda user: user) as node:
        await node.sign_in("alice", name)
        segment = "".join(f"%{byte:02X}" for byte in name.encode())
        sent = await node.ask("POST", f"/users/{segment}/messages", {"key": "k", "body": "x"}, user="alice")
        assert sent.status == 201
        assert (await node.ask("GET", f"/users/{segment}/entries", user="alice")).json["head"] == 1
        assert [room["peer"] for room in (await node.ask("GET", "/rooms", user=name)).json["rooms"]] == ["alice"]


async def test_path_that_is_not_served_is_404_and_method_405() -> None:
    async with http_node() as node:
        await node.sign_in("alice")
        for path in ("/api/v1", "/api/v1/nonsense", "/", "/api%2Fv1/rooms", "/api/v1/rooms/", "/x/api/v1/rooms"):
            answer = await node.send("GET", path, None, {"Authorization": f"Bearer {node.tokens['alice']}"})
            assert answer.refusal == (404, "not_found", None), path
        refused = await node.ask("PATCH", "/rooms", {}, user="alice")
        assert (refused.refusal, refused.headers["Allow"]) == ((405, "invalid", None), "GET, HEAD, POST")


async def test_head_has_headers_of_get_without_body() -> None:
    async with http_node() as node:
        await node.sign_in("alice")
        get, head = [await node.ask(method, "/rooms", user="alice") for method in ("GET", "HEAD")]
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(get.body))


async def test_page_of_host_is_served_beside_the_api() -> None:
    async with http_node() as node, node.client.get(node.origin) as answer:
        assert (answer.status, "the host's own page" in await answer.text()) == (200, True)
