"""The tests of each module, by a prefix of its path. The longest prefix comes first."""

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
BEARER, JWKS = "tests/unit/test_security_bearer.py", "tests/integration/test_bearer_jwks.py"
FLOODS = (
    f"{_BOUNDS}::test_client_that_floods_with_idle_frames_is_ended_with_bye_protocol",
    f"{_BOUNDS}::test_flooding_client_that_answers_close_is_removed_at_once",
    f"{_BOUNDS}::test_idle_frames_below_rate_are_ignored",
    f"{_BOUNDS}::test_fragments_of_one_kibibyte_are_no_idle_frames",
    f"{_BOUNDS}::test_fragments_below_one_kibibyte_are_idle_frames",
    f"{_BOUNDS}::test_commands_of_other_clients_are_answered_during_flood",
    f"{_BOUNDS}::test_large_messages_of_flood_are_read_one_per_turn",
    f"{_BOUNDS}::test_close_frame_within_64_kib_after_end_is_read",
    f"{_BOUNDS}::test_frames_after_client_close_frame_are_not_read",
    f"{_BOUNDS}::test_frames_after_end_of_socket_are_not_read",
)
PAUSED = (
    f"{_BOUNDS}::test_client_with_paused_reading_and_stuck_commands_is_cut",
    f"{_BOUNDS}::test_heartbeat_does_not_cut_client_with_slow_commands",
    f"{_BOUNDS}::test_client_with_paused_reading_is_not_asked_for_pongs",
)
SLOW = (
    f"{_BOUNDS}::test_client_that_never_reads_is_cut_within_bounds_others_continue",
    f"{_BOUNDS}::test_slow_client_that_keeps_up_is_not_cut",
    f"{_BOUNDS}::test_client_that_sends_websocket_pings_but_never_reads_is_cut",
    f"{_BOUNDS}::test_client_that_leaves_while_answers_wait_logs_no_error",
    f"{_BOUNDS}::test_large_answers_wait_for_slow_client_without_cutting_it",
    f"{_BOUNDS}::test_cut_client_finds_bye_slow_after_its_unread_frames",
)
LIMITS = (
    "tests/integration/test_serve_limits.py::test_connections_above_limit_get_429_by_polling_and_1013_by_websocket",
    "tests/integration/test_serve_limits.py::test_upgrade_of_polling_session_is_not_counted_again",
    "tests/integration/test_serve_limits.py::test_connections_above_limit_are_logged_once_a_minute_and_address",
    "tests/integration/test_serve_limits.py::test_new_access_token_for_socket_is_not_counted_as_connection",
)
PLAIN, BYE = "tests/integration/test_plain_websocket.py", "tests/integration/test_bye_in_time.py"
HTTP = "tests/integration/test_http_"
HTTP_COOKIES, HTTP_ORIGINS = f"{HTTP}cookies.py", f"{HTTP}origins.py"
HTTP_ERRORS, HTTP_BODIES, HTTP_ROUTES = f"{HTTP}errors.py", f"{HTTP}bodies.py", f"{HTTP}routes.py"
ON_SERVER = ("-k", "not mount and not asgi")
ON_AIOHTTP = ("-k", "not wsproto and not sansio and not server")
ON_WSPROTO = ("-k", "not aiohttp and not sansio and not server")
"""One host of those that a test runs on, since the tests of a mutant have a minute."""

TESTS: Mapping[str, Sequence[str]] = {
    "src/chatcore/": LIVE,
    "src/chatcore/feed": ("tests/unit/test_feed.py",),
    "src/adapters/chatcore_mongo/entry_feed": (
        *("tests/integration/test_mongo_feed.py", "tests/integration/test_mongo_store.py::TestMongoFeed"),
    ),
    "src/adapters/chatcore_security/bearer_tokens": (BEARER, JWKS),
    "src/adapters/chatcore_security/jwks": (BEARER, JWKS),
    "src/adapters/chatcore_security/jwt_keys": (BEARER, "tests/unit/test_extras.py", JWKS),
    "src/adapters/chatcore_websocket/connection_limits": (
        *("tests/unit/test_connection_limits.py", "tests/unit/test_idle_frame_limit.py", CONNECT, POLLING, *FLOODS),
    ),
    "src/adapters/chatcore_socketio/connection": (COMMANDS, CONNECT, END),
    "src/adapters/chatcore_websocket/deadlines": (
        "tests/unit/test_deadlines.py",
        "tests/unit/test_timing.py",
        CONNECT,
        END,
    ),
    "src/adapters/chatcore_websocket/connection": (COMMANDS, CONNECT, END),
    "src/adapters/chatcore_websocket/handler": (COMMANDS, CONNECT, END),
    "src/adapters/chatcore_websocket/incoming_queue": ("tests/unit/test_incoming_queue.py", *PAUSED),
    "src/adapters/chatcore_websocket/session": (CONNECT, HOSTILE, *FLOODS, *PAUSED, COMMANDS, WEBSOCKET, END),
    "src/adapters/chatcore_socketio/packet_handler": (COMMANDS, HOSTILE, CONNECT, WEBSOCKET, *PAUSED, END),
    "src/adapters/chatcore_socketio/polling_handshake": (POLLING, CONNECT, SUITES),
    "src/adapters/chatcore_aiohttp/frame_reader": ("tests/unit/test_frame_reader.py", WEBSOCKET, *FLOODS),
    "src/adapters/chatcore_aiohttp/frames": ("tests/unit/test_frames.py", WEBSOCKET, CONNECT, *PAUSED, END),
    "src/adapters/chatcore_websocket/heartbeat": ("tests/unit/test_heartbeat.py", *PAUSED),
    "src/adapters/chatcore_aiohttp/transport_writer": ("tests/unit/test_transport_writer.py", COMMANDS, *SLOW),
    "src/adapters/chatcore_socketio/packets": (CONNECT, COMMANDS, POLLING, HOSTILE),
    "src/adapters/chatcore_aiohttp/receiver": (*FLOODS, WEBSOCKET, *PAUSED),
    "src/adapters/chatcore_socketio/server": (CONNECT, POLLING, WEBSOCKET, *LIMITS, END),
    "src/adapters/chatcore_socketio/session": (CONNECT, POLLING, HOSTILE, *FLOODS),
    "src/adapters/chatcore_aiohttp/websocket_handshake": (WEBSOCKET, CONNECT),
    "src/adapters/chatcore_aiohttp/websocket_upgrade": (WEBSOCKET, CONNECT, END),
    "src/adapters/chatcore_aiohttp/": ("tests/integration/test_mount.py", HTTP_ERRORS, HTTP_BODIES, "-k", "not asgi"),
    "src/adapters/chatcore_asgi/websocket": (
        *(
            "tests/integration/test_asgi_stop.py::test_websocket_whose_task_the_server_cancels_ends_with_bye_shutdown_and_1001",
        ),
        *(
            PLAIN,
            "tests/integration/test_slow_consumers.py::test_cut_client_finds_bye_slow_and_1013_behind_what_it_had_not_read",
        ),
        *(BYE, "tests/integration/test_asgi_sockets.py::test_ended_sockets_leave_no_task_and_no_count", *ON_WSPROTO),
    ),
    "src/adapters/chatcore_asgi/": (
        "tests/integration/test_asgi.py",
        f"{PLAIN}::test_websocket_at_unknown_path_is_404",
        f"{PLAIN}::test_pushes_are_the_same_as_over_socketio",
        "tests/integration/test_http_frameworks.py::test_user_name_in_path_may_hold_anything",
        "tests/integration/test_http_frameworks.py::test_path_that_is_not_served_is_404_and_method_405",
    ),
    "src/adapters/chatcore_http/account_routes": (f"{HTTP}accounts.py", HTTP_ERRORS, *ON_SERVER),
    "src/adapters/chatcore_http/bodies": (HTTP_BODIES, *ON_SERVER),
    "src/adapters/chatcore_http/codec": ("tests/unit/test_http_codec.py", HTTP_BODIES, *ON_SERVER),
    "src/adapters/chatcore_http/cookies": ("tests/unit/test_http_cookies.py", HTTP_COOKIES),
    "src/adapters/chatcore_http/credentials": (HTTP_COOKIES, HTTP_ERRORS),
    "src/adapters/chatcore_http/guard": (
        HTTP_ORIGINS,
        HTTP_ERRORS,
        "tests/integration/test_serve_hosts.py",
        *ON_SERVER,
    ),
    "src/adapters/chatcore_http/hosts": ("tests/unit/test_http_hosts.py", "tests/integration/test_serve_hosts.py"),
    "src/adapters/chatcore_http/origins": ("tests/unit/test_http_origins.py", HTTP_ORIGINS, HTTP_COOKIES),
    "src/adapters/chatcore_http/prefixes": ("tests/integration/test_asgi.py", "tests/integration/test_mount.py"),
    "src/adapters/chatcore_http/proxies": ("tests/unit/test_http_proxies.py",),
    "src/adapters/chatcore_http/socket_routes": (f"{HTTP}sockets.py", *ON_SERVER),
    "src/adapters/chatcore_http/urls": ("tests/unit/test_http_urls.py", HTTP_ROUTES, *ON_SERVER),
    "src/adapters/chatcore_http/": (HTTP_ERRORS, HTTP_ROUTES, HTTP_BODIES, *ON_SERVER),
    "src/adapters/chatcore_websocket/plain": (PLAIN, BYE, *ON_AIOHTTP),
    "src/adapters/chatcore_websocket/incoming": ("tests/unit/test_frame_reader.py", HOSTILE, WEBSOCKET),
    "src/adapters/chatcore_websocket/websockets": (PLAIN, CONNECT, *LIMITS, END, *ON_AIOHTTP),
}

ON_TRIO = frozenset({"src/chatcore/live/background.py", "src/chatcore/live/event_loop.py"})
"""Modules with code that only runs on trio: their tests run on trio too."""
