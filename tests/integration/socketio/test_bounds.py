"""Bounded memory per client: a slow consumer is cut, a fast sender is slowed, and other clients are not affected."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

import pytest

from chatcore import SendMessage
from chatcore.ports.pushes import Bye
from chatcore_aiohttp.receiver import Receiver
from chatcore_websocket import Timing
from chatcore_websocket.connection_limits import IDLE_FRAMES_AT_ONCE
from chatcore_websocket.session import WebsocketSession
from chatcore_websocket.writer import DRAINED_BELOW, UNSENT_MAX

from ...unit.client_frames import CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame
from .node import SocketioNode, socketio_node, transport_of
from .silent import SilentClient, frame

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-silent"


@pytest.fixture
async def node() -> AsyncGenerator[SocketioNode]:
    """The default bounds, and a shorter close timeout."""
    async with socketio_node(timing=Timing(close_timeout=0.2)) as served:
        yield served


def outstanding(session: WebsocketSession) -> int:
    return transport_of(session).get_write_buffer_size()


async def test_client_that_never_reads_is_cut_within_bounds_others_continue(node: SocketioNode) -> None:
    silent = await (await SilentClient.open(node)).connect()
    alice = await node.clients.connect()
    sessions = node.server.websockets._sessions
    (session,) = [session for session in sessions if session._connection.id != alice.ready["socket"]]
    most, sent = 0, 0
    while not session._writer.is_ended and sent < 2_000:
        await alice.call("message.send", {"to": "silent", "key": f"k{sent}", "body": "x" * 16_000})
        most = max(most, outstanding(session))
        sent += 1
    assert session._writer.is_ended
    assert most <= UNSENT_MAX + 17_000
    assert sent < 1_000  # the kernel's buffers come on top of the bound
    await node.until(lambda: len(node.server.websockets) == 1)
    await alice.until(lambda client: len(client.entries(ROOM)) == sent)
    silent.close()


async def test_cut_client_finds_bye_slow_after_its_unread_frames(node: SocketioNode) -> None:
    node.server.websockets.timing = Timing(close_timeout=30)
    silent = await (await SilentClient.open(node)).connect()
    n = 0
    while not any(session._writer.is_ended for session in node.server.websockets._sessions):
        await node.chat.execute("alice", SendMessage(to="silent", body="x" * 16_000, key=f"k{n}"))
        n += 1
    tail = await silent.read_until(b"\x88\x02")  # a close frame
    assert b'42["bye",{"code":"slow","resumable":true}]' in tail
    assert b"41" not in tail[tail.index(b'"slow"') :]
    assert tail.endswith(b"\x88\x02\x03\xf5")  # 1013
    silent.close()
    await node.nothing_left()


async def test_slow_client_that_keeps_up_is_not_cut(node: SocketioNode) -> None:
    silent = await (await SilentClient.open(node)).connect()
    reading = asyncio.create_task(_read_on(silent))
    for n in range(300):
        await node.chat.execute("alice", SendMessage(to="silent", body="x" * 16_000, key=f"k{n}"))
        (session,) = node.server.websockets._sessions
        await node.until(lambda: outstanding(session) < 500_000)  # noqa: B023
    assert len(node.server.websockets) == 1
    silent.close()
    reading.cancel()
    await asyncio.wait({reading})


async def _read_on(client: SilentClient) -> None:
    while await client.read():
        pass


async def test_large_answers_wait_for_slow_client_without_cutting_it(node: SocketioNode) -> None:
    for n in range(40):
        await node.chat.execute("silent", SendMessage(to="silent", body="x" * 16_000, key=f"k{n}"))
    silent = await (await SilentClient.open(node, receive_buffer=200_000)).connect()
    (session,) = node.server.websockets._sessions
    for n in range(30):
        await silent.send(f'42{n}["history",{{"with":"silent"}}]')  # half a megabyte per answer
    await node.until(lambda: outstanding(session) >= DRAINED_BELOW)
    assert outstanding(session) < DRAINED_BELOW + 600_000
    assert len(await silent.read_until(b'"has_after"', 30)) > 30 * 400_000
    assert not session._writer.is_ended
    silent.close()


@pytest.mark.parametrize("end", [SilentClient.close, SilentClient.vanish])
async def test_client_that_leaves_while_answers_wait_logs_no_error(
    node: SocketioNode, end: Callable[[SilentClient], None], caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(40):
        await node.chat.execute("silent", SendMessage(to="silent", body="x" * 16_000, key=f"k{n}"))
    silent = await (await SilentClient.open(node)).connect()
    (session,) = node.server.websockets._sessions
    for n in range(30):
        await silent.send(f'42{n}["history",{{"with":"silent"}}]')
    await node.until(lambda: outstanding(session) >= DRAINED_BELOW)
    await node.clients.connect("bob")  # meanwhile the next answer waits
    end(silent)
    await node.clients.close()
    await node.nothing_left()
    assert not caplog.messages


async def test_client_that_sends_commands_but_never_reads_is_cut(node: SocketioNode) -> None:
    silent = await (await SilentClient.open(node)).connect()
    with contextlib.suppress(ConnectionError):
        for _ in range(200):
            await silent.write(frame('427["nonsense",{}]') * 1_000)
    await node.until(lambda: len(node.server.websockets) == 0)
    silent.close()


async def test_client_that_sends_websocket_pings_but_never_reads_is_cut(node: SocketioNode) -> None:
    silent = await (await SilentClient.open(node)).connect()
    with contextlib.suppress(ConnectionError):
        for _ in range(200):
            await silent.write((b"\x89\xfd" + bytes(4) + b"x" * 125) * 1_000)
    await node.until(lambda: len(node.server.websockets) == 0)
    silent.close()


async def test_client_that_pipelines_above_limit_is_slowed_and_gets_all_answers(node: SocketioNode) -> None:
    client = await node.clients.connect()
    with node.hanging():
        sending = asyncio.create_task(
            client.send(*(f'42{n}["message.send",{{"to":"bob","key":"k{n}","body":"{n}"}}]' for n in range(20_000)))
        )
        (session,) = node.server.websockets._sessions
        await node.until(lambda: session._queue.is_receiver_waiting)
        assert len(session._queue._messages) <= 256
    await sending
    await client.answered(19_999)
    assert [item for item in client.order if isinstance(item, int)] == list(range(20_000))


async def test_heartbeat_does_not_cut_client_with_slow_commands() -> None:
    timing = Timing(ping_interval=0.1, ping_timeout=0.3, close_timeout=0.3)
    async with socketio_node(timing=timing) as node:
        client = await node.clients.connect()
        with node.hanging():  # a command that takes longer than interval and timeout together
            await client.emit("rooms", {}, number=7)
            await asyncio.sleep(0.8)
        assert (await client.answered(7))["ok"]
        assert client.texts.count("2") >= 3


async def test_client_with_paused_reading_is_not_asked_for_pongs() -> None:
    timing = Timing(ping_interval=0.1, ping_timeout=0.3, close_timeout=0.3)
    async with socketio_node(timing=timing) as node:
        client = await node.clients.connect()
        (session,) = node.server.websockets._sessions
        with node.hanging():
            await client.send(*(f'42{n}["rooms",{{}}]' for n in range(300)))
            await node.until(lambda: session._queue.is_receiver_waiting)
            for _ in range(100):  # a command every 10 ms: reading pauses for a second
                node.store.gate.set()
                await asyncio.sleep(0)
                node.store.gate.clear()
                await asyncio.sleep(0.01)
            assert session._queue.is_receiver_waiting
        assert (await client.answered(299))["ok"]


async def test_client_with_paused_reading_and_stuck_commands_is_cut() -> None:
    timing = Timing(ping_interval=0.1, ping_timeout=0.3, close_timeout=0.3)
    async with socketio_node(timing=timing) as node:
        client = await node.clients.connect()
        (session,) = node.server.websockets._sessions
        with node.hanging():
            await client.send(*(['42["rooms",{}]'] * 400))
            await node.until(lambda: session._queue.is_receiver_waiting)
            assert await client.closed() == 1013
        assert client.bodies_of("bye") == [{"code": "slow", "resumable": True}]


async def test_end_of_client_is_noticed_while_its_command_hangs(node: SocketioNode) -> None:
    for end in (SilentClient.close, SilentClient.vanish):
        silent = await (await SilentClient.open(node)).connect()
        with node.hanging():
            await silent.send('427["rooms",{}]')
            end(silent)
            await node.until(lambda: len(node.server.websockets) == 0)


# Frames without a command.

IDLE = {
    "NOOP": client_frame(TEXT, b"6"),
    "PONG": client_frame(TEXT, b"3"),
    "a websocket ping": client_frame(PING, b"x" * 125),
    "a websocket pong": client_frame(PONG),
    "an empty fragment": client_frame(CONTINUATION, final=False),
    "a short fragment": client_frame(CONTINUATION, b"x" * 100, final=False),
    "a CONNECT elsewhere": client_frame(TEXT, b"40/x,"),
    "a DISCONNECT elsewhere": client_frame(TEXT, b"41/x,"),
}


@pytest.mark.parametrize("connects", [True, False], ids=["connected", "before CONNECT"])
@pytest.mark.parametrize("idle", IDLE.values(), ids=IDLE.keys())
async def test_client_that_floods_with_idle_frames_is_ended_with_bye_protocol(
    node: SocketioNode, idle: bytes, connects: bool
) -> None:
    flooder = await SilentClient.open(node, receive_buffer=400_000)
    if connects:
        await flooder.connect()
    begun = client_frame(TEXT, b"42", final=False) if idle[0] == CONTINUATION else b""
    await flooder.write(begun + idle * (IDLE_FRAMES_AT_ONCE + 100))
    received = await flooder.read_until(b"\x88\x02\x03\xea")
    assert b'42["bye",{"code":"protocol","resumable":false}]' in received
    flooder.close()
    await node.nothing_left()


async def test_flooding_client_that_answers_close_is_removed_at_once(node: SocketioNode) -> None:
    node.server.websockets.timing = Timing(close_timeout=600)
    flooder = await SilentClient.open(node)
    await flooder.write(IDLE["NOOP"] * (IDLE_FRAMES_AT_ONCE + 100))
    await flooder.read_until(b"\x88\x02\x03\xea")
    await flooder.write(client_frame(CLOSE))
    try:
        await node.nothing_left()
    finally:
        flooder.close()


async def test_idle_frames_below_rate_are_ignored(node: SocketioNode) -> None:
    client = await (await SilentClient.open(node)).connect()
    await client.write(client_frame(TEXT, b"6") * (IDLE_FRAMES_AT_ONCE - 10))
    await client.send('427["rooms",{}]')
    await client.read_until(b'437[{"ok":true')
    client.close()


async def test_fragments_of_one_kibibyte_are_no_idle_frames(node: SocketioNode) -> None:
    client = await (await SilentClient.open(node)).connect()
    start = b'427["nonsense",{"a":"'
    for _ in range(IDLE_FRAMES_AT_ONCE // 60 + 2):
        await client.write(client_frame(TEXT, start.ljust(1024, b"x"), final=False))
        await client.write(client_frame(CONTINUATION, b"x" * 1024, final=False) * 60)
        await client.write(client_frame(CONTINUATION, b'"}]'))
    await client.read_until(b"437[", IDLE_FRAMES_AT_ONCE // 60 + 2)
    client.close()


async def test_fragments_below_one_kibibyte_are_idle_frames(node: SocketioNode) -> None:
    flooder = await (await SilentClient.open(node, receive_buffer=400_000)).connect()
    await flooder.write(client_frame(TEXT, b"42", final=False))
    await flooder.write(client_frame(CONTINUATION, b"x" * 1023, final=False) * (IDLE_FRAMES_AT_ONCE + 100))
    await flooder.read_until(b"\x88\x02\x03\xea")
    flooder.close()


async def test_commands_of_other_clients_are_answered_during_flood(node: SocketioNode) -> None:
    flooder = await (await SilentClient.open(node)).connect()
    (session,) = node.server.websockets._sessions
    bystander = await node.clients.connect("bob")
    await flooder.write(client_frame(TEXT, b"6") * (IDLE_FRAMES_AT_ONCE - 10))
    assert (await bystander.call("rooms", {}))["ok"]
    assert session._idle_frames._tokens > 100  # most of the flood is still unread
    await node.until(lambda: session._idle_frames._tokens == 10)
    assert (await bystander.call("rooms", {}))["ok"]
    flooder.close()


async def test_large_messages_of_flood_are_read_one_per_turn(node: SocketioNode) -> None:
    flooder = await (await SilentClient.open(node)).connect()
    (session,) = node.server.websockets._sessions
    receiver = Receiver(session, transport_of(session))
    receiver.feed_data(client_frame(TEXT, b"4" + b"x" * 30_000) * 5)
    assert len(session._queue._messages) == 3  # the third frame passes 64 KiB
    assert not transport_of(session).is_reading()
    await flooder.read_until(b"\x88\x02\x03\xea")  # the frame was no Socket.IO packet
    flooder.close()


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (1, False)], ids=["64 KiB", "a byte more"])
async def test_close_frame_within_64_kib_after_end_is_read(node: SocketioNode, more: int, is_read: bool) -> None:
    silent = await (await SilentClient.open(node)).connect()
    (session,) = node.server.websockets._sessions
    receiver = Receiver(session, transport_of(session))
    session.close(Bye(code="kicked"))
    goodbye = client_frame(CLOSE)
    receiver.feed_data(client_frame(TEXT, bytes(64 * 1024 + more - len(goodbye) - 8)))
    receiver.feed_data(goodbye)
    assert session.is_receiving != is_read
    assert transport_of(session).is_reading() == is_read
    silent.close()


async def test_frames_after_client_close_frame_are_not_read(node: SocketioNode) -> None:
    node.server.websockets.timing = Timing(close_timeout=30)
    silent = await (await SilentClient.open(node)).connect()
    (session,) = node.server.websockets._sessions
    with node.hanging():
        await silent.send('427["rooms",{}]')
        await silent.write(client_frame(CLOSE))
        await node.until(lambda: not session.is_receiving)
        await silent.write(bytes(128 * 1024))
        await node.until(lambda: not transport_of(session).is_reading())
        assert not session._writer.is_ended
    silent.close()


async def test_frames_after_end_of_socket_are_not_read(node: SocketioNode) -> None:
    flooder = await SilentClient.open(node)
    await flooder.write(client_frame(TEXT, b"6") * (IDLE_FRAMES_AT_ONCE + 100))
    try:
        with pytest.raises(ConnectionError):
            await flooder.write(bytes(64 * 1024 * 1024))  # the kernel's buffers hold a tenth of that
    finally:
        flooder.close()
    await node.nothing_left()
