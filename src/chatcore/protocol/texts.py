"""Pushes and answers as the texts of a plain WebSocket (``docs/protocol.md``)."""

import json

from ..ports.pushes import Push
from .pushes import push_object
from .values import Object


def push_text(push: Push) -> str:
    """Return ``{"event", "data"}``."""
    return _text({"event": push.event, "data": push_object(push.body)})


def answer_text(id: str | int, answer: Object) -> str:  # noqa: A002
    """Return ``{"id", "answer"}``: the answer to the command that a client has sent with this id."""
    return _text({"id": id, "answer": answer})


def _text(message: Object) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
