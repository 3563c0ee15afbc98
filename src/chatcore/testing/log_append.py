"""Tests of `EntryLog.append`."""

import json
from datetime import UTC, datetime
from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ..domain.entries import Entry, Message
from ..ports.entry_log import AppendResult
from ..ports.store import Store
from .builders import conversation, joined, message, opened, opens
from .logs import ALMOST_EQUAL, HOSTILE_NAMES, everything, say, write
from .tasks import at_once

WRITERS = 16

DATA: dict[str, object] = {
    "z": 1,
    "a": {"nested": [1, 2.5, -0.0, 1e300, 5e-324, True, None, {"deep": []}]},
    "nul": "a\0b",
    "big": 2**53,
    "text": 'quotes " and \\ and \u2028 and 🙂',
    "": "",
    "$key": {"$oid": "no"},
    "a.b": {},
}

STORED = [
    pytest.param(message(), id="plain"),
    pytest.param(message(body="", data=DATA), id="data"),
    pytest.param(message(body="", data={}), id="empty data"),
    pytest.param(message(body="a\0b\r\n\t\x7f\ufeff\ufffd \u0085e\u0301 "), id="control characters"),
    pytest.param(message(body="🙂" * 4096), id="16 KiB"),
    pytest.param(message(mentions=["🙂", "bob"], reply_to=2**53), id="references"),
    pytest.param(message(key="\0" * 64, digest=None), id="no digest"),
    pytest.param(message(at=datetime(2026, 12, 31, 23, 59, 59, 999_000, UTC)), id="milliseconds"),
    pytest.param(message(at=datetime(1970, 1, 1, 0, 0, 0, 1_000, UTC)), id="first millisecond"),
    pytest.param(message(at=datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)), id="last millisecond"),
    pytest.param(message(opens=opens("bob", "alice", kind="private")), id="private"),
    pytest.param(opened(opens=opens("alice", kind="public", title="'Täg' \0 🙂")), id="title"),
    pytest.param(opened(opens=opens("alice", *HOSTILE_NAMES)), id="members"),
]


@pytest.mark.anyio
class AppendContract:
    @pytest.mark.parametrize("entry", STORED)
    async def test_entry_is_stored_unchanged(self, log: Store, entry: Entry) -> None:
        await write(log, [entry])
        (stored,) = await everything(log, "room")
        assert stored == entry
        assert stored.at.utcoffset() == entry.at.utcoffset()

    async def test_data_is_stored_as_json_with_the_order_of_its_keys(self, log: Store) -> None:
        await write(log, [message(body="", data=DATA)])
        (stored,) = await everything(log, "room")
        assert isinstance(stored.event, Message)
        assert json.dumps(stored.event.data) == json.dumps(DATA)

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    async def test_users_and_rooms_of_hostile_names_have_separate_logs(self, log: Store, name: str) -> None:
        entries = conversation(name, 3, users=[name, "bob"])
        await write(log, conversation("room", 2))
        await write(log, entries)
        assert await everything(log, name) == entries
        assert len(await everything(log, "room")) == 2

    async def test_append_all_appends_to_each_room_as_append_does(self, log: Store) -> None:
        for room in ("plain", "seq taken", "key taken", "key twice", "joins"):
            await write(log, conversation(room, 2))
        batches = [
            [message("plain", 3, key="a"), message("plain", 4, "bob", key="a")],
            [message("seq taken", 2, key="new")],
            [message("key taken", 3, key="a"), message("key taken", 4, key="a"), message("key taken", 5, key="b")],
            [message("key twice", 3, "bob", key="\0"), message("key twice", 4, "bob", key="\0")],
            conversation("new", 3),
            [joined("joins", 3, "carol"), message("joins", 4, "carol")],
            [message("ahead", 2)],
        ]
        outcomes = await log.append_all(batches)
        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
        assert [outcome.written for outcome in outcomes if isinstance(outcome, AppendResult)] == [2, 0, 1, 1, 3, 2, 0]
        taken = {
            batch[0].room: o.taken for batch, o in zip(batches, outcomes, strict=True) if isinstance(o, AppendResult)
        }
        assert (taken["key taken"], taken["key twice"]) == (batches[2][0], batches[3][0])
        assert taken["plain"] is taken["new"] is taken["ahead"] is None
        heads = {room: [entry.seq for entry in await everything(log, room)][-1:] for room in taken}
        assert heads == dict(zip(taken, [[4], [2], [3], [3], [3], [4], []], strict=True))
        assert (await log.state("joins")).member("carol")

    async def test_append_all_writes_many_rooms_and_their_views(self, log: Store) -> None:
        rooms = [f"room {number}" for number in range(150)]
        for room in rooms:
            await write(log, conversation(room, 1))
        for seq in (2, 3):
            batches = [
                [
                    message(room, seq + n, "bob", key=f"{seq} {n}", body=f"{room} {seq + n}")
                    for n in range(number % 3 + 1)
                ]
                for number, room in enumerate(rooms)
                if seq == 2 or number % 3 == 0
            ]
            outcomes = await log.append_all(batches)
            assert [outcome for outcome in outcomes if not isinstance(outcome, AppendResult)] == []
        for number, room in enumerate(rooms):
            head = (3, 3, 4)[number % 3]
            bodies = [entry.event.body for entry in await everything(log, room) if isinstance(entry.event, Message)]
            assert bodies[1:] == [f"{room} {seq}" for seq in range(2, head + 1)]
            view = (await log.views(room, ["alice"]))["alice"]
            assert (view.head, view.unread) == (head, head - 1)

    async def test_rooms_authors_and_keys_are_compared_by_code_points(self, log: Store) -> None:
        for room in ALMOST_EQUAL:
            authors = [message(room, seq, author, key="k") for seq, author in enumerate(ALMOST_EQUAL, start=1)]
            await write(log, authors)
            keys = ["a\0b", "a\0c", "a", "A", "a "]
            head = len(authors)
            await write(log, [message(room, head + n, key=key) for n, key in enumerate(keys, start=1)])
            assert len(await everything(log, room)) == head + len(keys)

    async def test_batches_of_every_kind_of_entry_append_at_the_head(self, log: Store) -> None:
        entries = [opened(opens=opens("alice")), message(seq=2), joined("room", 3, "bob"), message(seq=4)]
        await write(log, entries[:1])
        await write(log, entries[1:])
        assert await everything(log, "room") == entries

    async def test_append_at_a_used_seq_writes_nothing(self, log: Store) -> None:
        entries = conversation(count=3)
        await write(log, entries)
        for seq in (1, 2, 3):
            batch = [message(seq=seq, key="new"), message(seq=seq + 1, key="newer")]
            assert await log.append(batch) == AppendResult(written=0)
        assert await everything(log, "room") == entries

    async def test_append_above_the_next_seq_writes_nothing(self, log: Store) -> None:
        assert await log.append([message(seq=2)]) == AppendResult(written=0)
        await write(log, [message(seq=1)])
        assert await log.append([message(seq=3, key="new")]) == AppendResult(written=0)
        assert await everything(log, "room") == [message(seq=1)]

    async def test_append_with_a_used_key_returns_the_entry_with_that_key(self, log: Store) -> None:
        entries = conversation(count=3)
        await write(log, entries)
        again = message(seq=4, author=entries[1].author, key=entries[1].key, body="other")
        assert await log.append([again]) == AppendResult(written=0, taken=entries[1])
        assert await everything(log, "room") == entries

    async def test_append_with_used_seq_and_used_key_reports_either(self, log: Store) -> None:
        entries = conversation(count=3)
        await write(log, entries)
        appended = await log.append([entries[1]])
        assert appended in (AppendResult(written=0), AppendResult(written=0, taken=entries[1]))
        assert await everything(log, "room") == entries

    async def test_key_is_unique_per_author_and_room(self, log: Store) -> None:
        await write(log, [message(key="k"), message(seq=2, author="bob", key="k")])
        await write(log, [message("other", key="k")])
        assert len(await everything(log, "room")) == 2
        assert len(await everything(log, "other")) == 1

    async def test_batch_is_written_up_to_an_entry_with_a_used_key(self, log: Store) -> None:
        first = [message(), joined("room", 2, "carol")]
        await write(log, first)
        batch = [message(seq=seq, key="key-1" if seq == 5 else f"new-{seq}") for seq in range(3, 8)]
        assert await log.append(batch) == AppendResult(written=2, taken=first[0])
        assert await everything(log, "room") == [*first, *batch[:2]]
        await write(log, [message(seq=5, key="new")])

    async def test_batch_with_a_key_twice_is_written_up_to_the_second(self, log: Store) -> None:
        batch = [message(), joined("room", 2, "carol"), message(seq=3, key="key-1")]
        assert await log.append(batch) == AppendResult(written=2, taken=batch[0])
        assert await everything(log, "room") == batch[:2]
        assert (await log.state("room")).head == 2

    async def test_refused_append_leaves_an_unborn_room_unborn(self, log: Store) -> None:
        await log.append([message(seq=2)])
        assert (await log.state("room")).kind is None
        assert await log.memberships("alice") == []
        assert (await log.changes(None, 10)).changes == []

    async def test_entry_is_readable_when_append_returns(self, log: Store) -> None:
        for entry in conversation(count=20):
            await write(log, [entry])
            assert (await log.read_on("room", entry.seq - 1, 10)).entries == [entry]

    async def test_concurrent_first_entries_of_a_room_write_one(self, log: Store) -> None:
        for room in (f"room {number}" for number in range(20)):
            first = [message(room, 1, "alice", key="a"), message(room, 1, "bob", key="b")]
            outcomes = await at_once([partial(log.append, [entry]) for entry in first])
            assert sorted(outcome.written for outcome in outcomes) == [0, 1]
            assert list(await everything(log, room)) in ([first[0]], [first[1]])

    async def test_concurrent_appends_of_one_key_write_one_entry(self, log: Store) -> None:
        await write(log, [message()])
        entry = message(seq=2, key="k")
        outcomes = await at_once([partial(log.append, [entry])] * WRITERS)
        assert sum(outcome.written for outcome in outcomes) == 1
        assert all(outcome.taken in (None, entry) for outcome in outcomes)
        assert len(await everything(log, "room")) == 2

    async def test_concurrent_writers_of_a_room_leave_no_hole_and_no_duplicate(self, log: Store) -> None:
        each = {f"user {number}": [f"{number}/{n}" for n in range(10)] for number in range(WRITERS)}
        await at_once([partial(say, log, "room", user, keys) for user, keys in each.items()])
        entries = await everything(log, "room")
        for user, keys in each.items():
            assert [entry.key for entry in entries if entry.author == user] == keys

    async def test_refused_append_in_one_room_does_not_affect_other_rooms(self, log: Store) -> None:
        rooms = [f"room {number}" for number in range(WRITERS)]
        await at_once([partial(write, log, conversation(room, 2)) for room in rooms])
        batches = {
            room: [message(room, 3 if n % 2 else 2, key="k3"), message(room, 4 if n % 2 else 3, key="k4")]
            for n, room in enumerate(rooms)
        }
        outcomes = await at_once([partial(log.append, batch) for batch in batches.values()])
        assert [outcome.written for outcome in outcomes] == [0, 2] * (WRITERS // 2)
        assert [len(await everything(log, room)) for room in rooms] == [2, 4] * (WRITERS // 2)

    async def test_cancelled_append_is_written_once_or_not_at_all(self, log: Store) -> None:
        await write(log, [message()])
        for ticks in [*range(20), 50, 100, 200, 400]:
            key = f"cancelled after {ticks}"
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(say, log, "room", "alice", [key])
                for _ in range(ticks):
                    await checkpoint()
                tasks.cancel_scope.cancel()
            await say(log, "room", "alice", [key])
            entries = await everything(log, "room")
            assert [entry.key for entry in entries].count(key) == 1
