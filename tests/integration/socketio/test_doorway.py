"""The polling doorway: handshake, CONNECT, and a GET that hangs until the websocket stands."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from aiohttp import ClientResponse

from chatcore_socketio import Caps

from .node import QUICK, SocketioNode, socketio_node

pytestmark = pytest.mark.anyio

CONNECT = '40{"token":"alice"}'


class Poller:
    """A polling session, as a client has it."""

    def __init__(self, node: SocketioNode, sid: str) -> None:
        self.sid = sid
        self._node = node
        self._query = {"EIO": "4", "transport": "polling", "sid": sid}

    async def get(self) -> tuple[int, str]:
        async with self._node.clients.http.get(self._node.url, params=self._query) as answer:
            return answer.status, await answer.text()

    async def post(self, body: str | bytes) -> tuple[int, str]:
        async with self._node.clients.http.post(self._node.url, params=self._query, data=body) as answer:
            return answer.status, await answer.text()


async def shake_hands(node: SocketioNode) -> Poller:
    async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        packet = await answer.text()
    opened = json.loads(packet.removeprefix("0"))
    assert opened["upgrades"] == ["websocket"]
    assert opened["maxPayload"] == 65_536
    return Poller(node, opened["sid"])


@pytest.fixture
async def quick() -> AsyncGenerator[SocketioNode]:
    async with socketio_node(timing=QUICK) as node:
        yield node


async def test_connect_by_post_is_answered_over_the_websocket_once_it_stands(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    hanging = asyncio.create_task(poller.get())
    assert await poller.post(CONNECT) == (200, "ok")
    client = await node.clients.open(sid=poller.sid)
    assert client.texts == []
    assert not hanging.done()
    await client.send("2probe")
    await client.text("3probe")
    assert await hanging == (200, "6")
    assert await poller.get() == (200, "6")  # again and again, until the client moves over
    assert len(client.texts) == 1
    await client.send("5")
    await client.text("40")
    await client.text('42["ready"')
    assert client.ready["user"] == "alice"
    assert (await client.call("message.send", {"to": "bob", "key": "k1", "body": "hi"}))["seq"] == 1


async def test_connect_may_as_well_be_sent_on_the_websocket(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send("2probe", "5")
    await client.connect()


async def test_once_the_websocket_stands_the_polling_session_is_over(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send("2probe", "5", CONNECT)
    await client.text("40")
    await node.until(lambda: node.server.doorways == 0)
    assert (await poller.get())[0] == 400
    assert (await poller.post(CONNECT))[0] == 400
    assert not client.is_closed


async def test_without_an_upgrade_a_connect_error_names_websocket(quick: SocketioNode) -> None:
    poller = await shake_hands(quick)
    await poller.post(CONNECT)
    status, packet = await poller.get()
    refused = json.loads(packet.removeprefix("44"))
    assert (status, refused["data"]["code"], refused["data"]["temporary"]) == (200, "unavailable", True)
    assert "websocket" in refused["message"]
    assert (await poller.get())[0] == 400
    await quick.nothing_left()


async def test_who_asks_late_is_still_told_that_there_was_no_upgrade(quick: SocketioNode) -> None:
    poller = await shake_hands(quick)
    await poller.post(CONNECT)
    await asyncio.sleep(1.2 * QUICK.connect_within)
    assert (await poller.get())[1].startswith("44")


async def test_a_polling_session_that_is_left_alone_goes(quick: SocketioNode) -> None:
    for poller in [await shake_hands(quick), await shake_hands(quick)]:
        await poller.post(CONNECT)
    await shake_hands(quick)
    assert quick.server.doorways == 3
    await quick.nothing_left()


async def test_a_websocket_that_probes_and_never_moves_over_is_closed(quick: SocketioNode) -> None:
    poller = await shake_hands(quick)
    await poller.post(CONNECT)
    client = await quick.clients.open(sid=poller.sid)
    await client.send("2probe")
    assert await client.closed() == 1008
    assert (await poller.get())[1].startswith("44")


@pytest.mark.parametrize("first", ["2", "5", CONNECT, "", "xyz", "3probe", "2probe2"])
async def test_a_websocket_that_does_not_probe_is_closed(node: SocketioNode, first: str) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send(first)
    assert await client.closed() == 1008


@pytest.mark.parametrize("second", ["2probe", CONNECT, "", "3"])
async def test_a_websocket_that_does_something_else_than_moving_over_is_closed(node: SocketioNode, second: str) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send("2probe", second)
    assert await client.closed() == 1008


async def test_a_polling_session_has_one_websocket(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    async with node.clients.http.get(
        node.url,
        params={"EIO": "4", "transport": "websocket", "sid": poller.sid},
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        },
    ) as answer:
        assert answer.status == 400
    await client.send("2probe", "5")
    await client.connect()


async def test_of_two_gets_the_second_is_refused(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    both = [asyncio.create_task(poller.get()) for _ in range(2)]
    done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result()[0] for task in done] == [400]
    await node.server.close()
    await asyncio.wait(both)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "2",
        "5",
        "4",
        "40{",
        '40{"token":"a","token":"b"}',
        "4" + "[" * 10_000,
        "40" + "[" * 10_000,
        '42["message.send",{"to":"bob","key":"k","body":"hi"}]',
        "41",
        "bAAAA",
        "b=",
        b"\xff\xfe",
        CONNECT + "\x1e" + CONNECT,
        "\x1e".join(["6"] * 17),
        "d=4",
        '450-["x"]',
    ],
)
async def test_nothing_but_connect_goes_by_post(node: SocketioNode, body: str | bytes) -> None:
    poller = await shake_hands(node)
    status, answer = await poller.post(body)
    assert (status, json.loads(answer)["code"]) == (400, "invalid")
    assert (await poller.get())[0] == 400  # the session is over


async def test_a_second_connect_ends_the_session(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    assert await poller.post(CONNECT) == (200, "ok")
    assert (await poller.post(CONNECT))[0] == 400
    assert (await poller.get())[0] == 400


async def test_close_by_post_ends_the_session(quick: SocketioNode) -> None:
    poller = await shake_hands(quick)
    hanging = asyncio.create_task(poller.get())
    assert await poller.post("1") == (200, "ok")
    assert (await hanging)[0] == 400
    await quick.nothing_left()


async def test_a_post_that_is_too_large_is_refused(node: SocketioNode) -> None:
    for size in (16 * 1024 + 1, 64 * 1024 + 1):
        poller = await shake_hands(node)
        status, answer = await poller.post("x" * size)
        assert (status, json.loads(answer)["code"]) == (413, "too_large")


async def test_a_post_that_comes_in_two_pieces_is_read_whole(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(
        f"POST /socket.io/?EIO=4&transport=polling&sid={poller.sid} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {len(CONNECT)}\r\n\r\n{CONNECT[:7]}".encode()
    )
    await writer.drain()
    client = await node.clients.open(sid=poller.sid)  # a round trip: the first piece has arrived alone
    writer.write(CONNECT[7:].encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await client.send("2probe", "5")
    await client.text('42["ready"')
    assert client.ready["user"] == "alice"


async def test_doorways_are_bounded_per_address_and_in_all() -> None:
    for caps in (Caps(doorways=2), Caps(doorways_per_address=2)):
        async with socketio_node(caps=caps) as node:
            await shake_hands(node)
            await shake_hands(node)
            async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling") as answer:
                assert_too_many(answer)


def assert_too_many(answer: ClientResponse) -> None:
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_closing_server_lets_hanging_gets_go_and_takes_no_more(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    hanging = asyncio.create_task(poller.get())
    await node.until(lambda: node.server.doorways == 1)
    await node.server.close()
    assert (await hanging)[0] in (400, 503)
    assert await client.closed() == 1001
    async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling") as answer:
        assert answer.status == 503
