"""Faults in the Python client that `docs/clients.md` says it does not have, beside those of the transcripts."""

from collections.abc import Mapping, Sequence

from .fault import Fault

CLIENT = "tests/integration/test_python_client.py"
ENGINE = "tests/unit/test_client_engine.py"
STATE = "tests/unit/test_client_state.py"
FILE = "tests/unit/test_client_file_store.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "When `send` returns, the message is in the file": (
        Fault(
            "file-store-put-writes-nothing",
            "chatcore_client.file_store:FileStore.put",
            "self._append(file, line)",
            "pass",
            f"{CLIENT}::test_what_send_returned_for_survives_kills_of_its_process",
        ),
    ),
    "A file that was cut off in a line is used": (
        Fault(
            "file-store-takes-a-torn-line-for-a-line",
            "chatcore_client.file_store:FileStore._catch_up",
            '*lines, _torn = _read_from(file, self._offset).split(b"\\n")',
            'lines = _read_from(file, self._offset).removesuffix(b"\\n").split(b"\\n")',
            f"{FILE}::test_line_that_was_cut_off_is_dropped_and_the_next_one_counts",
        ),
    ),
    "Several processes may share a file": (
        Fault(
            "file-store-does-not-read-what-others-wrote",
            "chatcore_client.file_store:FileStore._catch_up",
            "if generation != self._generation:",
            "if generation == self._generation:\n    return\nelse:",
            f"{FILE}::test_stores_of_one_file_always_agree",
        ),
    ),
    "A file of another kind is refused": (
        Fault(
            "file-store-takes-any-file",
            "chatcore_client.file_store:_begins_like_a_header",
            None,
            "return True",
            f"{FILE}::test_file_of_another_kind_is_refused_and_kept",
        ),
    ),
    "After a gap, what was asked for is shown again, whole": (
        Fault(
            "client-floor-of-a-complete-room-is-not-kept",
            "chatcore.replica.rooms:Rooms._begin",
            "self._floors.of(room, cursor)",
            "pass",
            f"{STATE}::test_gap_of_a_room_that_is_born_while_open_is_paged_whole",
        ),
        Fault(
            "client-floor-is-fixed-after-the-first-gap",
            "chatcore.replica.floors:OpenRooms.open",
            "if cursor:",
            "if False:",
            f"{STATE}::test_gap_of_a_room_that_was_complete_is_paged_whole",
        ),
    ),
    "A token is refreshed over the open connection": (
        Fault(
            "client-forgets-the-token-of-its-connection",
            "chatcore_client.engine:Engine._refresh",
            "self._renew(self._token)",
            "self._renew(None)",
            f"{CLIENT}::test_token_is_refreshed_over_the_open_connection",
        ),
    ),
    "A frame that can't be taken ends the connection, which is made again": (
        Fault(
            "client-goes-on-without-a-frame",
            "chatcore_client.connection:Link._take",
            "self.give_up()",
            "pass",
            f"{ENGINE}::test_frame_that_can_not_be_taken_ends_its_connection",
        ),
    ),
    "A message that ends the connection with 1009 is not sent again": (
        Fault(
            "client-does-not-know-the-close-code",
            "chatcore_client.socketio_transport:_close_code",
            "return int(code) if code else BROKEN",
            "return BROKEN if code else BROKEN",
            f"{CLIENT}::test_message_that_ends_the_connection_fails_and_the_next_one_is_sent",
        ),
    ),
    "A listener is called once for all changes of a moment": (
        Fault(
            "live-value-tells-each-change",
            "chatcore_client.engine:Engine._mark_stale",
            "self._stale |= dict.fromkeys(followed)",
            "for live in followed:\n    live.tell()",
            f"{CLIENT}::test_listener_hears_of_changes_until_it_unsubscribes",
        ),
    ),
    "A client that has ended says so to who iterates": (
        Fault(
            "ended-client-ends-iterations-without-an-error",
            "chatcore_client.engine:Engine._ended",
            "if self._is_closed else self._end",
            "if self._end else None",
            f"{CLIENT}::test_sign_out_elsewhere_ends_the_client",
        ),
    ),
    "`session` uses an access token again, and refreshes one that was refused": (
        Fault(
            "session-signs-in-for-every-token",
            "chatcore_client.session:Session._renew",
            "if self._tokens:",
            "if False:",
            f"{CLIENT}::test_token_is_refreshed_over_the_open_connection",
        ),
    ),
}
