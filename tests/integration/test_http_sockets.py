"""The user's own sockets over HTTP: listing them, and ending a socket."""

from collections.abc import AsyncGenerator

import pytest
from attrs import frozen

from tests.integration.clients import RawClients, raw_clients
from tests.integration.http_hosts import EVERYWHERE
from tests.integration.http_node import HttpNode
from tests.integration.http_world import http_world

pytestmark = [pytest.mark.anyio, *EVERYWHERE]


@frozen
class Scene:
    node: HttpNode
    clients: RawClients


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    async with http_world() as node, raw_clients(f"{node.url}/socket.io/") as clients:
        yield Scene(node, clients)


async def ids_of(node: HttpNode, user: str) -> list[str]:
    return [socket["id"] for socket in (await node.ask("GET", "/sockets", user=user)).json["sockets"]]


async def test_list_has_own_sockets_oldest_first_with_ids_of_ready(scene: Scene) -> None:
    node = scene.node
    assert (await node.ask("GET", "/sockets", user="alice")).json == {"sockets": []}
    first = await scene.clients.connect(node.tokens["alice"])
    second = await scene.clients.connect(node.tokens["alice"])
    await scene.clients.connect(node.tokens["bob"])
    answer = await node.ask("GET", "/sockets", user="alice")
    assert answer.status == 200
    sockets = answer.json["sockets"]
    assert [set(socket) for socket in sockets] == [{"id", "device", "node", "since"}] * 2
    assert sorted((socket["id"], socket["device"], socket["node"]) for socket in sockets) == sorted(
        (socket.ready["socket"], socket.ready["device"], socket.ready["node"]) for socket in (first, second)
    )
    assert [socket["since"] for socket in sockets] == sorted(socket["since"] for socket in sockets)
    await first.close()
    while first.ready["socket"] in await ids_of(node, "alice"):
        pass
    assert await ids_of(node, "alice") == [second.ready["socket"]]


async def test_deleted_socket_gets_bye_kicked_and_ends(scene: Scene) -> None:
    node = scene.node
    kept = await scene.clients.connect(node.tokens["alice"])
    ended = await scene.clients.connect(node.tokens["alice"])
    path = f"/sockets/{ended.ready['socket']}"
    answer = await node.ask("DELETE", path, user="alice")
    assert (answer.status, answer.body) == (204, b"")
    await ended.closed()
    assert ended.pushes[-1] == ("bye", {"code": "kicked", "resumable": False})
    assert ended.texts[-1] == "41"
    assert not kept.is_closed
    assert await ids_of(node, "alice") == [kept.ready["socket"]]
    assert (await node.ask("DELETE", path, user="alice")).refusal == (404, "not_found", None)


async def test_socket_of_other_user_is_not_found_like_unknown_one(scene: Scene) -> None:
    node = scene.node
    bobs = await scene.clients.connect(node.tokens["bob"])
    sockets = (bobs.ready["socket"], "never", "%7Bid%7D", "x" * 5000, "", "%F0%9F%98%80")
    answers = [await node.ask("DELETE", f"/sockets/{socket}", user="alice") for socket in sockets]
    assert {answer.refusal for answer in answers} == {(404, "not_found", None)}
    assert len({answer.body for answer in answers}) == 1
    assert await ids_of(node, "bob") == [bobs.ready["socket"]]


async def test_request_outside_contract_is_invalid_and_ends_no_socket(scene: Scene) -> None:
    node = scene.node
    socket = await scene.clients.connect(node.tokens["alice"])
    paths = {"GET": "/sockets", "DELETE": f"/sockets/{socket.ready['socket']}"}
    for method, path in paths.items():
        for query, name in [("x=1", "x"), ("key=k", "key"), ("limit=1", "limit"), ("x=", "x"), ("x=1&x=1", "x")]:
            assert (await node.ask(method, f"{path}?{query}", user="alice")).refusal == (400, "invalid", name)
        assert (await node.ask(method, path, {}, user="alice")).refusal == (400, "invalid", None)
    for segment in ("%ff", "%zz", "%"):
        answer = await node.ask("DELETE", f"/sockets/{segment}", user="alice")
        assert answer.refusal == (400, "invalid", "id")
    assert await ids_of(node, "alice") == [socket.ready["socket"]]


async def test_request_without_valid_token_shows_and_ends_no_socket(scene: Scene) -> None:
    node = scene.node
    socket = await scene.clients.connect(node.tokens["alice"])
    for method, path in [("GET", "/sockets"), ("DELETE", f"/sockets/{socket.ready['socket']}")]:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = await node.ask(method, path, headers=headers)
            assert answer.refusal == (401, "unauthenticated", None)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await ids_of(node, "alice") == [socket.ready["socket"]]
