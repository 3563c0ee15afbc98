"""Faults that break promises of the README: each row of its table of promises, and of the text around the table."""

from collections.abc import Mapping, Sequence

from .fault import Fault

CHAT = "tests/unit/test_chat.py"
RULES = "tests/unit/live/test_rules.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "Acknowledged means durable": (
        Fault(
            "sqlite-commit-not-synced",
            "chatcore_sqlite:WRITING",
            "synchronous = FULL",
            "synchronous = OFF",
            "tests/integration/test_sqlite_power_loss.py",
        ),
    ),
    "One key, one write": (
        Fault(
            "sqlite-key-not-unique",
            "chatcore_sqlite:ROOMS",
            "CREATE UNIQUE INDEX entries_by_key",
            "CREATE INDEX entries_by_key",
            "tests/integration/test_sqlite_store.py",
        ),
    ),
    "One order": (
        Fault(
            "sqlite-entry-written-above-hole",
            "chatcore_sqlite:Append.__call__",
            "first.seq !=",
            "first.seq <",
            "tests/integration/test_sqlite_store.py::TestSqliteLog::test_append_above_the_next_seq_writes_nothing",
        ),
    ),
    "A socket's commands to a room stay in the order sent": (
        Fault(
            "later-commands-do-not-fail-with-the-first",
            "chatcore.live:CommandQueue.finish",
            "outcome.temporary",
            "False",
            f"{CHAT}::test_internal_failure_fails_later_commands_of_its_socket",
        ),
        Fault(
            "later-commands-do-not-fail-with-internal-error",
            "chatcore.live:CommandQueue.finish",
            "outcome.temporary",
            "isinstance(outcome, Unavailable)",
            f"{CHAT}::test_internal_failure_fails_later_commands_of_its_socket",
        ),
    ),
    "Resume misses nothing or says so": (
        Fault(
            "sync-reports-gap-as-events",
            "chatcore.commands:_sync_of",
            'status="gap"',
            'status="events"',
            f"{RULES}::test_sync_without_a_socket_returns_events_gap_reset_and_gone",
        ),
    ),
    "A bus fault only delays": (
        Fault(
            "poller-asks-every-9-seconds",
            "chatcore.live:POLL_S",
            "2",
            "9",
            f"{RULES}::test_room_without_hints_is_found_by_the_poller",
        ),
    ),
    "One pair, one room": (
        Fault(
            "private-room-id-depends-on-first-author",
            "chatcore:private_room_id",
            "sorted((user, peer))",
            "user, peer",
            "tests/unit/test_ids.py::test_private_room_id_does_not_depend_on_the_order_of_its_users",
        ),
    ),
    "Membership on every action": (
        Fault(
            "membership-not-checked",
            "chatcore.domain:refusal",
            " and user_rank in rights[action][kind]",
            "",
            f"{CHAT}::test_public_room_is_shown_to_others_group_and_private_room_are_not",
        ),
    ),
    "Bounded memory per client": (
        Fault(
            "socketio-slow-consumer-not-cut",
            "chatcore_aiohttp:TransportWriter.flush",
            "> UNSENT_MAX",
            "> 64 * UNSENT_MAX",
            "tests/integration/socketio/test_bounds.py::test_client_that_never_reads_is_cut_within_bounds_others_continue",
        ),
        Fault(
            "asgi-slow-consumer-not-cut",
            "chatcore_asgi:QueueWriter.write",
            "> UNSENT_MAX",
            "> 64 * UNSENT_MAX",
            "tests/integration/test_slow_consumers.py::test_client_that_never_reads_is_cut_and_costs_at_most_4_mib",
        ),
        Fault(
            "outbox-slow-consumer-not-cut",
            "chatcore:Outbox._put",
            "> UNSENT_MAX",
            "> 64 * UNSENT_MAX",
            "tests/unit/test_outbox.py::test_client_that_never_reads_is_cut_with_bye_slow_above_1_mib",
        ),
        Fault(
            "large-answers-do-not-wait-in-outbox",
            "chatcore:OutgoingQueue.drained",
            "self.unsent >= DRAINED_BELOW",
            "self.unsent < 0",
            "tests/unit/test_outbox.py::test_large_answers_wait_for_the_reader_and_do_not_cut_it",
        ),
    ),
    "No guessing, no flood": (
        Fault(
            "unknown-addresses-lock-user-out",
            "chatcore.accounts:SignInLimits.sign_in",
            "is_guessed = not known and",
            "is_guessed =",
            "tests/unit/test_accounts_limits.py::test_known_address_does_not_wait_while_its_name_is_guessed",
        ),
        Fault(
            "socketio-refused-websocket-stays-counted",
            "chatcore_websocket:Websockets.serve",
            "self._counter.release(address)",
            'if "writer" in locals() and writer:\n    self._counter.release(address)',
            "tests/integration/socketio/test_connect.py"
            "::test_websockets_that_do_not_open_are_not_counted_for_their_address",
        ),
    ),
    "No input crashes, leaks or goes silent": (
        Fault(
            "socketio-decoders-error-escapes",
            "chatcore_socketio:PacketHandler._decode",
            "except ValueError:",
            "except KeyError:",
            "tests/integration/socketio/test_hostile.py",
        ),
    ),
    "No ghosts": (
        Fault(
            "cancelled-socket-stays-in-registry",
            "chatcore.live:Leases.remove",
            ", shield=True",
            "",
            "tests/unit/live/test_leases.py::test_cancelled_socket_is_removed_from_the_registry",
        ),
    ),
    "Clean stop": (
        Fault(
            "sighup-does-not-drain",
            "chatcore_server:_stop_by_signal",
            "numbers.append(signal.SIGHUP)",
            "pass",
            "tests/integration/test_serve_stop.py::test_server_with_open_sockets_ends_with_0_within_10_seconds",
        ),
        Fault(
            "cancelled-chat-does-not-drain",
            "chatcore:Chat.__aexit__",
            "shield=True",
            "shield=False",
            "tests/unit/live/test_chat_exit.py::test_chat_exit_by_cancellation_carries_out_queued_commands",
        ),
        Fault(
            "socketio-websocket-opens-in-closing-server",
            "chatcore_websocket:Websockets._run",
            "if self.is_closing:",
            "if False:",
            "tests/integration/socketio/test_end.py::test_websocket_that_opens_while_server_closes_is_ended",
        ),
    ),
    "Clocks do not matter": (
        Fault(
            "sqlite-entries-read-in-order-of-times",
            "chatcore_sqlite:ENTRIES_ABOVE",
            "ORDER BY seq",
            "ORDER BY at",
            "tests/integration/test_sqlite_store.py::test_entries_are_read_by_seq_if_their_times_go_back",
        ),
    ),
    "Storage faults fail closed": (
        Fault(
            "sqlite-commit-to-removed-file-acknowledged",
            "chatcore_sqlite:GroupCommitter._confirm",
            None,
            "return True",
            "tests/integration/test_sqlite_loss.py::test_append_after_loss_is_not_acknowledged",
        ),
        Fault(
            "sqlite-lock-after-erasure-not-waited-for",
            "chatcore_sqlite:truncate",
            "round(BUSY_S * 1000)",
            "0",
            "tests/integration/test_sqlite_faults.py::test_short_lock_after_erasure_is_waited_for",
        ),
    ),
    "The feed misses nothing": (
        Fault(
            "sqlite-feed-skips-entries",
            "chatcore_sqlite:FEED",
            "position > ?",
            "position > ? + 1",
            "tests/integration/test_sqlite_store.py::TestSqliteFeed",
        ),
    ),
    "All adapters behave the same": (
        Fault(
            "sqlite-lists-rooms-of-banned-users",
            "chatcore_sqlite:PAGE",
            " AND standing IN ('member', 'invited')",
            "",
            "tests/integration/test_sqlite_store.py::TestSqliteRooms",
        ),
    ),
    # Around the table.
    "The text of a deleted message is overwritten within a minute": (
        Fault(
            "sqlite-deletion-in-shared-commit-not-noted",
            "chatcore_sqlite:GroupCommitter._carry_out",
            "any(job.erases for job in jobs)",
            "jobs and jobs[0].erases",
            "tests/integration/test_sqlite_erasing.py::test_text_deleted_in_a_group_with_other_writes_is_gone_in_time",
        ),
    ),
    "Users by your own JWTs": (
        Fault(
            "expired-jwt-accepted",
            "chatcore_security:BearerTokens._principal",
            "expires_at.timestamp() <= now",
            "expires_at.timestamp() <= 0",
            "tests/unit/test_security_bearer.py::test_token_without_leeway_expires_at_its_exp",
        ),
        Fault(
            "jwt-secrets-and-public-keys-mixed",
            "chatcore_security:checked_algorithms",
            "if any(name in ASYMMETRIC for name in names):",
            "if False:",
            "tests/unit/test_security_bearer.py"
            "::test_wrong_argument_is_refused_in_one_line_without_showing_a_key[a mixture]",
        ),
        Fault(
            "unknown-key-id-always-fetched",
            "chatcore_security:JwkSet._is_due",
            "now - self._began_at >= ASK_S and (is_unknown or",
            "is_unknown or (now - self._began_at >= ASK_S and",
            "tests/integration/test_bearer_jwks.py::test_unknown_key_ids_cause_one_fetch_a_minute",
        ),
        Fault(
            "failed-fetch-of-keys-is-unauthenticated",
            "chatcore_security:JwkSet.find",
            "raise _unavailable(self._error)",
            "return None",
            "tests/integration/test_bearer_jwks.py::test_failed_fetch_is_unavailable_and_repeated_after_a_second",
        ),
    ),
    "A guest in your application": (
        Fault(
            "mount-takes-every-path",
            "chatcore_aiohttp:mount",
            'path = f"{prefix}/{{below:(?s:.*)}}"',
            'path = "/{below:(?s:.*)}"',
            "tests/integration/test_mount.py::test_answers_outside_of_the_prefix_are_byte_equal_with_and_without_a_mount",
        ),
        Fault(
            "chat-app-takes-paths-that-begin-like-its-prefix",
            "chatcore_asgi:path_below",
            'if not rest.startswith(f"{prefix}/"):',
            "if not rest.startswith(prefix):",
            "tests/integration/test_asgi.py::test_answers_outside_of_the_prefix_are_byte_equal_with_and_without_chat_app",
        ),
    ),
}
