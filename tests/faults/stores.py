"""Faults that break what `docs/stores.md` asks of a store, in its order. They are planted in our own stores."""

from collections.abc import Mapping, Sequence

from .fault import Fault

MONGO_FAULTS = "tests/integration/test_mongo_faults.py"
IN_MONGO = "tests/integration/test_mongo_store.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "`probe` fails where `append` would": (
        Fault(
            "sqlite-ready-without-space",
            "chatcore_sqlite:probe",
            None,
            'connection.execute("UPDATE store SET epoch = epoch")',
            "tests/integration/test_serve_ready.py::test_server_is_not_ready_where_there_is_no_space_for_a_message",
        ),
    ),
    "What is written of a call is a prefix": (
        Fault(
            "mongo-batch-goes-on-behind-a-taken-key",
            "chatcore_mongo:_insert_in_order",
            "insert_many(documents, session=session)",
            "insert_many(documents, ordered=False, session=session)",
            "tests/integration/test_mongo_races.py::test_a_key_that_another_client_took_ends_a_batch_where_it_stands",
        ),
    ),
    "A read is of one moment": (
        Fault(
            "mongo-page-with-entries-above-its-head",
            "chatcore_mongo:_page_queries",
            "queries.below(room, anchor,",
            "queries.below(room, 2**53,",
            f"{IN_MONGO}::TestMongoLog::test_window_is_consistent_during_writes",
        ),
    ),
    "A deletion is told at once, and an interrupted one is finished": (
        Fault(
            "mongo-text-shown-until-it-is-erased",
            "chatcore_mongo:_without_erased_text",
            None,
            "return entry",
            f"{MONGO_FAULTS}::test_a_text_whose_erasure_failed_is_told_by_nobody_and_erased_by_whoever_sweeps",
        ),
    ),
    "It returns when the write is durable, and no read shows what is not": (
        Fault(
            "mongo-reads-what-no-majority-has",
            "chatcore_mongo:READ_CONCERN",
            '"majority"',
            '"local"',
            f"{MONGO_FAULTS}::test_what_no_majority_has_is_not_there_and_no_duplicate_of_it_is_acknowledged",
        ),
    ),
    "Entries that change membership name the users that they affect": (
        Fault(
            "mongo-user-who-left-not-named",
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
    "`changes` tells what becomes visible late": (
        Fault(
            "mongo-late-changes-not-told",
            "chatcore_mongo:OVERLAP_S",
            "10",
            "0",
            "tests/integration/test_mongo_commands.py::test_what_becomes_visible_behind_a_position_is_told_with_the_next_calls_and_once",
        ),
    ),
    "Everything answers, or raises Unavailable, within 2 seconds": (
        Fault(
            "mongo-call-has-no-limit-of-time",
            "chatcore_mongo:MongoDatabase.time_limit",
            "asyncio.timeout_at(began + CALL_TIMEOUT_S)",
            "asyncio.timeout_at(None)",
            f"{MONGO_FAULTS}::test_a_call_of_several_commands_that_are_all_slow_is_unavailable_in_time",
        ),
    ),
}
