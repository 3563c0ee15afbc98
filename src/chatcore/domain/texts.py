"""The size of the texts in an entry."""

import json

from .entries import Edited, Entry, Message


def text_bytes(entry: Entry) -> int:
    """Return the bytes of the texts in an entry.

    They are its ``body`` in UTF-8, its ``data`` as compact JSON, and the emoji and user ids that its reactions name.
    """
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
    """Return JSON without spaces. Sizes are measured in this form, and stores keep it."""
    return _JSON.encode(value)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
