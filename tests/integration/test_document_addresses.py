"""The three documents on every host: beside the API's prefix, with the rules of the other routes."""

import json
import re
from collections.abc import AsyncGenerator

import pytest

from tests.contract_documents import asyncapi_document, openapi_document
from tests.integration.http_hosts import SAMPLED_ON_ASGI
from tests.integration.http_node import Answer, HttpNode, http_node

pytestmark = [pytest.mark.anyio, *SAMPLED_ON_ASGI]

DOCUMENTS = {
    "/openapi.json": "application/json",
    "/asyncapi.json": "application/json",
    "/docs": "text/html; charset=utf-8",
}
ORIGIN = "https://shop.example"
ACCOUNTS = {"/accounts", "/sessions", "/sessions/refresh", "/sessions/current"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node() -> AsyncGenerator[HttpNode]:
    async with http_node(origins=ORIGIN) as node:
        yield node


async def get(node: HttpNode, path: str, method: str = "GET", **headers: str) -> Answer:
    return await node.send(method, path, None, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_document_is_kept_by_clients_and_asked_for_again(node: HttpNode, path: str) -> None:
    answer = await get(node, path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == DOCUMENTS[path]
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    tag = answer.headers["ETag"]
    head = await get(node, path, "HEAD")
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", tag)
    for tags in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        kept = await get(node, path, If_None_Match=tags)
        assert (kept.status, kept.body, kept.headers["ETag"]) == (304, b"", tag)
    assert (await get(node, path, If_None_Match='"another"')).status == 200


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_document_has_rules_of_other_routes(node: HttpNode, path: str) -> None:
    wrong = await get(node, path, "POST")
    assert wrong.refusal == (405, "invalid", None)
    assert wrong.headers["Allow"] == "GET, HEAD"
    allowed = await get(node, path, Origin=ORIGIN)
    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert (await get(node, path, Origin="https://elsewhere.example")).refusal == (403, "forbidden", None)
    assert (await get(node, f"{path}/")).status == 404


async def test_document_describes_what_host_serves(
    node: HttpNode, http_host: str, request: pytest.FixtureRequest
) -> None:
    openapi = (await get(node, "/openapi.json")).json
    paths = set(openapi["paths"])
    everything = set(openapi_document()["paths"])
    is_server = request.node.callspec.params["http_host"] == "server"
    assert paths == (everything if is_server else everything - ACCOUNTS - {"/", "/start", "/healthz", "/readyz"})
    assert openapi["servers"][0]["url"] == "api/v1"
    assert (await get(node, "/asyncapi.json")).json == json.loads(json.dumps(asyncapi_document()))


async def test_page_allows_nothing_but_its_own_style(node: HttpNode) -> None:
    answer = await get(node, "/docs")
    page, policy = answer.body.decode(), answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert len(re.findall("'sha256-", policy)) == page.count("<style") == 1
    assert "<script" not in page
    assert " style=" not in page
    assert not re.findall(r"<[^>]* on\w+=", page)
    assert not re.findall(r"(?:src|href|url)\s*=?\s*[\"'(]\s*(?:https?:)?/", page)


async def test_links_of_page_lead_to_its_parts_and_to_documents(node: HttpNode) -> None:
    page = (await get(node, "/docs")).body.decode()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'<a [^>]*href="([^"]+)"', page):
        if link.startswith("#"):
            assert link[1:] in ids, link
        else:
            assert (await get(node, f"/{link}")).status == 200, link
