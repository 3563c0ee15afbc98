"""The reader of WebSocket frames, against RFC 6455 and against wsproto."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from chatcore_aiohttp.frame_reader import FrameReader
from chatcore_websocket.incoming import (
    MESSAGE_MAX,
    WHOLE_MAX,
    Close,
    Event,
    Fragment,
    FrameError,
    Ping,
    Pong,
    TruncatedText,
)

from .client_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame


def read_all(reader: FrameReader, *chunks: bytes) -> list[Event]:
    events = []
    for chunk in chunks:
        reader.feed(chunk)
        while (event := reader.read()) is not None:
            events.append(event)
    return events


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def refusal(data: bytes) -> int:
    with pytest.raises(FrameError) as caught:
        read_all(FrameReader(), data)
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, 65_535, 65_536])
def test_text_of_any_length_is_read_whole(size: int) -> None:
    text = "ü" * (size // 2) + "x" * (size % 2)
    (message,) = read_all(FrameReader(), client_frame(TEXT, text.encode()))
    assert (type(message), message) == (str, text)


def test_frames_that_arrive_byte_by_byte_are_read_whole() -> None:
    frames = client_frame(TEXT, "grüße".encode()) + client_frame(PING, b"p") + client_frame(BINARY, b"\xff\0")
    assert read_all(FrameReader(), *bytewise(frames)) == ["grüße", Ping(b"p"), b"\xff\0"]


def test_frame_whose_first_byte_came_with_the_frame_before_it_is_read() -> None:
    for size in range(16):
        before, frame = client_frame(TEXT, b"x" * size), client_frame(TEXT, b"y")
        assert read_all(FrameReader(), before + frame[:1], frame[1:]) == ["x" * size, "y"]


def test_fragments_make_one_message_with_control_frames_between() -> None:
    frames = (
        client_frame(TEXT, "grü".encode()[:3], final=False)
        + client_frame(PONG)
        + client_frame(CONTINUATION, final=False)
        + client_frame(CONTINUATION, "üße".encode()[1:])
    )
    assert read_all(FrameReader(), frames) == [Fragment(3), Pong(b""), Fragment(0), "grüße"]


@pytest.mark.parametrize("size", [200, WHOLE_MAX])
def test_fragmented_text_of_up_to_64_kib_is_read_whole(size: int) -> None:
    text = b"x" * 100 + b"y" * (size - 100)
    frames = client_frame(TEXT, text[:100], final=False) + client_frame(CONTINUATION, text[100:])
    assert read_all(FrameReader(), frames) == [Fragment(100), text.decode()]


@pytest.mark.parametrize(
    "frame",
    [
        client_frame(TEXT, b"x", mask=None),
        client_frame(PING, mask=None),
        *(client_frame(TEXT, reserved=bit) for bit in (1, 2, 4)),
        *(client_frame(opcode) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        client_frame(PING, final=False),
        client_frame(PING, b"x" * 126),
        client_frame(CONTINUATION, b"x"),
        client_frame(TEXT, final=False) + client_frame(TEXT),
        client_frame(TEXT, final=False) + client_frame(CONTINUATION) + client_frame(CONTINUATION),
        client_frame(TEXT, b"x" * 125, length_size=2),
        client_frame(TEXT, b"x" * 126, length_size=8),
        client_frame(TEXT, length_size=8, length=1 << 63),
        client_frame(CLOSE, b"\x03"),
        *(client_frame(CLOSE, code.to_bytes(2, "big")) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)),
    ],
    ids=repr,
)
def test_frame_that_violates_the_rfc_is_refused_with_1002(frame: bytes) -> None:
    assert refusal(frame) == 1002


@pytest.mark.parametrize(
    "frames",
    [
        client_frame(TEXT, b"\xff"),
        client_frame(TEXT, b"\xed\xa0\x80"),
        client_frame(TEXT, "ü".encode()[:1], final=False) + client_frame(CONTINUATION),
        client_frame(CLOSE, b"\x03\xe8\xff"),
    ],
    ids=repr,
)
def test_text_that_is_not_utf_8_is_refused_with_1007(frames: bytes) -> None:
    assert refusal(frames) == 1007


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
def test_close_frame_has_its_code(code: int) -> None:
    assert read_all(FrameReader(), client_frame(CLOSE, code.to_bytes(2, "big") + "tschüß".encode())) == [Close(code)]


def test_control_frames_are_distinguished() -> None:
    events = read_all(FrameReader(), client_frame(PING) + client_frame(PONG) + client_frame(CLOSE))
    assert [type(event) for event in events] == [Ping, Pong, Close]  # events of different types may be equal


def test_close_frame_without_payload_has_no_code() -> None:
    assert read_all(FrameReader(), client_frame(CLOSE)) == [Close(None)]


# Sizes.


def test_message_above_the_bound_is_refused_when_its_length_is_read() -> None:
    assert refusal(client_frame(TEXT, length=WHOLE_MAX + 1)) == 1009


def test_fragments_above_the_bound_in_total_are_refused() -> None:
    frames = client_frame(TEXT, b"x" * 60_000, final=False) + client_frame(CONTINUATION, length=5_537)
    assert refusal(frames) == 1009


def test_control_frames_do_not_count_for_the_size_of_a_message() -> None:
    frames = client_frame(TEXT, b"x" * WHOLE_MAX, final=False) + client_frame(PING, b"p")
    frames += client_frame(CLOSE, b"\x03\xe8")
    assert read_all(FrameReader(), frames) == [Fragment(WHOLE_MAX), Ping(b"p"), Close(1000)]


@pytest.mark.parametrize("split", [1, 50, 65_530, 65_536])
def test_long_text_is_truncated_when_it_has_ended(split: int) -> None:
    reader = FrameReader()
    reader.message_max = MESSAGE_MAX
    payload = b"4217[" + b"x" * 200_000
    frames = client_frame(TEXT, payload[:split], final=False) + client_frame(CONTINUATION, payload[split:])
    chunks = [frames[at : at + 999] for at in range(0, len(frames), 999)]
    events = read_all(reader, *chunks, client_frame(TEXT, b"next"))
    assert events == [Fragment(split), payload[:64].decode(), "next"]
    assert type(events[1]) is TruncatedText


def test_text_beyond_one_mebibyte_is_refused() -> None:
    reader = FrameReader()
    reader.message_max = MESSAGE_MAX
    with pytest.raises(FrameError) as caught:
        read_all(reader, client_frame(TEXT, length=MESSAGE_MAX + 1))
    assert caught.value.code == 1009


def held(reader: FrameReader) -> int:
    return reader._received.__alloc__() + reader._message.__alloc__()


def test_unfinished_message_takes_at_most_128_kib() -> None:
    reader = FrameReader()
    reader.message_max = MESSAGE_MAX
    frames = client_frame(TEXT, b"x", final=False)
    frames += client_frame(CONTINUATION, b"", final=False) * 1_000 + client_frame(CONTINUATION, b"y", final=False) * 900
    frames += client_frame(CONTINUATION, b"z" * 64_000, final=False)
    frames += client_frame(CONTINUATION, b"z" * 900_000, final=False)
    maximum = 0
    for at in range(0, len(frames), 777):
        read_all(reader, frames[at : at + 777])
        maximum = max(maximum, held(reader))
    assert 64_000 < maximum <= 128 * 1024
    assert held(reader) < 1024  # the reader keeps only the start of a long message


def test_reader_without_pending_bytes_keeps_no_memory() -> None:
    reader = FrameReader()
    read_all(reader, client_frame(TEXT, b"x" * 100) * 2_000)
    assert held(reader) < 1024
    assert reader.pending == 0


# Against wsproto.

PAYLOADS = st.one_of(
    st.binary(max_size=8),
    st.text(max_size=4).map(str.encode),
    st.sampled_from([b"x" * size for size in (124, 125, 126, 127, 1_000)]),
)
CODES = st.sampled_from([0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1015, 2999, 3000, 4999, 5000])
VALID = st.builds(
    client_frame,
    st.sampled_from([TEXT, TEXT, BINARY, CONTINUATION, CONTINUATION, PING, PONG]),
    st.one_of(st.text(max_size=4).map(str.encode), st.binary(max_size=8)),
    final=st.booleans(),
    mask=st.binary(min_size=4, max_size=4),
)
CLOSES = st.builds(lambda code, reason: client_frame(CLOSE, code.to_bytes(2, "big") + reason), CODES, PAYLOADS)
BROKEN = st.builds(
    client_frame,
    st.integers(0, 15),
    PAYLOADS,
    final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 1, 2, 4]),
    mask=st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
)
LONG = st.builds(
    lambda opcode, payload, size: client_frame(opcode, payload, length_size=size),
    st.sampled_from([TEXT, CONTINUATION]),
    PAYLOADS,
    st.sampled_from([2, 8]),
)
FRAMES = st.lists(st.one_of(VALID, VALID, VALID, CLOSES, BROKEN, LONG), min_size=1, max_size=12).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=6)


def messages_of_wsproto(chunks: list[bytes]) -> tuple[list[str | bytes], bool]:
    """Return the whole messages that wsproto reads, and whether it refuses what follows."""
    protocol = FrameProtocol(client=False, extensions=[])
    messages: list[str | bytes] = []
    parts: list[str | bytes] = []
    try:
        for chunk in chunks:
            protocol.receive_bytes(chunk)
            for frame in protocol.received_frames():
                if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                    assert isinstance(frame.payload, (str, bytes, bytearray))
                    parts.append(frame.payload if isinstance(frame.payload, str) else bytes(frame.payload))
                    if frame.message_finished:
                        messages.append("".join(parts) if frame.opcode is Opcode.TEXT else b"".join(parts))  # type: ignore[arg-type]
                        parts = []
                elif frame.opcode is Opcode.CLOSE:
                    return messages, False
    except ParseFailed:
        return messages, True
    return messages, False


def messages_of_reader(chunks: list[bytes]) -> tuple[list[str | bytes], bool, bool]:
    """Return the same of the reader, and whether a message is unfinished."""
    reader = FrameReader()
    messages: list[str | bytes] = []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            while (event := reader.read()) is not None:
                if isinstance(event, (str, bytes)):
                    messages.append(event)
                elif isinstance(event, Close):
                    return messages, False, bool(reader._message_opcode)
    except FrameError:
        return messages, True, False
    return messages, False, bool(reader._message_opcode)


@given(FRAMES, CUTS)
@example(client_frame(TEXT, b"\xff", final=False) + client_frame(CONTINUATION), [3])
@example(client_frame(TEXT, b"x" * 65_536, mask=b"abcd"), [1, 2, 3, 300])
def test_reader_accepts_and_refuses_the_same_messages_as_wsproto(frames: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(frames)) for cut in cuts), len(frames)]
    chunks = [frames[begin:end] for begin, end in pairwise(edges)]
    expected, expected_refused = messages_of_wsproto(chunks)
    actual, refused, unfinished = messages_of_reader(chunks)
    assert actual == expected
    # wsproto checks the bytes of a text as they arrive, the reader checks whole messages.
    assert refused == expected_refused or (expected_refused and unfinished)
