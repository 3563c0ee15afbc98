"""Commands over the socket: answers, the order of answers, and the errors of invalid commands."""

import json
import logging

import pytest

from chatcore import Unavailable

from .node import SocketioNode

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


async def test_command_is_answered_by_ack_id_and_pushed_to_both_users(node: SocketioNode) -> None:
    alice, phone, bob = [await node.clients.connect(token) for token in ("alice@laptop", "alice@phone", "bob")]
    answer = await alice.call("message.send", {"to": "bob", "key": "k1", "body": "hi"})
    assert answer == {
        "ok": True,
        "room": ROOM,
        "epoch": node.store.epoch,
        "seq": 1,
        "at": answer["at"],
        "duplicate": False,
    }
    for client in (alice, phone, bob):
        await client.until(lambda client: bool(client.entries(ROOM)))
        assert client.order[-2:] == ["room", "entry"]
    assert alice.order[-3] == 0  # the sender gets the answer before the push


async def test_500_commands_are_carried_out_in_order_sent(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.send(
        *(f'42{n}["message.send",{{"to":"bob","key":"k{n}","body":"{n}"}}]' for n in range(500)),
    )
    await client.answered(499)
    await client.until(lambda client: len(client.entries(ROOM)) == 500)
    assert [entry["body"] for entry in client.entries(ROOM)] == [str(n) for n in range(500)]
    assert [client.answers[n]["seq"] for n in range(500)] == list(range(1, 501))
    assert [item for item in client.order if isinstance(item, int)] == list(range(500))


async def test_command_without_callback_is_carried_out_without_answer(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.emit("message.send", {"to": "bob", "key": "k1", "body": "hi"})
    await client.emit("message.send", {"to": "bob", "key": "k2", "body": ""})  # invalid
    await client.emit("nonsense", {})
    await client.emit("history", {"with": "bob"})
    assert (await client.call("history", {"with": "bob"}))["head"] == 1
    assert list(client.answers) == [0]


@pytest.mark.parametrize("arguments", [(), ({}, {}), (1, "2", {"3": [True]}), ([],), (None,)])
async def test_event_with_other_arguments_than_one_object_is_invalid(
    node: SocketioNode, arguments: tuple[object, ...]
) -> None:
    client = await node.clients.connect()
    await client.emit("rooms", *arguments, number=7)
    assert (await client.answered(7))["error"]["code"] == "invalid"


async def test_reading_command_sees_earlier_commands_of_its_socket_only(
    node: SocketioNode,
) -> None:
    client = await node.clients.connect()
    for n in range(30):
        await client.emit("message.send", {"to": "bob", "key": f"k{n}", "body": str(n)})
        await client.emit("history", {"with": "bob"}, number=n)
    await client.answered(29)
    assert [client.answers[n]["head"] for n in range(30)] == list(range(1, 31))


@pytest.mark.parametrize(
    "event",
    [
        ["message.send"],
        ["message.send", None],
        ["message.send", 5],
        ["message.send", "text"],
        ["message.send", ["list"]],
        ["message.send", {}],
        ["message.send", {"to": "bob", "key": "k1", "body": "hi"}, {}],
        ["message.send", {"to": "bob", "key": "k1", "body": "hi"}, 5],
        ["message.send", {"to": "bob", "key": "k1", "body": "hi", "more": 1}],
        ["message.send", {"to": "bob", "key": 5, "body": "hi"}],
        ["message.send", {"to": "bob", "key": "k1", "body": None}],
        ["nonsense", {}],
        ["__init__", {}],
        ["", {}],
        ["ready", {}],
        ["message", {}],
        ["x" * 10_000, {}],
    ],
    ids=repr,
)
async def test_invalid_command_is_answered_invalid_and_changes_nothing(node: SocketioNode, event: list[object]) -> None:
    client = await node.clients.connect()
    await client.emit(*event, number=7)
    answer = await client.answered(7)
    assert (answer["ok"], answer["error"]["code"], answer["error"]["temporary"]) == (False, "invalid", False)
    assert (await client.call("history", {"with": "bob"}))["head"] == 0


NESTED = '{"to":"bob","key":"k1","body":"hi","data":%s}'


@pytest.mark.parametrize(
    "argument",
    [
        NESTED % ('{"a":' * 32 + "1" + "}" * 32),
        NESTED % ("[" * 20_000),
        '{"to":"bob","to":"carol","key":"k1","body":"hi"}',
        '{"to":"bob","key":"k1","body":"hi","data":{"a":NaN}}',
        '{"to":"bob","key":"k1","body":"hi","data":{"a":Infinity}}',
        '{"to":"bob","key":"k1","body":"hi","data":{"a":1e999}}',
        '{"to":"bob","key":"k1","body":"hi","data":{"a":9007199254740993}}',
        '{"to":"bob","key":"k1","body":"\\ud800"}',
        '{"to":"bob","key":"k1","body":"hi"',
        '{"to":"bob","key":"k1","body":\'hi\'}',
    ],
    ids=lambda argument: argument[:60],
)
async def test_ambiguous_or_malformed_json_is_answered_invalid(node: SocketioNode, argument: str) -> None:
    client = await node.clients.connect()
    await client.send(f'427["message.send",{argument}]')
    answer = await client.answered(7)
    assert (answer["ok"], answer["error"]["code"]) == (False, "invalid")
    assert (await client.call("history", {"with": "bob"}))["head"] == 0


async def test_json_object_of_32_levels_is_read(node: SocketioNode) -> None:
    client = await node.clients.connect()
    data = '{"a":' * 30 + "{}" + "}" * 30
    await client.send(f'427["message.send",{NESTED % data}]')
    assert (await client.answered(7))["ok"]


async def test_frame_of_64_kib_is_read_and_one_byte_more_is_too_large(node: SocketioNode) -> None:
    client = await node.clients.connect()

    def frame(size: int, letter: str) -> str:
        start, end = '427["nonsense",{"a":"', '"}]'
        return start + letter * ((size - len(start) - len(end)) // len(letter.encode())) + end

    for letter in ("x", "é", "😀"):
        size = len(frame(64 * 1024, letter).encode())
        for given, code in ((size, "invalid"), (size + len(letter.encode()), "too_large")):
            client.answers.clear()
            await client.send(frame(given, letter))
            assert (await client.answered(7))["error"]["code"] == (code if given > 65536 else "invalid"), given
    assert not client.is_closed


async def test_exception_in_handler_is_answered_internal(node: SocketioNode, caplog: pytest.LogCaptureFixture) -> None:
    client = await node.clients.connect()
    with node.failing(ZeroDivisionError("the planted exception")), caplog.at_level(logging.CRITICAL):
        answers = [
            await client.call("message.send", {"to": "bob", "key": "k1", "body": "hi"}),
            await client.call("rooms", {}),
        ]
    for answer in answers:
        assert (answer["error"]["code"], answer["error"]["temporary"]) == ("internal", True)
        assert "planted" not in json.dumps(answer)
    assert (await client.call("message.send", {"to": "bob", "key": "k1", "body": "hi"}))["seq"] == 1


async def test_commands_are_answered_unavailable_while_store_is_unreachable(node: SocketioNode) -> None:
    client = await node.clients.connect()
    with node.failing(Unavailable()):
        answer = await client.call("rooms", {})
    assert (answer["error"]["code"], answer["error"]["temporary"]) == ("unavailable", True)


async def test_command_sent_just_before_closing_is_carried_out(node: SocketioNode) -> None:
    client = await node.clients.connect()
    for n in range(50):
        await client.emit("message.send", {"to": "bob", "key": f"k{n}", "body": "last words"})
    await client.send("41", "1")
    await client.close()
    await node.until(lambda: len(node.server.websockets) == 0)
    bob = await node.clients.connect("bob")
    assert bob.ready["rooms"][0]["head"] == 50
