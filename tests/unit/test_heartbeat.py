"""The heartbeat: when a PING is sent, and when a client that does not answer it is given up."""

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
    """A client that answers only when it is told to. Its PINGs are due after 25 s, their PONGs after 20 s."""

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

    def stays(self, second: float) -> bool:
        return self.heartbeat.check(BEGIN + second)

    def answers(self, second: float) -> None:
        self.heartbeat.receive_pong(BEGIN + second)

    def is_held_up(self) -> None:
        while not self.queue.is_full:
            self.queue.put("x")
        self.heartbeat.reading_paused()
        self.queue.space()

    async def gets_on(self, packets: int) -> None:
        for _ in range(packets):
            await self.queue.take()


async def test_ping_goes_out_after_the_interval_and_its_pong_may_take_the_timeout() -> None:
    client = Client()
    assert client.stays(24.9)
    assert client.pings == 0
    for second in (25, 30, 44.9):
        assert client.stays(second)
        assert client.pings == 1
    assert not client.stays(45)


async def test_next_ping_follows_the_pong_after_the_interval() -> None:
    client = Client()
    assert client.stays(25)
    client.answers(30)
    assert client.stays(54.9)
    assert client.pings == 1
    assert client.stays(55)
    assert client.pings == 2
    assert not client.stays(75)


async def test_pong_without_a_ping_puts_nothing_off() -> None:
    client = Client()
    client.answers(10)
    assert client.stays(25)
    assert client.pings == 1
    client.answers(26)
    client.answers(40)
    assert client.stays(51)
    assert client.pings == 2


async def test_held_up_client_whose_commands_get_on_has_another_timeout() -> None:
    client = Client()
    client.is_held_up()
    for second in (25, 45, 65):
        assert client.stays(second)
        await client.gets_on(1)
    assert client.pings == 1
    assert client.stays(84.9)
    assert client.stays(85)
    assert not client.stays(105)


async def test_client_that_is_held_up_after_its_ping_has_another_timeout() -> None:
    client = Client()
    assert client.stays(25)
    client.is_held_up()
    await client.gets_on(1)
    assert client.stays(45)
    assert not client.stays(65)


async def test_held_up_client_whose_commands_do_not_get_on_is_given_up() -> None:
    client = Client()
    for packets in (MESSAGES_MAX, 1):
        client.is_held_up()
        await client.gets_on(packets)
    assert client.stays(25)
    assert not client.stays(45)


async def test_client_that_was_held_up_before_a_ping_has_its_timeout_once() -> None:
    client = Client()
    client.is_held_up()
    await client.gets_on(MESSAGES_MAX)
    assert client.stays(25)
    client.queue.put("x")
    await client.gets_on(1)
    assert not client.stays(45)
