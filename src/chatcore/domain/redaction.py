"""Redaction: erasing the text of a deleted message and of its edits."""

from attrs import evolve

from ..ids import Seq
from .entries import Edited, Entry, Message


def redacted(entry: Entry) -> Entry:
    """Return the entry without its text and its digest. A guessed text could be checked against the digest."""
    match entry.event:
        case Message():
            event = evolve(entry.event, body="", data=None, edited_at=None, reactions={}, deleted=True)
            return evolve(entry, event=event, digest=None)
        case Edited():
            return evolve(entry, event=evolve(entry.event, body=None), digest=None)
        case _:
            return entry


def holds_text_of(entry: Entry, target: Seq) -> bool:
    """Return whether the entry is the message at ``target`` or an edit of that message."""
    return entry.seq == target or (isinstance(entry.event, Edited) and entry.event.target == target)
