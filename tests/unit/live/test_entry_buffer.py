"""The buffer of a room's last entries."""

from chatcore.domain.entries import Edited, Message
from chatcore.live.entry_buffer import ENTRIES_MAX, EntryBuffer
from chatcore.testing.builders import conversation, deleted, edited


def test_between_returns_entries_or_none_if_the_buffer_begins_later() -> None:
    buffer = EntryBuffer()
    assert buffer.between(0, 0) is None
    *entries, last = conversation(count=ENTRIES_MAX + 11)
    for entry in entries:
        buffer.append(entry)
    assert buffer.between(9, ENTRIES_MAX + 10) is None
    assert buffer.between(10, ENTRIES_MAX + 10) == entries[10:]
    buffer.append(last)
    assert buffer.between(10, ENTRIES_MAX + 11) is None
    assert buffer.between(11, ENTRIES_MAX + 11) == [*entries[11:], last]
    assert buffer.between(20, 22) == entries[20:22]
    assert buffer.between(ENTRIES_MAX + 10, ENTRIES_MAX + 10) == []


def test_deleted_message_and_its_edits_have_no_text_in_the_buffer() -> None:
    buffer = EntryBuffer()
    for entry in [*conversation(count=2), edited(3, 1), deleted(4, 1)]:
        buffer.append(entry)
    events = [entry.event for entry in buffer.between(0, 4) or ()]
    assert [event.body for event in events if isinstance(event, Message | Edited)] == ["", "message 2", None]
