"""Wire objects to commands and back: entries, answers and pushes as the contract writes them (``docs/protocol.md``).

Everything here deals in plain dicts; bytes are the adapters' affair. Converting is strict: ``"5"``, ``true`` and
``null`` are not the integer 5, and an unknown field is an error.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from .domain.entries import Entry, Event, Joined, Message, Opened, Opens

Object: TypeAlias = dict[str, Any]

EVENTS: Mapping[str, type[Event]] = {"message": Message, "opened": Opened, "joined": Joined}
KINDS: Mapping[type[Event], str] = {event: kind for kind, event in EVENTS.items()}


def _strict(kind: type) -> Any:
    def structure(value: object, _: type) -> object:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}")
        return value

    return structure


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _strict(kind))
    omitted = override(omit_if_default=True)
    converter.register_unstructure_hook(
        Message, make_dict_unstructure_fn(Message, converter, data=omitted, reply_to=omitted, mentions=omitted)
    )
    converter.register_unstructure_hook(Opens, make_dict_unstructure_fn(Opens, converter, title=omitted))
    return converter


_CONVERTER = _converter()


def event_object(event: Event) -> Object:
    """What an entry of the event's kind carries, without ``kind``, as plain JSON values."""
    found: Object = _CONVERTER.unstructure(event)
    return found


def read_event(kind: str, fields: Object) -> Event:
    """The inverse of `event_object`. Raises KeyError for a kind that this version does not know."""
    return _CONVERTER.structure(fields, EVENTS[kind])


def opens_object(opens: Opens) -> Object:
    """``opens`` of the first entry of a log, as plain JSON values."""
    found: Object = _CONVERTER.unstructure(opens)
    return found


def read_opens(fields: Object) -> Opens:
    """The inverse of `opens_object`."""
    return _CONVERTER.structure(fields, Opens)


def entry_object(entry: Entry) -> Object:
    """An entry as the wire has it."""
    found: Object = {
        "room": entry.room,
        "seq": entry.seq,
        "kind": KINDS[type(entry.event)],
        "author": entry.author,
        "at": timestamp(entry.at),
        **event_object(entry.event),
    }
    if isinstance(entry.event, Message | Opened):
        found["key"] = entry.key
    if entry.opens:
        found["opens"] = opens_object(entry.opens)
    return found


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
