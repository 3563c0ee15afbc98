"""Tests of message projections: edits, reactions and deletions. No read returns a deleted text."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from ..domain.entries import Entry, Message, Reaction
from ..ids import Seq, UserId
from ..ports.room_views import FirstUnread
from ..ports.store import Store
from .builders import deleted, edited, joined, message, reacted
from .logs import HOSTILE_NAMES, everything, write
from .model import as_present, as_written

SECRET = "the secret 🙂"
WIDE = 10_000_000


async def present(log: Store, user: UserId, seq: Seq = 1) -> Message:
    """Return a message in its present state, and check that every such read returns the same."""
    (entry,) = (await log.window(user, "room", seq, 0, 0)).entries
    caught_up = (await log.catch_up(user, {"room": 0}, 200, WIDE))["room"].entries
    assert caught_up
    assert caught_up[seq - 1] == entry
    for messages_only in (False, True):
        window = await log.window(user, "room", "oldest", 0, 200, messages_only=messages_only)
        assert entry in window.entries
    assert isinstance(entry.event, Message)
    return entry.event


async def reads(log: Store, user: UserId, keys: Sequence[tuple[UserId, str]]) -> str:
    """Return all answers of the log to a member as text."""
    windows = [
        await log.window(user, "room", anchor, 200, 200, messages_only=messages_only)
        for anchor in ("newest", "oldest", 1, 3, FirstUnread(user=user, read=0))
        for messages_only in (False, True)
    ]
    log_slice = await log.read_on("room", 0, 200, keys)
    appends = [await log.append([message(seq=log_slice.head + 1, author=author, key=key)]) for author, key in keys]
    assert all(append.taken for append in appends)
    caught_up = await log.catch_up(user, {"room": 0}, 200, WIDE)
    return repr((windows, log_slice, appends, caught_up, await log.state("room"), await log.changes(0, 200)))


@pytest.mark.anyio
class PresentContract:
    async def test_message_has_body_and_version_of_its_last_edit(self, log: Store) -> None:
        data = {"kept": True}
        entries = [message(body="a", data=data, mentions=["bob"]), edited(2, body="b"), message(seq=3)]
        await write(log, entries)
        assert await present(log, "bob") == Message(
            body="b", data=data, mentions=["bob"], version=2, edited_at=entries[1].at
        )
        second_edit = edited(4, body="c", version=3)
        await write(log, [second_edit])
        assert await present(log, "bob") == Message(
            body="c", data=data, mentions=["bob"], version=3, edited_at=second_edit.at
        )
        assert await present(log, "bob", 3) == Message(body="hi")

    async def test_read_on_returns_entries_as_they_were_written(self, log: Store) -> None:
        entries = [message(), edited(2), reacted(3, "bob"), edited(4, version=3)]
        await write(log, entries)
        assert await everything(log, "room") == entries
        keys = [(entry.author, entry.key) for entry in entries]
        assert list((await log.read_on("room", 9, 0, keys)).by_key.values()) == entries

    @pytest.mark.parametrize("emoji", ["👍", "a\0b", "'; --", "e\u0301", "x" * 64])
    async def test_reaction_counts_its_users_in_the_order_of_their_reactions(self, log: Store, emoji: str) -> None:
        await write(log, [message(), *(reacted(seq, user, emoji) for seq, user in enumerate("cba", start=2))])
        await write(log, [joined("room", 5, "b")])
        assert (await present(log, "alice")).reactions == {emoji: Reaction(count=3, users=["c", "b", "a"])}
        assert (await present(log, "b")).reactions == {emoji: Reaction(count=3, users=["c", "b", "a"], mine=True)}

    @pytest.mark.parametrize("user", HOSTILE_NAMES)
    async def test_user_of_any_name_can_react_and_withdraw_the_reaction(self, log: Store, user: UserId) -> None:
        await write(log, [message(), joined("room", 2, user), reacted(3, user)])
        assert (await present(log, user)).reactions == {"👍": Reaction(count=1, users=[user], mine=True)}
        await write(log, [reacted(4, user, on=False)])
        assert (await present(log, user)).reactions == {}

    async def test_emoji_are_in_order_of_first_use_and_end_without_users(self, log: Store) -> None:
        await write(log, [message(), reacted(2, "a", "z"), reacted(3, "b", "y"), reacted(4, "c", "z")])
        await write(log, [reacted(5, "a", "z", on=False)])
        assert list((await present(log, "bob")).reactions) == ["z", "y"]
        await write(log, [reacted(6, "c", "z", on=False)])
        assert list((await present(log, "bob")).reactions) == ["y"]
        await write(log, [reacted(7, "a", "z")])
        assert list((await present(log, "bob")).reactions) == ["y", "z"]

    async def test_reaction_names_20_users_and_counts_all(self, log: Store) -> None:
        users = [f"user {number}" for number in range(30)]
        await write(log, [message(), *(reacted(seq, user) for seq, user in enumerate(users, start=2))])
        await write(log, [joined("room", 32, "user 25"), joined("room", 33, "user 3")])
        reaction = (await present(log, "user 25")).reactions["👍"]
        assert reaction == Reaction(count=30, users=users[:20], mine=True)
        await write(log, [reacted(34, "user 3", on=False)])
        reaction = (await present(log, "user 3")).reactions["👍"]
        assert reaction == Reaction(count=29, users=[*users[:3], *users[4:21]])

    async def test_repeated_reaction_counts_once(self, log: Store) -> None:
        await write(log, [message(), reacted(2, "bob"), reacted(3, "carol"), reacted(4, "bob")])
        assert (await present(log, "bob")).reactions == {"👍": Reaction(count=2, users=["bob", "carol"], mine=True)}
        await write(log, [reacted(5, "dave", on=False), reacted(6, "dave", "x", on=False)])
        assert (await present(log, "bob")).reactions == {"👍": Reaction(count=2, users=["bob", "carol"], mine=True)}

    async def test_each_message_of_a_page_has_its_own_changes(self, log: Store) -> None:
        entries = [message(seq=seq) for seq in range(1, 61)]
        entries += [edited(60 + n, 2 * n, f"edit of {2 * n}") for n in range(1, 31)]
        entries += [reacted(90 + n, "bob", target=3 * n) for n in range(1, 21)]
        await write(log, entries)
        for anchor in (1, 5, 30, 60, 110):
            window = await log.window("bob", "room", anchor, 20, 20)
            expected = as_present(entries, "bob")
            assert list(window.entries) == list(expected[max(anchor - 21, 0) : anchor + 20])

    async def test_last_entry_of_a_view_is_shown_as_it_was_written(self, log: Store) -> None:
        entries = [message(), edited(2), reacted(3, "bob")]
        for entry in entries:
            await write(log, [entry])
            view = (await log.catch_up("bob", {"room": 9}, 200, WIDE))["room"].view
            assert view.last == entry


@pytest.mark.anyio
class RedactionContract:
    @pytest.mark.parametrize("sizes", [(9,), (1, 8), (3, 2, 4), (1,) * 9, (8, 1), (7, 1, 1), (2, 6, 1)])
    async def test_deleted_text_is_in_no_read_for_any_batching(self, log: Store, sizes: Sequence[int]) -> None:
        entries = [
            message(body=SECRET, data={"k": SECRET}, digest=SECRET),
            edited(2, body=f"{SECRET} 2"),
            message(seq=3, body="stays", digest="stays"),
            reacted(4, "bob"),
            edited(5, 3, body="stays too"),
            edited(6, body=f"{SECRET} 3", version=3),
            reacted(7, "bob", target=3),
            message(seq=8, author="bob"),
            deleted(9),
        ]
        start = 0
        for size in sizes:
            await write(log, entries[start : start + size])
            start += size
        assert list(await everything(log, "room")) == list(as_written(entries))
        keys = [(entry.author, entry.key) for entry in entries]
        for user in ("alice", "bob"):
            answers = await reads(log, user, keys)
            assert SECRET not in answers
            assert "stays too" in answers
            assert await present(log, user) == Message(body="", version=3, deleted=True)
            assert list((await log.window(user, "room", "newest", 20, 0)).entries) == list(as_present(entries, user))

    async def test_deleted_message_remains_as_a_stub(self, log: Store) -> None:
        entries = [message(), message(seq=2, reply_to=1, mentions=["bob"], data={"x": 1}), deleted(3, 2)]
        await write(log, entries)
        assert await present(log, "bob", 2) == Message(body="", reply_to=1, mentions=["bob"], deleted=True)
        window = await log.window("bob", "room", "newest", 20, 0, messages_only=True)
        assert [entry.seq for entry in window.entries] == [1, 2]

    async def test_used_key_of_a_redacted_entry_returns_it_without_a_digest(self, log: Store) -> None:
        entries = [message(digest="d"), edited(2), deleted(3)]
        await write(log, entries)
        for entry in entries:
            again = message(seq=4, author=entry.author, key=entry.key)
            taken = (await log.append([again])).taken
            assert taken
            assert taken == as_written(entries)[entry.seq - 1]
            assert taken.digest == ("digest" if entry.seq == 3 else None)

    async def test_deletion_leaves_other_messages_unchanged(self, log: Store) -> None:
        for order in permutations((1, 2, 3)):
            name = f"room {order}"
            entries: list[Entry] = [message(name, seq, body=f"body {seq}") for seq in (1, 2, 3)]
            entries += [_in(name, edited(seq + 3, seq, f"edit of {seq}")) for seq in (1, 2, 3)]
            await write(log, entries)
            for seq, target in enumerate(order, start=7):
                entries.append(_in(name, deleted(seq, target)))
                await write(log, entries[-1:])
                assert list(await everything(log, name)) == list(as_written(entries))
                window = await log.window("bob", name, "newest", 20, 0)
                assert list(window.entries) == list(as_present(entries, "bob"))

    async def test_deletion_leaves_edits_of_other_rooms_unchanged(self, log: Store) -> None:
        await write(log, [message(), edited(2)])
        await write(log, [message("other"), _in("other", edited(2)), _in("other", deleted(3))])
        assert await everything(log, "room") == [message(), edited(2)]
        assert (await present(log, "bob")).body == "edited"

    async def test_first_unread_message_is_never_a_deleted_message(self, log: Store) -> None:
        await write(log, [message(), message(seq=2), message(seq=3), deleted(4, 1), deleted(5, 2)])
        for read, place in ((0, 3), (1, 3), (2, 3), (3, 6)):
            window = await log.window("bob", "room", FirstUnread(user="bob", read=read), 0, 1)
            assert [entry.seq for entry in window.entries] == [seq for seq in (place, place + 1) if seq <= 5]


def _in(room: str, entry: Entry) -> Entry:
    return Entry(
        room=room,
        seq=entry.seq,
        author=entry.author,
        at=entry.at,
        key=entry.key,
        digest=entry.digest,
        event=entry.event,
    )
