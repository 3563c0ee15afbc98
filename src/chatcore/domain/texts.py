"""How much of what people wrote there is in an entry."""

import json

from .entries import Entry, Message


def text_bytes(entry: Entry) -> int:
    """The bytes of an entry's ``body`` in UTF-8 and of its ``data`` as compact JSON."""
    match entry.event:
        case Message(body=body, data=data):
            return len(body.encode()) + (0 if data is None else _json_bytes(data))
        case _:
            return 0


def _json_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
