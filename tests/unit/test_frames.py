"""The frames that the server makes, as wsproto reads them on the client's side."""

import pytest
from wsproto.frame_protocol import Frame, FrameProtocol, Opcode

from chatcore_socketio.frames import close_frame, pong_frame, text_frame


def frame_read(data: bytes) -> Frame:
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(data)
    (found,) = client.received_frames()
    assert found.message_finished
    return found


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 0xFFFF, 0x10000, 200_000])
def test_text_of_any_length_is_one_frame_with_the_shortest_length(size: int) -> None:
    text = "ü" * (size // 2) + "x" * (size % 2)
    found = frame_read(text_frame(text))
    assert (found.opcode, found.payload) == (Opcode.TEXT, text)


def test_close_frame_carries_its_code() -> None:
    found = frame_read(close_frame(1013))
    assert (found.opcode, found.payload) == (Opcode.CLOSE, (1013, ""))


def test_pong_gives_back_the_payload_of_its_ping() -> None:
    found = frame_read(pong_frame(b"\0\xff" * 62))
    assert (found.opcode, found.payload) == (Opcode.PONG, b"\0\xff" * 62)
