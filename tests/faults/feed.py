"""Faults that break the promises of "The feed" in `docs/embedding.md`."""

from collections.abc import Mapping, Sequence

from .fault import Fault

MONGO = "tests/integration/test_mongo_feed.py"
SQLITE = "tests/integration/test_sqlite_store.py::TestSqliteFeed"
FEED = "tests/unit/test_feed.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "Nothing is missing, whatever becomes visible late": (
        Fault(
            "mongo-feed-overlooks-late-entries",
            "chatcore_mongo:_Page._late_rooms",
            "if not late:",
            "if True:",
            f"{MONGO}::test_entry_that_becomes_visible_late_comes_with_the_next_read_and_once",
        ),
        Fault(
            "mongo-feed-position-above-late-entries",
            "chatcore_mongo:_settled",
            "newest // SECOND - OVERLAP_S + 1",
            "newest // SECOND + 1",
            f"{MONGO}::test_passes_miss_nothing_whatever_becomes_visible_late",
        ),
        Fault(
            "mongo-feed-position-passes-what-it-has-not-checked",
            "chatcore_mongo:_Page.read",
            " and progress.settled == progress.time",
            "",
            f"{MONGO}::test_late_entry_comes_though_the_next_entries_are_much_newer",
        ),
    ),
    "A room comes in order and without a hole": (
        Fault(
            "mongo-feed-gives-entries-before-their-predecessors",
            "chatcore_mongo:_Page._without_holes",
            "if last - after > counts[room]:",
            "if False:",
            f"{MONGO}::test_entry_waits_for_its_late_predecessors",
        ),
        Fault(
            "sqlite-feed-in-another-order",
            "chatcore_sqlite:FEED",
            "ORDER BY position LIMIT",
            "ORDER BY seq DESC LIMIT",
            SQLITE,
        ),
    ),
    "Only the last batch and the last 10 seconds come again": (
        Fault(
            "mongo-feed-begins-again-long-before",
            "chatcore_mongo:_settled",
            "- OVERLAP_S + 1",
            "- 2 * OVERLAP_S",
            f"{MONGO}::test_pass_from_a_position_repeats_at_most_the_last_10_seconds",
        ),
        Fault(
            "sqlite-feed-position-of-the-first-entry",
            "chatcore_sqlite:Snapshot.feed",
            "rows[-1][0]",
            "rows[0][0]",
            SQLITE,
        ),
    ),
    "The memory of a consumer is bounded by the rooms of the last 10 seconds": (
        Fault(
            "mongo-feed-remembers-all-rooms",
            "chatcore_mongo:_Progress.advance",
            " if last.time > settled}",
            "}",
            f"{MONGO}::test_memory_of_a_pass_is_bounded_by_the_rooms_of_the_last_10_seconds",
        ),
    ),
    "A deleted text does not come": (
        Fault(
            "mongo-feed-shows-a-text-until-it-is-erased",
            "chatcore_mongo:_Page.entries",
            'self._erasures.get(document["room"], ())',
            "()",
            f"{MONGO}::test_text_that_is_not_erased_yet_does_not_come",
        ),
    ),
    "A position is checked": (
        Fault(
            "feed-takes-positions-of-other-stores",
            "chatcore.feed:_decoded",
            "raise FeedReset",
            "pass",
            f"{FEED}::test_position_of_another_store_is_reset",
        ),
        Fault(
            "feed-takes-positions-that-were-cut",
            "chatcore.feed:_POSITION",
            "-([0-9a-f]{16})",
            "-([0-9a-f]+)",
            f"{FEED}::test_garbage_is_invalid_and_says_what_to_pass",
        ),
        Fault(
            "sqlite-feed-goes-on-after-a-restored-backup",
            "chatcore_sqlite:Snapshot.feed",
            "if after > newest:",
            "if False:",
            SQLITE,
        ),
        Fault(
            "mongo-feed-trusts-a-primary-that-was-replaced",
            "chatcore_mongo:MongoFeedReader._start",
            "await self._database.probe()",
            "pass",
            f"{MONGO}::test_position_is_reset_only_after_the_primary_has_written",
        ),
    ),
    "It waits for entries, goes on after an outage and ends with the Chat": (
        Fault(
            "feed-overlooks-entries-of-its-node",
            "chatcore.chat:Chat._publish",
            "self._feeds.note_entries()",
            "pass",
            f"{FEED}::test_entry_of_this_node_comes_at_once_and_those_of_a_busy_room_together",
        ),
        Fault(
            "feed-reads-busy-rooms-without-a-pause",
            "chatcore.feed:Feed._until_due",
            "await self._signal.wait_left(self._read_at + READ_PAUSE_S - anyio.current_time())",
            "pass",
            f"{FEED}::test_entry_of_this_node_comes_at_once_and_those_of_a_busy_room_together",
        ),
        Fault(
            "feed-retries-at-the-same-pace",
            "chatcore.feed:Feed._failed",
            "self._failures += 1",
            "self._failures = 1",
            f"{FEED}::test_feed_survives_an_outage_with_growing_pauses_and_one_line_in_the_log",
        ),
        Fault(
            "feed-waits-on-after-the-chat-was-left",
            "chatcore.feed:FeedSignal.leave",
            "self._news.set()",
            "pass",
            f"{FEED}::test_feed_ends_when_the_chat_is_left",
        ),
    ),
}
