"""How sockets end: every bye, the heartbeat, and the removal of vanished clients."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Callable
from typing import cast

import pytest
from aiohttp import WSServerHandshakeError, web

from chatcore import Credentials, Entry, Principal
from chatcore.ports.pushes import Bye, ByeCode, Push
from chatcore.socket import Socket
from chatcore_websocket import Timing
from chatcore_websocket.connection import WebsocketConnection

from ..clients import RawClient
from .node import QUICK, SocketioNode, socketio_node
from .silent import SilentClient

pytestmark = pytest.mark.anyio


@pytest.fixture
async def quick() -> AsyncGenerator[SocketioNode]:
    async with socketio_node(timing=QUICK) as node:
        yield node


@pytest.mark.parametrize(
    ("code", "resumable", "close_code"),
    [
        ("shutdown", True, 1001),
        ("expired", True, 1001),
        ("slow", True, 1013),
        ("signed_out", False, 1000),
        ("kicked", False, 1000),
        ("protocol", False, 1002),
    ],
)
async def test_bye_names_reason_and_only_final_bye_is_followed_by_disconnect(
    node: SocketioNode, code: ByeCode, resumable: bool, close_code: int
) -> None:
    client = await node.clients.connect()
    (session,) = node.server.websockets._sessions
    session.close(Bye(code=code, retry_after_ms=500))
    session.close(Bye(code="kicked"))  # the first bye counts
    assert await client.closed() == close_code
    assert client.pushes[-1] == ("bye", {"code": code, "resumable": resumable, "retry_after_ms": 500})
    assert client.texts[-1].startswith("42") == resumable
    assert ("41" in client.texts) != resumable
    await node.nothing_left()


def push_invalid_entry(connection: WebsocketConnection) -> None:
    connection.send(Push("entry", cast("Entry", object())))


def answer_invalid_object(connection: WebsocketConnection) -> None:
    connection.answer(7, {"body": object()})


@pytest.mark.parametrize("writes", [push_invalid_entry, answer_invalid_object])
async def test_frame_that_can_not_be_encoded_ends_socket_with_1011_and_traceback(
    node: SocketioNode, writes: Callable[[WebsocketConnection], None], caplog: pytest.LogCaptureFixture
) -> None:
    client = await node.clients.connect()
    (session,) = node.server.websockets._sessions
    for _ in range(2):
        writes(session._connection)
    assert await client.closed() == 1011
    assert [record.exc_info is not None for record in caplog.records] == [True]
    await node.nothing_left()


async def test_socket_that_raises_ends_with_1011_and_traceback(
    node: SocketioNode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    client = await node.clients.connect()
    monkeypatch.setattr(Socket, "receive", broken)
    await client.emit("rooms", {})
    assert await client.closed() == 1011
    assert [record.exc_info is not None for record in caplog.records] == [True]
    await node.nothing_left()


async def test_sign_out_ends_sockets_of_its_session_only(node: SocketioNode) -> None:
    phone, laptop = [await node.clients.connect(token) for token in ("alice@phone", "alice@laptop")]
    await node.chat.close_session("alice", "of alice@phone")
    await phone.closed()
    assert phone.bodies_of("bye") == [{"code": "signed_out", "resumable": False}]
    assert (await laptop.call("rooms", {}))["ok"]


async def test_socket_ends_with_bye_expired_when_token_expires(node: SocketioNode) -> None:
    client = await node.clients.connect("expiring")
    assert client.ready["expires_in"] == 0
    await client.closed()
    assert client.bodies_of("bye") == [{"code": "expired", "resumable": True}]


async def test_command_after_end_of_socket_is_not_carried_out(node: SocketioNode) -> None:
    client = await node.clients.connect()
    (session,) = node.server.websockets._sessions
    session.close(Bye(code="signed_out"))
    await client.emit("message.send", {"to": "bob", "key": "k1", "body": "too late"})
    await node.nothing_left()
    assert (await node.clients.connect("bob")).ready["rooms"] == []


async def test_waiting_command_is_not_carried_out_after_bye(node: SocketioNode) -> None:
    client = await node.clients.connect()
    (session,) = node.server.websockets._sessions
    with node.hanging():
        await client.emit("rooms", {})
        await client.emit("message.send", {"to": "bob", "key": "k1", "body": "too late"})
        await node.until(lambda: session._queue._messages)
        session.close(Bye(code="signed_out"))
    await node.nothing_left()
    assert (await node.clients.connect("bob")).ready["rooms"] == []


async def test_disconnect_ends_socket(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.send("41")
    assert await client.closed() == 1000
    await node.nothing_left()


async def test_engine_io_close_ends_socket(node: SocketioNode) -> None:
    client = await node.clients.connect()
    await client.send("1")
    assert await client.closed() == 1000
    await node.nothing_left()


async def test_close_sends_bye_shutdown_to_all_sockets_within_one_second(
    node: SocketioNode, caplog: pytest.LogCaptureFixture
) -> None:
    clients = [await node.clients.connect(f"user{n}") for n in range(20)]
    lingering = [
        await (await SilentClient.open(node)).connect() for _ in range(3)
    ]  # these do not answer the close frame
    undecided = await node.clients.open()
    began = time.monotonic()
    await node.server.close()
    assert time.monotonic() - began < 1.5
    assert not caplog.messages
    for client in clients:
        assert await client.closed() == 1001
        assert client.bodies_of("bye") == [{"code": "shutdown", "resumable": True}]
    assert await undecided.closed() == 1001
    for silent in lingering:
        assert b'42["bye",{"code":"shutdown","resumable":true}]' in await silent.read_until(b"\x88\x02\x03\xe9")
        silent.close()
    await node.nothing_left()


async def test_close_does_not_wait_for_socket_that_never_ends(caplog: pytest.LogCaptureFixture) -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    async def ignore_cancellation(_: Credentials) -> Principal | None:
        entered.set()
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()
        return None

    async with socketio_node(timing=Timing(close_timeout=0.1)) as node:
        node.server.websockets.authenticate = ignore_cancellation
        client = await node.clients.open()
        await client.send("40")
        await entered.wait()
        try:
            async with asyncio.timeout(3 * 0.3):
                await node.server.close()
        finally:
            released.set()
        assert caplog.messages == ["closing timed out: websockets=1"]
        assert await client.closed() == 1001
        await node.nothing_left()


@pytest.mark.parametrize("polled", [False, True], ids=["alone", "after polling"])
async def test_websocket_that_opens_while_server_closes_is_ended(polled: bool) -> None:
    """The request arrives before `close`, and the answer is sent after `close` has looked for sockets."""
    opening, closed = asyncio.Event(), asyncio.Event()

    async def hold(_: web.Request, response: web.StreamResponse) -> None:
        if response.status == 101:
            opening.set()
            await closed.wait()

    async with socketio_node(on_prepare=hold) as node:
        sid = None
        if polled:
            async with node.clients.http.get(f"{node.url}?EIO=4&transport=polling") as answer:
                sid = json.loads((await answer.text())[1:])["sid"]
        entering = asyncio.create_task(node.clients.open(sid=sid))
        await opening.wait()
        await node.server.close()
        closed.set()
        client = await entering
        assert await client.closed() == 1001
        assert client.bodies_of("bye") == ([] if polled else [{"code": "shutdown", "resumable": True}])
        await node.nothing_left()
        with pytest.raises(WSServerHandshakeError, match="503"):
            await node.clients.open()


async def test_client_that_ignores_close_is_cut(node: SocketioNode) -> None:
    silent = await (await SilentClient.open(node)).connect()
    (session,) = node.server.websockets._sessions
    began = time.monotonic()
    session.close(Bye(code="kicked"))
    while await silent.read():
        pass
    assert time.monotonic() - began < 1.5
    await node.nothing_left()
    silent.close()


# The heartbeat.


async def test_client_that_answers_pings_stays_connected(quick: SocketioNode) -> None:
    client = await quick.clients.connect()
    await client.until(lambda client: client.texts.count("2") >= 4)
    assert (await client.call("rooms", {}))["ok"]


async def test_client_that_does_not_answer_pings_is_closed_in_time(quick: SocketioNode) -> None:
    client = await quick.clients.connect(answers_pings=False)
    began = time.monotonic()
    assert await client.closed() == 1001
    assert QUICK.ping_timeout < time.monotonic() - began < 4 * (QUICK.ping_interval + QUICK.ping_timeout)
    assert client.texts.count("2") == 1
    await quick.nothing_left()


async def test_unrequested_pongs_do_not_delay_ping(quick: SocketioNode) -> None:
    client = await quick.clients.connect(answers_pings=False)

    async def chatter() -> None:
        while True:
            await client.send("3")
            await asyncio.sleep(0.01)

    chattering = asyncio.create_task(chatter())
    await client.text("2")
    chattering.cancel()


async def test_commands_do_not_replace_pongs(quick: SocketioNode) -> None:
    client = await quick.clients.connect(answers_pings=False)

    async def chatter() -> None:
        while not client.is_closed:
            await client.emit("nonsense", {})
            await asyncio.sleep(0.02)

    chattering = asyncio.create_task(chatter())
    assert await client.closed() == 1001
    with contextlib.suppress(ConnectionError):
        await chattering


async def test_pong_of_earlier_ping_does_not_answer_next(quick: SocketioNode) -> None:
    client = await quick.clients.connect(answers_pings=False)
    await client.text("2")
    await client.send("3", "3", "3")
    await client.until(lambda client: client.texts.count("2") == 2)
    assert await client.closed() == 1001


# Clients that vanish.


async def _emit_and_go(client: RawClient) -> None:
    await client.emit("message.send", {"to": "bob", "key": "k1", "body": "hi"})
    await client.close()


async def test_vanished_clients_leave_no_state(quick: SocketioNode) -> None:
    opened = [await SilentClient.open(quick) for _ in range(10)]
    connected = [await (await SilentClient.open(quick)).connect(f"user{n}") for n in range(10)]
    for client in opened[::2] + connected[::2]:
        client.close()
    for client in opened[1::2] + connected[1::2]:
        client.vanish()
    for n in range(5):
        await _emit_and_go(await quick.clients.connect(f"user{n}"))
    await quick.nothing_left()


async def test_idle_client_that_leaves_is_removed_at_once() -> None:
    async with socketio_node(timing=Timing(close_timeout=600)) as node:
        for end in (SilentClient.close, SilentClient.vanish):
            end(await (await SilentClient.open(node)).connect())
        await (await node.clients.connect()).close()
        await node.nothing_left()


async def test_silent_clients_leave_no_state(quick: SocketioNode) -> None:
    silent = [await (await SilentClient.open(quick)).connect(f"user{n}") for n in range(5)]
    await quick.nothing_left()
    for client in silent:
        client.close()


@pytest.mark.parametrize("token", ["hanging", "alice", "broken", "nobody", "down"])
async def test_clients_that_leave_while_connecting_leave_no_state(quick: SocketioNode, token: str) -> None:
    with quick.hanging():
        for end in (SilentClient.close, SilentClient.vanish):
            for pause in (0, 0.01, 0.1):
                silent = await SilentClient.open(quick)
                await silent.send(f'40{{"token":"{token}"}}')
                await asyncio.sleep(pause)
                end(silent)
        await quick.nothing_left()


async def test_connect_interrupted_by_shutdown_leaves_no_state(node: SocketioNode) -> None:
    with node.hanging():
        client = await node.clients.open()
        await client.send('40{"token":"alice"}')
        await node.until(lambda: node.chat._sockets.here)
        began = time.monotonic()
        await node.server.close()
        assert time.monotonic() - began < 2.5
        assert await client.closed() == 1001
        await node.nothing_left()


async def test_deadlines_do_not_use_wall_clock(quick: SocketioNode, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await quick.clients.connect()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    await client.until(lambda client: client.texts.count("2") >= 3)
    assert (await client.call("rooms", {}))["ok"]
