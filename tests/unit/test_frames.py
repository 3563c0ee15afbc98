"""The frames of the server, read by wsproto as a client."""

import pytest
from wsproto.frame_protocol import Frame, FrameProtocol, Opcode

from chatcore_aiohttp.frames import close_frame, pong_frame, text_frame


def frame_read(data: bytes) -> Frame:
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(data)
    (frame,) = client.received_frames()
    assert frame.message_finished
    return frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 0xFFFF, 0x10000, 200_000])
def test_text_of_any_length_is_one_frame_with_the_shortest_length(size: int) -> None:
    text = "ü" * (size // 2) + "x" * (size % 2)
    frame = frame_read(text_frame(text))
    assert (frame.opcode, frame.payload) == (Opcode.TEXT, text)


def test_close_frame_carries_its_code() -> None:
    frame = frame_read(close_frame(1013))
    assert (frame.opcode, frame.payload) == (Opcode.CLOSE, (1013, ""))


def test_pong_gives_back_the_payload_of_its_ping() -> None:
    frame = frame_read(pong_frame(b"\0\xff" * 62))
    assert (frame.opcode, frame.payload) == (Opcode.PONG, b"\0\xff" * 62)
