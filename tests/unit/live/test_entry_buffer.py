"""The buffer of a room's last entries."""

from chatcore.domain.entries import Edited, Message
from chatcore.live.entry_buffer import ENTRIES_MAX, EntryBuffer
from chatcore.testing.builders import conversation, deleted, edited


def test_it_gives_what_lies_between_or_says_that_it_begins_too_late() -> None:
    tail = EntryBuffer()
    assert tail.between(0, 0) is None
    *entries, one_more = conversation(count=ENTRIES_MAX + 11)
    for entry in entries:
        tail.append(entry)
    assert tail.between(9, ENTRIES_MAX + 10) is None
    assert tail.between(10, ENTRIES_MAX + 10) == entries[10:]
    tail.append(one_more)
    assert tail.between(10, ENTRIES_MAX + 11) is None
    assert tail.between(11, ENTRIES_MAX + 11) == [*entries[11:], one_more]
    assert tail.between(20, 22) == entries[20:22]
    assert tail.between(ENTRIES_MAX + 10, ENTRIES_MAX + 10) == []


def test_what_it_remembers_of_a_deleted_message_and_its_edits_has_no_text() -> None:
    tail = EntryBuffer()
    for entry in [*conversation(count=2), edited(3, 1), deleted(4, 1)]:
        tail.append(entry)
    events = [entry.event for entry in tail.between(0, 4) or ()]
    assert [event.body for event in events if isinstance(event, Message | Edited)] == ["", "message 2", None]
