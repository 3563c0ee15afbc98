"""Faults that break the requirements of `docs/stores.md`, in its order. They are planted in the bundled stores."""

from collections.abc import Mapping, Sequence

from .fault import Fault

SQLITE_APPENDS = "tests/integration/test_sqlite_appends.py"
MONGO_FAULTS = "tests/integration/test_mongo_faults.py"
MONGO_COMMANDS = "tests/integration/test_mongo_commands.py"
IN_MONGO = "tests/integration/test_mongo_store.py"
MONGO_PLANS = "tests/integration/test_mongo_store_plans.py"
STATEMENTS = "tests/integration/test_sqlite_statement_counts.py"
BOUNDED = "tests/unit/test_bounded_reads.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "Blocks are bounded in number": (
        Fault(
            "mongo-blocks-counted-before-write",
            "chatcore_mongo.blocks:block",
            "len(found) > limit",
            "False",
            f"{IN_MONGO}::TestMongoBlocks::test_concurrent_blocks_stay_within_the_limit",
        ),
        Fault(
            "sqlite-blocks-unbounded",
            "chatcore_sqlite.blocks:block",
            ">= limit",
            "> limit",
            "tests/integration/test_sqlite_store.py::TestSqliteBlocks::test_block_above_the_limit_is_conflict_and_changes_nothing",
        ),
    ),
    "An earlier time at which a user was seen changes nothing": (
        Fault(
            "mongo-last-seen-goes-back",
            "chatcore_mongo.last_seen:note",
            '"$max"',
            '"$set"',
            f"{IN_MONGO}::TestMongoLastSeen::test_earlier_last_seen_changes_nothing_and_a_later_one_counts",
        ),
    ),
    "An invited user is no fellow member": (
        Fault(
            "mongo-invited-users-are-fellows",
            "chatcore_mongo.memberships:fellow_members",
            "is_member",
            "is_listed",
            f"{IN_MONGO}::TestMongoRooms::test_fellow_members_are_both_members_of_a_room",
        ),
    ),
    "A lease that ended by itself is no socket that has just ended": (
        Fault(
            "mongo-killed-node-has-grace",
            "chatcore_mongo.registry:ENDED",
            '{"$cond": [IS_RUNNING, NOW, {"$ifNull": ["$ended", None]}]}',
            '{"$ifNull": ["$ended", NOW]}',
            "tests/integration/test_mongo_accounts.py::TestMongoRegistry::test_lease_that_ends_by_itself_does_not_count_any_more",
        ),
        Fault(
            "memory-killed-node-has-grace",
            "chatcore_memory.registry:MemoryRegistry._end",
            "lease.ends_at > now",
            "True",
            "tests/unit/test_memory_registry.py::TestMemoryRegistry::test_lease_that_ends_by_itself_does_not_count_any_more",
        ),
    ),
    "A search returns at most the limit, and each user once": (
        Fault(
            "sqlite-finds-too-few",
            "chatcore_sqlite.accounts:SqliteAccounts.find",
            "FORMS * limit",
            "limit",
            "tests/integration/test_sqlite_accounts.py::TestSqliteAccounts::test_find_returns_each_user_once_and_at_most_the_limit",
        ),
    ),
    "Public rooms are found by their present title alone, and by users who are not banned": (
        Fault(
            "mongo-former-title-not-taken-out",
            "chatcore_mongo:_finish",
            'operations.append(UpdateMany(queries.former_titles(room, document["seq"]), UNLIST))',
            "pass",
            f"{MONGO_PLANS}::test_titles_that_a_room_had_are_not_in_the_index",
        ),
        Fault(
            "mongo-title-left-by-a-crash-is-shown",
            "chatcore_mongo.public_rooms:_shown",
            'summary.members_count == 0 or summary.title != row["title"]',
            "False",
            f"{MONGO_PLANS}::test_title_that_a_crash_left_in_the_index_is_left_out_and_removed",
        ),
        Fault(
            "mongo-title-left-by-a-crash-stays",
            "chatcore_mongo.public_rooms:page",
            "if stale:",
            "if not stale:",
            f"{MONGO_PLANS}::test_title_that_a_crash_left_in_the_index_is_left_out_and_removed",
        ),
        Fault(
            "mongo-public-rooms-with-bans",
            "chatcore_mongo.public_rooms:_is_banned",
            'member is not None and member.state == "banned"',
            "False",
            f"{IN_MONGO}::TestMongoRooms::test_room_is_missing_for_banned_users_until_the_ban_ends",
        ),
        Fault(
            "mongo-earlier-databases-without-titles",
            "chatcore_mongo.migrations:list_public_rooms",
            "if updates:",
            "if not updates:",
            "tests/integration/test_kept_databases.py::test_mongodb_database_of_earlier_version_gives_same_answers",
        ),
        Fault(
            "sqlite-public-rooms-without-members",
            "chatcore_sqlite.statements:CHANGE_ROOM",
            "CASE WHEN members_count + :more > 0 THEN :form END",
            ":form",
            "tests/integration/test_sqlite_store.py::TestSqliteRooms::test_room_without_members_is_missing_until_a_user_joins",
        ),
        Fault(
            "sqlite-rebuild-without-titles",
            "chatcore_sqlite.log_writer:_ViewUpdate._change_room",
            'title_form(after.title or "")',
            '"" and title_form(after.title)',
            "tests/integration/test_sqlite_views.py::test_deleted_views_are_rebuilt_from_log",
        ),
        Fault(
            "default-public-rooms-end-at-the-limit",
            "chatcore.ports.log_store:LogStore.public_rooms",
            "limit + 1",
            "limit",
            "tests/unit/test_memory_store.py::TestMemoryRooms::test_paging_returns_each_public_room_once",
        ),
    ),
    "A page of public rooms looks at a bounded number of them": (
        Fault(
            "sqlite-page-looks-at-all-public-rooms",
            "chatcore_sqlite.statements:PUBLIC_ROOMS",
            "LIMIT {PUBLIC_ROOMS_LOOKED_AT}",
            "LIMIT 1000000",
            f"{STATEMENTS}::test_page_of_public_rooms_takes_a_bounded_number_of_steps",
        ),
        Fault(
            "sqlite-page-of-banned-user-is-the-last",
            "chatcore_sqlite.queries:Snapshot.public_rooms",
            "if last else None",
            "if last and rooms else None",
            "tests/integration/test_sqlite_store.py::TestSqliteRooms::test_user_banned_from_many_rooms_gets_short_pages_to_the_end",
        ),
        Fault(
            "mongo-page-looks-at-all-public-rooms",
            "chatcore_mongo.public_rooms:page",
            "start, PUBLIC_ROOMS_LOOKED_AT",
            "start, 1_000_000",
            f"{MONGO_PLANS}::test_page_of_public_rooms_examines_a_bounded_number_of_keys",
        ),
    ),
    "The state of a private room has its blocks": (
        Fault(
            "mongo-state-without-blocks",
            "chatcore_mongo.memberships:room_state",
            "queries.blocks(pairs) if pairs else None",
            "None",
            f"{IN_MONGO}::TestMongoBlocks::test_state_of_a_private_room_has_its_blocks",
        ),
    ),
    "`probe` fails where `append` would": (
        Fault(
            "sqlite-ready-without-space",
            "chatcore_sqlite:probe",
            None,
            'connection.execute("UPDATE store SET epoch = epoch")',
            "tests/integration/test_serve_ready.py::test_server_without_space_for_message_is_not_ready",
        ),
    ),
    "An append writes a prefix of its entries": (
        Fault(
            "mongo-batch-continues-after-taken-key",
            "chatcore_mongo:_insert",
            "ordered = len(set(batches)) < len(batches)",
            "ordered = False",
            "tests/integration/test_mongo_races.py::test_key_taken_by_other_client_ends_batch_at_its_entry",
        ),
    ),
    "An error in one room does not affect the rooms that share its commit": (
        Fault(
            "mongo-refused-entry-ends-group",
            "chatcore_mongo:_insert",
            "each = 1 if ordered and refusals else COMMAND_ENTRIES_MAX",
            "if ordered and refusals:\n    break",
            f"{MONGO_COMMANDS}::test_batches_of_many_rooms_share_ordered_command_and_end_at_refused_entries",
        ),
        Fault(
            "mongo-entry-without-encoding-fails-group",
            "chatcore_mongo:LogWriter.append_all",
            "outcomes[index] = error",
            "return [error] * len(batches)",
            f"{MONGO_FAULTS}::test_failure_of_one_room_in_group_does_not_affect_other_rooms",
        ),
    ),
    "A read is one snapshot": (
        Fault(
            "mongo-newest-page-with-entries-above-head",
            "chatcore_mongo:_newest",
            'if document["seq"] <= head',
            "if head",
            f"{MONGO_COMMANDS}::test_newest_page_is_whole_although_entries_come_while_it_is_read",
        ),
    ),
    "Reads that wait share a command": (
        Fault(
            "mongo-every-read-sent-alone",
            "chatcore_mongo:ReadGroups._next_group",
            "queries + len(self._waiting[0].queries) <= QUERIES_TOGETHER",
            "not group",
            f"{MONGO_COMMANDS}::test_reads_that_wait_share_commands",
        ),
        Fault(
            "mongo-refused-query-fails-its-neighbours",
            "chatcore_mongo:ReadGroups._read_group",
            "len(group) > 1 and",
            "len(group) > 1_000 and",
            f"{MONGO_COMMANDS}::test_refused_query_does_not_reach_calls_in_the_same_command",
        ),
    ),
    "A connect and a sync take a fixed number of commands": (
        Fault(
            "mongo-rooms-of-short-lists-read-twice",
            "chatcore_mongo:overview",
            "len(rooms) <= limit",
            "not rooms",
            f"{MONGO_COMMANDS}::test_connect_and_sync_take_fixed_number_of_commands",
        ),
        Fault(
            "mongo-views-of-a-connect-read-again",
            "chatcore_mongo:KnownViews.take",
            "len(taken) == len(rooms)",
            "not rooms",
            f"{MONGO_COMMANDS}::test_sync_after_connect_takes_one_command_if_nothing_changed",
        ),
        Fault(
            "mongo-sockets-that-open-at-once-written-one-by-one",
            "chatcore_mongo:_SharedWrites._run",
            "min(len(self._waiting), OPERATIONS_MAX)",
            "1",
            f"{MONGO_COMMANDS}::test_sockets_that_open_at_once_share_commands_and_a_refused_one_fails_alone",
        ),
    ),
    "A view that is kept is shown only while it is right": (
        Fault(
            "mongo-kept-view-shown-with-old-markers",
            "chatcore_mongo:KnownView.is_present",
            "markers.get(identity) == self.markers.get(identity)",
            "identity",
            f"{MONGO_COMMANDS}::test_sync_after_connect_sees_what_has_changed",
        ),
        Fault(
            "mongo-kept-view-shown-with-old-head",
            "chatcore_mongo:KnownView.is_present",
            "head == self.view.head",
            "head",
            f"{MONGO_COMMANDS}::test_sync_after_connect_sees_what_has_changed",
        ),
        Fault(
            "mongo-membership-of-before-the-head-shown",
            "chatcore_mongo:_overview_of_few",
            "memberships_at(changes, seqs) != {",
            "changes and False or {} == {",
            f"{MONGO_COMMANDS}::test_membership_that_changes_while_rooms_are_read_is_shown_as_of_the_head",
        ),
    ),
    "SQLite reads what a connecting user shows once": (
        Fault(
            "sqlite-memberships-read-beside-all-rooms",
            "chatcore_sqlite:Snapshot.overview",
            " if page.next else ()",
            "",
            "tests/integration/test_connect_calls.py",
        ),
    ),
    "A deletion takes effect at once, and an interrupted erasure is finished": (
        Fault(
            "mongo-text-shown-until-erased",
            "chatcore_mongo:_without_erased_text",
            None,
            "return entry",
            f"{MONGO_FAULTS}::test_text_with_failed_erasure_is_hidden_and_erased_by_next_poll",
        ),
    ),
    "An append returns when its entries are durable, and no read shows other entries": (
        Fault(
            "mongo-reads-entries-without-majority",
            "chatcore_mongo:READ_CONCERN",
            '"majority"',
            '"local"',
            f"{MONGO_FAULTS}::test_entry_without_majority_is_invisible_and_not_acknowledged",
        ),
    ),
    "Entries that change membership name the users that they affect": (
        Fault(
            "mongo-left-user-not-named",
            "chatcore_mongo:DocumentBuilder._membership_document",
            "{user: after.members.get(user) for user in users}",
            "dict(after.members)",
            f"{IN_MONGO}::TestMongoLog",
        ),
    ),
    "Views are written in the transaction of their entries": (
        Fault(
            "sqlite-log-and-views-in-two-commits",
            "chatcore_sqlite:Append.__call__",
            "appended = self._write(connection, room)",
            "appended = self._write(connection, room)\n"
            'for statement in ("RELEASE job", "COMMIT", "BEGIN IMMEDIATE", "SAVEPOINT job"):\n'
            "    connection.execute(statement)",
            "tests/integration/test_sqlite_cut.py",
        ),
    ),
    "Messages of many rooms that one statement writes are written as each append alone writes them": (
        Fault(
            "sqlite-refused-batch-takes-others-with-it",
            "chatcore_sqlite:Appends._write",
            "return False",
            "raise",
            f"{SQLITE_APPENDS}::test_refused_batch_costs_the_others_few_statements",
        ),
        Fault(
            "sqlite-message-of-single-append-written-in-a-transaction",
            "chatcore_sqlite:GroupCommitter._alone",
            "len(jobs) > 1",
            "jobs",
            f"{SQLITE_APPENDS}::test_messages_of_many_rooms_are_written_by_one_statement",
        ),
        Fault(
            "sqlite-single-append-to-replaced-files-acknowledged",
            "chatcore_sqlite:GroupCommitter._alone",
            "return jobs[0].result is not None and self._confirm(jobs)",
            "return jobs[0].result is not None",
            "tests/integration/test_sqlite_loss.py",
        ),
        Fault(
            "sqlite-single-append-counts-what-is-left-to-a-transaction",
            "chatcore_sqlite:Appends.alone",
            "if len(numbers) == len(self._batches) and self._write(connection, numbers)",
            "if self._write(connection, numbers)",
            f"{SQLITE_APPENDS}::test_appends_together_write_what_single_appends_write",
        ),
        Fault(
            "sqlite-refused-batch-acknowledged",
            "chatcore_sqlite:_outcome",
            "outcome = error",
            "outcome = AppendResult(written=len(batch))",
            f"{SQLITE_APPENDS}::test_appends_together_write_what_single_appends_write",
        ),
        Fault(
            "sqlite-message-written-above-hole",
            "chatcore_sqlite:MESSAGE_WRITER",
            "AND head = NEW.seq - 1 ",
            "",
            "tests/integration/test_sqlite_store.py::TestSqliteLog::test_append_above_the_next_seq_writes_nothing",
        ),
        Fault(
            "sqlite-refused-message-left-out-and-acknowledged",
            "chatcore_sqlite:MESSAGE_WRITER",
            "RAISE(ABORT, 'the message does not follow the head of its room')",
            "NULL",
            f"{SQLITE_APPENDS}::test_appends_together_write_what_single_appends_write",
        ),
        Fault(
            "sqlite-message-begins-a-run-of-its-own",
            "chatcore_sqlite:MESSAGE_WRITER",
            "WHERE author = NEW.author",
            "WHERE author != NEW.author",
            f"{SQLITE_APPENDS}::test_appends_together_write_what_single_appends_write",
        ),
        Fault(
            "sqlite-messages-written-while-views-are-rebuilt",
            "chatcore_sqlite:MESSAGE_WRITER",
            " AND (SELECT views FROM store) = {VIEWS_RIGHT}",
            "",
            f"{SQLITE_APPENDS}::test_no_batch_is_appended_while_views_are_rebuilt",
        ),
    ),
    "A slow read delays no other read": (
        Fault(
            "sqlite-reads-wait-for-slow-read",
            "chatcore_sqlite:ReadQueue.put",
            "now - turn.began < SLOW_S",
            "turn.began",
            "tests/integration/test_sqlite_groups.py::test_slow_read_delays_neither_writers_nor_other_readers",
        ),
        Fault(
            "sqlite-result-waits-for-slow-read-after-it",
            "chatcore_sqlite:Completions._check",
            "self._wake()",
            "self._done",
            "tests/integration/test_sqlite_groups.py::test_result_of_read_does_not_wait_for_the_slow_read_after_it",
        ),
    ),
    "Views of many rooms are read by few statements": (
        Fault(
            "sqlite-counts-unread-of-each-room",
            "chatcore_sqlite:Snapshot._views",
            "row[UNREAD] is not None",
            "row[UNREAD] == 0",
            "tests/integration/test_sqlite_statement_counts.py::test_page_of_rooms_is_one_statement",
        ),
        Fault(
            "sqlite-unread-ends-at-own-messages",
            "chatcore_sqlite:_UNREAD",
            "count(*) < {UNREAD_SCAN} OR",
            "count(*) >= 0 OR",
            "tests/integration/test_sqlite_statement_counts.py::test_unread_messages_above_many_own_messages_are_counted",
        ),
    ),
    "A message writes few bytes, whatever the sizes of the log, the room and the chat": (
        Fault(
            "sqlite-another-index-of-entries",
            "chatcore_sqlite:LISTED",
            "WHERE standing != 'banned';",
            "WHERE standing != 'banned';\nCREATE INDEX entries_by_author ON entries (author, digest);",
            "tests/integration/test_sqlite_written_bytes.py::test_message_writes_at_most_7_and_a_half_pages",
        ),
        Fault(
            "mongo-document-grows-with-members",
            "chatcore_mongo:entry_document",
            '"title": summary.title,',
            '"title": summary.title or "x" * summary.members_count,',
            f"{MONGO_COMMANDS}::test_bytes_of_an_insert_do_not_depend_on_entries_rooms_and_members",
        ),
    ),
    "The work of a read is bounded by what it returns": (
        Fault(
            "memory-deleted-messages-counted-one-by-one",
            "chatcore.domain:RoomProjection.unread",
            None,
            "return sum(seq > above and self.entries[seq - 1].author != user for seq in self._unread)",
            f"{BOUNDED}::test_work_of_unread_is_the_same_over_100_and_20000_deleted_and_own_messages",
        ),
        Fault(
            "memory-page-of-members-reads-all",
            "chatcore.domain:RoomProjection.users",
            "users[first : first + limit]]",
            "users][first : first + limit]",
            f"{BOUNDED}::test_work_of_a_page_of_members_is_the_same_with_100_and_5000_members_and_bans",
        ),
        Fault(
            "sqlite-page-of-members-reads-all",
            "chatcore_sqlite:Snapshot.members",
            "limit + 1)",
            "1_000_000)",
            f"{STATEMENTS}::test_page_of_members_takes_as_many_steps_with_100_and_5000_members_and_bans",
        ),
        Fault(
            "sqlite-deleted-messages-counted",
            "chatcore_sqlite:DROP_MESSAGE",
            "AND seq = :seq",
            "AND seq = :seq AND seq < 0",
            f"{STATEMENTS}::test_unread_takes_as_many_steps_over_100_and_5000_deleted_messages",
        ),
        Fault(
            "mongo-page-of-members-reads-all",
            "chatcore_mongo:members_page",
            "min(begin + limit // ROSTER_PART + 2, len(firsts))",
            "len(firsts)",
            f"{MONGO_PLANS}::test_page_of_members_examines_parts_of_the_roster_and_later_changes",
        ),
        Fault(
            "mongo-unread-searched-amid-deleted-messages",
            "chatcore_mongo.migrations:MESSAGES",
            '("deleted", 1), ("seq", 1), ("author", 1)',
            '("seq", 1), ("author", 1), ("deleted", 1)',
            f"{MONGO_PLANS}::test_unread_over_many_deleted_messages_examines_few_keys",
        ),
    ),
    "`changes` returns changes that become visible late": (
        Fault(
            "mongo-late-changes-not-returned",
            "chatcore_mongo:OVERLAP_S",
            "10",
            "0",
            "tests/integration/test_mongo_commands.py::test_late_visible_changes_are_returned_once_by_next_calls",
        ),
    ),
    "Every call returns or raises Unavailable within 2 seconds": (
        Fault(
            "mongo-call-without-time-limit",
            "chatcore_mongo:MongoDatabase.time_limit",
            "asyncio.timeout_at(began + CALL_TIMEOUT_S)",
            "asyncio.timeout_at(None)",
            f"{MONGO_FAULTS}::test_call_of_several_slow_commands_is_unavailable_in_time",
        ),
    ),
}
