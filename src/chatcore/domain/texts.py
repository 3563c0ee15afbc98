"""How much of what people wrote there is in an entry."""

import json

from .entries import Edited, Entry, Message


def text_bytes(entry: Entry) -> int:
    """The bytes of an entry's ``body`` in UTF-8, of its ``data`` as compact JSON, and of emoji and users named by its
    reactions."""
    match entry.event:
        case Message(body=body, data=data, reactions=reactions):
            named = [text for emoji, reaction in reactions.items() for text in (emoji, *reaction.users)]
            return sum(map(_bytes, (body, *named))) + (0 if data is None else _bytes(compact_json(data)))
        case Edited(body=str(body)):
            return _bytes(body)
        case _:
            return 0


def _bytes(text: str) -> int:
    return len(text.encode())


def compact_json(value: object) -> str:
    """JSON without spaces; as JSON text is measured and kept."""
    return _JSON.encode(value)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
