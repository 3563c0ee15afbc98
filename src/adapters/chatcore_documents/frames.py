"""Examples as they go over the wire: frames of Socket.IO and of a plain WebSocket, and HTTP messages."""

import json

from chatcore.protocol import Object
from chatcore.protocol.examples import Example
from chatcore_http.endpoints import PREFIX
from chatcore_http.operations import HttpExample

ID = 1
"""The number of a command in a frame, by which its answer refers to it."""


def answer_of(example: Example) -> Object:
    """Return the object that answers an example over a socket."""
    return {"ok": True, **(example.answer or {})} if example.error is None else {"ok": False, "error": example.error}


def socketio_frames(example: Example) -> tuple[str, str]:
    """Return the packet EVENT with its acknowledgement's id, and the packet ACK (Socket.IO protocol 5)."""
    sent = f"42{ID}[{_json(example.command)}, {_json(example.fields)}]"
    return sent, f"43{ID}[{_json(answer_of(example))}]"


def plain_frames(example: Example) -> tuple[str, str]:
    """Return the frames of a plain WebSocket."""
    sent = {"id": ID, "event": example.command, "data": example.fields}
    return _json(sent), _json({"id": ID, "answer": answer_of(example)})


def socketio_push(event: str, body: Object) -> str:
    return f"42[{_json(event)}, {_json(body)}]"


def plain_push(event: str, body: Object) -> str:
    return _json({"event": event, "data": body})


def http_messages(example: HttpExample) -> tuple[str, str]:
    """Return the request and the response, with the headers that matter."""
    lines = [f"{example.method} {PREFIX}{example.path}"]
    if example.user is not None:
        lines.append("Authorization: Bearer <access token>")
    if example.body is not None:
        lines += ["Content-Type: application/json", "", _json(example.body)]
    answer = "" if example.answer is None else f"\n\n{_json(example.answer)}"
    return "\n".join(lines), f"{example.status}{answer}"


def _json(value: object) -> str:
    """Return JSON that is good to read: an object or list of few characters on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) <= 48 or not isinstance(value, dict | list) or not value:
        return flat
    if isinstance(value, list):
        items = [_json(item) for item in value]
        opening, closing = "[", "]"
    else:
        items = [f"{json.dumps(name, ensure_ascii=False)}: {_json(item)}" for name, item in value.items()]
        opening, closing = "{", "}"
    return "\n".join([opening, *_indented(",\n".join(items)), closing])


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.split("\n")]
