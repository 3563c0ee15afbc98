"""Frames that no correct client sends: each ends the socket with a reason, and affects no other client."""

import pytest
from aiohttp import WSMsgType

from .node import SocketioNode

pytestmark = pytest.mark.anyio

HOSTILE = {
    "an empty frame": "",
    "a letter": "x",
    "an unknown Engine.IO type": "9",
    "a type that is a digit elsewhere": "٤٢",
    "a superscript": "4²",
    "OPEN": "0{}",
    "PING": "2",
    "a probe": "2probe",
    "UPGRADE": "5",
    "binary as base64": "bAAAA",
    "broken base64": "bA",
    "a message without a type": "4",
    "an unknown Socket.IO type": "49",
    "a message of words": "4hello",
    "CONNECT again": '40{"token":"alice"}',
    "CONNECT that reads as a command": '407["rooms",{}]',
    "CONNECT of broken JSON": "40{",
    "an ACK": "430[]",
    "an ACK that reads as a command": '437["rooms",{}]',
    "an ACK with a number beyond all": "43" + "9" * 200 + "[]",
    "an ACK with a number and NaN": "437[NaN]",
    "CONNECT_ERROR": '44{"message":"x"}',
    "a binary event": '451-["x",{"_placeholder":true,"num":0}]',
    "a binary event with a number": '451-7["x",{"_placeholder":true,"num":0}]',
    "a binary event with many attachments": '45999999999-["x"]',
    "a binary ACK": "461-0[]",
    "an event with attachments": '421-["message.send",{}]',
    "an event of nothing": "42",
    "an event with a number of nothing": "427",
    "an event that is an object": '42{"a":1}',
    "an event that is a text": '42"message.send"',
    "an event without a name": "42[]",
    "an event without a name that wants an answer": "427[]",
    "an event with a number as its name": "427[5,{}]",
    "an event with null as its name": "427[null,{}]",
    "an event with a list as its name": '427[["message.send"],{}]',
    "an event of broken JSON": '42["message.send",',
    "an event of deep JSON": "42" + "[" * 60_000,
    "an event with a name twice": '42["message.send",{"to":"a","to":"b"}]',
    "an event with NaN": '42["message.send",NaN]',
    "an event of another namespace": '42/admin,["message.send",{}]',
    "an ACK of another namespace": "43/admin,7[]",
    "an event with a number beyond all": "42" + "9" * 200 + '["message.send",{}]',
    "a DISCONNECT with a number and NaN": "417[NaN]",
    "a forged connect": '427["connect",{"token":"bob"}]',
    "a forged connect without a number": '42["connect",{}]',
    "a forged disconnect": '427["disconnect","io client disconnect"]',
    "a forged connect_error": '427["connect_error",{}]',
    "a forged disconnecting": '427["disconnecting",{}]',
    "a forged newListener": '427["newListener",{}]',
}


@pytest.mark.parametrize("frame", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_frame_ends_socket_with_bye_protocol(
    node: SocketioNode, frame: str, caplog: pytest.LogCaptureFixture
) -> None:
    bystander = await node.clients.connect("bob")
    client = await node.clients.connect()
    await client.send(frame)
    assert await client.closed() == 1002
    assert client.bodies_of("bye") == [{"code": "protocol", "resumable": False}]
    assert client.texts[-1] == "41"
    await node.until(lambda: len(node.server.websockets) == 1)
    assert (await bystander.call("message.send", {"to": "alice", "key": "k1", "body": "hi"}))["ok"]
    assert not caplog.records


@pytest.mark.parametrize(
    "frame", [frame for frame in HOSTILE.values() if not frame.startswith("40")], ids=lambda frame: frame[:20]
)
async def test_hostile_frame_before_connect_ends_socket(node: SocketioNode, frame: str) -> None:
    client = await node.clients.open()
    await client.send(frame)
    assert await client.closed() == 1002
    await node.nothing_left()


async def test_binary_frame_ends_socket(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.websocket.send_bytes(b'2["message.send",{}]')
    assert await client.closed() == 1002
    assert client.bodies_of("bye")[0]["code"] == "protocol"


async def test_text_frame_that_is_no_utf_8_is_closed_with_1007(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.websocket.send_frame(b'42["message.send",{"a":"\xff"}]', WSMsgType.TEXT)
    assert await client.closed() == 1007
    await node.nothing_left()


async def test_noop_and_websocket_pings_are_ignored(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.send("6", "3", "3probe")
    await client.websocket.ping(b"are you there")
    await client.websocket.pong(b"so am I")
    assert (await client.call("rooms", {}))["ok"]
