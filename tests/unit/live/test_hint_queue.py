"""The hints that are published to other nodes."""

import pytest

from chatcore import Entry
from chatcore.live.hint_queue import SMALL_ENTRY_BYTES, HintQueue
from chatcore.ports.bus import RoomHint
from chatcore.testing.builders import edited, joined, message, opened, opens, reacted
from tests.unit.live.nodes import HeldBus

pytestmark = pytest.mark.anyio

FULL, TOO_LONG = "x" * SMALL_ENTRY_BYTES, "x" * (SMALL_ENTRY_BYTES + 1)

SMALL_ENTRIES = [
    message(seq=2, body=FULL),
    message(seq=2, body="hi", data={"a": 1}, mentions=["bob"]),
    message(seq=2, body="x" * (SMALL_ENTRY_BYTES - 30), mentions=["y" * 30]),
    edited(2, body=FULL),
    reacted(2, "bob"),
    joined("room", 2, "bob"),
]
LARGE_ENTRIES = [
    message(seq=2, body=TOO_LONG),
    message(seq=2, body="\N{SNOWMAN}" * 342),
    message(seq=2, body="hi", data={"a": FULL}),
    message(seq=2, body="x" * (SMALL_ENTRY_BYTES - 24), mentions=["y" * 30]),
    message(seq=2, body="hi", mentions=[f"{number} {'x' * 100}" for number in range(50)]),
    edited(2, body=TOO_LONG),
    opened(opens=opens("alice", "bob")),
]


@pytest.mark.parametrize("entry", SMALL_ENTRIES + LARGE_ENTRIES)
async def test_hint_carries_its_entry_only_if_the_entry_is_small(entry: Entry) -> None:
    hints, bus = HintQueue(), HeldBus()
    hints.put_entries([entry])
    await hints.publish(bus)
    small = entry in SMALL_ENTRIES
    assert bus.hints == [
        RoomHint(room=entry.room, seq=entry.seq, affects=entry.affects, entry=entry if small else None)
    ]
