"""The tests that are named for a module: for its path, or for what that begins with, the longest first."""

from collections.abc import Mapping, Sequence

LIVE = (
    *("tests/unit/live", "tests/unit/test_chat.py", "tests/unit/test_round_trips.py", "tests/unit/test_membership.py"),
    *("tests/unit/test_message_changes.py", "tests/unit/test_chat_entry.py", "tests/unit/test_event_loops.py"),
    *("tests/unit/test_canonical.py", "tests/unit/test_chat_limits.py"),
)
_SOCKETIO = "tests/integration/socketio"
_BOUNDS = f"{_SOCKETIO}/test_bounds.py"
CONNECT, COMMANDS, END = f"{_SOCKETIO}/test_connect.py", f"{_SOCKETIO}/test_commands.py", f"{_SOCKETIO}/test_end.py"
POLLING, WEBSOCKET = f"{_SOCKETIO}/test_polling_handshake.py", f"{_SOCKETIO}/test_websocket.py"
HOSTILE, SUITES = f"{_SOCKETIO}/test_hostile.py", f"{_SOCKETIO}/suites"
FLOODS = (
    f"{_BOUNDS}::test_client_that_floods_with_idle_frames_is_ended_with_bye_protocol",
    f"{_BOUNDS}::test_flooder_that_answers_its_end_is_forgotten_at_once",
    f"{_BOUNDS}::test_idle_frames_below_the_rate_mean_nothing",
    f"{_BOUNDS}::test_fragments_of_a_kibibyte_are_no_idle_frames",
    f"{_BOUNDS}::test_fragments_below_a_kibibyte_are_idle_frames",
    f"{_BOUNDS}::test_commands_of_others_are_answered_in_the_midst_of_a_flood",
    f"{_BOUNDS}::test_large_messages_of_a_flood_are_read_a_turn_at_a_time",
    f"{_BOUNDS}::test_close_frame_is_read_among_the_64_kib_that_follow_an_end",
    f"{_BOUNDS}::test_client_that_goes_on_after_its_own_close_frame_is_not_read_on",
    f"{_BOUNDS}::test_client_that_goes_on_after_its_end_is_not_read_on",
)
HELD_UP = (
    f"{_BOUNDS}::test_a_held_up_reader_whose_commands_do_not_get_on_is_cut",
    f"{_BOUNDS}::test_the_heartbeat_does_not_cut_a_client_whose_commands_take_their_time",
    f"{_BOUNDS}::test_a_held_up_reader_is_not_asked_for_pongs_that_it_can_not_have_read",
)
SLOW = (
    f"{_BOUNDS}::test_a_reader_that_never_reads_is_cut_within_bounds_and_others_go_on",
    f"{_BOUNDS}::test_a_slow_reader_that_keeps_up_is_not_cut",
    f"{_BOUNDS}::test_who_sends_websocket_pings_and_never_reads_is_cut",
    f"{_BOUNDS}::test_client_that_goes_while_its_answers_wait_is_no_fault_of_the_server",
    f"{_BOUNDS}::test_large_answers_wait_for_a_reader_and_never_cut_it",
    f"{_BOUNDS}::test_the_cut_reader_finds_bye_slow_behind_what_it_had_not_read",
)
LIMITS = (
    "tests/integration/test_serve_limits.py::test_connections_above_the_limit_get_429_by_polling_and_1013_by_websocket",
    "tests/integration/test_serve_limits.py::test_upgrade_of_a_polling_session_is_not_counted_again",
    "tests/integration/test_serve_limits.py::test_connections_above_the_limit_are_logged_once_a_minute_and_address",
    "tests/integration/test_serve_limits.py::test_new_access_token_for_a_socket_is_no_connection",
)

TESTS: Mapping[str, Sequence[str]] = {
    "src/chatcore/": LIVE,
    "src/adapters/chatcore_socketio/connection_limits": (
        *("tests/unit/test_connection_limits.py", "tests/unit/test_idle_frame_limit.py", CONNECT, POLLING, *FLOODS),
    ),
    "src/adapters/chatcore_socketio/connection": (COMMANDS, CONNECT, END),
    "src/adapters/chatcore_socketio/deadlines": (
        "tests/unit/test_deadlines.py",
        "tests/unit/test_timing.py",
        CONNECT,
        END,
    ),
    "src/adapters/chatcore_socketio/packet_handler": (
        *("tests/unit/test_packet_queue.py", COMMANDS, HOSTILE, CONNECT, WEBSOCKET, *HELD_UP, END),
    ),
    "src/adapters/chatcore_socketio/polling_handshake": (POLLING, CONNECT, SUITES),
    "src/adapters/chatcore_socketio/frame_reader": ("tests/unit/test_frame_reader.py", WEBSOCKET, *FLOODS),
    "src/adapters/chatcore_socketio/frames": ("tests/unit/test_frames.py", WEBSOCKET, CONNECT, *HELD_UP, END),
    "src/adapters/chatcore_socketio/heartbeat": ("tests/unit/test_heartbeat.py", *HELD_UP),
    "src/adapters/chatcore_socketio/writer": ("tests/unit/test_writer.py", COMMANDS, *SLOW),
    "src/adapters/chatcore_socketio/packets": (CONNECT, COMMANDS, POLLING, HOSTILE),
    "src/adapters/chatcore_socketio/receiver": (*FLOODS, WEBSOCKET, *HELD_UP),
    "src/adapters/chatcore_socketio/server": (CONNECT, POLLING, WEBSOCKET, *LIMITS, END),
    "src/adapters/chatcore_socketio/session": (CONNECT, POLLING, HOSTILE, *FLOODS, *HELD_UP, COMMANDS, WEBSOCKET, END),
    "src/adapters/chatcore_socketio/websocket_handshake": (WEBSOCKET, CONNECT),
}

ON_TRIO = frozenset({"src/chatcore/live/background.py", "src/chatcore/live/event_loop.py"})
"""Modules with code that runs on trio alone: their tests run on trio too."""
