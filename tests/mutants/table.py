"""The tests that are named for a module: for its path, or for what that begins with, the longest first."""

from collections.abc import Mapping, Sequence

LIVE = (
    *("tests/unit/live", "tests/unit/test_chat.py", "tests/unit/test_round_trips.py", "tests/unit/test_membership.py"),
    *("tests/unit/test_message_changes.py", "tests/unit/test_entering.py", "tests/unit/test_other_loops.py"),
    *("tests/unit/test_canonical.py", "tests/unit/test_chat_limits.py"),
)
WIRE = (
    *("tests/unit/test_frame_reader.py", "tests/unit/test_frame_allowance.py", "tests/unit/test_connection_caps.py"),
    *("tests/unit/test_janitor.py", "tests/integration/socketio/test_websocket.py"),
    *("tests/integration/socketio/test_connect.py", "tests/integration/socketio/test_doorway.py"),
    *("tests/integration/socketio/test_commands.py", "tests/integration/socketio/test_end.py"),
    *("tests/integration/socketio/test_hostile.py", "tests/integration/socketio/suites"),
)

TESTS: Mapping[str, Sequence[str]] = {
    "src/chatcore/": LIVE,
    "src/adapters/chatcore_socketio/": WIRE,
}
