"""What a deletion leaves of a message and of its edits."""

from attrs import evolve

from ..ids import Seq
from .entries import Edited, Entry, Message


def redacted(entry: Entry) -> Entry:
    """The entry without the text that people wrote, and without the digest, which would tell a guess of it right."""
    match entry.event:
        case Message():
            event = evolve(entry.event, body="", data=None, edited_at=None, reactions={}, deleted=True)
            return evolve(entry, event=event, digest=None)
        case Edited():
            return evolve(entry, event=evolve(entry.event, body=None), digest=None)
        case _:
            return entry


def holds_text_of(entry: Entry, target: Seq) -> bool:
    """Whether the entry is the message at ``target``, or an edit of it."""
    return entry.seq == target or (isinstance(entry.event, Edited) and entry.event.target == target)
