"""The polling handshake: OPEN, CONNECT, and a GET that waits until the websocket is open."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator

import pytest
from aiohttp import ClientResponse, WSServerHandshakeError

from chatcore_http import bodies
from chatcore_websocket import ConnectionLimits, Timing

from .node import QUICK, SocketioNode, socketio_node

pytestmark = pytest.mark.anyio

CONNECT = '40{"token":"alice"}'


class Poller:
    """The client side of a polling session."""

    def __init__(self, node: SocketioNode, sid: str) -> None:
        self.sid = sid
        self._node = node
        self._query = {"EIO": "4", "transport": "polling", "sid": sid}

    async def get(self) -> tuple[int, str]:
        async with self._node.clients.http.get(self._node.url, params=self._query) as answer:
            return answer.status, await answer.text()

    async def waiting_get(self) -> asyncio.Task[tuple[int, str]]:
        """Send a GET, and return it once it waits at the server."""
        get = asyncio.create_task(self.get())
        await self._node.until(lambda: self._node.server._polling_sessions.find(self.sid)._is_polled)
        return get

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


async def test_connect_by_post_is_answered_over_opened_websocket(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    hanging = asyncio.create_task(poller.get())
    assert await poller.post(CONNECT) == (200, "ok")
    client = await node.clients.open(sid=poller.sid)
    assert client.texts == []
    assert not hanging.done()
    await client.send("2probe")
    await client.text("3probe")
    assert await hanging == (200, "6")
    assert await poller.get() == (200, "6")  # repeatedly, until the client upgrades
    assert len(client.texts) == 1
    await client.send("5")
    await client.text("40")
    await client.text('42["ready"')
    assert client.ready["user"] == "alice"
    assert (await client.call("message.send", {"to": "bob", "key": "k1", "body": "hi"}))["seq"] == 1


async def test_connect_on_websocket_is_answered(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send("2probe", "5")
    await client.connect()


async def test_polling_session_ends_once_websocket_is_open(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send("2probe", "5", CONNECT)
    await client.text("40")
    await node.until(lambda: node.server.polling_sessions == 0)
    assert (await poller.get())[0] == 400
    assert (await poller.post(CONNECT))[0] == 400
    assert not client.is_closed


async def test_waiting_get_fails_without_websocket_in_time(quick: SocketioNode) -> None:
    poller = await shake_hands(quick)
    await poller.post(CONNECT)
    status, answer = await poller.get()
    problem = json.loads(answer)
    assert (status, problem["code"], problem["temporary"]) == (503, "unavailable", True)
    assert 'transports: ["websocket"]' in problem["detail"]
    assert (await poller.get())[0] == 400
    await quick.nothing_left()


async def test_missing_websocket_is_logged_once_a_minute_and_address(
    quick: SocketioNode, caplog: pytest.LogCaptureFixture
) -> None:
    for poller in [await shake_hands(quick), await shake_hands(quick)]:
        await poller.post(CONNECT)
    await quick.nothing_left()
    (line,) = caplog.messages
    assert "address=127.0.0.1" in line
    assert "pass websocket upgrades" in line
    assert 'transports: ["websocket"]' in line


async def test_polling_session_without_connect_ends_without_log_line(
    quick: SocketioNode, caplog: pytest.LogCaptureFixture
) -> None:
    poller = await shake_hands(quick)
    assert (await poller.get())[0] == 503
    assert not caplog.messages


async def test_waiting_get_fails_if_websocket_is_refused_at_cap() -> None:
    async with socketio_node(limits=ConnectionLimits(websockets_per_address=1)) as node:
        await node.clients.connect()
        poller = await shake_hands(node)
        waiting = await poller.waiting_get()
        await poller.post(CONNECT)
        with pytest.raises(WSServerHandshakeError, match="429"):
            await node.clients.open(sid=poller.sid)
        status, answer = await waiting
        assert (status, json.loads(answer)["code"]) == (503, "unavailable")
        assert "too many connections" in json.loads(answer)["detail"]


@pytest.mark.parametrize("frames", [(), ("2probe",)], ids=["unprobed", "probed"])
async def test_polling_session_ends_with_websocket_that_never_upgraded(frames: tuple[str, ...]) -> None:
    async with socketio_node(timing=Timing(connect_timeout=600)) as node:
        poller = await shake_hands(node)
        await poller.post(CONNECT)
        client = await node.clients.open(sid=poller.sid)
        await client.send(*frames)
        await client.close()
        await node.until(lambda: node.server.polling_sessions == 0)
        assert (await poller.get())[0] == 400


async def test_abandoned_polling_session_ends(quick: SocketioNode) -> None:
    for poller in [await shake_hands(quick), await shake_hands(quick)]:
        await poller.post(CONNECT)
    await shake_hands(quick)
    assert quick.server.polling_sessions == 3
    await quick.nothing_left()


async def test_polling_session_has_10_s_to_open_websocket(node: SocketioNode) -> None:
    clock = asyncio.get_running_loop()
    before = clock.time()
    poller = await shake_hands(node)
    assert before + 10 <= node.server._polling_sessions.find(poller.sid).deadline <= clock.time() + 10


async def test_polling_session_stays_open_until_its_deadline() -> None:
    async with socketio_node(timing=Timing(connect_timeout=600, ping_interval=0.05)) as node:
        poller = await shake_hands(node)
        waiting = await poller.waiting_get()
        bystander = await node.clients.connect("bob")
        await bystander.until(lambda client: client.texts.count("2") == 2)  # deadlines have been checked
        assert not waiting.done()
        client = await node.clients.open(sid=poller.sid)
        await client.send("2probe", "5")
        await client.connect()


async def test_websocket_that_probes_but_never_upgrades_is_closed(quick: SocketioNode) -> None:
    poller = await shake_hands(quick)
    await poller.post(CONNECT)
    client = await quick.clients.open(sid=poller.sid)
    await client.send("2probe")
    assert await client.closed() == 1008
    assert (await poller.get())[0] == 400


async def test_websocket_shares_connect_deadline_of_its_polling_session() -> None:
    async with socketio_node(timing=Timing(connect_timeout=600, ping_interval=0.5)) as node:
        poller = await shake_hands(node)
        node.server._polling_sessions.find(poller.sid).deadline = asyncio.get_running_loop().time() + 1
        client = await node.clients.open(sid=poller.sid)
        await client.send("2probe", "5")
        assert await client.closed() == 1008
        await node.nothing_left()


async def test_upgrade_without_probe_succeeds_and_answers_hanging_get(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    assert await poller.post(CONNECT) == (200, "ok")
    hanging = asyncio.create_task(poller.get())
    client = await node.clients.open(sid=poller.sid)
    await node.until(lambda: node.server._polling_sessions.find(poller.sid)._is_polled)
    await client.send("5")
    assert await hanging == (200, "6")
    await client.text('42["ready"')
    assert client.texts[0].startswith("40")
    assert client.ready["user"] == "alice"
    assert node.server.polling_sessions == 0


@pytest.mark.parametrize("first", ["2", CONNECT, "", "xyz", "3probe", "2probe2"])
async def test_websocket_that_does_not_probe_is_closed(node: SocketioNode, first: str) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send(first)
    assert await client.closed() == 1008


@pytest.mark.parametrize("second", ["2probe", CONNECT, "", "3", "5x"])
async def test_websocket_that_sends_other_packet_than_upgrade_is_closed(node: SocketioNode, second: str) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    await client.send("2probe", second)
    assert await client.closed() == 1008


async def test_polling_session_has_one_websocket(node: SocketioNode) -> None:
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


async def test_concurrent_second_get_ends_session(node: SocketioNode) -> None:
    """The first GET is answered with CLOSE, as Engine.IO's own server does."""
    poller = await shake_hands(node)
    both = [asyncio.create_task(poller.get()) for _ in range(2)]
    answers = sorted([await task for task in both])
    assert answers[0] == (200, "1")
    assert answers[1][0] == 400
    assert (await poller.get())[0] == 400
    assert node.server.polling_sessions == 0


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "0{}",
        "2",
        "5",
        "4",
        *(kind + CONNECT[1:] for kind in "02356"),
        "b" + base64.b64encode(CONNECT[1:].encode()).decode(),
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
        "\x1e".join([CONNECT, *["1"] * 16]),
        "d=4",
        '450-["x"]',
    ],
)
async def test_post_of_other_packet_than_connect_is_refused(node: SocketioNode, body: str | bytes) -> None:
    poller = await shake_hands(node)
    status, answer = await poller.post(body)
    assert (status, json.loads(answer)["code"]) == (400, "invalid")
    assert (await poller.get())[0] == 400  # the session has ended


async def test_post_of_16_packets_is_accepted(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    assert await poller.post("\x1e".join([CONNECT, *["1"] * 15])) == (200, "ok")
    assert node.server.polling_sessions == 0


async def test_second_connect_ends_session(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    assert await poller.post(CONNECT) == (200, "ok")
    assert (await poller.post(CONNECT))[0] == 400
    assert (await poller.get())[0] == 400


async def test_close_by_post_answers_waiting_get_with_noop(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    waiting = await poller.waiting_get()
    assert await poller.post("1") == (200, "ok")
    assert await waiting == (200, "6")
    assert (await poller.get())[0] == 400
    await node.nothing_left()


async def test_refused_post_answers_waiting_get_with_close(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    waiting = await poller.waiting_get()
    assert (await poller.post("xyz"))[0] == 400
    assert await waiting == (200, "1")


def connect_of(size: int) -> str:
    return CONNECT.replace("alice", "a" * (size - len(CONNECT) + len("alice")))


async def test_post_of_16_kib_is_accepted(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    assert await poller.post(connect_of(16 * 1024)) == (200, "ok")


async def test_post_above_16_kib_is_refused(node: SocketioNode) -> None:
    for size in (16 * 1024 + 1, 64 * 1024 + 1):
        poller = await shake_hands(node)
        status, answer = await poller.post(connect_of(size))
        assert (status, json.loads(answer)["code"]) == (413, "too_large")


async def test_post_whose_body_does_not_arrive_ends_session(
    node: SocketioNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    poller = await shake_hands(node)
    waiting = await poller.waiting_get()
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(
        f"POST /socket.io/?EIO=4&transport=polling&sid={poller.sid} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {len(CONNECT)}\r\n\r\n{CONNECT[:7]}".encode()
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    assert await waiting == (200, "1")
    assert (await poller.get())[0] == 400
    assert node.server.polling_sessions == 0


async def test_post_in_two_pieces_is_read_whole(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(
        f"POST /socket.io/?EIO=4&transport=polling&sid={poller.sid} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {len(CONNECT)}\r\n\r\n{CONNECT[:7]}".encode()
    )
    await writer.drain()
    client = await node.clients.open(sid=poller.sid)  # after a round trip the first piece has arrived alone
    writer.write(CONNECT[7:].encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await client.send("2probe", "5")
    await client.text('42["ready"')
    assert client.ready["user"] == "alice"


async def test_polling_sessions_are_capped_per_address_and_in_total() -> None:
    for limits in (ConnectionLimits(polling_sessions=2), ConnectionLimits(polling_sessions_per_address=2)):
        async with socketio_node(limits=limits) as node:
            await shake_hands(node)
            await shake_hands(node)
            async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling") as answer:
                assert_too_many(answer)


def assert_too_many(answer: ClientResponse) -> None:
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0


async def test_closing_server_answers_hanging_gets_and_accepts_no_more(node: SocketioNode) -> None:
    poller = await shake_hands(node)
    client = await node.clients.open(sid=poller.sid)
    hanging = [await session.waiting_get() for session in (poller, await shake_hands(node))]
    await node.server.close()
    for get in hanging:
        status, problem = await get
        assert (status, json.loads(problem)["code"]) == (503, "unavailable")
        assert "about to end" in json.loads(problem)["detail"]
    assert await client.closed() == 1001
    async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling") as answer:
        assert answer.status == 503
