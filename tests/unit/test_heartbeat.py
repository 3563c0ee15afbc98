"""The heartbeat: when a PING is sent, and when a client without a PONG times out."""

import pytest

from chatcore_websocket.deadlines import Timing
from chatcore_websocket.heartbeat import Heartbeat
from chatcore_websocket.incoming_queue import MESSAGES_MAX, IncomingQueue

from .holding_transport import HoldingTransport, writer_over

pytestmark = pytest.mark.anyio

PING = b"\x89\x00"
BEGIN = 1_000.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Client:
    """A client that sends PONGs when a test says so. PINGs are due after 25 s, and PONGs 20 s later."""

    def __init__(self) -> None:
        self.queue = IncomingQueue()
        self._transport = HoldingTransport()
        self._writer = writer_over(self._transport)
        self.heartbeat = Heartbeat(
            self._writer.write_ping, self.queue, Timing(ping_interval=25, ping_timeout=20), BEGIN
        )

    @property
    def pings(self) -> int:
        self._writer.flush()
        return b"".join(self._transport.pieces).count(PING)

    def is_alive(self, second: float) -> bool:
        return self.heartbeat.check(BEGIN + second)

    def send_pong(self, second: float) -> None:
        self.heartbeat.receive_pong(BEGIN + second)

    def fill_queue(self) -> None:
        while not self.queue.is_full:
            self.queue.put("x")
        self.heartbeat.reading_paused()
        self.queue.space()

    async def process(self, packets: int) -> None:
        for _ in range(packets):
            await self.queue.take()


async def test_ping_is_sent_after_the_interval_and_its_pong_can_take_the_timeout() -> None:
    client = Client()
    assert client.is_alive(24.9)
    assert client.pings == 0
    for second in (25, 30, 44.9):
        assert client.is_alive(second)
        assert client.pings == 1
    assert not client.is_alive(45)


async def test_next_ping_follows_the_pong_after_the_interval() -> None:
    client = Client()
    assert client.is_alive(25)
    client.send_pong(30)
    assert client.is_alive(54.9)
    assert client.pings == 1
    assert client.is_alive(55)
    assert client.pings == 2
    assert not client.is_alive(75)


async def test_pong_without_a_ping_postpones_nothing() -> None:
    client = Client()
    client.send_pong(10)
    assert client.is_alive(25)
    assert client.pings == 1
    client.send_pong(26)
    client.send_pong(40)
    assert client.is_alive(51)
    assert client.pings == 2


async def test_slow_client_with_progress_gets_another_timeout() -> None:
    client = Client()
    client.fill_queue()
    for second in (25, 45, 65):
        assert client.is_alive(second)
        await client.process(1)
    assert client.pings == 1
    assert client.is_alive(84.9)
    assert client.is_alive(85)
    assert not client.is_alive(105)


async def test_client_slowed_down_after_its_ping_gets_another_timeout() -> None:
    client = Client()
    assert client.is_alive(25)
    client.fill_queue()
    await client.process(1)
    assert client.is_alive(45)
    assert not client.is_alive(65)


async def test_slow_client_without_progress_times_out() -> None:
    client = Client()
    for packets in (MESSAGES_MAX, 1):
        client.fill_queue()
        await client.process(packets)
    assert client.is_alive(25)
    assert not client.is_alive(45)


async def test_client_slowed_down_before_a_ping_gets_one_timeout() -> None:
    client = Client()
    client.fill_queue()
    await client.process(MESSAGES_MAX)
    assert client.is_alive(25)
    client.queue.put("x")
    await client.process(1)
    assert not client.is_alive(45)
