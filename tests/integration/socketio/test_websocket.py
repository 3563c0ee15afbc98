"""The WebSocket protocol: the opening handshake, and frames as defined by RFC 6455."""

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Mapping

import pytest

from chatcore_aiohttp.receiver import Receiver

from ...unit.client_frames import CLOSE, CONTINUATION, PING, TEXT, client_frame
from .node import SocketioNode, transport_of
from .silent import SilentClient

pytestmark = pytest.mark.anyio

KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
OFFER = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


async def shake_hands(
    node: SocketioNode, changes: Mapping[str, str | None], behind: bytes = b""
) -> tuple[bytes, SilentClient]:
    """Send the opening request, followed by ``behind`` in the same segment. Returns the head of the answer."""
    headers = {"Host": "x", **OFFER, **changes}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    client = await SilentClient.dial(node)
    request = "\r\n".join(["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", *lines, "", ""])
    await client.write(request.encode("latin-1") + behind)
    received = await client.read_until(b"\r\n\r\n")
    return received.partition(b"\r\n\r\n")[0], client


async def test_handshake_is_answered_with_digest_of_key(node: SocketioNode) -> None:
    head, client = await shake_hands(node, {})
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    digest = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    assert status == "HTTP/1.1 101 Switching Protocols"
    assert headers["upgrade"] == "websocket"
    assert headers["connection"] == "upgrade"
    assert headers["sec-websocket-accept"] == digest.lower()
    assert not headers.keys() & {
        "content-type",
        "content-length",
        "transfer-encoding",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
    }
    client.close()
    await node.nothing_left()


@pytest.mark.parametrize(
    ("offered", "echoed"),
    [
        ("chat", "chat"),
        ("chat, superchat", "chat"),
        ("a.b!#$%&'*+-^_`|~9,x", "a.b!#$%&'*+-^_`|~9"),
        ("a" * 8_000, "a" * 8_000),
        ("", None),
        (",chat", None),
        ("not a token", None),
        ("caf\xe9", None),
        ('"chat"', None),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_first_offered_subprotocol_is_echoed_if_valid_token(
    node: SocketioNode, caplog: pytest.LogCaptureFixture, offered: str, echoed: str | None
) -> None:
    with caplog.at_level(logging.INFO):
        head, client = await shake_hands(node, {"Sec-WebSocket-Protocol": offered})
    lines = [line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-protocol")]
    assert lines == ([] if echoed is None else [f"Sec-WebSocket-Protocol: {echoed}".encode()])
    assert head.startswith(b"HTTP/1.1 101")
    assert not [record for record in caplog.records if record.name.startswith("aiohttp.websocket")]
    client.close()


@pytest.mark.parametrize("version", ["8", "7", "0", "14", "13, 8", "x"])
async def test_other_websocket_version_gets_426_and_supported_version(node: SocketioNode, version: str) -> None:
    async with node.clients.http.get(
        f"{node.url}?EIO=4&transport=websocket", headers=OFFER | {"Sec-WebSocket-Version": version}
    ) as answer:
        assert answer.status == 426
        assert answer.headers["Sec-WebSocket-Version"] == "13"
        assert (await answer.json(content_type="application/problem+json"))["code"] == "invalid"


async def test_upgrade_over_http_1_0_is_invalid(node: SocketioNode) -> None:
    """RFC 6455, section 4.2.1, requires HTTP/1.1 or higher."""
    client = await SilentClient.dial(node)
    await client.write(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert b" 400 " in (await client.read_until(b"\r\n")).split(b"\r\n")[0]
    client.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"Upgrade": "h2c"},
        {"Connection": "close"},
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "AAAA"},
    ],
    ids=str,
)
async def test_request_without_valid_websocket_headers_is_invalid(
    node: SocketioNode, changes: dict[str, str | None]
) -> None:
    head, client = await shake_hands(node, changes)
    assert head.startswith(b"HTTP/1.1 400")
    client.close()


async def test_frames_sent_with_handshake_are_read(node: SocketioNode) -> None:
    behind = client_frame(TEXT, b'40{"token":"alice"}') + client_frame(TEXT, b'427["rooms",{}]')
    _, client = await shake_hands(node, {}, behind)
    await client.read_until(b'437[{"ok":true')
    client.close()
    await node.nothing_left()


async def test_command_in_fragments_that_arrive_byte_by_byte_is_answered(node: SocketioNode) -> None:
    client = await (await SilentClient.open(node)).connect()
    for byte in (
        client_frame(TEXT, b'427["roo', final=False)
        + client_frame(PING, b"between")
        + client_frame(CONTINUATION, final=False)
        + client_frame(CONTINUATION, b'ms",{}]')
    ):
        await client.write(bytes([byte]))
    received = await client.read_until(b'437[{"ok":true')
    assert b"\x8a\x07between" in received
    client.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (client_frame(TEXT, b'427["rooms",{}]', mask=None), 1002),
        (client_frame(PING, mask=None), 1002),
        (client_frame(TEXT, b"6", reserved=4), 1002),
        (client_frame(CONTINUATION, b"6"), 1002),
        (client_frame(PING, b"x" * 126), 1002),
        (client_frame(CLOSE, b"\0\0"), 1002),
        (client_frame(TEXT, b"42\xff"), 1007),
    ],
    ids=repr,
)
async def test_frame_against_rfc_closes_websocket(node: SocketioNode, frame: bytes, code: int) -> None:
    client = await (await SilentClient.open(node)).connect()
    await client.write(frame + client_frame(TEXT, b'428["rooms",{}]'))
    received = await client.read_until(b"\x88\x02" + code.to_bytes(2, "big"))
    assert b"43" not in received
    client.close()
    await node.nothing_left()


async def test_frames_after_frame_against_rfc_are_not_processed(node: SocketioNode) -> None:
    """RFC 6455, section 7.1.7: this includes the client's close frame."""
    client = await (await SilentClient.open(node)).connect()
    (session,) = node.server.websockets._sessions
    receiver = Receiver(session, transport_of(session))
    receiver.feed_data(client_frame(TEXT, b"42\xff"))
    receiver.feed_data(client_frame(CLOSE))
    assert session._writer.is_ended
    assert not session._client_left.is_set()
    client.close()
    await node.nothing_left()


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9going"])
async def test_close_frame_is_answered_and_connection_ended(node: SocketioNode, payload: bytes) -> None:
    client = await (await SilentClient.open(node)).connect()
    await client.write(client_frame(CLOSE, payload))
    received = await client.read_until(b"\x88\x02\x03\xe8")
    assert await client.read() == b""
    assert received.endswith(b"\x88\x02\x03\xe8")
    await node.nothing_left()
    client.close()


# Messages above 64 KiB.


def oversized(size: int, start: str = '427["message.send",{"to":"bob","key":"k","body":"') -> str:
    return start + "x" * (size - len(start))


@pytest.mark.parametrize("size", [64 * 1024 + 1, 128 * 1024, 200_000, 1024 * 1024])
async def test_command_above_64_kib_is_answered_too_large(node: SocketioNode, size: int) -> None:
    client = await node.clients.connect()
    await client.emit("rooms", {}, number=6)
    await client.send(oversized(size))
    answer = await client.answered(7)
    assert (answer["ok"], answer["error"]["code"]) == (False, "too_large")
    assert (await client.call("message.send", {"to": "bob", "key": "k", "body": "hi"}))["seq"] == 1
    assert [item for item in client.order if isinstance(item, int)] == [6, 7, 0]


async def test_command_above_1_mib_is_closed_with_1009(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.send(oversized(1024 * 1024 + 1))
    assert await client.closed() == 1009
    await node.nothing_left()


@pytest.mark.parametrize(
    "start", ['42["message.send",', "42[", '42/admin,7["x",', "427", "3", "6", "42" + "7" * 70 + "["], ids=repr
)
async def test_message_above_64_kib_without_readable_id_is_closed_with_1009(node: SocketioNode, start: str) -> None:
    client = await node.clients.connect()
    await client.send(oversized(70_000, start))
    assert await client.closed() == 1009
    await node.nothing_left()


async def test_message_above_64_kib_before_connect_is_closed_before_its_end(node: SocketioNode) -> None:
    client = await SilentClient.open(node)
    await client.write(client_frame(TEXT, b"40", length=64 * 1024 + 1))
    await client.read_until(b"\x88\x02\x03\xf1")  # 1009
    client.close()
    await node.nothing_left()


async def test_large_command_before_accepted_connect_is_closed_with_1009(node: SocketioNode) -> None:
    client = await node.clients.open()
    await client.send(json.dumps(["x"] * 10), '40{"token":"hanging"}')
    assert await client.closed() == 1002
    client = await node.clients.open()
    await client.send('40{"token":"hanging"}', oversized(70_000))
    assert await client.closed() == 1009


async def test_client_that_sends_message_without_end_is_cut(node: SocketioNode) -> None:
    client = await (await SilentClient.open(node)).connect()
    await client.write(client_frame(TEXT, b"42", length=1 << 40))
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionError):
            await send_on(client)
    await node.nothing_left()
    client.close()


async def send_on(client: SilentClient) -> None:
    while True:
        await client.write(bytes(65_536))
