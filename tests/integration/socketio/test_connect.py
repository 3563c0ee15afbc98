"""CONNECT: which clients are accepted, which are refused, and with which packets."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientError, WSServerHandshakeError, web
from aiohttp.typedefs import Handler

from chatcore import Unavailable
from chatcore_websocket import ConnectionLimits, Timing

from .node import QUICK, SocketioNode, socketio_node

pytestmark = pytest.mark.anyio

VANISHES = "X-Vanishes"
CLOSED_S = 1
"""Seconds within which the contract requires the transport of a refused client to close."""


async def test_connect_is_answered_with_socket_id_then_ready(node: SocketioNode) -> None:
    client = await node.clients.connect("bob@phone")
    opened, answer, ready = client.texts
    assert (
        json.loads(opened[1:]).items()
        >= {
            "upgrades": [],
            "pingInterval": 25_000,
            "pingTimeout": 20_000,
            "maxPayload": 65_536,
        }.items()
    )
    assert answer == "40" + json.dumps({"sid": client.ready["socket"]}, separators=(",", ":"))
    assert ready.startswith('42["ready",')
    assert (client.ready["user"], client.ready["device"]) == ("bob", "phone")


async def test_connect_is_answered_once_despite_later_pushes(node: SocketioNode) -> None:
    client = await node.clients.connect()
    for number in range(2):
        await client.call("message.send", {"to": "bob", "key": f"k{number}", "body": "hi"})
    await client.until(lambda client: len(client.entries("pvt-alice-bob")) == 2)
    assert [text[:2] for text in client.texts].count("40") == 1


async def test_frames_are_not_compressed_if_client_offers_compression(node: SocketioNode) -> None:
    websocket = await node.clients.http.ws_connect(f"{node.url}?EIO=4&transport=websocket", compress=15)
    assert not websocket.compress
    await websocket.close()


async def test_transport_sid_differs_from_socket_id(node: SocketioNode) -> None:
    client = await node.clients.connect()
    assert client.ready["socket"] not in client.texts[0]


@pytest.mark.parametrize("auth", ["", '{"token":"nobody"}', "{}", "null"])
async def test_connect_without_valid_token_gets_error_object_and_close(node: SocketioNode, auth: str) -> None:
    client = await node.clients.open()
    await client.send("40" + auth)
    refused = json.loads((await client.text("44"))[2:])
    assert refused["data"] == {"code": "unauthenticated", "message": refused["message"], "temporary": False}
    async with asyncio.timeout(3 * CLOSED_S):
        assert await client.closed() == 1000
        await node.nothing_left()


@pytest.mark.parametrize("auth", ['{"token":5}', '{"token":["alice"]}', '"alice"', "[]"])
async def test_token_that_is_no_text_is_refused(node: SocketioNode, auth: str) -> None:
    client = await node.clients.open()
    await client.send("40" + auth)
    assert json.loads((await client.text("44"))[2:])["data"]["code"] == "invalid"
    await client.closed()


@pytest.mark.parametrize("token", ["down", "broken"])
async def test_connect_whose_token_can_not_be_checked_is_closed_with_1013(node: SocketioNode, token: str) -> None:
    client = await node.clients.open()
    await client.send("40" + json.dumps({"token": token}))
    assert await client.closed() == 1013
    assert len(client.texts) == 1  # OPEN


async def test_connect_at_hanging_authenticator_is_closed_with_1013() -> None:
    async with socketio_node(timing=QUICK) as node:
        client = await node.clients.open()
        await client.send('40{"token":"hanging"}')
        assert await client.closed() == 1013


async def test_connect_at_unreachable_store_is_closed_with_1013(node: SocketioNode) -> None:
    with node.failing(Unavailable()):
        client = await node.clients.open()
        await client.send('40{"token":"alice"}')
        assert await client.closed() == 1013
    assert len(client.texts) == 1
    await node.clients.connect()


async def test_token_in_url_is_not_read(node: SocketioNode) -> None:
    websocket = await node.clients.http.ws_connect(f"{node.url}?EIO=4&transport=websocket&token=alice")
    await websocket.receive_str()
    await websocket.send_str("40/?token=alice,")
    assert (await websocket.receive_str()).startswith("44")
    await websocket.close()


async def test_other_namespace_is_refused_and_default_stays_open(node: SocketioNode) -> None:
    client = await node.clients.open()
    await client.send('40/admin,{"token":"alice"}')
    refused = await client.text("44/admin,")
    assert json.loads(refused.removeprefix("44/admin,"))["data"]["code"] == "invalid"
    await client.send("41/admin,")
    await client.connect()


async def test_second_connect_ends_socket(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.send('40{"token":"alice"}')
    await client.closed()
    assert client.bodies_of("bye") == [{"code": "protocol", "resumable": False}]


async def test_commands_sent_with_connect_are_answered_after_ready(node: SocketioNode) -> None:
    client = await node.clients.open()
    await client.send('40{"token":"alice"}', '420["message.send",{"to":"bob","key":"k1","body":"hi"}]')
    assert (await client.answered(0))["seq"] == 1
    assert client.order[:2] == ["ready", 0]


async def test_websocket_without_connect_is_closed() -> None:
    async with socketio_node(timing=QUICK) as node:
        client = await node.clients.open()
        assert await client.closed() == 1008
        await node.nothing_left()


async def test_client_may_send_connect_after_some_heartbeats() -> None:
    async with socketio_node(timing=Timing(connect_timeout=600, ping_interval=0.05)) as node:
        client = await node.clients.open()
        await client.until(lambda client: client.texts.count("2") == 2)
        await client.connect()


async def test_client_that_only_tries_other_namespaces_is_closed() -> None:
    async with socketio_node(timing=QUICK) as node:
        client = await node.clients.open()
        await client.send("40/a,", "40/b,")
        assert await client.closed() == 1008


async def test_refusal_of_wrong_origin_names_setting(node: SocketioNode) -> None:
    for query in ("EIO=4&transport=websocket", "EIO=4&transport=polling"):
        headers = {"Origin": "https://elsewhere.example"}
        async with node.clients.http.get(f"{node.url}?{query}", headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (403, "forbidden")
            assert "CHATCORE_ORIGINS" in problem["detail"]
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert answer.headers["Vary"] == "Origin"


async def test_admitted_origin_may_read_answers_and_open_websockets() -> None:
    origin = "https://shop.example"
    async with socketio_node(origins=origin) as node:
        async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling", headers={"Origin": origin}) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert (await answer.text()).startswith('0{"sid":')
        client = await node.clients.open(Origin=origin)
        await client.connect()


async def test_preflight_is_answered(node: SocketioNode) -> None:
    headers = {"Origin": node.url.removesuffix("/socket.io/"), "Access-Control-Request-Method": "POST"}
    async with node.clients.http.options(node.url, headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == headers["Origin"]


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_method_is_405(node: SocketioNode, method: str) -> None:
    async with node.clients.http.request(method, f"{node.url}?EIO=4&transport=polling") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "EIO=4",
        "EIO=3&transport=websocket",
        "EIO=3&transport=polling",
        "transport=polling",
        "EIO=4&transport=webtransport",
        "EIO=4&transport=websocket",  # without the headers of a websocket handshake
        "EIO=4&transport=websocket&sid=unknown",
        "EIO=4&transport=polling&sid=unknown",
        "EIO=4&transport=polling&sid=",
    ],
)
async def test_request_with_unknown_or_missing_parameters_is_invalid(node: SocketioNode, query: str) -> None:
    async with node.clients.http.get(f"{node.url}?{query}") as answer:
        assert answer.status == 400
        assert (await answer.json(content_type="application/problem+json"))["code"] == "invalid"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_refusal_of_version_2_names_versions_to_install(node: SocketioNode, transport: str) -> None:
    async with node.clients.http.get(f"{node.url}?EIO=3&transport={transport}") as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"], problem["field"]) == (400, "invalid", "EIO")
    assert "Socket.IO 2" in problem["detail"]
    assert "install version 3 or 4" in problem["detail"]


async def test_client_of_socketio_2_is_logged_once_a_minute_and_address(
    node: SocketioNode, caplog: pytest.LogCaptureFixture
) -> None:
    for version, lines in [("5", 0), ("", 0), ("3", 1), ("3", 1)]:
        async with node.clients.http.get(f"{node.url}?EIO={version}&transport=polling") as answer:
            assert ("Socket.IO 2" in await answer.text()) == (version == "3")
        assert len(caplog.messages) == lines
    assert "address=127.0.0.1" in caplog.messages[0]


async def test_websockets_of_address_are_capped() -> None:
    async with socketio_node(limits=ConnectionLimits(websockets_per_address=2)) as node:
        first = await node.clients.connect()
        await node.clients.connect()
        async with node.clients.http.get(
            f"{node.url}?EIO=4&transport=websocket",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            },
        ) as answer:
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) > 0
        await first.close()
        await node.until(lambda: len(node.server.websockets) == 1)
        await node.clients.connect()


async def vanishing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reset the connection of a client before its request is answered."""
    if VANISHES in request.headers and request.transport is not None:
        request.transport.abort()
    return await handler(request)


async def is_refused_at_the_cap(node: SocketioNode) -> None:
    with pytest.raises(WSServerHandshakeError, match="429"):
        await node.clients.open()


async def is_refused_as_the_second_of_its_session(node: SocketioNode) -> None:
    async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling") as answer:
        sid = json.loads((await answer.text())[1:])["sid"]
    first = await node.clients.open(sid=sid)
    for _ in range(3):
        with pytest.raises(WSServerHandshakeError, match="400"):
            await node.clients.open(sid=sid)
    await first.close()
    await node.until(lambda: len(node.server.websockets) == 0)


async def vanishes_in_its_handshake(node: SocketioNode) -> None:
    with pytest.raises(ClientError):
        await node.clients.http.ws_connect(f"{node.url}?EIO=4&transport=websocket", headers={VANISHES: "yes"})


@pytest.mark.parametrize(
    ("held", "attempt"),
    [
        (2, is_refused_at_the_cap),
        (0, is_refused_as_the_second_of_its_session),
        (0, vanishes_in_its_handshake),
    ],
)
async def test_websockets_that_do_not_open_are_not_counted_for_their_address(
    held: int, attempt: Callable[[SocketioNode], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    async with socketio_node(
        limits=ConnectionLimits(websockets_per_address=2), middlewares=[web.middleware(vanishing)]
    ) as node:
        clients = [await node.clients.open() for _ in range(held)]
        for _ in range(3):
            await attempt(node)
        clients += [await node.clients.open() for _ in range(2 - held)]
        await is_refused_at_the_cap(node)
        for client in clients:
            await client.close()
        await node.nothing_left()
    assert not caplog.messages
