"""The writer of a websocket: batches, the bound on unsent bytes, and the end."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from chatcore_aiohttp.transport_writer import FLUSHED_PER_TURN, Flusher, TransportWriter

from .holding_transport import HoldingTransport, writer_over

pytestmark = pytest.mark.anyio

KIB = 1024
CLOSE_1000 = b"\x88\x02\x03\xe8"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Broken(HoldingTransport):
    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise ZeroDivisionError


@pytest.fixture
async def transport() -> HoldingTransport:
    return HoldingTransport()


async def test_frames_of_one_turn_are_written_together_at_its_end(transport: HoldingTransport) -> None:
    writer = writer_over(transport)
    for turn in (b"ab", b"cd"):
        for byte in turn:
            writer.write(bytes([byte]))
        assert turn not in transport.pieces
        await asyncio.sleep(0)
    assert transport.pieces == [b"ab", b"cd"]


async def test_batch_above_64_kib_is_written_before_the_end_of_the_turn(transport: HoldingTransport) -> None:
    writer = writer_over(transport)
    for _ in range(2):
        transport.pieces.clear()
        writer.write(b"x")
        writer.write(bytes(64 * KIB - 1))
        assert transport.pieces == []
        writer.write(b"y")
        assert [len(piece) for piece in transport.pieces] == [64 * KIB + 1]


async def test_failing_writer_is_aborted_and_other_writers_continue(
    transport: HoldingTransport, caplog: pytest.LogCaptureFixture
) -> None:
    flusher, broken = Flusher(), Broken()
    for used_transport in (broken, transport):
        writer_over(used_transport, flusher).write(b"x")
    await asyncio.sleep(0)
    assert (broken.aborted.is_set(), transport.pieces) == (True, [b"x"])
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_many_writers_are_flushed_over_several_turns_in_their_order() -> None:
    """What another callback writes between two turns leaves with the batch that waits."""
    flusher = Flusher()
    transports = [HoldingTransport() for _ in range(2 * FLUSHED_PER_TURN + 1)]
    writers = [writer_over(transport, flusher) for transport in transports]
    for writer in writers:
        writer.write(b"1")
    flushed: list[int] = []
    for _ in range(3):
        await asyncio.sleep(0)
        flushed.append(sum(bool(transport.pieces) for transport in transports))
        writers[-1].write(b"2")
    assert flushed == [FLUSHED_PER_TURN, 2 * FLUSHED_PER_TURN, len(writers)]
    assert [transport.pieces for transport in transports[:-1]] == [[b"1"]] * (len(writers) - 1)
    assert transports[-1].pieces == [b"122"]
    await asyncio.sleep(0)
    assert transports[-1].pieces == [b"122", b"2"]


async def test_writer_with_more_than_1_mib_unsent_overflows(transport: HoldingTransport) -> None:
    writer, overflows = writer_over(transport), []
    writer.on_overflow = lambda: overflows.append(transport.get_write_buffer_size())
    for size in (1024 * KIB - 64 * KIB - 1, 64 * KIB + 1):
        writer.write(bytes(size))
        assert not overflows
    writer.write(b"x")
    await asyncio.sleep(0)
    assert overflows == [1024 * KIB + 1]


async def test_writer_that_has_ended_does_not_overflow(transport: HoldingTransport) -> None:
    writer = writer_over(transport)
    writer.on_overflow = lambda: pytest.fail("the writer has ended")
    writer.write(bytes(1024 * KIB))
    writer.end(1000)
    assert transport.pieces[-1] == CLOSE_1000


@pytest.mark.parametrize("more", [1, 1000])
async def test_drained_waits_until_less_than_256_kib_is_unsent(transport: HoldingTransport, more: int) -> None:
    writer = writer_over(transport)
    writer.write(bytes(256 * KIB - 1))
    await writer.drained()
    writer.write(bytes(more))
    waiting = asyncio.create_task(writer.drained())
    await asyncio.sleep(0)
    assert transport.get_write_buffer_size() == 256 * KIB - 1 + more
    for _ in range(3):
        await asyncio.sleep(0)
        assert not waiting.done()
    transport.release(256 * KIB)
    for _ in range(5):
        await asyncio.sleep(0)
    assert waiting.done()


async def test_transport_is_full_from_256_kib_until_half_of_that_is_left(transport: HoldingTransport) -> None:
    writer_over(transport)
    transport.write(bytes(256 * KIB - 1))
    assert not transport.protocol.writing_paused
    transport.write(b"x")
    transport.release(128 * KIB - 1)
    assert transport.protocol.writing_paused
    transport.release(1)
    assert not transport.protocol.writing_paused


async def test_drained_returns_when_the_connection_is_lost(transport: HoldingTransport) -> None:
    writer = writer_over(transport)
    writer.write(bytes(256 * KIB))
    waiting = asyncio.create_task(writer.drained())
    await asyncio.sleep(0)
    transport.lose()
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(writer.drained(), 5)


async def test_drained_does_not_wait_after_the_end(transport: HoldingTransport) -> None:
    writer = writer_over(transport)
    writer.write(bytes(256 * KIB))
    writer.end(1000)
    await asyncio.wait_for(writer.drained(), 5)


async def test_writer_ends_once_with_its_close_frame_last(transport: HoldingTransport) -> None:
    writer, ends = writer_over(transport), []
    writer.on_end = lambda: ends.append(writer.is_ended)
    writer.write(b"x")
    writer.end(1000)
    writer.end(1001)
    writer.write(b"y")
    writer.write_pong(b"")
    await asyncio.sleep(0)
    assert transport.pieces == [b"x" + CLOSE_1000]
    assert ends == [True]
    assert not transport.is_closing()  # the client may close until the timeout


async def test_close_writes_the_last_batch_and_calls_no_callback(transport: HoldingTransport) -> None:
    writer = writer_over(transport)
    writer.on_end = writer.on_overflow = lambda: pytest.fail("the writer called back after close")
    transport.write(bytes(1024 * KIB))
    writer.write(b"last")
    writer.close()
    writer.end(1000)
    assert transport.pieces[-1] == b"last"
    assert transport.is_closing()
    assert not transport.aborted.is_set()


@pytest.mark.parametrize("end", [lambda writer: writer.end(1000), TransportWriter.close], ids=["end", "close"])
async def test_connection_of_client_that_does_not_close_is_aborted_after_the_timeout(
    transport: HoldingTransport, end: Callable[[TransportWriter], None]
) -> None:
    end(writer_over(transport, close_timeout=0.01))
    await asyncio.wait_for(transport.aborted.wait(), 5)


@pytest.mark.parametrize(
    "calls",
    [
        (TransportWriter.close, TransportWriter.connection_lost),
        (TransportWriter.connection_lost, TransportWriter.close),
    ],
    ids=["before", "after"],
)
async def test_lost_connection_keeps_no_timer(
    transport: HoldingTransport, calls: Sequence[Callable[[TransportWriter], None]]
) -> None:
    writer = writer_over(transport, close_timeout=0)
    for call in calls:
        call(writer)
    await asyncio.sleep(0.01)
    assert not transport.aborted.is_set()
